/* SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <stdlib.h>

#include "tap.h"
#include "trust/cert.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define DAY_S INT64_C(86400)

static const uint8_t publisher[PUBLISHER_LEN] = {0x50, 0x55, 0x42};
static uint8_t host_pk[PUBKEY_LEN], other_pk[PUBKEY_LEN];
static uint8_t issuer_pk[PUBKEY_LEN], issuer_sk[SECKEY_LEN];
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

static struct cert
sample(void)
{
	struct cert cert = {.key_number = 0x01020304,
	    .slot = 5,
	    .activation = 6,
	    .lines = 0x8c,
	    .level = 3,
	    .issued_day = 0x00004e20,
	    .expires_day = 0x00005000,
	    .issuer = 9};

	memcpy(cert.host_pk, host_pk, PUBKEY_LEN);
	cert_sign(&cert, publisher, issuer_sk);
	return cert;
}

static int
same(const struct cert *a, const struct cert *b)
{
	return a->key_number == b->key_number && a->slot == b->slot &&
	    a->activation == b->activation && a->lines == b->lines &&
	    a->level == b->level && a->issued_day == b->issued_day &&
	    a->expires_day == b->expires_day && a->issuer == b->issuer &&
	    memcmp(a->host_pk, b->host_pk, PUBKEY_LEN) == 0 &&
	    memcmp(a->signature, b->signature, SIG_LEN) == 0;
}

static void
test_cert_layout(void)
{
	static const uint8_t head[] = {1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0x8c, 3, 0,
	    0, 0x4e, 0x20, 0, 0, 0x50, 0};
	static const uint8_t issuer[] = {0, 0, 0, 9};
	struct cert cert = sample();
	uint8_t p[CERT_LEN + 1];

	p[CERT_LEN] = 0xa5;
	cert_encode(&cert, p);
	ok(memcmp(p, head, 20) == 0);
	ok(memcmp(p + 20, host_pk, PUBKEY_LEN) == 0);
	ok(memcmp(p + 52, issuer, 4) == 0);
	ok(memcmp(p + 56, cert.signature, SIG_LEN) == 0);
	is(p[CERT_LEN], 0xa5);
}

/* The signed text, put together by hand: 76 bytes. */
static void
test_cert_signed_text(void)
{
	struct cert cert = sample();
	uint8_t text[16 + 16 + 20 + 16 + 4] = "muster/cert/1";
	uint8_t p[CERT_LEN], hash[HASH_LEN], print[CERT_FINGERPRINT_LEN];

	cert_encode(&cert, p);
	(void)crypto_generichash(hash, HASH_LEN, host_pk, PUBKEY_LEN, NULL, 0);
	memcpy(text + 16, publisher, 16);
	memcpy(text + 32, p, 20);
	memcpy(text + 52, hash, 16);
	memcpy(text + 68, p + 52, 4);
	is(crypto_sign_verify_detached(p + 56, text, sizeof(text), issuer_pk),
	    0);
	cert_fingerprint(host_pk, print);
	ok(memcmp(print, hash, sizeof(print)) == 0);
	cert_hash(p, hash);
	(void)crypto_generichash(text, HASH_LEN, p, CERT_LEN, NULL, 0);
	ok(memcmp(hash, text, HASH_LEN) == 0);
}

static void
test_cert_round_trips(void)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < 200; i++) {
		struct cert cert = sample(), got;
		uint8_t p[CERT_LEN], again[CERT_LEN];

		cert.key_number = (uint32_t)next();
		cert.slot = (uint8_t)(1 + next() % 255);
		cert.activation = (uint8_t)(1 + next() % 255);
		cert.lines = (uint8_t)next();
		cert.level = (uint8_t)next();
		cert.issued_day = (uint32_t)next();
		cert.expires_day = i % 2 == 0 ? 0 : (uint32_t)next();
		cert.issuer = (uint32_t)(1 + next() % 255);
		cert_sign(&cert, publisher, issuer_sk);
		cert_encode(&cert, p);
		memset(&got, 0xff, sizeof(got));
		wrong += cert_decode(p, &got) != 0 || !same(&cert, &got);
		wrong += cert_verify(&got, publisher, issuer_pk) != 0;
		cert_encode(&got, again);
		wrong += memcmp(p, again, CERT_LEN) != 0;
	}
	is(wrong, 0);
}

static void
test_cert_every_flipped_bit_fails(void)
{
	struct cert cert = sample(), got;
	uint8_t p[CERT_LEN];

	cert_encode(&cert, p);
	for (size_t i = 0; i < CERT_LEN; i++) {
		unsigned passed = 0;

		for (unsigned bit = 0; bit < 8; bit++) {
			p[i] ^= (uint8_t)(1U << bit);
			passed += cert_decode(p, &got) == 0 &&
			    cert_verify(&got, publisher, issuer_pk) == 0;
			p[i] ^= (uint8_t)(1U << bit);
		}
		is(passed, 0);
	}
	is(cert_decode(p, &got), 0);
	is(cert_verify(&got, publisher, issuer_pk), 0);
}

/* One rule a case; every refusal leaves the result alone. */
static void
test_cert_strict(void)
{
	static const struct {
		size_t off, len;
		uint8_t byte;
		int err;
	} cases[] = {
	    {4, 1, 0, MUSTER_E_PROTO}, /* slot 0 */
	    {5, 1, 0, MUSTER_E_PROTO}, /* activation 0 */
	    {6, 1, 1, MUSTER_E_PROTO},
	    {6, 1, 0x80, MUSTER_E_PROTO},
	    {7, 1, 1, MUSTER_E_PROTO},
	    {7, 1, 0x80, MUSTER_E_PROTO},
	    {8, 1, 1, MUSTER_E_PROTO},
	    {8, 1, 0x80, MUSTER_E_PROTO},
	    {9, 1, 1, MUSTER_E_PROTO},
	    {9, 1, 0x80, MUSTER_E_PROTO},
	    {55, 1, 0, MUSTER_E_PROTO}, /* issuer 0 */
	    {54, 1, 1, MUSTER_E_PROTO}, /* issuer over 255 */
	    {52, 1, 0x80, MUSTER_E_PROTO},
	    {20, 32, 0, MUSTER_E_KEY},
	    {20, 32, 0xff, MUSTER_E_KEY},
	    {4, 1, 255, 0},
	    {5, 1, 255, 0},
	    {10, 2, 0, 0}, /* no line: good, and covers nothing */
	    {55, 1, 255, 0},
	    {12, 8, 0xff, 0},
	};
	struct cert cert = sample();
	uint8_t p[CERT_LEN];

	for (size_t i = 0; i < N(cases); i++) {
		struct cert got, before;

		memset(&got, 0x77, sizeof(got));
		before = got;
		cert_encode(&cert, p);
		memset(p + cases[i].off, cases[i].byte, cases[i].len);
		is(cert_decode(p, &got), cases[i].err);
		is(same(&got, &before), cases[i].err != 0);
	}
}

static void
test_cert_host_key_of_small_order(void)
{
	struct cert cert = sample(), got;
	uint8_t p[CERT_LEN];

	/* well signed all the same */
	memset(cert.host_pk, 0, PUBKEY_LEN);
	for (uint8_t first = 0; first < 2; first++) {
		cert.host_pk[0] = first;
		cert_sign(&cert, publisher, issuer_sk);
		is(cert_verify(&cert, publisher, issuer_pk), 0);
		cert_encode(&cert, p);
		is(cert_decode(p, &got), MUSTER_E_KEY);
	}
}

static void
test_cert_verify_refuses(void)
{
	static const uint8_t zero[PUBKEY_LEN], one[PUBKEY_LEN] = {1};
	uint8_t other[PUBLISHER_LEN] = {0x50, 0x55, 0x43};
	struct cert cert = sample(), b = sample();

	is(cert_verify(&cert, publisher, issuer_pk), 0);
	is(cert_verify(&cert, other, issuer_pk), MUSTER_E_SIG);
	is(cert_verify(&cert, publisher, other_pk), MUSTER_E_SIG);
	is(cert_verify(&cert, publisher, zero), MUSTER_E_KEY);
	is(cert_verify(&cert, publisher, one), MUSTER_E_KEY);
	/* the key first, whatever the signature */
	memset(cert.signature, 0, SIG_LEN);
	cert.signature[0] = 1;
	is(cert_verify(&cert, publisher, one), MUSTER_E_KEY);
	is(cert_verify(&cert, publisher, issuer_pk), MUSTER_E_SIG);
	/* another certificate's signature, of the same key */
	cert = sample();
	b.slot = 6;
	cert_sign(&b, publisher, issuer_sk);
	memcpy(cert.signature, b.signature, SIG_LEN);
	is(cert_verify(&cert, publisher, issuer_pk), MUSTER_E_SIG);
	cert = sample();
	memcpy(cert.host_pk, other_pk, PUBKEY_LEN);
	is(cert_verify(&cert, publisher, issuer_pk), MUSTER_E_SIG);
}

static void
test_cert_covers(void)
{
	static const struct {
		uint8_t lines, level, line, want_level;
		bool covers;
	} cases[] = {
	    {0x04, 3, 2, 3, true},
	    {0x04, 3, 2, 2, true},
	    {0x04, 3, 2, 4, false},
	    {0x04, 3, 1, 3, false},
	    {0x04, 3, 3, 3, false},
	    {0x01, 1, 0, 1, true},
	    {0x80, 255, 7, 255, true},
	    {0x7f, 255, 7, 1, false},
	    {0xff, 255, 8, 1, false},
	    {0xff, 255, 255, 1, false},
	    {0xff, 0, 0, 1, false},
	    {0x00, 255, 0, 1, false},
	};

	for (size_t i = 0; i < N(cases); i++) {
		struct cert cert = sample();

		cert.lines = cases[i].lines;
		cert.level = cases[i].level;
		is(cert_covers(&cert, cases[i].line, cases[i].want_level),
		    cases[i].covers);
	}
}

static void
test_cert_in_date(void)
{
	static const struct {
		uint32_t issued, expires;
		int64_t unix_s;
		bool good;
	} cases[] = {
	    {20000, 20400, 19999 * DAY_S, true},
	    {20000, 20400, 19999 * DAY_S - 1, false},
	    {20000, 20400, 20000 * DAY_S, true},
	    {20000, 20400, 20400 * DAY_S - 1, true},
	    {20000, 20400, 20400 * DAY_S, false},
	    {20000, 0, 20400 * DAY_S, true},
	    {20000, 0, INT64_MAX, true},
	    {20000, 0, INT64_MIN, false},
	    {20000, 20000, 20000 * DAY_S - 1, true},
	    {20000, 20000, 20000 * DAY_S, false},
	    /* days are counted downwards before 1970 */
	    {0, 0, -1, true},
	    {0, 0, -DAY_S, true},
	    {0, 0, -DAY_S - 1, false},
	    {1, 0, 0, true},
	    {1, 0, -1, false},
	    {UINT32_MAX, 0, (int64_t)UINT32_MAX * DAY_S, true},
	    {0, UINT32_MAX, (int64_t)UINT32_MAX * DAY_S - 1, true},
	    {0, UINT32_MAX, (int64_t)UINT32_MAX * DAY_S, false},
	};

	for (size_t i = 0; i < N(cases); i++) {
		struct cert cert = sample();

		cert.issued_day = cases[i].issued;
		cert.expires_day = cases[i].expires;
		is(cert_in_date(&cert, cases[i].unix_s), cases[i].good);
	}
}

int
main(void)
{
	static const uint8_t seeds[3][crypto_sign_SEEDBYTES] = {{1}, {2}, {3}};
	const char *text = getenv("MUSTER_SEED");
	uint8_t sk[SECKEY_LEN];

	seed = text != NULL ? strtoull(text, NULL, 0) : 1;
	printf("# MUSTER_SEED=%llu\n", (unsigned long long)seed);
	if (sodium_init() < 0)
		return 1;
	(void)crypto_sign_seed_keypair(issuer_pk, issuer_sk, seeds[0]);
	(void)crypto_sign_seed_keypair(host_pk, sk, seeds[1]);
	(void)crypto_sign_seed_keypair(other_pk, sk, seeds[2]);
	test_cert_layout();
	test_cert_signed_text();
	test_cert_round_trips();
	test_cert_every_flipped_bit_fails();
	test_cert_strict();
	test_cert_host_key_of_small_order();
	test_cert_verify_refuses();
	test_cert_covers();
	test_cert_in_date();
	return tap_done();
}
