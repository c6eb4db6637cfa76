/* SPDX-License-Identifier: MIT */
/*
 * load.h -- one run of the load generator; load.c reads what is wanted and
 * tells what was seen, load_run.c drives the connections.
 *
 * Closed loop: so many connections at a time, a new request where one has
 * ended.  Open loop: requests come at moments drawn beforehand, at a mean
 * rate; one that has to wait, for a free connection or because this program
 * is late, is late from its own moment on, so a server that stalls cannot
 * hide it (coordinated omission).  What is due when the time is over is still
 * waited for, and stands among the times; rate and cost are those of the time
 * itself.
 */
#ifndef MUSTER_BENCH_LOAD_H
#define MUSTER_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "crowd.h"
#include "hist.h"
#include "trust/cert.h"
#include "watch.h"

#define LOAD_CONNECTIONS_MAX 16384
#define LOAD_IDLE_FIRST 16384   /* number of the first idle one's address */
#define LOAD_IN_MAX 1024        /* bytes of a reply; nginx sends headers */
#define LOAD_WAITING_MAX 262144 /* moments that wait for a connection */
#define LOAD_BARE_MAX 8192      /* signatures of bare replies kept to verify */
#define LOAD_TEXT_LEN 32        /* of a bare call, signed: product and CMID */

enum load_kind {
	LOAD_MUSTER, /* calls, and replies that must be OK */
	LOAD_BARE,   /* the same calls; any 250 bytes, signed or not */
	LOAD_HTTP    /* GET, and 250 bytes */
};

/* What a bare reply has signed; verified when the clock has stopped. */
struct load_bare {
	uint8_t text[LOAD_TEXT_LEN];
	uint8_t sig[SIG_LEN];
};

/* One connection and the request on it. */
struct load_call {
	int fd;
	bool is_sent;
	bool is_idle; /* one of those that only stand there */
	bool is_kept; /* open, among the free: the next request's */
	uint32_t n_calls;
	uint32_t client;
	int64_t begin_ns; /* or the moment at which it should have begun */
	size_t in_len;
	uint8_t in[LOAD_IN_MAX];
	struct request req;
};

struct load {
	/* what is wanted */
	uint16_t port;
	enum load_kind kind;
	uint32_t n_connections, n_idle;
	uint32_t n_requests;      /* to end after; 0: after seconds */
	uint32_t first;           /* number of the first request */
	double warm_s, seconds;   /* warm_s: not measured */
	double rate;              /* a second; 0: closed loop */
	uint32_t network;         /* the addresses to come from follow it */
	uint32_t n_sources;       /* so many; each idle one has its own */
	uint32_t calls;           /* on a connection */
	const uint8_t *signer_pk; /* LOAD_BARE: replies are signed */
	uint32_t n_pids;
	pid_t pids[WATCH_MAX];
	struct crowd crowd;
	/* what was seen, since the warming-up */
	uint32_t n_ok, n_in_time, n_busy, n_failed, n_waited;
	uint32_t n_total, n_idle_lost; /* from the first on */
	uint32_t n_bare;
	struct load_bare *bare;
	double took_s, own_cpu_s;
	struct watch begin, end;
	struct hist hist;
	/* in work */
	int epoll;
	uint32_t n_started, n_ended;
	bool is_over;                        /* no further request */
	int64_t next_ns, begun_ns, until_ns; /* no moment from then on */
	uint32_t n_open;                     /* requests on their way */
	uint32_t n_free;
	uint32_t first_waiting, n_waiting;
	int64_t *waiting; /* a ring */
	struct load_call **free_calls;
	struct load_call *calls_mem;
};

/**
 * load_run(): open the idle connections, warm up, measure.
 *
 * Returns: 0; 1 when it was said on stderr what went wrong
 */
int load_run(struct load *l);

/**
 * load_free(): all memory.
 */
void load_free(struct load *l);

#endif /* MUSTER_BENCH_LOAD_H */
