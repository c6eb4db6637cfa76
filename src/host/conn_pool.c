/* SPDX-License-Identifier: MIT */
#include "host/conn_pool.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/clock.h"

#define ACCEPT_LOG_MS 60000

static void accept_waiting(struct conn_server *srv);

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
	accept_waiting(srv);
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
	(void)uv_timer_stop(&c->timer);
	uv_close((uv_handle_t *)&c->tcp, on_closed);
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
	(void)uv_timer_init(srv->loop, &c->timer);
	c->timer.data = c;
	return c;
}

static void
set_address(struct conn *c)
{
	struct sockaddr_storage from;
	int len = sizeof(from);

	memset(c->address, 0, sizeof(c->address));
	if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&from, &len) != 0)
		return;
	if (from.ss_family == AF_INET6) {
		memcpy(c->address, &((struct sockaddr_in6 *)&from)->sin6_addr,
		    16);
	} else if (from.ss_family == AF_INET) {
		c->address[10] = c->address[11] = 0xff;
		memcpy(c->address + 12,
		    &((struct sockaddr_in *)&from)->sin_addr, 4);
	}
}

static void
accept_one(struct conn_listen *listen)
{
	struct conn_server *srv = listen->srv;
	struct conn *c = take(srv);

	if (c == NULL) {
		/* the backlog holds it until somebody is done or gives way */
		listen->is_waiting = true;
		if (srv->oldest != NULL) {
			srv->stats.evicted++;
			conn_close(srv->oldest);
		}
		return;
	}
	listen->is_waiting = false;
	c->phase = CONN_CLOSED;
	c->is_ranked = c->is_reading = c->is_eof = c->is_owed = false;
	c->is_writing = c->is_last = false;
	c->n_calls = 0;
	c->in_len = 0;
	c->is_open = true;
	(void)uv_tcp_init(srv->loop, &c->tcp);
	c->tcp.data = c;
	srv->stats.accepted++;
	srv->stats.open++;
	if (srv->stats.open > srv->stats.open_max)
		srv->stats.open_max = srv->stats.open;
	if (uv_accept((uv_stream_t *)&listen->tcp, (uv_stream_t *)&c->tcp) !=
	    0) {
		uv_close((uv_handle_t *)&c->tcp, on_closed);
		return;
	}
	set_address(c);
	conn_begin(c);
}

static void
accept_waiting(struct conn_server *srv)
{
	for (uint32_t i = 0; i < srv->n_listens && !srv->is_stopping; i++) {
		if (srv->listens[i].is_waiting) {
			accept_one(&srv->listens[i]);
			return;
		}
	}
}

static void
on_connection(uv_stream_t *stream, int status)
{
	struct conn_listen *listen = stream->data;
	struct conn_server *srv = listen->srv;
	int64_t now_ms = clock_mono_ms();

	if (status == 0) {
		accept_one(listen);
	} else if (srv->told_ms == 0 ||
	    now_ms - srv->told_ms >= ACCEPT_LOG_MS) {
		srv->told_ms = now_ms;
		log_line(LOG_WARN, "accept",
		    "%s; raise the limit of open files", uv_strerror(status));
	}
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
	if (srv->pool == NULL) {
		free(srv);
		return MUSTER_E_NOMEM;
	}
	srv->loop = loop;
	srv->config = *config;
	*srv_out = srv;
	return 0;
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

/* Bound or handed over: the name, the options, and the first look at it. */
static int
begin_listen(struct conn_server *srv, struct conn_listen *listen)
{
	struct conn_listener *info = &srv->listeners[srv->n_listeners];
	struct sockaddr_storage at;
	int len = sizeof(at), defer_s = CONN_DEFER_S;
	uv_os_fd_t fd;
	int uv;

	uv =
	    uv_listen((uv_stream_t *)&listen->tcp, CONN_BACKLOG, on_connection);
	if (uv != 0)
		return uv;
	uv = uv_tcp_getsockname(&listen->tcp, (struct sockaddr *)&at, &len);
	if (uv != 0)
		return uv;
	if (at.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&at;

		(void)uv_ip6_name(in6, info->address, sizeof(info->address));
		info->port = ntohs(in6->sin6_port);
	} else {
		const struct sockaddr_in *in = (struct sockaddr_in *)&at;

		(void)uv_ip4_name(in, info->address, sizeof(info->address));
		info->port = ntohs(in->sin_port);
	}
	if (srv->config.first_byte_ms > CONN_DEFER_S * 1000 &&
	    uv_fileno((uv_handle_t *)&listen->tcp, &fd) == 0)
		srv->is_deferred |=
		    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_s,
		        sizeof(defer_s)) == 0;
	return 0;
}

static int
add_listener(struct conn_server *srv, const struct sockaddr *at, int fd)
{
	struct conn_listen *listen = &srv->listens[srv->n_listens];
	int uv;

	uv = uv_tcp_init(srv->loop, &listen->tcp);
	if (uv != 0)
		return uv;
	srv->n_listens++;
	listen->tcp.data = listen;
	listen->srv = srv;
	if (at == NULL)
		uv = uv_tcp_open(&listen->tcp, fd);
	else
		uv = uv_tcp_bind(&listen->tcp, at,
		    at->sa_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0);
	if (uv == 0)
		uv = begin_listen(srv, listen);
	if (uv != 0) {
		uv_close((uv_handle_t *)&listen->tcp, NULL);
		return uv;
	}
	srv->n_listeners++;
	return 0;
}

int
conn_server_listen(struct conn_server *srv, const char *address, uint16_t port,
    struct problem *problem)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} at;
	int uv;

	if (srv->n_listens >= CONN_LISTENERS_MAX)
		return problem_set(problem, MUSTER_E_FULL, 500, "listeners",
		    "listen on fewer addresses", "too many listeners");
	memset(&at, 0, sizeof(at));
	if (strchr(address, ':') != NULL)
		uv = uv_ip6_addr(address, port, &at.in6);
	else
		uv = uv_ip4_addr(address, port, &at.in);
	if (uv == 0)
		uv = add_listener(srv, &at.any, -1);
	return uv == 0 ? 0 : listen_problem(problem, uv, address, port);
}

int
conn_server_adopt(struct conn_server *srv, int fd, struct problem *problem)
{
	int uv;

	if (srv->n_listens >= CONN_LISTENERS_MAX)
		return problem_set(problem, MUSTER_E_FULL, 500, "listeners",
		    "hand over fewer sockets", "too many listeners");
	uv = add_listener(srv, NULL, fd);
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
	uv_os_fd_t fd;

	return c->phase != CONN_CLOSED && c->is_reading &&
	    uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0 &&
	    ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0;
}

void
conn_server_stop(struct conn_server *srv, conn_stopped_fn *stopped, void *arg)
{
	if (srv->is_stopping)
		return;
	srv->is_stopping = true;
	srv->stopped = stopped;
	srv->arg = arg;
	for (uint32_t i = 0; i < srv->n_listens; i++) {
		uv_handle_t *handle = (uv_handle_t *)&srv->listens[i].tcp;

		if (!uv_is_closing(handle))
			uv_close(handle, NULL);
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
	free(srv->pool);
	free(srv);
}
