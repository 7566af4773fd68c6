/*
 * Gives pins a second name and takes it away again, at some moment after it is told.
 *
 *   linker DIRECTORY COUNT SEED
 *
 * Each round makes a map, pins it as p<round>, keeps no descriptor, links l<round> to it, prints `round R`, waits for a
 * line and then up to 2.5 ms, and unlinks the link. Then it says how many names the inode had left: `left R N MAP`.
 * Ends with `done`.
 */
#include "common.h"
#include <bpf/bpf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

int main(int argc, char **argv)
{
	die_with_parent();
	if (argc != 4 || chdir(argv[1]))
		return 2;
	srand(atoi(argv[3]));
	for (int i = 0; i < atoi(argv[2]); i++) {
		struct timespec pause = { .tv_nsec = rand() % 2500000 };
		int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "pf_linked", 4, 8, 1, NULL);
		unsigned int id = id_of(map);
		char pin[16], other[16], line[16];
		struct stat facts;

		snprintf(pin, sizeof(pin), "p%d", i);
		snprintf(other, sizeof(other), "l%d", i);
		if (map < 0 || pin_fd(map, pin) || link(pin, other))
			fail("pin");
		close(map);
		printf("round %d\n", i);
		if (!fgets(line, sizeof(line), stdin))
			return 0;
		nanosleep(&pause, NULL);
		int fd = open(other, O_PATH);

		if (fd < 0 || unlink(other) || fstat(fd, &facts))
			fail("unlink");
		close(fd);
		printf("left %d %lu %u\n", i, (unsigned long)facts.st_nlink, id);
	}
	puts("done");
	return 0;
}
