/* SPDX-License-Identifier: MIT */
/*
 * conn_pool.h -- the connections themselves; shared by conn.c, which speaks,
 * and conn_pool.c, which accepts, ranks and closes.
 */
#ifndef MUSTER_HOST_CONN_POOL_H
#define MUSTER_HOST_CONN_POOL_H

#include <stdbool.h>

#include "host/conn.h"
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
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_write_t write;
	struct conn_server *srv;
	struct conn *next, *prev; /* in the rank; next also among the free */
	enum conn_phase phase;
	bool is_ranked; /* owes nothing: may give way */
	bool is_reading;
	bool is_eof;  /* the client has closed its side */
	bool is_owed; /* the turn loop holds a ticket to us */
	bool is_writing;
	bool is_last; /* no call after this reply */
	bool is_open; /* the handle is not yet closed */
	uint32_t n_calls;
	uint32_t xid; /* of the call that is worked on */
	uint8_t address[TURN_ADDRESS_LEN];
	size_t in_len;
	uint8_t in[RPC_RECORD_MAX];
	uint8_t out[RPC_RECORD_MAX];
};

struct conn_listen {
	uv_tcp_t tcp;
	struct conn_server *srv;
	bool is_waiting; /* a connection waits in libuv for a free one here */
};

struct conn_server {
	uv_loop_t *loop;
	struct turnloop *turnloop;
	struct host_config config;
	struct conn_stats stats;
	bool is_stopping;
	bool is_deferred;
	conn_stopped_fn *stopped;
	void *arg;
	int64_t told_ms; /* a failing accept() was logged */
	uint32_t n_listeners;
	uint32_t
	    n_listens; /* a failed one keeps its place: its handle closes late */
	struct conn_listener listeners[CONN_LISTENERS_MAX];
	struct conn_listen listens[CONN_LISTENERS_MAX];
	struct conn *pool;
	uint32_t n_used; /* connections of the pool ever used */
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
 */
void conn_close(struct conn *c);

/**
 * conn_pool_rank(): put it where its phase belongs in the rank.
 */
void conn_pool_rank(struct conn *c);

/**
 * conn_pool_release(): back to the pool, when nothing refers to it.
 */
void conn_pool_release(struct conn *c);

#endif /* MUSTER_HOST_CONN_POOL_H */
