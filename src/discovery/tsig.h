/* SPDX-License-Identifier: MIT */
/*
 * tsig.h -- transaction signatures: a request signed, its answer judged; pure.
 *
 * HMAC-SHA-256 and HMAC-SHA-512, whole MACs only: a shorter or longer one is
 * refused whatever it is (RFC 8945 5.2.2.1 lets us).  What an answer says
 * against us (BADKEY, BADSIG) comes unsigned by its nature, so it is a word to
 * pass on and never more than that: only TSIG_GOOD lets an answer count.
 * Source: RFC 8945.
 */
#ifndef MUSTER_DISCOVERY_TSIG_H
#define MUSTER_DISCOVERY_TSIG_H

#include <stdint.h>

#include "discovery/message.h"

#define TSIG_FUDGE_S 300       /* RFC 8945 10: recommended; also our limit */
#define TSIG_SECRET_MIN 16     /* what is shorter can be guessed */
#define TSIG_SECRET_MAX 128    /* the block of SHA-512 */
#define TSIG_MAC_MAX 64        /* of HMAC-SHA-512 */
#define TSIG_KEY_FILE_MAX 4096 /* one key and some comments */

/* Key name, fixed fields, algorithm's name, time to original id, other. */
#define TSIG_RECORD_MAX (DNS_NAME_MAX + 10 + 13 + 10 + TSIG_MAC_MAX + 6)

enum tsig_algorithm { TSIG_SHA256, TSIG_SHA512 };

/* Secret: in locked memory, wiped by its owner. */
struct tsig_key {
	struct dns_name name;
	enum tsig_algorithm algorithm;
	size_t secret_len;
	uint8_t secret[TSIG_SECRET_MAX];
};

struct tsig_mac {
	size_t len;
	uint8_t mac[TSIG_MAC_MAX];
};

enum tsig_verdict {
	TSIG_GOOD,            /* signed by the key, in time, without an error */
	TSIG_NONE,            /* not signed */
	TSIG_BROKEN,          /* a record that no server should send */
	TSIG_OTHER_KEY,       /* signed by a key of another name */
	TSIG_OTHER_ALGORITHM, /* or by another algorithm */
	TSIG_MAC_LENGTH,      /* cut short or too long */
	TSIG_MAC_WRONG,       /* does not verify */
	TSIG_TIME,            /* verifies, but was made at another time */
	TSIG_PEER_BADSIG,     /* the server: our signature is wrong */
	TSIG_PEER_BADKEY,     /* the server: key unknown, or not for this */
	TSIG_PEER_BADTIME,    /* the server: our clock is off (verified) */
	TSIG_PEER_BADTRUNC,   /* the server: our MAC is too short */
	TSIG_PEER_OTHER       /* the server: another error */
};

/**
 * tsig_mac_len(): bytes of the algorithm's whole MAC.
 *
 * Returns: 32 or 64
 */
size_t tsig_mac_len(enum tsig_algorithm algorithm);

/**
 * tsig_sign(): put a signature behind a request.
 *
 * In:      now_unix_s  wall clock, 0 to 2^48 - 1
 *          msg, cap    the message in a buffer with TSIG_RECORD_MAX to spare
 *          len         of the message so far
 * Out:     len         with the signature; untouched on failure
 *          mac_out     what tsig_judge() needs
 * Returns: 0
 *          MUSTER_E_TOOBIG  no room
 *          MUSTER_E_TRUNC   shorter than a header
 *          MUSTER_E_RANGE   the time
 */
MUSTER_NODISCARD int tsig_sign(const struct tsig_key *key, int64_t now_unix_s,
    uint8_t *msg, size_t cap, size_t *len, struct tsig_mac *mac_out);

/**
 * tsig_judge(): was this answer signed by the key, for that request, now?
 *
 * Its id is the caller's to compare.
 *
 * In:      request  the MAC of the request
 * Out:     skew_s_out  for TSIG_PEER_BADTIME: the server's clock less ours;
 *                      else 0
 * Returns: the verdict
 */
enum tsig_verdict
tsig_judge(const struct tsig_key *key, const struct tsig_mac *request,
    int64_t now_unix_s, const uint8_t *msg, size_t len, int64_t *skew_s_out);

/**
 * tsig_key_parse(): one key as tsig-keygen writes it.
 *
 *   key "NAME" { algorithm hmac-sha256; secret "BASE64"; };
 *
 * Comments are #, // and C's.  Nothing of the text gets into the message.
 *
 * Out:     key_out  wiped on failure
 *          why_out  static text, on failure
 * Returns: 0
 *          MUSTER_E_PROTO  not such a text, or more than one key
 *          MUSTER_E_KIND   another algorithm
 *          MUSTER_E_RANGE  the secret is too short or too long
 */
MUSTER_NODISCARD int tsig_key_parse(const char *text, size_t len,
    struct tsig_key *key_out, const char **why_out);

#endif /* MUSTER_DISCOVERY_TSIG_H */
