/* SPDX-License-Identifier: MIT */
/*
 * request.h -- what a client asks, and what a reply is worth.
 *
 * Pure: time, nonce and transaction number are arguments.  An unsigned status
 * and a reply that does not verify change nothing but what is shown.
 * Source: doc/protocol.md, "RPC" and "Lease file"; doc/behaviour.md b31, b34.
 */
#ifndef MUSTER_CLIENT_REQUEST_H
#define MUSTER_CLIENT_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "muster/err.h"
#include "trust/catalogue.h"
#include "trust/lease.h"
#include "wire/msg.h"
#include "wire/rpc.h"

/* Everything that goes into one request; pointers are borrowed. */
struct request_in {
	const struct cat_product *product;
	const uint8_t *cmid;        /* WIRE_ID_LEN; all zero: a probe */
	const uint8_t *machine;     /* WIRE_ID_LEN */
	const uint8_t *nonce;       /* WIRE_ID_LEN fresh random bytes */
	const uint8_t *certificate; /* CERT_LEN bytes known, or NULL */
	const uint8_t *previous;    /* WIRE_TAG_LEN, or NULL */
	const char *name;           /* of the machine, at most WIRE_NAME_MAX */
	int64_t now_unix_s;
	enum wire_state state;
	uint32_t minutes_left;
	uint32_t xid;
};

/* A request as it was sent, kept until its reply is judged. */
struct request {
	uint32_t xid;
	struct wire_args args;
	uint8_t args_bytes[WIRE_ARGS_MAX];
	size_t args_len;
	uint8_t record[RPC_RECORD_MAX]; /* mark, call and arguments */
	size_t record_len;
	bool has_certificate;
	uint8_t certificate[CERT_LEN]; /* the one that known_host names */
};

struct reply {
	enum wire_status status;
	int64_t host_unix_s; /* WIRE_CLOCK */
	uint32_t busy_s;     /* WIRE_BUSY */
	/* the rest only after a verified OK */
	bool is_activated; /* count reaches the threshold */
	uint32_t count;
	uint32_t threshold;
	int64_t ends_unix_s;       /* issued_at + validity */
	uint8_t tag[WIRE_TAG_LEN]; /* `previous` of the next request */
	struct lease lease;
};

/**
 * request_make(): build one request, arguments and record.
 *
 * Out:     req_out  untouched on failure
 * Returns: 0
 *          MUSTER_E_RANGE   name or threshold outside what the wire carries
 *          MUSTER_E_TOOBIG  name too long
 */
MUSTER_NODISCARD int
request_make(const struct request_in *in, struct request *req_out);

/**
 * request_judge(): is this body the answer to the request, and does it verify?
 *
 * In:      p, len      body of the record received, without its mark
 *          cat         the catalogue in force
 *          now_unix_s  wall clock at the arrival of the reply
 * Out:     reply_out   on 0 all of it; on MUSTER_E_REFUSED the status and what
 *                      comes with it, WIRE_OK when the call itself was denied;
 *                      otherwise untouched
 * Returns: 0                a verified OK, whatever its count
 *          MUSTER_E_REFUSED an unsigned status; changes no state
 *          MUSTER_E_MISMATCH, MUSTER_E_TRUNC, MUSTER_E_TOOBIG,
 *          MUSTER_E_PROTO, MUSTER_E_RANGE  not an answer to this request; a
 *                           place in a tree without a certificate that the
 *                           request named is MUSTER_E_PROTO
 *          MUSTER_E_INVAL   the answer to a probe
 *          MUSTER_E_CLOCK   issued more than four hours from now
 *          and as lease_judge() but MUSTER_E_COUNT
 */
MUSTER_NODISCARD int
request_judge(const struct request *req, const uint8_t *p, size_t len,
    const struct catalogue *cat, int64_t now_unix_s, struct reply *reply_out);

/**
 * request_judge_probe(): request_judge() for a request of CMID zero, which
 * shows that a host has its key and what it counts; no activation.
 *
 * Out:     reply_out  as request_judge(); its lease is not to be kept
 * Returns: as request_judge(); MUSTER_E_INVAL: not a probe
 */
MUSTER_NODISCARD int
request_judge_probe(const struct request *req, const uint8_t *p, size_t len,
    const struct catalogue *cat, int64_t now_unix_s, struct reply *reply_out);

/**
 * request_replaces(): should a verified lease take the place of the stored one?
 *
 * In:      fresh       the lease of a verified reply
 *          stored      the lease in the file, or NULL
 *          machine     fingerprint of this machine
 *          now_unix_s  as for lease_judge()
 * Returns: true when the fresh one holds, its count included, and the stored
 *          one does not hold or ends earlier
 */
bool request_replaces(const struct lease *fresh, const struct lease *stored,
    const struct catalogue *cat, const uint8_t *machine, int64_t now_unix_s);

#endif /* MUSTER_CLIENT_REQUEST_H */
