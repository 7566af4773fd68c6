/*
 * Makes a map of every type there is, with BTF where that is possible, fills it with up to COUNT entries, and
 * holds it while its standard input is open. Says `{"name":…,"id":…}` for each map, then `ready`.
 *
 *   entries-types OBJECT COUNT FROZEN [CGROUP]
 *
 * OBJECT is entries-types.bpf.c; FROZEN is 1 for maps that are frozen in the end; CGROUP a directory of the
 * caller's own in cgroup2, for the storages that are made by attaching.
 */
#include "common.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <net/if.h>
#include <sys/socket.h>

enum { CGRP_STORAGE = 32, ARENA = 33, MOST = 8, VALUE_MOST = 4096 };

static unsigned int count;
static int is_frozen, program, inner[MOST], sockets[MOST];

static void done(const char *name, int fd)
{
	/* Where a type cannot be frozen the kernel says so, and the map stays as it is. */
	if (is_frozen && bpf_map_freeze(fd) && errno != EPERM && errno != ENOTSUP && errno != 524)
		fail("freeze");
	printf("{\"name\":\"%s\",\"id\":%u}\n", name, id_of(fd));
}

static int create(int type, const char *name, int key, int value, int flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	int entries = type == BPF_MAP_TYPE_RINGBUF || type == BPF_MAP_TYPE_USER_RINGBUF ? 4096 : MOST;
	int fd;

	if (type == BPF_MAP_TYPE_CGROUP_STORAGE || type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE)
		entries = 0;
	if (type == BPF_MAP_TYPE_ARRAY_OF_MAPS || type == BPF_MAP_TYPE_HASH_OF_MAPS)
		opts.inner_map_fd = inner[0];
	fd = bpf_map_create(type, "pf_type", key, value, entries, &opts);
	if (fd < 0)
		fail(name);
	return fd;
}

/* An established connection with itself. */
static int tcp_socket(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(server, (void *)&address, length) || listen(server, 1) ||
	    getsockname(server, (void *)&address, &length) || connect(client, (void *)&address, length))
		fail("tcp");
	return client;
}

static int udp_socket(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) || bind(fd, (void *)&address, sizeof(address)))
		fail("udp");
	return fd;
}

/* The value of entry i: a pattern, as in entries.c, or what the type wants. */
static void value_of(unsigned int type, unsigned int i, unsigned char *value, unsigned int size)
{
	__u32 words[2] = {0};
	__u64 wide;

	for (unsigned int j = 0; j < VALUE_MOST; j++)
		value[j] = (31 * i + 7 * j) % 251;
	switch (type) {
	case BPF_MAP_TYPE_PROG_ARRAY:
		words[0] = program;
		break;
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
	case BPF_MAP_TYPE_HASH_OF_MAPS:
		words[0] = inner[i];
		break;
	case BPF_MAP_TYPE_DEVMAP:
	case BPF_MAP_TYPE_DEVMAP_HASH:
		words[0] = if_nametoindex("lo");
		words[1] = -1;
		break;
	case BPF_MAP_TYPE_CPUMAP:
		words[0] = 192;
		words[1] = -1;
		break;
	case BPF_MAP_TYPE_SOCKMAP:
	case BPF_MAP_TYPE_SOCKHASH:
	case BPF_MAP_TYPE_REUSEPORT_SOCKARRAY:
		wide = type == BPF_MAP_TYPE_REUSEPORT_SOCKARRAY ? udp_socket() : sockets[i];
		memcpy(value, &wide, size);
		return;
	default:
		return;
	}
	memcpy(value, words, size);
}

static void fill(int fd)
{
	struct bpf_map_info info = {0};
	unsigned char key[32], value[VALUE_MOST];
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		fail("info");
	for (unsigned int i = 0; i < count && i < info.max_entries; i++) {
		int has_key = info.key_size > 0;

		if (info.type == BPF_MAP_TYPE_CPUMAP && i >= (unsigned int)libbpf_num_possible_cpus())
			break;
		memset(key, 0, sizeof(key));
		memcpy(key, &i, 4);
		if (info.type == BPF_MAP_TYPE_LPM_TRIE)
			memcpy(key, (unsigned char[]){8 + i, 0, 0, 0, 10 + i, 1, 2, 3}, 8);
		value_of(info.type, i, value, info.value_size);
		if (bpf_map_update_elem(fd, has_key ? key : NULL, value, BPF_ANY))
			fail(info.name);
	}
}

static int is_filled_by_hand(unsigned int type)
{
	switch (type) {
	case BPF_MAP_TYPE_STACK_TRACE:
	case BPF_MAP_TYPE_CGROUP_STORAGE:
	case BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE:
	case BPF_MAP_TYPE_SK_STORAGE:
	case BPF_MAP_TYPE_INODE_STORAGE:
	case BPF_MAP_TYPE_TASK_STORAGE:
	case CGRP_STORAGE:
		return 0;
	default:
		return 1;
	}
}

/* Entries that only sockets have, and only programs make. */
static void fill_others(struct bpf_object *object, const char *cgroup)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	int stack = bpf_program__fd(bpf_object__find_program_by_name(object, "pf_stack"));
	int storage = bpf_program__fd(bpf_object__find_program_by_name(object, "pf_storage"));
	int sk = bpf_map__fd(bpf_object__find_map_by_name(object, "b_sk_storage"));
	unsigned char value[8] = {1, 2, 3, 4, 'a', 'b'};

	for (unsigned int i = 0; i < count; i++)
		if (bpf_map_update_elem(sk, &sockets[i], value, BPF_ANY))
			fail("sk_storage");
	if (count == 0)
		return;
	if (bpf_prog_test_run_opts(stack, &run) || run.retval)
		fail("stack");
	if (cgroup && bpf_prog_attach(storage, open(cgroup, O_RDONLY | O_DIRECTORY), BPF_CGROUP_INET_EGRESS, 0))
		fail("cgroup");
}

/* The same types without BTF, and those that never have any. */
static void make_plain(void)
{
	static const struct { int type; const char *name; int key, value, flags; } plain[] = {
		{BPF_MAP_TYPE_HASH, "hash", 3, 5, 0},
		{BPF_MAP_TYPE_HASH, "sparse", 1, 1, BPF_F_NO_PREALLOC},
		{BPF_MAP_TYPE_LRU_HASH, "lru", 4, 4, 0},
		{BPF_MAP_TYPE_LRU_HASH, "lru_percpu_list", 4, 4, BPF_F_NO_COMMON_LRU},
		{BPF_MAP_TYPE_LRU_PERCPU_HASH, "lru_pcpu", 4, 5, 0},
		{BPF_MAP_TYPE_PERCPU_HASH, "pcpu_hash", 4, 16, 0},
		{BPF_MAP_TYPE_ARRAY, "array", 4, 5, 0},
		{BPF_MAP_TYPE_PERCPU_ARRAY, "pcpu_array", 4, 5, 0},
		{BPF_MAP_TYPE_LPM_TRIE, "trie", 8, 4, BPF_F_NO_PREALLOC},
		{BPF_MAP_TYPE_PROG_ARRAY, "progs", 4, 4, 0},
		{BPF_MAP_TYPE_ARRAY_OF_MAPS, "outer_array", 4, 4, 0},
		{BPF_MAP_TYPE_HASH_OF_MAPS, "outer_hash", 4, 4, 0},
		{BPF_MAP_TYPE_DEVMAP, "devmap", 4, 4, 0},
		{BPF_MAP_TYPE_DEVMAP, "devmap_programs", 4, 8, 0},
		{BPF_MAP_TYPE_DEVMAP_HASH, "devmap_hash", 4, 4, 0},
		{BPF_MAP_TYPE_DEVMAP_HASH, "devmap_hash_programs", 4, 8, 0},
		{BPF_MAP_TYPE_CPUMAP, "cpumap", 4, 4, 0},
		{BPF_MAP_TYPE_CPUMAP, "cpumap_programs", 4, 8, 0},
		{BPF_MAP_TYPE_SOCKMAP, "sockmap", 4, 8, 0},
		{BPF_MAP_TYPE_SOCKMAP, "sockmap_fds", 4, 4, 0},
		{BPF_MAP_TYPE_SOCKHASH, "sockhash", 4, 8, 0},
		{BPF_MAP_TYPE_SOCKHASH, "sockhash_fds", 4, 4, 0},
		{BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, "reuseport", 4, 8, 0},
		{BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, "reuseport_fds", 4, 4, 0},
		{BPF_MAP_TYPE_QUEUE, "queue", 0, 4, 0},
		{BPF_MAP_TYPE_STACK, "stack", 0, 4, 0},
		{BPF_MAP_TYPE_BLOOM_FILTER, "bloom", 0, 4, 0},
	};
	static const struct { int type; const char *name; int key, value, flags; } empty[] = {
		{BPF_MAP_TYPE_CGROUP_STORAGE, "cgroup_storage", 8, 8, 0},
		{BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, "pcpu_cgroup_storage", 8, 8, 0},
		{BPF_MAP_TYPE_STACK_TRACE, "stack_trace", 4, 64, 0},
		{BPF_MAP_TYPE_PERF_EVENT_ARRAY, "perf_events", 4, 4, 0},
		{BPF_MAP_TYPE_CGROUP_ARRAY, "cgroup_array", 4, 4, 0},
		{BPF_MAP_TYPE_XSKMAP, "xskmap", 4, 4, 0},
		{BPF_MAP_TYPE_RINGBUF, "ringbuf", 0, 0, 0},
		{BPF_MAP_TYPE_USER_RINGBUF, "user_ringbuf", 0, 0, 0},
		{ARENA, "arena", 0, 0, BPF_F_MMAPABLE},
	};

	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
		int fd = create(plain[i].type, plain[i].name, plain[i].key, plain[i].value, plain[i].flags);

		fill(fd);
		done(plain[i].name, fd);
	}
	for (size_t i = 0; i < sizeof(empty) / sizeof(*empty); i++)
		done(empty[i].name,
		     create(empty[i].type, empty[i].name, empty[i].key, empty[i].value, empty[i].flags));
}

static int load_program(void)
{
	struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 2}, {.code = BPF_JMP | BPF_EXIT}};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "pf_slot", "GPL", code, 2, NULL);

	if (fd < 0)
		fail("program");
	return fd;
}

int main(int argc, char **argv)
{
	struct bpf_object *object = argc > 3 ? bpf_object__open_file(argv[1], NULL) : NULL;
	struct bpf_map *map;
	char line[64];

	die_with_parent();
	if (!object || bpf_object__load(object))
		fail("object");
	count = atoi(argv[2]);
	is_frozen = atoi(argv[3]);
	program = load_program();
	for (int i = 0; i < MOST; i++) {
		inner[i] = bpf_map_create(BPF_MAP_TYPE_ARRAY, "b_inner", 4, 8, 2, NULL);
		sockets[i] = tcp_socket();
	}
	make_plain();
	for (int i = 0; i < MOST; i++)
		inner[i] = bpf_map__fd(bpf_object__find_map_by_name(object, "b_inner"));
	fill_others(object, argc > 4 ? argv[4] : NULL);
	bpf_object__for_each_map(map, object) {
		if (bpf_map__is_internal(map))
			continue;
		if (is_filled_by_hand(bpf_map__type(map)))
			fill(bpf_map__fd(map));
		done(bpf_map__name(map), bpf_map__fd(map));
	}
	puts("ready");
	while (fgets(line, sizeof(line), stdin))
		;
	return 0;
}
