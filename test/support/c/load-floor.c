/*
 * The least a load can take: makes a hash of u32 to u64 and fills it from memory with BPF_MAP_UPDATE_BATCH. Prints the
 * milliseconds that the filling took.
 *
 *   load-floor COUNT
 */
#include "common.h"
#include <bpf/bpf.h>
#include <time.h>

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	enum { AT_ONCE = 4096 };
	__u32 count = argc == 2 ? atoi(argv[1]) : 0;
	int fd = count ? bpf_map_create(BPF_MAP_TYPE_HASH, "pf_floor", 4, 8, count, NULL) : -1;
	__u32 *keys = malloc(4 * (size_t)count);
	__u64 *values = malloc(8 * (size_t)count);

	if (fd < 0 || !keys || !values)
		fail("map");
	for (__u32 i = 0; i < count; i++) {
		keys[i] = i;
		values[i] = 3 * (__u64)i;
	}
	double from = now_ms();
	for (__u32 done = 0; done < count;) {
		__u32 some = count - done < AT_ONCE ? count - done : AT_ONCE;

		if (bpf_map_update_batch(fd, keys + done, values + done, &some, NULL))
			fail("update_batch");
		done += some;
	}
	printf("%.3f\n", now_ms() - from);
	return 0;
}
