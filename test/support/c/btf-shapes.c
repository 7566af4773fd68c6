/* btf-shapes OBJECT DIRECTORY: loads the object, pins its maps in a directory of a bpffs, writes a value into each
 * and prints what it wrote as a line of JSON: {"pin":…,"key":…,"value":…}. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/version.h>
#include <math.h>
#include "btf-shapes.h"
#include "common.h"

static struct bpf_object *object;

/* Data sections are called by the object's name, cut, and their own; pins may not have a dot. */
static int pin(const char *suffix, const char *path)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		const char *name = bpf_map__name(map);
		size_t length = strlen(name), wanted = strlen(suffix);

		if (length < wanted || strcmp(name + length - wanted, suffix))
			continue;
		if (pin_fd(bpf_map__fd(map), path))
			fail(path);
		return bpf_map__fd(map);
	}
	errno = ENOENT;
	fail(suffix);
	return -1;
}

static void put(int fd, const void *key, const void *value)
{
	if (bpf_map_update_elem(fd, key, value, BPF_ANY))
		fail("update");
}

static void fill(struct shapes *v)
{
	memset(v, 0, sizeof(*v));
	v->s8 = -128, v->u8 = 255, v->s16 = -32768, v->u16 = 65535, v->s32 = -2147483647 - 1, v->u32 = 4294967295u;
	v->s64 = -9223372036854775807LL - 1, v->u64 = 18446744073709551615ULL;
	v->s128 = -((__int128)1 << 100), v->u128 = ((unsigned __int128)1 << 127) + 5;
	v->yes = 1, v->no = 0;
	memcpy(v->text, "tcp \"v4\"\\", 9);
	memcpy(v->full, "eth0", 4);
	memcpy(v->stale, "lo\0zero", 8);
	memcpy(v->binary, "\1\2\377", 4);
	v->numbers[0] = -1, v->numbers[1] = 0, v->numbers[2] = 65;
	v->color = GREEN, *(enum color *)&v->minus = BLUE, v->unknown = 77;
	v->three = 6, v->five = -9, v->bit = 1, v->few = GREEN, v->forty = 0xfedcba9876ULL, v->rest = -4000000;
	v->nested.kind = 1, v->nested.level = -2;
	v->list[0].kind = 3, v->list[1].level = 4;
	for (int index = 0; index < 6; index++)
		v->grid[index / 3][index % 3] = index - 3;
	v->word = 0x04030201;
	v->named.whole = 0x11223344556677ULL;
	v->deep = 300, v->deeper = 9;
	v->pointer = (void *)0xffff888100a1c000UL, v->callback = 0;
	v->single = 0.5f, v->twice = -1e300, v->nan = NAN;
	v->last = 513;
}

static void say_shapes(const struct shapes *v)
{
	printf("{\"pin\":\"shapes\",\"key\":{\"id\":42,\"tag\":\"ab\"},\"value\":{"
	       "\"s8\":%d,\"u8\":%u,\"s16\":%d,\"u16\":%u,\"s32\":%d,\"u32\":%u,\"s64\":\"%lld\",\"u64\":\"%llu\","
	       "\"s128\":\"-1267650600228229401496703205376\","
	       "\"u128\":\"170141183460469231731687303715884105733\",\"yes\":true,\"no\":false,",
	       v->s8, v->u8, v->s16, v->u16, v->s32, v->u32, v->s64, v->u64);
	printf("\"text\":\"tcp \\\"v4\\\"\\\\\",\"full\":\"eth0\",\"stale\":{\"text\":\"lo\",\"tail\":\"7a65726f00\"},"
	       "\"binary\":{\"hex\":\"0102ff00\"},\"numbers\":[%d,%d,%d],\"color\":\"GREEN\",\"minus\":\"BLUE\","
	       "\"unknown\":%d,\"three\":%u,\"five\":%d,\"bit\":true,\"few\":\"GREEN\","
	       "\"forty\":\"%llu\",\"rest\":\"%lld\",",
	       v->numbers[0], v->numbers[1], v->numbers[2], v->unknown, v->three, v->five,
	       (unsigned long long)v->forty, (long long)v->rest);
	printf("\"nested\":{\"kind\":%u,\"level\":%d},\"list\":[{\"kind\":%u,\"level\":%d},{\"kind\":%u,\"level\":%d}],"
	       "\"grid\":[[%d,%d,%d],[%d,%d,%d]],\"word\":%u,\"bytes\":[%u,%u,%u,%u],",
	       v->nested.kind, v->nested.level, v->list[0].kind, v->list[0].level, v->list[1].kind, v->list[1].level,
	       v->grid[0][0], v->grid[0][1], v->grid[0][2], v->grid[1][0], v->grid[1][1], v->grid[1][2], v->word,
	       v->bytes[0], v->bytes[1], v->bytes[2], v->bytes[3]);
	printf("\"named\":{\"whole\":\"%llu\",\"view\":{\"kind\":%u,\"level\":%d},\"low\":%u,\"high\":%u},"
	       "\"deep\":%u,\"deeper\":%u,\"pointer\":\"%p\",\"callback\":\"0x0\",\"single\":%g,\"twice\":%g,"
	       "\"nan\":\"NaN\",\"nothing\":{},\"last\":%u,\"empty\":[]}}\n",
	       (unsigned long long)v->named.whole, v->named.view.kind, v->named.view.level, v->named.low, v->named.high,
	       v->deep, v->deeper, v->pointer, v->single, v->twice, v->last);
}

/* A map whose BTF libbpf lays out: clang 14 knows neither enum64 nor the tags of pointers in structures. */
static void make_tagged(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	struct btf *btf = btf__new_empty();
	__u64 value[5] = {0x100000001ULL, ~0ULL, ~0ULL, 7, (__u64)-3};
	__u32 zero = 0;
	int u32, s64, task, fd;

	u32 = btf__add_int(btf, "unsigned int", 4, 0);
	s64 = btf__add_int(btf, "long", 8, BTF_INT_SIGNED);
	task = btf__add_struct(btf, "task_struct", 4);
	btf__add_field(btf, "pid", u32, 0, 0);
	btf__add_enum64(btf, "range", 8, false);
	btf__add_enum64_value(btf, "NEAR", 1);
	btf__add_enum64_value(btf, "FAR", 0x100000001ULL);
	btf__add_ptr(btf, btf__add_type_tag(btf, "kptr", task));
	btf__add_ptr(btf, btf__add_type_tag(btf, "kptr_untrusted", task));
	opts.btf_key_type_id = u32;
	opts.btf_value_type_id = btf__add_struct(btf, "tagged", 40);
	btf__add_field(btf, "range", task + 1, 0, 0);
	btf__add_field(btf, "task", task + 3, 64, 0);
	btf__add_field(btf, "peer", task + 5, 128, 0);
	btf__add_field(btf, "other", task + 1, 192, 0);
	btf__add_field(btf, "last", s64, 256, 0);
	if (btf__load_into_kernel(btf))
		fail("tagged BTF");
	opts.btf_fd = btf__fd(btf);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tagged", sizeof(zero), sizeof(value), 1, &opts);
	if (fd < 0)
		fail("tagged map");
	put(fd, &zero, value);
	if (pin_fd(fd, "tagged"))
		fail("tagged");
	printf("{\"pin\":\"tagged\",\"key\":0,\"value\":{\"range\":\"FAR\",\"task\":{\"__kernel\":\"kptr\"},"
	       "\"peer\":{\"__kernel\":\"kptr_untrusted\"},\"other\":\"7\",\"last\":\"-3\"}}\n");
}

int main(int argc, char **argv)
{
	__u32 zero = 0;
	struct key key = {.id = 42, .tag = "ab"};
	struct packed packed = {.first = 1, .second = 2, .third = 300, .fourth = 101};
	struct shapes shapes;
	__u32 owned[64] = {0};
	int fd;

	if (argc != 3)
		return 2;
	die_with_parent();
	object = bpf_object__open_file(argv[1], NULL);
	if (!object || bpf_object__load(object) || chdir(argv[2]))
		fail(argv[1]);
	fill(&shapes);
	put(pin("shapes", "shapes"), &key, &shapes);
	say_shapes(&shapes);
	put(pin("packed", "packed"), &zero, &packed);
	printf("{\"pin\":\"packed\",\"key\":0,\"value\":{\"first\":%u,\"second\":\"%llu\",\"third\":%u,\"fourth\":%u}}\n",
	       packed.first, packed.second, packed.third, packed.fourth);
	/* All bytes set: what the kernel keeps to itself must still read as zeros. */
	fd = pin("owned", "owned");
	memset(owned, 0xff, sizeof(owned));
	put(fd, &zero, owned);
	printf("{\"pin\":\"owned\",\"key\":0,\"value\":{\"before\":4294967295,\"lock\":{\"__kernel\":\"bpf_spin_lock\"},"
	       "\"timer\":{\"__kernel\":\"bpf_timer\"},\"head\":{\"__kernel\":\"bpf_list_head\"},"
	       "\"after\":4294967295}}\n");
	pin(".data", "data");
	printf("{\"pin\":\"data\",\"key\":0,\"value\":{\"counter\":7,\"origin\":{\"kind\":3,\"level\":-4}}}\n");
	pin(".rodata", "rodata");
	printf("{\"pin\":\"rodata\",\"key\":0,\"value\":{\"greeting\":\"hello\",\"limit\":\"18446744073709551615\"}}\n");
	pin(".bss", "bss");
	printf("{\"pin\":\"bss\",\"key\":0,\"value\":{\"keep_element\":\"0x0\",\"total\":\"0\",\"favourite\":\"RED\"}}\n");
	pin(".kconfig", "kconfig");
	printf("{\"pin\":\"kconfig\",\"key\":0,\"value\":{\"LINUX_KERNEL_VERSION\":\"version\"}}\n");
	make_tagged();
	return 0;
}
