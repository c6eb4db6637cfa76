/* SPDX-License-Identifier: MIT */
#include "base/hex.h"
#include "muster/err.h"

#include "tap.h"

static void
test_hex_round_trip(void)
{
	static const uint8_t in[] = {0x00, 0x7f, 0x80, 0xff, 0x1a};
	char text[11];
	uint8_t out[5];

	hex_encode(in, sizeof(in), text);
	is_str(text, "007f80ff1a");
	is(hex_decode(text, 10, out, 5), 0);
	ok(memcmp(in, out, 5) == 0);
	is(hex_decode("007F80FF1A", 10, out, 5), 0);
	ok(memcmp(in, out, 5) == 0);
}

static void
test_hex_refuses(void)
{
	uint8_t out[4] = {9, 9, 9, 9};

	is(hex_decode("0011223", 7, out, 4), MUSTER_E_PROTO);
	is(hex_decode("001122334", 9, out, 4), MUSTER_E_PROTO);
	is(hex_decode("0011223g", 8, out, 4), MUSTER_E_PROTO);
	is(out[0], 9);
}

static void
test_uuid_order_is_as_printed(void)
{
	uint8_t id[UUID_LEN];
	char text[UUID_TEXT_LEN + 1];

	is(uuid_parse("00112233-4455-6677-8899-AABBCCDDEEFF", id), 0);
	is(id[0], 0x00);
	is(id[4], 0x44);
	is(id[15], 0xff);
	uuid_format(id, text);
	is_str(text, "00112233-4455-6677-8899-aabbccddeeff");
	is(uuid_parse("0011223344556677-8899-aabbccddeeff--", id),
	    MUSTER_E_PROTO);
	is(uuid_parse("00112233-4455-6677-8899-aabbccddeef", id),
	    MUSTER_E_PROTO);
}

static void
test_err_names_and_texts(void)
{
	is_str(muster_errname(0), "OK");
	is_str(muster_errname(MUSTER_E_SIG), "MUSTER_E_SIG");
	is_str(muster_strerror(MUSTER_E_FULL), "no space or no slot left");
	is_str(muster_strerror(-9999), "unknown error");
	is_str(muster_errname(1), "MUSTER_E_UNKNOWN");
}

int
main(void)
{
	test_hex_round_trip();
	test_hex_refuses();
	test_uuid_order_is_as_printed();
	test_err_names_and_texts();
	return tap_done();
}
