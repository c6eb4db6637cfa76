/* SPDX-License-Identifier: MIT */
/*
 * grant.h -- may this host have a certificate, and in which slot?  Pure.
 *
 *   request                                   slot held by this host   else
 *   ------------------------------------------------------------------------
 *   counter and body as before                same again               old
 *   counter not above the last one            counter_old              old
 *   higher counter, replaces 0 or own slot    reactivation             new
 *   higher counter, replaces another slot     slot_not_held            replace
 *
 * Before all of it: a host whose certificate is revoked gets host_revoked, and
 * nobody gets a slot that is revoked as a whole.
 *
 * A host is known by the fingerprint of its public key.  The caller has proven the request, and holds the transaction in which the
 * slots were read until the answer is stored.
 * Source: doc/protocol.md, "Activating a host"; behaviour b41, b42, b45.
 */
#ifndef MUSTER_AUTHORITY_GRANT_H
#define MUSTER_AUTHORITY_GRANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trust/cert.h"
#include "trust/label.h"

#define GRANT_SLOTS_MAX 255
#define GRANT_ACTIVATION_MAX 255 /* a slot that reaches it is closed */
#define GRANT_HOSTS 6            /* defaults of a key */
#define GRANT_REACTIVATIONS 9
#define GRANT_RELEASES 6
#define GRANT_REACTIVATIONS_MAX 100000

/* A released slot counts as used until a catalogue revokes its last host. */
enum grant_hold { GRANT_FREE = 0, GRANT_HELD = 1, GRANT_RELEASED = 2 };

/* By the publisher; what a release or a replacement ends is not held here. */
enum grant_revoked {
	GRANT_STANDS = 0,
	GRANT_HOST_ENDED, /* its last host; another one may follow */
	GRANT_SLOT_ENDED  /* for every host to come */
};

struct grant_key {
	bool is_revoked;
	uint32_t hosts;         /* slots, 1 to GRANT_SLOTS_MAX */
	uint32_t reactivations; /* of one host */
};

struct grant_slot {
	uint8_t slot;
	uint8_t activation; /* of its last host */
	enum grant_hold hold;
	enum grant_revoked revoked;
	uint32_t reactivations;                    /* used by its last host */
	uint8_t fingerprint[CERT_FINGERPRINT_LEN]; /* of its last host */
};

/* The last request of this host that was granted under this key, if any. */
struct grant_past {
	bool is_known;
	uint8_t counter;
	uint8_t body[HASH_LEN]; /* hash of what was asked */
};

/* A request that came by telephone says no more than host and counter, so it
 * is the same as any of that counter; code is what it would say. */
struct grant_ask {
	uint8_t fingerprint[CERT_FINGERPRINT_LEN];
	uint8_t counter;
	uint8_t replaces; /* slot, or 0 */
	bool is_code;     /* came by telephone: body is code */
	uint8_t body[HASH_LEN];
	uint8_t code[HASH_LEN];
};

enum grant_kind {
	GRANT_NEW,
	GRANT_SAME, /* the certificate given before; nothing is counted */
	GRANT_REACTIVATION,
	GRANT_REPLACEMENT, /* a reactivation that changes hands */
	GRANT_KEY_REVOKED, /* from here on refusals */
	GRANT_COUNTER_OLD,
	GRANT_HOSTS_USED_UP,
	GRANT_REACTIVATIONS_USED_UP,
	GRANT_SLOT_NOT_HELD,
	GRANT_SLOT_CLOSED,
	GRANT_HOST_REVOKED,
	GRANT_SLOT_REVOKED,
};

struct grant_answer {
	enum grant_kind kind;
	uint8_t slot; /* 0 where none is meant */
	uint8_t activation;
	uint32_t reactivations; /* used by the slot's host after this */
	uint32_t hosts_used;    /* after this */
};

/**
 * grant_decide(): judge one proven request.
 *
 * In:      slots    n of them, each slot number at most once, in any order
 * Returns: the answer; what the caller stores, or the refusal
 */
struct grant_answer
grant_decide(const struct grant_key *key, const struct grant_slot *slots,
    size_t n, const struct grant_past *past, const struct grant_ask *ask);

/**
 * grant_hosts_used(): slots that no other host can have now.
 *
 * Returns: their number
 */
uint32_t grant_hosts_used(const struct grant_slot *slots, size_t n);

/**
 * grant_code(): stable name of an answer.
 *
 * Returns: static text such as "hosts_used_up"
 */
const char *grant_code(enum grant_kind kind);

/**
 * grant_is_refusal(): the host gets no certificate.
 *
 * Returns: true for GRANT_KEY_REVOKED and all after it
 */
bool grant_is_refusal(enum grant_kind kind);

#endif /* MUSTER_AUTHORITY_GRANT_H */
