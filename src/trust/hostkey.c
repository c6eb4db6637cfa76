/* SPDX-License-Identifier: MIT */
#include "trust/hostkey.h"

#include <assert.h>
#include <sodium.h>

#define N_CHARS 25
#define GROUP_CHARS 5
#define TOP_BITS 3 /* of byte 0, above the 125 */
#define CHECK_OFF 14
#define N_KEY_BITS (CHECK_OFF * 8) /* what the check covers, and the top */

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/*
 * CRC-16/CCITT-FALSE (polynomial 0x1021, start 0xffff, no reflection, no
 * final xor), bit by bit because 109 bits are no whole bytes.
 */
static uint16_t
check_of(const uint8_t *p)
{
	uint16_t crc = 0xffff;

	for (unsigned i = TOP_BITS; i < N_KEY_BITS; i++) {
		unsigned bit = (unsigned)p[i / 8] >> (7 - i % 8) & 1U;
		unsigned top = (unsigned)crc >> 15;

		crc = (uint16_t)(crc << 1);
		if ((bit ^ top) != 0)
			crc ^= 0x1021;
	}
	return crc;
}

/* Value of a typed character, or -1. */
static int
value_of(char c)
{
	int value = -1;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'O')
		c = '0';
	if (c == 'I' || c == 'L')
		c = '1';
	for (int i = 0; i < 32 && value < 0; i++) {
		if (alphabet[i] == c)
			value = i;
	}
	return value;
}

/* Push five bits in from the right. */
static void
push(uint8_t *p, unsigned value)
{
	for (int i = HOSTKEY_LEN - 1; i >= 0; i--) {
		unsigned v = (unsigned)p[i] << 5 | value;

		p[i] = (uint8_t)v;
		value = v >> 8;
	}
}

int
hostkey_parse(const char *text, size_t text_len, struct hostkey *key_out)
{
	uint8_t packed[HOSTKEY_LEN] = {0};
	size_t n = 0;
	int err = 0;

	if (text_len > HOSTKEY_INPUT_MAX)
		err = MUSTER_E_TOOBIG;
	for (size_t i = 0; i < text_len && err == 0; i++) {
		int value = value_of(text[i]);

		if (text[i] == '-' || text[i] == ' ')
			continue;
		if (value < 0 || n == N_CHARS) {
			err = MUSTER_E_PROTO;
		} else {
			push(packed, (unsigned)value);
			n++;
		}
	}
	if (err == 0 && n < N_CHARS)
		err = MUSTER_E_TRUNC;
	if (err == 0)
		err = hostkey_unpack(packed, key_out);
	sodium_memzero(packed, sizeof(packed));
	return err;
}

void
hostkey_format(const struct hostkey *key, char *text_out)
{
	uint8_t packed[HOSTKEY_LEN];
	char *out = text_out;

	hostkey_pack(key, packed);
	for (unsigned i = 0; i < N_CHARS; i++) {
		unsigned value = 0;

		for (unsigned k = 0; k < 5; k++) {
			unsigned at = TOP_BITS + i * 5 + k;
			unsigned byte = packed[at / 8];

			value = value << 1 | (byte >> (7 - at % 8) & 1U);
		}
		if (i != 0 && i % GROUP_CHARS == 0)
			*out++ = '-';
		*out++ = alphabet[value];
	}
	*out = '\0';
	sodium_memzero(packed, sizeof(packed));
}

void
hostkey_pack(const struct hostkey *key, uint8_t *out)
{
	uint32_t n = key->number;
	uint16_t check;

	assert((unsigned)key->kind < 8);
	assert(key->secret[0] < 4);
	out[0] = (uint8_t)((unsigned)key->kind << 2 | n >> 30);
	out[1] = (uint8_t)(n >> 22);
	out[2] = (uint8_t)(n >> 14);
	out[3] = (uint8_t)(n >> 6);
	out[4] = (uint8_t)((n & 0x3f) << 2 | (key->secret[0] & 3U));
	memcpy(out + 5, key->secret + 1, HOSTKEY_SECRET_LEN - 1);
	check = check_of(out);
	out[CHECK_OFF] = (uint8_t)(check >> 8);
	out[CHECK_OFF + 1] = (uint8_t)check;
}

int
hostkey_unpack(const uint8_t *p, struct hostkey *key_out)
{
	unsigned check = (unsigned)p[CHECK_OFF] << 8 | p[CHECK_OFF + 1];
	unsigned kind = (unsigned)p[0] >> 2;
	int err = 0;

	if (p[0] >> (8 - TOP_BITS) != 0) {
		err = MUSTER_E_PROTO;
	} else if (check != check_of(p)) {
		err = MUSTER_E_TYPO;
	} else if (kind != HOSTKEY_HOST && kind != HOSTKEY_SETUP) {
		err = MUSTER_E_KIND;
	} else {
		key_out->kind = (enum hostkey_kind)kind;
		key_out->number = ((uint32_t)p[0] & 3) << 30 |
		    (uint32_t)p[1] << 22 | (uint32_t)p[2] << 14 |
		    (uint32_t)p[3] << 6 | (uint32_t)p[4] >> 2;
		key_out->secret[0] = p[4] & 3;
		memcpy(key_out->secret + 1, p + 5, HOSTKEY_SECRET_LEN - 1);
	}
	return err;
}

void
hostkey_setup(const uint8_t *product, struct hostkey *key_out)
{
	const struct bytes part = {.p = product, .len = 16};
	uint8_t hash[HASH_LEN];
	struct rd r = rd_init(hash, sizeof(hash));

	label_hash(LABEL_SETUP, &part, 1, hash);
	key_out->kind = HOSTKEY_SETUP;
	key_out->number = rd_u32(&r);
	/* Bits 32 to 105 of the hash, moved right by six: 74 bits. */
	key_out->secret[0] = (uint8_t)(hash[4] >> 6);
	for (size_t i = 1; i < HOSTKEY_SECRET_LEN; i++) {
		key_out->secret[i] =
		    (uint8_t)(hash[3 + i] << 2 | hash[4 + i] >> 6);
	}
}

void
hostkey_proof_key(const struct hostkey *key, const uint8_t *publisher,
    uint8_t *pk_out)
{
	uint8_t number[4];
	struct wr w = wr_init(number, sizeof(number));
	const struct bytes parts[] = {
	    {.p = publisher, .len = PUBLISHER_LEN},
	    {.p = number, .len = sizeof(number)},
	    {.p = key->secret, .len = HOSTKEY_SECRET_LEN},
	};

	wr_u32(&w, key->number);
	label_hash(LABEL_HKEY, parts, 3, pk_out);
}

void
hostkey_proof(const uint8_t *pk, const uint8_t *body, size_t len, uint8_t *out)
{
	static const uint8_t label[LABEL_LEN] = LABEL_PROOF;
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, pk, HOSTKEY_PK_LEN,
	    HOSTKEY_PROOF_LEN);
	(void)crypto_generichash_update(&state, label, sizeof(label));
	(void)crypto_generichash_update(&state, body, len);
	(void)crypto_generichash_final(&state, out, HOSTKEY_PROOF_LEN);
	sodium_memzero(&state, sizeof(state));
}
