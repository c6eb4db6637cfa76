/* SPDX-License-Identifier: MIT */
#include "trust/label.h"

#include <sodium.h>
#include <string.h>

void
label_hash(const char *label, const struct bytes *parts, size_t n, uint8_t *out)
{
	crypto_generichash_state st;
	uint8_t padded[LABEL_LEN] = {0};

	(void)crypto_generichash_init(&st, NULL, 0, HASH_LEN);
	if (label != NULL) {
		assert(strlen(label) <= LABEL_LEN);
		memcpy(padded, label, strlen(label));
		(void)crypto_generichash_update(&st, padded, LABEL_LEN);
	}
	for (size_t i = 0; i < n; i++)
		(void)crypto_generichash_update(&st, parts[i].p, parts[i].len);
	(void)crypto_generichash_final(&st, out, HASH_LEN);
}

void
label_publisher(const uint8_t *root_pk, uint8_t *id_out)
{
	const struct bytes part = {.p = root_pk, .len = PUBKEY_LEN};
	uint8_t hash[HASH_LEN];

	label_hash(NULL, &part, 1, hash);
	memcpy(id_out, hash, PUBLISHER_LEN);
}

bool
label_key_is_good(const uint8_t *pk)
{
	/* canonical, on the curve, in the main subgroup: so of large order */
	return crypto_core_ed25519_is_valid_point(pk) == 1;
}

int
label_verify(const uint8_t *pk, const uint8_t *msg, size_t len,
    const uint8_t *sig)
{
	if (!label_key_is_good(pk))
		return MUSTER_E_KEY;
	if (crypto_sign_verify_detached(sig, msg, len, pk) != 0)
		return MUSTER_E_SIG;
	return 0;
}

void
label_sign(const uint8_t *sk, const uint8_t *msg, size_t len, uint8_t *sig_out)
{
	(void)crypto_sign_detached(sig_out, NULL, msg, len, sk);
}
