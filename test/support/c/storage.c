/*
 * Owns a socket, a file and a control group, and tells what four maps of storage hold for those and for itself.
 *
 *   storage CGROUP SK INODE TASK CGRP      the directory of a control group, and ids of maps
 *
 * First it says {"socket":FD,"file":FD,"pid":PID}; then, for each line of standard input (`sk`, `inode`,
 * `task`, `cgrp`), the eight bytes of the value in hexadecimal digits, or `none`.
 */
#include "common.h"
#include <bpf/bpf.h>
#include <fcntl.h>
#include <sys/socket.h>

static const char *const names[] = {"sk", "inode", "task", "cgrp"};

int main(int argc, char **argv)
{
	int owners[4], maps[4];
	char line[64];

	die_with_parent();
	if (argc != 6)
		return 2;
	owners[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	owners[1] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	owners[2] = syscall(434 /* pidfd_open */, getpid(), 0);
	owners[3] = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 4; i++) {
		maps[i] = bpf_map_get_fd_by_id(strtoul(argv[i + 2], NULL, 0));
		if (owners[i] < 0 || maps[i] < 0)
			fail(names[i]);
	}
	printf("{\"socket\":%d,\"file\":%d,\"pid\":%d}\n", owners[0], owners[1], getpid());
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		unsigned char value[8] = {0};

		line[strcspn(line, "\n")] = 0;
		for (int i = 0; i < 4; i++) {
			if (strcmp(line, names[i]))
				continue;
			if (bpf_map_lookup_elem(maps[i], &owners[i], value)) {
				puts("none");
				continue;
			}
			for (int j = 0; j < 8; j++)
				printf("%02x", value[j]);
			putchar('\n');
		}
		fflush(stdout);
	}
	return 0;
}
