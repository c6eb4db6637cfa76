/* SPDX-License-Identifier: MIT */
/*
 * Signatures on the edge, made here from the mathematics (RFC 8032, 5.1): a
 * verifier that checks S B = R + h A and nothing else takes them, and holds()
 * shows that it would.  What "Taming the many EdDSAs" (Chalkias, Garillot,
 * Nikolaenko, 2020, section 5) orders by the kind of A, R and S is here, case
 * by case; every one is refused but those of a key of mixed order that its
 * owner made on purpose, who could as well have signed.
 */
#include <sodium.h>
#include <stdlib.h>

#include "tap.h"
#include "trust/label.h"

#define TRIES 64 /* an h that is 0 mod 8 comes once in eight */

static uint8_t torsion[8][PUBKEY_LEN]; /* k times a point of order 8 */
static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12,
    0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};

static void
add(uint8_t *out, const uint8_t *p, const uint8_t *q)
{
	uint8_t sum[PUBKEY_LEN];

	if (crypto_core_ed25519_add(sum, p, q) != 0)
		abort();
	memcpy(out, sum, sizeof(sum));
}

static void
subtract(uint8_t *out, const uint8_t *p, const uint8_t *q)
{
	uint8_t sum[PUBKEY_LEN];

	if (crypto_core_ed25519_sub(sum, p, q) != 0)
		abort();
	memcpy(out, sum, sizeof(sum));
}

static void
init(void)
{
	static const uint8_t eighth[PUBKEY_LEN] = {0x26, 0xe8, 0x95, 0x8f, 0xc2,
	    0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
	    0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02,
	    0x88, 0x6d, 0x53, 0xfc, 0x05};

	torsion[0][0] = 1; /* the identity: x 0, y 1 */
	for (unsigned k = 1; k < 8; k++)
		add(torsion[k], torsion[k - 1], eighth);
}

/* A scalar that is not 0, from a number. */
static void
scalar(uint8_t first, uint8_t second, uint8_t *out)
{
	memset(out, 0, 32);
	out[0] = first;
	out[1] = second;
	out[20] = 0x5a;
}

static void
times_base(const uint8_t *n, uint8_t *out)
{
	/* libsodium has no product by 0 */
	if (sodium_is_zero(n, 32))
		memcpy(out, torsion[0], 32);
	else if (crypto_scalarmult_ed25519_base_noclamp(out, n) != 0)
		abort();
}

/* h = SHA-512(R || A || M) mod L. */
static void
challenge(const uint8_t *r, const uint8_t *a, const uint8_t *msg, size_t len,
    uint8_t *out)
{
	crypto_hash_sha512_state st;
	uint8_t wide[64];

	(void)crypto_hash_sha512_init(&st);
	(void)crypto_hash_sha512_update(&st, r, 32);
	(void)crypto_hash_sha512_update(&st, a, 32);
	(void)crypto_hash_sha512_update(&st, msg, len);
	(void)crypto_hash_sha512_final(&st, wide);
	crypto_core_ed25519_scalar_reduce(out, wide);
}

/*
 * Does S B = R + h A hold, A being a B + the torsion point of t, and R the
 * point r?  Byte for byte, as a verifier without cofactor compares.
 */
static bool
holds(const uint8_t *a, unsigned t, const uint8_t *pk, const uint8_t *sig,
    const uint8_t *msg, size_t len)
{
	uint8_t h[32], ha[32], left[32], right[32];

	challenge(sig, pk, msg, len, h);
	times_base(sig + 32, left);
	if (a == NULL) {
		memcpy(right, sig, 32);
	} else {
		crypto_core_ed25519_scalar_mul(ha, h, a);
		times_base(ha, right);
		add(right, right, sig);
	}
	add(right, right, torsion[h[0] % 8 * t % 8]);
	return memcmp(left, right, 32) == 0;
}

/* A of small order: anybody forges, once in as many messages as its order. */
static void
test_label_forged_under_keys_of_small_order(void)
{
	uint8_t msg[2] = {0}, sig[SIG_LEN];
	unsigned n_held = 0, n_wrong = 0;

	for (unsigned t = 0; t < 8; t++) {
		for (unsigned i = 0; i < TRIES; i++) {
			msg[0] = (uint8_t)t;
			msg[1] = (uint8_t)i;
			scalar(1, (uint8_t)i, sig + 32);
			times_base(sig + 32, sig);
			n_held += holds(NULL, t, torsion[t], sig, msg, 2);
			n_wrong += label_verify(torsion[t], msg, 2, sig) !=
			    MUSTER_E_KEY;
		}
	}
	printf("# %u of %u forgeries hold by the equation alone\n", n_held,
	    8 * TRIES);
	ok(n_held > 2 * TRIES);
	is(n_wrong, 0);
}

/* R of small order: R = identity, S = h a needs no nonce and gives a away. */
static void
test_label_r_of_small_order_is_refused(void)
{
	uint8_t a[32], pk[32], sig[SIG_LEN], h[32];
	const uint8_t msg[] = "small R";
	unsigned n_held = 0, n_wrong = 0;

	scalar(7, 7, a);
	times_base(a, pk);
	ok(label_key_is_good(pk));
	for (unsigned t = 0; t < 8; t++) {
		memcpy(sig, torsion[t], 32);
		challenge(sig, pk, msg, sizeof(msg), h);
		crypto_core_ed25519_scalar_mul(sig + 32, h, a);
		n_held += holds(a, 0, pk, sig, msg, sizeof(msg));
		n_wrong +=
		    label_verify(pk, msg, sizeof(msg), sig) != MUSTER_E_SIG;
		/* S 0 beside it */
		memset(sig + 32, 0, 32);
		n_wrong +=
		    label_verify(pk, msg, sizeof(msg), sig) != MUSTER_E_SIG;
	}
	/* the others hold but for a point of small order */
	is(n_held, 1);
	is(n_wrong, 0);
}

/* R in another encoding: of the identity, and every one of y = p .. p + 18. */
static void
test_label_r_not_canonical_is_refused(void)
{
	uint8_t a[32], pk[32], sig[SIG_LEN], h[32];
	const uint8_t msg[] = "R again";
	unsigned n_wrong = 0;

	scalar(9, 1, a);
	times_base(a, pk);
	for (unsigned low = 0xed; low <= 0xff; low++) {
		for (unsigned sign = 0; sign < 2; sign++) {
			memset(sig, 0xff, 32);
			sig[0] = (uint8_t)low;
			sig[31] = sign == 0 ? 0x7f : 0xff;
			challenge(sig, pk, msg, sizeof(msg), h);
			crypto_core_ed25519_scalar_mul(sig + 32, h, a);
			n_wrong += label_verify(pk, msg, sizeof(msg), sig) !=
			    MUSTER_E_SIG;
		}
	}
	is(n_wrong, 0);
	/* x = 0 with its sign set */
	memset(sig, 0, 32);
	sig[0] = 1;
	sig[31] = 0x80;
	challenge(sig, pk, msg, sizeof(msg), h);
	crypto_core_ed25519_scalar_mul(sig + 32, h, a);
	is(label_verify(pk, msg, sizeof(msg), sig), MUSTER_E_SIG);
}

/*
 * A = a B + T and R = r B + T', S = r + h a: where h T + T' is 0 it holds
 * without a cofactor, and only whoever has a can make it; elsewhere it holds
 * with a cofactor of 8 alone, and two verifiers would not agree.
 */
static void
test_label_keys_of_mixed_order(void)
{
	uint8_t a[32], r[32], base[32], pk[32], sig[SIG_LEN], h[32];
	uint8_t msg[2] = {0};
	unsigned n_held = 0, n_taken = 0, n_apart = 0;

	scalar(11, 3, a);
	times_base(a, base);
	for (unsigned t = 1; t < 8; t++) {
		add(pk, base, torsion[t]);
		for (unsigned i = 0; i < TRIES; i++) {
			unsigned taken, is_held;

			msg[0] = (uint8_t)t;
			msg[1] = (uint8_t)i;
			scalar((uint8_t)i, (uint8_t)t, r);
			times_base(r, sig);
			if (i % 2 == 1)
				subtract(sig, sig, torsion[i / 2 % 8]);
			challenge(sig, pk, msg, 2, h);
			crypto_core_ed25519_scalar_mul(sig + 32, h, a);
			crypto_core_ed25519_scalar_add(sig + 32, sig + 32, r);
			is_held = holds(a, t, pk, sig, msg, 2);
			taken = label_verify(pk, msg, 2, sig) == 0;
			n_held += is_held;
			n_taken += taken;
			n_apart += is_held != taken;
		}
	}
	printf("# %u of %u by keys of mixed order hold, %u are taken\n", n_held,
	    7 * TRIES, n_taken);
	ok(n_held > 0 && n_held < 7 * TRIES);
	is(n_apart, 0);
}

/* S is below the order: 0, L - 1 and all between, never L or more. */
static void
test_label_s_is_below_the_order(void)
{
	static const uint8_t one[32] = {1};
	uint8_t a[32], pk[32], sig[SIG_LEN], h[32], s[32], below[32];
	const uint8_t msg[] = "S";

	scalar(13, 4, a);
	times_base(a, pk);
	/* S chosen, then R = S B - h A can only be found by trying; so S + L */
	scalar(5, 5, s);
	times_base(s, sig);
	challenge(sig, pk, msg, sizeof(msg), h);
	crypto_core_ed25519_scalar_mul(h, h, a);
	crypto_core_ed25519_scalar_add(sig + 32, h, s);
	is(label_verify(pk, msg, sizeof(msg), sig), 0);
	sodium_add(sig + 32, order, 32);
	is(label_verify(pk, msg, sizeof(msg), sig), MUSTER_E_SIG);
	/* L, L + 1, L - 1 and what has its top bits set */
	memcpy(sig + 32, order, 32);
	is(label_verify(pk, msg, sizeof(msg), sig), MUSTER_E_SIG);
	sodium_add(sig + 32, one, 32);
	is(label_verify(pk, msg, sizeof(msg), sig), MUSTER_E_SIG);
	memcpy(below, order, 32);
	sodium_sub(below, one, 32);
	memcpy(sig + 32, below, 32);
	is(label_verify(pk, msg, sizeof(msg), sig), MUSTER_E_SIG);
	memset(sig + 32, 0xff, 32);
	is(label_verify(pk, msg, sizeof(msg), sig), MUSTER_E_SIG);
}

/* What lies in memory that nobody wrote: zeros, everywhere. */
static void
test_label_nothing_but_zeros_is_refused(void)
{
	uint8_t zero[SIG_LEN] = {0}, msg[1];
	unsigned n_held = 0, n_wrong = 0;

	for (unsigned i = 0; i < 256; i++) {
		msg[0] = (uint8_t)i;
		/* R = -h A, S = 0: the zero key is the point 2 or 6 */
		for (unsigned t = 0; t < 8; t++) {
			memcpy(zero, torsion[t], 32);
			n_wrong += label_verify(zero + 32, msg, 1, zero) !=
			    MUSTER_E_KEY;
		}
		memset(zero, 0, sizeof(zero));
		n_wrong += label_verify(zero, msg, 1, zero) != MUSTER_E_KEY;
		n_held += holds(NULL, memcmp(torsion[2], zero, 32) == 0 ? 2 : 6,
		    zero, (const uint8_t[SIG_LEN]){1}, msg, 1);
	}
	ok(n_held > 0);
	is(n_wrong, 0);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	init();
	test_label_forged_under_keys_of_small_order();
	test_label_r_of_small_order_is_refused();
	test_label_r_not_canonical_is_refused();
	test_label_keys_of_mixed_order();
	test_label_s_is_below_the_order();
	test_label_nothing_but_zeros_is_refused();
	return tap_done();
}
