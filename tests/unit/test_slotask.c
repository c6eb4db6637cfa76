/* SPDX-License-Identifier: MIT */
#include "trust/slotask.h"

#include <sodium.h>
#include <string.h>

#include "base/hex.h"
#include "tap.h"

static uint8_t pk[HOSTKEY_PK_LEN] = {1, 2, 3};

static struct slotask
release_ask(void)
{
	struct slotask a = {.key_number = 7,
	    .act = SLOTASK_RELEASE,
	    .slot = 3,
	    .activation = 2,
	    .asked_unix_s = 1728000000};

	memset(a.publisher, 0xab, sizeof(a.publisher));
	return a;
}

static void
test_slotask_bytes_are_those_of_the_protocol(void)
{
	struct slotask a = release_ask();
	uint8_t out[SLOTASK_LEN], proof[32];
	uint8_t text[16 + 40] = "muster/proof/1";
	char hex[2 * 52 + 1];

	slotask_encode(&a, pk, out);
	hex_encode(out, 52, hex);
	is_str(hex,
	    "4d555354455251310000000"
	    "1abababababababababababababababab"
	    "00000007000000020000000300000002"
	    "0000000066ff3000");
	memcpy(text + 16, out + 12, 40);
	(void)crypto_generichash(proof, 32, text, sizeof(text), pk, 32);
	ok(memcmp(proof, out + 52, 32) == 0);
}

static void
test_slotask_comes_back_and_is_proven(void)
{
	struct slotask a = release_ask(), b;
	uint8_t out[SLOTASK_LEN], other[HOSTKEY_PK_LEN] = {9};

	slotask_encode(&a, pk, out);
	is(slotask_decode(out, sizeof(out), &b), 0);
	ok(b.key_number == 7 && b.act == SLOTASK_RELEASE && b.slot == 3 &&
	    b.activation == 2 && b.asked_unix_s == 1728000000);
	is(slotask_prove(out, sizeof(out), pk), 0);
	is(slotask_prove(out, sizeof(out), other), MUSTER_E_SIG);
	is(slotask_prove(out, sizeof(out) - 1, pk), MUSTER_E_SIG);
	for (size_t i = 12; i < sizeof(out); i++) {
		out[i] ^= 1;
		if (slotask_prove(out, sizeof(out), pk) != MUSTER_E_SIG)
			ok(!"a changed byte is proven");
		out[i] ^= 1;
	}
}

static void
test_slotask_refuses_what_is_none(void)
{
	struct slotask a = release_ask(), b;
	uint8_t out[SLOTASK_LEN + 1] = {0};
	static const struct {
		size_t at;
		uint8_t value;
		int err;
	} rows[] = {
	    {0, 'X', MUSTER_E_PROTO},
	    {11, 2, MUSTER_E_PROTO},
	    {35, 0, MUSTER_E_RANGE},
	    {35, 1, MUSTER_E_RANGE}, /* a list with a slot */
	    {35, 3, MUSTER_E_RANGE},
	    {39, 0, MUSTER_E_RANGE},
	    {38, 1, MUSTER_E_RANGE},
	    {43, 0, MUSTER_E_RANGE},
	    {42, 1, MUSTER_E_RANGE},
	    {44, 0x80, MUSTER_E_RANGE},
	    {46, 0xff, MUSTER_E_RANGE},
	};

	slotask_encode(&a, pk, out);
	is(slotask_decode(out, SLOTASK_LEN - 1, &b), MUSTER_E_TRUNC);
	is(slotask_decode(out, 0, &b), MUSTER_E_TRUNC);
	is(slotask_decode(out, SLOTASK_LEN + 1, &b), MUSTER_E_TOOBIG);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t old = out[rows[i].at];

		out[rows[i].at] = rows[i].value;
		is(slotask_decode(out, SLOTASK_LEN, &b), rows[i].err);
		out[rows[i].at] = old;
	}
	is(slotask_decode(out, SLOTASK_LEN, &b), 0);
	/* to the last second of the year 9999 */
	a.asked_unix_s = INT64_C(253402300799);
	slotask_encode(&a, pk, out);
	is(slotask_decode(out, SLOTASK_LEN, &b), 0);
	out[51]++;
	is(slotask_decode(out, SLOTASK_LEN, &b), MUSTER_E_RANGE);
	a.asked_unix_s = 0;
	slotask_encode(&a, pk, out);
	is(slotask_decode(out, SLOTASK_LEN, &b), 0);
}

int
main(void)
{
	test_slotask_bytes_are_those_of_the_protocol();
	test_slotask_comes_back_and_is_proven();
	test_slotask_refuses_what_is_none();
	return tap_done();
}
