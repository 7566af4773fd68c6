/*
 * Listens like a service manager: binds a unix datagram socket and prints what arrives, one line a datagram.
 *
 *   notify-listen PATH | @ABSTRACT
 *
 * Newlines inside a datagram are printed as `;`. Says `ready` first, and ends with its standard input.
 */
#include "common.h"
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *name = argc > 1 ? argv[1] : "";
	size_t length = strlen(name);
	int listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char message[4096];

	die_with_parent();
	memcpy(address.sun_path, name, length < sizeof(address.sun_path) ? length : sizeof(address.sun_path));
	if (name[0] == '@')
		address.sun_path[0] = 0;
	if (bind(listener, (void *)&address, offsetof(struct sockaddr_un, sun_path) + length + (name[0] != '@')))
		fail(name);
	puts("ready");
	for (;;) {
		struct pollfd waits[] = {{.fd = listener, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
		ssize_t got;

		if (poll(waits, 2, -1) < 0 || waits[1].revents)
			return 0;
		got = recv(listener, message, sizeof(message) - 1, 0);
		if (got < 0)
			fail("receive");
		for (ssize_t i = 0; i < got; i++)
			putchar(message[i] == '\n' ? ';' : message[i]);
		putchar('\n');
	}
}
