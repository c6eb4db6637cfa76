/* SPDX-License-Identifier: MIT */
#include "client/agentcall.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/file.h"

#define FULL_MS 10 /* between two tries to get into a full backlog */

int
agentcall_path(const char *root, char *out)
{
	return file_join(root, PATH_AGENT_SOCKET, out, PATH_SOCKET_MAX + 1);
}

/* Wait for events until the deadline. */
static int
wait_for(int fd, short events, int64_t end_ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		int64_t left_ms = end_ms - clock_mono_ms();
		int n;

		if (left_ms <= 0)
			return MUSTER_E_TIMEOUT;
		n = poll(&p, 1, (int)left_ms);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return MUSTER_E_IO;
	}
}

static int
from_errno(int number)
{
	switch (number) {
	case ENOENT:
	case ENOTDIR:
		return MUSTER_E_NOENT;
	case EACCES:
	case EPERM:
		return MUSTER_E_DENIED;
	case ECONNRESET:
	case EPIPE:
		return MUSTER_E_TRUNC;
	case ECONNREFUSED:
	case ENOTSOCK:
	case EPROTOTYPE:
		return MUSTER_E_CONNECT;
	default:
		return MUSTER_E_IO;
	}
}

/* A Unix socket connects at once or not at all: EAGAIN says that the backlog
 * is full, and nothing can be polled for a place in it. */
static int
connect_to(int fd, const char *path, int64_t end_ms)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	memcpy(addr.sun_path, path, strlen(path) + 1);
	while (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		if (errno == EISCONN)
			break;
		if (errno != EAGAIN && errno != EINTR)
			return from_errno(errno);
		if (clock_mono_ms() >= end_ms)
			return MUSTER_E_TIMEOUT;
		if (errno == EAGAIN)
			(void)poll(NULL, 0, FULL_MS);
	}
	return 0;
}

static int
send_all(int fd, const uint8_t *p, size_t len, int64_t end_ms)
{
	int err = 0;

	while (len > 0 && err == 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n >= 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			err = wait_for(fd, POLLOUT, end_ms);
		} else if (errno != EINTR) {
			err = from_errno(errno);
		}
	}
	return err;
}

/* The deadline is asked before each read, so a trickle does not outlast it. */
static int
recv_all(int fd, uint8_t *buf, size_t len, int64_t end_ms)
{
	int err = 0;

	while (len > 0 && err == 0) {
		ssize_t n;

		err = wait_for(fd, POLLIN, end_ms);
		if (err != 0)
			break;
		n = recv(fd, buf, len, 0);
		if (n > 0) {
			buf += n;
			len -= (size_t)n;
		} else if (n == 0) {
			err = MUSTER_E_TRUNC;
		} else if (errno != EAGAIN && errno != EINTR) {
			err = from_errno(errno);
		}
	}
	return err;
}

/* Send the record in buf and read the body of the reply into it. */
static int
converse(const char *path, uint8_t *buf, size_t *len_inout, int64_t end_ms)
{
	uint8_t mark[AGENT_MARK_LEN];
	int fd, err;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return MUSTER_E_IO;
	err = connect_to(fd, path, end_ms);
	if (err == 0)
		err = send_all(fd, buf, *len_inout, end_ms);
	if (err == 0)
		err = recv_all(fd, mark, sizeof(mark), end_ms);
	if (err == 0)
		err = agent_mark_decode(mark, len_inout);
	if (err == 0)
		err = recv_all(fd, buf, *len_inout, end_ms);
	(void)close(fd);
	return err;
}

/* Known before the reply is decoded, so that no second copy is needed; what is
 * no op at all is left to the decoder. */
static bool
is_to_another(const uint8_t *p, size_t len, enum agent_op op)
{
	struct rd r = rd_init(p, len);
	uint32_t err = rd_u32(&r);
	uint32_t got = rd_u32(&r);

	return r.err == 0 && err == 0 && got <= AGENT_GENERALIZE &&
	    got != (uint32_t)op;
}

int
agentcall_run(const char *root, const struct agent_request *req, int timeout_ms,
    struct agent_reply *reply_out)
{
	int64_t end_ms = clock_mono_ms() + timeout_ms;
	char path[PATH_SOCKET_MAX + 1];
	uint8_t buf[AGENT_RECORD_MAX];
	size_t len = 0;
	int err;

	err = agentcall_path(root, path);
	if (err == 0) {
		err = agent_request_encode(req, buf + AGENT_MARK_LEN,
		    AGENT_BODY_MAX, &len);
	}
	if (err == 0) {
		agent_mark_encode(len, buf);
		len += AGENT_MARK_LEN;
		err = converse(path, buf, &len, end_ms);
	}
	if (err == 0 && is_to_another(buf, len, req->op))
		err = MUSTER_E_MISMATCH;
	if (err == 0)
		err = agent_reply_decode(buf, len, reply_out);
	return err;
}
