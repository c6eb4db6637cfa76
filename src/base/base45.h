/* SPDX-License-Identifier: MIT */
/*
 * base45.h -- bytes as text that a QR code holds in its alphanumeric mode.
 *
 * Two bytes are three characters, a last single one two.  The space is one of
 * the 45 characters, so none may be cut off or put in.  Pure.
 * Source: RFC 9285.
 */
#ifndef MUSTER_BASE_BASE45_H
#define MUSTER_BASE_BASE45_H

#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"

/* Characters of len bytes, without a NUL. */
#define BASE45_LEN(len) ((len) / 2 * 3 + (len) % 2 * 2)

/**
 * base45_encode(): the text of len bytes, and a NUL.
 *
 * Out:     out      BASE45_LEN(len) + 1 bytes
 */
void base45_encode(const uint8_t *p, size_t len, char *out);

/**
 * base45_decode(): the reverse.
 *
 * In:      text     borrowed, text_len bytes
 * Out:     out      at most cap bytes
 * Returns: 0
 *          MUSTER_E_TRUNC   a length that no bytes have
 *          MUSTER_E_PROTO   a character that is not one of the 45
 *          MUSTER_E_RANGE   a value over two bytes, or over one at the end
 *          MUSTER_E_TOOBIG  more than cap bytes
 */
MUSTER_NODISCARD int base45_decode(const char *text, size_t text_len,
    uint8_t *out, size_t cap, size_t *len_out);

#endif /* MUSTER_BASE_BASE45_H */
