/* SPDX-License-Identifier: MIT */
/*
 * phone.h -- activating a host by telephone: what goes out and comes back.
 *
 *   installation ID, 24 bytes            confirmation ID, 73 bytes
 *   offset  bytes  field                 offset  bytes  field
 *        0      4  host-key number            0      1  slot
 *        4     16  fingerprint of the         1      1  activation
 *                  host public key            2      2  lines, level
 *       20      1  request counter            4      1  issuing key number
 *       21      3  proof, first bytes         5      2  issued, days
 *                                             7      2  expires, days
 *                                             9     64  signature
 *
 * The proof is over 44 bytes: publisher id (16), key number (4), form (4: 1),
 * fingerprint (16), counter (4).  The body of an enrolment request has 64 at
 * least and that of a slots ask 40, so no proof of one is good for another.
 * The signature is the certificate's own, which is over the fingerprint; the
 * host puts its public key and key number back.  As digits: digits.h.  Pure.
 * Source: doc/protocol.md, "By telephone".
 */
#ifndef MUSTER_TRUST_PHONE_H
#define MUSTER_TRUST_PHONE_H

#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"
#include "trust/cert.h"
#include "trust/digits.h"
#include "trust/label.h"

#define PHONE_ASK_LEN 24
#define PHONE_ASK_GROUPS DIGITS_GROUPS(PHONE_ASK_LEN)
#define PHONE_ANSWER_LEN 73
#define PHONE_ANSWER_GROUPS DIGITS_GROUPS(PHONE_ANSWER_LEN)
#define PHONE_BODY_LEN 44
#define PHONE_PROOF_LEN 3
#define PHONE_PROVEN_LEN (PHONE_BODY_LEN + PHONE_PROOF_LEN)

/* An installation ID. */
struct phone_ask {
	uint32_t key_number;
	uint8_t fingerprint[CERT_FINGERPRINT_LEN];
	uint8_t counter;
	uint8_t proof[PHONE_PROOF_LEN];
};

/**
 * phone_ask_prove(): fill in the proof.
 *
 * In:      ask        all but the proof
 *          publisher  PUBLISHER_LEN bytes
 *          pk         proof key, HOSTKEY_PK_LEN bytes
 */
void phone_ask_prove(struct phone_ask *ask, const uint8_t *publisher,
    const uint8_t *pk);

/**
 * phone_ask_encode(): write the PHONE_ASK_LEN bytes.
 */
void phone_ask_encode(const struct phone_ask *ask, uint8_t *out);

/**
 * phone_ask_decode(): read them; every content is one.
 */
void phone_ask_decode(const uint8_t *p, struct phone_ask *ask_out);

/**
 * phone_proven(): body and proof of an ask, for phone_prove().
 *
 * Out:     out      PHONE_PROVEN_LEN bytes, the body first
 */
void phone_proven(const struct phone_ask *ask, const uint8_t *publisher,
    uint8_t *out);

/**
 * phone_prove(): does it prove possession of the host key's secret?
 *
 * In:      p, len   from phone_proven()
 *          pk       proof key kept by the authority
 * Returns: 0; MUSTER_E_SIG (compared in constant time)
 */
MUSTER_NODISCARD int
phone_prove(const uint8_t *p, size_t len, const uint8_t *pk);

/**
 * phone_answer(): the confirmation ID of a certificate.
 *
 * In:      certificate  CERT_LEN bytes; its public key is not looked at
 * Out:     out      PHONE_ANSWER_LEN bytes; untouched on failure
 * Returns: 0
 *          MUSTER_E_RANGE  a day above 65535, or an issuing key above 255
 */
MUSTER_NODISCARD int phone_answer(const uint8_t *certificate, uint8_t *out);

/**
 * phone_certificate(): the certificate of a confirmation ID; the signature
 * tells whether it is for this host.
 *
 * In:      answer   PHONE_ANSWER_LEN bytes
 *          host_pk  PUBKEY_LEN bytes
 * Out:     out      CERT_LEN bytes
 */
void phone_certificate(const uint8_t *answer, uint32_t key_number,
    const uint8_t *host_pk, uint8_t *out);

#endif /* MUSTER_TRUST_PHONE_H */
