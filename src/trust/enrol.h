/* SPDX-License-Identifier: MIT */
/*
 * enrol.h -- a host's request for a certificate, as a file.
 *
 * Layout: magic (8), version (4), body { publisher id (16), key number (4),
 * host public key (32), counter (4, 0 to 255), replaces (4, 0: none, else
 * slot 1 to 255), host name (string<64>) }, proof (32), signature (64).  The
 * proof is over the body; the signature, by the host key, over
 * muster/enrol/1 || body || proof.  Pure.
 * Source: doc/protocol.md, "Activating a host".
 */
#ifndef MUSTER_TRUST_ENROL_H
#define MUSTER_TRUST_ENROL_H

#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"
#include "trust/hostkey.h"
#include "trust/label.h"

#define ENROL_MAGIC "MUSTERE1"
#define ENROL_VERSION 1U
#define ENROL_NAME_MAX 64
#define ENROL_MAX 256 /* bytes of a request */

struct enrol {
	uint8_t publisher[PUBLISHER_LEN];
	uint32_t key_number;
	uint8_t host_pk[PUBKEY_LEN];
	uint8_t counter;
	uint8_t replaces;              /* slot, or 0 */
	char name[ENROL_NAME_MAX + 1]; /* [A-Za-z0-9._-]* */
	uint8_t proof[HOSTKEY_PROOF_LEN];
	uint8_t signature[SIG_LEN];
};

/**
 * enrol_encode(): prove, sign and write a request.
 *
 * In:      e        all but proof and signature
 *          pk       proof key, HOSTKEY_PK_LEN bytes
 *          host_sk  SECKEY_LEN bytes
 * Returns: 0; MUSTER_E_RANGE (name), MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int enrol_encode(const struct enrol *e, const uint8_t *pk,
    const uint8_t *host_sk, uint8_t *buf, size_t cap, size_t *len_out);

/**
 * enrol_decode(): read a request; verifies its signature, not its proof.
 *
 * Returns: 0
 *          MUSTER_E_TRUNC, MUSTER_E_TOOBIG, MUSTER_E_PROTO, MUSTER_E_RANGE
 *          MUSTER_E_KEY, MUSTER_E_SIG  host key or signature
 */
MUSTER_NODISCARD int
enrol_decode(const uint8_t *p, size_t len, struct enrol *e_out);

/**
 * enrol_prove(): does the request prove possession of the host key's secret?
 *
 * In:      p, len   the bytes that enrol_decode() accepted
 *          pk       proof key kept by the authority
 * Returns: 0; MUSTER_E_SIG (compared in constant time)
 */
MUSTER_NODISCARD int
enrol_prove(const uint8_t *p, size_t len, const uint8_t *pk);

#endif /* MUSTER_TRUST_ENROL_H */
