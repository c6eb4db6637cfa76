/* SPDX-License-Identifier: MIT */
/*
 * hex.h -- hexadecimal and UUID text; pure.
 *
 * A UUID's 16 bytes are in the order in which it is printed (RFC 9562).
 */
#ifndef MUSTER_BASE_HEX_H
#define MUSTER_BASE_HEX_H

#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"

#define UUID_LEN 16
#define UUID_TEXT_LEN 36

/**
 * hex_encode(): lower-case hex and a NUL.
 *
 * Out:     out      2 * len + 1 bytes
 */
void hex_encode(const uint8_t *p, size_t len, char *out);

/**
 * hex_decode(): exactly 2 * len hex digits, either case.
 *
 * In:      text     borrowed, text_len bytes
 * Returns: 0; MUSTER_E_PROTO wrong length or digit
 */
MUSTER_NODISCARD int
hex_decode(const char *text, size_t text_len, uint8_t *out, size_t len);

/**
 * uuid_format(): 8-4-4-4-12 in lower case and a NUL.
 *
 * Out:     out      UUID_TEXT_LEN + 1 bytes
 */
void uuid_format(const uint8_t *id, char *out);

/**
 * uuid_parse(): the reverse, either case.
 *
 * Returns: 0; MUSTER_E_PROTO
 */
MUSTER_NODISCARD int uuid_parse(const char *text, uint8_t *id_out);

#endif /* MUSTER_BASE_HEX_H */
