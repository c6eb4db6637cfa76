/* SPDX-License-Identifier: MIT */
/*
 * conn.h -- the RPC port: a fixed pool of connections with fixed buffers.
 *
 *   FIRST    nothing of the first record is here; first_byte_ms
 *   RECORD   a part of a record is here; record_ms since its first byte
 *   IDLE     between two records; idle_ms
 *   OWED     a request waits for its batch; no limit, the store answers
 *   WRITING  a reply did not fit into the socket; idle_ms
 *   DRAINING our side is closed; what still comes is dropped, since closing
 *            with unread input can lose the reply; record_ms
 *
 * In all, a session has session_ms; a request that is OWED by then is still
 * answered.  A connection whose source is over a limit (conn_guard.h) gets
 * BUSY to a request that came with it, and is closed.
 *
 * One call of a session is worked on at a time, so replies come in the order
 * of the calls and the buffer is the only queue.  Our code allocates nothing
 * between a record and its reply.  When the pool is used up, the connection
 * that has owed nothing for the longest time gives way.
 * Source: doc/protocol.md, "RPC" and "Small print".
 */
#ifndef MUSTER_HOST_CONN_H
#define MUSTER_HOST_CONN_H

#include <stdint.h>
#include <uv.h>

#include "host/config.h"
#include "host/problem.h"
#include "host/turnloop.h"

#define CONN_LISTENERS_MAX 32
#define CONN_BACKLOG 4096
#define CONN_ACCEPTS TURN_MAX /* at once; then those that are open */
#define CONN_DEFER_S 1        /* TCP_DEFER_ACCEPT; part of first_byte_ms */
#define CONN_KERNEL_LEN 4096  /* buffers of a socket; 16 records of 250 */
#define CONN_UNACKED_MS 5000  /* TCP_USER_TIMEOUT: a peer that is gone */

struct conn_server;

typedef void conn_stopped_fn(void *arg);

struct conn_listener {
	char address[CONFIG_ADDRESS_MAX];
	uint16_t port; /* bound */
};

struct conn_stats {
	uint32_t open, open_max;
	uint64_t accepted;
	uint64_t evicted; /* gave way to others */
	uint64_t refused; /* their source was over a limit */
	uint64_t timed_out;
	uint64_t calls;      /* records that were calls, refused ones too */
	uint64_t closed_bad; /* records that were no calls */
};

/**
 * conn_server_new(): make the pool.
 *
 * In:      config   limits; copied
 * Returns: 0; MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int conn_server_new(uv_loop_t *loop,
    const struct host_config *config, struct conn_server **srv_out);

/**
 * conn_server_configure(): other limits, from now on; the number of
 * connections stays, and a session that runs has the times that it began with
 * until its next phase.
 */
void conn_server_configure(struct conn_server *srv,
    const struct host_config *config);

/**
 * conn_server_attach(): who answers ACTIVATE; before the first listener.
 */
void conn_server_attach(struct conn_server *srv, struct turnloop *tl);

/**
 * conn_server_listen(): take an address.
 *
 * In:      port     0: any
 * Out:     problem  on failure
 * Returns: 0
 *          MUSTER_E_EXIST   in use
 *          MUSTER_E_DENIED  the port is privileged
 *          MUSTER_E_NOENT   the machine has no such address or family
 *          MUSTER_E_FULL    more than CONN_LISTENERS_MAX
 *          MUSTER_E_IO
 */
MUSTER_NODISCARD int conn_server_listen(struct conn_server *srv,
    const char *address, uint16_t port, struct problem *problem);

/**
 * conn_server_adopt(): take a listening socket of a service manager.
 *
 * Returns: as conn_server_listen()
 */
MUSTER_NODISCARD int
conn_server_adopt(struct conn_server *srv, int fd, struct problem *problem);

/**
 * conn_server_allows(): is a client of this address answered (b12)?
 *
 * In:      address  TURN_ADDRESS_LEN bytes
 * Returns: true also where allowed_networks is not set
 */
bool conn_server_allows(const struct conn_server *srv, const uint8_t *address);

/**
 * conn_server_listeners(): what it listens on; borrowed, n_out of them.
 *
 * Returns: how many listen
 */
const struct conn_listener *
conn_server_listeners(const struct conn_server *srv, uint32_t *n_out);

/**
 * conn_server_stats(): borrowed.
 *
 * Returns: borrowed, valid as long as the server
 */
const struct conn_stats *conn_server_stats(const struct conn_server *srv);

/**
 * conn_answer(): the answer to a request that turnloop_ask() kept.
 *
 * In:      ticket   the connection
 */
void conn_answer(void *ticket, const struct wire_result *res);

/**
 * conn_server_stop(): no new connection, no new call; what is owed is
 * answered, then stopped() is called, once.
 */
void
conn_server_stop(struct conn_server *srv, conn_stopped_fn *stopped, void *arg);

/**
 * conn_server_abort(): close what conn_server_stop() still waits for, but for
 * connections whose request is in a batch.
 */
void conn_server_abort(struct conn_server *srv);

/**
 * conn_server_free(): after the loop has run out; NULL is fine.
 */
void conn_server_free(struct conn_server *srv);

#endif /* MUSTER_HOST_CONN_H */
