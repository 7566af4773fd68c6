/* What the helper programs share: bpf(2) as it is, and JSON lines on standard output. */
#ifndef PINFOLD_TEST_COMMON_H
#define PINFOLD_TEST_COMMON_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* Zeroed before each use by the callers: the kernel refuses garbage after the fields it knows. */
static inline int bpf_call(int cmd, void *attr, unsigned int size)
{
	return (int)syscall(__NR_bpf, cmd, attr, size);
}

/* A helper must not outlive its test: whatever it holds would be a leak. */
static inline void die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

static inline void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/* The id of a map, program, link or BTF: always in the first two words after `type`, except BTF's. */
static inline unsigned int id_of(int fd)
{
	unsigned int info[64] = {0};
	union bpf_attr attr = {0};

	attr.info.bpf_fd = fd;
	attr.info.info = (unsigned long)info;
	attr.info.info_len = 8;
	return bpf_call(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) ? 0 : info[1];
}

static inline int pin_fd(int fd, const char *path)
{
	union bpf_attr attr = {0};

	attr.bpf_fd = fd;
	attr.pathname = (unsigned long)path;
	return bpf_call(BPF_OBJ_PIN, &attr, sizeof(attr));
}

#endif
