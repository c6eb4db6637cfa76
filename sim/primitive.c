/* SPDX-License-Identifier: MIT */
#include "sim/primitive.h"

#include <sodium.h>
#include <stdint.h>
#include <string.h>

#define SLOTS 8192U  /* a power of two; 2 MiB */
#define TEXT_MAX 160 /* of a certificate or a root; a catalogue is longer */

/* What was verified, byte by byte, and the verdict. */
struct slot {
	uint8_t sig[crypto_sign_BYTES], pk[crypto_sign_PUBLICKEYBYTES];
	uint8_t m[TEXT_MAX];
	unsigned long long mlen; /* 0: nothing */
	bool is_ed25519;
	int verdict;
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

static int
verify(const unsigned char *sig, const unsigned char *m,
    unsigned long long mlen, const unsigned char *pk)
{
	uint8_t want[crypto_sign_BYTES];

	if (is_ed25519)
		return __real_crypto_sign_verify_detached(sig, m, mlen, pk);
	keyed(pk, m, mlen, want);
	return memcmp(want, sig, sizeof(want)) == 0 ? 0 : -1;
}

/* A lease is judged at every step of its machine; the verdict on the same
 * bytes is always the same, and lies beneath src/, whose own checks run. */
int
__wrap_crypto_sign_verify_detached(const unsigned char *sig,
    const unsigned char *m, unsigned long long mlen, const unsigned char *pk)
{
	struct slot *slot;
	uint32_t i;

	if (mlen == 0 || mlen > TEXT_MAX)
		return verify(sig, m, mlen, pk);
	memcpy(&i, sig, sizeof(i));
	slot = &slots[i % SLOTS];
	if (slot->mlen == mlen && slot->is_ed25519 == is_ed25519 &&
	    memcmp(slot->sig, sig, sizeof(slot->sig)) == 0 &&
	    memcmp(slot->pk, pk, sizeof(slot->pk)) == 0 &&
	    memcmp(slot->m, m, mlen) == 0)
		return slot->verdict;
	memcpy(slot->sig, sig, sizeof(slot->sig));
	memcpy(slot->pk, pk, sizeof(slot->pk));
	memcpy(slot->m, m, mlen);
	slot->mlen = mlen;
	slot->is_ed25519 = is_ed25519;
	slot->verdict = verify(sig, m, mlen, pk);
	return slot->verdict;
}
