/* SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <stdlib.h>

#include "tap.h"
#include "trust/enrol.h"

#define BODY_OFF 12
#define NAME_OFF 72

static const char chars[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
static uint8_t host_pk[PUBKEY_LEN], host_sk[SECKEY_LEN];
static const uint8_t proof_key[HOSTKEY_PK_LEN] = {1, 2, 3};
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

static struct enrol
sample(const char *name)
{
	struct enrol e = {.key_number = 0x01020304,
	    .counter = 7,
	    .replaces = 9};

	memset(e.publisher, 0x5a, sizeof(e.publisher));
	memcpy(e.host_pk, host_pk, sizeof(host_pk));
	memcpy(e.name, name, strlen(name));
	return e;
}

static size_t
encode(const struct enrol *e, uint8_t *buf)
{
	size_t len = 0;

	is(enrol_encode(e, proof_key, host_sk, buf, ENROL_MAX, &len), 0);
	return len;
}

/* Sign again after the body was changed. */
static void
sign_again(uint8_t *p, size_t len)
{
	uint8_t text[LABEL_LEN + ENROL_MAX + 64] = LABEL_ENROL;
	size_t n = len - BODY_OFF - SIG_LEN;

	memcpy(text + LABEL_LEN, p + BODY_OFF, n);
	label_sign(host_sk, text, LABEL_LEN + n, p + len - SIG_LEN);
}

static void
test_enrol_layout(void)
{
	static const uint8_t head[] = {'M', 'U', 'S', 'T', 'E', 'R', 'E', '1',
	    0, 0, 0, 1};
	static const uint8_t tail[] = {0, 0, 0, 7, 0, 0, 0, 9, 0, 0, 0, 6, 'h',
	    'o', 's', 't', '-', '1', 0, 0};
	static const uint8_t number[] = {1, 2, 3, 4};
	struct enrol e = sample("host-1");
	uint8_t buf[ENROL_MAX], proof[HOSTKEY_PROOF_LEN];
	size_t len = encode(&e, buf);

	is(len, 180);
	ok(memcmp(buf, head, sizeof(head)) == 0);
	ok(memcmp(buf + 12, e.publisher, 16) == 0);
	ok(memcmp(buf + 28, number, 4) == 0);
	ok(memcmp(buf + 32, host_pk, 32) == 0);
	ok(memcmp(buf + 64, tail, sizeof(tail)) == 0);
	hostkey_proof(proof_key, buf + 12, 72, proof);
	ok(memcmp(buf + 84, proof, sizeof(proof)) == 0);
}

static void
test_enrol_round_trips(void)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < 300; i++) {
		struct enrol e = sample(""), got = {0};
		uint8_t buf[ENROL_MAX], again[ENROL_MAX];
		size_t len = 0, n = 0, name = next() % (ENROL_NAME_MAX + 1);

		e.key_number = (uint32_t)next();
		e.counter = (uint8_t)next();
		e.replaces = (uint8_t)next();
		for (size_t k = 0; k < name; k++)
			e.name[k] = chars[next() % (sizeof(chars) - 1)];
		wrong += enrol_encode(&e, proof_key, host_sk, buf, ENROL_MAX,
		             &len) != 0;
		wrong += enrol_decode(buf, len, &got) != 0;
		wrong += enrol_prove(buf, len, proof_key) != 0;
		wrong += got.key_number != e.key_number ||
		    got.counter != e.counter || got.replaces != e.replaces ||
		    strcmp(got.name, e.name) != 0 ||
		    memcmp(got.publisher, e.publisher, PUBLISHER_LEN) != 0 ||
		    memcmp(got.host_pk, e.host_pk, PUBKEY_LEN) != 0 ||
		    memcmp(got.proof, buf + len - 96, 32) != 0 ||
		    memcmp(got.signature, buf + len - 64, 64) != 0;
		wrong += enrol_encode(&got, proof_key, host_sk, again,
		             ENROL_MAX, &n) != 0;
		wrong += n != len || memcmp(buf, again, len) != 0;
	}
	is(wrong, 0);
}

static void
test_enrol_every_flipped_bit_fails(void)
{
	struct enrol e = sample("host-1"), got;
	uint8_t buf[ENROL_MAX];
	size_t len = encode(&e, buf);

	for (size_t i = 0; i < len; i++) {
		unsigned passed = 0;

		for (unsigned bit = 0; bit < 8; bit++) {
			buf[i] ^= (uint8_t)(1U << bit);
			passed += enrol_decode(buf, len, &got) == 0;
			buf[i] ^= (uint8_t)(1U << bit);
		}
		is(passed, 0);
	}
	is(enrol_decode(buf, len, &got), 0);
}

static void
test_enrol_every_truncation_fails(void)
{
	struct enrol e = sample("host-1"), got;
	uint8_t buf[ENROL_MAX + 1] = {0};
	size_t len = encode(&e, buf);

	for (size_t i = 0; i < len; i++)
		is(enrol_decode(buf, i, &got),
		    i < 172 ? MUSTER_E_TRUNC : MUSTER_E_SIG);
	for (size_t i = len + 1; i <= ENROL_MAX; i++)
		is(enrol_decode(buf, i, &got), MUSTER_E_SIG);
	is(enrol_decode(buf, ENROL_MAX + 1, &got), MUSTER_E_TOOBIG);
}

/* Well signed, and yet refused: one rule a case. */
static void
test_enrol_strict(void)
{
	static const struct {
		size_t off;
		uint8_t byte;
		int err;
	} cases[] = {
	    {0, 'm', MUSTER_E_PROTO},
	    {7, '0', MUSTER_E_PROTO},
	    {11, 0, MUSTER_E_PROTO},
	    {11, 2, MUSTER_E_PROTO},
	    {66, 1, MUSTER_E_RANGE},
	    {70, 1, MUSTER_E_RANGE},
	    {68, 0x80, MUSTER_E_RANGE},
	    {NAME_OFF + 3, 65, MUSTER_E_TOOBIG},
	    {NAME_OFF, 1, MUSTER_E_TOOBIG},
	    {NAME_OFF + 3, 3, MUSTER_E_PROTO}, /* then padding is not zero */
	    {NAME_OFF + 4, ' ', MUSTER_E_RANGE},
	    {NAME_OFF + 4, 0, MUSTER_E_RANGE},
	    {NAME_OFF + 4, '/', MUSTER_E_RANGE},
	    {NAME_OFF + 4, 0xe9, MUSTER_E_RANGE},
	    {NAME_OFF + 10, 1, MUSTER_E_PROTO},
	};
	struct enrol e = sample("host-1"), got;
	uint8_t buf[ENROL_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = encode(&e, buf);

		buf[cases[i].off] = cases[i].byte;
		sign_again(buf, len);
		is(enrol_decode(buf, len, &got), cases[i].err);
	}
}

/* The counter and what it replaces are of one byte: 255, and not one more. */
static void
test_enrol_counters_end_at_255(void)
{
	struct enrol e = sample("host-1"), got;
	uint8_t buf[ENROL_MAX];

	for (size_t off = 64; off <= 68; off += 4) {
		size_t len = encode(&e, buf);

		buf[off + 3] = 255;
		sign_again(buf, len);
		is(enrol_decode(buf, len, &got), 0);
		is(off == 64 ? got.counter : got.replaces, 255);
		buf[off + 2] = 1;
		buf[off + 3] = 0;
		sign_again(buf, len);
		is(enrol_decode(buf, len, &got), MUSTER_E_RANGE);
	}
}

static void
test_enrol_trailing_bytes_are_refused(void)
{
	struct enrol e = sample("host-1"), got;
	uint8_t buf[ENROL_MAX] = {0};
	size_t len = encode(&e, buf);

	for (size_t n = 1; n <= 8; n++) {
		sign_again(buf, len + n);
		is(enrol_decode(buf, len + n, &got), MUSTER_E_PROTO);
	}
}

static void
test_enrol_bad_host_key(void)
{
	struct enrol e = sample("host-1"), got;
	uint8_t buf[ENROL_MAX];
	size_t len = encode(&e, buf);

	memset(buf + 32, 0, PUBKEY_LEN);
	is(enrol_decode(buf, len, &got), MUSTER_E_KEY);
	buf[32] = 1;
	is(enrol_decode(buf, len, &got), MUSTER_E_KEY);
}

static void
test_enrol_proof(void)
{
	struct enrol e = sample("host-1"), got;
	uint8_t buf[ENROL_MAX + 1] = {0}, other[HOSTKEY_PK_LEN] = {1, 2, 4};
	size_t len = encode(&e, buf);

	is(enrol_prove(buf, len, proof_key), 0);
	is(enrol_prove(buf, ENROL_MAX + 1, proof_key), MUSTER_E_SIG);
	is(enrol_prove(buf, len, other), MUSTER_E_SIG);
	is(enrol_prove(buf, 171, proof_key), MUSTER_E_SIG);
	is(enrol_prove(buf, 0, proof_key), MUSTER_E_SIG);
	/* The signature alone proves nothing. */
	buf[len - 96] ^= 1;
	sign_again(buf, len);
	is(enrol_decode(buf, len, &got), 0);
	is(enrol_prove(buf, len, proof_key), MUSTER_E_SIG);
	buf[len - 96] ^= 1;
	buf[BODY_OFF] ^= 1;
	sign_again(buf, len);
	is(enrol_decode(buf, len, &got), 0);
	is(enrol_prove(buf, len, proof_key), MUSTER_E_SIG);
}

static void
test_enrol_encode_refuses(void)
{
	static const char *const names[] = {"a b", "a/b", "a\n", "\xc3\xa9"};
	struct enrol e = sample("host-1");
	uint8_t buf[ENROL_MAX];
	size_t len = 0;

	for (size_t cap = 0; cap < 180; cap++)
		is(enrol_encode(&e, proof_key, host_sk, buf, cap, &len),
		    MUSTER_E_TOOBIG);
	is(len, 0);
	is(enrol_encode(&e, proof_key, host_sk, buf, 180, &len), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		e = sample(names[i]);
		is(enrol_encode(&e, proof_key, host_sk, buf, 256, &len),
		    MUSTER_E_RANGE);
	}
	e = sample("");
	memset(e.name, 'n', ENROL_NAME_MAX);
	is(enrol_encode(&e, proof_key, host_sk, buf, 256, &len), 0);
	is(len, 236);
	memset(e.name, 'n', sizeof(e.name));
	is(enrol_encode(&e, proof_key, host_sk, buf, 256, &len),
	    MUSTER_E_RANGE);
}

int
main(void)
{
	const char *text = getenv("MUSTER_SEED");
	static const uint8_t key_seed[crypto_sign_SEEDBYTES] = {42};

	seed = text != NULL ? strtoull(text, NULL, 0) : 1;
	printf("# MUSTER_SEED=%llu\n", (unsigned long long)seed);
	if (sodium_init() < 0)
		return 1;
	(void)crypto_sign_seed_keypair(host_pk, host_sk, key_seed);
	test_enrol_layout();
	test_enrol_round_trips();
	test_enrol_every_flipped_bit_fails();
	test_enrol_every_truncation_fails();
	test_enrol_strict();
	test_enrol_counters_end_at_255();
	test_enrol_trailing_bytes_are_refused();
	test_enrol_bad_host_key();
	test_enrol_proof();
	test_enrol_encode_refuses();
	return tap_done();
}
