/* SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <stdlib.h>

#include "tap.h"
#include "trust/hostkey.h"

#ifndef VECTORS_DIR
#define VECTORS_DIR "tests/vectors"
#endif

#define N_KEYS 200

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
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

static struct hostkey
random_key(void)
{
	struct hostkey key = {.kind = HOSTKEY_HOST};

	if (next() % 2 == 0)
		key.kind = HOSTKEY_SETUP;
	key.number = (uint32_t)next();
	for (size_t i = 0; i < HOSTKEY_SECRET_LEN; i++)
		key.secret[i] = (uint8_t)next();
	key.secret[0] &= 3;
	return key;
}

static int
same_key(const struct hostkey *a, const struct hostkey *b)
{
	return a->kind == b->kind && a->number == b->number &&
	    memcmp(a->secret, b->secret, HOSTKEY_SECRET_LEN) == 0;
}

static int
parse(const char *text, struct hostkey *key)
{
	return hostkey_parse(text, strlen(text), key);
}

/* The check over a text of 0 and 1, as a long division: an oracle. */
static unsigned
crc_of_bits(const char *bits)
{
	unsigned r = 0xffff;

	for (; *bits != '\0'; bits++) {
		r ^= (unsigned)(*bits - '0') << 15;
		r = (r & 0x8000) != 0 ? r << 1 ^ 0x11021 : r << 1;
	}
	return r & 0xffff;
}

static void
bits_of(const uint8_t *p, size_t from, size_t to, char *out)
{
	for (size_t i = from; i < to; i++)
		*out++ = (char)('0' + (p[i / 8] >> (7 - i % 8) & 1));
	*out = '\0';
}

static void
test_hostkey_check_is_ccitt_false(void)
{
	char bits[129];
	uint8_t packed[HOSTKEY_LEN];
	unsigned wrong = 0;

	bits_of((const uint8_t *)"123456789", 0, 72, bits);
	is(crc_of_bits(bits), 0x29b1);
	for (unsigned i = 0; i < N_KEYS; i++) {
		struct hostkey key = random_key();

		hostkey_pack(&key, packed);
		bits_of(packed, 3, 112, bits);
		wrong += crc_of_bits(bits) !=
		    ((unsigned)packed[14] << 8 | packed[15]);
	}
	is(wrong, 0);
}

static void
test_hostkey_vectors(void)
{
	FILE *f = fopen(VECTORS_DIR "/hostkey.txt", "r");
	char line[128], text[40], hex[40], got[HOSTKEY_TEXT_LEN + 1];
	unsigned kind, number, n = 0;

	ok(f != NULL);
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		struct hostkey key, want = {.kind = HOSTKEY_HOST};

		if (line[0] == '#')
			continue;
		is(sscanf(line, "%39s %u %u %39s", text, &kind, &number, hex),
		    4);
		want.kind = (enum hostkey_kind)kind;
		want.number = number;
		(void)sodium_hex2bin(want.secret, HOSTKEY_SECRET_LEN, hex,
		    strlen(hex), NULL, NULL, NULL);
		is(parse(text, &key), 0);
		ok(same_key(&key, &want));
		hostkey_format(&want, got);
		is_str(got, text);
		n++;
	}
	is(n, 20);
	if (f != NULL)
		(void)fclose(f);
}

static void
test_hostkey_round_trips(void)
{
	char text[HOSTKEY_TEXT_LEN + 1];
	uint8_t packed[HOSTKEY_LEN];
	unsigned wrong = 0;

	for (unsigned i = 0; i < 10000; i++) {
		struct hostkey key = random_key(), a = {0}, b = {0};

		hostkey_format(&key, text);
		hostkey_pack(&key, packed);
		wrong += strlen(text) != HOSTKEY_TEXT_LEN;
		wrong += parse(text, &a) != 0 || !same_key(&key, &a);
		wrong += hostkey_unpack(packed, &b) != 0;
		wrong += !same_key(&key, &b) || packed[0] >> 5 != 0;
	}
	is(wrong, 0);
}

static void
test_hostkey_catches_every_wrong_character(void)
{
	char text[HOSTKEY_TEXT_LEN + 1];
	struct hostkey out;
	unsigned missed = 0, tried = 0;

	for (unsigned i = 0; i < N_KEYS; i++) {
		struct hostkey key = random_key();

		hostkey_format(&key, text);
		for (size_t at = 0; at < HOSTKEY_TEXT_LEN; at++) {
			char right = text[at];

			for (unsigned v = 0; v < 32 && right != '-'; v++) {
				text[at] = alphabet[v];
				if (alphabet[v] == right)
					continue;
				tried++;
				missed += parse(text, &out) != MUSTER_E_TYPO;
			}
			text[at] = right;
		}
	}
	is(tried, N_KEYS * 25 * 31);
	is(missed, 0);
}

static void
test_hostkey_catches_every_swap(void)
{
	char text[HOSTKEY_TEXT_LEN + 1];
	struct hostkey out;
	unsigned missed = 0, tried = 0;

	for (unsigned i = 0; i < 10U * N_KEYS; i++) {
		struct hostkey key = random_key();

		hostkey_format(&key, text);
		for (size_t a = 0; a + 1 < HOSTKEY_TEXT_LEN; a++) {
			size_t b = text[a + 1] == '-' ? a + 2 : a + 1;
			char left = text[a], right = text[b];

			if (left == '-' || left == right)
				continue;
			text[a] = right;
			text[b] = left;
			tried++;
			missed += parse(text, &out) != MUSTER_E_TYPO;
			text[a] = left;
			text[b] = right;
		}
	}
	ok(tried > 10U * N_KEYS * 20);
	is(missed, 0);
}

static void
test_hostkey_forgives_typing(void)
{
	static const char *const good[] = {
	    "498PB-SK30H-4QS0A-YJ7W4-28A49",
	    "498pb-sk30h-4qs0a-yj7w4-28a49",
	    "498PBSK30H4QS0AYJ7W428A49",
	    "  498 PBSK3 -- OH4QSoA YJ7W4-28A49 ",
	    "4-9-8-P-B-S-K-3-0-H-4-Q-S-0-A-Y-J-7-W-4-2-8-A-4-9",
	};
	static const char *const one[] = {
	    "60000-00G00-00000-00000-01168",
	    "6OOOO-OOGOO-OOOOO-OOOOO-OII68",
	    "6oooo-oogoo-ooooo-ooooo-olL68",
	    "60000-00g00-00000-00000-0Li68",
	};
	struct hostkey a, b;

	is(parse(good[0], &a), 0);
	for (size_t i = 1; i < sizeof(good) / sizeof(good[0]); i++) {
		is(parse(good[i], &b), 0);
		ok(same_key(&a, &b));
	}
	is(parse(one[0], &a), 0);
	for (size_t i = 1; i < sizeof(one) / sizeof(one[0]); i++) {
		is(parse(one[i], &b), 0);
		ok(same_key(&a, &b));
	}
}

static void
test_hostkey_refuses(void)
{
	static const struct {
		const char *text;
		int err;
	} bad[] = {
	    {"", MUSTER_E_TRUNC},
	    {"-----", MUSTER_E_TRUNC},
	    {"498PB-SK30H-4QS0A-YJ7W4-28A4", MUSTER_E_TRUNC},
	    {"498PB-SK30H-4QS0A-YJ7W4-28A499", MUSTER_E_PROTO},
	    {"498PB-SK30H-4QS0A-YJ7W4-28A4U", MUSTER_E_PROTO},
	    {"498PB-SK30H-4QS0A-YJ7W4-28A4u", MUSTER_E_PROTO},
	    {"498PB_SK30H_4QS0A_YJ7W4_28A49", MUSTER_E_PROTO},
	    {"498PB-SK30H-4QS0A-YJ7W4-28A49\n", MUSTER_E_PROTO},
	    {"498PB-SK30H-4QS0A-YJ7W4-28A4\xc3\x98", MUSTER_E_PROTO},
	    {"498PB-SK30H-4QS0A-YJ7W4-28A48", MUSTER_E_TYPO},
	    {"00000-05000-00000-00000-0C220", MUSTER_E_KIND},
	    {"C0000-05000-00000-00000-0C7ME", MUSTER_E_KIND},
	    {"W0000-05000-00000-00000-0DP3S", MUSTER_E_KIND},
	};
	char text[HOSTKEY_INPUT_MAX + 2];
	struct hostkey key;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is(parse(bad[i].text, &key), bad[i].err);
	is(hostkey_parse("498PB-SK30H-4QS0A-YJ7W4-28A4\0", 29, &key),
	    MUSTER_E_PROTO);
	memset(text, ' ', sizeof(text));
	memcpy(text, "498PB-SK30H-4QS0A-YJ7W4-28A49", 29);
	is(hostkey_parse(text, HOSTKEY_INPUT_MAX, &key), 0);
	is(hostkey_parse(text, HOSTKEY_INPUT_MAX + 1, &key), MUSTER_E_TOOBIG);
	for (size_t i = 0; i < 29; i++)
		is(hostkey_parse(text, i, &key), MUSTER_E_TRUNC);
}

static void
test_hostkey_unpack_refuses_flipped_bits(void)
{
	struct hostkey key = random_key(), out;
	uint8_t packed[HOSTKEY_LEN];

	hostkey_pack(&key, packed);
	for (unsigned i = 0; i < HOSTKEY_LEN * 8; i++) {
		packed[i / 8] ^= (uint8_t)(0x80U >> i % 8);
		is(hostkey_unpack(packed, &out),
		    i < 3 ? MUSTER_E_PROTO : MUSTER_E_TYPO);
		packed[i / 8] ^= (uint8_t)(0x80U >> i % 8);
	}
	is(hostkey_unpack(packed, &out), 0);
}

static void
test_hostkey_setup_is_derived(void)
{
	static const struct {
		const char *product, *text;
	} vectors[] = {
	    {"00000000000000000000000000000000",
	        "AVN6E-PNADD-ATY7Z-6BB6R-HRP2G"},
	    {"000102030405060708090a0b0c0d0e0f",
	        "84JQM-ZC7J8-36ZFN-E82CX-XAP2A"},
	    {"6ba7b8109dad11d180b400c04fd430c8",
	        "9TH8R-9Z2KM-MM0W3-2WF2F-XNR50"},
	};
	char text[HOSTKEY_TEXT_LEN + 1];
	uint8_t id[16];

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct hostkey key, back;

		(void)sodium_hex2bin(id, sizeof(id), vectors[i].product, 32,
		    NULL, NULL, NULL);
		hostkey_setup(id, &key);
		is(key.kind, HOSTKEY_SETUP);
		hostkey_format(&key, text);
		is_str(text, vectors[i].text);
		is(parse(text, &back), 0);
		ok(same_key(&key, &back));
	}
}

static void
test_hostkey_proof_vectors(void)
{
	const struct hostkey key = {.kind = HOSTKEY_HOST,
	    .number = 0x12345678,
	    .secret = {3, 0, 1, 2, 3, 4, 5, 6, 7, 8}};
	uint8_t publisher[PUBLISHER_LEN], pk[HOSTKEY_PK_LEN];
	uint8_t proof[HOSTKEY_PROOF_LEN];
	char hex[65];

	for (size_t i = 0; i < sizeof(publisher); i++)
		publisher[i] = (uint8_t)i;
	hostkey_proof_key(&key, publisher, pk);
	is_str(sodium_bin2hex(hex, sizeof(hex), pk, sizeof(pk)),
	    "4d9d54402376f07a06134be2e1d7d5ae"
	    "86364168ec03e42b75da4b443ae35540");
	hostkey_proof(pk, (const uint8_t *)"body", 4, proof);
	is_str(sodium_bin2hex(hex, sizeof(hex), proof, sizeof(proof)),
	    "176641714d0249e27041ea80874b5616"
	    "074bb67dcee4ac2da8b9567e7b895d40");
}

int
main(void)
{
	const char *text = getenv("MUSTER_SEED");

	seed = text != NULL ? strtoull(text, NULL, 0) : 1;
	printf("# MUSTER_SEED=%llu\n", (unsigned long long)seed);
	if (sodium_init() < 0)
		return 1;
	test_hostkey_check_is_ccitt_false();
	test_hostkey_vectors();
	test_hostkey_round_trips();
	test_hostkey_catches_every_wrong_character();
	test_hostkey_catches_every_swap();
	test_hostkey_forgives_typing();
	test_hostkey_refuses();
	test_hostkey_unpack_refuses_flipped_bits();
	test_hostkey_setup_is_derived();
	test_hostkey_proof_vectors();
	return tap_done();
}
