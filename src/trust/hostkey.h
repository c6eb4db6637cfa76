/* SPDX-License-Identifier: MIT */
/*
 * hostkey.h -- the 25 characters that people type, and what is proven by them.
 *
 * Crockford base 32 in five groups, 125 bits, most significant first:
 * kind (3), key number (32), secret (74), check (16: CRC-16/CCITT-FALSE over
 * the 109 bits before it).  In memory a key is 16 bytes: the 125 bits
 * right-aligned (the top three bits are zero).  Pure.
 * Source: doc/protocol.md, "Keys as people type them".
 */
#ifndef MUSTER_TRUST_HOSTKEY_H
#define MUSTER_TRUST_HOSTKEY_H

#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"
#include "trust/label.h"

#define HOSTKEY_LEN 16
#define HOSTKEY_SECRET_LEN 10 /* 74 bits, big-endian, top 6 bits zero */
#define HOSTKEY_TEXT_LEN 29   /* 25 characters and 4 dashes */
#define HOSTKEY_INPUT_MAX 64  /* typed text with spaces and dashes */
#define HOSTKEY_PK_LEN 32     /* the proof key */
#define HOSTKEY_PROOF_LEN 32

enum hostkey_kind { HOSTKEY_HOST = 1, HOSTKEY_SETUP = 2 };

struct hostkey {
	enum hostkey_kind kind;
	uint32_t number;
	uint8_t secret[HOSTKEY_SECRET_LEN];
};

/**
 * hostkey_parse(): read a typed key; forgives case, dashes, spaces, O, I, L.
 *
 * In:      text     borrowed, text_len bytes
 * Returns: 0
 *          MUSTER_E_TOOBIG  over HOSTKEY_INPUT_MAX
 *          MUSTER_E_TRUNC   fewer than 25 characters
 *          MUSTER_E_PROTO   more than 25, or a character of no key
 *          MUSTER_E_TYPO    the check does not match
 *          MUSTER_E_KIND    the check matches, the kind is of no key
 */
MUSTER_NODISCARD int
hostkey_parse(const char *text, size_t text_len, struct hostkey *key_out);

/**
 * hostkey_format(): the text of a key, upper case with dashes and a NUL.
 *
 * Out:     text_out  HOSTKEY_TEXT_LEN + 1 bytes
 */
void hostkey_format(const struct hostkey *key, char *text_out);

/**
 * hostkey_pack(): a key as HOSTKEY_LEN bytes, check included.
 */
void hostkey_pack(const struct hostkey *key, uint8_t *out);

/**
 * hostkey_unpack(): the reverse of hostkey_pack().
 *
 * Returns: 0; MUSTER_E_PROTO (top bits), MUSTER_E_TYPO, MUSTER_E_KIND
 */
MUSTER_NODISCARD int hostkey_unpack(const uint8_t *p, struct hostkey *key_out);

/**
 * hostkey_setup(): the client setup key that a product id derives.
 */
void hostkey_setup(const uint8_t *product, struct hostkey *key_out);

/**
 * hostkey_proof_key(): pk = hash(muster/hkey/1 || publisher || number || secret).
 *
 * Out:     pk_out   HOSTKEY_PK_LEN secret bytes; the caller wipes them
 */
void hostkey_proof_key(const struct hostkey *key, const uint8_t *publisher,
    uint8_t *pk_out);

/**
 * hostkey_proof(): keyed BLAKE2b-256 over muster/proof/1 || body.
 *
 * Out:     out      HOSTKEY_PROOF_LEN bytes
 */
void
hostkey_proof(const uint8_t *pk, const uint8_t *body, size_t len, uint8_t *out);

#endif /* MUSTER_TRUST_HOSTKEY_H */
