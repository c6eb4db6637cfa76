/* SPDX-License-Identifier: MIT */
#include "client/stream.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/asking.h"
#include "wire/rpc.h"

/* The connections that are being tried; a slot without one has fd -1. */
struct tries {
	struct pollfd fd[STREAM_ADDRS_MAX];
	size_t n; /* begun */
	size_t n_open;
};

int64_t
stream_end_ms(int64_t wait_ms)
{
	return clock_mono_ms() + wait_ms;
}

void
stream_close(int fd)
{
	if (fd >= 0)
		(void)close(fd);
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

/* ---- connecting ---- */

static void
begin(struct tries *t, const union resolvconf_addr *addr)
{
	socklen_t len = addr->any.sa_family == AF_INET ? sizeof(addr->v4)
	                                               : sizeof(addr->v6);
	int fd = socket(addr->any.sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, &addr->any, len) != 0 &&
	    errno != EINPROGRESS) {
		stream_close(fd);
		fd = -1;
	}
	t->fd[t->n++] = (struct pollfd){.fd = fd, .events = POLLOUT};
	t->n_open += fd >= 0 ? 1 : 0;
}

/* The one that is connected, or -1; what failed is closed. */
static int
connected(struct tries *t)
{
	for (size_t i = 0; i < t->n; i++) {
		socklen_t len = sizeof(int);
		int number = 0;

		if (t->fd[i].fd < 0 || t->fd[i].revents == 0)
			continue;
		if (getsockopt(t->fd[i].fd, SOL_SOCKET, SO_ERROR, &number,
		        &len) == 0 &&
		    number == 0)
			return (int)i;
		stream_close(t->fd[i].fd);
		t->fd[i].fd = -1;
		t->n_open--;
	}
	return -1;
}

int
stream_connect(const union resolvconf_addr *addr, size_t n, int64_t end_ms,
    int *fd_out)
{
	struct tries t = {.n = 0};
	int64_t next_ms = 0;
	int winner = -1, err = 0;

	assert(n > 0 && n <= STREAM_ADDRS_MAX);
	while (winner < 0 && err == 0) {
		int64_t now_ms = clock_mono_ms(), until_ms = end_ms;

		if (now_ms >= end_ms) {
			err = MUSTER_E_TIMEOUT;
			break;
		}
		if (t.n < n && (t.n_open == 0 || now_ms >= next_ms)) {
			begin(&t, &addr[t.n]);
			next_ms = now_ms + STREAM_NEXT_MS;
			if (t.n_open == 0)
				continue;
		}
		if (t.n_open == 0) {
			err = MUSTER_E_CONNECT;
			break;
		}
		if (t.n < n && next_ms < end_ms)
			until_ms = next_ms;
		if (until_ms < now_ms)
			until_ms = now_ms;
		if (poll(t.fd, t.n, (int)(until_ms - now_ms)) < 0 &&
		    errno != EINTR)
			err = MUSTER_E_IO;
		else
			winner = connected(&t);
	}
	for (size_t i = 0; i < t.n; i++) {
		if ((int)i != winner)
			stream_close(t.fd[i].fd);
	}
	if (winner >= 0)
		*fd_out = t.fd[winner].fd;
	return err;
}

/* ---- sending and receiving ---- */

int
stream_send(int fd, const uint8_t *p, size_t len, bool has_more, int64_t end_ms)
{
	int err = 0;

	while (len > 0 && err == 0) {
		ssize_t n =
		    send(fd, p, len, MSG_NOSIGNAL | (has_more ? MSG_MORE : 0));

		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			err = wait_for(fd, POLLOUT, end_ms);
		} else if (errno != EINTR) {
			err = MUSTER_E_IO;
		}
	}
	return err;
}

int
stream_recv(int fd, uint8_t *buf, size_t len, int64_t end_ms)
{
	int err = 0;

	while (len > 0 && err == 0) {
		ssize_t n = recv(fd, buf, len, 0);

		if (n > 0) {
			buf += n;
			len -= (size_t)n;
		} else if (n == 0) {
			err = MUSTER_E_TRUNC;
		} else if (errno == EAGAIN) {
			err = wait_for(fd, POLLIN, end_ms);
		} else if (errno != EINTR) {
			err = MUSTER_E_IO;
		}
	}
	return err;
}

int
stream_exchange(const union resolvconf_addr *addr, size_t n, int connect_ms,
    const uint8_t *rec, size_t len, bool *is_connected_out, uint8_t *body_out,
    size_t *len_out)
{
	uint8_t mark[RPC_MARK_LEN];
	const int64_t end_ms = stream_end_ms(ASKING_MS);
	size_t body_len = 0;
	int fd = -1;
	int err = stream_connect(addr, n, stream_end_ms(connect_ms), &fd);

	*is_connected_out = err == 0;
	if (err != 0)
		return err;
	err = stream_send(fd, rec, len, true, end_ms);
	if (err == 0 && shutdown(fd, SHUT_WR) != 0)
		err = MUSTER_E_IO;
	if (err == 0)
		err = stream_recv(fd, mark, sizeof(mark), end_ms);
	if (err == 0)
		err = rpc_mark_decode(mark, &body_len);
	if (err == 0)
		err = stream_recv(fd, body_out, body_len, end_ms);
	if (err == 0)
		*len_out = body_len;
	stream_close(fd);
	return err;
}
