/* SPDX-License-Identifier: MIT */
/*
 * memo.c -- libsodium's verdicts, remembered.
 *
 * A lease is judged at every step of its machine, and the verdict on the same
 * bytes is always the same; remembered under the hash of all of them, a
 * campaign takes a tenth of the time.  It lies beneath src/, whose own checks
 * run each time.  The program is linked with --wrap for both.
 */
#include <sodium.h>
#include <string.h>

#define SLOTS 65536U /* a power of two */
#define KEY_LEN 32

struct slot {
	uint8_t key[KEY_LEN];
	int verdict;
	int is_used;
};

int __real_crypto_sign_verify_detached(const unsigned char *sig,
    const unsigned char *m, unsigned long long mlen, const unsigned char *pk);
int __wrap_crypto_sign_verify_detached(const unsigned char *sig,
    const unsigned char *m, unsigned long long mlen, const unsigned char *pk);
int __real_crypto_core_ed25519_is_valid_point(const unsigned char *p);
int __wrap_crypto_core_ed25519_is_valid_point(const unsigned char *p);

static struct slot signatures[SLOTS], points[SLOTS];

/* The slot of a key; true when it holds it. */
static int
find(struct slot *table, const uint8_t *key, struct slot **slot_out)
{
	uint32_t i;

	memcpy(&i, key, sizeof(i));
	*slot_out = &table[i % SLOTS];
	return (*slot_out)->is_used &&
	    memcmp((*slot_out)->key, key, KEY_LEN) == 0;
}

static int
keep(struct slot *slot, const uint8_t *key, int verdict)
{
	memcpy(slot->key, key, KEY_LEN);
	slot->verdict = verdict;
	slot->is_used = 1;
	return verdict;
}

int
__wrap_crypto_sign_verify_detached(const unsigned char *sig,
    const unsigned char *m, unsigned long long mlen, const unsigned char *pk)
{
	crypto_generichash_state h;
	uint8_t key[KEY_LEN];
	struct slot *slot;

	(void)crypto_generichash_init(&h, NULL, 0, KEY_LEN);
	(void)crypto_generichash_update(&h, sig, crypto_sign_BYTES);
	(void)crypto_generichash_update(&h, pk, crypto_sign_PUBLICKEYBYTES);
	(void)crypto_generichash_update(&h, m, mlen);
	(void)crypto_generichash_final(&h, key, KEY_LEN);
	if (find(signatures, key, &slot))
		return slot->verdict;
	return keep(slot, key,
	    __real_crypto_sign_verify_detached(sig, m, mlen, pk));
}

int
__wrap_crypto_core_ed25519_is_valid_point(const unsigned char *p)
{
	struct slot *slot;

	if (find(points, p, &slot))
		return slot->verdict;
	return keep(slot, p, __real_crypto_core_ed25519_is_valid_point(p));
}
