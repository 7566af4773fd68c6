/*
 * Has objects open in passing: nobody else knows, and nothing stays.
 *
 *   pass-by once ID      opens map ID, says `ready`; at SIGUSR1 it closes it, a good millisecond later
 *   pass-by round ID...  opens each of the maps for a moment, one after the other, round after round
 *
 * `once` runs before all others where it may, so that a millisecond is not much more on a busy machine.
 */
#include "common.h"
#include <sched.h>

#define PASSING_US 1500
#define BETWEEN_US 300

static int open_map(const char *id)
{
	union bpf_attr attr = {0};

	attr.map_id = atoi(id);
	return bpf_call(BPF_MAP_GET_FD_BY_ID, &attr, sizeof(attr));
}

static int once(const char *id)
{
	struct sched_param first = {.sched_priority = 1};
	sigset_t told;
	int fd, number;

	sched_setscheduler(0, SCHED_FIFO, &first);
	sigemptyset(&told);
	sigaddset(&told, SIGUSR1);
	sigprocmask(SIG_BLOCK, &told, NULL);
	fd = open_map(id);
	if (fd < 0)
		fail("open the map");
	puts("ready");
	sigwait(&told, &number);
	usleep(PASSING_US);
	close(fd);
	pause();
	return 0;
}

static void rounds(char **ids)
{
	puts("ready");
	for (;;) {
		for (char **id = ids; *id; id++) {
			int fd = open_map(*id);

			if (fd >= 0)
				close(fd);
		}
		usleep(BETWEEN_US);
	}
}

int main(int argc, char **argv)
{
	die_with_parent();
	if (argc == 3 && !strcmp(argv[1], "once"))
		return once(argv[2]);
	if (argc > 2 && !strcmp(argv[1], "round"))
		rounds(argv + 2);
	fprintf(stderr, "usage: pass-by once ID | round ID...\n");
	return 2;
}
