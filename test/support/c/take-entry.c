/* Looks an entry of a pinned hash up and deletes it, in one call: take-entry PIN KEY, of four bytes each. */
#include "common.h"
#include <bpf/bpf.h>

int main(int argc, char **argv)
{
	unsigned int key, value;
	int fd;

	if (argc != 3)
		return 2;
	key = (unsigned int)strtoul(argv[2], NULL, 0);
	fd = bpf_obj_get(argv[1]);
	if (fd < 0)
		fail("BPF_OBJ_GET");
	if (bpf_map_lookup_and_delete_elem(fd, &key, &value))
		fail("BPF_MAP_LOOKUP_AND_DELETE_ELEM");
	return 0;
}
