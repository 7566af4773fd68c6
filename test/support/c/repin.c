/*
 * Puts fresh pins in the place of others as fast as it is let, and keeps a ledger of every inode.
 *
 *   repin DIRECTORY NAMES COUNT PAUSE_US SEED
 *
 * Works on the names n0, n1, … of the directory; each time a pin of one of two maps of its own is made at
 * `spare` and exchanged with what is there, or named so where nothing is. What it got out it unlinks. Says `ready`,
 * and at the end one line for each inode: `placed I` or `returned I`, then `done`.
 */
#include "common.h"
#include <bpf/bpf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

enum { NOREPLACE = 1, EXCHANGE = 2 };

static unsigned long inode_of(const char *name)
{
	struct stat facts;

	return stat(name, &facts) ? 0 : facts.st_ino;
}

static int move(const char *to, unsigned int flags)
{
	return syscall(__NR_renameat2, AT_FDCWD, "spare", AT_FDCWD, to, flags);
}

int main(int argc, char **argv)
{
	die_with_parent();
	if (argc != 6 || chdir(argv[1]))
		return 2;
	int names = atoi(argv[2]), count = atoi(argv[3]);
	struct timespec pause = { .tv_nsec = atol(argv[4]) * 1000 };
	unsigned long *placed = calloc(count, sizeof(*placed)), *returned = calloc(count, sizeof(*returned));
	int maps[2] = { bpf_map_create(BPF_MAP_TYPE_ARRAY, "pf_hand0", 4, 8, 1, NULL),
			bpf_map_create(BPF_MAP_TYPE_ARRAY, "pf_hand1", 4, 8, 1, NULL) };

	srand(atoi(argv[5]));
	puts("ready");
	for (int i = 0; i < count; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", rand() % names);
		if (pin_fd(maps[rand() % 2], "spare"))
			fail("pin");
		placed[i] = inode_of("spare");
		for (;;) {
			if (!move(name, EXCHANGE)) {
				returned[i] = inode_of("spare");
				if (unlink("spare"))
					fail("unlink");
				break;
			}
			if (errno != ENOENT)
				fail("exchange");
			if (!move(name, NOREPLACE))
				break;
			if (errno != EEXIST)
				fail("rename");
		}
		if (pause.tv_nsec)
			nanosleep(&pause, NULL);
	}
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	for (int i = 0; i < count; i++) {
		printf("placed %lu\n", placed[i]);
		if (returned[i])
			printf("returned %lu\n", returned[i]);
	}
	puts("done");
	fflush(stdout);
	return 0;
}
