/* Programs of other types than XDP, whose contexts and pointers the verifier rewrites. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

unsigned long long load_half(void *skb, unsigned long long off) asm("llvm.bpf.load.half");
unsigned long long load_byte(void *skb, unsigned long long off) asm("llvm.bpf.load.byte");

SEC("socket") int pf_socket(struct __sk_buff *skb)
{
	if (load_half(skb, 12) != 0x800)
		return 0;
	return load_byte(skb, 14 + (skb->len & 7));
}

SEC("tc") int pf_tc(struct __sk_buff *skb)
{
	__u32 head = 0;

	skb->cb[0] = skb->len + skb->hash;
	skb->mark ^= skb->ifindex;
	return bpf_skb_load_bytes(skb, 0, &head, 4) || head == 1 ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("cgroup_skb/egress") int pf_cgroup(struct __sk_buff *skb)
{
	return bpf_skb_cgroup_id(skb) != 5 && skb->protocol != 0;
}

SEC("tracepoint/raw_syscalls/sys_enter") int pf_tracepoint(__u64 *ctx)
{
	char name[16];

	bpf_get_current_comm(name, sizeof(name));
	return name[0] == 'p' && ctx[1] == 321 && (bpf_get_current_pid_tgid() >> 32) > 1;
}

struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
} __attribute__((preserve_access_index));
struct bpf_map {
	__u32 id;
	__u32 max_entries;
} __attribute__((preserve_access_index));
struct bpf_iter__bpf_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
} __attribute__((preserve_access_index));

SEC("iter/bpf_map") int pf_iter(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;
	__u64 record[2];

	if (!map)
		return 0;
	record[0] = map->id;
	record[1] = map->max_entries;
	bpf_seq_write(ctx->meta->seq, record, sizeof(record));
	return 0;
}

SEC("syscall") int pf_syscall(void *ctx)
{
	return bpf_sys_close(-1) < 0 ? 3 : 4;
}

SEC("sk_lookup") int pf_lookup(struct bpf_sk_lookup *ctx)
{
	return ctx->local_port == 7463 ? SK_PASS : SK_DROP;
}

char _license[] SEC("license") = "GPL";
