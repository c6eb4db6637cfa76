/* SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <stdlib.h>

#include "tap.h"
#include "trust/label.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t seed;

/* splitmix64 */
static uint64_t
next(void)
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15U);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

static void
fill(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)next();
}

static size_t
unhex(const char *hex, uint8_t *out, size_t cap)
{
	size_t len = 0;

	ok(sodium_hex2bin(out, cap, hex, strlen(hex), NULL, &len, NULL) == 0);
	return len;
}

/* RFC 8032, section 7.1, TEST 1 to 3. */
static const struct {
	const char *seed, *pk, *msg, *sig;
} rfc8032[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};

/* Every encoding, canonical or not, of the eight points of small order. */
static const char *const small_order[] = {
    /* order 1: y = 1; with the sign of x = 0 set; y = p + 1 */
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    /* order 2: y = -1; with the sign of x = 0 set */
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    /* order 4: y = 0, either x; y = p */
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    /* order 8 */
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
};

static void
test_label_hash_is_blake2b_256(void)
{
	static const struct {
		const char *text, *hash;
	} cases[] = {
	    {"",
	        "0e5751c026e543b2e8ab2eb06099daa1"
	        "d1e5df47778f7787faab45cdf12fe3a8"},
	    {"abc",
	        "bddd813c634239723171ef3fee98579b"
	        "94964e3bb1cb3e427262c8c068d52319"},
	};
	uint8_t want[HASH_LEN], hash[HASH_LEN];

	for (size_t i = 0; i < N(cases); i++) {
		const struct bytes part = {.p = (const uint8_t *)cases[i].text,
		    .len = strlen(cases[i].text)};

		is(unhex(cases[i].hash, want, sizeof(want)), HASH_LEN);
		label_hash(NULL, &part, 1, hash);
		ok(memcmp(hash, want, HASH_LEN) == 0);
	}
	label_hash(NULL, NULL, 0, hash);
	is(unhex(cases[0].hash, want, sizeof(want)), HASH_LEN);
	ok(memcmp(hash, want, HASH_LEN) == 0);
}

static void
test_label_hash_begins_with_its_padded_label(void)
{
	static const char *const labels[] = {LABEL_CAT, LABEL_CERT, LABEL_LEASE,
	    LABEL_NODE, LABEL_ROOT, LABEL_ENROL, LABEL_HKEY, LABEL_PROOF,
	    LABEL_SETUP, "sixteen letters!"};
	uint8_t text[LABEL_LEN + 64], hash[N(labels)][HASH_LEN];
	uint8_t want[HASH_LEN];
	unsigned same = 0;

	fill(text, sizeof(text));
	for (size_t i = 0; i < N(labels); i++) {
		const struct bytes part = {.p = text + LABEL_LEN, .len = 64};

		ok(strlen(labels[i]) <= LABEL_LEN);
		memset(text, 0, LABEL_LEN);
		memcpy(text, labels[i], strlen(labels[i]));
		label_hash(labels[i], &part, 1, hash[i]);
		(void)crypto_generichash(want, HASH_LEN, text, sizeof(text),
		    NULL, 0);
		ok(memcmp(hash[i], want, HASH_LEN) == 0);
		for (size_t k = 0; k < i; k++)
			same += memcmp(hash[i], hash[k], HASH_LEN) == 0;
	}
	is(same, 0);
}

/* However a text is cut into parts, its hash is the same. */
static void
test_label_hash_of_parts(void)
{
	uint8_t text[LABEL_LEN + 300] = LABEL_LEASE;
	uint8_t hash[HASH_LEN], want[HASH_LEN];
	unsigned wrong = 0;

	for (unsigned i = 0; i < 200; i++) {
		size_t len = next() % 301, cut = next() % (len + 1);
		size_t cut2 = cut + next() % (len - cut + 1);
		const struct bytes parts[] = {
		    {.p = text + LABEL_LEN, .len = cut},
		    {.p = text + LABEL_LEN + cut, .len = cut2 - cut},
		    {.p = NULL, .len = 0},
		    {.p = text + LABEL_LEN + cut2, .len = len - cut2},
		};

		fill(text + LABEL_LEN, len);
		label_hash(LABEL_LEASE, parts, N(parts), hash);
		(void)crypto_generichash(want, HASH_LEN, text, LABEL_LEN + len,
		    NULL, 0);
		wrong += memcmp(hash, want, HASH_LEN) != 0;
	}
	is(wrong, 0);
}

static void
test_label_publisher_is_the_first_half_of_the_hash(void)
{
	uint8_t pk[PUBKEY_LEN], id[PUBLISHER_LEN + 1], hash[HASH_LEN];

	fill(pk, sizeof(pk));
	id[PUBLISHER_LEN] = 0xa5;
	label_publisher(pk, id);
	(void)crypto_generichash(hash, HASH_LEN, pk, sizeof(pk), NULL, 0);
	ok(memcmp(id, hash, PUBLISHER_LEN) == 0);
	is(id[PUBLISHER_LEN], 0xa5);
}

static void
test_label_rfc8032(void)
{
	for (size_t i = 0; i < N(rfc8032); i++) {
		uint8_t sk_seed[32], pk[PUBKEY_LEN], sk[SECKEY_LEN], msg[2];
		uint8_t sig[SIG_LEN], want[SIG_LEN], want_pk[PUBKEY_LEN];
		size_t len;

		is(unhex(rfc8032[i].seed, sk_seed, sizeof(sk_seed)), 32);
		is(unhex(rfc8032[i].pk, want_pk, sizeof(want_pk)), 32);
		is(unhex(rfc8032[i].sig, want, sizeof(want)), SIG_LEN);
		len = unhex(rfc8032[i].msg, msg, sizeof(msg));
		is(len, i);
		(void)crypto_sign_seed_keypair(pk, sk, sk_seed);
		ok(memcmp(pk, want_pk, PUBKEY_LEN) == 0);
		label_sign(sk, msg, len, sig);
		ok(memcmp(sig, want, SIG_LEN) == 0);
		ok(label_key_is_good(want_pk));
		is(label_verify(want_pk, msg, len, want), 0);
		/* another vector's key */
		is(unhex(rfc8032[(i + 1) % 3].pk, pk, sizeof(pk)), 32);
		is(label_verify(pk, msg, len, want), MUSTER_E_SIG);
	}
}

/* Of others, by their own description of each: tests/vectors/ed25519.txt. */
static void
test_label_others_vectors(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned n = 0, n_good = 0;
	char line[8192];

	ok(f != NULL);
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		char *save = NULL, *name = strtok_r(line, " \n", &save);
		char *verdict, *msg_hex;
		uint8_t pk[PUBKEY_LEN], msg[1024], sig[SIG_LEN];
		size_t len;
		int err;

		if (name == NULL || name[0] == '#')
			continue;
		verdict = strtok_r(NULL, " \n", &save);
		is(unhex(strtok_r(NULL, " \n", &save), pk, sizeof(pk)),
		    PUBKEY_LEN);
		msg_hex = strtok_r(NULL, " \n", &save);
		len = unhex(strcmp(msg_hex, "-") == 0 ? "" : msg_hex, msg,
		    sizeof(msg));
		is(unhex(strtok_r(NULL, " \n", &save), sig, sizeof(sig)),
		    SIG_LEN);
		err = label_verify(pk, msg, len, sig);
		if (!is(err == 0, strcmp(verdict, "good") == 0))
			printf("# %s\n", name);
		n++;
		n_good += err == 0;
	}
	is(n, 151);
	is(n_good, 89);
	if (f != NULL)
		(void)fclose(f);
}

/* With each as the key: R the key itself or the identity, S zero. */
static void
test_label_small_order_keys_are_refused(void)
{
	uint8_t key[PUBKEY_LEN], sig[SIG_LEN], msg[40];

	for (size_t i = 0; i < N(small_order); i++) {
		unsigned wrong = 0;

		is(unhex(small_order[i], key, sizeof(key)), PUBKEY_LEN);
		ok(!label_key_is_good(key));
		for (size_t k = 0; k < 2 * sizeof(msg); k++) {
			fill(msg, sizeof(msg));
			memset(sig, 0, sizeof(sig));
			if (k % 2 == 0)
				sig[0] = 1;
			else
				memcpy(sig, key, PUBKEY_LEN);
			wrong +=
			    label_verify(key, msg, k / 2, sig) != MUSTER_E_KEY;
		}
		is(wrong, 0);
		fill(sig, sizeof(sig));
		is(label_verify(key, msg, sizeof(msg), sig), MUSTER_E_KEY);
	}
}

/* y = p .. p + 18 has a second encoding; neither sign is a key. */
static void
test_label_non_canonical_keys_are_refused(void)
{
	uint8_t key[PUBKEY_LEN], sig[SIG_LEN] = {1};

	for (unsigned low = 0xed; low <= 0xff; low++) {
		for (unsigned sign = 0; sign < 2; sign++) {
			memset(key, 0xff, sizeof(key));
			key[0] = (uint8_t)low;
			key[31] = sign == 0 ? 0x7f : 0xff;
			ok(!label_key_is_good(key));
			is(label_verify(key, key, 4, sig), MUSTER_E_KEY);
		}
	}
}

/* A key that a point of small order was added to is not of small order. */
static void
test_label_other_keys_are_good(void)
{
	uint8_t pk[PUBKEY_LEN], sk[SECKEY_LEN], torsion[PUBKEY_LEN];
	uint8_t mixed[PUBKEY_LEN], key_seed[32];
	unsigned checked = 0;

	for (size_t i = 0; i < N(small_order); i++) {
		is(unhex(small_order[i], torsion, sizeof(torsion)), 32);
		fill(key_seed, sizeof(key_seed));
		(void)crypto_sign_seed_keypair(pk, sk, key_seed);
		ok(label_key_is_good(pk));
		is(crypto_core_ed25519_is_valid_point(pk), 1);
		if (crypto_core_ed25519_add(mixed, pk, torsion) != 0 ||
		    memcmp(mixed, pk, PUBKEY_LEN) == 0)
			continue;
		checked++;
		/* its order is 8 times the subgroup's, or 4, or 2 */
		ok(label_key_is_good(mixed));
	}
	ok(checked >= 7);
}

/* Multiples of the points of order 8, up to the identity, are the list. */
static void
test_label_small_order_list_is_closed(void)
{
	uint8_t sum[PUBKEY_LEN], step[PUBKEY_LEN], next_sum[PUBKEY_LEN];

	for (size_t i = 10; i < N(small_order); i++) {
		unsigned order = 1;

		is(unhex(small_order[i], step, sizeof(step)), 32);
		memcpy(sum, step, sizeof(sum));
		while (order < 16 && !(sum[0] == 1 && sum[31] == 0)) {
			ok(!label_key_is_good(sum));
			is(crypto_core_ed25519_add(next_sum, sum, step), 0);
			memcpy(sum, next_sum, sizeof(sum));
			order++;
		}
		is(order, 8);
	}
}

/* Bytes that are no point of the curve verify nothing. */
static void
test_label_keys_off_the_curve_verify_nothing(void)
{
	uint8_t pk[PUBKEY_LEN], sig[SIG_LEN], msg[48];
	unsigned off = 0, passed = 0;

	for (unsigned i = 0; i < 64; i++) {
		fill(pk, sizeof(pk));
		pk[PUBKEY_LEN - 1] &= 0xbf; /* below p */
		fill(msg, sizeof(msg));
		memset(sig, 0, sizeof(sig));
		sig[0] = 1; /* R the identity, S zero */
		off += crypto_core_ed25519_is_valid_point(pk) == 0;
		passed +=
		    label_verify(pk, msg, sizeof(msg), sig) != MUSTER_E_SIG;
	}
	ok(off > 32);
	is(passed, 0);
}

/* A signature has one S: those of S + kL are refused. */
static void
test_label_malleable_signatures_are_refused(void)
{
	uint8_t order[32], pk[PUBKEY_LEN], sk[SECKEY_LEN], key_seed[32];
	uint8_t msg[64], sig[SIG_LEN];

	is(unhex("edd3f55c1a631258d69cf7a2def9de14"
	         "00000000000000000000000000000010",
	       order, sizeof(order)),
	    32);
	for (unsigned i = 0; i < 16; i++) {
		unsigned passed = 0;

		fill(key_seed, sizeof(key_seed));
		fill(msg, sizeof(msg));
		(void)crypto_sign_seed_keypair(pk, sk, key_seed);
		label_sign(sk, msg, sizeof(msg), sig);
		is(label_verify(pk, msg, sizeof(msg), sig), 0);
		for (unsigned k = 1; k < 15; k++) {
			sodium_add(sig + 32, order, 32);
			passed += label_verify(pk, msg, sizeof(msg), sig) !=
			    MUSTER_E_SIG;
		}
		is(passed, 0);
	}
}

static void
test_label_every_flipped_bit_fails(void)
{
	static const uint8_t key_seed[32] = {7};
	uint8_t pk[PUBKEY_LEN], sk[SECKEY_LEN], sig[SIG_LEN];
	uint8_t all[PUBKEY_LEN + SIG_LEN + 48];
	uint8_t *const key = all, *const s = key + PUBKEY_LEN;
	uint8_t *const msg = s + SIG_LEN;
	unsigned passed = 0;

	(void)crypto_sign_seed_keypair(pk, sk, key_seed);
	fill(msg, 48);
	label_sign(sk, msg, 48, sig);
	memcpy(key, pk, PUBKEY_LEN);
	memcpy(s, sig, SIG_LEN);
	is(label_verify(key, msg, 48, s), 0);
	for (size_t i = 0; i < 8 * sizeof(all); i++) {
		all[i / 8] ^= (uint8_t)(1U << i % 8);
		passed += label_verify(key, msg, 48, s) == 0;
		all[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	is(passed, 0);
	for (size_t len = 0; len < 48; len++)
		passed += label_verify(key, msg, len, s) != MUSTER_E_SIG;
	is(passed, 0);
	is(label_verify(key, msg, 48, s), 0);
}

int
main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "tests/vectors/ed25519.txt";
	const char *text = getenv("MUSTER_SEED");

	seed = text != NULL ? strtoull(text, NULL, 0) : 1;
	printf("# MUSTER_SEED=%llu\n", (unsigned long long)seed);
	if (sodium_init() < 0)
		return 1;
	test_label_hash_is_blake2b_256();
	test_label_hash_begins_with_its_padded_label();
	test_label_hash_of_parts();
	test_label_publisher_is_the_first_half_of_the_hash();
	test_label_rfc8032();
	test_label_others_vectors(path);
	test_label_small_order_keys_are_refused();
	test_label_non_canonical_keys_are_refused();
	test_label_other_keys_are_good();
	test_label_small_order_list_is_closed();
	test_label_keys_off_the_curve_verify_nothing();
	test_label_malleable_signatures_are_refused();
	test_label_every_flipped_bit_fails();
	return tap_done();
}
