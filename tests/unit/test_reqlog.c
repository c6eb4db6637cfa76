/* SPDX-License-Identifier: MIT */
/* test_reqlog.c -- which answers are noted, and how often. */
#include "base/log.h"
#include "host/reqlog.h"
#include "tap.h"

#define T0 1000

static uint64_t n_untold;

static int
level(struct reqlog *log, enum wire_status status, int64_t now_ms)
{
	return reqlog_level(log, status, false, now_ms, &n_untold);
}

static int
level_below(struct reqlog *log, int64_t now_ms)
{
	return reqlog_level(log, WIRE_OK, true, now_ms, &n_untold);
}

static void
test_what_is_counted_is_fine(void)
{
	struct reqlog log = {.refused = {0}};

	for (int i = 0; i < 2 * REQLOG_NOTES_MAX; i++) {
		is(level(&log, WIRE_OK, T0), LOG_FINE);
		is(level(&log, WIRE_BUSY, T0), LOG_FINE);
		is(n_untold, 0);
	}
	is(level(&log, WIRE_NOT_COVERED, T0), LOG_NOTE);
}

static void
test_refusals_are_notes_up_to_a_number(void)
{
	struct reqlog log = {.refused = {0}};

	for (int i = 0; i < REQLOG_NOTES_MAX; i++)
		is(level(&log, WIRE_UNKNOWN_PRODUCT, T0 + i), LOG_NOTE);
	is(level(&log, WIRE_UNKNOWN_PRODUCT, T0 + 10), LOG_FINE);
	is(level(&log, WIRE_CLOCK, T0 + REQLOG_MS - 1), LOG_FINE);
	is(n_untold, 0);
	is(level(&log, WIRE_CLOCK, T0 + REQLOG_MS), LOG_NOTE);
	is(n_untold, 2);
	is(level(&log, WIRE_CLOCK, T0 + REQLOG_MS), LOG_NOTE);
	is(n_untold, 0);
}

/* The one kind does not use up what the other may say. */
static void
test_what_is_below_the_threshold_is_noted_apart(void)
{
	struct reqlog log = {.refused = {0}};

	for (int i = 0; i < REQLOG_NOTES_MAX; i++)
		is(level_below(&log, T0 + i), LOG_NOTE);
	is(level_below(&log, T0 + 10), LOG_FINE);
	is(level_below(&log, T0 + 10), LOG_FINE);
	is(level_below(&log, T0 + 10), LOG_FINE);
	for (int i = 0; i < REQLOG_NOTES_MAX; i++) {
		is(level(&log, WIRE_CLOCK, T0 + 10), LOG_NOTE);
		is(n_untold, 0);
	}
	is(level(&log, WIRE_CLOCK, T0 + 10), LOG_FINE);
	is(level(&log, WIRE_OK, T0 + REQLOG_MS), LOG_FINE);
	is(level_below(&log, T0 + REQLOG_MS), LOG_NOTE);
	is(n_untold, 3);
}

int
main(void)
{
	test_what_is_counted_is_fine();
	test_refusals_are_notes_up_to_a_number();
	test_what_is_below_the_threshold_is_noted_apart();
	return tap_done();
}
