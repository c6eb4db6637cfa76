/* SPDX-License-Identifier: MIT */
/*
 * name.h -- domain names, as text and on the wire; pure.
 *
 * A name is held as the wire has it, uncompressed: labels, each after its
 * length, and the empty label of the root at the end.  Text is always the
 * whole name: with or without the dot at the end, nothing is ever appended.
 * Only letters, digits, '-' and '_' are taken: what a name server may say
 * beyond them names no host, and would be shown to people.
 * Source: RFC 1035, sections 2.3.4, 3.1 and 4.1.4; RFC 4343.
 */
#ifndef MUSTER_DISCOVERY_NAME_H
#define MUSTER_DISCOVERY_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"

#define DNS_NAME_MAX 255 /* bytes on the wire, the root's label included */
#define DNS_LABEL_MAX 63
#define DNS_TEXT_MAX 253 /* characters without the dot at the end */

struct dns_name {
	size_t len; /* 1 (the root) to DNS_NAME_MAX */
	uint8_t wire[DNS_NAME_MAX];
};

/**
 * dns_name_parse(): text to name; "." is the root.
 *
 * Out:     name_out untouched on failure
 * Returns: 0
 *          MUSTER_E_PROTO  empty, an empty label, or another character
 *          MUSTER_E_TOOBIG a label over 63 or a name over 255 bytes
 */
MUSTER_NODISCARD int
dns_name_parse(const char *text, struct dns_name *name_out);

/**
 * dns_name_join(): a name under a domain, such as "_muster._tcp" under one.
 *
 * Returns: 0; as dns_name_parse() for each; MUSTER_E_TOOBIG together
 */
MUSTER_NODISCARD int dns_name_join(const char *labels, const char *domain,
    struct dns_name *name_out);

/**
 * dns_name_text(): in lower case, without the dot at the end; "." for the
 * root.
 *
 * Out:     out      DNS_TEXT_MAX + 1 bytes
 */
void dns_name_text(const struct dns_name *name, char *out);

/**
 * dns_name_read(): take a name out of a message, compressed or not.
 *
 * A pointer must lead to before the labels that led to it, so that reading
 * ends after DNS_NAME_MAX bytes.
 *
 * In:      msg, len the whole message, borrowed
 *          at       where the name begins
 * Out:     at_out   just after it, untouched on failure; may be &at of the
 *                   caller
 * Returns: 0
 *          MUSTER_E_TRUNC  cut off
 *          MUSTER_E_PROTO  a pointer forward, or a label of another type
 *          MUSTER_E_TOOBIG over DNS_NAME_MAX bytes
 *          MUSTER_E_RANGE  a character that no host's name has; at_out is
 *                          set nevertheless: what follows can be read
 */
MUSTER_NODISCARD int dns_name_read(const uint8_t *msg, size_t len, size_t at,
    size_t *at_out, struct dns_name *name_out);

/**
 * dns_name_equal(): are they the same, but for the case of letters?
 *
 * Returns: whether they are
 */
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);

/**
 * dns_name_is_under(): does the name lie in the domain, or is it the same?
 *
 * Returns: whether it does
 */
bool
dns_name_is_under(const struct dns_name *name, const struct dns_name *domain);

#endif /* MUSTER_DISCOVERY_NAME_H */
