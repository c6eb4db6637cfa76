/* SPDX-License-Identifier: MIT */
/* lease_fixture.h -- a publisher, a host and leases, from fixed seeds. */
#ifndef MUSTER_LEASE_FIXTURE_H
#define MUSTER_LEASE_FIXTURE_H

#include <sodium.h>
#include <stdlib.h>

#include "trust/lease.h"

#define LF_NOW INT64_C(1800000000)
#define LF_DAY ((uint32_t)(LF_NOW / 86400))

struct lf {
	uint8_t publisher[PUBLISHER_LEN];
	uint8_t issuer_pk[PUBKEY_LEN], issuer_sk[SECKEY_LEN];
	uint8_t host_pk[PUBKEY_LEN], host_sk[SECKEY_LEN];
	struct cert cert;
	struct lease_facts facts; /* as the catalogue in force says */
	uint8_t machine[WIRE_ID_LEN];
};

static inline void
lf_keys(uint8_t first, uint8_t *pk, uint8_t *sk)
{
	uint8_t seed[32] = {first};

	(void)crypto_sign_seed_keypair(pk, sk, seed);
}

static inline void
lf_init(struct lf *f)
{
	memset(f, 0, sizeof(*f));
	f->publisher[0] = 9;
	lf_keys(1, f->issuer_pk, f->issuer_sk);
	lf_keys(2, f->host_pk, f->host_sk);
	f->cert = (struct cert){
	    .key_number = 5,
	    .slot = 1,
	    .activation = 1,
	    .lines = 1,
	    .level = 2,
	    .issued_day = LF_DAY - 10,
	    .issuer = 3,
	};
	memcpy(f->cert.host_pk, f->host_pk, PUBKEY_LEN);
	cert_sign(&f->cert, f->publisher, f->issuer_sk);
	memcpy(f->facts.publisher, f->publisher, PUBLISHER_LEN);
	f->facts.has_issuer = true;
	f->facts.issuer.number = 3;
	memcpy(f->facts.issuer.pk, f->issuer_pk, PUBKEY_LEN);
	f->facts.issuer.not_before_day = LF_DAY - 20;
	f->facts.issuer.not_after_day = LF_DAY + 20;
	f->facts.has_product = true;
	f->facts.product.id[0] = 4;
	f->facts.product.threshold = 5;
	f->facts.product.level = 2;
	f->facts.product.validity_days = 180;
	f->machine[0] = 6;
}

static inline struct wire_args
lf_args(const struct lf *f, uint8_t who)
{
	struct wire_args args;

	memset(&args, 0, sizeof(args));
	args.product[0] = 4;
	args.cmid[0] = who;
	args.nonce[0] = (uint8_t)(who + 100);
	memcpy(args.machine, f->machine, WIRE_ID_LEN);
	args.time_unix_s = LF_NOW;
	args.state = WIRE_INITIAL_GRACE;
	args.threshold = 5;
	memcpy(args.name, "pc", 3);
	return args;
}

/* n leases of one turn that share a signature, as a host makes them. */
static inline void
lf_leases(const struct lf *f, const struct wire_args *args, size_t n,
    const struct wire_grant *grant, struct lease *out)
{
	uint8_t leaves[LEASE_TREE_MAX][HASH_LEN], hash[HASH_LEN];
	struct wire_place places[LEASE_TREE_MAX];
	uint8_t sig[SIG_LEN];

	for (size_t i = 0; i < n; i++) {
		memset(&out[i], 0, sizeof(out[i]));
		if (wire_args_encode(&args[i], out[i].args, sizeof(out[i].args),
		        &out[i].args_len) != 0)
			abort();
		out[i].grant = *grant;
		cert_encode(&f->cert, out[i].certificate);
		cert_hash(out[i].certificate, hash);
		lease_leaf(f->publisher, hash, out[i].args, out[i].args_len,
		    grant, leaves[i]);
	}
	lease_sign(f->host_sk, (const uint8_t(*)[HASH_LEN])leaves, n, sig,
	    places);
	for (size_t i = 0; i < n; i++) {
		out[i].place = places[i];
		memcpy(out[i].signature, sig, SIG_LEN);
	}
}

static inline struct wire_grant
lf_grant(void)
{
	return (struct wire_grant){
	    .count = 5,
	    .issued_unix_s = LF_NOW,
	    .renewal_min = 10080,
	    .retry_min = 120,
	    .catalogue = 7,
	};
}

static inline struct lease
lf_lease(const struct lf *f, uint8_t who)
{
	const struct wire_args args = lf_args(f, who);
	const struct wire_grant grant = lf_grant();
	struct lease lease;

	lf_leases(f, &args, 1, &grant, &lease);
	return lease;
}

#endif /* MUSTER_LEASE_FIXTURE_H */
