/* SPDX-License-Identifier: MIT */
/*
 * state.h -- what a client remembers between two requests.
 *
 * Two kinds of file, in the frame of statefile.h:
 *
 *   bytes  publisher's file        bytes  product's file
 *       8  magic MUSTERP1              8  magic MUSTERR1
 *       4  version, 1                  4  version, 2
 *      16  publisher id               16  product id
 *      16  CMID; zeros: none          16  machine tag                  [2]
 *      16  machine tag                16  instance, or zeros           [2]
 *      16  instance, or zeros          4  0 or 1: left by generalize   [2]
 *       8  high water                 16  lease dropped, or zeros      [2]
 *       4  highest serial in force     4  last count
 *      32  checksum                    4  renewal interval, 0 or minutes
 *                                      4  retry interval, 0 or minutes
 *                                      4  rearms used
 *                                      8  previous, or zeros
 *                                      8  first seen, never 0
 *                                      8  start of grace, or 0
 *                                      8  last verified reply, or 0
 *                                      8  last round of asking, or 0
 *                                      8  next contact due, or 0
 *                                    4+n  last host, string<261>
 *                                      4  0 or 1: certificate follows
 *                                    120  known certificate
 *                                     32  checksum
 *
 * A product's file of version 1 has no fields marked [2]; it is read as if of
 * the publisher's machine, and written anew as version 2.  The lease dropped is
 * the nonce of the request that it answers (life.h, "Rearm").
 *
 * And one that everybody may read, so that a product can judge its grace and
 * its clock without the agent: magic MUSTERV1, version 1, publisher id,
 * product id, first seen, start of grace, high water, checksum.
 *
 * The host that responded last, found by DNS, of all the publisher's products:
 * magic MUSTERH1, version 1, publisher id, host string<261>, domain
 * string<253>, priority of its SRV record (4 bytes, 0 to 65535), checksum.
 *
 * A publisher's file without a CMID and products' files with a 1 are what
 * `muster generalize` leaves.  Each has a machine tag of its own, which tells
 * whether the same machine goes on (b38), whichever was written anew already
 * when the power went.
 *
 * Times are seconds since 1970; a first sight of 1 was lost with a damaged
 * file, and earns no initial grace.  The machine tag is the fingerprint with an
 * instance of zeros, so that an instance which comes or goes is no other
 * machine.  Pure.
 */
#ifndef MUSTER_CLIENT_STATE_H
#define MUSTER_CLIENT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discovery/walk.h"
#include "muster/err.h"
#include "trust/catalogue.h"
#include "trust/cert.h"
#include "wire/msg.h"

#define STATE_SEEN_LOST 1
#define STATE_PUBLISHER_MAGIC "MUSTERP1"
#define STATE_PRODUCT_MAGIC "MUSTERR1"
#define STATE_KNOWN_MAGIC "MUSTERH1"
#define STATE_PRODUCT_VERSION 2U
#define STATE_VIEW_MAGIC "MUSTERV1"
#define STATE_VIEW_LEN 100 /* bytes, always */
#define STATE_HOST_MAX 261 /* a DNS name, a colon and a port */
#define STATE_FILE_MAX 608 /* bytes: more than the largest encoding */

struct state_publisher {
	uint8_t publisher[PUBLISHER_LEN];
	uint8_t cmid[WIRE_ID_LEN];
	uint8_t machine[WIRE_ID_LEN];
	uint8_t instance[WIRE_ID_LEN];
	int64_t high_water_unix_s;
	uint32_t serial;
};

struct state_product {
	uint8_t product[PRODUCT_LEN];
	uint8_t machine[WIRE_ID_LEN]; /* zeros: not known, as in version 1 */
	uint8_t instance[WIRE_ID_LEN];
	bool is_image; /* left by generalize, and not met since */
	uint8_t dropped[WIRE_ID_LEN];
	uint32_t count;
	uint32_t renewal_min; /* 0: no verified reply yet */
	uint32_t retry_min;
	uint8_t previous[WIRE_TAG_LEN];
	int64_t first_seen_unix_s;
	int64_t grace_unix_s; /* start of out-of-tolerance grace, or 0 */
	int64_t answered_unix_s;
	int64_t asked_unix_s;
	int64_t due_unix_s;
	uint32_t rearms; /* used, of those that the catalogue allows */
	char host[STATE_HOST_MAX + 1];
	bool has_certificate;
	uint8_t certificate[CERT_LEN];
};

/* What anybody may know of both. */
struct state_view {
	uint8_t publisher[PUBLISHER_LEN];
	uint8_t product[PRODUCT_LEN];
	int64_t first_seen_unix_s;
	int64_t grace_unix_s;
	int64_t high_water_unix_s;
};

/* What the stored lease is worth at this moment. */
struct state_lease {
	bool holds;
	int64_t ends_unix_s; /* only when it holds */
};

/**
 * state_publisher_encode(): the bytes of a publisher's file.
 *
 * Returns: 0; MUSTER_E_TOOBIG: over cap
 */
MUSTER_NODISCARD int state_publisher_encode(const struct state_publisher *s,
    uint8_t *buf, size_t cap, size_t *len_out);

/**
 * state_publisher_decode(): read a publisher's file.
 *
 * Returns: 0; MUSTER_E_TRUNC, MUSTER_E_PROTO, MUSTER_E_RANGE; MUSTER_E_DAMAGED
 *          when the checksum does not match; s_out is untouched
 */
MUSTER_NODISCARD int state_publisher_decode(const uint8_t *p, size_t len,
    struct state_publisher *s_out);

/**
 * state_product_encode(): the bytes of a product's file.
 *
 * Returns: 0; MUSTER_E_RANGE: an interval, a time or the host's text;
 *          MUSTER_E_TOOBIG: over cap
 */
MUSTER_NODISCARD int state_product_encode(const struct state_product *s,
    uint8_t *buf, size_t cap, size_t *len_out);

/**
 * state_product_decode(): read a product's file.
 *
 * Returns: as state_publisher_decode(), and MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int
state_product_decode(const uint8_t *p, size_t len, struct state_product *s_out);

/**
 * state_known_encode(): the bytes of the file of a host that is remembered.
 *
 * Returns: 0; MUSTER_E_TOOBIG: over cap
 */
MUSTER_NODISCARD int state_known_encode(const uint8_t *publisher,
    const struct walk_known *known, uint8_t *buf, size_t cap, size_t *len_out);

/**
 * state_known_decode(): read it.
 *
 * In:      publisher  whose it has to be
 * Returns: as state_publisher_decode(); MUSTER_E_TOOBIG;
 *          MUSTER_E_PUBLISHER: another's
 */
MUSTER_NODISCARD int state_known_decode(const uint8_t *p, size_t len,
    const uint8_t *publisher, struct walk_known *known_out);

/**
 * state_view_encode(): the bytes of the file for everybody.
 *
 * Out:     buf      STATE_VIEW_LEN bytes
 * Returns: 0; MUSTER_E_RANGE: a time before 1970
 */
MUSTER_NODISCARD int
state_view_encode(const struct state_view *s, uint8_t *buf);

/**
 * state_view_decode(): read the file for everybody.
 *
 * Returns: as state_publisher_decode()
 */
MUSTER_NODISCARD int
state_view_decode(const uint8_t *p, size_t len, struct state_view *s_out);

/**
 * state_licence(): the licence state (b33) at this moment.
 *
 * In:      s        NULL: the product was never seen
 *          product  by the catalogue in force
 * Out:     minutes_left_out  until the state ends; 0 where it has no end
 * Returns: the state
 */
enum wire_state state_licence(const struct state_product *s,
    const struct state_lease *lease, const struct cat_product *product,
    int64_t now_unix_s, uint32_t *minutes_left_out);

#endif /* MUSTER_CLIENT_STATE_H */
