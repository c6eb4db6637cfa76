/* SPDX-License-Identifier: MIT */
/*
 * storm.c -- many clients that begin within one second, and go on as clients
 * do until each holds a signed reply.
 *
 * usage: bench_storm --port P --catalogue FILE --certificate FILE
 *                    --product HEX --clients N [OPTION...]
 *
 * A client asks one host, over a connection of its own.  After BUSY it waits
 * as long as it was told.  It gives an exchange ASKING_MS, connect included;
 * when these are over it begins anew, as by the hand of its user, for its
 * own next try would come after the retry interval.  All else is a failure.
 *
 * Several processes make one storm: --at names the moment, of a clock that
 * they share, --first the client that a process begins with.  Every reply
 * that was taken is verified, when the last one is here.
 * Source: doc/bench.md, "Storms"; doc/behaviour.md, "Numbers".
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <sodium.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/exchange.h"
#include "crowd.h"
#include "hist.h"
#include "tool.h"

#define CLIENTS_MAX 60000 /* of one process: a descriptor each */
#define LAST_MS 120000    /* then what is not over is given up */
#define BEGIN_MS 1000     /* they begin within it */
#define EVENTS_MAX 256
#define DUE_MAX 8           /* that begin before events are looked at again */
#define SOURCES 65000       /* as many machines: all have their own */
#define NETWORK 0x7f020000U /* 127.2.0.0 */
#define SEED UINT64_C(0x6d7573746572) /* as load.c's */
#define MS_NS INT64_C(1000000)
#define NOBODY UINT32_MAX

enum phase { WAITS, CONNECTS, ASKED, HOLDS };

struct one {
	int fd;
	enum phase phase;
	bool was_untaken;
	uint32_t number;
	uint32_t next, prev; /* in the list of its millisecond */
	uint32_t due_ms;
	int64_t begun_ns;
	size_t in_len;
	uint8_t in[RPC_RECORD_MAX + 1];
	struct request req;
};

struct storm {
	uint16_t port;
	uint32_t network; /* the addresses to come from follow it */
	uint32_t n_clients, first;
	int64_t at_ns;
	struct crowd crowd;
	int epoll;
	uint32_t xid;
	struct one *clients;
	uint32_t now_ms; /* since at_ns; done up to here */
	uint32_t due[LAST_MS + 1];
	/* what was seen */
	uint32_t n_holds, n_busy, n_untaken, n_untaken_clients, n_failed,
	    busy_max_s;
	int64_t last_begun_ns, last_ns;
	struct hist hist;
};

static int64_t
since(const struct storm *s)
{
	return tool_now_ns() - s->at_ns;
}

static void
fail(struct storm *s, const char *what, const char *why)
{
	if (s->n_failed++ == 0)
		(void)fprintf(stderr, "%s: %s\n", what, why);
}

/* ---- what is due when ---- */

static void
put_due(struct storm *s, struct one *c, int64_t ms)
{
	uint32_t me = (uint32_t)(c - s->clients);

	/* never in a millisecond that is done */
	c->due_ms = ms < s->now_ms ? s->now_ms : (uint32_t)ms;
	if (c->due_ms > LAST_MS)
		c->due_ms = LAST_MS;
	c->prev = NOBODY;
	c->next = s->due[c->due_ms];
	if (c->next != NOBODY)
		s->clients[c->next].prev = me;
	s->due[c->due_ms] = me;
}

static void
take_due(struct storm *s, const struct one *c)
{
	if (c->prev != NOBODY)
		s->clients[c->prev].next = c->next;
	else
		s->due[c->due_ms] = c->next;
	if (c->next != NOBODY)
		s->clients[c->next].prev = c->prev;
}

/* ---- one exchange ---- */

static void
end(struct storm *s, struct one *c, enum phase phase, int64_t wait_ms)
{
	(void)close(c->fd);
	c->fd = -1;
	c->phase = phase;
	if (phase == WAITS)
		put_due(s, c, since(s) / MS_NS + wait_ms);
}

/* Call and FIN go together, all or nothing: the connection is new. */
static int
send_call(struct one *c)
{
	ssize_t n = send(c->fd, c->req.record, c->req.record_len,
	    MSG_NOSIGNAL | MSG_MORE);

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if ((size_t)n != c->req.record_len || shutdown(c->fd, SHUT_WR) != 0)
		return -1;
	c->phase = ASKED;
	return 0;
}

/* All that needs no host: before the storm, this program's own work. */
static int
make_ready(struct storm *s, struct one *c)
{
	struct sockaddr_in from = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(s->network + 1 + c->number % SOURCES)};
	int on = 1;
	int err = crowd_request(&s->crowd, c->number, s->xid++, clock_unix_s(),
	    &c->req);

	if (err != 0) {
		errno = EPROTO;
		return -1;
	}
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0 ||
	    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
	        sizeof(on)) != 0)
		return -1;
	return bind(c->fd, (struct sockaddr *)&from, sizeof(from));
}

static int
connect_one(struct storm *s, struct one *c)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(s->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event ev = {.data.ptr = c};

	if ((c->fd < 0 && make_ready(s, c) != 0) ||
	    (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0 &&
	        errno != EINPROGRESS) ||
	    send_call(c) != 0)
		return -1;
	ev.events = c->phase == ASKED ? EPOLLIN : EPOLLOUT;
	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &ev);
}

static void
begin(struct storm *s, struct one *c)
{
	if (c->begun_ns == 0)
		c->begun_ns = s->last_begun_ns = tool_now_ns();
	c->in_len = 0;
	c->phase = CONNECTS;
	if (connect_one(s, c) == 0) {
		put_due(s, c, since(s) / MS_NS + ASKING_MS);
		return;
	}
	fail(s, "connection", strerror(errno));
	end(s, c, WAITS, ASKING_MS);
}

static void
on_due(struct storm *s, struct one *c)
{
	take_due(s, c);
	if (c->phase == WAITS) {
		begin(s, c);
		return;
	}
	if (c->phase == CONNECTS) {
		s->n_untaken++;
		s->n_untaken_clients += !c->was_untaken;
		c->was_untaken = true;
	} else {
		fail(s, "connection", "taken, and no answer in its time");
	}
	end(s, c, WAITS, 0);
}

static void
on_reply(struct storm *s, struct one *c)
{
	uint32_t busy_s = 0;
	int err = crowd_reply(&s->crowd, c->number, &c->req,
	    c->in + RPC_MARK_LEN, c->in_len - RPC_MARK_LEN, &busy_s);

	take_due(s, c);
	if (err == 0) {
		s->n_holds++;
		s->last_ns = tool_now_ns();
		hist_add(&s->hist, s->last_ns - c->begun_ns);
		end(s, c, HOLDS, 0);
		return;
	}
	if (err == MUSTER_E_AGAIN && busy_s > 0) {
		s->n_busy++;
		if (busy_s > s->busy_max_s)
			s->busy_max_s = busy_s;
	} else {
		fail(s, "reply", muster_strerror(err));
		busy_s = 1;
	}
	end(s, c, WAITS, (int64_t)busy_s * 1000);
}

static void
on_readable(struct storm *s, struct one *c)
{
	ssize_t n =
	    recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
	size_t len;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fail(s, "connection", n == 0 ? "no answer" : strerror(errno));
		take_due(s, c);
		end(s, c, WAITS, 1000);
		return;
	}
	c->in_len += (size_t)n;
	if (c->in_len >= RPC_MARK_LEN &&
	    (rpc_mark_decode(c->in, &len) != 0 ||
	        c->in_len >= RPC_MARK_LEN + len))
		on_reply(s, c);
}

static void
on_event(struct storm *s, const struct epoll_event *event)
{
	struct one *c = event->data.ptr;
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

	if (c->phase == ASKED) {
		on_readable(s, c);
	} else if (c->phase == CONNECTS &&
	    (send_call(c) != 0 ||
	        (c->phase == ASKED &&
	            epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &ev) != 0))) {
		fail(s, "connection", strerror(errno));
		take_due(s, c);
		end(s, c, WAITS, 1000);
	}
}

/* ---- the storm ---- */

/* A few that are due; false: all that are due by now have been done. */
static bool
some_due(struct storm *s)
{
	int64_t ms = since(s) / MS_NS;

	for (unsigned n = 0; n < DUE_MAX; n++) {
		/* in the last one stands what is given up */
		while (s->due[s->now_ms] == NOBODY) {
			if (s->now_ms >= ms || s->now_ms == LAST_MS - 1)
				return false;
			s->now_ms++;
		}
		on_due(s, &s->clients[s->due[s->now_ms]]);
	}
	return true;
}

static void
run(struct storm *s)
{
	static struct epoll_event events[EVENTS_MAX];

	while (s->n_holds < s->n_clients && since(s) / MS_NS < LAST_MS) {
		/* a client whose connection was taken speaks at once: the
		 * others that begin here must not hold it up */
		bool has_more = some_due(s);
		int n =
		    epoll_wait(s->epoll, events, EVENTS_MAX, has_more ? 0 : 1);

		for (int i = 0; i < n; i++)
			on_event(s, &events[i]);
	}
}

struct wanted {
	const char *catalogue, *certificate;
	bool has_product;
	uint8_t product[WIRE_ID_LEN];
};

static bool
prepare(struct storm *s, const struct wanted *w)
{
	/* who renews has a number below it; 0: all come for the first time */
	uint32_t n_known = s->crowd.shares ? s->first + s->n_clients : 0;

	s->clients = calloc(s->n_clients, sizeof(*s->clients));
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->crowd.sample_every = 1;
	randombytes_buf(&s->crowd.draw, sizeof(s->crowd.draw));
	if (s->clients == NULL || s->epoll < 0 ||
	    !crowd_add(&s->crowd, w->catalogue, w->certificate, w->product) ||
	    !crowd_size(&s->crowd, n_known, s->n_clients))
		return false;
	for (uint32_t ms = 0; ms <= LAST_MS; ms++)
		s->due[ms] = NOBODY;
	for (uint32_t i = 0; i < s->n_clients; i++) {
		struct one *c = &s->clients[i];

		c->fd = -1;
		c->number = s->first + i;
		put_due(s, c, randombytes_uniform(BEGIN_MS));
		if (make_ready(s, c) != 0)
			return false;
	}
	return true;
}

static void
tell(struct storm *s)
{
	uint32_t n_bad = crowd_judge(&s->crowd);

	(void)printf("{\"clients\":%u,\"holds\":%u,\"bad\":%u,\"busy\":%u,"
	             "\"busy_max_s\":%u,\"untaken\":%u,"
	             "\"untaken_clients\":%u,\"failed\":%u,"
	             "\"begun_s\":%.3f,\"last_s\":%.3f,",
	    s->n_clients, s->n_holds - n_bad, n_bad, s->n_busy, s->busy_max_s,
	    s->n_untaken, s->n_untaken_clients, s->n_failed,
	    (double)(s->last_begun_ns - s->at_ns) / 1e9,
	    (double)(s->last_ns - s->at_ns) / 1e9);
	crowd_tell_sizes(&s->crowd);
	(void)printf(",");
	hist_tell(&s->hist);
	(void)puts("}");
}

static bool
take(struct storm *s, struct wanted *w, int option, const char *text)
{
	switch (option) {
	case 'p':
		s->port = (uint16_t)tool_number(text, UINT16_MAX);
		return s->port != 0;
	case 'c':
		w->catalogue = text;
		return true;
	case 'h':
		w->certificate = text;
		return true;
	case 'i':
		w->has_product = tool_hex(text, w->product, WIRE_ID_LEN);
		return w->has_product;
	case 'n':
		s->n_clients = tool_number(text, CLIENTS_MAX);
		return s->n_clients != 0;
	case 'f':
		s->first = tool_number(text, INT32_MAX);
		return s->first != 0;
	case 's':
		s->crowd.seed ^= tool_number(text, UINT32_MAX);
		return true;
	case 'a':
		s->at_ns = strtoll(text, NULL, 10);
		return s->at_ns > 0;
	case 'w':
		return tool_address(text, &s->network);
	case 'r':
		s->crowd.shares = true;
		return true;
	default:
		return false;
	}
}

static bool
parse(int argc, char **argv, struct storm *s, struct wanted *w)
{
	static const struct option options[] = {{"port", required_argument,
	                                            NULL, 'p'},
	    {"catalogue", required_argument, NULL, 'c'},
	    {"certificate", required_argument, NULL, 'h'},
	    {"product", required_argument, NULL, 'i'},
	    {"clients", required_argument, NULL, 'n'},
	    {"first", required_argument, NULL, 'f'},
	    {"seed", required_argument, NULL, 's'},
	    {"at", required_argument, NULL, 'a'},
	    {"network", required_argument, NULL, 'w'},
	    {"renew", no_argument, NULL, 'r'}, {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (!take(s, w, option, optarg))
			return false;
	}
	return optind == argc && s->port != 0 && s->n_clients != 0 &&
	    w->has_product && w->catalogue != NULL && w->certificate != NULL;
}

int
main(int argc, char **argv)
{
	static struct storm storm = {.crowd.seed = SEED,
	    .first = 1,
	    .network = NETWORK};
	static struct wanted wanted;

	if (!parse(argc, argv, &storm, &wanted)) {
		(void)fputs("usage: bench_storm --port P --catalogue FILE "
		            "--certificate FILE --product HEX --clients N\n"
		            "  [--first K] [--seed N] [--at NS] [--network A] "
		            "[--renew]\n",
		    stderr);
		return 2;
	}
	if (sodium_init() < 0 || !prepare(&storm, &wanted))
		return 1;
	if (storm.at_ns == 0)
		storm.at_ns = tool_now_ns();
	while (since(&storm) < 0)
		(void)usleep(1000);
	run(&storm);
	tell(&storm);
	return 0;
}
