/* SPDX-License-Identifier: MIT */
/*
 * conn_pool.h -- the connections themselves; shared by conn.c, which speaks,
 * and conn_pool.c, which accepts, ranks and closes.
 */
#ifndef MUSTER_HOST_CONN_POOL_H
#define MUSTER_HOST_CONN_POOL_H

#include <stdbool.h>

#include "host/conn.h"
#include "host/sources.h"
#include "wire/rpc.h"

#define CONN_SCRAP_LEN 4096

enum conn_phase {
	CONN_FIRST,
	CONN_RECORD,
	CONN_IDLE,
	CONN_OWED,
	CONN_WRITING,
	CONN_DRAINING,
	CONN_CLOSED
};

struct conn {
	int fd;
	uv_tcp_t tcp; /* once the loop watches it; most are gone before */
	uv_timer_t timer;
	struct conn_server *srv;
	struct conn *next, *prev; /* in the rank; next also among the free */
	enum conn_phase phase;
	bool is_ranked; /* owes nothing: may give way */
	bool is_reading;
	bool is_eof;  /* the client has closed its side */
	bool is_owed; /* the turn loop holds a ticket to us */
	bool is_writing;
	bool is_last;          /* no call after this reply */
	bool is_watched;       /* tcp has the socket */
	bool is_open;          /* the socket is not yet closed */
	bool is_refused;       /* BUSY to what is here, and a close */
	struct source *source; /* while it counts there */
	uint64_t begun_ms;
	uint32_t n_calls;
	uint32_t xid; /* of the call that is worked on */
	uint8_t address[TURN_ADDRESS_LEN];
	size_t in_len;
	uint8_t in[RPC_RECORD_MAX];
};

/* What a reply needs that does not fit into the socket; hardly ever touched,
 * so that thousands of connections do without the memory. */
struct conn_unsent {
	uv_write_t write;
	uint8_t out[RPC_RECORD_MAX];
};

struct conn_listen {
	uv_poll_t poll;
	int fd;
	struct conn_server *srv;
};

/* When a class was last told, and how often not since. */
struct conn_told {
	int64_t at_ms;
	uint64_t n_untold;
};

struct conn_server {
	uv_loop_t *loop;
	struct turnloop *turnloop;
	struct host_config config;
	struct conn_stats stats;
	bool is_stopping;
	bool is_deferred;
	/* the pool is, or no file is to be had: no listener is polled, and who
	 * comes waits in the backlog */
	bool is_full, is_resting;
	uv_timer_t rest_timer;
	int spare_fd; /* given up to close whom there is no file for; or -1 */
	conn_stopped_fn *stopped;
	void *arg;
	int64_t told_ms; /* a failing accept() was logged */
	struct sources *sources;
	struct source_limits limits;
	struct conn_told told[SOURCE_PENALTY + 1];
	uint32_t n_listeners;
	struct conn_listener listeners[CONN_LISTENERS_MAX];
	struct conn_listen listens[CONN_LISTENERS_MAX];
	struct conn *pool;
	struct conn_unsent *unsent; /* of each of the pool */
	uint32_t n_used;            /* connections of the pool ever used */
	struct conn *free;
	struct conn *oldest, *newest; /* ranked: idle for longest first */
	char scrap[CONN_SCRAP_LEN];
};

/**
 * conn_begin(): a connection was accepted.
 */
void conn_begin(struct conn *c);

/**
 * conn_close(): close it; again is fine.
 *
 * One that owes nothing and is not watched is free from now on, and not used
 * again before the loop accepts.
 */
void conn_close(struct conn *c);

/**
 * conn_watch(): the loop watches its socket from here on; again is fine.
 *
 * Returns: 0, or an error of libuv's; close it then
 */
MUSTER_NODISCARD int conn_watch(struct conn *c);

/**
 * conn_pool_rank(): put it where its phase belongs in the rank.
 */
void conn_pool_rank(struct conn *c);

/**
 * conn_pool_release(): back to the pool, when nothing refers to it.
 */
void conn_pool_release(struct conn *c);

#endif /* MUSTER_HOST_CONN_POOL_H */
