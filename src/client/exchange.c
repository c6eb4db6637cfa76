/* SPDX-License-Identifier: MIT */
#include "client/exchange.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

static int
parse_port(const char *text, char *out)
{
	size_t len = strspn(text, "0123456789");
	unsigned long port;

	if (len == 0 || text[len] != '\0')
		return MUSTER_E_PROTO;
	port = len <= 5 ? strtoul(text, NULL, 10) : 0;
	if (port < 1 || port > 65535)
		return MUSTER_E_RANGE;
	(void)snprintf(out, 6, "%lu", port);
	return 0;
}

int
exchange_parse(const char *text, struct exchange_target *target_out)
{
	static const char dns[] = "abcdefghijklmnopqrstuvwxyz"
	                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	static const char v6[] = "0123456789abcdefABCDEF:.%";
	struct exchange_target t = {.port = EXCHANGE_PORT};
	bool is_v6 = text[0] == '[';
	const char *start = text + (is_v6 ? 1 : 0);
	size_t len = is_v6 ? strcspn(start, "]") : strspn(start, dns);
	const char *rest = start + len;
	int err = 0;

	if (len > EXCHANGE_NAME_MAX)
		return MUSTER_E_TOOBIG;
	memcpy(t.name, start, len);
	if (len == 0 ||
	    (is_v6 && (rest[0] != ']' || strcspn(t.name, ":") == len)))
		return MUSTER_E_PROTO;
	if (is_v6) {
		/* a zone (%eth0) may hold any letter */
		if (strspn(t.name, v6) < strcspn(t.name, "%"))
			return MUSTER_E_PROTO;
		rest++;
	}
	if (rest[0] == ':')
		err = parse_port(rest + 1, t.port);
	else if (rest[0] != '\0')
		err = MUSTER_E_PROTO;
	if (err != 0)
		return err;
	(void)snprintf(t.text, sizeof(t.text), is_v6 ? "[%s]:%s" : "%s:%s",
	    t.name, t.port);
	*target_out = t;
	return 0;
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
connect_one(const struct addrinfo *ai, int64_t end_ms, int *fd_out)
{
	socklen_t len = sizeof(int);
	int number = 0, err = 0, fd;

	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd < 0)
		return MUSTER_E_CONNECT;
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) != 0) {
		err = errno == EINPROGRESS ? wait_for(fd, POLLOUT, end_ms)
		                           : MUSTER_E_CONNECT;
		if (err == 0 &&
		    (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0 ||
		        number != 0))
			err = MUSTER_E_CONNECT;
	}
	if (err == 0)
		*fd_out = fd;
	else
		(void)close(fd);
	return err;
}

/* The first address that takes the connection. */
static int
connect_any(const struct addrinfo *list, bool has_more, int64_t end_ms,
    int *fd_out)
{
	int err = MUSTER_E_CONNECT;

	for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
		int64_t until_ms = clock_mono_ms() + EXCHANGE_CONNECT_MS;

		if (until_ms > end_ms || (!has_more && ai->ai_next == NULL))
			until_ms = end_ms;
		err = connect_one(ai, until_ms, fd_out);
		if (err == 0)
			break;
	}
	return err;
}

/* MSG_MORE holds the bytes back until the FIN goes with them. */
static int
send_all(int fd, const uint8_t *rec, size_t len, int64_t end_ms)
{
	int err = 0;

	while (len > 0 && err == 0) {
		ssize_t n = send(fd, rec, len, MSG_NOSIGNAL | MSG_MORE);

		if (n > 0) {
			rec += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			err = wait_for(fd, POLLOUT, end_ms);
		} else if (errno != EINTR) {
			err = MUSTER_E_IO;
		}
	}
	if (err == 0 && shutdown(fd, SHUT_WR) != 0)
		err = MUSTER_E_IO;
	return err;
}

static int
recv_all(int fd, uint8_t *buf, size_t len, int64_t end_ms)
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
exchange_run(const struct exchange_target *target, bool has_more,
    const uint8_t *rec, size_t len, uint8_t *body_out, size_t *len_out)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	uint8_t mark[RPC_MARK_LEN];
	size_t body_len = 0;
	int64_t end_ms;
	int fd = -1, err;

	if (getaddrinfo(target->name, target->port, &hints, &list) != 0)
		return MUSTER_E_RESOLVE;
	end_ms = clock_mono_ms() + EXCHANGE_MS;
	err = connect_any(list, has_more, end_ms, &fd);
	if (err == 0)
		err = send_all(fd, rec, len, end_ms);
	if (err == 0)
		err = recv_all(fd, mark, sizeof(mark), end_ms);
	if (err == 0)
		err = rpc_mark_decode(mark, &body_len);
	if (err == 0)
		err = recv_all(fd, body_out, body_len, end_ms);
	if (err == 0)
		*len_out = body_len;
	if (fd >= 0)
		(void)close(fd);
	freeaddrinfo(list);
	return err;
}
