/* SPDX-License-Identifier: MIT */
/*
 * catalogue.h -- the publisher's signed list of products and keys.
 *
 * A catalogue file is at most 200 KiB and is read in two passes over one
 * source, in pieces of CAT_PIECE bytes: the signature first, over the exact
 * bytes, then the items one by one into a sink.  So muster_check needs no
 * heap, and daemons fill a struct catalogue by the same code.  Layout of the
 * file: magic (8), version (4), body length (4), XDR body, signature (64).
 * The functions are pure but for the source that the caller passes in.
 * Source: doc/protocol.md, "Catalogue".
 */
#ifndef MUSTER_TRUST_CATALOGUE_H
#define MUSTER_TRUST_CATALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "muster/err.h"
#include "trust/label.h"

#define CAT_MAGIC "MUSTERC1" /* 8 bytes, no NUL in the file */
#define CAT_VERSION 1U
#define CAT_HEADER_LEN 16
#define CAT_FILE_MAX (200 * 1024) /* bytes */
#define CAT_PIECE 4096
#define CAT_NAME_MAX 64
#define CAT_URL_MAX 200
#define CAT_CONTACT_MAX 500
#define CAT_ISSUERS_MAX 32
#define CAT_GROUPS_MAX 64
#define CAT_PRODUCTS_MAX 1024
#define CAT_REVOCATIONS_MAX 4096
#define CAT_THRESHOLD_MAX 100000U
#define CAT_VALIDITY_DAYS_MAX 3660U
#define CAT_GRACE_DAYS_MAX 365U
#define CAT_KEY_LEN 16 /* a setup key's 125 bits, see hostkey.h */
#define PRODUCT_LEN 16

/* Desktop and server are the guide's; both count alike. */
enum cat_class { CAT_DESKTOP = 0, CAT_SERVER = 1 };

struct cat_head {
	uint8_t root_pk[PUBKEY_LEN];
	char name[CAT_NAME_MAX + 1];
	char url[CAT_URL_MAX + 1];
	char contact[CAT_CONTACT_MAX + 1];
	uint32_t serial;
	int64_t signed_unix_s;
	uint64_t audit_number; /* last audit entry before the signing */
	uint8_t audit_hash[HASH_LEN];
	uint8_t publisher[PUBLISHER_LEN]; /* derived, not in the file */
};

struct cat_issuer {
	uint32_t number; /* 1 to 255 */
	uint8_t pk[PUBKEY_LEN];
	uint32_t not_before_day;
	uint32_t not_after_day;
};

struct cat_group {
	uint32_t number;
	char name[CAT_NAME_MAX + 1];
};

struct cat_product {
	uint8_t id[PRODUCT_LEN];
	char name[CAT_NAME_MAX + 1];
	uint32_t group;
	enum cat_class class;
	uint32_t threshold; /* 1 to CAT_THRESHOLD_MAX */
	uint8_t line;       /* 0 to 7 */
	uint8_t level;      /* 1 to 255 */
	uint32_t validity_days;
	uint32_t initial_grace_days;
	uint32_t lapse_grace_days;
	uint32_t rearms;
	uint8_t setup_key[CAT_KEY_LEN];
};

/* Key number, slot (0: all), activation (0: all), day (0: no lease holds). */
struct cat_revocation {
	uint32_t key_number;
	uint8_t slot;
	uint8_t activation;
	uint16_t day;
};

/*
 * Everything decoded; about 250 KiB, so never on a stack.  Arrays hold the
 * order of the file.
 */
struct catalogue {
	struct cat_head head;
	uint32_t n_issuers, n_groups, n_products, n_revocations;
	struct cat_issuer issuers[CAT_ISSUERS_MAX];
	struct cat_group groups[CAT_GROUPS_MAX];
	struct cat_product products[CAT_PRODUCTS_MAX];
	struct cat_revocation revocations[CAT_REVOCATIONS_MAX];
};

/* Where the bytes come from. */
struct cat_source {
	/* Read exactly len bytes at off into buf; 0 or MUSTER_E_IO/_TRUNC. */
	int (*read)(void *arg, uint64_t off, uint8_t *buf, size_t len);
	void *arg;
	uint64_t len; /* of the file in bytes */
};

/* Who gets the items, in the file's order; any callback may be NULL. */
struct cat_sink {
	void (*issuer)(void *arg, const struct cat_issuer *issuer);
	void (*group)(void *arg, const struct cat_group *group);
	void (*product)(void *arg, const struct cat_product *product);
	void (*revocation)(void *arg, const struct cat_revocation *rev);
	/* Setup keys are not derived again, 1 us each: for a reader that needs
	 * none, since the root key has signed them. */
	bool skips_setup_keys;
	void *arg;
};

/**
 * cat_memory_source(): a source over bytes in memory.
 *
 * In:      mem      borrowed as long as the source is used; lives in arg
 * Returns: the source
 */
struct cat_source cat_memory_source(const struct bytes *mem);

/**
 * cat_read(): verify a catalogue, then hand out what is in it.
 *
 * In:      publisher  PUBLISHER_LEN bytes that the root key must hash to, or
 *                     NULL to take the file's word for who it is (the caller
 *                     must then compare head_out->publisher with what it
 *                     trusts)
 *          sink       NULL: only head_out
 * Out:     head_out   valid on success only; on failure the sink may have been
 *                     called, and the caller drops what it got
 * Returns: 0
 *          MUSTER_E_TOOBIG     over CAT_FILE_MAX or a count over its limit
 *          MUSTER_E_PUBLISHER  another publisher's
 *          MUSTER_E_KEY, MUSTER_E_SIG  root key or signature bad
 *          MUSTER_E_TRUNC, MUSTER_E_PROTO, MUSTER_E_RANGE  content
 *          MUSTER_E_IO         from the source
 */
MUSTER_NODISCARD int
cat_read(const struct cat_source *src, const uint8_t *publisher,
    const struct cat_sink *sink, struct cat_head *head_out);

/**
 * cat_load(): cat_read() into a struct catalogue.
 *
 * Out:     cat_out  caller's memory; undefined on failure
 * Returns: as cat_read()
 */
MUSTER_NODISCARD int cat_load(const struct cat_source *src,
    const uint8_t *publisher, struct catalogue *cat_out);

/**
 * cat_encode(): write a catalogue file with its signature.
 *
 * In:      cat      the publisher field is ignored; derived from root_pk;
 *                   every list is written sorted whatever its order
 *          root_sk  SECKEY_LEN bytes
 * Out:     buf      CAT_FILE_MAX bytes suffice
 * Returns: 0
 *          MUSTER_E_RANGE   a field out of range, a duplicate product id,
 *                           issuer or group number, a product of no group
 *          MUSTER_E_TOOBIG  over cap or CAT_FILE_MAX
 *          MUSTER_E_KEY     an issuing key is zero or of small order
 *          MUSTER_E_SIG     root_sk is not root_pk's
 *          On failure nothing signed is left in buf.
 */
MUSTER_NODISCARD int cat_encode(const struct catalogue *cat,
    const uint8_t *root_sk, uint8_t *buf, size_t cap, size_t *len_out);

/**
 * cat_product(): look a product up by id.
 *
 * Returns: borrowed from cat, or NULL
 */
const struct cat_product *
cat_product(const struct catalogue *cat, const uint8_t *id);

/**
 * cat_clash(): a product id or setup key that two catalogues name.
 *
 * Returns: the product, borrowed from a, or NULL
 */
const struct cat_product *
cat_clash(const struct catalogue *a, const struct catalogue *b);

/**
 * cat_issuer(): look an issuing key up by number.
 *
 * Returns: borrowed from cat, or NULL
 */
const struct cat_issuer *
cat_issuer(const struct catalogue *cat, uint32_t number);

/**
 * cat_revocation_hits(): a revocation speaks of this certificate and of a
 * lease issued on that day.
 *
 * In:      lease_day  days since 1970; leases issued before the revocation's
 *                     day stay good
 * Returns: true when the lease does not hold
 */
bool cat_revocation_hits(const struct cat_revocation *rev, uint32_t key_number,
    uint8_t slot, uint8_t activation, uint32_t lease_day);

#endif /* MUSTER_TRUST_CATALOGUE_H */
