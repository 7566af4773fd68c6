/*
 * Makes and fills maps, for tests and benchmarks that read what is in maps, and holds them while its
 * standard input is open. Says one JSON line `{"name":…,"id":…}` for each map, then `ready`.
 *
 *   entries make OBJECT COUNT      the maps of entries.bpf.c and their twins without BTF, up to COUNT entries
 *   entries sizes                  key and value sizes at the edges, one or two entries each
 *   entries special                queues, maps of maps, prog_array, devmap, stack_trace, and what is unreadable
 *   entries churn MAP STABLE       one of the maps below, its keys 0…STABLE-1 there all the time, while others
 *                                  come and go; at the end it says how many changes there were
 *   entries vast                   an array of 10,000,000, a hash that could have as many and has 3, a map of one
 *   entries big COUNT              hash COUNT of u32 to u64
 *   entries bigtyped OBJECT COUNT  b_big of entries-big.bpf.c, a hash of u32 to a structure of 64 bytes
 *
 * Byte j of the value of entry i is (31 i + 7 j) mod 251 unless it says otherwise.
 */
#include "common.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <pthread.h>

static unsigned char value[1 << 20];

struct sample {
	__u64 packets;
	__s32 delta;
	__u16 port;
	__u8 flags : 3;
	__u8 rest : 5;
	int mood;
	char name[12];
	__u8 mac[6];
	struct { __u16 port; __u8 proto; } pair;
	union { __u32 word; __u8 bytes[4]; };
	void *pointer;
	_Bool on;
};

static void say(const char *name, int fd)
{
	printf("{\"name\":\"%s\",\"id\":%u}\n", name, id_of(fd));
}

static void pattern(unsigned int i, size_t size)
{
	for (size_t j = 0; j < size; j++)
		value[j] = (31 * i + 7 * j) % 251;
}

static void sample(unsigned int i)
{
	struct sample *s = (void *)value;

	memset(value, 0, sizeof(*s));
	s->packets = 0xffffffffffffff00ull + i;
	s->delta = -(int)i;
	s->port = 80 + i;
	s->flags = i & 7;
	s->rest = 31 - (i & 31);
	s->mood = i % 2 ? 7 : (int)i;
	snprintf(s->name, sizeof(s->name), "n%u\"", i % 10000);
	s->mac[5] = i;
	s->pair.port = i;
	s->pair.proto = 6;
	s->word = 0x01020300 + i;
	s->pointer = (void *)(0xffff888100000000ul + i);
	s->on = i % 3 == 0;
}

/* Key i of a map: a number, as wide as the key is; of a trie, 10.0.i.0/24 or 10.0.i.1/32 in turn. */
static void make_key(unsigned char *key, unsigned int i, const struct bpf_map_info *info)
{
	memset(key, 0, info->key_size);
	if (info->type == BPF_MAP_TYPE_LPM_TRIE) {
		key[0] = i % 2 ? 32 : 24;
		key[4] = 10;
		key[5] = i >> 8;
		key[6] = i;
		key[7] = i % 2;
		return;
	}
	memcpy(key, &i, info->key_size < 4 ? info->key_size : 4);
}

static int is_percpu(unsigned int type)
{
	return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_LRU_PERCPU_HASH ||
	       type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

static void fill(int fd, unsigned int count, int samples)
{
	struct bpf_map_info info = {0};
	__u32 length = sizeof(info);
	unsigned char key[512];

	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		fail("info");
	if (info.max_entries < count)
		count = info.max_entries;
	for (unsigned int i = 0; i < count; i++) {
		make_key(key, i, &info);
		if (samples)
			sample(i);
		else if (is_percpu(info.type))
			pattern(i, (info.value_size + 7) / 8 * 8 * libbpf_num_possible_cpus());
		else
			pattern(i, info.value_size);
		if (bpf_map_update_elem(fd, key, value, BPF_ANY))
			fail("update");
	}
}

/* What maps in the next map that is made are like; 0 for a map of anything else. */
static int template_fd;

static int create(int type, const char *name, int key, int size, int entries, int flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags, .inner_map_fd = template_fd);
	int fd = bpf_map_create(type, name, key, size, entries, &opts);

	if (fd < 0)
		fail(name);
	return fd;
}

static struct bpf_object *load(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);

	if (!object || bpf_object__load(object))
		fail(path);
	return object;
}

static void make(const char *path, unsigned int count)
{
	static const int twins[] = {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_ARRAY,
				    BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH,
				    BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_LPM_TRIE};
	struct bpf_object *object = load(path);
	struct bpf_map *map;
	char name[32];

	bpf_object__for_each_map(map, object) {
		int fd = bpf_map__fd(map);

		if (!bpf_map__is_internal(map))
			fill(fd, count, bpf_map__value_size(map) == sizeof(struct sample));
		if (!strcmp(bpf_map__name(map), "b_frozen") && bpf_map_freeze(fd))
			fail("freeze");
		say(bpf_map__name(map), fd);
	}
	for (size_t i = 0; i < sizeof(twins) / sizeof(*twins); i++) {
		int is_trie = twins[i] == BPF_MAP_TYPE_LPM_TRIE;
		int fd = create(twins[i], "pf_twin", is_trie ? 8 : 4, 5, 16, is_trie ? BPF_F_NO_PREALLOC : 0);

		fill(fd, count, 0);
		snprintf(name, sizeof(name), "twin_%s", libbpf_bpf_map_type_str(twins[i]));
		say(name, fd);
	}
}

static void sizes(void)
{
	static const int keys[] = {1, 3, 4, 8, 17, 512}, values[] = {1, 2, 7, 8, 63, 4096, 65536};
	char name[32];

	for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++)
		for (size_t v = 0; v < sizeof(values) / sizeof(*values); v++) {
			int fd = create(BPF_MAP_TYPE_HASH, "pf_size", keys[k], values[v], 5, 0);

			fill(fd, 5, 0);
			snprintf(name, sizeof(name), "k%dv%d", keys[k], values[v]);
			say(name, fd);
		}
}

static int program(void)
{
	struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 2}, {.code = BPF_JMP | BPF_EXIT}};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "pf_inner", "GPL", code, 2, NULL);

	if (fd < 0)
		fail("program");
	return fd;
}

static void put(int map, unsigned int key, unsigned int what)
{
	if (bpf_map_update_elem(map, &key, &what, BPF_ANY))
		fail("put");
}

static void special(void)
{
	static const struct { int type; const char *name; int key, value, entries, flags; } closed[] = {
		{BPF_MAP_TYPE_BLOOM_FILTER, "bloom_filter", 0, 4, 8, 0},
		{BPF_MAP_TYPE_RINGBUF, "ringbuf", 0, 0, 4096, 0},
		{BPF_MAP_TYPE_USER_RINGBUF, "user_ringbuf", 0, 0, 4096, 0},
		{BPF_MAP_TYPE_PERF_EVENT_ARRAY, "perf_event_array", 4, 4, 4, 0},
		{BPF_MAP_TYPE_CGROUP_ARRAY, "cgroup_array", 4, 4, 4, 0},
		{BPF_MAP_TYPE_XSKMAP, "xskmap", 4, 4, 4, 0},
		{BPF_MAP_TYPE_SOCKMAP, "sockmap", 4, 4, 4, 0},
		{33, "arena", 0, 0, 4, BPF_F_MMAPABLE},
		{BPF_MAP_TYPE_HASH, "wronly", 4, 4, 4, BPF_F_WRONLY},
	};
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	int queue = create(BPF_MAP_TYPE_QUEUE, "pf_queue", 0, 4, 8, 0);
	int stack = create(BPF_MAP_TYPE_STACK, "pf_stack", 0, 4, 8, 0);
	int inner = create(BPF_MAP_TYPE_ARRAY, "pf_inner", 4, 4, 3, 0), outer, hash, progs, prog = program(), dev;

	for (unsigned int i = 1; i < 4; i++)
		if (bpf_map_update_elem(queue, NULL, &i, 0) || bpf_map_update_elem(stack, NULL, &i, 0))
			fail("push");
	say("queue", queue);
	say("stack", stack);
	say("empty_queue", create(BPF_MAP_TYPE_QUEUE, "pf_queue", 0, 4, 8, 0));
	fill(inner, 3, 0);
	say("inner", inner);
	opts.inner_map_fd = inner;
	outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "pf_outer", 4, 4, 4, &opts);
	hash = bpf_map_create(BPF_MAP_TYPE_HASH_OF_MAPS, "pf_outer", 4, 4, 4, &opts);
	if (outer < 0 || hash < 0)
		fail("outer");
	put(outer, 2, inner);
	put(hash, 9, inner);
	say("array_of_maps", outer);
	say("hash_of_maps", hash);
	progs = create(BPF_MAP_TYPE_PROG_ARRAY, "pf_progs", 4, 4, 4, 0);
	put(progs, 3, prog);
	say("prog_array", progs);
	dev = create(BPF_MAP_TYPE_DEVMAP, "pf_dev", 4, 4, 4, 0);
	put(dev, 1, if_nametoindex("lo"));
	say("devmap", dev);
	dev = create(BPF_MAP_TYPE_DEVMAP_HASH, "pf_dev", 4, 8, 4, 0);
	{
		unsigned int key = 77, device[2] = {if_nametoindex("lo"), -1};

		if (bpf_map_update_elem(dev, &key, device, BPF_ANY))
			fail("devmap_hash");
	}
	say("devmap_hash", dev);
	say("stack_trace", create(BPF_MAP_TYPE_STACK_TRACE, "pf_trace", 4, 64, 8, 0));
	for (size_t i = 0; i < sizeof(closed) / sizeof(*closed); i++)
		say(closed[i].name, create(closed[i].type, "pf_closed", closed[i].key, closed[i].value,
					   closed[i].entries, closed[i].flags));
}

/* Maps with keys that stay, each changed by a thread of its own beyond those. */
static const struct churned { int type; const char *name; int key, value, flags, part; } churned[] = {
	{BPF_MAP_TYPE_HASH, "hash", 4, 8, 0, 1},
	{BPF_MAP_TYPE_HASH, "sparse", 4, 8, BPF_F_NO_PREALLOC, 1},
	{BPF_MAP_TYPE_PERCPU_HASH, "percpu_hash", 4, 8, 0, 1},
	{BPF_MAP_TYPE_LRU_HASH, "lru_hash", 4, 8, 0, 1},
	{BPF_MAP_TYPE_LRU_PERCPU_HASH, "lru_percpu_hash", 4, 8, 0, 1},
	/* The kernel waits for all programs at each change of such a map, and at each batch. */
	{BPF_MAP_TYPE_HASH_OF_MAPS, "hash_of_maps", 4, 4, 0, 1},
	{BPF_MAP_TYPE_ARRAY, "array", 4, 8, 0, 1},
	{BPF_MAP_TYPE_PERCPU_ARRAY, "percpu_array", 4, 8, 0, 1},
	{BPF_MAP_TYPE_LPM_TRIE, "lpm_trie", 8, 8, BPF_F_NO_PREALLOC, 100},
	{BPF_MAP_TYPE_DEVMAP_HASH, "devmap_hash", 4, 4, 0, 100},
};

enum { CHURNED = sizeof(churned) / sizeof(*churned), PASSING = 8192 };

static volatile int is_over;
static unsigned int stable;
static int churned_fds[CHURNED], inner_fd;

static void value_for(const struct churned *map, unsigned int i)
{
	memset(value, 0, 256);
	if (map->type == BPF_MAP_TYPE_DEVMAP_HASH)
		*(unsigned int *)value = if_nametoindex("lo");
	else if (map->type == BPF_MAP_TYPE_HASH_OF_MAPS)
		*(int *)value = inner_fd;
	else
		memcpy(value, &i, 4);
}

/* Inserts and deletes keys beyond the stable ones in one map as fast as it can. */
static void *churn(void *which)
{
	const struct churned *map = which;
	int fd = churned_fds[map - churned];
	struct bpf_map_info info = {.type = map->type, .key_size = map->key};
	unsigned char key[8], bytes[256] = {0};
	unsigned int first = stable / map->part, passing = map->type == BPF_MAP_TYPE_LPM_TRIE ? 512 : PASSING / 2;
	unsigned long rounds = 0;
	int is_array = map->type == BPF_MAP_TYPE_ARRAY || map->type == BPF_MAP_TYPE_PERCPU_ARRAY;

	if (map->type == BPF_MAP_TYPE_DEVMAP_HASH)
		*(unsigned int *)bytes = if_nametoindex("lo");
	if (map->type == BPF_MAP_TYPE_HASH_OF_MAPS)
		*(int *)bytes = inner_fd;
	for (; !is_over; rounds++) {
		make_key(key, first + rounds % passing, &info);
		if (is_array || rounds / passing % 2 == 0)
			bpf_map_update_elem(fd, key, bytes, BPF_ANY);
		else
			bpf_map_delete_elem(fd, key);
	}
	return (void *)rounds;
}

/* A map that evicts has room enough for that it need not: its stable keys are to stay. */
static int roomy(const struct churned *map)
{
	return map->type == BPF_MAP_TYPE_LRU_HASH || map->type == BPF_MAP_TYPE_LRU_PERCPU_HASH ? 4 : 1;
}

/* All stable keys of a map of maps by one call: one by one each would take the kernel milliseconds. */
static void put_stable_maps(int fd)
{
	unsigned int *keys = calloc(stable, 4), count = stable;
	int *values = calloc(stable, 4);

	for (unsigned int i = 0; keys && values && i < stable; i++) {
		keys[i] = i;
		values[i] = inner_fd;
	}
	if (!keys || !values || bpf_map_update_batch(fd, keys, values, &count, NULL) || count != stable)
		fail("update batch");
	free(keys);
	free(values);
}

/* Makes one of these maps, with its stable keys, and says so. */
static const struct churned *make_churned(const char *name)
{
	struct bpf_map_info info = {0};
	unsigned char key[8];
	size_t m = 0;

	while (m < CHURNED && strcmp(churned[m].name, name))
		m++;
	if (m == CHURNED)
		fail(name);
	if (churned[m].type == BPF_MAP_TYPE_HASH_OF_MAPS)
		inner_fd = template_fd = create(BPF_MAP_TYPE_ARRAY, "pf_churn_in", 4, 8, 1, 0);
	churned_fds[m] = create(churned[m].type, "pf_churn", churned[m].key, churned[m].value,
				roomy(&churned[m]) * (stable / churned[m].part + PASSING), churned[m].flags);
	info.type = churned[m].type;
	info.key_size = churned[m].key;
	if (info.type == BPF_MAP_TYPE_HASH_OF_MAPS)
		put_stable_maps(churned_fds[m]);
	for (unsigned int i = 0; info.type != BPF_MAP_TYPE_HASH_OF_MAPS && i < stable / churned[m].part; i++) {
		make_key(key, i, &info);
		value_for(&churned[m], i);
		if (bpf_map_update_elem(churned_fds[m], key, value, BPF_ANY))
			fail("update");
	}
	say(name, churned_fds[m]);
	return &churned[m];
}

/* The edges of how many entries there may be. */
static void vast(void)
{
	enum { VAST = 10000000 };
	int array = create(BPF_MAP_TYPE_ARRAY, "pf_vast", 4, 1, VAST, 0);
	int hash = create(BPF_MAP_TYPE_HASH, "pf_vast", 4, 1, VAST, BPF_F_NO_PREALLOC);
	int one = create(BPF_MAP_TYPE_HASH, "pf_vast", 1, 65536, 1, 0);

	fill(hash, 3, 0);
	fill(one, 1, 0);
	say("vast_array", array);
	say("vast_hash", hash);
	say("one", one);
}

static void big(int fd, unsigned int count, int size)
{
	for (unsigned int i = 0; i < count; i++) {
		pattern(i, size);
		if (bpf_map_update_elem(fd, &i, value, BPF_ANY))
			fail("update");
	}
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	unsigned int count = argc > 2 ? strtoul(argv[argc - 1], NULL, 0) : 0;
	pthread_t thread;
	void *rounds;
	char line[64];

	die_with_parent();
	if (!strcmp(mode, "make")) {
		make(argv[2], count);
	} else if (!strcmp(mode, "sizes")) {
		sizes();
	} else if (!strcmp(mode, "special")) {
		special();
	} else if (!strcmp(mode, "churn")) {
		stable = count;
		if (pthread_create(&thread, NULL, churn, (void *)make_churned(argv[2])))
			fail("thread");
	} else if (!strcmp(mode, "vast")) {
		vast();
	} else if (!strcmp(mode, "big")) {
		int fd = create(BPF_MAP_TYPE_HASH, "pf_big", 4, 8, count, 0);

		big(fd, count, 8);
		say("big", fd);
	} else if (!strcmp(mode, "bigtyped")) {
		int fd = bpf_map__fd(bpf_object__find_map_by_name(load(argv[2]), "b_big"));

		big(fd, count, 64);
		say("b_big", fd);
	} else {
		return 2;
	}
	puts("ready");
	while (fgets(line, sizeof(line), stdin))
		;
	is_over = 1;
	if (!strcmp(mode, "churn")) {
		pthread_join(thread, &rounds);
		printf("{\"rounds\":%lu}\n", (unsigned long)rounds);
	}
	return 0;
}
