/* SPDX-License-Identifier: MIT */
/*
 * catalogue_fixture.h -- a small catalogue and its keys, for tests.
 *
 * Each test program has its own copy; fixture_keys() comes first.
 */
#ifndef MUSTER_CATALOGUE_FIXTURE_H
#define MUSTER_CATALOGUE_FIXTURE_H

#include <sodium.h>

#include "tap.h"
#include "trust/catalogue.h"
#include "trust/hostkey.h"

static uint8_t root_pk[PUBKEY_LEN], root_sk[SECKEY_LEN];
static uint8_t issuer_pk[PUBKEY_LEN];
static struct catalogue cat, got;
static uint8_t buf[CAT_FILE_MAX + 64];

static inline int
load(const uint8_t *p, size_t len)
{
	const struct bytes mem = {.p = p, .len = len};
	const struct cat_source src = cat_memory_source(&mem);

	return cat_load(&src, NULL, &got);
}

/* Sign whatever is there, its length in the header as given. */
static inline void
sign_again(uint8_t *p, size_t len)
{
	uint8_t text[64] = LABEL_CAT;
	const struct bytes file = {.p = p, .len = len - SIG_LEN};
	struct wr w = wr_init(p + 12, 4);

	wr_u32(&w, (uint32_t)(len - CAT_HEADER_LEN - SIG_LEN));
	label_publisher(root_pk, text + LABEL_LEN);
	label_hash(NULL, &file, 1, text + 32);
	label_sign(root_sk, text, sizeof(text), p + len - SIG_LEN);
}

static inline struct cat_product
product_of(uint8_t id, uint32_t group)
{
	struct cat_product p = {.name = "Prod",
	    .group = group,
	    .class = CAT_SERVER,
	    .threshold = 5,
	    .line = 2,
	    .level = 3,
	    .validity_days = 180,
	    .initial_grace_days = 30,
	    .lapse_grace_days = 30,
	    .rearms = 3};
	struct hostkey key;

	memset(p.id, id, sizeof(p.id));
	hostkey_setup(p.id, &key);
	hostkey_pack(&key, p.setup_key);
	return p;
}

/* Two of each list, in order, all strings of whole words. */
static inline void
small(struct catalogue *c)
{
	memset(c, 0, sizeof(*c));
	memcpy(c->head.root_pk, root_pk, PUBKEY_LEN);
	memcpy(c->head.name, "Acme", 4);
	memcpy(c->head.url, "https://a.b/", 12);
	c->head.serial = 7;
	c->head.signed_unix_s = 1700000000;
	c->head.audit_number = 99;
	memset(c->head.audit_hash, 0xaa, HASH_LEN);
	c->n_issuers = c->n_groups = c->n_products = c->n_revocations = 2;
	for (uint32_t i = 0; i < 2; i++) {
		c->issuers[i] = (struct cat_issuer){.number = i + 1,
		    .not_before_day = 19000,
		    .not_after_day = 21000};
		memcpy(c->issuers[i].pk, issuer_pk, PUBKEY_LEN);
		c->groups[i].number = i + 10;
		memcpy(c->groups[i].name, i == 0 ? "Desk" : "Serv", 4);
		c->products[i] = product_of((uint8_t)(i + 1), i + 10);
		c->revocations[i] = (struct cat_revocation){.key_number = 5,
		    .slot = 1,
		    .activation = 1};
		c->revocations[i].day = (uint16_t)(i + 100);
	}
}

static inline int
fixture_keys(void)
{
	static const uint8_t root[crypto_sign_SEEDBYTES] = {1};
	static const uint8_t issuer[crypto_sign_SEEDBYTES] = {2};
	uint8_t sk[SECKEY_LEN];
	int err = sodium_init() < 0 ? -1 : 0;

	(void)crypto_sign_seed_keypair(root_pk, root_sk, root);
	(void)crypto_sign_seed_keypair(issuer_pk, sk, issuer);
	return err;
}

#endif /* MUSTER_CATALOGUE_FIXTURE_H */
