/* SPDX-License-Identifier: MIT */
#include "sim/primitive.h"

#include <sodium.h>
#include <stdint.h>
#include <string.h>

#define SLOTS 65536U /* a power of two */
#define KEY_LEN 32

struct slot {
	uint8_t key[KEY_LEN];
	int verdict;
	bool is_used;
};

int __real_crypto_sign_detached(unsigned char *sig, unsigned long long *len,
    const unsigned char *m, unsigned long long mlen, const unsigned char *sk);
int __wrap_crypto_sign_detached(unsigned char *sig, unsigned long long *len,
    const unsigned char *m, unsigned long long mlen, const unsigned char *sk);
int __real_crypto_sign_verify_detached(const unsigned char *sig,
    const unsigned char *m, unsigned long long mlen, const unsigned char *pk);
int __wrap_crypto_sign_verify_detached(const unsigned char *sig,
    const unsigned char *m, unsigned long long mlen, const unsigned char *pk);

static bool is_ed25519;
static struct slot slots[SLOTS];

void
primitive_use(bool is_real)
{
	is_ed25519 = is_real;
}

static void
keyed(const unsigned char *pk, const unsigned char *m, unsigned long long mlen,
    uint8_t *out)
{
	(void)crypto_generichash(out, crypto_sign_BYTES, m, mlen, pk,
	    crypto_sign_PUBLICKEYBYTES);
}

int
__wrap_crypto_sign_detached(unsigned char *sig, unsigned long long *len,
    const unsigned char *m, unsigned long long mlen, const unsigned char *sk)
{
	if (is_ed25519)
		return __real_crypto_sign_detached(sig, len, m, mlen, sk);
	keyed(sk + crypto_sign_SEEDBYTES, m, mlen, sig);
	return 0;
}

/* A lease is judged at every step of its machine; the verdict on the same
 * bytes is always the same, and lies beneath src/, whose own checks run. */
static int
remembered(const unsigned char *sig, const unsigned char *m,
    unsigned long long mlen, const unsigned char *pk)
{
	crypto_generichash_state h;
	uint8_t key[KEY_LEN];
	struct slot *slot;
	uint32_t i;

	(void)crypto_generichash_init(&h, NULL, 0, KEY_LEN);
	(void)crypto_generichash_update(&h, sig, crypto_sign_BYTES);
	(void)crypto_generichash_update(&h, pk, crypto_sign_PUBLICKEYBYTES);
	(void)crypto_generichash_update(&h, m, mlen);
	(void)crypto_generichash_final(&h, key, KEY_LEN);
	memcpy(&i, key, sizeof(i));
	slot = &slots[i % SLOTS];
	if (slot->is_used && memcmp(slot->key, key, KEY_LEN) == 0)
		return slot->verdict;
	memcpy(slot->key, key, KEY_LEN);
	slot->is_used = true;
	slot->verdict = __real_crypto_sign_verify_detached(sig, m, mlen, pk);
	return slot->verdict;
}

int
__wrap_crypto_sign_verify_detached(const unsigned char *sig,
    const unsigned char *m, unsigned long long mlen, const unsigned char *pk)
{
	uint8_t want[crypto_sign_BYTES];

	if (is_ed25519)
		return remembered(sig, m, mlen, pk);
	keyed(pk, m, mlen, want);
	return memcmp(want, sig, sizeof(want)) == 0 ? 0 : -1;
}
