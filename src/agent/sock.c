/* SPDX-License-Identifier: MIT */
/*
 * The agent's socket: a fixed pool of connections, each with one record in
 * and one out.  Who calls is told by the kernel, once per connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/paths.h"

#define CONNS_MAX 256          /* fifty users with a few programs each */
#define CONNS_PER_UID_MAX 128U /* so that one user leaves room for others */
#define BACKLOG 128
#define RECORD_MS 5000 /* a whole call, from connecting or the last reply */
#define WRITE_MS 5000  /* the caller takes its reply */

enum conn_state { CONN_FREE, CONN_READS, CONN_WAITS, CONN_WRITES, CONN_CLOSES };

struct conn {
	enum conn_state state;
	struct sock *sock;
	uv_pipe_t pipe;
	uv_timer_t timer;
	uv_write_t write;
	uint32_t uid;
	bool is_admin;
	bool is_last; /* close once the reply is written */
	struct agent_product *waits_for;
	size_t in_len;
	uint8_t in[AGENT_RECORD_MAX];
	uint8_t out[AGENT_RECORD_MAX];
};

struct sock {
	struct agent *agent;
	uv_pipe_t pipe;
	char path[PATH_SOCKET_MAX + 1];
	bool is_adopted;
	bool is_full; /* somebody waits for a free connection */
	bool is_closing;
	struct agent_request request;
	struct agent_reply reply;
	struct conn conn[CONNS_MAX];
};

static void on_connection(uv_stream_t *stream, int status);
static void read_on(struct conn *c);

/* ---- one connection ---- */

static void
on_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;
	struct sock *s = c->sock;

	/* the pipe goes after the timer */
	if (handle == (uv_handle_t *)&c->timer) {
		uv_close((uv_handle_t *)&c->pipe, on_closed);
		return;
	}
	c->state = CONN_FREE;
	if (s->is_full && !s->is_closing)
		on_connection((uv_stream_t *)&s->pipe, 0);
}

static void
close_conn(struct conn *c)
{
	if (c->state == CONN_CLOSES || c->state == CONN_FREE)
		return;
	c->state = CONN_CLOSES;
	c->waits_for = NULL;
	(void)uv_read_stop((uv_stream_t *)&c->pipe);
	uv_close((uv_handle_t *)&c->timer, on_closed);
}

static void
on_timer(uv_timer_t *timer)
{
	close_conn(timer->data);
}

static void
on_written(uv_write_t *write, int status)
{
	struct conn *c = write->data;

	if (c->state != CONN_WRITES)
		return;
	if (status != 0 || c->is_last)
		close_conn(c);
	else
		read_on(c);
}

static void
send_reply(struct conn *c, const struct agent_reply *reply)
{
	uv_buf_t buf = {.base = (char *)c->out, .len = 0};
	size_t len = 0;
	int err;

	err = agent_reply_encode(reply, c->out + AGENT_MARK_LEN, AGENT_BODY_MAX,
	    &len);
	if (err != 0) {
		log_event(LOG_ERROR, "call", LOG_FIELDS(LOG_CODE(err)),
		    "a reply cannot be said: %s", muster_strerror(err));
		close_conn(c);
		return;
	}
	agent_mark_encode(len, c->out);
	buf.len = AGENT_MARK_LEN + len;
	c->state = CONN_WRITES;
	c->waits_for = NULL;
	c->write.data = c;
	(void)uv_timer_start(&c->timer, on_timer, WRITE_MS, 0);
	if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &buf, 1, on_written) !=
	    0)
		close_conn(c);
}

/* A whole record is there. */
static void
take_call(struct conn *c, size_t len)
{
	struct sock *s = c->sock;
	struct agent_product *p = NULL;
	int err =
	    agent_request_decode(c->in + AGENT_MARK_LEN, len, &s->request);

	c->in_len -= AGENT_MARK_LEN + len;
	memmove(c->in, c->in + AGENT_MARK_LEN + len, c->in_len);
	(void)uv_read_stop((uv_stream_t *)&c->pipe);
	if (err != 0) {
		api_error(&s->reply, err,
		    "use a muster of the agent's own version",
		    "the call is not understood: %s", muster_strerror(err));
		c->is_last = true;
		send_reply(c, &s->reply);
		return;
	}
	c->state = CONN_WAITS;
	(void)uv_timer_stop(&c->timer);
	api_call(s->agent, &s->request, c->is_admin, &s->reply, &p);
	c->waits_for = p;
	if (p == NULL)
		send_reply(c, &s->reply);
}

static void
take_records(struct conn *c)
{
	size_t len = 0;
	int err;

	if (c->in_len < AGENT_MARK_LEN)
		return;
	err = agent_mark_decode(c->in, &len);
	if (err != 0)
		close_conn(c);
	else if (c->in_len >= AGENT_MARK_LEN + len)
		take_call(c, len);
}

static void
on_alloc(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
	struct conn *c = handle->data;

	(void)wanted;
	buf->base = (char *)c->in + c->in_len;
	buf->len = sizeof(c->in) - c->in_len;
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = stream->data;

	(void)buf;
	if (n < 0) {
		close_conn(c);
		return;
	}
	c->in_len += (size_t)n;
	if (c->state == CONN_READS)
		take_records(c);
}

static void
read_on(struct conn *c)
{
	c->state = CONN_READS;
	(void)uv_timer_start(&c->timer, on_timer, RECORD_MS, 0);
	if (uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read) != 0) {
		close_conn(c);
		return;
	}
	take_records(c); /* what came together with the last call */
}

/* ---- new connections ---- */

static uint32_t
n_of_uid(const struct sock *s, uint32_t uid)
{
	uint32_t n = 0;

	for (size_t i = 0; i < CONNS_MAX; i++)
		n += s->conn[i].state != CONN_FREE &&
		    s->conn[i].state != CONN_CLOSES && s->conn[i].uid == uid;
	return n;
}

/* As the kernel reports it, once: uid 0 of the agent's own user namespace, so
 * root of a namespace below it is the user that made that one (b37). */
static int
read_peer(struct conn *c)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)&c->pipe, &fd) != 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return MUSTER_E_DENIED;
	c->uid = peer.uid;
	c->is_admin = peer.uid == 0;
	return 0;
}

static void
on_connection(uv_stream_t *stream, int status)
{
	struct sock *s = stream->data;
	struct conn *c = NULL;

	if (status != 0)
		return;
	for (size_t i = 0; i < CONNS_MAX && c == NULL; i++) {
		if (s->conn[i].state == CONN_FREE)
			c = &s->conn[i];
	}
	s->is_full = c == NULL;
	if (s->is_full)
		return; /* it waits until a connection is closed */
	c->sock = s;
	c->uid = UINT32_MAX;
	c->in_len = 0;
	c->is_last = c->is_admin = false;
	c->waits_for = NULL;
	c->state = CONN_READS;
	(void)uv_pipe_init(s->agent->loop, &c->pipe, 0);
	(void)uv_timer_init(s->agent->loop, &c->timer);
	c->pipe.data = c->timer.data = c;
	if (uv_accept(stream, (uv_stream_t *)&c->pipe) != 0 ||
	    read_peer(c) != 0) {
		close_conn(c);
		return;
	}
	if (n_of_uid(s, c->uid) > CONNS_PER_UID_MAX) {
		api_error(&s->reply, MUSTER_E_AGAIN,
		    "close connections, and try again",
		    "user %u has %u connections to the agent open", c->uid,
		    CONNS_PER_UID_MAX);
		c->is_last = true;
		send_reply(c, &s->reply);
		return;
	}
	read_on(c);
}

/* ---- the socket ---- */

static bool
somebody_listens(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool is_there;

	if (fd < 0)
		return false;
	is_there = connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 ||
	    errno == EAGAIN;
	(void)close(fd);
	return is_there;
}

static int
bind_path(const char *path, int *fd_out)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd, err = 0;

	memcpy(at.sun_path, path, strlen(path) + 1);
	if (somebody_listens(&at))
		return MUSTER_E_LOCKED;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return MUSTER_E_IO;
	(void)unlink(path); /* left behind by a killed agent */
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		err = errno == EACCES || errno == EROFS ? MUSTER_E_DENIED
		                                        : MUSTER_E_IO;
	if (err == 0 && chmod(path, 0666) != 0)
		err = MUSTER_E_DENIED;
	if (err != 0)
		(void)close(fd);
	else
		*fd_out = fd;
	return err;
}

int
sock_listen(struct agent *a, const char *path, int fd, struct sock **sock_out)
{
	struct sock *s;
	int err = 0;

	if (strlen(path) > PATH_SOCKET_MAX)
		return MUSTER_E_TOOBIG;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return MUSTER_E_NOMEM;
	s->agent = a;
	s->is_adopted = fd >= 0;
	memcpy(s->path, path, strlen(path) + 1);
	if (fd < 0)
		err = bind_path(path, &fd);
	if (err != 0)
		goto out;
	(void)uv_pipe_init(a->loop, &s->pipe, 0);
	s->pipe.data = s;
	if (uv_pipe_open(&s->pipe, fd) != 0 ||
	    uv_listen((uv_stream_t *)&s->pipe, BACKLOG, on_connection) != 0)
		err = MUSTER_E_IO; /* the process ends */
out:
	if (err != 0) {
		free(s);
		return err;
	}
	*sock_out = s;
	return 0;
}

void
sock_done(struct sock *s, struct agent_product *p)
{
	for (size_t i = 0; i < CONNS_MAX; i++) {
		struct conn *c = &s->conn[i];

		if (c->state != CONN_WAITS || c->waits_for != p)
			continue;
		api_activated(p, &s->reply);
		send_reply(c, &s->reply);
	}
}

void
sock_close(struct sock *s)
{
	s->is_closing = true;
	if (!s->is_adopted)
		(void)unlink(s->path);
	uv_close((uv_handle_t *)&s->pipe, NULL);
	for (size_t i = 0; i < CONNS_MAX; i++)
		close_conn(&s->conn[i]);
}

void
sock_free(struct sock *s)
{
	free(s);
}
