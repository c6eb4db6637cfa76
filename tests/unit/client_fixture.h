/* SPDX-License-Identifier: MIT */
/*
 * client_fixture.h -- a publisher, a host and a machine, for client tests.
 *
 * fx_init() comes first.  fx_answer() is what an honest host sends back.
 */
#ifndef MUSTER_CLIENT_FIXTURE_H
#define MUSTER_CLIENT_FIXTURE_H

#include <sodium.h>

#include "client/request.h"
#include "tap.h"
#include "trust/hostkey.h"

#define FX_DAY 20000U
#define FX_NOW (INT64_C(86400) * FX_DAY + 1000)

static uint8_t fx_root_pk[PUBKEY_LEN], fx_root_sk[SECKEY_LEN];
static uint8_t fx_issuer_sk[SECKEY_LEN], fx_host_sk[SECKEY_LEN];
static uint8_t fx_cert[CERT_LEN];
static struct catalogue fx_cat;

static inline void
fx_init(int64_t now_unix_s)
{
	static const uint8_t seed[3][crypto_sign_SEEDBYTES] = {{1}, {2}, {3}};
	uint32_t day = (uint32_t)(now_unix_s / 86400);
	uint8_t issuer_pk[PUBKEY_LEN];
	struct cat_product *p = &fx_cat.products[0];
	struct cert cert = {.key_number = 7,
	    .slot = 1,
	    .activation = 1,
	    .lines = 1,
	    .level = 5,
	    .issued_day = day - 1,
	    .issuer = 1};
	struct hostkey key;

	if (sodium_init() < 0)
		return;
	(void)crypto_sign_seed_keypair(fx_root_pk, fx_root_sk, seed[0]);
	(void)crypto_sign_seed_keypair(issuer_pk, fx_issuer_sk, seed[1]);
	(void)crypto_sign_seed_keypair(cert.host_pk, fx_host_sk, seed[2]);
	memset(&fx_cat, 0, sizeof(fx_cat));
	memcpy(fx_cat.head.root_pk, fx_root_pk, PUBKEY_LEN);
	memcpy(fx_cat.head.name, "Acme", 5);
	label_publisher(fx_root_pk, fx_cat.head.publisher);
	fx_cat.head.serial = 3;
	fx_cat.head.signed_unix_s = now_unix_s - 86400;
	fx_cat.n_issuers = fx_cat.n_groups = fx_cat.n_products = 1;
	fx_cat.issuers[0] = (struct cat_issuer){.number = 1,
	    .not_before_day = day - 100,
	    .not_after_day = day + 100};
	memcpy(fx_cat.issuers[0].pk, issuer_pk, PUBKEY_LEN);
	fx_cat.groups[0].number = 1;
	memcpy(fx_cat.groups[0].name, "G", 2);
	*p = (struct cat_product){.name = "Acme Server",
	    .group = 1,
	    .class = CAT_SERVER,
	    .threshold = 5,
	    .level = 1,
	    .validity_days = 180,
	    .initial_grace_days = 30,
	    .lapse_grace_days = 20,
	    .rearms = 5};
	memset(p->id, 0x51, PRODUCT_LEN);
	hostkey_setup(p->id, &key);
	hostkey_pack(&key, p->setup_key);
	cert_sign(&cert, fx_cat.head.publisher, fx_issuer_sk);
	cert_encode(&cert, fx_cert);
}

/* A record's body with a signed OK; n_tree of 1 to 8 leaves, ours at index. */
static inline size_t
fx_answer_at(const struct request *req, const struct wire_grant *grant,
    int form, size_t n_tree, size_t index, uint8_t *body)
{
	struct wire_result res = {.status = WIRE_OK,
	    .grant = *grant,
	    .form = (uint32_t)form};
	struct wire_place places[LEASE_TREE_MAX];
	uint8_t leaves[LEASE_TREE_MAX][HASH_LEN], hash[HASH_LEN];
	uint8_t result[WIRE_RESULT_MAX], rec[RPC_RECORD_MAX];
	size_t len = 0, rec_len = 0;

	memset(leaves, 0x77, sizeof(leaves));
	cert_hash(fx_cert, hash);
	lease_leaf(fx_cat.head.publisher, hash, req->args_bytes, req->args_len,
	    grant, leaves[index]);
	lease_sign(fx_host_sk, (const uint8_t(*)[HASH_LEN])leaves, n_tree,
	    res.signature, places);
	memcpy(res.certificate, fx_cert, CERT_LEN);
	if (form == 1)
		res.place = places[index];
	if (wire_result_encode(&res, result, sizeof(result), &len) != 0 ||
	    rpc_reply_encode(req->xid, result, len, rec, sizeof(rec),
	        &rec_len) != 0)
		return 0;
	memcpy(body, rec + RPC_MARK_LEN, rec_len - RPC_MARK_LEN);
	return rec_len - RPC_MARK_LEN;
}

static inline size_t
fx_answer(const struct request *req, const struct wire_grant *grant, int form,
    uint8_t *body)
{
	return fx_answer_at(req, grant, form, 1, 0, body);
}

static inline struct wire_grant
fx_grant(uint32_t count, int64_t issued_unix_s)
{
	return (struct wire_grant){.count = count,
	    .issued_unix_s = issued_unix_s,
	    .renewal_min = 10080,
	    .retry_min = 120,
	    .catalogue = 3};
}

static uint8_t fx_nonce[WIRE_ID_LEN] = {9, 8, 7};

static inline int
fx_request(const uint8_t *cmid, const uint8_t *machine, bool with_cert,
    int64_t now_unix_s, struct request *req_out)
{
	const struct request_in in = {.product = &fx_cat.products[0],
	    .cmid = cmid,
	    .machine = machine,
	    .nonce = fx_nonce,
	    .certificate = with_cert ? fx_cert : NULL,
	    .name = "pc-1.example",
	    .now_unix_s = now_unix_s,
	    .state = WIRE_INITIAL_GRACE,
	    .minutes_left = 100,
	    .xid = 0xdeadbeef};

	return request_make(&in, req_out);
}

#endif /* MUSTER_CLIENT_FIXTURE_H */
