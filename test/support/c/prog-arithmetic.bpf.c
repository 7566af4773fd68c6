/* What is computed, compared, swapped and changed atomically; compiled for `-mcpu=v3`. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64[4]);
} pf_cells SEC(".maps");

static __always_inline __u64 *cells(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&pf_cells, &zero);
}

SEC("xdp") int pf_atomics(struct xdp_md *ctx)
{
	__u64 *cell = cells(), had;
	__u32 *half = (__u32 *)cell, small;

	if (!cell)
		return XDP_PASS;
	__sync_fetch_and_add(&cell[0], 3);
	__sync_fetch_and_add(&half[2], 3);
	had = __sync_fetch_and_add(&cell[1], 5);
	had += __sync_fetch_and_and(&cell[1], had);
	had += __sync_fetch_and_or(&cell[2], had);
	had += __sync_fetch_and_xor(&cell[3], had);
	had += __sync_lock_test_and_set(&cell[0], had);
	had += __sync_val_compare_and_swap(&cell[1], had, 9);
	small = __sync_fetch_and_add(&half[0], 1);
	small += __sync_fetch_and_xor(&half[1], small);
	small += __sync_lock_test_and_set(&half[2], small);
	small += __sync_val_compare_and_swap(&half[3], small, 8);
	return had + small;
}

SEC("xdp") int pf_alu32(struct xdp_md *ctx)
{
	__u32 a = ctx->ingress_ifindex, b = ctx->rx_queue_index;
	int s = a;

	a = a * 13 + b / 7 - b % 5;
	a |= b << 3;
	a ^= b >> (a & 7);
	s >>= 4;
	a += -s;
	a /= b | 1;
	a %= b | 3;
	return a & 0xfff0;
}

SEC("xdp") int pf_alu64(struct xdp_md *ctx)
{
	__u64 a = bpf_ktime_get_ns(), b = ctx->rx_queue_index;
	__s64 s = a;

	a = a * 13 + b / 7 - b % 5;
	a |= b << 3;
	a ^= b >> (a & 7);
	s >>= 4;
	a += -s;
	a /= b | 1;
	a %= b | 3;
	a -= 0x8000000000000001ULL;
	return a > 0xffffffffffULL ? -1 : 0x7fffffff;
}

SEC("xdp") int pf_swaps(struct xdp_md *ctx)
{
	__u64 a = bpf_ktime_get_ns();

	a += bpf_htons((__u16)a);
	a += bpf_htonl((__u32)a);
	a += bpf_cpu_to_be64(a);
	a += (__u16)(a >> 5);
	return a;
}

SEC("xdp") int pf_jumps(struct xdp_md *ctx)
{
	__u64 a = bpf_ktime_get_ns(), b = bpf_get_prandom_u32();
	__s64 s = a, t = b;
	__u32 small = b;
	int negative = small;

	if (a > b) bpf_get_smp_processor_id();
	if (s > t) bpf_ktime_get_ns();
	if (s < -5) bpf_get_prandom_u32();
	if (a & 0x10) bpf_ktime_get_ns();
	if (negative < -7) bpf_get_prandom_u32();
	if (negative >= (int)a) bpf_ktime_get_ns();
	if (small != 0x80000000) bpf_get_prandom_u32();
	if (small <= 77) bpf_ktime_get_boot_ns();
	for (int i = 0; i < 100; i++)
		if (bpf_get_prandom_u32() == i)
			break;
	return XDP_PASS;
}

SEC("xdp") int pf_packets(struct xdp_md *ctx)
{
	unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u8 kept[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	if (data + 34 > end)
		return XDP_DROP;
	kept[4] = data[9];
	data[0] = 0x7f;
	*(__u16 *)(data + 2) = 0x1234;
	*(__u32 *)(data + 4) = kept[4];
	*(__u64 *)(data + 8) = -2;
	return kept[4] == data[1] ? XDP_TX : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
