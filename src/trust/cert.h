/* SPDX-License-Identifier: MIT */
/*
 * cert.h -- host certificates: 120 bytes.
 *
 *   offset  bytes  field
 *        0      8  serial: key number (32), slot (8), activation (8), 0 (16)
 *        8      4  16 zero bits, lines (8), level (8)
 *       12      4  issued, days since 1970-01-01
 *       16      4  expires, likewise; 0: never
 *       20     32  host public key
 *       52      4  issuing key number, 1 to 255
 *       56     64  signature over label, publisher id and the fields above,
 *                  the public key replaced by its fingerprint (16 bytes)
 *
 * Pure.  Source: doc/protocol.md, "Host certificate".
 */
#ifndef MUSTER_TRUST_CERT_H
#define MUSTER_TRUST_CERT_H

#include <stdbool.h>
#include <stdint.h>

#include "muster/err.h"
#include "trust/label.h"

#define CERT_LEN 120
#define CERT_FINGERPRINT_LEN 16
#define CERT_TAG_LEN 8 /* known_host: first bytes of the hash */

struct cert {
	uint32_t key_number;
	uint8_t slot;       /* from 1 */
	uint8_t activation; /* from 1 */
	uint8_t lines;      /* line n is bit 1 << n */
	uint8_t level;
	uint32_t issued_day;
	uint32_t expires_day; /* 0: never */
	uint8_t host_pk[PUBKEY_LEN];
	uint32_t issuer; /* 1 to 255 */
	uint8_t signature[SIG_LEN];
};

/**
 * cert_encode(): write the 120 bytes.
 */
void cert_encode(const struct cert *cert, uint8_t *out);

/**
 * cert_decode(): read the 120 bytes; the signature is not judged.
 *
 * Returns: 0
 *          MUSTER_E_PROTO  reserved bits, or slot, activation or issuer of 0,
 *                          or an issuer over 255
 *          MUSTER_E_KEY    the host key is zero or of small order
 */
MUSTER_NODISCARD int cert_decode(const uint8_t *p, struct cert *cert_out);

/**
 * cert_fingerprint(): first 16 bytes of the hash of a host public key.
 */
void cert_fingerprint(const uint8_t *host_pk, uint8_t *out);

/**
 * cert_hash(): hash of the 120 bytes, HASH_LEN bytes; its first CERT_TAG_LEN
 * are known_host.
 */
void cert_hash(const uint8_t *p, uint8_t *out);

/**
 * cert_sign(): fill in the signature.
 *
 * In:      publisher  PUBLISHER_LEN bytes
 *          issuer_sk  SECKEY_LEN bytes of issuing key number cert->issuer
 */
void cert_sign(struct cert *cert, const uint8_t *publisher,
    const uint8_t *issuer_sk);

/**
 * cert_sign_print(): the same where the host public key is not known, but its
 * fingerprint; host_pk is not looked at.
 */
void cert_sign_print(struct cert *cert, const uint8_t *fingerprint,
    const uint8_t *publisher, const uint8_t *issuer_sk);

/**
 * cert_verify(): judge the signature alone.
 *
 * Returns: 0; MUSTER_E_KEY, MUSTER_E_SIG
 */
MUSTER_NODISCARD int cert_verify(const struct cert *cert,
    const uint8_t *publisher, const uint8_t *issuer_pk);

/**
 * cert_covers(): the certificate is good for a product of this line and level.
 *
 * Returns: true when the line is in its set and the level not above its own
 */
bool cert_covers(const struct cert *cert, uint8_t line, uint8_t level);

/**
 * cert_in_date(): a reply issued then is within the certificate's time.
 *
 * Returns: true when issued - 1 day <= day(unix_s) < expires (0: no end)
 */
bool cert_in_date(const struct cert *cert, int64_t unix_s);

#endif /* MUSTER_TRUST_CERT_H */
