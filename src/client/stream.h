/* SPDX-License-Identifier: MIT */
/*
 * stream.h -- a TCP connection with one deadline for all that is done on it;
 * an edge.
 *
 * Of several addresses the next is tried when one fails, or when it has not
 * answered after STREAM_NEXT_MS; the first that takes the connection is used.
 * Source: RFC 8305, sections 5 and 8, in a simple form.
 */
#ifndef MUSTER_CLIENT_STREAM_H
#define MUSTER_CLIENT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/resolvconf.h"
#include "muster/err.h"

#define STREAM_NEXT_MS 250 /* RFC 8305's connection attempt delay */
#define STREAM_ADDRS_MAX 8

/**
 * stream_end_ms(): the deadline that begins now.
 *
 * Returns: a time of clock_mono_ms()
 */
int64_t stream_end_ms(int64_t wait_ms);

/**
 * stream_connect(): the first address that takes the connection.
 *
 * In:      n        1 to STREAM_ADDRS_MAX
 * Out:     fd_out   for stream_close(); untouched on failure
 * Returns: 0
 *          MUSTER_E_CONNECT  no address took it
 *          MUSTER_E_TIMEOUT  none did before the deadline
 *          MUSTER_E_IO
 */
MUSTER_NODISCARD int stream_connect(const union resolvconf_addr *addr, size_t n,
    int64_t end_ms, int *fd_out);

/**
 * stream_send(): all of it.
 *
 * In:      has_more  it may leave with what is sent next, or with the FIN
 * Returns: 0; MUSTER_E_TIMEOUT; MUSTER_E_IO
 */
MUSTER_NODISCARD int stream_send(int fd, const uint8_t *p, size_t len,
    bool has_more, int64_t end_ms);

/**
 * stream_recv(): so many bytes.
 *
 * Returns: 0; MUSTER_E_TIMEOUT; MUSTER_E_TRUNC: closed before; MUSTER_E_IO
 */
MUSTER_NODISCARD int
stream_recv(int fd, uint8_t *buf, size_t len, int64_t end_ms);

/**
 * stream_close(): close it; -1 is allowed.
 */
void stream_close(int fd);

/**
 * stream_exchange(): connect, send one record, read one, close.
 *
 * In:      n           1 to STREAM_ADDRS_MAX
 *          connect_ms  over all addresses; at most ASKING_MS, which is for all
 *          rec, len    a whole record, mark included
 * Out:     is_connected_out  on failure: whether it was the answer's
 *          body_out    RPC_BODY_MAX bytes; the reply without its mark
 * Returns: 0; as exchange_run() without the name's
 */
MUSTER_NODISCARD int stream_exchange(const union resolvconf_addr *addr,
    size_t n, int connect_ms, const uint8_t *rec, size_t len,
    bool *is_connected_out, uint8_t *body_out, size_t *len_out);

#endif /* MUSTER_CLIENT_STREAM_H */
