/*
 * Makes entries of a pinned LPM trie or hash that are deleted again within 20 ms, until standard input ends.
 *
 *   brief-writer PIN STANDING SEED
 *
 * Makes entries 0 to STANDING - 1, which stay, and says `ready`. Then each turn makes entry N with the value
 * N, and deletes those whose time has come; about a thousand of each a second. The pin is opened anew for every
 * system call. At the end it says of each entry `entry N MAKE DELETE`, each of the two an errno; `-` where it
 * was not deleted.
 */
#include "common.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <stdint.h>
#include <time.h>

struct key {
	__u32 prefix;
	__u32 address;
};

#define TURNS_MAX 200000

static struct {
	uint64_t due;
	int is_dropped, make_error, drop_error;
} entries[TURNS_MAX];

static const char *pin;

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static int change(__u32 number, int is_made)
{
	struct key key = { 32, htonl(number) };
	int fd = bpf_obj_get(pin), error = 0;

	if (fd < 0)
		fail("BPF_OBJ_GET");
	if (is_made ? bpf_map_update_elem(fd, &key, &number, BPF_ANY) : bpf_map_delete_elem(fd, &key))
		error = errno;
	close(fd);
	return error;
}

int main(int argc, char **argv)
{
	die_with_parent();
	if (argc != 4)
		return 2;
	pin = argv[1];
	__u32 standing = atoi(argv[2]), random = atoi(argv[3]) | 1, turns = 0, oldest = 0;
	struct timespec pause = { .tv_nsec = 900000 };
	char byte;

	for (__u32 number = 0; number < standing; number++)
		if (change(number, 1))
			fail("BPF_MAP_UPDATE_ELEM");
	fcntl(0, F_SETFL, O_NONBLOCK);
	puts("ready");
	while (turns < TURNS_MAX && read(0, &byte, 1) != 0) {
		random = random * 1664525 + 1013904223;
		entries[turns].make_error = change(standing + turns, 1);
		entries[turns].due = now() + (random >> 8) % 20000 * 1000;
		turns++;
		for (__u32 turn = oldest; turn < turns; turn++) {
			if (!entries[turn].is_dropped && entries[turn].due <= now()) {
				entries[turn].drop_error = change(standing + turn, 0);
				entries[turn].is_dropped = 1;
			}
			if (turn == oldest && entries[turn].is_dropped)
				oldest++;
		}
		nanosleep(&pause, NULL);
	}
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	for (__u32 turn = 0; turn < turns; turn++) {
		printf("entry %u %d ", standing + turn, entries[turn].make_error);
		if (entries[turn].is_dropped)
			printf("%d\n", entries[turn].drop_error);
		else
			puts("-");
	}
	return 0;
}
