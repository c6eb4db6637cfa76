/* SPDX-License-Identifier: MIT */
/*
 * label.h -- hashes and signatures that cannot be taken for each other.
 *
 * Every signed text, and every hash but those of a public key, a certificate
 * or a file, begins with a label: 16 bytes of ASCII padded with zeros.
 * Signatures are Ed25519 (RFC 8032), hashes BLAKE2b-256 (RFC 7693), both by
 * libsodium.  Pure: nothing here touches clock, disk or random device.
 * Source: doc/protocol.md, "Trust chain".
 */
#ifndef MUSTER_TRUST_LABEL_H
#define MUSTER_TRUST_LABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "muster/err.h"

#define LABEL_LEN 16
#define HASH_LEN 32
#define PUBKEY_LEN 32
#define SIG_LEN 64
#define SECKEY_LEN 64 /* libsodium's form: seed and public key */
#define PUBLISHER_LEN 16

#define LABEL_CAT "muster/cat/1"
#define LABEL_CERT "muster/cert/1"
#define LABEL_LEASE "muster/lease/1"
#define LABEL_NODE "muster/node/1"
#define LABEL_ROOT "muster/root/1"
#define LABEL_ENROL "muster/enrol/1"
#define LABEL_HKEY "muster/hkey/1"
#define LABEL_PROOF "muster/proof/1"
#define LABEL_SETUP "muster/setup/1"

/**
 * label_hash(): BLAKE2b-256 over the label and up to n parts.
 *
 * In:      label    a LABEL_ text of at most 16 characters; NULL: no label
 *          parts    n borrowed pieces, hashed in order
 * Out:     out      HASH_LEN bytes
 */
void label_hash(const char *label, const struct bytes *parts, size_t n,
    uint8_t *out);

/**
 * label_publisher(): publisher id of a root public key.
 *
 * Out:     id_out   PUBLISHER_LEN bytes: the first of its hash
 */
void label_publisher(const uint8_t *root_pk, uint8_t *id_out);

/**
 * label_key_is_good(): a public key is canonical, not zero and not of small
 * order.  Compares bytes only (a check of a full catalogue pays for it 32
 * times); that it is a point of the curve shows when it verifies something.
 *
 * Returns: true when it may be used
 */
bool label_key_is_good(const uint8_t *pk);

/**
 * label_verify(): Ed25519 over bytes that begin with their label.
 *
 * In:      msg, len  borrowed
 * Returns: 0
 *          MUSTER_E_KEY  the public key is zero or of small order
 *          MUSTER_E_SIG  the signature does not verify
 */
MUSTER_NODISCARD int label_verify(const uint8_t *pk, const uint8_t *msg,
    size_t len, const uint8_t *sig);

/**
 * label_sign(): Ed25519 over bytes that begin with their label.
 *
 * Out:     sig_out  SIG_LEN bytes
 */
void
label_sign(const uint8_t *sk, const uint8_t *msg, size_t len, uint8_t *sig_out);

#endif /* MUSTER_TRUST_LABEL_H */
