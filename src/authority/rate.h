/* SPDX-License-Identifier: MIT */
/*
 * rate.h -- how much one source may ask: a bucket of tokens for each, and the
 * connections that it has open.
 *
 * A source is an IPv4 address or the /64 of an IPv6 address, since a whole
 * /64 belongs to one customer.  The table is bounded: in a set that is full
 * the source that may ask most is forgotten, which changes least.  Pure: the
 * time is passed in.  The caller holds a lock.
 */
#ifndef MUSTER_AUTHORITY_RATE_H
#define MUSTER_AUTHORITY_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"

#define RATE_SOURCE_LEN 16
#define RATE_SETS 1024 /* of RATE_WAYS sources: 8,192 at a time, 320 KiB */
#define RATE_WAYS 8
#define RATE_HASH_KEY_LEN 16

struct sockaddr;
struct rate;

/**
 * rate_new(): an empty table.
 *
 * In:      per_minute  tokens that come back; 0: no limit
 *          burst       tokens of a full bucket, 1 or more
 *          hash_key    RATE_HASH_KEY_LEN random bytes
 * Returns: the table, or NULL for want of memory; rate_free()
 */
struct rate *
rate_new(uint32_t per_minute, uint32_t burst, const uint8_t *hash_key);

/**
 * rate_free(): NULL is let be.
 */
void rate_free(struct rate *r);

/**
 * rate_source(): whom an address belongs to.
 *
 * Out:     out      RATE_SOURCE_LEN bytes; an address of another family is
 *                   the source of zeros
 */
void rate_source(const struct sockaddr *address, uint8_t *out);

/**
 * rate_take(): may this source ask once more now?
 *
 * In:      now_ms   monotonic
 * Out:     wait_s_out  where it may not: seconds until it may, 1 or more
 * Returns: true, and a token is taken
 */
bool rate_take(struct rate *r, const uint8_t *source, int64_t now_ms,
    uint32_t *wait_s_out);

/**
 * rate_open(): count a connection, if the source has fewer than max.
 *
 * Returns: true when it is counted; rate_close() ends it
 */
bool
rate_open(struct rate *r, const uint8_t *source, uint32_t max, int64_t now_ms);

/**
 * rate_close(): a connection that was counted ends.
 */
void rate_close(struct rate *r, const uint8_t *source);

#endif /* MUSTER_AUTHORITY_RATE_H */
