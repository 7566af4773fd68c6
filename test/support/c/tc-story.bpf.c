#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} pf_shared SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 4);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} pf_tails SEC(".maps");

static __always_inline int count(struct __sk_buff *skb, __u32 key)
{
	__u64 one = 1, *seen = bpf_map_lookup_elem(&pf_shared, &key);

	if (seen)
		__sync_fetch_and_add(seen, 1);
	else
		bpf_map_update_elem(&pf_shared, &key, &one, BPF_ANY);
	bpf_tail_call(skb, &pf_tails, 0);
	return TC_ACT_OK;
}

SEC("tc/ingress") int pf_ingress(struct __sk_buff *skb) { return count(skb, 1); }
SEC("tc/egress") int pf_egress(struct __sk_buff *skb) { return count(skb, 2); }

char _license[] SEC("license") = "GPL";
