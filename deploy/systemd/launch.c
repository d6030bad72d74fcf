// SPDX-License-Identifier: Apache-2.0
/*
 * hushwatch-launch PROGRAM [ARGUMENTS]: becomes PROGRAM, with an open line to the service manager.
 *
 * Node has no datagram sockets of the Unix kind, which is what sd_notify(3) speaks through, but it can write to a
 * descriptor: one that is connected to $NOTIFY_SOCKET is left open and named in HUSHWATCH_NOTIFY.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The descriptor, or -1: nobody asked to be told. */
static int connect_to(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = name ? strlen(name) : 0;
	int line;

	if (!length || length >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, name, length);
	if (*name == '@')	/* an abstract name */
		address.sun_path[0] = 0;
	line = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (line < 0 || connect(line, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)))
		return -1;
	return line;
}

int main(int argc, char **argv)
{
	char number[12];
	int line;

	if (argc < 2) {
		fprintf(stderr, "usage: hushwatch-launch PROGRAM [ARGUMENTS]\n");
		return 2;
	}
	line = connect_to(getenv("NOTIFY_SOCKET"));
	if (line >= 0) {
		snprintf(number, sizeof(number), "%d", line);
		setenv("HUSHWATCH_NOTIFY", number, 1);
	}
	execv(argv[1], argv + 1);
	fprintf(stderr, "hushwatch-launch: %s: %s\n", argv[1], strerror(errno));
	return 127;
}
