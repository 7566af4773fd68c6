/*
 * Users of pinned objects whose traffic must never stop.
 *
 * traffic DIRECTORY USERS
 *
 * Each user has a pinned array map `DIRECTORY/mN` and a pinned program `DIRECTORY/pN` that counts in it; the program
 * filters a pair of sockets. Round after round each user sends a datagram, receives it, opens its map anew by its
 * path and finds its count there. Says `ready`; at each line of standard input `rounds R failures F gap_us G`, the
 * longest time between two rounds; and ends with the input. A failure is told on standard error.
 */
#include "common.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

#define USERS_MAX 256

struct user {
	char map_path[4096];
	int sockets[2];
	uint64_t sent;
};

static struct user users[USERS_MAX];
static long failures;

static void failed(const char *what, int user)
{
	if (failures++ < 10)
		fprintf(stderr, "user %d: %s: %s\n", user, what, strerror(errno));
}

static int count_program(int map)
{
	struct bpf_insn code[] = {
		{ .code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = 10, .off = -4, .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -4 },
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map },
		{ 0 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem },
		{ .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 0, .imm = 0, .off = 2 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 1, .imm = 1 },
		{ .code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = 0, .src_reg = 1, .imm = BPF_ADD },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = -1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "pf_traffic", "GPL", code, sizeof(code) / sizeof(*code), NULL);
}

static int make(struct user *user, const char *directory, int number)
{
	char program_path[4096];
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "pf_traffic", 4, 8, 1, NULL);
	int program = map < 0 ? -1 : count_program(map);

	snprintf(user->map_path, sizeof(user->map_path), "%s/m%d", directory, number);
	snprintf(program_path, sizeof(program_path), "%s/p%d", directory, number);
	if (program < 0 || bpf_obj_pin(map, user->map_path) || bpf_obj_pin(program, program_path))
		return -1;
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, user->sockets))
		return -1;
	if (setsockopt(user->sockets[1], SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)))
		return -1;
	/* From now on only its pins and its socket hold them. */
	close(map);
	close(program);
	return 0;
}

static void go_round(struct user *user, int number)
{
	uint64_t found = 0;
	uint32_t key = 0;
	char byte = 'x';
	int map;

	user->sent++;
	if (send(user->sockets[0], &byte, 1, MSG_DONTWAIT) != 1)
		failed("send", number);
	if (recv(user->sockets[1], &byte, 1, MSG_DONTWAIT) != 1)
		failed("receive", number);
	map = bpf_obj_get(user->map_path);
	if (map < 0)
		return failed("open its map", number);
	if (bpf_map_lookup_elem(map, &key, &found) || found != user->sent)
		failed("find its count", number);
	close(map);
}

static long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	int many = argc > 2 ? atoi(argv[2]) : 0;
	long rounds = 0, gap = 0, last;
	struct pollfd input = { .fd = 0, .events = POLLIN };
	char line[64];

	die_with_parent();
	if (many < 1 || many > USERS_MAX)
		return 2;
	for (int i = 0; i < many; i++) {
		if (make(&users[i], argv[1], i)) {
			perror("cannot make a user");
			return 1;
		}
	}
	printf("ready\n");
	fflush(stdout);
	for (last = now_us();; rounds++) {
		long now = now_us();

		if (now - last > gap)
			gap = now - last;
		last = now;
		for (int i = 0; i < many; i++)
			go_round(&users[i], i);
		if (poll(&input, 1, 2) == 0)
			continue;
		if (!fgets(line, sizeof(line), stdin))
			return 0;
		printf("rounds %ld failures %ld gap_us %ld\n", rounds, failures, gap);
		fflush(stdout);
	}
}
