/*
 * A mount namespace in which a bpffs lies on a FUSE file system whose server never answers.
 *
 * Argument: an empty directory. Says `ready` and stays until its standard input ends. No stat(2) is made below the
 * directory once FUSE is mounted there: it would wait forever.
 */
#include "common.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

int main(int argc, char **argv)
{
	char options[64], byte;
	int fuse;

	die_with_parent();
	if (argc != 2 || unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		fail("unshare");
	fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse < 0)
		fail("/dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
	if (mount("pf-fuse", argv[1], "fuse", 0, options))
		fail("mount of fuse");
	if (mount("pf-trap", argv[1], "bpf", 0, NULL))
		fail("mount of bpf");
	puts("ready");
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
