/* SPDX-License-Identifier: MIT */
/*
 * conn_guard.h -- who is let in: the limits of one source (sources.h) for
 * connections, networks that are exempt, and a line a class each
 * GUARD_LOG_MS, however many it concerns.
 */
#ifndef MUSTER_HOST_CONN_GUARD_H
#define MUSTER_HOST_CONN_GUARD_H

#include "host/conn_pool.h"

#define GUARD_LOG_MS 1000
#define GUARD_SHARE 4 /* a source has at most a quarter of the pool */

/**
 * conn_guard_new(): the table of sources.
 *
 * Returns: 0; MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int conn_guard_new(struct conn_server *srv);

/**
 * conn_guard_admit(): judge the source of a connection that was accepted.
 *
 * Returns: true when it is welcome; else it was told and counted
 */
bool conn_guard_admit(struct conn *c);

/**
 * conn_guard_is_allowed(): may machines of its network be counted?
 *
 * Returns: whether
 */
bool conn_guard_is_allowed(const struct conn *c);

/**
 * conn_guard_leave(): it is closed; again is fine.
 */
void conn_guard_leave(struct conn *c);

/**
 * conn_guard_no_call(): it sent what is no call.
 */
void conn_guard_no_call(struct conn *c);

#endif /* MUSTER_HOST_CONN_GUARD_H */
