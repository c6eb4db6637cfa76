/* SPDX-License-Identifier: MIT */
#include "host/conn_pool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/conn_guard.h"

#define ACCEPT_LOG_MS 60000
/* Without a file to be had anywhere; as OpenSSH rests.  Ten turns a second cost
 * nothing, and who waits in the backlog hardly notices. */
#define REST_MS 100

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static void listen_start(struct conn_server *srv);

static void
unrank(struct conn *c)
{
	struct conn_server *srv = c->srv;

	if (!c->is_ranked)
		return;
	c->is_ranked = false;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		srv->oldest = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	else
		srv->newest = c->prev;
	c->next = c->prev = NULL;
}

void
conn_pool_rank(struct conn *c)
{
	struct conn_server *srv = c->srv;

	unrank(c);
	if (c->phase == CONN_OWED || c->phase == CONN_CLOSED)
		return;
	c->is_ranked = true;
	c->prev = srv->newest;
	if (srv->newest != NULL)
		srv->newest->next = c;
	else
		srv->oldest = c;
	srv->newest = c;
}

static void
all_closed(struct conn_server *srv)
{
	conn_stopped_fn *stopped = srv->stopped;

	if (!srv->is_stopping || srv->stats.open != 0 || stopped == NULL)
		return;
	srv->stopped = NULL;
	for (uint32_t i = 0; i < srv->n_used; i++)
		uv_close((uv_handle_t *)&srv->pool[i].timer, NULL);
	stopped(srv->arg);
}

void
conn_pool_release(struct conn *c)
{
	struct conn_server *srv = c->srv;

	if (c->is_open || c->is_owed)
		return;
	c->next = srv->free;
	srv->free = c;
	srv->stats.open--;
	if (srv->is_full) {
		srv->is_full = false;
		listen_start(srv);
	}
	all_closed(srv);
}

static void
on_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;

	c->is_open = false;
	conn_pool_release(c);
}

void
conn_close(struct conn *c)
{
	if (c->phase == CONN_CLOSED)
		return;
	c->phase = CONN_CLOSED;
	unrank(c);
	conn_guard_leave(c);
	(void)uv_timer_stop(&c->timer);
	if (c->is_watched) {
		uv_close((uv_handle_t *)&c->tcp, on_closed);
		return;
	}
	(void)close(c->fd);
	c->is_open = false;
	conn_pool_release(c);
}

int
conn_watch(struct conn *c)
{
	int uv;

	if (c->is_watched)
		return 0;
	c->is_watched = true;
	uv = uv_tcp_init(c->srv->loop, &c->tcp);
	c->tcp.data = c;
	if (uv == 0)
		uv = uv_tcp_open(&c->tcp, c->fd);
	if (uv != 0)
		(void)close(c->fd); /* the handle has not got it */
	return uv;
}

static struct conn *
take(struct conn_server *srv)
{
	struct conn *c = srv->free;

	if (c != NULL) {
		srv->free = c->next;
		c->next = NULL;
		return c;
	}
	if (srv->n_used == srv->config.connections)
		return NULL;
	c = &srv->pool[srv->n_used++];
	c->srv = srv;
	c->phase = CONN_CLOSED;
	(void)uv_timer_init(srv->loop, &c->timer);
	c->timer.data = c;
	return c;
}

static void
set_address(struct conn *c, const union address *from)
{
	memset(c->address, 0, sizeof(c->address));
	if (from->any.sa_family == AF_INET6) {
		memcpy(c->address, &from->in6.sin6_addr, 16);
	} else if (from->any.sa_family == AF_INET) {
		c->address[10] = c->address[11] = 0xff;
		memcpy(c->address + 12, &from->in.sin_addr, 4);
	}
}

static void
listen_stop(struct conn_server *srv)
{
	for (uint32_t i = 0; i < srv->n_listeners; i++)
		(void)uv_poll_stop(&srv->listens[i].poll);
}

/* The backlog holds who comes until somebody is done, or gives way. */
static void
make_room(struct conn_server *srv)
{
	srv->is_full = true;
	listen_stop(srv);
	if (srv->oldest != NULL) {
		srv->stats.evicted++;
		conn_close(srv->oldest);
	}
}

static void
on_rested(uv_timer_t *timer)
{
	struct conn_server *srv = timer->data;

	srv->is_resting = false;
	if (srv->spare_fd < 0)
		srv->spare_fd = eventfd(0, EFD_CLOEXEC);
	listen_start(srv);
}

/* Whoever waits would wake us up at once, again and again. */
static void
rest(struct conn_server *srv)
{
	srv->is_resting = true;
	listen_stop(srv);
	(void)uv_timer_start(&srv->rest_timer, on_rested, REST_MS, 0);
}

/* Without a file for it a connection would wait for ever, and wake us up for
 * ever: those that wait are closed, by a file that is kept for this.  Another
 * thread or process may have taken that one meanwhile. */
static void
shed(struct conn_server *srv, int listen_fd)
{
	bool has_none;
	int fd = -1;

	if (srv->spare_fd >= 0)
		(void)close(srv->spare_fd);
	errno = EINTR;
	/* who goes on coming meanwhile waits for the loop's next round */
	for (int n = 0; n < CONN_BACKLOG && (fd >= 0 || errno == EINTR); n++) {
		fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			(void)close(fd);
	}
	has_none = fd < 0 && (errno == EMFILE || errno == ENFILE);
	srv->spare_fd = eventfd(0, EFD_CLOEXEC);
	if (has_none || srv->spare_fd < 0)
		rest(srv);
}

/* May the next one be tried at once? */
static bool
accept_failed(struct conn_listen *listen, int error)
{
	struct conn_server *srv = listen->srv;
	int64_t now_ms = clock_mono_ms();

	if (error == EAGAIN)
		return false;
	if (error == EINTR || error == ECONNABORTED)
		return true;
	if (srv->told_ms == 0 || now_ms - srv->told_ms >= ACCEPT_LOG_MS) {
		srv->told_ms = now_ms;
		log_line(LOG_WARN, "accept",
		    "%s; raise the limit of open files", strerror(error));
	}
	if (error == EMFILE || error == ENFILE)
		shed(srv, listen->fd);
	return false;
}

static void
begin(struct conn *c, int fd, const union address *from)
{
	struct conn_server *srv = c->srv;

	c->fd = fd;
	c->is_ranked = c->is_reading = c->is_eof = c->is_owed = false;
	c->is_writing = c->is_last = c->is_watched = false;
	c->n_calls = 0;
	c->in_len = 0;
	c->is_open = true;
	srv->stats.accepted++;
	srv->stats.open++;
	if (srv->stats.open > srv->stats.open_max)
		srv->stats.open_max = srv->stats.open;
	set_address(c, from);
	c->is_refused = !conn_guard_admit(c);
	conn_begin(c);
}

/* False: that is all for now. */
static bool
accept_one(struct conn_listen *listen)
{
	struct conn_server *srv = listen->srv;
	union address from = {.any.sa_family = AF_UNSPEC};
	socklen_t len = sizeof(from);
	struct conn *c = take(srv);
	int fd;

	if (c == NULL)
		return false;
	fd = accept4(listen->fd, &from.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		int error = errno;

		c->next = srv->free;
		srv->free = c;
		return accept_failed(listen, error);
	}
	begin(c, fd, &from);
	return true;
}

/* An error of the socket stands in what accept4() returns. */
static void
on_connection(uv_poll_t *poll, int status, int events)
{
	struct conn_listen *listen = poll->data;
	struct conn_server *srv = listen->srv;
	uint32_t n = 0;

	(void)status;
	(void)events;
	if (srv->free == NULL && srv->n_used == srv->config.connections) {
		make_room(srv);
		return;
	}
	while (n < CONN_ACCEPTS && !srv->is_stopping && accept_one(listen))
		n++;
}

static void
listen_start(struct conn_server *srv)
{
	if (srv->is_full || srv->is_resting || srv->is_stopping)
		return;
	for (uint32_t i = 0; i < srv->n_listeners; i++)
		(void)uv_poll_start(&srv->listens[i].poll, UV_READABLE,
		    on_connection);
}

int
conn_server_new(uv_loop_t *loop, const struct host_config *config,
    struct conn_server **srv_out)
{
	struct conn_server *srv = calloc(1, sizeof(*srv));

	if (srv == NULL)
		return MUSTER_E_NOMEM;
	/* zeros that are not touched are not yet memory: used lowest first */
	srv->pool = calloc(config->connections, sizeof(*srv->pool));
	srv->unsent = calloc(config->connections, sizeof(*srv->unsent));
	if (srv->pool == NULL || srv->unsent == NULL) {
		free(srv->unsent);
		free(srv->pool);
		free(srv);
		return MUSTER_E_NOMEM;
	}
	srv->loop = loop;
	srv->config = *config;
	srv->spare_fd = eventfd(0, EFD_CLOEXEC);
	if (conn_guard_new(srv) != 0) {
		conn_server_free(srv);
		return MUSTER_E_NOMEM;
	}
	(void)uv_timer_init(loop, &srv->rest_timer);
	srv->rest_timer.data = srv;
	*srv_out = srv;
	return 0;
}

void
conn_server_configure(struct conn_server *srv, const struct host_config *config)
{
	const uint32_t connections = srv->config.connections;

	srv->config = *config;
	srv->config.connections = connections;
	srv->limits.per_minute = config->source_rate;
}

void
conn_server_attach(struct conn_server *srv, struct turnloop *tl)
{
	srv->turnloop = tl;
}

static int
listen_problem(struct problem *problem, int uv, const char *address,
    uint16_t port)
{
	switch (uv) {
	case UV_EADDRINUSE:
		return problem_set(problem, MUSTER_E_EXIST, 500, "port_in_use",
		    "end the program that has it (`ss -ltnp` names it), or set "
		    "another port in musterd.conf",
		    "%s port %u is in use", address, port);
	case UV_EACCES:
	case UV_EPERM:
		return problem_set(problem, MUSTER_E_DENIED, 500, "port_denied",
		    "set a port above 1023 in musterd.conf",
		    "%s port %u needs a right that musterd does not have",
		    address, port);
	case UV_EADDRNOTAVAIL:
	case UV_EAFNOSUPPORT:
		return problem_set(problem, MUSTER_E_NOENT, 500, "no_address",
		    "set `listen` in musterd.conf to addresses of this machine "
		    "(`ip address` shows them)",
		    "%s is no address of this machine", address);
	default:
		return problem_set(problem, MUSTER_E_IO, 500, "listen",
		    "look at the system's log", "%s port %u: %s", address, port,
		    uv_strerror(uv));
	}
}

/* Connections inherit it.  Without, a peer that is silent or sends without end
 * costs the kernel more than it costs us. */
static void
limit_kernel(int fd)
{
	int len = CONN_KERNEL_LEN;
	unsigned ms = CONN_UNACKED_MS;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &len, sizeof(len));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &len, sizeof(len));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

static void
name(struct conn_listener *info, const union address *at)
{
	if (at->any.sa_family == AF_INET6) {
		(void)uv_ip6_name(&at->in6, info->address,
		    sizeof(info->address));
		info->port = ntohs(at->in6.sin6_port);
	} else {
		(void)uv_ip4_name(&at->in, info->address,
		    sizeof(info->address));
		info->port = ntohs(at->in.sin_port);
	}
}

/* Bound or handed over: the name, the options, and the first look at it. */
static int
begin_listen(struct conn_server *srv, int fd)
{
	struct conn_listen *l = &srv->listens[srv->n_listeners];
	union address at = {.any.sa_family = AF_UNSPEC};
	socklen_t len = sizeof(at);
	int defer_s = CONN_DEFER_S;
	int uv;

	if (listen(fd, CONN_BACKLOG) != 0 ||
	    getsockname(fd, &at.any, &len) != 0)
		return uv_translate_sys_error(errno);
	uv = uv_poll_init_socket(srv->loop, &l->poll, fd);
	if (uv != 0)
		return uv;
	name(&srv->listeners[srv->n_listeners++], &at);
	l->poll.data = l;
	l->srv = srv;
	l->fd = fd;
	limit_kernel(fd);
	if (srv->config.first_byte_ms > CONN_DEFER_S * 1000)
		srv->is_deferred |=
		    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_s,
		        sizeof(defer_s)) == 0;
	/* it fails for what is closing, or polled already */
	(void)uv_poll_start(&l->poll, UV_READABLE, on_connection);
	return 0;
}

static int
bound(const union address *at, int *fd_out)
{
	bool is_v6 = at->any.sa_family == AF_INET6;
	int on = 1;
	int fd = socket(at->any.sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*fd_out = fd;
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    (is_v6 &&
	        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) !=
	            0) ||
	    bind(fd, &at->any, is_v6 ? sizeof(at->in6) : sizeof(at->in)) != 0)
		return uv_translate_sys_error(errno);
	return 0;
}

int
conn_server_listen(struct conn_server *srv, const char *address, uint16_t port,
    struct problem *problem)
{
	union address at;
	int fd = -1;
	int uv;

	if (srv->n_listeners >= CONN_LISTENERS_MAX)
		return problem_set(problem, MUSTER_E_FULL, 500, "listeners",
		    "listen on fewer addresses", "too many listeners");
	memset(&at, 0, sizeof(at));
	if (strchr(address, ':') != NULL)
		uv = uv_ip6_addr(address, port, &at.in6);
	else
		uv = uv_ip4_addr(address, port, &at.in);
	if (uv == 0)
		uv = bound(&at, &fd);
	if (uv == 0)
		uv = begin_listen(srv, fd);
	if (uv != 0 && fd >= 0)
		(void)close(fd);
	return uv == 0 ? 0 : listen_problem(problem, uv, address, port);
}

int
conn_server_adopt(struct conn_server *srv, int fd, struct problem *problem)
{
	int uv;

	if (srv->n_listeners >= CONN_LISTENERS_MAX)
		return problem_set(problem, MUSTER_E_FULL, 500, "listeners",
		    "hand over fewer sockets", "too many listeners");
	uv = begin_listen(srv, fd);
	return uv == 0 ? 0 : listen_problem(problem, uv, "handed over", 0);
}

const struct conn_listener *
conn_server_listeners(const struct conn_server *srv, uint32_t *n_out)
{
	*n_out = srv->n_listeners;
	return srv->listeners;
}

const struct conn_stats *
conn_server_stats(const struct conn_server *srv)
{
	return &srv->stats;
}

/* Bytes of a call that wait in the kernel, to be read in this turn. */
static bool
has_unread(const struct conn *c)
{
	int waiting = 0;

	return c->phase != CONN_CLOSED && c->is_reading &&
	    ioctl(c->fd, FIONREAD, &waiting) == 0 && waiting > 0;
}

void
conn_server_stop(struct conn_server *srv, conn_stopped_fn *stopped, void *arg)
{
	if (srv->is_stopping)
		return;
	srv->is_stopping = true;
	srv->stopped = stopped;
	srv->arg = arg;
	uv_close((uv_handle_t *)&srv->rest_timer, NULL);
	for (uint32_t i = 0; i < srv->n_listeners; i++) {
		uv_close((uv_handle_t *)&srv->listens[i].poll, NULL);
		(void)close(srv->listens[i].fd);
	}
	for (uint32_t i = 0; i < srv->n_used; i++) {
		struct conn *c = &srv->pool[i];

		/* owed, on its way or not yet read: it closes by itself
		 * after the reply */
		if (has_unread(c))
			continue;
		if (c->phase != CONN_CLOSED && c->phase != CONN_OWED &&
		    c->phase != CONN_WRITING && c->phase != CONN_DRAINING)
			conn_close(c);
	}
	all_closed(srv);
}

void
conn_server_abort(struct conn_server *srv)
{
	for (uint32_t i = 0; i < srv->n_used; i++) {
		if (srv->pool[i].is_open)
			conn_close(&srv->pool[i]);
	}
}

void
conn_server_free(struct conn_server *srv)
{
	if (srv == NULL)
		return;
	if (srv->spare_fd >= 0)
		(void)close(srv->spare_fd);
	free(srv->sources);
	free(srv->unsent);
	free(srv->pool);
	free(srv);
}
