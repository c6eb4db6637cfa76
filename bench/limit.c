/* SPDX-License-Identifier: MIT */
/*
 * limit.c -- the least that one activation can cost in the host's own
 * connection shape: accept (deferred until the call is here), read, reply
 * with FIN, close.  Nothing is decoded, counted or known.
 *
 * usage: bench_limit [--sign] [--fsync FILE]
 *
 *   --sign   one Ed25519 signature a reply, over a label and the call's
 *            product and CMID
 *   --fsync  beside it the batch, which is what one turn of the loop brings
 *            in, is written and synced before its replies leave
 *
 * Prints its port and its public key.
 */
#include <errno.h>
#include <getopt.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool.h"
#include "trust/label.h"
#include "wire/rpc.h"

#define BATCH_MAX 256 /* as many as a turn of the host takes */
#define BACKLOG 4096
#define DEFER_S 1
#define SIG_OFFSET 8                     /* behind mark and xid */
#define SIGNED_OFFSET (4 + RPC_CALL_LEN) /* behind mark and header */
#define SIGNED_LEN 32                    /* product and CMID */
#define LOG_LEN ((off_t)64 << 20)        /* then it begins anew */

struct limit {
	bool is_signed;
	int log_fd; /* or -1 */
	off_t log_at;
	uint8_t sk[SECKEY_LEN];
	int listen_fd;
	uint32_t n;
	int fds[BATCH_MAX];
	uint8_t calls[BATCH_MAX][RPC_RECORD_MAX];
};

/* What came is written once more, as a host would keep it. */
static int
sync_batch(struct limit *l)
{
	size_t len = l->n * sizeof(l->calls[0]);

	if (l->log_at + (off_t)len > LOG_LEN)
		l->log_at = 0;
	if (pwrite(l->log_fd, l->calls, len, l->log_at) != (ssize_t)len)
		return -1;
	l->log_at += (off_t)len;
	return fdatasync(l->log_fd);
}

static void
answer(const struct limit *l, int fd, const uint8_t *call)
{
	uint8_t reply[RPC_RECORD_MAX] = {0x80, 0, 0, RPC_BODY_MAX};
	uint8_t text[LABEL_LEN + SIGNED_LEN] = LABEL_ROOT;

	memcpy(reply + RPC_MARK_LEN, call + RPC_MARK_LEN, 4);
	if (l->is_signed) {
		memcpy(text + LABEL_LEN, call + SIGNED_OFFSET, SIGNED_LEN);
		label_sign(l->sk, text, sizeof(text), reply + SIG_OFFSET);
	}
	(void)send(fd, reply, sizeof(reply), MSG_NOSIGNAL | MSG_MORE);
	(void)close(fd);
}

/* All that waits, up to a batch; false: nothing does. */
static bool
take_batch(struct limit *l)
{
	l->n = 0;
	while (l->n < BATCH_MAX) {
		int fd = accept4(l->listen_fd, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			break;
		if (recv(fd, l->calls[l->n], RPC_RECORD_MAX, 0) <=
		    SIGNED_OFFSET + SIGNED_LEN) {
			(void)close(fd);
			continue;
		}
		l->fds[l->n++] = fd;
	}
	return l->n > 0;
}

static int
serve(struct limit *l)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, l->listen_fd, &ev) != 0)
		return 1;
	for (;;) {
		if (epoll_wait(epoll, &ev, 1, -1) < 0 && errno != EINTR)
			return 1;
		while (take_batch(l)) {
			if (l->log_fd >= 0 && sync_batch(l) != 0)
				return 1;
			for (uint32_t i = 0; i < l->n; i++)
				answer(l, l->fds[i], l->calls[i]);
		}
	}
}

static int
open_port(struct limit *l, uint16_t *port_out)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int defer_s = DEFER_S;

	l->listen_fd =
	    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->listen_fd < 0 ||
	    bind(l->listen_fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    setsockopt(l->listen_fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_s,
	        sizeof(defer_s)) != 0 ||
	    listen(l->listen_fd, BACKLOG) != 0 ||
	    getsockname(l->listen_fd, (struct sockaddr *)&at, &len) != 0)
		return 1;
	*port_out = ntohs(at.sin_port);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {{"sign", no_argument, NULL,
	                                            's'},
	    {"fsync", required_argument, NULL, 'f'}, {NULL, 0, NULL, 0}};
	static struct limit limit = {.log_fd = -1};
	uint8_t pk[PUBKEY_LEN];
	uint16_t port;
	int c;

	if (sodium_init() < 0)
		return 1;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			limit.is_signed = true;
		else if (c == 'f')
			limit.log_fd =
			    open(optarg, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (c == '?' || (c == 'f' && limit.log_fd < 0))
			return 2;
	}
	(void)crypto_sign_keypair(pk, limit.sk);
	if (open_port(&limit, &port) != 0)
		return 1;
	(void)printf("port %u key ", port);
	for (size_t i = 0; i < sizeof(pk); i++)
		(void)printf("%02x", pk[i]);
	(void)puts("");
	(void)fflush(stdout);
	return serve(&limit);
}
