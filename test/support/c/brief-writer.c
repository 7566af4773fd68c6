/*
 * Makes entries of a pinned LPM trie or hash that are deleted again within 20 ms, until standard input ends.
 *
 *   brief-writer PIN STANDING SEED
 *
 * Makes entries 0 to STANDING - 1, which stay, and says `ready`. Then each turn makes entry N with the value N, and
 * deletes those whose time has come; about a thousand of each a second. The pin is opened anew for every system call.
 * At the end it says of each entry `entry N MAKE DELETE`, each of the two `BEGAN ENDED ERRNO`: CLOCK_MONOTONIC in ns
 * before the pin was opened and after the call; zeros for what was not done.
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

struct call {
	uint64_t began, ended;
	int error;
};

#define TURNS_MAX 200000

static struct {
	uint64_t due;
	struct call make, drop;
} entries[TURNS_MAX];

static const char *pin;

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static struct call change(__u32 number, int is_made)
{
	struct key key = { 32, htonl(number) };
	struct call call = { .began = now() };
	int fd = bpf_obj_get(pin);

	if (fd < 0)
		fail("BPF_OBJ_GET");
	if (is_made ? bpf_map_update_elem(fd, &key, &number, BPF_ANY) : bpf_map_delete_elem(fd, &key))
		call.error = errno;
	close(fd);
	call.ended = now();
	return call;
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
		if (change(number, 1).error)
			fail("BPF_MAP_UPDATE_ELEM");
	fcntl(0, F_SETFL, O_NONBLOCK);
	puts("ready");
	while (turns < TURNS_MAX && read(0, &byte, 1) != 0) {
		random = random * 1664525 + 1013904223;
		entries[turns].make = change(standing + turns, 1);
		entries[turns].due = entries[turns].make.ended + (random >> 8) % 20000 * 1000;
		turns++;
		for (__u32 turn = oldest; turn < turns; turn++) {
			if (!entries[turn].drop.began && entries[turn].due <= now())
				entries[turn].drop = change(standing + turn, 0);
			if (turn == oldest && entries[turn].drop.began)
				oldest++;
		}
		nanosleep(&pause, NULL);
	}
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	for (__u32 turn = 0; turn < turns; turn++) {
		struct call make = entries[turn].make, drop = entries[turn].drop;

		printf("entry %u %llu %llu %d %llu %llu %d\n", standing + turn,
		       (unsigned long long)make.began, (unsigned long long)make.ended, make.error,
		       (unsigned long long)drop.began, (unsigned long long)drop.ended, drop.error);
	}
	return 0;
}
