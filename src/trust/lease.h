/* SPDX-License-Identifier: MIT */
/*
 * lease.h -- a host's signed reply: what is signed, the file, the judgement.
 *
 *   leaf = hash(muster/lease/1 || publisher id || hash(certificate) ||
 *               argument bytes || count, issued_at, renewal, retry, catalogue)
 *   node(l, r) = hash(muster/node/1 || l || r)
 *   signature = Ed25519(host key, muster/root/1 || root)
 *
 * count .. catalogue are in XDR: unsigned, hyper, unsigned, unsigned,
 * unsigned (24 bytes).  lease_judge() is the one function that verifies a
 * lease; host, agent, library and tools all call it.  Pure.
 * Source: doc/protocol.md, "What is signed" and "Lease file".
 */
#ifndef MUSTER_TRUST_LEASE_H
#define MUSTER_TRUST_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "muster/err.h"
#include "trust/catalogue.h"
#include "trust/cert.h"
#include "trust/label.h"
#include "wire/msg.h"

#define LEASE_MAGIC "MUSTERL1" /* 8 bytes, no NUL in the file */
#define LEASE_VERSION 1U
#define LEASE_FILE_MAX 640       /* bytes: more than the largest encoding */
#define LEASE_TREE_MAX 8         /* replies that may share a signature */
#define LEASE_CLOCK_S (4 * 3600) /* clock difference tolerated */

/* What a lease file holds. */
struct lease {
	uint8_t args[WIRE_ARGS_MAX]; /* argument bytes as they were sent */
	size_t args_len;
	struct wire_grant grant;
	uint8_t signature[SIG_LEN];
	struct wire_place place; /* n_path 0 for a reply signed alone */
	uint8_t certificate[CERT_LEN];
};

/*
 * What the catalogue in force says about one lease; collected by a sink over
 * the file (library) or from a struct catalogue (daemons).
 */
struct lease_facts {
	uint8_t publisher[PUBLISHER_LEN];
	uint32_t serial;
	int64_t signed_unix_s;
	bool has_issuer;
	struct cat_issuer issuer;
	bool has_product;
	struct cat_product product;
	bool is_revoked;
};

/* Parts of the judgement that a caller may leave out. */
#define LEASE_ANY_MACHINE (1U << 0) /* muster verify --any-machine */
#define LEASE_ANY_COUNT (1U << 1)   /* a reply below the threshold verifies */
#define LEASE_PROBE (1U << 2)       /* a probe's reply: judged, never kept */

/**
 * lease_leaf(): the leaf of one reply.
 *
 * In:      publisher  PUBLISHER_LEN bytes
 *          cert_hash  HASH_LEN bytes, cert_hash() of the certificate
 *          args, args_len  argument bytes as sent
 * Out:     leaf_out   HASH_LEN bytes
 */
void lease_leaf(const uint8_t *publisher, const uint8_t *cert_hash,
    const uint8_t *args, size_t args_len, const struct wire_grant *grant,
    uint8_t *leaf_out);

/**
 * lease_root(): climb from a leaf to the root along a path.
 *
 * Out:     root_out  HASH_LEN bytes
 * Returns: 0
 *          MUSTER_E_RANGE  path too long, or index >= 2^n_path
 */
MUSTER_NODISCARD int lease_root(const uint8_t *leaf,
    const struct wire_place *place, uint8_t *root_out);

/**
 * lease_sign(): sign n leaves of one turn with one signature.
 *
 * In:      host_sk    SECKEY_LEN bytes
 *          leaves     n of HASH_LEN bytes; n is 1 to LEASE_TREE_MAX
 * Out:     sig_out    SIG_LEN bytes
 *          places_out n places, one a leaf, in order
 */
void lease_sign(const uint8_t *host_sk, const uint8_t leaves[][HASH_LEN],
    size_t n, uint8_t *sig_out, struct wire_place *places_out);

/**
 * lease_encode(): the bytes of a lease file.
 *
 * Returns: 0; MUSTER_E_TOOBIG, MUSTER_E_RANGE
 */
MUSTER_NODISCARD int lease_encode(const struct lease *lease, uint8_t *buf,
    size_t cap, size_t *len_out);

/**
 * lease_decode(): read a lease file; nothing is judged but the format.
 *
 * Returns: 0; MUSTER_E_TRUNC, MUSTER_E_TOOBIG, MUSTER_E_PROTO, MUSTER_E_RANGE
 */
MUSTER_NODISCARD int
lease_decode(const uint8_t *p, size_t len, struct lease *lease_out);

/**
 * lease_facts(): what a decoded catalogue says about a lease.
 *
 * Returns: 0
 *          MUSTER_E_PROTO, MUSTER_E_KEY, MUSTER_E_RANGE  its certificate or
 *                          its arguments do not decode; facts_out untouched
 */
MUSTER_NODISCARD int lease_facts(const struct lease *lease,
    const struct catalogue *cat, struct lease_facts *facts_out);

/**
 * lease_judge(): does this lease hold here and now?
 *
 * In:      facts      of the catalogue in force, for this very lease
 *          machine    fingerprint of this machine, WIRE_ID_LEN bytes; unused
 *                     with LEASE_ANY_MACHINE
 *          now_unix_s max(wall clock, high water, signing time)
 *          flags      LEASE_ANY_*
 * Returns: 0, or the first link that fails, in this order:
 *          MUSTER_E_PROTO, MUSTER_E_KEY, MUSTER_E_RANGE  content: certificate
 *                            or arguments, a zero CMID (MUSTER_E_INVAL),
 *                            an interval out of range
 *          MUSTER_E_INVAL    a probe's reply is no lease, unless LEASE_PROBE
 *          MUSTER_E_PRODUCT  product not in the catalogue
 *          MUSTER_E_ISSUER   issuing key not in the catalogue
 *          MUSTER_E_SIG      certificate or lease signature
 *          MUSTER_E_ISSUED   certificate issued outside the key's time
 *          MUSTER_E_REVOKED  for the day of this lease
 *          MUSTER_E_ISSUED   issued_at outside the certificate's time
 *          MUSTER_E_LEVEL    line or level not covered
 *          MUSTER_E_COUNT    below the catalogue's threshold
 *          MUSTER_E_CLOCK    issued more than LEASE_CLOCK_S after now
 *          MUSTER_E_MACHINE  another machine's
 *          MUSTER_E_EXPIRED  now after issued_at + validity; all else holds,
 *                            so the grace after a lapse may begin (b33)
 */
MUSTER_NODISCARD int
lease_judge(const struct lease *lease, const struct lease_facts *facts,
    const uint8_t *machine, int64_t now_unix_s, unsigned flags);

#endif /* MUSTER_TRUST_LEASE_H */
