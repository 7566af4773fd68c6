/* Calls of every sort: helpers, tail calls, own functions, callbacks, kernel functions; and map references. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} pf_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} pf_array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} pf_percpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 4);
} pf_tails SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} pf_inner SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner);
} pf_outer SEC(".maps") = { .values = { &pf_inner } };

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} pf_ring SEC(".maps");

struct bpf_map;

struct pf_sample {
	__u64 when;
	const char *name;
};

__u64 pf_count = 7;
__u64 pf_zeroed;
const volatile __u32 pf_limit = 300;
static __u32 pf_table[16];

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

SEC("xdp") int pf_tail(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &pf_tails, 2);
	bpf_tail_call(ctx, &pf_tails, ctx->rx_queue_index & 3);
	return XDP_PASS;
}

static __attribute__((noinline)) int add_up(__u32 a, const struct pf_sample *sample, __u64 *sum)
{
	*sum += a + sample->when;
	return (int)(*sum >> 3);
}

static __attribute__((noinline)) __u64 later(struct xdp_md *ctx)
{
	struct pf_sample sample = { .when = bpf_ktime_get_ns() };
	__u64 sum = ctx->ingress_ifindex;

	return add_up(ctx->rx_queue_index, &sample, &sum) + sum;
}

__attribute__((noinline)) int pf_global_sub(struct xdp_md *ctx, int level)
{
	return level > 3 ? XDP_DROP : (int)bpf_get_prandom_u32() + ctx->rx_queue_index;
}

SEC("xdp") int pf_subprogs(struct xdp_md *ctx)
{
	if (later(ctx) > 12)
		return pf_global_sub(ctx, 2);
	return XDP_PASS;
}

static int each_entry(struct bpf_map *map, const __u32 *key, __u64 *value, __u64 *sum)
{
	*sum += *value;
	return 0;
}

static int each_turn(__u32 index, __u64 *sum)
{
	*sum += index;
	return 0;
}

SEC("xdp") int pf_callbacks(struct xdp_md *ctx)
{
	__u64 sum = 0;

	bpf_for_each_map_elem(&pf_hash, each_entry, &sum, 0);
	bpf_loop(10, each_turn, &sum, 0);
	return sum & 1;
}

SEC("xdp") int pf_maps(struct xdp_md *ctx)
{
	__u32 key = ctx->ingress_ifindex & 7, zero = 0;
	__u64 one = 1, *value = bpf_map_lookup_elem(&pf_hash, &key);
	void *inner;

	if (value)
		__sync_fetch_and_add(value, 1);
	else
		bpf_map_update_elem(&pf_hash, &key, &one, BPF_ANY);
	value = bpf_map_lookup_elem(&pf_array, &key);
	if (value)
		*value += bpf_get_smp_processor_id();
	inner = bpf_map_lookup_elem(&pf_outer, &zero);
	value = inner ? bpf_map_lookup_elem(inner, &zero) : 0;
	if (value)
		*value -= bpf_ktime_get_ns();
	bpf_map_delete_elem(&pf_hash, &key);
	bpf_ringbuf_output(&pf_ring, &one, sizeof(one), 0);
	return XDP_PASS;
}

SEC("xdp") int pf_per_cpu(struct xdp_md *ctx)
{
	__u32 key = 3;
	__u64 *value = bpf_map_lookup_elem(&pf_percpu, &key);

	if (value)
		*value += 5;
	return XDP_PASS;
}

SEC("xdp") int pf_values(struct xdp_md *ctx)
{
	__u32 at = ctx->rx_queue_index & 15;

	pf_count += pf_limit;
	pf_zeroed ^= 0x123456789abcdef0ULL;
	pf_table[at] += 1;
	bpf_printk("at %d of %d", at, pf_limit);
	return pf_table[(at + 5) & 15];
}

SEC("tp_btf/task_newtask") int pf_kfuncs(__u64 *ctx)
{
	bpf_rcu_read_lock();
	pf_zeroed++;
	bpf_rcu_read_unlock();
	return 0;
}

char _license[] SEC("license") = "GPL";
