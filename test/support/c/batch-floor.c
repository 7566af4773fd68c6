/*
 * The least a dump can take: reads the whole of a map, by its id, with BPF_MAP_LOOKUP_BATCH, and writes nothing.
 *
 *   batch-floor ID KEY_SIZE VALUE_SIZE
 */
#include "common.h"
#include <bpf/bpf.h>

int main(int argc, char **argv)
{
	enum { AT_ONCE = 4096 };
	int fd = argc == 4 ? bpf_map_get_fd_by_id(atoi(argv[1])) : -1;
	char *keys = malloc(AT_ONCE * (size_t)atoi(argv[2])), *values = malloc(AT_ONCE * (size_t)atoi(argv[3]));
	char in[512], out[512];
	unsigned long total = 0;

	if (fd < 0 || !keys || !values)
		fail("map");
	for (void *from = NULL;; from = in) {
		__u32 count = AT_ONCE;
		int result = bpf_map_lookup_batch(fd, from, out, keys, values, &count, NULL);

		total += count;
		if (result && errno == ENOENT)
			break;
		if (result)
			fail("lookup_batch");
		memcpy(in, out, sizeof(in));
	}
	printf("%lu\n", total);
	return 0;
}
