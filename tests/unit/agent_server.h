/* SPDX-License-Identifier: MIT */
/*
 * agent_server.h -- an agent that does what it likes: a local server in a
 * thread, under a root of its own.
 */
#ifndef MUSTER_AGENT_SERVER_H
#define MUSTER_AGENT_SERVER_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "client/agentcall.h"

#include "agent_fixture.h"
#include "tap.h"

#define LONG_MS 20000

static char root[] = "/tmp/muster-agent.XXXXXX";
static char path[PATH_SOCKET_MAX + 1];

/* What the server does with each of n connections, one after another. */
struct act {
	unsigned n;
	bool is_deaf;  /* reads nothing */
	size_t len;    /* bytes it answers */
	int pause_ms;  /* before each byte; 0: all at once */
	int hold_ms;   /* at most, before it closes */
	int accept_ms; /* before the first accept */
	size_t got;    /* out: bytes of the last call, and they */
	uint8_t call[AGENT_RECORD_MAX];
	bool has_seen_end; /* out: the client closed within hold_ms */
	uint8_t bytes[AGENT_RECORD_MAX];
	int fd;
	pthread_t thread;
};

static inline int
listen_on(int backlog)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval wait = {.tv_sec = LONG_MS / 4000};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(addr.sun_path, path, sizeof(path));
	(void)unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
	    listen(fd, backlog) != 0)
		ok(!"the server listens");
	/* no call comes: the test is red, it does not hang */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return fd;
}

static inline void
pause_for(int ms)
{
	(void)usleep((useconds_t)ms * 1000);
}

static inline void
answer(struct act *act, int fd)
{
	struct timeval hold = {.tv_sec = act->hold_ms / 1000,
	    .tv_usec = act->hold_ms % 1000 * 1000};
	size_t step = act->pause_ms == 0 ? act->len : 1;
	ssize_t n =
	    act->is_deaf ? 0 : recv(fd, act->call, sizeof(act->call), 0);
	uint8_t more;

	act->got = n > 0 ? (size_t)n : 0;
	for (size_t i = 0; i < act->len; i += step) {
		if (act->pause_ms != 0)
			pause_for(act->pause_ms);
		if (send(fd, act->bytes + i, step, MSG_NOSIGNAL) < 0)
			break;
	}
	if (act->hold_ms != 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &hold,
		    sizeof(hold));
		act->has_seen_end = recv(fd, &more, 1, 0) == 0;
	}
}

static inline void *
serve(void *arg)
{
	struct act *act = arg;
	sigset_t all;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, NULL);
	pause_for(act->accept_ms);
	for (unsigned i = 0; i < act->n; i++) {
		int fd = accept(act->fd, NULL, NULL);

		if (fd < 0)
			break;
		answer(act, fd);
		(void)close(fd);
	}
	return NULL;
}

static inline void
begin(struct act *act)
{
	act->n = act->n == 0 ? 1 : act->n;
	act->fd = listen_on(16);
	if (pthread_create(&act->thread, NULL, serve, act) != 0)
		ok(!"a thread starts");
}

static inline void
end(struct act *act)
{
	(void)pthread_join(act->thread, NULL);
	(void)close(act->fd);
	(void)unlink(path);
}

static inline void
sample_reply(struct agent_reply *reply)
{
	struct message m;

	sample_message(S_REPLY(AGENT_INFO), &m);
	*reply = m.u.reply;
}

/* The record of a reply that act is to send. */
static inline void
put_reply(struct act *act, const struct agent_reply *reply)
{
	size_t len = 0;

	if (agent_reply_encode(reply, act->bytes + AGENT_MARK_LEN,
	        AGENT_BODY_MAX, &len) != 0)
		ok(!"a reply encodes");
	agent_mark_encode(len, act->bytes);
	act->len = AGENT_MARK_LEN + len;
}

static inline void
server_init(void)
{
	ok(mkdtemp(root) != NULL);
	(void)snprintf(path, sizeof(path), "%s%s", root, PATH_RUN);
	is(file_mkdirs(path, 0755), 0);
	is(agentcall_path(root, path), 0);
}

static inline void
server_deinit(void)
{
	char command[64];

	(void)snprintf(command, sizeof(command), "rm -rf %s", root);
	ok(system(command) == 0);
}

#endif /* MUSTER_AGENT_SERVER_H */
