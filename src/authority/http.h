/* SPDX-License-Identifier: MIT */
/*
 * http.h -- the HTTPS listener: connections, limits and time-outs around
 * api.h; an edge.
 *
 * One thread speaks TLS and HTTP.  A request that needs the database is
 * suspended, waits in the batch's queue, and goes on after the commit.  Each
 * connection has request_seconds for its handshake and a whole request, from
 * the first byte to the last of the answer, however slowly bytes drip; time
 * spent in the queue is not its own.
 */
#ifndef MUSTER_AUTHORITY_HTTP_H
#define MUSTER_AUTHORITY_HTTP_H

#include "authority/batch.h"
#include "authority/settings.h"

/* TLS 1.3 alone; the groups are those that its implementations must have. */
#define HTTP_PRIORITIES                                    \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:"        \
	"+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:" \
	"%SERVER_PRECEDENCE"
#define HTTP_MEMORY_MAX \
	16384 /* of a connection: its request's head above all */
#define HTTP_DRAIN_MAX \
	65536            /* of a body too large that is read to be answered */
#define HTTP_REAP_MS 250 /* how exact time-outs are */

struct http;

struct http_start {
	const struct settings *settings;
	const char *cert_pem; /* borrowed until http_close() */
	const char *key_pem;
	const char *contact;
	int fd; /* listening; taken */
	struct metrics *metrics;
};

/**
 * http_open(): make the listener ready; it takes no connection yet.
 *
 * Returns: 0; MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int
http_open(const struct http_start *start, struct http **http_out);

/**
 * http_run(): take connections.
 *
 * In:      batch    whose done is http_done()
 * Returns: 0; MUSTER_E_IO
 */
MUSTER_NODISCARD int http_run(struct http *h, struct batch *batch);

/**
 * http_done(): an item of this listener was done; for the store thread.
 */
void http_done(struct batch_item *item);

/**
 * http_reap(): close connections whose time is over; every HTTP_REAP_MS.
 */
void http_reap(struct http *h);

/**
 * http_quiesce(): take no more connections.
 */
void http_quiesce(struct http *h);

/**
 * http_requests(): how many are being read or answered.
 *
 * Returns: their number
 */
unsigned http_requests(struct http *h);

/**
 * http_close(): end; batch_end() comes before it, and batch_free() after it,
 * for requests come until then.  NULL is let be.
 */
void http_close(struct http *h);

#endif /* MUSTER_AUTHORITY_HTTP_H */
