/*
 * Prints the kernel's own counters of every map, program and link: one JSON line an object, then an empty
 * line.
 *
 *   counters PATH/counters.bpf.o
 *
 * One sample for each line read from standard input; ends with it. Its own programs and links are among the
 * objects.
 */
#include "common.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

struct record {
	__u32 kind;
	__u32 id;
	__s64 refcnt;
	__s64 usercnt;
};

static const char *const kinds[] = {"map", "program", "link"};

static void print_record(const struct record *r)
{
	printf("{\"kind\":\"%s\",\"id\":%u,\"refcnt\":%lld", kinds[r->kind], r->id, r->refcnt);
	if (r->kind == 0)
		printf(",\"usercnt\":%lld", r->usercnt);
	puts("}");
}

static void sample(struct bpf_link *link)
{
	struct record records[256];
	int iter = bpf_iter_create(bpf_link__fd(link));
	char *at = (char *)records;
	ssize_t got, have = 0;

	if (iter < 0)
		fail("create iterator");
	while ((got = read(iter, at + have, sizeof(records) - have)) != 0) {
		if (got < 0 && errno == EAGAIN)
			continue;
		if (got < 0)
			fail("read iterator");
		have += got;
		for (size_t i = 0; i < have / sizeof(*records); i++)
			print_record(&records[i]);
		memmove(records, at + have - have % sizeof(*records), have % sizeof(*records));
		have %= sizeof(*records);
	}
	close(iter);
}

int main(int argc, char **argv)
{
	static char buffer[1 << 16];
	struct bpf_object *object;
	struct bpf_program *program;
	struct bpf_link *links[3];
	int count = 0;
	char line[16];

	die_with_parent();
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	object = bpf_object__open_file(argc > 1 ? argv[1] : "", NULL);
	if (!object || bpf_object__load(object))
		fail("load the iterators");
	bpf_object__for_each_program(program, object) {
		links[count] = bpf_program__attach_iter(program, NULL);
		if (!links[count++])
			fail("attach an iterator");
	}
	while (fgets(line, sizeof(line), stdin)) {
		for (int i = 0; i < count; i++)
			sample(links[i]);
		puts("");
		fflush(stdout);
	}
	return 0;
}
