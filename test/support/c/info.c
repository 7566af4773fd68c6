/*
 * Prints what BPF_OBJ_GET_INFO_BY_FD says of objects, from a structure zeroed for each: the judge where bpftool 7.1
 * hands the kernel the structure of the map before (kernel 6.18 then leaves its btf_id in it).
 *
 *   info map:ID prog:ID link:ID btf:ID …
 *
 * One JSON line an object. Layouts are Debian's headers', so fields newer than those are not in it.
 */
#include "common.h"
#include <bpf/bpf.h>

#define PUT(info, field) printf(",\"%s\":%llu", #field, (unsigned long long)(info).field)

static int info_of(int fd, void *info, unsigned int size)
{
	union bpf_attr attr = {0};

	attr.info.bpf_fd = fd;
	attr.info.info = (unsigned long)info;
	attr.info.info_len = size;
	return bpf_call(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
}

static void print_map(int fd)
{
	struct bpf_map_info info = {0};

	if (info_of(fd, &info, sizeof(info)))
		fail("map info");
	printf("{\"kind\":\"map\",\"name\":\"%s\"", info.name);
	PUT(info, type); PUT(info, id); PUT(info, key_size); PUT(info, value_size); PUT(info, max_entries);
	PUT(info, map_flags); PUT(info, ifindex); PUT(info, netns_dev); PUT(info, netns_ino); PUT(info, btf_id);
	PUT(info, btf_key_type_id); PUT(info, btf_value_type_id); PUT(info, btf_vmlinux_value_type_id);
	PUT(info, map_extra);
	puts("}");
}

static void print_prog(int fd)
{
	struct bpf_prog_info info = {0};

	if (info_of(fd, &info, sizeof(info)))
		fail("program info");
	printf("{\"kind\":\"program\",\"name\":\"%s\",\"tag\":\"", info.name);
	for (int i = 0; i < 8; i++)
		printf("%02x", info.tag[i]);
	printf("\",\"gpl_compatible\":%d", info.gpl_compatible);
	PUT(info, type); PUT(info, id); PUT(info, jited_prog_len); PUT(info, xlated_prog_len); PUT(info, load_time);
	PUT(info, created_by_uid); PUT(info, nr_map_ids); PUT(info, ifindex); PUT(info, netns_dev);
	PUT(info, netns_ino); PUT(info, nr_jited_ksyms); PUT(info, nr_jited_func_lens); PUT(info, btf_id);
	PUT(info, func_info_rec_size); PUT(info, nr_func_info); PUT(info, nr_line_info); PUT(info, nr_jited_line_info);
	PUT(info, line_info_rec_size); PUT(info, jited_line_info_rec_size); PUT(info, nr_prog_tags);
	PUT(info, run_time_ns); PUT(info, run_cnt); PUT(info, recursion_misses); PUT(info, verified_insns);
	PUT(info, attach_btf_obj_id); PUT(info, attach_btf_id);
	puts("}");
}

static void print_link(int fd)
{
	struct bpf_link_info info = {0};

	if (info_of(fd, &info, sizeof(info)))
		fail("link info");
	printf("{\"kind\":\"link\"");
	PUT(info, type); PUT(info, id); PUT(info, prog_id);
	puts("}");
}

static void print_btf(int fd)
{
	struct bpf_btf_info info = {0};
	char name[64] = "";

	info.name = (unsigned long)name;
	info.name_len = sizeof(name);
	if (info_of(fd, &info, sizeof(info)))
		fail("BTF info");
	printf("{\"kind\":\"btf\",\"name\":\"%s\"", name);
	PUT(info, id); PUT(info, btf_size); PUT(info, kernel_btf);
	puts("}");
}

static const struct {
	const char *kind;
	int (*open)(__u32 id);
	void (*print)(int fd);
} kinds[] = {
	{"map:", bpf_map_get_fd_by_id, print_map},
	{"prog:", bpf_prog_get_fd_by_id, print_prog},
	{"link:", bpf_link_get_fd_by_id, print_link},
	{"btf:", bpf_btf_get_fd_by_id, print_btf},
};

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		for (unsigned int k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
			size_t length = strlen(kinds[k].kind);
			int fd;

			if (strncmp(argv[i], kinds[k].kind, length))
				continue;
			fd = kinds[k].open(strtoul(argv[i] + length, NULL, 10));
			if (fd < 0)
				fail(argv[i]);
			kinds[k].print(fd);
			close(fd);
		}
	return 0;
}
