/* SPDX-License-Identifier: MIT */
/*
 * digits.h -- numbers that people read to each other: groups of digits, each
 * with a check digit of its own.
 *
 * The text of len bytes is a version digit, 1, and the bytes as one decimal
 * number with leading zeros, so that both fill whole groups of six.  A
 * seventh digit makes the check: Damm's method over n mod 10 and the six
 * digits of group n, n from 1.  So every wrong digit and every swap of
 * neighbours is found in its own group, and so is a group in another's place,
 * unless the two are ten or twenty apart.  Pure; all buffers are fixed.
 * Source: H. M. Damm, "Total anti-symmetrische Quasigruppen", Marburg 2004;
 *         doc/protocol.md, "Codes of digits".
 */
#ifndef MUSTER_TRUST_DIGITS_H
#define MUSTER_TRUST_DIGITS_H

#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"

#define DIGITS_VERSION 1
#define DIGITS_LEN_MAX 73 /* bytes: the longer of the two codes, 584 bits */
#define DIGITS_BARE 6     /* of a group, without its check digit */
#define DIGITS_TYPED 7    /* with it */
/* Groups that len bytes fill: the digits of the largest number (log10 of 2 is
 * a little under 0.30103) and the version digit, rounded up. */
#define DIGITS_GROUPS(len)                                            \
	(((8 * (len)*30103 + 99999) / 100000 + 1 + DIGITS_BARE - 1) / \
	    DIGITS_BARE)
#define DIGITS_GROUPS_MAX DIGITS_GROUPS(DIGITS_LEN_MAX)
/* Groups with one character between them, and a NUL. */
#define DIGITS_TEXT_LEN(len) (DIGITS_GROUPS(len) * (DIGITS_TYPED + 1))
#define DIGITS_INPUT_MAX 1024 /* typed text, with spaces and line ends */
#define DIGITS_WHY_MAX 96

/* What is wrong with a code, and where. */
struct digits_slip {
	int err;
	unsigned group;    /* from 1; 0: none more than another */
	unsigned n_digits; /* in its place, where their number is wrong */
};

/**
 * digits_format(): the text of len bytes, groups parted by dashes, and a NUL.
 *
 * In:      len      1 to DIGITS_LEN_MAX
 * Out:     out      DIGITS_TEXT_LEN(len) bytes
 */
void digits_format(const uint8_t *p, size_t len, char *out);

/**
 * digits_group(): take one group out of typed text, and check it.
 *
 * Spaces, tabs, dashes, dots and line ends are passed over, also in a group.
 * But a group ends where digits do that stand together, or a whole number of
 * groups stands together: a digit too many or too few would else be found in
 * a later group, in which nothing is wrong.
 *
 * In:      text     borrowed, *len_io bytes
 *          number   of the group, from 1
 * Out:     bare_out DIGITS_BARE digits' value; untouched on failure
 *          text, len_io  what follows the group; on failure untouched
 *          slip_out for digits_why()
 * Returns: 0
 *          MUSTER_E_NOENT   no digit is left
 *          MUSTER_E_TRUNC   fewer than DIGITS_TYPED digits
 *          MUSTER_E_TOOBIG  more than DIGITS_TYPED digits
 *          MUSTER_E_PROTO   a character of no code, or a group 1 of another
 *                           version
 *          MUSTER_E_TYPO    the check digit does not match
 */
MUSTER_NODISCARD int digits_group(const char **text, size_t *len_io,
    unsigned number, uint32_t *bare_out, struct digits_slip *slip_out);

/**
 * digits_join(): the bytes of a code whose groups were all taken.
 *
 * In:      bare     DIGITS_GROUPS(len) values from digits_group()
 *          len      1 to DIGITS_LEN_MAX
 * Out:     out      len bytes; untouched on failure
 * Returns: 0
 *          MUSTER_E_PROTO   of another version
 *          MUSTER_E_RANGE   a number that no len bytes are
 */
MUSTER_NODISCARD int
digits_join(const uint32_t *bare, size_t len, uint8_t *out);

/**
 * digits_parse(): a whole code.
 *
 * In:      text     borrowed, text_len bytes
 *          len      bytes wanted, 1 to DIGITS_LEN_MAX
 * Out:     out      len bytes; untouched on failure
 *          slip_out after a failure the first wrong group; for digits_why()
 * Returns: 0
 *          MUSTER_E_TOOBIG  over DIGITS_INPUT_MAX, or something follows the
 *                           last group; or a group as digits_group()
 *          MUSTER_E_TRUNC, MUSTER_E_PROTO, MUSTER_E_TYPO, MUSTER_E_RANGE
 *          as digits_group() and digits_join()
 */
MUSTER_NODISCARD int digits_parse(const char *text, size_t text_len,
    uint8_t *out, size_t len, struct digits_slip *slip_out);

/**
 * digits_why(): what is wrong with a group, for people.
 *
 * Out:     out      DIGITS_WHY_MAX bytes, such as "8 digits instead of 7"
 * Returns: out
 */
const char *digits_why(const struct digits_slip *slip, char *out);

#endif /* MUSTER_TRUST_DIGITS_H */
