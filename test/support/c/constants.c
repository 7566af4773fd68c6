/*
 * Makes array maps whose values are sections of global variables, as libbpf makes them of .rodata and .data,
 * and pins each in a directory:
 *
 *   rodata_open     .rodata, not frozen            rodata_frozen   the same, frozen
 *   const_open      .custom of constants, open     data_open       .data of variables
 *   mixed_open      .custom of a constant and a variable
 *
 *   constants DIRECTORY
 */
#include "common.h"
#include <bpf/bpf.h>
#include <bpf/btf.h>

static const char *directory;

enum { INT = 1, CONST_INT = 2 };

static void make(const char *name, const char *section, int first, int second, int freeze)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	struct btf *btf = btf__new_empty();
	char path[4200];
	int map;

	btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	btf__add_const(btf, INT);
	btf__add_var(btf, "pf_first", BTF_VAR_GLOBAL_ALLOCATED, first);
	btf__add_var(btf, "pf_second", BTF_VAR_GLOBAL_ALLOCATED, second);
	btf__add_datasec(btf, section, 8);
	btf__add_datasec_var_info(btf, 3, 0, 4);
	btf__add_datasec_var_info(btf, 4, 4, 4);
	if (btf__load_into_kernel(btf))
		fail("load BTF");
	opts.btf_fd = btf__fd(btf);
	opts.btf_value_type_id = 5;
	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, 4, 8, 1, &opts);
	if (map < 0)
		fail(name);
	if (freeze && bpf_map_freeze(map))
		fail("freeze");
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (pin_fd(map, path))
		fail(path);
	close(map);
	btf__free(btf);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	directory = argv[1];
	make("rodata_open", ".rodata", INT, INT, 0);
	make("rodata_frozen", ".rodata", INT, INT, 1);
	make("const_open", ".custom", CONST_INT, CONST_INT, 0);
	make("mixed_open", ".custom", CONST_INT, INT, 0);
	make("data_open", ".data", INT, INT, 0);
	return 0;
}
