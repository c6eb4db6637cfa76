/* SPDX-License-Identifier: MIT */
/* test_history.c -- what is kept of the past, and what a clock does to it. */
#include <string.h>

#include "host/history.h"
#include "tap.h"

#define T0 INT64_C(1800000000) /* at the beginning of a minute */

static struct history h;
static struct history_totals totals;

static void
begin(void)
{
	memset(&h, 0, sizeof(h));
	memset(&totals, 0, sizeof(totals));
}

static void
note(int64_t now_unix_s, uint32_t group, uint32_t count)
{
	const struct store_group at = {.group = group, .count = count};

	history_note(&h, now_unix_s, &totals, &at, 1);
}

static const struct history_point *
point(enum history_step step, uint32_t i)
{
	return &h.rings[step].points[history_place(&h.rings[step], i)];
}

static uint32_t
count(enum history_step step, uint32_t group, uint32_t i)
{
	return h.rings[step].counts[group][history_place(&h.rings[step], i)];
}

static void
test_a_minute_has_what_came_within_it(void)
{
	begin();
	totals.activated = 3;
	note(T0, 1, 10);
	totals.activated = 5;
	totals.refused = 1;
	note(T0 + 59, 1, 12);
	totals.below_threshold = 4;
	note(T0 + 60, 1, 13);
	is(h.rings[HISTORY_MINUTE].n, 2);
	is(h.rings[HISTORY_HOUR].n, 1);
	is(point(HISTORY_MINUTE, 0)->activated, 5);
	is(point(HISTORY_MINUTE, 0)->refused, 1);
	is(point(HISTORY_MINUTE, 0)->below_threshold, 0);
	is(point(HISTORY_MINUTE, 1)->activated, 0);
	is(point(HISTORY_MINUTE, 1)->below_threshold, 4);
	is(point(HISTORY_HOUR, 0)->activated, 5);
	is(count(HISTORY_MINUTE, 0, 0), 12);
	is(count(HISTORY_MINUTE, 0, 1), 13);
	is(h.rings[HISTORY_MINUTE].newest, T0 / 60 + 1);
}

static void
test_what_was_not_seen_is_not_known(void)
{
	begin();
	note(T0, 1, 7);
	note(T0 + 180, 2, 9);
	is(h.rings[HISTORY_MINUTE].n, 4);
	is(h.n_groups, 2);
	is(count(HISTORY_MINUTE, 0, 0), 7);
	is(count(HISTORY_MINUTE, 0, 1), HISTORY_UNKNOWN);
	is(count(HISTORY_MINUTE, 0, 3), HISTORY_UNKNOWN);
	is(count(HISTORY_MINUTE, 1, 0), HISTORY_UNKNOWN);
	is(count(HISTORY_MINUTE, 1, 3), 9);
	ok(point(HISTORY_MINUTE, 0)->is_known);
	ok(!point(HISTORY_MINUTE, 1)->is_known);
	ok(!point(HISTORY_MINUTE, 2)->is_known);
	ok(point(HISTORY_MINUTE, 3)->is_known);
}

static void
test_the_oldest_is_forgotten(void)
{
	begin();
	for (int64_t i = 0; i < HISTORY_POINTS + 5; i++) {
		totals.activated++;
		note(T0 + 60 * i, 1, (uint32_t)i);
	}
	is(h.rings[HISTORY_MINUTE].n, HISTORY_POINTS);
	is(count(HISTORY_MINUTE, 0, 0), 5);
	is(count(HISTORY_MINUTE, 0, HISTORY_POINTS - 1), HISTORY_POINTS + 4);
	is(h.rings[HISTORY_HOUR].n, 25);
	is(point(HISTORY_HOUR, 0)->activated, 60);
}

static void
test_a_clock_that_jumps(void)
{
	begin();
	note(T0, 1, 1);
	note(T0 + 60 * INT64_C(100000), 1, 2);
	is(h.rings[HISTORY_MINUTE].n, 1);
	is(count(HISTORY_MINUTE, 0, 0), 2);
	is(h.rings[HISTORY_HOUR].n, 1);
	note(T0, 1, 3);
	is(h.rings[HISTORY_MINUTE].n, 1);
	is(h.rings[HISTORY_MINUTE].newest, T0 / 60);
	is(count(HISTORY_MINUTE, 0, 0), 3);
	note(T0 + 60, 1, 4);
	is(h.rings[HISTORY_MINUTE].n, 2);
	is(count(HISTORY_MINUTE, 0, 1), 4);
}

/* What it has noted before stays, of what it noted of the future nothing does. */
static void
test_a_clock_that_is_set_back(void)
{
	begin();
	for (uint32_t i = 0; i < 200; i++)
		note(T0 + INT64_C(60) * i, 1, i);
	totals.activated = 7;
	note(T0 + INT64_C(60) * 150, 1, 1000);
	is(h.rings[HISTORY_MINUTE].n, 151);
	is(h.rings[HISTORY_MINUTE].newest, T0 / 60 + 150);
	is(count(HISTORY_MINUTE, 0, 0), 0);
	is(count(HISTORY_MINUTE, 0, 149), 149);
	is(count(HISTORY_MINUTE, 0, 150), 1000);
	is(point(HISTORY_MINUTE, 150)->activated, 7);
	is(h.rings[HISTORY_HOUR].n, 3);
	note(T0 + INT64_C(60) * 151, 1, 1001);
	is(h.rings[HISTORY_MINUTE].n, 152);
	is(count(HISTORY_MINUTE, 0, 151), 1001);

	/* of a ring that has come round as well */
	begin();
	for (uint32_t i = 0; i < HISTORY_POINTS + 10; i++)
		note(T0 + INT64_C(60) * i, 1, i);
	note(T0 + INT64_C(60) * HISTORY_POINTS, 1, 7);
	is(h.rings[HISTORY_MINUTE].n, HISTORY_POINTS - 9);
	is(count(HISTORY_MINUTE, 0, 0), 10);
	is(count(HISTORY_MINUTE, 0, HISTORY_POINTS - 10), 7);
	is(count(HISTORY_MINUTE, 0, HISTORY_POINTS - 11), HISTORY_POINTS - 1);
}

static void
test_more_groups_than_it_keeps(void)
{
	begin();
	for (uint32_t g = 0; g < HISTORY_GROUPS_MAX + 3; g++)
		note(T0, g, g);
	is(h.n_groups, HISTORY_GROUPS_MAX);
	is(count(HISTORY_MINUTE, HISTORY_GROUPS_MAX - 1, 0),
	    HISTORY_GROUPS_MAX - 1);

	/* until one of them has not been seen for sixty days */
	for (int64_t hour = 0; hour <= HISTORY_POINTS; hour++) {
		for (uint32_t g = 1; g < HISTORY_GROUPS_MAX; g++)
			note(T0 + 3600 * hour, g, g);
		note(T0 + 3600 * hour, 1000, 7);
	}
	is(h.n_groups, HISTORY_GROUPS_MAX);
	is(h.groups[0].group, 1000);
	is(count(HISTORY_HOUR, 0, h.rings[HISTORY_HOUR].n - 1), 7);
	is(count(HISTORY_HOUR, 0, 0), HISTORY_UNKNOWN);
}

int
main(void)
{
	test_a_minute_has_what_came_within_it();
	test_what_was_not_seen_is_not_known();
	test_the_oldest_is_forgotten();
	test_a_clock_that_jumps();
	test_a_clock_that_is_set_back();
	test_more_groups_than_it_keeps();
	return tap_done();
}
