/*
 * Makes and deletes entries of a pinned LPM trie or hash, one after the other, until standard input ends.
 *
 *   map-writer PIN reopen|keep LIVE PAUSE_US
 *
 * Keys are numbers that only grow: each turn makes entry N and deletes entry N - LIVE, both with the value N. With
 * `reopen` the pin is opened anew for every system call, with `keep` once. Says `ready` when LIVE entries are there, a
 * line `failed WHAT N ERRNO` for each refusal, and at the end `live FIRST LAST`.
 */
#include "common.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <time.h>

struct key {
	__u32 prefix;
	__u32 address;
};

static const char *pin;
static int kept = -1;

static int open_map(void)
{
	int fd = kept >= 0 ? kept : bpf_obj_get(pin);

	if (fd < 0)
		fail("BPF_OBJ_GET");
	return fd;
}

static void tell(const char *what, __u32 number, int error)
{
	if (error)
		printf("failed %s %u %d\n", what, number, errno);
}

static void make(__u32 number)
{
	struct key key = { 32, htonl(number) };
	int fd = open_map();

	tell("make", number, bpf_map_update_elem(fd, &key, &number, BPF_ANY));
	if (fd != kept)
		close(fd);
}

static void drop(__u32 number)
{
	struct key key = { 32, htonl(number) };
	int fd = open_map();

	tell("delete", number, bpf_map_delete_elem(fd, &key));
	if (fd != kept)
		close(fd);
}

int main(int argc, char **argv)
{
	die_with_parent();
	if (argc != 5)
		return 2;
	pin = argv[1];
	__u32 live = atoi(argv[3]), next = 0;
	struct timespec pause = { .tv_nsec = atol(argv[4]) * 1000 };
	char byte;

	if (!strcmp(argv[2], "keep"))
		kept = open_map();
	fcntl(0, F_SETFL, O_NONBLOCK);
	while (next < live)
		make(next++);
	puts("ready");
	while (read(0, &byte, 1) != 0) {
		make(next);
		drop(next - live);
		next++;
		nanosleep(&pause, NULL);
	}
	printf("live %u %u\n", next - live, next - 1);
	return 0;
}
