/* jited ID: writes the machine code of a program to standard output, as the kernel gives it. */
#include "common.h"
#include <bpf/bpf.h>

int main(int argc, char **argv)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(argc > 1 ? (__u32)atoi(argv[1]) : 0);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return 1;
	__u32 size = info.jited_prog_len;
	unsigned char *code = calloc(1, size + 1);

	memset(&info, 0, sizeof(info));
	info.jited_prog_len = size;
	info.jited_prog_insns = (unsigned long)code;
	len = sizeof(info);
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return 1;
	return fwrite(code, 1, size, stdout) != size;
}
