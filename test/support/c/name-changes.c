/*
 * Changes many names in a bpffs, as programs that are not Pinfold would: bpf(2), rename(2), link(2), unlink(2).
 *
 *   name-changes DIRECTORY NAME
 *
 * The maps it makes are called NAME<number>.
 *
 * Each line of standard input is one instruction for COUNT names; it is answered by one line when all are done, with
 * the number of names it could not change because somebody else was there first.
 *
 *   make COUNT FROM          create a map for each and pin it at FROM<number>; it keeps no descriptor
 *   replace COUNT AT         pin a new map beside it and rename(2) that over AT<number>
 *   swap COUNT AT            unlink AT<number> and pin a new map there
 *   rename COUNT FROM TO     rename(2)
 *   link COUNT FROM TO       link(2)
 *   remove COUNT FROM        unlink(2)
 *   chmod COUNT FROM MODE    chmod(2), octal
 */
#include "common.h"
#include <bpf/bpf.h>
#include <sys/stat.h>

static const char *prefix;

static int make_map(int number)
{
	char name[16];

	snprintf(name, sizeof(name), "%s%d", prefix, number);
	return bpf_map_create(BPF_MAP_TYPE_ARRAY, name, 4, 8, 1, NULL);
}

static int make(int number, const char *path)
{
	int map = make_map(number);
	int error = map < 0 ? -1 : pin_fd(map, path);

	close(map);
	return error;
}

static int change(const char *what, int number, const char *first, const char *second)
{
	char from[4096], to[4096];

	snprintf(from, sizeof(from), "%s%d", first, number);
	snprintf(to, sizeof(to), "%s%d", second, number);
	if (!strcmp(what, "make"))
		return make(number, from);
	if (!strcmp(what, "replace")) {
		snprintf(to, sizeof(to), "%s%d_new", first, number);
		return make(number, to) ? -1 : rename(to, from);
	}
	if (!strcmp(what, "swap"))
		return unlink(from) ? -1 : make(number, from);
	if (!strcmp(what, "rename"))
		return rename(from, to);
	if (!strcmp(what, "link"))
		return link(from, to);
	if (!strcmp(what, "remove"))
		return unlink(from);
	if (!strcmp(what, "chmod"))
		return chmod(from, strtoul(second, NULL, 8));
	return errno = ENOSYS, -1;
}

int main(int argc, char **argv)
{
	char line[8192], what[16], first[2048], second[2048];
	int count, refused;

	die_with_parent();
	prefix = argc > 2 ? argv[2] : "pf_n";
	if (argc < 2 || chdir(argv[1]))
		fail("enter the directory");
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		second[0] = 0;
		if (sscanf(line, "%15s %d %2047s %2047s", what, &count, first, second) < 3)
			fail("read an instruction");
		refused = 0;
		for (int number = 0; number < count; number++) {
			if (!change(what, number, first, second))
				continue;
			if (errno != ENOENT && errno != EEXIST)
				fail(line);
			refused++;
		}
		printf("done %d\n", refused);
	}
	return 0;
}
