/*
 * Makes two names change places as fast as it can until its standard input ends, then says how often it did.
 *
 * Arguments: the two paths, and how often is enough, if anybody asks. Says `ready` after the first exchange,
 * `enough` after so many.
 */
#include "common.h"
#include <fcntl.h>
#include <poll.h>

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
		if (swaps % 64 == 0 && poll(&input, 1, 0) > 0)
			break;
	}
	printf("%lu\n", swaps);
	return 0;
}
