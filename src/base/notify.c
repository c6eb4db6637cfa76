/* SPDX-License-Identifier: MIT */
#include "base/notify.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKETS_MAX 64

void
notify_send(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = path == NULL ? 0 : strlen(path);
	int fd;

	if (len < 2 || len > sizeof(to.sun_path) ||
	    (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@') /* abstract: a NUL in front, none behind */
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* a manager that does not listen is no reason to stop */
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
	    (struct sockaddr *)&to,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

static long
number(const char *name)
{
	const char *text = getenv(name);
	char *end = NULL;
	long v;

	if (text == NULL || text[0] == '\0')
		return -1;
	v = strtol(text, &end, 10);
	return *end == '\0' ? v : -1;
}

int
notify_sockets(void)
{
	long n = number("LISTEN_FDS");

	if (number("LISTEN_PID") != (long)getpid() || n < 1 || n > SOCKETS_MAX)
		return 0;
	for (int fd = NOTIFY_FD_FIRST; fd < NOTIFY_FD_FIRST + n; fd++) {
		int flags = fcntl(fd, F_GETFL);

		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
		if (flags >= 0)
			(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	}
	return (int)n;
}
