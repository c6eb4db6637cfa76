/* SPDX-License-Identifier: MIT */
/*
 * Requests of hosts to an authority.  The signature is made here, by a host
 * key of the target's own, so that what lies behind it is reached.
 */
#include "target.h"

#include <sodium.h>

#include "trust/enrol.h"

#define HEADER_LEN 12 /* magic, version */
#define HOST_PK_OFF (HEADER_LEN + PUBLISHER_LEN + 4)

static uint8_t pk[PUBKEY_LEN], sk[SECKEY_LEN];

static void
decode(const uint8_t *p, size_t len)
{
	struct enrol e;
	uint8_t zero[HOSTKEY_PK_LEN] = {0}, back[ENROL_MAX];
	size_t n = 0;

	if (enrol_decode(p, len, &e) != 0 ||
	    memcmp(e.host_pk, pk, PUBKEY_LEN) != 0) /* whose key is not here */
		return;
	HOLDS(enrol_encode(&e, zero, sk, back, sizeof(back), &n) == 0);
	SAME(back, n - HOSTKEY_PROOF_LEN - SIG_LEN, p,
	    len - HOSTKEY_PROOF_LEN - SIG_LEN);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	uint8_t text[LABEL_LEN + ENROL_MAX] = LABEL_ENROL;
	uint8_t signed_one[ENROL_MAX];
	size_t body;

	if (pk[0] == 0) {
		static const uint8_t seed[crypto_sign_SEEDBYTES] = {1};

		HOLDS(sodium_init() >= 0);
		HOLDS(crypto_sign_seed_keypair(pk, sk, seed) == 0);
	}
	decode(p, len);
	if (len < HOST_PK_OFF + PUBKEY_LEN + SIG_LEN || len > ENROL_MAX)
		return 0;
	memcpy(signed_one, p, len);
	memcpy(signed_one + HOST_PK_OFF, pk, PUBKEY_LEN);
	body = len - HEADER_LEN - SIG_LEN;
	memcpy(text + LABEL_LEN, signed_one + HEADER_LEN, body);
	label_sign(sk, text, LABEL_LEN + body, signed_one + len - SIG_LEN);
	decode(signed_one, len);
	return 0;
}
