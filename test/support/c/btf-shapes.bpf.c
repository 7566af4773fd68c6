/* Maps whose BTF holds every shape a value can have, data sections, and fields the kernel keeps to itself. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "btf-shapes.h"

#define contains(node) __attribute__((btf_decl_tag("contains:" node)))

/* Newer than the headers of the distribution. */
struct bpf_list_head { __u64 : 64; __u64 : 64; } __attribute__((aligned(8)));
struct bpf_list_node { __u64 : 64; __u64 : 64; __u64 : 64; } __attribute__((aligned(8)));

struct element { struct bpf_list_node node; __u64 data; };

struct owned {
	__u32 before;
	struct bpf_spin_lock lock;
	struct bpf_timer timer;
	struct bpf_list_head head contains("element:node");
	__u32 after;
};

struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8);
	__type(key, struct key); __type(value, struct shapes); } shapes SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1);
	__type(key, __u32); __type(value, struct packed); } packed SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1);
	__type(key, __u32); __type(value, struct owned); } owned SEC(".maps");

struct element *keep_element;
int counter = 7;
struct inner origin = { .kind = 3, .level = -4 };
const volatile char greeting[16] = "hello";
const volatile __u64 limit = 18446744073709551615ULL;
__u64 total;
enum color favourite;
extern int LINUX_KERNEL_VERSION __kconfig;

SEC("raw_tp/sys_enter")
int shape(void *ctx)
{
	total += LINUX_KERNEL_VERSION > 0 ? counter + origin.level + greeting[0] : limit;
	favourite = GREEN;
	return keep_element ? 1 : 0;
}

char _license[] SEC("license") = "GPL";
