/*
 * Iterators that write each object's own counters. The oracle for reference counts: clang and libbpf compute
 * the offsets by CO-RE here, where the code under test emits its instructions by hand.
 *
 * While an object is shown the iterator itself holds one reference to it, taken off below
 * (kernel/bpf/map_iter.c, prog_iter.c, link_iter.c: *_seq_start and _next take it). `usercnt` is not
 * affected.
 */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define KERNEL __attribute__((preserve_access_index))

typedef struct { __s64 counter; } KERNEL atomic64_t;
struct seq_file;
struct bpf_iter_meta { struct seq_file *seq; } KERNEL;
struct bpf_map { __u32 id; atomic64_t refcnt; atomic64_t usercnt; } KERNEL;
struct bpf_prog_aux { __u32 id; atomic64_t refcnt; } KERNEL;
struct bpf_prog { struct bpf_prog_aux *aux; } KERNEL;
struct bpf_link { atomic64_t refcnt; __u32 id; } KERNEL;
struct bpf_iter__bpf_map { struct bpf_iter_meta *meta; struct bpf_map *map; } KERNEL;
struct bpf_iter__bpf_prog { struct bpf_iter_meta *meta; struct bpf_prog *prog; } KERNEL;
struct bpf_iter__bpf_link { struct bpf_iter_meta *meta; struct bpf_link *link; } KERNEL;

/* One record: kind (0 map, 1 program, 2 link), id, refcnt without the iterator's, usercnt (maps only). */
struct record {
	__u32 kind;
	__u32 id;
	__s64 refcnt;
	__s64 usercnt;
};

SEC("iter/bpf_map")
int pf_maps(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;
	struct record out = {0};

	if (!map)
		return 0;
	out.id = map->id;
	out.refcnt = map->refcnt.counter - 1;
	out.usercnt = map->usercnt.counter;
	bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
	return 0;
}

SEC("iter/bpf_prog")
int pf_progs(struct bpf_iter__bpf_prog *ctx)
{
	struct bpf_prog *prog = ctx->prog;
	struct record out = {.kind = 1};

	if (!prog)
		return 0;
	out.id = prog->aux->id;
	out.refcnt = prog->aux->refcnt.counter - 1;
	bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
	return 0;
}

SEC("iter/bpf_link")
int pf_links(struct bpf_iter__bpf_link *ctx)
{
	struct bpf_link *link = ctx->link;
	struct record out = {.kind = 2};

	if (!link)
		return 0;
	out.id = link->id;
	out.refcnt = link->refcnt.counter - 1;
	bpf_seq_write(ctx->meta->seq, &out, sizeof(out));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
