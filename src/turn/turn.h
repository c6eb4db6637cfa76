/* SPDX-License-Identifier: MIT */
/*
 * turn.h -- what a host decides in one turn; pure.
 *
 *   turn_judge()   request, time, host -> status, or an item to be stored
 *   turn_apply()   in the store, per item: count, clone chain, leaf
 *   turn_sign()    after the commit: signatures and results
 *
 * The daemon and the simulator run the same three steps; between them lie
 * only bytes and a commit.
 * Source: doc/behaviour.md b1 to b10; doc/protocol.md, "RPC", "Clones".
 */
#ifndef MUSTER_TURN_H
#define MUSTER_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "count/count.h"
#include "muster/err.h"
#include "trust/catalogue.h"
#include "trust/cert.h"
#include "trust/lease.h"
#include "wire/msg.h"

#define TURN_MAX 256           /* items of one turn */
#define TURN_PUBLISHERS_MAX 16 /* a site with more runs a second host */
#define TURN_SUPERSEDED_MAX 4
#define TURN_CLOCK_S (4 * 3600)
#define TURN_ADDRESS_LEN 16 /* IPv6, or IPv4 mapped into it */

/* One publisher that the host serves. */
struct turn_publisher {
	uint8_t id[PUBLISHER_LEN];
	const struct catalogue *catalogue; /* borrowed while turns run */
	bool has_cert;
	struct cert cert;
	uint8_t cert_bytes[CERT_LEN];
	uint8_t cert_hash[HASH_LEN];
	const uint8_t *host_sk; /* SECKEY_LEN bytes in locked memory */
};

struct turn_host {
	uint32_t n_publishers;
	struct turn_publisher publishers[TURN_PUBLISHERS_MAX];
	uint32_t renewal_min; /* b10 */
	uint32_t retry_min;
};

/* Clone chain of one CMID and product; zeros: nothing issued yet. */
struct turn_chain {
	uint8_t newest[WIRE_TAG_LEN];
	uint8_t base[WIRE_TAG_LEN]; /* `previous` it was issued on */
	uint8_t superseded[TURN_SUPERSEDED_MAX][WIRE_TAG_LEN];
	uint8_t n_superseded; /* a ring once it is full */
	uint8_t next_superseded;
};

/* One request on its way; filled in step by step. */
struct turn_item {
	/* by the caller of turn_judge() */
	struct wire_args args;
	uint8_t raw[WIRE_ARGS_MAX]; /* argument bytes as they came */
	size_t raw_len;
	uint8_t address[TURN_ADDRESS_LEN];
	/* by turn_judge() */
	uint32_t publisher; /* index in turn_host */
	uint8_t publisher_id[PUBLISHER_LEN];
	uint8_t cert_hash[HASH_LEN];
	uint32_t group;
	uint32_t threshold;      /* by the host's catalogue */
	bool is_probe;           /* judged and signed, never recorded */
	struct wire_grant grant; /* count by turn_apply() */
	/* by turn_apply() */
	bool is_clone; /* the chain shows two machines under one CMID */
	uint8_t leaf[HASH_LEN];
};

/**
 * turn_judge(): the first test that fails, or an item for the store.
 *
 * In:      item        args, raw, raw_len, address set
 *          now_unix_s  wall clock
 * Out:     item        the fields "by turn_judge()", on WIRE_OK only
 * Returns: WIRE_OK, WIRE_UNKNOWN_PRODUCT, WIRE_HOST_NOT_ACTIVATED,
 *          WIRE_NOT_COVERED or WIRE_CLOCK, in this order of tests (REFUSED
 *          and BUSY are the edge's, before it)
 */
enum wire_status turn_judge(const struct turn_host *host, int64_t now_unix_s,
    struct turn_item *item);

/**
 * turn_cover(): the answer to COVER.
 *
 * In:      publisher  id asked for
 */
void turn_cover(const struct turn_host *host, const uint8_t *publisher,
    int64_t now_unix_s, struct wire_cover *cover_out);

/**
 * turn_apply(): count one item in and compute its leaf.
 *
 * In:      item     as turn_judge() left it
 *          count    the item's group
 *          chain    of its CMID and product, changed; unused for a probe
 *          seq      above every earlier one of the group; unused for a probe
 * Out:     item     the fields "by turn_apply()" and grant.count
 * Returns: 0
 *          MUSTER_E_INVAL  from count_touch(); nothing changed
 */
MUSTER_NODISCARD int turn_apply(struct turn_item *item, struct count *count,
    struct turn_chain *chain, uint64_t seq);

/**
 * turn_chain_step(): the rule of "Clones" alone.
 *
 * In:      previous, leaf  WIRE_TAG_LEN bytes each
 * Returns: true when two machines share the CMID
 */
bool turn_chain_step(struct turn_chain *chain, const uint8_t *previous,
    const uint8_t *leaf);

/**
 * turn_sign(): sign the items of a committed turn.
 *
 * In:      items    n, 1 to TURN_MAX, in order of arrival
 * Out:     results  n, status WIRE_OK; items whose client named the
 *                   certificate share signatures in groups of up to
 *                   LEASE_TREE_MAX per publisher; the rest are signed alone
 *                   and carry the certificate
 */
void turn_sign(const struct turn_host *host, const struct turn_item *items,
    size_t n, struct wire_result *results);

#endif /* MUSTER_TURN_H */
