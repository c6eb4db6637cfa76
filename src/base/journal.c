/* SPDX-License-Identifier: MIT */
#include "base/journal.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

int
journal_open(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	int fd;

	if (len >= sizeof(to.sun_path))
		return -1;
	memcpy(to.sun_path, path, len);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
	    connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

bool
journal_send(int fd, const char *datagram, size_t len)
{
	return send(fd, datagram, len, MSG_NOSIGNAL | MSG_DONTWAIT) ==
	    (ssize_t)len;
}
