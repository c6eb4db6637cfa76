/* SPDX-License-Identifier: MIT */
#include "base/base45.h"

#include <stdint.h>

#include "tap.h"

/* The examples of RFC 9285, sections 4.3 and 4.4. */
static void
test_base45_rfc_vectors(void)
{
	static const char *const vectors[][2] = {{"AB", "BB8"},
	    {"Hello!!", "%69 VD92EX0"}, {"base-45", "UJCLQE7W581"},
	    {"ietf!", "QED8WEX0"}};
	char text[32];
	uint8_t back[32];
	size_t n;

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const char *plain = vectors[i][0], *want = vectors[i][1];
		size_t len = strlen(plain);

		base45_encode((const uint8_t *)plain, len, text);
		is_str(text, want);
		is(strlen(text), BASE45_LEN(len));
		is(base45_decode(want, strlen(want), back, len, &n), 0);
		is(n, len);
		ok(memcmp(back, plain, len) == 0);
	}
}

static void
test_base45_all_pairs(void)
{
	unsigned bad = 0;

	for (unsigned v = 0; v <= UINT16_MAX; v++) {
		uint8_t p[2] = {(uint8_t)(v >> 8), (uint8_t)v}, back[2];
		char text[4];
		size_t n = 0;

		base45_encode(p, 2, text);
		bad += base45_decode(text, 3, back, 2, &n) != 0 || n != 2 ||
		    memcmp(p, back, 2) != 0;
		base45_encode(p + 1, 1, text);
		bad += base45_decode(text, 2, back, 1, &n) != 0 || n != 1 ||
		    back[0] != p[1];
	}
	is(bad, 0);
}

static void
test_base45_refuses(void)
{
	uint8_t out[8];
	size_t n = 99;

	is(base45_decode("FGW", 3, out, 8, &n), 0); /* ffff: the RFC's bound */
	is(base45_decode("GGW", 3, out, 8, &n), MUSTER_E_RANGE);
	is(base45_decode(":::", 3, out, 8, &n), MUSTER_E_RANGE);
	is(base45_decode("U5", 2, out, 8, &n), 0);
	is(base45_decode("V5", 2, out, 8, &n), MUSTER_E_RANGE);
	is(base45_decode("BB8B", 4, out, 8, &n), MUSTER_E_TRUNC);
	is(base45_decode("bb8", 3, out, 8, &n), MUSTER_E_PROTO);
	is(base45_decode("B\0"
	                 "8",
	       3, out, 8, &n),
	    MUSTER_E_PROTO);
	is(base45_decode("BB8BB8", 6, out, 3, &n), MUSTER_E_TOOBIG);
	is(base45_decode("", 0, out, 8, &n), 0);
	is(n, 0);
}

int
main(void)
{
	test_base45_rfc_vectors();
	test_base45_all_pairs();
	test_base45_refuses();
	return tap_done();
}
