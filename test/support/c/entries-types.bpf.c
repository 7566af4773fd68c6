/* A map of every type that may have BTF, or whose value is typed by it; entries-types.c fills them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct pair {
	__u16 port;
	__u8 proto;
};

struct sized {
	__u32 number;
	char name[4];
};

struct slot {
	__u64 cgroup;
	__u32 attach_type;
};

#define MAP(map_name, map_type, key_type, value_type, entries, flags)                                          \
	struct {                                                                                              \
		__uint(type, map_type);                                                                       \
		__uint(max_entries, entries);                                                                 \
		__uint(map_flags, flags);                                                                     \
		__type(key, key_type);                                                                        \
		__type(value, value_type);                                                                    \
	} map_name SEC(".maps")

MAP(b_hash, BPF_MAP_TYPE_HASH, struct pair, struct sized, 8, 0);
MAP(b_sparse, BPF_MAP_TYPE_HASH, __u32, struct sized, 8, BPF_F_NO_PREALLOC);
MAP(b_lru, BPF_MAP_TYPE_LRU_HASH, __u32, struct sized, 8, 0);
MAP(b_lru_percpu_list, BPF_MAP_TYPE_LRU_HASH, __u32, struct sized, 8, BPF_F_NO_COMMON_LRU);
MAP(b_lru_pcpu, BPF_MAP_TYPE_LRU_PERCPU_HASH, __u32, struct sized, 8, 0);
MAP(b_pcpu_hash, BPF_MAP_TYPE_PERCPU_HASH, __u32, struct sized, 8, 0);
MAP(b_array, BPF_MAP_TYPE_ARRAY, __u32, struct sized, 8, 0);
MAP(b_mmapable, BPF_MAP_TYPE_ARRAY, __u32, struct sized, 8, BPF_F_MMAPABLE);
MAP(b_pcpu_array, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct sized, 8, 0);
MAP(b_trie, BPF_MAP_TYPE_LPM_TRIE, struct sized, struct pair, 8, BPF_F_NO_PREALLOC);
MAP(b_progs, BPF_MAP_TYPE_PROG_ARRAY, __u32, __u32, 8, 0);
MAP(b_reuseport, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, __u32, __u64, 8, 0);

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 8);
	__type(value, struct sized);
} b_queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 8);
	__type(value, struct sized);
} b_stack SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 8);
	__type(value, struct sized);
} b_bloom SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct sized);
} b_inner SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 8);
	__type(key, __u32);
	__array(values, struct inner);
} b_outer_array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 8);
	__type(key, __u32);
	__array(values, struct inner);
} b_outer_hash SEC(".maps");

#define STORAGE(map_name, map_type)                                                                            \
	struct {                                                                                              \
		__uint(type, map_type);                                                                       \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                                         \
		__type(key, int);                                                                             \
		__type(value, struct sized);                                                                  \
	} map_name SEC(".maps")

STORAGE(b_sk_storage, BPF_MAP_TYPE_SK_STORAGE);
STORAGE(b_inode_storage, BPF_MAP_TYPE_INODE_STORAGE);
STORAGE(b_task_storage, BPF_MAP_TYPE_TASK_STORAGE);
STORAGE(b_cgrp_storage, 32 /* BPF_MAP_TYPE_CGRP_STORAGE, newer than the headers of Debian 12 */);

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, struct sized);
} b_cgroup_storage SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, struct sized);
} b_pcpu_cgroup_storage SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 8);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 8 * sizeof(__u64));
} b_stack_trace SEC(".maps");

/* Attached to a cgroup of the test's own, it makes an entry in both storages. */
SEC("cgroup_skb/egress")
int pf_storage(struct __sk_buff *skb)
{
	struct sized *shared = bpf_get_local_storage(&b_cgroup_storage, 0);
	struct sized *own = bpf_get_local_storage(&b_pcpu_cgroup_storage, 0);

	shared->number++;
	own->number++;
	return 1;
}

/* Run by hand, it puts the stack it runs on into the map. */
SEC("raw_tp/sys_enter")
int pf_stack(void *ctx)
{
	return bpf_get_stackid(ctx, &b_stack_trace, 0) < 0;
}

char LICENSE[] SEC("license") = "GPL";
