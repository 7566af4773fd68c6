/*
 * Holds one BPF object in one way of a list, and lets go of it in every other.
 *
 *   hold-ways WAY BPFFS DIRECTORY
 *
 * BPFFS is a directory in a bpffs, DIRECTORY a plain directory or a cgroup, as the way needs it. Says a JSON
 * line for each object that matters ({"kind","id"}), the one held first, and facts the test needs
 * ({"name","value"}); then `ready`, or `refused ERRNO`. Holds until standard input ends. What must be in a
 * network or mount namespace is in one of its own.
 * Numbers stand for what Debian 12's headers do not name yet (include/uapi/linux/bpf.h of Linux 6.18).
 */
#include "common.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *bpffs, *directory;

static void refuse(void)
{
	printf("refused %s\n", strerrorname_np(errno) ?: "524");
	exit(0);
}

static int need(int result)
{
	if (result < 0)
		refuse();
	return result;
}

static int tell(const char *kind, int fd)
{
	printf("{\"kind\":\"%s\",\"id\":%u}\n", kind, id_of(need(fd)));
	return fd;
}

static void fact(const char *name, long value)
{
	printf("{\"name\":\"%s\",\"value\":%ld}\n", name, value);
}

static const char *in(const char *parent, const char *name)
{
	static char paths[4][4200];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(*paths), "%s/%s", parent, name);
	return path;
}

static int map_of(int type, int entries, unsigned int flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);

	return bpf_map_create(type, "pf_way", 4, type == BPF_MAP_TYPE_DEVMAP || type == BPF_MAP_TYPE_CPUMAP ? 8 : 4,
			      entries, &opts);
}

static int map(void)
{
	return map_of(BPF_MAP_TYPE_HASH, 4, 0);
}

/* A program that only returns, and uses a map where one is given (-1 for none). */
static int prog_using(int type, int expected, int verdict, int map_fd)
{
	struct bpf_insn code[4] = {0};
	int length = 0;
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = expected);

	if (map_fd >= 0) {
		code[length++] = (struct bpf_insn){ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1,
						    .src_reg = BPF_PSEUDO_MAP_FD, .imm = map_fd };
		code[length++] = (struct bpf_insn){0};
	}
	code[length++] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = verdict };
	code[length++] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	return bpf_prog_load(type, "pf_way", "GPL", code, length, &opts);
}

static int prog(int type, int expected, int verdict)
{
	return need(prog_using(type, expected, verdict, -1));
}

static int iterator_prog(const char *over)
{
	struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_ITER,
		    .attach_btf_id = libbpf_find_vmlinux_btf_id(over, BPF_TRACE_ITER));

	return need(bpf_prog_load(BPF_PROG_TYPE_TRACING, "pf_way", "GPL", code, 2, &opts));
}

static int own_network(void)
{
	need(unshare(CLONE_NEWNET));
	return if_nametoindex("lo");
}

static int link_to(int program, int target, int type)
{
	union bpf_attr attr = {0};

	attr.link_create.prog_fd = program;
	attr.link_create.target_fd = target;
	attr.link_create.attach_type = type;
	return need(bpf_call(BPF_LINK_CREATE, &attr, sizeof(attr)));
}

static void attach_to(int program, int target, int type)
{
	union bpf_attr attr = {0};

	attr.target_fd = target;
	attr.attach_bpf_fd = program;
	attr.attach_type = type;
	need(bpf_call(BPF_PROG_ATTACH, &attr, sizeof(attr)));
}

static void pin_as(int fd, const char *path)
{
	need(pin_fd(fd, path));
}

/* ---- pins ---- */

static void way_pin(void)
{
	int fd = tell("map", map());

	pin_as(fd, in(bpffs, "pin"));
	close(fd);
}

static void way_hard_link(void)
{
	int fd = tell("map", map());

	pin_as(fd, in(bpffs, "hard-a"));
	need(link(in(bpffs, "hard-a"), in(bpffs, "hard-b")));
	close(fd);
}

static void way_two_pins(void)
{
	int fd = tell("map", map());

	pin_as(fd, in(bpffs, "first"));
	pin_as(fd, in(bpffs, "second"));
	close(fd);
}

static void way_pinned_link(void)
{
	int program = prog(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0);
	int fd = tell("link", bpf_raw_tracepoint_open("task_rename", program));

	pin_as(fd, in(bpffs, "pinned-link"));
	close(fd);
	close(program);
}

/* ---- open files ---- */

static void way_fd(void)
{
	fact("fd", tell("map", map()));
}

static void way_dup(void)
{
	dup(tell("map", map()));
}

/* A child that does nothing but have what it inherits; it dies with us. */
static pid_t child(void)
{
	pid_t pid = fork();

	if (pid)
		return need(pid);
	die_with_parent();
	for (;;)
		pause();
}

static void way_fork(void)
{
	tell("map", map());
	fact("child", child());
}

static void way_two_processes(void)
{
	int fd = tell("map", map()), ready[2];
	unsigned int id = id_of(fd);
	char byte;
	pid_t pid;

	need(pipe(ready));
	pid = fork();
	if (!pid) {
		die_with_parent();
		close(fd);
		if (bpf_map_get_fd_by_id(id) < 0)
			_exit(1);
		write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	read(ready[0], &byte, 1);
	fact("child", pid);
}

static void send_fd(int socket, int fd)
{
	char room[CMSG_SPACE(sizeof(int))] = {0}, byte = 'x';
	struct iovec io = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	need(sendmsg(socket, &message, 0));
}

static void take_fd(int socket)
{
	char room[CMSG_SPACE(sizeof(int))], byte;
	struct iovec io = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };

	need(recvmsg(socket, &message, 0));
}

static void way_scm_rights(void)
{
	int ends[2], ready[2], fd = tell("map", map());
	char byte;
	pid_t pid;

	need(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
	need(pipe(ready));
	send_fd(ends[0], fd);
	close(fd);
	pid = fork();
	if (!pid) {
		die_with_parent();
		take_fd(ends[1]);
		write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	read(ready[0], &byte, 1);
	fact("child", pid);
}

static void way_mmap(void)
{
	int fd = tell("map", map_of(BPF_MAP_TYPE_ARRAY, 1024, 1u << 10 /* BPF_F_MMAPABLE */));

	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
		refuse();
	close(fd);
}

static void way_unlinked_pin(void)
{
	int fd = tell("map", map());

	pin_as(fd, in(bpffs, "unlinked"));
	close(fd);
	fact("fd", need(open(in(bpffs, "unlinked"), O_PATH | O_NOFOLLOW | O_CLOEXEC)));
	need(unlink(in(bpffs, "unlinked")));
}

/* The process stays in the cgroup it was put in (DIRECTORY), as a container's would. */
static void way_in_cgroup(void)
{
	FILE *file = fopen(in(directory, "cgroup.procs"), "w");

	if (!file || fprintf(file, "%d", getpid()) < 0 || fclose(file))
		refuse();
	tell("map", map());
}

static void way_link_fd(void)
{
	int program = prog(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0);

	tell("link", bpf_raw_tracepoint_open("task_rename", program));
	close(program);
}

/* ---- objects that hold objects ---- */

static void way_used_map(void)
{
	int fd = tell("map", map());

	tell("program", prog_using(BPF_PROG_TYPE_SCHED_CLS, 0, 0, fd));
	close(fd);
}

static void way_bound_map(void)
{
	int fd = tell("map", map());

	need(bpf_prog_bind_map(tell("program", prog(BPF_PROG_TYPE_SCHED_CLS, 0, 0)), fd, NULL));
	close(fd);
}

static void put(int into, int fd)
{
	int key = 1;

	need(bpf_map_update_elem(into, &key, &fd, BPF_ANY));
	close(fd);
}

static void way_prog_array_slot(void)
{
	int program = tell("program", prog(BPF_PROG_TYPE_SCHED_CLS, 0, 0));

	put(tell("map", map_of(BPF_MAP_TYPE_PROG_ARRAY, 4, 0)), program);
}

static void put_inner(int type)
{
	int inner = tell("map", map()), outer;
	LIBBPF_OPTS(bpf_map_create_opts, opts, .inner_map_fd = inner);

	outer = tell("map", bpf_map_create(type, "pf_outer", 4, 4, 4, &opts));
	put(outer, inner);
}

static void way_array_of_maps_slot(void)
{
	put_inner(BPF_MAP_TYPE_ARRAY_OF_MAPS);
}

static void way_hash_of_maps_slot(void)
{
	put_inner(BPF_MAP_TYPE_HASH_OF_MAPS);
}

static void put_in_value(int type, int first, int expected)
{
	int program = tell("program", prog(BPF_PROG_TYPE_XDP, expected, 2)), key = 1;
	struct { int first, fd; } value = { first, program };

	need(bpf_map_update_elem(tell("map", map_of(type, 2, 0)), &key, &value, BPF_ANY));
	close(program);
}

static void way_devmap_slot(void)
{
	put_in_value(BPF_MAP_TYPE_DEVMAP, own_network(), BPF_XDP_DEVMAP);
}

static void way_cpumap_slot(void)
{
	put_in_value(BPF_MAP_TYPE_CPUMAP, 192, BPF_XDP_CPUMAP);
}

/* ---- links ---- */

static void linked(int program, int link)
{
	tell("program", program);
	tell("link", link);
	close(program);
}

static void way_raw_tracepoint_link(void)
{
	int program = prog(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0);

	linked(program, need(bpf_raw_tracepoint_open("task_rename", program)));
}

static void way_cgroup_link(void)
{
	int program = prog(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, 1);

	linked(program, link_to(program, need(open(directory, O_RDONLY | O_CLOEXEC)), BPF_CGROUP_INET_EGRESS));
}

static void way_xdp_link(void)
{
	int lo = own_network(), program = prog(BPF_PROG_TYPE_XDP, BPF_XDP, 2);

	linked(program, link_to(program, lo, BPF_XDP));
}

static void way_tcx_link(void)
{
	int lo = own_network(), program = prog(BPF_PROG_TYPE_SCHED_CLS, 0, 0);

	linked(program, link_to(program, lo, 46));
}

static void way_netns_link(void)
{
	int program = prog(BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, 1);

	own_network();
	linked(program, link_to(program, need(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)), BPF_SK_LOOKUP));
}

static void way_netfilter_link(void)
{
	union bpf_attr attr = {0};
	const __u32 where[3] = {2 /* NFPROTO_IPV4 */, 1 /* NF_INET_LOCAL_IN */, (__u32)-128};
	int program = prog(32, 45, 1);

	own_network();
	attr.link_create.prog_fd = program;
	attr.link_create.attach_type = 45;
	memcpy((char *)&attr + 16, where, sizeof(where));
	linked(program, need(bpf_call(BPF_LINK_CREATE, &attr, sizeof(attr))));
}

static void way_sockmap_link(void)
{
	int program = prog(BPF_PROG_TYPE_SK_MSG, BPF_SK_MSG_VERDICT, 1);
	int target = map_of(BPF_MAP_TYPE_SOCKMAP, 4, 0), link;

	tell("map", target);
	link = link_to(program, target, BPF_SK_MSG_VERDICT);
	close(target);
	tell("link", link);
	close(program);
}

static int element_link(int target, int program)
{
	union bpf_iter_link_info info = { .map.map_fd = target };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof(info));

	return need(bpf_link_create(program, 0, BPF_TRACE_ITER, &opts));
}

static void way_element_iterator(void)
{
	int target = tell("map", map()), program = iterator_prog("bpf_map_elem");
	int link = tell("link", element_link(target, program));

	pin_as(link, in(bpffs, "iterator"));
	close(link);
	close(program);
	close(target);
}

/* An open iterator holds its program, without its link. */
static void way_open_iterator(void)
{
	int program = tell("program", iterator_prog("bpf_map")), link = need(bpf_link_create(program, 0, BPF_TRACE_ITER, NULL));

	fact("fd", need(bpf_iter_create(link)));
	close(link);
	close(program);
}

/* ---- places that hold by themselves ---- */

static void way_cgroup_attach(void)
{
	int program = tell("program", prog(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, 1));

	attach_to(program, need(open(directory, O_RDONLY | O_CLOEXEC)), BPF_CGROUP_INET_EGRESS);
	close(program);
}

static void way_xdp_attach(void)
{
	int lo = own_network(), program = tell("program", prog(BPF_PROG_TYPE_XDP, 0, 2));

	if (bpf_xdp_attach(lo, program, XDP_FLAGS_SKB_MODE, NULL))
		refuse();
	close(program);
}

static void way_tc_filter(void)
{
	int lo = own_network(), program = tell("program", prog(BPF_PROG_TYPE_SCHED_CLS, 0, 0));
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = lo, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = program, .handle = 1, .priority = 7);

	if (bpf_tc_hook_create(&hook) || bpf_tc_attach(&hook, &opts))
		refuse();
	close(program);
}

static void way_tcx_attach(void)
{
	int lo = own_network(), program = tell("program", prog(BPF_PROG_TYPE_SCHED_CLS, 0, 0));

	attach_to(program, lo, 47);
	close(program);
}

static void way_flow_dissector(void)
{
	int program = tell("program", prog(BPF_PROG_TYPE_FLOW_DISSECTOR, BPF_FLOW_DISSECTOR, 0));

	own_network();
	attach_to(program, 0, BPF_FLOW_DISSECTOR);
	close(program);
}

static void way_sockmap_attach(void)
{
	int program = tell("program", prog(BPF_PROG_TYPE_SK_SKB, BPF_SK_SKB_STREAM_VERDICT, 1));

	attach_to(program, tell("map", map_of(BPF_MAP_TYPE_SOCKMAP, 4, 0)), BPF_SK_SKB_STREAM_VERDICT);
	close(program);
}

static void way_perf_event(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr),
				       .config = PERF_COUNT_SW_CPU_CLOCK, .sample_period = 1000000000};
	int program = tell("program", prog(BPF_PROG_TYPE_PERF_EVENT, 0, 0)), event;

	attr.disabled = 1;
	event = need(syscall(__NR_perf_event_open, &attr, getpid(), -1, -1, PERF_FLAG_FD_CLOEXEC));
	need(ioctl(event, PERF_EVENT_IOC_SET_BPF, program));
	fact("fd", event);
	close(program);
}

static void way_socket_filter(void)
{
	int program = tell("program", prog(BPF_PROG_TYPE_SOCKET_FILTER, 0, 1));
	int socket_fd = need(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	need(setsockopt(socket_fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)));
	fact("fd", socket_fd);
	close(program);
}

/* ---- bpffs instances out of the ordinary ---- */

static void own_mounts(void)
{
	need(unshare(CLONE_NEWNS));
	need(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

static void way_private_bpffs(void)
{
	int fd = tell("map", map());

	own_mounts();
	need(mount("pf-bpffs", directory, "bpf", 0, NULL));
	pin_as(fd, in(directory, "private"));
	close(fd);
}

/* The process that made the namespace ends: what keeps it then is a descriptor alone. */
static void way_namespace_fd(void)
{
	int ends[2], child;
	char path[64], byte;

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	child = need(fork());
	if (child == 0) {
		close(ends[0]);
		way_private_bpffs();
		fflush(stdout);
		_exit(write(ends[1], "x", 1) != 1 || read(ends[1], &byte, 1) < 0);
	}
	close(ends[1]);
	need(read(ends[0], &byte, 1));
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", child);
	fact("fd", need(open(path, O_RDONLY | O_CLOEXEC)));
	close(ends[0]);
	need(waitpid(child, NULL, 0));
}

static void *in_thread(void *done)
{
	need(unshare(CLONE_FS));
	way_private_bpffs();
	need(write(*(int *)done, "x", 1));
	return pause(), NULL;
}

/* One thread is in a namespace of its own; the process is not. */
static void way_namespace_thread(void)
{
	int ends[2];
	char byte;
	pthread_t thread;

	need(pipe(ends));
	if (pthread_create(&thread, NULL, in_thread, &ends[1]))
		refuse();
	need(read(ends[0], &byte, 1));
}

static void way_shadowed_bpffs(void)
{
	way_private_bpffs();
	need(mount("pf-bpffs", directory, "bpf", 0, NULL));
}

static void way_lazily_unmounted_bpffs(void)
{
	way_private_bpffs();
	fact("fd", need(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
	need(umount2(directory, MNT_DETACH));
}

static void way_working_directory(void)
{
	way_private_bpffs();
	need(chdir(directory));
	need(umount2(directory, MNT_DETACH));
}

static void way_detached_bpffs(void)
{
	int map_fd = tell("map", map()), config = need(syscall(430 /* fsopen */, "bpf", 1)), mount_fd;
	char path[64];

	need(syscall(431 /* fsconfig */, config, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0));
	mount_fd = need(syscall(432 /* fsmount */, config, 1, 0));
	close(config);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/detached", mount_fd);
	pin_as(map_fd, path);
	fact("fd", mount_fd);
	close(map_fd);
}

/* ---- what nobody can enumerate ---- */

/* A command is told a program by its pin, which then goes. */
static void held_by(int type, const char *command)
{
	const char *pin = in(bpffs, "told");
	int program = tell("program", prog(type, 0, 0));
	char line[8192];
	int status;

	pin_as(program, pin);
	snprintf(line, sizeof(line), "(ip link set lo up && %s '%s'%s) >/dev/null 2>&1", command, pin,
		 type == BPF_PROG_TYPE_SOCKET_FILTER ? " -j ACCEPT" : " dev lo");
	own_network();
	status = system(line);
	unlink(pin);
	errno = EOPNOTSUPP;
	if (status)
		refuse();
	close(program);
}

static void way_xt_bpf(void)
{
	held_by(BPF_PROG_TYPE_SOCKET_FILTER, "iptables -A INPUT -m bpf --object-pinned");
}

static void way_lwt_bpf(void)
{
	held_by(BPF_PROG_TYPE_LWT_OUT, "ip route add 192.0.2.0/24 encap bpf out pinned");
}

static void way_seg6local(void)
{
	held_by(BPF_PROG_TYPE_LWT_SEG6LOCAL,
		"ip -6 route add 2001:db8::/64 encap seg6local action End.BPF endpoint pinned");
}

static void way_in_flight(void)
{
	int ends[2], fd = tell("map", map());

	need(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
	send_fd(ends[0], fd);
	close(fd);
}

static void way_in_flight_link(void)
{
	int ends[2], program = prog(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0);
	int fd = tell("link", bpf_raw_tracepoint_open("task_rename", program));

	need(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
	send_fd(ends[0], fd);
	close(fd);
	close(program);
}

static void way_in_flight_twice(void)
{
	int ends[2], fd = tell("map", map()), again = need(bpf_map_get_fd_by_id(id_of(fd)));

	need(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
	send_fd(ends[0], fd);
	send_fd(ends[0], again);
	pin_as(fd, in(bpffs, "flown"));
	close(fd);
	close(again);
}

static void way_io_uring_file(void)
{
	struct io_uring_params params = {0};
	int ring = need(syscall(__NR_io_uring_setup, 1, &params)), fd = tell("map", map());

	need(syscall(__NR_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1));
	close(fd);
}

#define WAY(name) { #name, way_##name }

static const struct {
	const char *name;
	void (*make)(void);
} ways[] = {
	WAY(pin), WAY(hard_link), WAY(two_pins), WAY(pinned_link),
	WAY(fd), WAY(dup), WAY(fork), WAY(two_processes), WAY(scm_rights), WAY(mmap), WAY(unlinked_pin),
	WAY(in_cgroup), WAY(link_fd),
	WAY(used_map), WAY(bound_map), WAY(prog_array_slot), WAY(array_of_maps_slot), WAY(hash_of_maps_slot),
	WAY(devmap_slot), WAY(cpumap_slot),
	WAY(raw_tracepoint_link), WAY(cgroup_link), WAY(xdp_link), WAY(tcx_link), WAY(netns_link),
	WAY(netfilter_link), WAY(sockmap_link), WAY(element_iterator), WAY(open_iterator),
	WAY(cgroup_attach), WAY(xdp_attach), WAY(tc_filter), WAY(tcx_attach), WAY(flow_dissector),
	WAY(sockmap_attach), WAY(perf_event), WAY(socket_filter),
	WAY(private_bpffs), WAY(shadowed_bpffs), WAY(lazily_unmounted_bpffs), WAY(detached_bpffs),
	WAY(working_directory), WAY(namespace_fd), WAY(namespace_thread),
	WAY(in_flight), WAY(in_flight_link), WAY(in_flight_twice), WAY(io_uring_file),
	WAY(xt_bpf), WAY(lwt_bpf), WAY(seg6local),
};

int main(int argc, char **argv)
{
	char nothing[16];

	die_with_parent();
	libbpf_set_print(NULL);
	bpffs = argc > 2 ? argv[2] : "";
	directory = argc > 3 ? argv[3] : "";
	for (size_t i = 0; argc > 1 && i < sizeof(ways) / sizeof(*ways); i++) {
		if (strcmp(ways[i].name, argv[1]))
			continue;
		ways[i].make();
		puts("ready");
		while (read(0, nothing, sizeof(nothing)) > 0)
			;
		return 0;
	}
	fprintf(stderr, "there is no way %s\n", argc > 1 ? argv[1] : "");
	return 1;
}
