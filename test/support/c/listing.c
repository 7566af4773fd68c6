/*
 * Prints what is in a bpffs, a line each: `TYPE MODE UID:GID PATH`, for a pin and ` = ID`.
 *
 *   listing DIRECTORY
 *
 * What find(1) and one bpftool for each pin say, in one process: for tests that look thousands of
 * times. The lines come in no order.
 */
#include "common.h"
#include <ftw.h>
#include <sys/stat.h>

static int show(const char *path, const struct stat *facts, int kind, struct FTW *at)
{
	const char *ending = strrchr(path, '.');
	union bpf_attr attr = {0};
	int fd;

	if (kind == FTW_DNR || kind == FTW_NS)
		return -1;
	/* maps.debug and progs.debug are the kernel's own, not pins. */
	if (at->level && ending && !strcmp(ending, ".debug"))
		return 0;
	char type = S_ISDIR(facts->st_mode) ? 'd' : S_ISREG(facts->st_mode) ? 'f' : 'o';
	printf("%c %o %u:%u %s", type, facts->st_mode & 07777, facts->st_uid, facts->st_gid,
	       at->level ? path + 2 : "");
	if (S_ISREG(facts->st_mode)) {
		attr.pathname = (unsigned long)path;
		fd = bpf_call(BPF_OBJ_GET, &attr, sizeof(attr));
		if (fd < 0)
			return -1;
		printf(" = %u", id_of(fd));
		close(fd);
	}
	putchar('\n');
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) || nftw(".", show, 16, FTW_PHYS))
		fail("listing");
	return 0;
}
