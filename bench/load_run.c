/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tool.h"

#define EVENTS_MAX 256
#define SILENCE_NS INT64_C(30000000000) /* nothing from the server: give up */
#define BARE_LEN 250
#define BARE_SIG_OFFSET 8 /* behind mark and transaction number */

static const char http_request[] =
    "GET /lease HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";

static int start(struct load *l, struct load_call *c, int64_t moment_ns);

static void
fail(struct load *l, const char *what, const char *why)
{
	if (l->n_failed++ == 0)
		(void)fprintf(stderr, "%s: %s\n", what, why);
}

/* ---- replies ---- */

static bool
is_http_good(const struct load_call *c)
{
	const char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);

	return c->in_len > 12 && memcmp(c->in, "HTTP/1.1 200", 12) == 0 &&
	    end != NULL &&
	    c->in_len - (size_t)(end + 4 - (const char *)c->in) == BARE_LEN;
}

static bool
is_bare_good(struct load *l, const struct load_call *c)
{
	struct load_bare *kept = &l->bare[l->n_bare];

	if (c->in_len != BARE_LEN)
		return false;
	if (l->signer_pk != NULL && l->n_bare < LOAD_BARE_MAX &&
	    c->req.xid % CROWD_SAMPLE_EVERY == 0) {
		memcpy(kept->text, c->req.args_bytes, LOAD_TEXT_LEN);
		memcpy(kept->sig, c->in + BARE_SIG_OFFSET, SIG_LEN);
		l->n_bare++;
	}
	return true;
}

static void
take_reply(struct load *l, struct load_call *c)
{
	int64_t took_ns = tool_now_ns() - c->begin_ns;
	uint32_t busy_s;
	int err = 0;

	if (l->kind == LOAD_HTTP)
		err = is_http_good(c) ? 0 : MUSTER_E_PROTO;
	else if (l->kind == LOAD_BARE)
		err = is_bare_good(l, c) ? 0 : MUSTER_E_PROTO;
	else
		err = crowd_reply(&l->crowd, c->client, &c->req,
		    c->in + RPC_MARK_LEN, c->in_len - RPC_MARK_LEN, &busy_s);
	if (err == 0) {
		l->n_ok++;
		l->n_total++;
		hist_add(&l->hist, took_ns);
	} else if (err == MUSTER_E_AGAIN) {
		l->n_busy++;
	} else {
		fail(l, "reply", muster_strerror(err));
	}
}

/* Is all of the reply here?  Over-long is found when it is judged. */
static bool
is_whole(const struct load_call *c)
{
	size_t len;

	return c->in_len >= RPC_MARK_LEN &&
	    (rpc_mark_decode(c->in, &len) != 0 ||
	        c->in_len >= RPC_MARK_LEN + len);
}

/* ---- connections ---- */

static void
put_back(struct load *l, struct load_call *c)
{
	c->fd = -1;
	l->free_calls[l->n_free++] = c;
}

static void
end_call(struct load *l, struct load_call *c, bool is_closed)
{
	l->n_ended++;
	l->n_open--;
	if (is_closed) {
		(void)close(c->fd);
		put_back(l, c);
	}
	if (l->n_requests != 0 && l->n_started >= l->n_requests)
		l->is_over = true;
	if (l->rate == 0 && !l->is_over)
		(void)start(l, l->free_calls[--l->n_free], tool_now_ns());
}

/* The next request may go on this connection: the FIN of a server that takes
 * no more is in the segment of its last reply. */
static bool
goes_on(const struct load *l, const struct load_call *c)
{
	char byte;

	return l->kind != LOAD_HTTP && c->n_calls < l->calls && !l->is_over &&
	    recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

static void
on_reply(struct load *l, struct load_call *c)
{
	take_reply(l, c);
	if (c->is_idle) {
		l->n_open--;
		l->n_ended++;
		return;
	}
	if (!goes_on(l, c)) {
		end_call(l, c, true);
		return;
	}
	/* a connection that stays is free for the next request */
	c->is_kept = true;
	l->free_calls[l->n_free++] = c;
	end_call(l, c, false);
}

static void
on_readable(struct load *l, struct load_call *c)
{
	ssize_t n =
	    recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);

	if (c->is_kept) { /* the server ended it: the next one is a new one */
		if (n > 0)
			fail(l, "connection", "speaks unasked");
		(void)close(c->fd);
		c->fd = -1;
		c->is_kept = false;
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->in_len += (size_t)n;
	if (n == 0 && l->kind == LOAD_HTTP && c->in_len > 0) {
		on_reply(l, c);
	} else if (n <= 0) {
		if (c->is_idle && c->is_sent && c->in_len > 0)
			l->n_idle_lost++;
		else
			fail(l, "connection",
			    n == 0 ? "no answer" : strerror(errno));
		end_call(l, c, true);
	} else if (c->in_len == sizeof(c->in)) {
		fail(l, "reply", "too long");
		end_call(l, c, true);
	} else if (l->kind != LOAD_HTTP && is_whole(c)) {
		on_reply(l, c);
	}
}

/* Call and FIN go together: MSG_MORE holds the bytes back until the FIN is
 * there.  A new connection takes all of them or none. */
static int
send_call(const struct load *l, struct load_call *c)
{
	bool is_last =
	    !c->is_idle && c->n_calls >= l->calls && l->kind != LOAD_HTTP;
	const void *p = c->req.record;
	size_t len = c->req.record_len;
	ssize_t n;

	if (l->kind == LOAD_HTTP) {
		p = http_request;
		len = sizeof(http_request) - 1;
	}
	n = send(c->fd, p, len, MSG_NOSIGNAL | (is_last ? MSG_MORE : 0));
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if ((size_t)n != len || (is_last && shutdown(c->fd, SHUT_WR) != 0))
		return -1;
	c->is_sent = true;
	return 0;
}

/* Where a connection comes from, in the order of the machine. */
static uint32_t
source_of(const struct load *l, const struct load_call *c)
{
	uint32_t n = (uint32_t)(c - l->calls_mem);

	if (c->is_idle)
		return l->network + LOAD_IDLE_FIRST + n - l->n_connections;
	return l->network + 1 + l->n_started % l->n_sources;
}

static int
connect_call(const struct load *l, struct load_call *c)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(l->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in from = {.sin_family = AF_INET};
	struct epoll_event ev = {.data.ptr = c};
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -1;
	if (l->n_sources > 0)
		from.sin_addr.s_addr = htonl(source_of(l, c));
	if (l->n_sources > 0 &&
	    (setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
	         sizeof(on)) != 0 ||
	        bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0))
		return -1;
	if ((connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0 &&
	        errno != EINPROGRESS) ||
	    send_call(l, c) != 0)
		return -1;
	ev.events = c->is_sent ? EPOLLIN : EPOLLOUT;
	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev);
}

/* Returns -1 when it could not begin; the call is then free again. */
static int
start(struct load *l, struct load_call *c, int64_t moment_ns)
{
	int err = 0;

	c->client = crowd_client(&l->crowd, l->first + l->n_started);
	c->is_sent = c->is_kept = false;
	c->in_len = 0;
	c->begin_ns = moment_ns;
	if (l->kind != LOAD_HTTP)
		err = crowd_request(&l->crowd, c->client,
		    l->first + l->n_started, clock_unix_s(), &c->req);
	l->n_started++;
	l->n_open++;
	if (err != 0) {
		fail(l, "request", muster_strerror(err));
	} else if (c->fd >= 0) {
		c->n_calls++;
		if (send_call(l, c) == 0 && c->is_sent)
			return 0;
		fail(l, "connection", strerror(errno));
	} else {
		c->n_calls = 1;
		if (connect_call(l, c) == 0)
			return 0;
		fail(l, "connection", strerror(errno));
	}
	if (c->fd >= 0)
		(void)close(c->fd);
	l->n_ended++;
	l->n_open--;
	l->is_over = true; /* what fails here fails again */
	put_back(l, c);
	return -1;
}

static void
on_event(struct load *l, const struct epoll_event *event)
{
	struct load_call *c = event->data.ptr;
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

	if (c->is_sent) {
		on_readable(l, c);
		return;
	}
	if (send_call(l, c) != 0 ||
	    (c->is_sent &&
	        epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &ev) != 0)) {
		fail(l, "connection", strerror(errno));
		end_call(l, c, true);
	}
}

/* ---- moments of the open loop ---- */

/* Exponential gaps: arrivals that know nothing of each other. */
static int64_t
gap_ns(struct load *l)
{
	double u;
	uint8_t bits[WIRE_ID_LEN];
	uint64_t x;

	crowd_id(~l->crowd.seed, l->n_started + l->n_waiting, bits);
	memcpy(&x, bits + 8, sizeof(x));
	u = ((double)(x >> 11) + 1) / 9007199254740993.0;
	return (int64_t)(-log(u) / l->rate * 1e9);
}

static void
start_due(struct load *l, int64_t now_ns)
{
	while (
	    l->next_ns <= now_ns && l->next_ns < l->until_ns && !l->is_over) {
		if (l->n_waiting == LOAD_WAITING_MAX) {
			fail(l, "load", "more waits than has room");
			l->is_over = true;
			return;
		}
		l->waiting[(l->first_waiting + l->n_waiting++) %
		    LOAD_WAITING_MAX] = l->next_ns;
		l->next_ns += gap_ns(l);
	}
	while (l->n_waiting > 0 && l->n_free > 0) {
		int64_t moment_ns = l->waiting[l->first_waiting];

		l->first_waiting = (l->first_waiting + 1) % LOAD_WAITING_MAX;
		l->n_waiting--;
		if (start(l, l->free_calls[--l->n_free], moment_ns) != 0)
			return;
	}
	if (l->n_waiting > 0)
		l->n_waited++;
}

/* ---- the run ---- */

/* One turn of the loop; false: silence. */
static bool
turn(struct load *l, int64_t until_ns)
{
	static struct epoll_event events[EVENTS_MAX];
	int64_t now_ns = tool_now_ns();
	int64_t wait_ns = until_ns - now_ns;
	struct timespec ts;
	int n;

	if (l->rate != 0 && !l->is_over && l->next_ns < l->until_ns &&
	    l->next_ns - now_ns < wait_ns)
		wait_ns = l->next_ns - now_ns;
	if (wait_ns > SILENCE_NS)
		wait_ns = SILENCE_NS;
	if (wait_ns < 0)
		wait_ns = 0;
	ts.tv_sec = wait_ns / 1000000000;
	ts.tv_nsec = wait_ns % 1000000000;
	n = epoll_pwait2(l->epoll, events, EVENTS_MAX, &ts, NULL);
	if (n == 0 && wait_ns == SILENCE_NS && l->n_open > 0)
		return false;
	for (int i = 0; i < n; i++)
		on_event(l, &events[i]);
	if (l->rate != 0)
		start_due(l, tool_now_ns());
	return true;
}

static int
run_until(struct load *l, int64_t until_ns)
{
	while (!l->is_over && tool_now_ns() < until_ns) {
		if (!turn(l, until_ns)) {
			(void)fprintf(stderr, "%u requests not answered\n",
			    l->n_open);
			return 1;
		}
	}
	return 0;
}

/* What is due or on its way ends, and is counted; nothing else begins. */
static int
run_out(struct load *l)
{
	l->is_over = l->rate == 0;
	while (l->n_open > 0 || (l->n_waiting > 0 && l->n_failed == 0)) {
		if (!turn(l, tool_now_ns() + SILENCE_NS)) {
			(void)fprintf(stderr, "%u requests not answered\n",
			    l->n_open);
			return 1;
		}
	}
	return 0;
}

/* They ask once and then stand there. */
static int
open_idle(struct load *l)
{
	struct load_call *idle = l->calls_mem + l->n_connections;
	double rate = l->rate;

	l->rate = 1; /* nothing begins by itself */
	l->next_ns = INT64_MAX;
	for (uint32_t i = 0; i < l->n_idle; i++) {
		idle[i].is_idle = true;
		idle[i].fd = -1;
		if (start(l, &idle[i], tool_now_ns()) != 0)
			return 1;
		while (l->n_open >= EVENTS_MAX / 2) {
			if (!turn(l, tool_now_ns() + SILENCE_NS))
				return 1;
		}
	}
	while (l->n_open > 0) {
		if (!turn(l, tool_now_ns() + SILENCE_NS))
			return 1;
	}
	l->rate = rate;
	return 0;
}

static double
own_cpu_s(void)
{
	struct rusage use;

	(void)getrusage(RUSAGE_SELF, &use);
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
	    (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static int
watch(const struct load *l, struct watch *out)
{
	if (watch_read(l->pids, l->n_pids, out) == 0)
		return 0;
	(void)fprintf(stderr, "the server has ended\n");
	return 1;
}

/* Up to here it cost. */
static int
stop(struct load *l)
{
	l->took_s = (double)(tool_now_ns() - l->begun_ns) / 1e9;
	l->own_cpu_s = own_cpu_s() - l->own_cpu_s;
	l->n_in_time = l->n_ok;
	return watch(l, &l->end);
}

/* From here on it counts. */
static int
begin(struct load *l)
{
	hist_clear(&l->hist);
	l->n_ok = l->n_busy = l->n_waited = 0;
	l->begun_ns = tool_now_ns();
	l->own_cpu_s = own_cpu_s();
	return watch(l, &l->begin);
}

static int
prepare(struct load *l)
{
	uint32_t n = l->n_connections + l->n_idle;

	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->calls_mem = calloc(n, sizeof(*l->calls_mem));
	l->free_calls = calloc(n, sizeof(struct load_call *));
	l->waiting = calloc(LOAD_WAITING_MAX, sizeof(*l->waiting));
	l->bare = calloc(LOAD_BARE_MAX + 1, sizeof(*l->bare));
	if (l->epoll < 0 || l->calls_mem == NULL || l->free_calls == NULL ||
	    l->waiting == NULL || l->bare == NULL)
		return 1;
	for (uint32_t i = l->n_connections; i-- > 0;)
		put_back(l, &l->calls_mem[i]);
	return 0;
}

int
load_run(struct load *l)
{
	int err = prepare(l);

	if (err == 0 && l->n_idle > 0)
		err = open_idle(l);
	if (err != 0)
		return err;
	l->next_ns = tool_now_ns();
	l->until_ns = INT64_MAX;
	for (uint32_t i = 0; l->rate == 0 && i < l->n_connections; i++) {
		if (start(l, l->free_calls[--l->n_free], tool_now_ns()) != 0)
			return 1;
	}
	if (l->n_requests == 0)
		err = run_until(l, tool_now_ns() + (int64_t)(l->warm_s * 1e9));
	if (err == 0)
		err = begin(l);
	if (l->n_requests == 0)
		l->until_ns = l->begun_ns + (int64_t)(l->seconds * 1e9);
	if (err == 0)
		err = run_until(l, l->until_ns);
	/* of so many requests all count; of a time, what was in it */
	if (err == 0 && l->n_requests == 0)
		err = stop(l);
	if (err == 0)
		err = run_out(l);
	if (err == 0 && l->n_requests != 0)
		err = stop(l);
	return err;
}

void
load_free(struct load *l)
{
	crowd_free(&l->crowd);
	free(l->calls_mem);
	free(l->free_calls);
	free(l->waiting);
	free(l->bare);
}
