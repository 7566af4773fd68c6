/*
 * Makes links whose info has texts and lists behind pointers: perf_event links on a probe in a file and on a tracepoint,
 * and a uprobe_multi link. They are on this program itself, or do nothing.
 *
 *   probes
 *
 * One JSON line a link ({type,id,path,offset} or {error}); then `ready`. Holds them until standard input ends.
 * Layouts by hand: Debian 12's headers know no uprobe_multi (include/uapi/linux/bpf.h of Linux 6.6).
 */
#include "common.h"
#include <bpf/bpf.h>
#include <elf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mount.h>

#define UPROBE_MULTI 48

static char path[4096];

/* Never called: one of the places probed in it is in the middle of an instruction. */
__attribute__((noinline)) static void probed(void)
{
	asm volatile("");
}

/* The segment of code lies in the file where it lies in memory, less where the program begins. */
static unsigned long offset_of_probed(void)
{
	return (unsigned long)probed - (getauxval(AT_PHDR) - sizeof(Elf64_Ehdr));
}

static int number_in(const char *file)
{
	char text[32] = "";
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		fail(file);
	close(fd);
	return atoi(text);
}

static int program(int type, int attach)
{
	struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);
	int fd = bpf_prog_load(type, "pf_probe", "GPL", code, 2, &opts);

	if (fd < 0)
		fail("load a program");
	return fd;
}

static int perf_link(struct perf_event_attr *event, int type, __u64 cookie)
{
	union bpf_attr attr = {0};

	event->size = sizeof(*event);
	attr.link_create.prog_fd = program(type, 0);
	attr.link_create.target_fd = syscall(__NR_perf_event_open, event, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if ((int)attr.link_create.target_fd < 0)
		return -1;
	attr.link_create.attach_type = BPF_PERF_EVENT;
	attr.link_create.perf_event.bpf_cookie = cookie;
	return bpf_call(BPF_LINK_CREATE, &attr, sizeof(attr));
}

static int uprobe_multi(const unsigned long *offsets, const __u64 *cookies, int count)
{
	union bpf_attr attr = {0};
	__u64 *at = (void *)&attr;

	attr.link_create.prog_fd = program(BPF_PROG_TYPE_KPROBE, UPROBE_MULTI);
	attr.link_create.attach_type = UPROBE_MULTI;
	at[2] = (unsigned long)path;
	at[3] = (unsigned long)offsets;
	at[5] = (unsigned long)cookies;
	at[6] = count;
	at[7] = getpid();
	return bpf_call(BPF_LINK_CREATE, &attr, sizeof(attr));
}

static void report(const char *type, int fd)
{
	if (fd < 0)
		printf("{\"type\":\"%s\",\"error\":\"%s\"}\n", type, strerrorname_np(errno));
	else
		printf("{\"type\":\"%s\",\"id\":%u,\"path\":\"%s\",\"offset\":%lu,\"pid\":%d}\n", type, id_of(fd), path,
		       offset_of_probed(), getpid());
}

int main(void)
{
	unsigned long offsets[] = {offset_of_probed(), offset_of_probed() + 1};
	__u64 cookies[] = {7, ~0ull};
	struct perf_event_attr uprobe = {0}, tracepoint = {.type = PERF_TYPE_TRACEPOINT};
	char nothing[16];

	die_with_parent();
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		fail("find this program");
	uprobe.type = number_in("/sys/bus/event_source/devices/uprobe/type");
	uprobe.config = 1; /* at the return */
	uprobe.config1 = (unsigned long)path;
	uprobe.config2 = offset_of_probed();
	report("uretprobe", perf_link(&uprobe, BPF_PROG_TYPE_KPROBE, 5));
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL))
		fail("mount tracefs");
	tracepoint.config = number_in("/sys/kernel/tracing/events/task/task_rename/id");
	report("tracepoint", perf_link(&tracepoint, BPF_PROG_TYPE_TRACEPOINT, 6));
	report("uprobe_multi", uprobe_multi(offsets, cookies, 2));
	puts("ready");
	while (read(0, nothing, sizeof(nothing)) > 0)
		;
	return 0;
}
