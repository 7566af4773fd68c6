/* A congestion control that is registered with the kernel: a struct_ops map, whose value the kernel types. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sock {
	int dummy;
} __attribute__((preserve_access_index));

struct tcp_congestion_ops {
	unsigned int (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	unsigned int (*undo_cwnd)(struct sock *sk);
	char name[16];
} __attribute__((preserve_access_index));

SEC("struct_ops/pf_ssthresh")
unsigned int BPF_PROG(pf_ssthresh, struct sock *sk)
{
	return 5;
}

SEC("struct_ops/pf_undo")
unsigned int BPF_PROG(pf_undo, struct sock *sk)
{
	return 6;
}

SEC("struct_ops/pf_avoid")
void BPF_PROG(pf_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
}

/* The kernel has one of each name: another test's file includes this one with another. */
#ifndef CONGESTION
#define CONGESTION pf_congestion
#endif
#define TEXT(name) #name
#define TEXT_OF(name) TEXT(name)

SEC(".struct_ops")
struct tcp_congestion_ops CONGESTION = {
	.ssthresh = (void *)pf_ssthresh,
	.cong_avoid = (void *)pf_avoid,
	.undo_cwnd = (void *)pf_undo,
	.name = TEXT_OF(CONGESTION),
};

char LICENSE[] SEC("license") = "GPL";
