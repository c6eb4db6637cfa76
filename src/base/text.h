/* SPDX-License-Identifier: MIT */
/*
 * text.h -- which bytes may stand in a text from outside; pure.
 *
 * An empty text passes; lengths are for the caller to limit.
 */
#ifndef MUSTER_BASE_TEXT_H
#define MUSTER_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * text_char(): how long is the UTF-8 character at p?
 *
 * In:      left     bytes from p on, at least 1
 * Returns: its bytes; 0 for a control code, and for what is none
 */
size_t text_char(const uint8_t *p, size_t left);

/**
 * text_is_utf8(): UTF-8 in its shortest form, without control codes.
 *
 * C0, DEL, C1, surrogates and what lies above U+10FFFF are refused.
 *
 * Returns: true when all of it is
 * Source:  RFC 3629, section 4
 */
bool text_is_utf8(const uint8_t *p, size_t len);

/**
 * text_is_word(): printable ASCII without space.
 *
 * Returns: true when all of it is
 */
bool text_is_word(const uint8_t *p, size_t len);

/**
 * text_is_line(): printable ASCII, spaces too.
 *
 * Returns: true when all of it is
 */
bool text_is_line(const uint8_t *p, size_t len);

#endif /* MUSTER_BASE_TEXT_H */
