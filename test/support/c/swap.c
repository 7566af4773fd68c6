/*
 * Makes two names change places until its standard input ends, then says how often it did. In bursts as fast
 * as it can: each exchange has all lookups of all file systems begin anew (rename_lock), so it rests between.
 *
 * Arguments: the two paths, and how often is enough, if anybody asks. Says `ready` after the first exchange,
 * `enough` after so many.
 */
#include "common.h"
#include <fcntl.h>
#include <poll.h>

/* An odd number: rests find the two names now this way round, now that. */
enum { burst = 65, rest_ms = 2 };

int main(int argc, char **argv)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	unsigned long swaps = 0;
	unsigned long enough = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;

	die_with_parent();
	if (argc != 3 && argc != 4)
		return 2;
	for (;; swaps++) {
		if (syscall(__NR_renameat2, AT_FDCWD, argv[1], AT_FDCWD, argv[2], 2 /* RENAME_EXCHANGE */))
			fail("renameat2");
		if (!swaps)
			puts("ready");
		if (enough && swaps == enough)
			puts("enough");
		if (swaps % burst == 0 && poll(&input, 1, rest_ms) > 0)
			break;
	}
	printf("%lu\n", swaps);
	return 0;
}
