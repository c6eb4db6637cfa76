/* SPDX-License-Identifier: MIT */
/*
 * selftest.h -- the host asks itself, as a client would, whether it answers.
 *
 * COVER through its own listening sockets, one after the other: accept, record,
 * decoding, judging, encoding and writing are what every client meets, and an
 * answer with another certificate is somebody else's.  Then an ACTIVATE of CMID
 * zero for each publisher that it is activated for: it goes through the store,
 * and its answer must hold for a client, signature included, or be BUSY, which
 * is meant so; it counts nobody.
 * The first that does not answer as it should ends it.  The outcome is told in
 * the log when it changes.
 * Source: doc/protocol.md, "RPC" (probe)
 */
#ifndef MUSTER_HOST_SELFTEST_H
#define MUSTER_HOST_SELFTEST_H

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

#include "client/request.h"
#include "client/resolvconf.h"
#include "host/conn.h"
#include "host/turnloop.h"

#define SELFTEST_AGAIN_MS 10000 /* after one that failed: it may be over soon */
#define SELFTEST_TEXT_MAX 160
#define SELFTEST_AT_MAX (INET6_ADDRSTRLEN + 9) /* [address]:port */

struct selftest_result {
	int64_t at_unix_s; /* 0: none yet */
	int64_t took_ms;
	bool is_good;
	char text[SELFTEST_TEXT_MAX];
};

/* What is asked for one publisher, and what came; judged on the loop, by the
 * catalogue in force then. */
struct selftest_probe {
	uint8_t publisher[PUBLISHER_LEN];
	struct request request;
	int err;
	uint8_t body[RPC_BODY_MAX];
	size_t len;
};

struct selftest {
	uv_timer_t timer;
	uv_work_t work;
	const struct conn_server *server;
	const struct turnloop *turnloop;
	struct selftest_result last, made;
	/* what the thread needs, copied on the loop */
	uint32_t n;
	union resolvconf_addr at[CONN_LISTENERS_MAX];
	char at_text[CONN_LISTENERS_MAX][SELFTEST_AT_MAX];
	uint8_t publisher[PUBLISHER_LEN];
	bool has_cert, is_left_out;
	uint8_t cert[CERT_LEN];
	uint32_t n_probes;
	struct selftest_probe probes[TURN_PUBLISHERS_MAX];
	uint64_t every_ms;
	bool is_running, is_wanted, is_stopped;
};

/**
 * selftest_start(): as soon as the loop runs, and then every so often.
 *
 * In:      every_s  0: never
 */
void selftest_start(struct selftest *t, uv_loop_t *loop,
    const struct conn_server *server, const struct turnloop *turnloop,
    uint32_t every_s);

/**
 * selftest_every(): at once, and from then on so often.
 *
 * In:      every_s  0: never, and what was found out is no more known
 */
void selftest_every(struct selftest *t, uint32_t every_s);

/**
 * selftest_stop(): off the loop.
 */
void selftest_stop(struct selftest *t);

/**
 * selftest_json(): the member "self_test" of GET /v1/status.
 *
 * Returns: an object; null: there was none yet
 */
json_t *selftest_json(const struct selftest *t);

#endif /* MUSTER_HOST_SELFTEST_H */
