/*
 * Holds BPF objects open for as long as its standard input is.
 *
 * Each argument, and then each line of standard input, is one instruction; each is answered by one JSON line.
 * After the arguments it says `ready`. Objects are numbered from 0 in the order they were got. A path is
 * always last.
 *
 *   map:TYPE:KEY:VALUE:ENTRIES:NAME:FLAGS[:INNER]  create a map; a map-in-map takes object INNER as template
 *   prog:TYPE:NAME[:MAP]                           load a program that only returns, and uses map object MAP
 *   link:netns:PROG   link:cgroup:PROG:PATH   link:xdp:PROG:IFNAME   link:raw_tp:PROG:TRACEPOINT
 *   get:PATH  get-ro:PATH  get-wo:PATH             BPF_OBJ_GET
 *   id:map:ID  id:prog:ID  id:link:ID  id:btf:ID   BPF_*_GET_FD_BY_ID
 *   opath:PATH  open:PATH                          open(2), with O_PATH or read-only (a directory, too)
 *   pin:OBJECT:PATH                                BPF_OBJ_PIN
 *   put:MAP:KEY:OBJECT                             put a program or an inner map into slot KEY of a map
 *   dup:OBJECT  close:OBJECT  freeze:OBJECT
 *   exec                                           execve(2) of itself: closes everything, counts from 0
 *   prog-iter:TARGET:NAME   link:iter:PROG[:MAP]   run:LINK   an iterator, over the elements of map object MAP
 *   socket:xsk  socket:reuseport                   an AF_XDP socket; a UDP one that is bound and shares its port
 *   perf:PROG  filter:PROG  reuseport:PROG         a perf event, or a socket, that runs program object PROG
 *   prog-at:TYPE:NUMBER:NAME                       a program for this place of enum bpf_attach_type
 *   put-pair:MAP:KEY:NUMBER:OBJECT                 a value of a number and a program, as device maps have
 *   mmap:MAP  mmap-rw:MAP  unlink:PATH  bind:PROG:MAP
 *   attach:PROG:NUMBER:TARGET                      at a place of enum bpf_attach_type; TARGET is `map:MAP`,
 *                                                  `dev:IFNAME`, `here` (this network namespace) or a path
 *   link:tcx:PROG:IFNAME   tracepoint:PROG:ID      the tracepoint with this number, as a perf event
 */
#include "common.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define OBJECTS_MAX 16384

static int fds[OBJECTS_MAX];
static int count;

static int object(const char *index)
{
	int i = index ? atoi(index) : -1;

	return i >= 0 && i < count ? fds[i] : -1;
}

static int map_type(const char *name)
{
	for (int type = 1; type < 64; type++) {
		const char *known = libbpf_bpf_map_type_str(type);

		if (known && !strcmp(known, name))
			return type;
	}
	return atoi(name);
}

static int prog_type(const char *name)
{
	for (int type = 1; type < 64; type++) {
		const char *known = libbpf_bpf_prog_type_str(type);

		if (known && !strcmp(known, name))
			return type;
	}
	return atoi(name);
}

static int make_map(char *spec)
{
	char *type = strsep(&spec, ":"), *key = strsep(&spec, ":"), *value = strsep(&spec, ":");
	char *entries = strsep(&spec, ":"), *name = strsep(&spec, ":"), *flags = strsep(&spec, ":");
	LIBBPF_OPTS(bpf_map_create_opts, opts);

	if (!type || !key || !value || !entries || !name)
		return errno = EINVAL, -1;
	opts.map_flags = flags ? strtoul(flags, NULL, 0) : 0;
	if (spec)
		opts.inner_map_fd = object(strsep(&spec, ":"));
	return bpf_map_create(map_type(type), name, atoi(key), atoi(value), atoi(entries), &opts);
}

static int make_prog(char *spec)
{
	char *type = strsep(&spec, ":"), *name = strsep(&spec, ":"), *map = strsep(&spec, ":");
	int number = type ? prog_type(type) : 0, length = 0;
	/* 1 is "accept" for cgroup_skb, sk_lookup; 0 and 2 are "go on" for sched_cls and xdp. */
	int verdict = number == BPF_PROG_TYPE_XDP ? 2 : number == BPF_PROG_TYPE_SCHED_CLS ? 0 : 1;
	struct bpf_insn code[4] = {0};
	LIBBPF_OPTS(bpf_prog_load_opts, opts);

	if (!name)
		return errno = EINVAL, -1;
	if (map) {
		code[length++] = (struct bpf_insn){ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1,
						    .src_reg = BPF_PSEUDO_MAP_FD, .imm = object(map) };
		code[length++] = (struct bpf_insn){0};
	}
	code[length++] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = verdict };
	code[length++] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	if (number == BPF_PROG_TYPE_SK_LOOKUP)
		opts.expected_attach_type = BPF_SK_LOOKUP;
	if (number == BPF_PROG_TYPE_XDP)
		opts.expected_attach_type = BPF_XDP;
	return bpf_prog_load(number, name, "GPL", code, length, &opts);
}

static int make_prog_at(char *spec)
{
	int type = prog_type(strsep(&spec, ":"));
	struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 2 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = atoi(strsep(&spec, ":")));

	return bpf_prog_load(type, spec, "GPL", code, 2, &opts);
}

static int attach_to_file(int prog, const char *path, enum bpf_attach_type type)
{
	int target = open(path, O_RDONLY | O_CLOEXEC);
	int link = bpf_link_create(prog, target, type, NULL), error = errno;

	close(target);
	return errno = error, link;
}

/* A program of an iterator over TARGET, e.g. bpf_map or bpf_map_elem, that shows nothing. */
static int make_iterator_prog(char *spec)
{
	char *target = strsep(&spec, ":");
	struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_ITER);

	opts.attach_btf_id = libbpf_find_vmlinux_btf_id(target, BPF_TRACE_ITER);
	return bpf_prog_load(BPF_PROG_TYPE_TRACING, spec, "GPL", code, 2, &opts);
}

static int link_iterator(int prog, const char *map)
{
	union bpf_iter_link_info info = {0};
	LIBBPF_OPTS(bpf_link_create_opts, opts);

	if (map) {
		info.map.map_fd = object(map);
		opts.iter_info = &info;
		opts.iter_info_len = sizeof(info);
	}
	return bpf_link_create(prog, 0, BPF_TRACE_ITER, &opts);
}

static int make_perf_event(int prog)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000000, .disabled = 1,
	};
	int fd = syscall(__NR_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog) ? -1 : fd;
}

static int make_socket(int prog, int option)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	return setsockopt(fd, SOL_SOCKET, option, &prog, sizeof(prog)) ? -1 : fd;
}

static int plain_socket(const char *kind)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int is_xsk = !strcmp(kind, "xsk"), one = 1;
	int fd = is_xsk ? socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0) : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || is_xsk)
		return fd;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)))
		return -1;
	return bind(fd, (struct sockaddr *)&any, sizeof(any)) ? -1 : fd;
}

/* BPF_TCX_INGRESS, newer than Debian's headers. */
#define TCX_INGRESS 46

/* Without a link: the program stays until the place goes. */
static int attach(char *spec)
{
	int prog = object(strsep(&spec, ":")), type = atoi(strsep(&spec, ":")), target, result;

	if (!strncmp(spec, "dev:", 4))
		return bpf_prog_attach(prog, if_nametoindex(spec + 4), type, 0);
	if (!strncmp(spec, "map:", 4))
		return bpf_prog_attach(prog, object(spec + 4), type, 0);
	if (!strcmp(spec, "here"))
		return bpf_prog_attach(prog, 0, type, 0);
	target = open(spec, O_RDONLY | O_CLOEXEC);
	result = bpf_prog_attach(prog, target, type, type < 2 ? BPF_F_ALLOW_MULTI : 0);
	close(target);
	return result;
}

static int make_tracepoint(char *spec)
{
	int prog = object(strsep(&spec, ":"));
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr), .config = spec ? atoi(spec) : 0, .sample_period = 1,
	};
	int fd = syscall(__NR_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog) ? -1 : fd;
}

static int make_link(char *spec)
{
	char *how = strsep(&spec, ":");
	int prog = object(strsep(&spec, ":"));

	if (how && !strcmp(how, "raw_tp"))
		return bpf_raw_tracepoint_open(spec, prog);
	if (how && !strcmp(how, "iter"))
		return link_iterator(prog, spec);
	if (how && !strcmp(how, "tcx"))
		return bpf_link_create(prog, if_nametoindex(spec ? spec : ""), TCX_INGRESS, NULL);
	if (how && !strcmp(how, "xdp"))
		return bpf_link_create(prog, if_nametoindex(spec ? spec : ""), BPF_XDP, NULL);
	if (how && !strcmp(how, "netns"))
		return attach_to_file(prog, "/proc/self/ns/net", BPF_SK_LOOKUP);
	if (how && !strcmp(how, "cgroup"))
		return attach_to_file(prog, spec ? spec : "", BPF_CGROUP_INET_EGRESS);
	return errno = EINVAL, -1;
}

static int get_by_path(const char *path, unsigned int flags)
{
	union bpf_attr attr = {0};

	attr.pathname = (unsigned long)path;
	attr.file_flags = flags;
	return bpf_call(BPF_OBJ_GET, &attr, sizeof(attr));
}

static int get_by_id(char *spec)
{
	char *kind = strsep(&spec, ":");
	unsigned int id = spec ? strtoul(spec, NULL, 10) : 0;

	if (!strcmp(kind, "map"))
		return bpf_map_get_fd_by_id(id);
	if (!strcmp(kind, "prog"))
		return bpf_prog_get_fd_by_id(id);
	if (!strcmp(kind, "link"))
		return bpf_link_get_fd_by_id(id);
	if (!strcmp(kind, "btf"))
		return bpf_btf_get_fd_by_id(id);
	return errno = EINVAL, -1;
}

/* What gives a new object; -1 with errno set, or -2 where the instruction is not of this sort. */
static int obtain(const char *op, char *rest)
{
	if (!strcmp(op, "map"))
		return make_map(rest);
	if (!strcmp(op, "prog"))
		return make_prog(rest);
	if (!strcmp(op, "link"))
		return make_link(rest);
	if (!strcmp(op, "get"))
		return get_by_path(rest, 0);
	if (!strcmp(op, "get-ro"))
		return get_by_path(rest, BPF_F_RDONLY);
	if (!strcmp(op, "get-wo"))
		return get_by_path(rest, BPF_F_WRONLY);
	if (!strcmp(op, "id"))
		return get_by_id(rest);
	if (!strcmp(op, "opath"))
		return open(rest, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (!strcmp(op, "open"))
		return open(rest, O_RDONLY | O_CLOEXEC);
	if (!strcmp(op, "prog-iter"))
		return make_iterator_prog(rest);
	if (!strcmp(op, "prog-at"))
		return make_prog_at(rest);
	if (!strcmp(op, "run"))
		return bpf_iter_create(object(rest));
	if (!strcmp(op, "socket"))
		return plain_socket(rest);
	if (!strcmp(op, "perf"))
		return make_perf_event(object(rest));
	if (!strcmp(op, "tracepoint"))
		return make_tracepoint(rest);
	if (!strcmp(op, "filter"))
		return make_socket(object(rest), SO_ATTACH_BPF);
	if (!strcmp(op, "reuseport"))
		return make_socket(object(rest), SO_ATTACH_REUSEPORT_EBPF);
	if (!strcmp(op, "dup"))
		return fcntl(object(rest), F_DUPFD_CLOEXEC, 0);
	return -2;
}

/* What acts on objects held already. */
static int act(const char *op, char *rest)
{
	char *first;

	if (!strcmp(op, "unlink"))
		return unlink(rest);
	if (!strcmp(op, "attach"))
		return attach(rest);
	first = strsep(&rest, ":");
	if (!strcmp(op, "mmap") || !strcmp(op, "mmap-rw")) {
		int access = op[4] ? PROT_READ | PROT_WRITE : PROT_READ;

		return mmap(NULL, 4096, access, MAP_SHARED, object(first), 0) == MAP_FAILED ? -1 : 0;
	}
	if (!strcmp(op, "bind"))
		return bpf_prog_bind_map(object(first), object(rest), NULL);
	if (!strcmp(op, "pin"))
		return pin_fd(object(first), rest ? rest : "");
	if (!strcmp(op, "close"))
		return close(object(first));
	if (!strcmp(op, "freeze"))
		return bpf_map_freeze(object(first));
	if (!strcmp(op, "exec"))
		return execl("/proc/self/exe", "hold", "execed", NULL);
	if (!strcmp(op, "execed"))
		return 0;
	if (!strcmp(op, "put-pair")) {
		int key = atoi(strsep(&rest, ":")), value[2];

		value[0] = atoi(strsep(&rest, ":"));
		value[1] = object(rest);
		return bpf_map_update_elem(object(first), &key, value, BPF_ANY);
	}
	if (!strcmp(op, "put")) {
		int key = atoi(strsep(&rest, ":")), fd = object(rest);

		return bpf_map_update_elem(object(first), &key, &fd, BPF_ANY);
	}
	return errno = ENOSYS, -1;
}

static void obey(char *instruction)
{
	char *rest = instruction, *op = strsep(&rest, ":");
	char target[256] = "";
	char link[64];
	int fd = obtain(op, rest ? rest : (char[]){""});

	if (fd == -2) {
		if (act(op, rest ? rest : (char[]){""}) < 0)
			printf("{\"op\":\"%s\",\"error\":\"%s\"}\n", op, strerrorname_np(errno) ?: "524");
		else
			printf("{\"op\":\"%s\"}\n", op);
		return;
	}
	if (fd < 0 || count == OBJECTS_MAX) {
		printf("{\"op\":\"%s\",\"error\":\"%s\"}\n", op, strerrorname_np(errno) ?: "524");
		return;
	}
	fds[count] = fd;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, target, sizeof(target) - 1) < 0 || strncmp(target, "anon_inode:", 11))
		printf("{\"op\":\"%s\",\"index\":%d,\"fd\":%d}\n", op, count++, fd);
	else
		printf("{\"op\":\"%s\",\"index\":%d,\"fd\":%d,\"inode\":\"%s\",\"id\":%u}\n", op, count++, fd, target,
		       id_of(fd));
}

int main(int argc, char **argv)
{
	char line[8192];

	die_with_parent();
	libbpf_set_print(NULL);
	for (int i = 1; i < argc; i++)
		obey(argv[i]);
	if (argc < 2 || strcmp(argv[1], "execed"))
		puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		obey(line);
	}
	return 0;
}
