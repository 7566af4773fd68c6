/*
 * Makes one object of every map, program and link type this kernel lets it make.
 *
 *   make-objects DIR     pins them in DIR (a bpffs directory) under their names
 *   make-objects -       only holds them
 *
 * One JSON line an object ({kind,type,id,name,path?}), or {kind,type,error} for what the kernel refuses; then
 * `ready`. Holds all of them until standard input ends. Network links are attached in a network namespace of
 * its own; when the process ends that namespace goes, and network links that are only pinned are dead from
 * then on. What is attached to the whole machine (a cgroup and a tracepoint program) does nothing but allow.
 * Numbers stand for what Debian 12's headers do not name yet (include/uapi/linux/bpf.h of Linux 6.18).
 */
#include "common.h"
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define FLAG_NO_PREALLOC 1u
#define FLAG_MMAPABLE (1u << 10)

static const char *directory;

static int report(const char *kind, const char *type, const char *name, int fd)
{
	char path[4200];

	if (fd < 0) {
		printf("{\"kind\":\"%s\",\"type\":\"%s\",\"error\":\"%s\"}\n", kind, type,
		       errno == 524 ? "ENOTSUPP" : strerrorname_np(errno));
		return fd;
	}
	printf("{\"kind\":\"%s\",\"type\":\"%s\",\"id\":%u,\"name\":\"%s\"", kind, type, id_of(fd), name);
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (strcmp(directory, "-")) {
		if (pin_fd(fd, path))
			fail(path);
		printf(",\"path\":\"%s\"", path);
	}
	puts("}");
	return fd;
}

/* ---- maps ---- */

struct map_recipe {
	const char *type;
	int number, key, value, entries;
	unsigned int flags;
	int needs; /* what else it wants */
};

enum { NOTHING, BTF_INT, BTF_STORAGE, INNER };

static const struct map_recipe maps[] = {
	{"hash", 1, 4, 8, 16, 0, BTF_INT},
	{"array", 2, 4, 8, 16, 0, BTF_INT},
	{"prog_array", 3, 4, 4, 8, 0, NOTHING},
	{"perf_event_array", 4, 4, 4, 2, 0, NOTHING},
	{"percpu_hash", 5, 4, 8, 16, 0, NOTHING},
	{"percpu_array", 6, 4, 8, 16, 0, NOTHING},
	{"stack_trace", 7, 4, 64, 16, 0, NOTHING},
	{"cgroup_array", 8, 4, 4, 4, 0, NOTHING},
	{"lru_hash", 9, 4, 8, 16, 0, NOTHING},
	{"lru_percpu_hash", 10, 4, 8, 16, 0, NOTHING},
	{"lpm_trie", 11, 8, 8, 16, FLAG_NO_PREALLOC, NOTHING},
	{"array_of_maps", 12, 4, 4, 4, 0, INNER},
	{"hash_of_maps", 13, 4, 4, 4, 0, INNER},
	{"devmap", 14, 4, 4, 4, 0, NOTHING},
	{"sockmap", 15, 4, 4, 4, 0, NOTHING},
	{"cpumap", 16, 4, 4, 2, 0, NOTHING},
	{"xskmap", 17, 4, 4, 4, 0, NOTHING},
	{"sockhash", 18, 4, 4, 4, 0, NOTHING},
	{"cgroup_storage", 19, 16, 8, 0, 0, NOTHING},
	{"reuseport_sockarray", 20, 4, 8, 4, 0, NOTHING},
	{"percpu_cgroup_storage", 21, 16, 8, 0, 0, NOTHING},
	{"queue", 22, 0, 8, 16, 0, NOTHING},
	{"stack", 23, 0, 8, 16, 0, NOTHING},
	{"sk_storage", 24, 4, 8, 0, FLAG_NO_PREALLOC, BTF_STORAGE},
	{"devmap_hash", 25, 4, 4, 4, 0, NOTHING},
	{"ringbuf", 27, 0, 0, 4096, 0, NOTHING},
	{"inode_storage", 28, 4, 8, 0, FLAG_NO_PREALLOC, BTF_STORAGE},
	{"task_storage", 29, 4, 8, 0, FLAG_NO_PREALLOC, BTF_STORAGE},
	{"bloom_filter", 30, 0, 8, 16, 0, NOTHING},
	{"user_ringbuf", 31, 0, 0, 4096, 0, NOTHING},
	{"cgrp_storage", 32, 4, 8, 0, FLAG_NO_PREALLOC, BTF_STORAGE},
	{"arena", 33, 0, 0, 4, FLAG_MMAPABLE, NOTHING},
};

/* A BTF with `int` (4 bytes, type 1) and `struct pf_value { long long count; }` (type 3). */
static int load_btf(void)
{
	struct btf *btf = btf__new_empty();

	btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	btf__add_int(btf, "long long", 8, BTF_INT_SIGNED);
	btf__add_struct(btf, "pf_value", 8);
	btf__add_field(btf, "count", 2, 0, 0);
	if (btf__load_into_kernel(btf))
		fail("load BTF");
	return btf__fd(btf);
}

static void make_maps(void)
{
	int btf = load_btf();
	int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "pf_inner", 4, 8, 1, NULL);

	for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++) {
		const struct map_recipe *m = &maps[i];
		LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = m->flags);
		char name[64], kernel_name[16];

		if (m->needs == BTF_INT || m->needs == BTF_STORAGE) {
			opts.btf_fd = btf;
			opts.btf_key_type_id = 1;
			opts.btf_value_type_id = 3;
		}
		if (m->needs == INNER)
			opts.inner_map_fd = inner;
		snprintf(name, sizeof(name), "map_%s", m->type);
		snprintf(kernel_name, sizeof(kernel_name), "pf_%.12s", m->type);
		report("map", m->type, name,
		       bpf_map_create(m->number, kernel_name, m->key, m->value, m->entries, &opts));
	}
}

/* ---- programs: all do nothing but return ---- */

struct prog_recipe {
	const char *type;
	int number, expected_attach, verdict;
	unsigned int flags;
	int fd;
};

static struct prog_recipe progs[] = {
	{"socket_filter", 1, 0, 1, 0, -1},
	{"kprobe", 2, 0, 0, 0, -1},
	{"sched_cls", 3, 0, 0, 0, -1},
	{"sched_act", 4, 0, 0, 0, -1},
	{"tracepoint", 5, 0, 0, 0, -1},
	{"xdp", 6, 37, 2, 0, -1},
	{"perf_event", 7, 0, 0, 0, -1},
	{"cgroup_skb", 8, 1, 1, 0, -1},
	{"cgroup_sock", 9, 2, 1, 0, -1},
	{"lwt_in", 10, 0, 0, 0, -1},
	{"lwt_out", 11, 0, 0, 0, -1},
	{"lwt_xmit", 12, 0, 0, 0, -1},
	{"sock_ops", 13, 3, 1, 0, -1},
	{"sk_skb", 14, 5, 1, 0, -1},
	{"cgroup_device", 15, 6, 1, 0, -1},
	{"sk_msg", 16, 7, 1, 0, -1},
	{"raw_tracepoint", 17, 0, 0, 0, -1},
	{"cgroup_sock_addr", 18, 10, 1, 0, -1},
	{"lwt_seg6local", 19, 0, 0, 0, -1},
	{"sk_reuseport", 21, 39, 1, 0, -1},
	{"flow_dissector", 22, 17, 0, 0, -1},
	{"cgroup_sysctl", 23, 18, 1, 0, -1},
	{"raw_tracepoint_writable", 24, 0, 0, 0, -1},
	{"cgroup_sockopt", 25, 21, 1, 0, -1},
	{"tracing", 26, 28, 0, 0, -1},
	{"sk_lookup", 30, 36, 1, 0, -1},
	{"syscall", 31, 0, 0, 16 /* BPF_F_SLEEPABLE */, -1},
	{"netfilter", 32, 45, 1, 0, -1},
};

static int prog(const char *type)
{
	for (size_t i = 0; i < sizeof(progs) / sizeof(*progs); i++)
		if (!strcmp(progs[i].type, type))
			return progs[i].fd;
	return -1;
}

static void make_progs(void)
{
	int map_iterator = libbpf_find_vmlinux_btf_id("bpf_map", BPF_TRACE_ITER);

	for (size_t i = 0; i < sizeof(progs) / sizeof(*progs); i++) {
		struct prog_recipe *p = &progs[i];
		LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = p->expected_attach,
			    .prog_flags = p->flags);
		struct bpf_insn code[] = {
			{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = p->verdict },
			{ .code = BPF_JMP | BPF_EXIT },
		};
		char name[64], kernel_name[16];

		if (p->number == BPF_PROG_TYPE_TRACING)
			opts.attach_btf_id = map_iterator;
		snprintf(name, sizeof(name), "prog_%s", p->type);
		snprintf(kernel_name, sizeof(kernel_name), "pf_%.12s", p->type);
		p->fd = report("program", p->type, name, bpf_prog_load(p->number, kernel_name, "GPL", code, 2, &opts));
	}
}

/* ---- links ---- */

/* LINK_CREATE laid out by hand (uapi: link_create), for attach types libbpf 1.1 does not know. */
static int link_create(int program, int target, int attach_type, const __u32 extra[4])
{
	union bpf_attr attr = {0};

	attr.link_create.prog_fd = program;
	attr.link_create.target_fd = target;
	attr.link_create.attach_type = attach_type;
	if (extra)
		memcpy((char *)&attr + 16, extra, 16);
	return bpf_call(BPF_LINK_CREATE, &attr, sizeof(attr));
}

static int cgroup_root(void)
{
	int fd = open("/sys/fs/cgroup/unified", O_RDONLY | O_CLOEXEC);

	return fd >= 0 ? fd : open("/sys/fs/cgroup", O_RDONLY | O_CLOEXEC);
}

static int cpu_clock(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr),
				       .config = PERF_COUNT_SW_CPU_CLOCK, .sample_period = 1000000000};

	attr.disabled = 1;
	return syscall(__NR_perf_event_open, &attr, getpid(), -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static void make_links(void)
{
	int lo = if_nametoindex("lo");
	const __u32 netfilter[4] = {2 /* NFPROTO_IPV4 */, 1 /* NF_INET_LOCAL_IN */, (__u32)-128, 0};
	int sockmap = bpf_map_create(BPF_MAP_TYPE_SOCKMAP, "pf_link_target", 4, 4, 4, NULL);

	report("link", "raw_tracepoint", "link_raw_tracepoint",
	       bpf_raw_tracepoint_open("task_rename", prog("raw_tracepoint")));
	report("link", "cgroup", "link_cgroup", link_create(prog("cgroup_device"), cgroup_root(), 6, NULL));
	report("link", "iter", "link_iter", link_create(prog("tracing"), 0, 28, NULL));
	report("link", "netns", "link_netns",
	       link_create(prog("sk_lookup"), open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), 36, NULL));
	report("link", "xdp", "link_xdp", link_create(prog("xdp"), lo, 37, NULL));
	report("link", "perf_event", "link_perf_event", link_create(prog("perf_event"), cpu_clock(), 41, NULL));
	report("link", "netfilter", "link_netfilter", link_create(prog("netfilter"), 0, 45, netfilter));
	report("link", "tcx", "link_tcx", link_create(prog("sched_cls"), lo, 46, NULL));
	report("link", "sockmap", "link_sockmap", link_create(prog("sk_msg"), sockmap, 7, NULL));
}

int main(int argc, char **argv)
{
	char nothing[16];

	die_with_parent();
	libbpf_set_print(NULL);
	directory = argc > 1 ? argv[1] : "-";
	if (unshare(CLONE_NEWNET))
		fail("unshare the network namespace");
	make_maps();
	make_progs();
	make_links();
	puts("ready");
	while (read(0, nothing, sizeof(nothing)) > 0)
		;
	return 0;
}
