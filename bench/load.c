/* SPDX-License-Identifier: MIT */
/*
 * load.c -- the load generator: many first contacts over loopback.
 *
 * usage: bench_load PORT CATALOGUE PRODUCT CONNECTIONS REQUESTS
 * PRODUCT in hex.  CONNECTIONS are open at a time; each carries one request of
 * a client of its own (a CMID of its own), call and FIN together, and a new
 * one begins where one has ended.  Every reply is decoded and must be OK;
 * every SAMPLE_EVERY-th is kept and verified when the clock has stopped, so
 * the generator's own signature checks are no part of the figure.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sodium.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/catalogues.h"
#include "client/request.h"
#include "tool.h"

#define CONNECTIONS_MAX 16384
#define REQUESTS_MAX 10000000
#define SAMPLE_EVERY 100
#define EVENTS_MAX 256
#define SILENCE_MS 30000 /* nothing from the host: give up */

/* One client, from its connection to its reply. */
struct call {
	int fd;
	bool is_sent;
	uint32_t number; /* of the request */
	int64_t begin_ns;
	size_t in_len;
	uint8_t in[RPC_RECORD_MAX];
	struct request req;
};

struct sample {
	struct request req;
	size_t len;
	uint8_t body[RPC_BODY_MAX];
	int64_t at_unix_s;
};

struct load {
	uint16_t port;
	uint32_t n_connections, n_requests;
	const struct catalogue *cat;
	const struct cat_product *product;
	int epoll;
	struct call *calls;
	int64_t *took_ns; /* of the first n_ok answers */
	struct sample *samples;
	uint32_t n_samples;
	uint32_t n_started, n_ended, n_ok, n_busy, n_failed;
};

static void start_next(struct load *l, struct call *c);

static void
fail(struct load *l, const char *what, const char *why)
{
	if (l->n_failed++ == 0)
		(void)fprintf(stderr, "%s: %s\n", what, why);
}

static int
make_request(const struct load *l, struct request *req_out)
{
	uint8_t draw[3 * WIRE_ID_LEN];
	struct request_in in = {.product = l->product,
	    .cmid = draw,
	    .nonce = draw + WIRE_ID_LEN,
	    .machine = draw + 2 * WIRE_ID_LEN,
	    .name = "bench",
	    .now_unix_s = clock_unix_s(),
	    .state = WIRE_INITIAL_GRACE,
	    .minutes_left = 43200,
	    .xid = l->n_started};

	randombytes_buf(draw, sizeof(draw));
	return request_make(&in, req_out);
}

/* ---- one connection ---- */

static void
keep_sample(struct load *l, const struct call *c)
{
	struct sample *s = &l->samples[l->n_samples++];

	s->req = c->req;
	s->len = c->in_len - RPC_MARK_LEN;
	memcpy(s->body, c->in + RPC_MARK_LEN, s->len);
	s->at_unix_s = clock_unix_s();
}

static void
take_reply(struct load *l, struct call *c)
{
	int64_t took_ns = tool_now_ns() - c->begin_ns;
	struct wire_result res;
	const uint8_t *p = NULL;
	size_t len = 0;
	int err = rpc_reply_decode(c->in + RPC_MARK_LEN,
	    c->in_len - RPC_MARK_LEN, c->req.xid, &p, &len);

	if (err == 0)
		err = wire_result_decode(p, len, &res);
	if (err != 0) {
		fail(l, "reply", muster_strerror(err));
	} else if (res.status == WIRE_BUSY) {
		l->n_busy++;
	} else if (res.status != WIRE_OK) {
		fail(l, "reply", "a refusal");
	} else {
		l->took_ns[l->n_ok++] = took_ns;
		if (c->number % SAMPLE_EVERY == 0)
			keep_sample(l, c);
	}
}

static void
end_call(struct load *l, struct call *c)
{
	(void)close(c->fd);
	l->n_ended++;
	start_next(l, c);
}

static void
on_readable(struct load *l, struct call *c)
{
	ssize_t n =
	    recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
	size_t body_len;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fail(l, "connection", n == 0 ? "no answer" : strerror(errno));
		end_call(l, c);
		return;
	}
	c->in_len += (size_t)n;
	if (c->in_len < RPC_MARK_LEN)
		return;
	if (rpc_mark_decode(c->in, &body_len) != 0 ||
	    c->in_len > RPC_MARK_LEN + body_len) {
		fail(l, "reply", "not one record");
		end_call(l, c);
	} else if (c->in_len == RPC_MARK_LEN + body_len) {
		take_reply(l, c);
		end_call(l, c);
	}
}

/* MSG_MORE holds the bytes back until the FIN goes with them.  A new
 * connection takes all of them or none. */
static int
send_call(struct call *c)
{
	ssize_t n = send(c->fd, c->req.record, c->req.record_len,
	    MSG_NOSIGNAL | MSG_MORE);

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if ((size_t)n != c->req.record_len || shutdown(c->fd, SHUT_WR) != 0)
		return -1;
	c->is_sent = true;
	return 0;
}

static int
open_call(const struct load *l, struct call *c)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(l->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event ev = {.data.ptr = c};

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -1;
	if ((connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0 &&
	        errno != EINPROGRESS) ||
	    send_call(c) != 0)
		return -1;
	ev.events = c->is_sent ? EPOLLIN : EPOLLOUT;
	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev);
}

static void
start_next(struct load *l, struct call *c)
{
	c->fd = -1;
	while (l->n_started < l->n_requests) {
		c->number = l->n_started++;
		c->is_sent = false;
		c->in_len = 0;
		c->fd = -1;
		if (make_request(l, &c->req) != 0) {
			fail(l, "request", "cannot be made");
		} else {
			c->begin_ns = tool_now_ns();
			if (open_call(l, c) == 0)
				return;
			fail(l, "connection", strerror(errno));
		}
		if (c->fd >= 0)
			(void)close(c->fd);
		l->n_ended++;
	}
}

static void
on_event(struct load *l, const struct epoll_event *event)
{
	struct call *c = event->data.ptr;
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

	if (c->is_sent) {
		on_readable(l, c);
		return;
	}
	if (send_call(c) != 0 ||
	    (c->is_sent &&
	        epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &ev) != 0)) {
		fail(l, "connection", strerror(errno));
		end_call(l, c);
	}
}

/* ---- the run ---- */

static int
drive(struct load *l)
{
	static struct epoll_event events[EVENTS_MAX];

	for (uint32_t i = 0; i < l->n_connections; i++)
		start_next(l, &l->calls[i]);
	while (l->n_ended < l->n_requests) {
		int n = epoll_wait(l->epoll, events, EVENTS_MAX, SILENCE_MS);

		if (n == 0 || (n < 0 && errno != EINTR)) {
			(void)fprintf(stderr, "%u requests not answered\n",
			    l->n_requests - l->n_ended);
			return 1;
		}
		for (int i = 0; i < n; i++)
			on_event(l, &events[i]);
	}
	return 0;
}

static uint32_t
judge_samples(const struct load *l)
{
	static struct reply reply;
	uint32_t n_bad = 0;

	for (uint32_t i = 0; i < l->n_samples; i++) {
		const struct sample *s = &l->samples[i];
		int err = request_judge(&s->req, s->body, s->len, l->cat,
		    s->at_unix_s, &reply);

		if (err != 0 && n_bad++ == 0)
			(void)fprintf(stderr, "a reply: %s\n",
			    muster_strerror(err));
	}
	return n_bad;
}

static int
run(struct load *l)
{
	int64_t begin_ns = tool_now_ns();
	double seconds;
	uint32_t n_bad;

	if (drive(l) != 0 || l->n_ok == 0)
		return 1;
	seconds = (double)(tool_now_ns() - begin_ns) / 1e9;
	n_bad = judge_samples(l);
	(void)printf("{\"requests\":%u,\"ok\":%u,\"busy\":%u,\"failed\":%u,"
	             "\"judged\":%u,\"bad\":%u,\"seconds\":%.6f,",
	    l->n_requests, l->n_ok, l->n_busy, l->n_failed, l->n_samples, n_bad,
	    seconds);
	tool_tell_times(l->took_ns, l->n_ok);
	(void)puts("}");
	return 0;
}

static int
prepare(struct load *l, const char *catalogue, const uint8_t *product)
{
	static struct catalogue cat;
	int err = catalogues_load(catalogue, &cat, NULL);

	if (err == 0) {
		l->cat = &cat;
		l->product = cat_product(&cat, product);
		if (l->product == NULL)
			err = MUSTER_E_PRODUCT;
	}
	if (err != 0) {
		(void)fprintf(stderr, "%s: %s\n", catalogue,
		    muster_strerror(err));
		return 1;
	}
	l->calls = calloc(l->n_connections, sizeof(*l->calls));
	l->took_ns = calloc(l->n_requests, sizeof(*l->took_ns));
	l->samples =
	    calloc(l->n_requests / SAMPLE_EVERY + 1, sizeof(*l->samples));
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	return l->calls == NULL || l->took_ns == NULL || l->samples == NULL ||
	    l->epoll < 0;
}

int
main(int argc, char **argv)
{
	static struct load load;
	uint8_t product[WIRE_ID_LEN];
	int exit_code;

	if (argc == 6) {
		load.port = (uint16_t)tool_number(argv[1], UINT16_MAX);
		load.n_connections = tool_number(argv[4], CONNECTIONS_MAX);
		load.n_requests = tool_number(argv[5], REQUESTS_MAX);
	}
	if (load.port == 0 || load.n_connections == 0 || load.n_requests == 0 ||
	    !tool_hex(argv[3], product, sizeof(product))) {
		(void)fputs("usage: bench_load PORT CATALOGUE PRODUCT "
		            "CONNECTIONS REQUESTS\n",
		    stderr);
		return 2;
	}
	if (sodium_init() < 0)
		return 1;
	exit_code = prepare(&load, argv[2], product);
	if (exit_code == 0)
		exit_code = run(&load);
	free(load.calls);
	free(load.took_ns);
	free(load.samples);
	return exit_code;
}
