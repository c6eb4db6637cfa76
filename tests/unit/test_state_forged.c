/* SPDX-License-Identifier: MIT */
/* test_state_forged.c -- files with the right checksum over what no client
 * writes, and the minutes that are left. */
#include "client/state.h"

#include "client/statefile.h"
#include "tap.h"

#define DAY INT64_C(86400)

/* A file of this magic with this body, sealed as it should be. */
static size_t
seal(const char *magic, const uint8_t *body, size_t n, uint8_t *out, size_t cap)
{
	struct wr w = statefile_begin(out, cap, magic, STATEFILE_VERSION);
	size_t len = 0;

	wr_bytes(&w, body, n);
	is(statefile_finish(&w, &len), 0);
	return len;
}

static void
test_state_view_forged(void)
{
	static const size_t at[] = {32, 40, 48}; /* the three times */
	const struct state_view v = {.publisher = {1},
	    .product = {2},
	    .first_seen_unix_s = 1};
	struct state_view bad, got = {.grace_unix_s = 77};
	uint8_t good[STATE_VIEW_LEN], body[64] = {0}, out[STATE_FILE_MAX];
	size_t len;

	for (size_t i = 0; i < 3; i++) {
		bad = v;
		*(i == 0         ? &bad.first_seen_unix_s
		        : i == 1 ? &bad.grace_unix_s
		                 : &bad.high_water_unix_s) = -1;
		is(state_view_encode(&bad, out), MUSTER_E_RANGE);
	}
	is(state_view_encode(&v, good), 0);
	memcpy(body, good + 12, 56);
	for (size_t n = 52; n <= 60; n += 4) {
		len = seal(STATE_VIEW_MAGIC, body, n, out, sizeof(out));
		is(state_view_decode(out, len, &got) == 0, n == 56);
	}
	for (size_t i = 0; i < 3; i++) {
		got.grace_unix_s = 77;
		body[at[i]] ^= 0x80;
		len = seal(STATE_VIEW_MAGIC, body, 56, out, sizeof(out));
		is(state_view_decode(out, len, &got), MUSTER_E_RANGE);
		is(got.grace_unix_s, 77);
		body[at[i]] ^= 0x80;
	}
}

static void
test_b24_known_host_forged(void)
{
	const uint8_t pub[PUBLISHER_LEN] = {3};
	struct walk_known k = {.priority = 65535}, back;
	uint8_t buf[STATE_FILE_MAX], out[STATE_FILE_MAX], body[STATE_FILE_MAX];
	size_t len = 0, n;

	memcpy(k.host, "a.b:1", 6);
	memcpy(k.domain, "b", 2);
	is(state_known_encode(pub, &k, buf, sizeof(buf), &len), 0);
	n = len - HASH_LEN - 12;
	memcpy(body, buf + 12, n);
	memset(body + n, 0, 4);
	is(state_known_decode(buf, len, pub, &back), 0);
	is(back.priority, 65535);
	for (int more = -4; more <= 4; more += 4) {
		len = seal(STATE_KNOWN_MAGIC, body, n + (size_t)more, out,
		    sizeof(out));
		is(state_known_decode(out, len, pub, &back) == 0, more == 0);
	}
	/* one more than a priority can be */
	body[n - 3] = 1;
	body[n - 2] = body[n - 1] = 0;
	len = seal(STATE_KNOWN_MAGIC, body, n, out, sizeof(out));
	is(state_known_decode(out, len, pub, &back), MUSTER_E_RANGE);
	/* no domain, and bytes that are no letters */
	k.domain[0] = '\0';
	is(state_known_encode(pub, &k, buf, sizeof(buf), &len), 0);
	is(state_known_decode(buf, len, pub, &back), MUSTER_E_RANGE);
	k.domain[0] = 'b';
	k.host[1] = '\x7f';
	is(state_known_encode(pub, &k, buf, sizeof(buf), &len), 0);
	is(state_known_decode(buf, len, pub, &back), MUSTER_E_RANGE);
	k.host[1] = '~';
	is(state_known_encode(pub, &k, buf, sizeof(buf), &len), 0);
	is(state_known_decode(buf, len, pub, &back), 0);
	k.domain[0] = '\n';
	is(state_known_encode(pub, &k, buf, sizeof(buf), &len), 0);
	is(state_known_decode(buf, len, pub, &back), MUSTER_E_RANGE);
}

/* Minutes are what is left of a lease, whatever its end. */
static void
test_b33_minutes_left(void)
{
	static const struct {
		int64_t left_s;
		uint32_t want;
	} cases[] = {{0, 0}, {59, 0}, {60, 1}, {-60, 0}, {-3600, 0},
	    {60 * (int64_t)UINT32_MAX, UINT32_MAX},
	    {60 * ((int64_t)UINT32_MAX + 1), UINT32_MAX}};
	const struct cat_product p = {.initial_grace_days = 30};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct state_lease lease = {.holds = true,
		    .ends_unix_s = 1000 * DAY + cases[i].left_s};
		uint32_t minutes = 7;

		is(state_licence(NULL, &lease, &p, 1000 * DAY, &minutes),
		    WIRE_LICENSED);
		is(minutes, cases[i].want);
	}
}

int
main(void)
{
	test_state_view_forged();
	test_b24_known_host_forged();
	test_b33_minutes_left();
	return tap_done();
}
