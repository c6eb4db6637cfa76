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

/* The y of the points of order 1, 2, 4 and 8; each is two keys, by the sign
 * of x, or one.  Little-endian (RFC 8032, 5.1.2); test_label finds them anew. */
static const uint8_t small_order_y[][PUBKEY_LEN] = {
    {1},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89,
        0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39,
        0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76,
        0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6,
        0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

/* y is below p = 2^255 - 19: the one encoding of its number. */
static bool
is_canonical(const uint8_t *y)
{
	bool is_below = y[0] < 0xed || y[PUBKEY_LEN - 1] != 0x7f;

	for (size_t i = 1; i < PUBKEY_LEN - 1 && !is_below; i++)
		is_below = y[i] != 0xff;
	return is_below;
}

bool
label_key_is_good(const uint8_t *pk)
{
	const size_t n = sizeof(small_order_y) / sizeof(small_order_y[0]);
	uint8_t y[PUBKEY_LEN];
	bool is_good;

	/* public bytes: no need of constant time */
	memcpy(y, pk, PUBKEY_LEN);
	y[PUBKEY_LEN - 1] &= 0x7f;
	is_good = is_canonical(y);
	for (size_t i = 0; i < n && is_good; i++)
		is_good = memcmp(y, small_order_y[i], PUBKEY_LEN) != 0;
	return is_good;
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
