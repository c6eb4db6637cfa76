/* SPDX-License-Identifier: MIT */
/* test_sources.c -- what one source may have, and for how long it may not. */
#include <string.h>

#include "host/sources.h"
#include "tap.h"

static struct sources table;
static const struct source_limits limits = {.open_max = 3};

static void
v4(uint8_t *out, uint32_t n)
{
	memset(out, 0, SOURCES_ADDRESS_LEN);
	out[10] = out[11] = 0xff;
	for (int i = 0; i < 4; i++)
		out[12 + i] = (uint8_t)(n >> (24 - 8 * i));
}

static void
begin(void)
{
	memset(&table, 0, sizeof(table));
}

static void
test_a_source_has_its_share_and_no_more(void)
{
	struct source *one[4], *other;
	uint8_t a[SOURCES_ADDRESS_LEN], b[SOURCES_ADDRESS_LEN];

	begin();
	v4(a, 0x0a000001);
	v4(b, 0x0a000002);
	for (int i = 0; i < 3; i++)
		is(sources_enter(&table, &limits, a, 1, &one[i]),
		    SOURCE_WELCOME);
	is(sources_enter(&table, &limits, a, 1, &one[3]), SOURCE_MANY);
	ok(one[3] == NULL);
	is(sources_enter(&table, &limits, b, 1, &other), SOURCE_WELCOME);
	sources_leave(one[0]);
	is(sources_enter(&table, &limits, a, 1, &one[3]), SOURCE_WELCOME);
	is(sources_enter(&table, &limits, a, 1, &one[0]), SOURCE_MANY);
	sources_leave(NULL);
}

static void
test_ipv6_is_one_source_below_64_bits(void)
{
	uint8_t a[SOURCES_ADDRESS_LEN] = {0x20, 1, 0xd, 0xb8};
	struct source *one;

	begin();
	for (uint8_t i = 0; i < 3; i++) {
		a[15] = i;
		is(sources_enter(&table, &limits, a, 1, &one), SOURCE_WELCOME);
	}
	a[8] = 9;
	is(sources_enter(&table, &limits, a, 1, &one), SOURCE_MANY);
	a[7] = 1;
	is(sources_enter(&table, &limits, a, 1, &one), SOURCE_WELCOME);
}

static void
test_a_rate_holds_for_a_minute(void)
{
	const struct source_limits slow = {.open_max = 9, .per_minute = 2};
	uint8_t a[SOURCES_ADDRESS_LEN];
	struct source *one;

	begin();
	v4(a, 7);
	for (int i = 0; i < 2; i++) {
		is(sources_enter(&table, &slow, a, 5, &one), SOURCE_WELCOME);
		sources_leave(one);
	}
	is(sources_enter(&table, &slow, a, 64, &one), SOURCE_FAST);
	is(sources_enter(&table, &slow, a, 65, &one), SOURCE_WELCOME);
}

static void
test_penalties_double_and_end(void)
{
	static const uint32_t want_s[] = {10, 20, 40, 80, 160, 320, 600, 600};
	uint8_t a[SOURCES_ADDRESS_LEN];
	struct source *one;
	uint32_t now_s = 100;

	begin();
	v4(a, 8);
	for (size_t i = 0; i < sizeof(want_s) / sizeof(want_s[0]); i++) {
		is(sources_enter(&table, &limits, a, now_s, &one),
		    SOURCE_WELCOME);
		is(sources_punish(one, now_s), want_s[i]);
		/* what was open with it is the same mistake */
		is(sources_punish(one, now_s + 1), want_s[i]);
		sources_leave(one);
		is(sources_enter(&table, &limits, a, now_s + want_s[i] - 1,
		       &one),
		    SOURCE_PENALTY);
		ok(one == NULL);
		now_s += want_s[i];
	}
	now_s += SOURCES_PENALTY_MAX_S; /* and then it is forgotten */
	is(sources_enter(&table, &limits, a, now_s, &one), SOURCE_WELCOME);
	is(sources_punish(one, now_s), 10);
	is(sources_punish(NULL, now_s), 0);
}

/* More sources than places: all are let in, and none is mixed up. */
static void
test_a_full_table_lets_in(void)
{
	const struct source_limits wide = {.open_max = 1000000};
	uint8_t a[SOURCES_ADDRESS_LEN];
	unsigned n_refused = 0, n_placed = 0, n_wrong = 0;
	struct source *one;

	begin();
	for (uint32_t i = 1; i <= 2 * SOURCES_MAX; i++) {
		v4(a, i);
		n_refused +=
		    sources_enter(&table, &wide, a, 1, &one) != SOURCE_WELCOME;
		n_placed += one != NULL;
		n_wrong += one != NULL && one->n_open != 1;
	}
	is(n_refused, 0);
	is(n_wrong, 0);
	ok(n_placed > SOURCES_MAX * 9 / 10 && n_placed <= SOURCES_MAX);
	/* who has nothing open gives its place */
	for (uint32_t i = 0; i < SOURCES_MAX; i++)
		sources_leave(table.v4[i].is_used ? &table.v4[i] : NULL);
	v4(a, 0xf0000000);
	is(sources_enter(&table, &wide, a, 2, &one), SOURCE_WELCOME);
	ok(one != NULL && one->n_open == 1);
}

/* A penalty is not shaken off by crowding its place. */
static void
test_who_is_refused_keeps_its_place(void)
{
	uint8_t a[SOURCES_ADDRESS_LEN], b[SOURCES_ADDRESS_LEN];
	struct source *one;

	begin();
	v4(a, 0);
	is(sources_enter(&table, &limits, a, 1, &one), SOURCE_WELCOME);
	is(sources_punish(one, 1), 10);
	sources_leave(one);
	for (uint32_t i = 1; i <= 2 * SOURCES_MAX; i++) {
		v4(b, i);
		(void)sources_enter(&table, &limits, b, 2, &one);
		sources_leave(one);
	}
	is(sources_enter(&table, &limits, a, 3, &one), SOURCE_PENALTY);
}

static void
test_networks(void)
{
	const uint8_t a[16] = {0x20, 1, 0xd, 0xb8, 0xff};
	uint8_t b[16] = {0x20, 1, 0xd, 0xb8, 0xf0};

	ok(sources_is_within(a, b, 0));
	ok(sources_is_within(a, b, 32));
	ok(sources_is_within(a, b, 36));
	ok(!sources_is_within(a, b, 37));
	ok(!sources_is_within(a, b, 128));
	b[4] = 0xff;
	ok(sources_is_within(a, b, 128));
}

int
main(void)
{
	test_a_source_has_its_share_and_no_more();
	test_ipv6_is_one_source_below_64_bits();
	test_a_rate_holds_for_a_minute();
	test_penalties_double_and_end();
	test_a_full_table_lets_in();
	test_who_is_refused_keeps_its_place();
	test_networks();
	return tap_done();
}
