/* SPDX-License-Identifier: MIT */
/* May the wall clock be believed (b36)? */
#include "client/clockwatch.h"

#include <stdlib.h>

#include "base/cursor.h"
#include "trust/label.h"

#include "tap.h"

#define HOUR INT64_C(3600)
#define DAY INT64_C(86400)
#define T0 INT64_C(1800000000)

static bool
see(struct clockwatch *w, uint8_t boot, int64_t wall_unix_s, int64_t boot_s)
{
	const struct clockwatch_now now = {.boot = {boot},
	    .wall_unix_s = wall_unix_s,
	    .boot_s = boot_s};

	return clockwatch_see(w, &now);
}

static void
confirm(struct clockwatch *w, uint8_t boot, int64_t wall_unix_s, int64_t boot_s)
{
	const struct clockwatch_now now = {.boot = {boot},
	    .wall_unix_s = wall_unix_s,
	    .boot_s = boot_s};

	clockwatch_signed(w, &now);
}

static void
test_b36_a_new_machine_is_believed_after_a_day_or_a_reply(void)
{
	struct clockwatch w = {0};

	ok(!see(&w, 1, T0, 60));
	ok(!see(&w, 1, T0 + DAY - 1, 60 + DAY - 1));
	ok(see(&w, 1, T0 + DAY, 60 + DAY));
	memset(&w, 0, sizeof(w));
	ok(!see(&w, 1, T0, 60));
	confirm(&w, 1, T0 + 5, 65);
	ok(see(&w, 1, T0 + 10, 70));
}

static void
test_b36_small_corrections_raise_no_doubt(void)
{
	static const int64_t steps[] = {1, -1, 61, -61, HOUR, -HOUR, 4 * HOUR,
	    -4 * HOUR};
	struct clockwatch w = {0};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		confirm(&w, 1, T0, 1000);
		ok(see(&w, 1, T0 + 100 + steps[i], 1100));
	}
}

static void
test_b36_a_step_is_taken_up_after_24_hours_of_running(void)
{
	static const int64_t steps[] = {4 * HOUR + 1, -4 * HOUR - 1, DAY,
	    3650 * DAY, -3650 * DAY, -T0};
	struct clockwatch w = {0};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int64_t wall = T0 + steps[i];

		confirm(&w, 1, T0, 1000);
		ok(!see(&w, 1, wall + 1, 1001));
		ok(!see(&w, 1, wall + DAY, 1000 + DAY));
		ok(see(&w, 1, wall + 1 + DAY, 1001 + DAY));
	}
}

static void
test_b36_a_jump_put_right_leaves_nothing(void)
{
	struct clockwatch w = {0};

	confirm(&w, 1, T0, 1000);
	ok(!see(&w, 1, T0 + 3650 * DAY, 1010));
	ok(!see(&w, 1, T0 + 20 * HOUR, 1000 + 20 * HOUR));
	ok(!see(&w, 1, T0 + 43 * HOUR, 1000 + 43 * HOUR));
	ok(see(&w, 1, T0 + 44 * HOUR, 1000 + 44 * HOUR));
}

static void
test_b36_restarts(void)
{
	struct clockwatch w = {0};

	confirm(&w, 1, T0, 1000);
	ok(see(&w, 2, T0 + 300, 20));  /* a short restart */
	ok(!see(&w, 3, T0 + DAY, 20)); /* off for a day: nobody knows */
	ok(!see(&w, 3, T0 + DAY + 10 * HOUR, 20 + 10 * HOUR));
	/* time run while in doubt is kept across nights */
	ok(!see(&w, 4, T0 + 2 * DAY, 20));
	ok(!see(&w, 4, T0 + 2 * DAY + 10 * HOUR, 20 + 10 * HOUR));
	ok(!see(&w, 5, T0 + 3 * DAY, 20));
	ok(see(&w, 5, T0 + 3 * DAY + 4 * HOUR, 20 + 4 * HOUR));
	/* a dead clock chip: 1970 */
	ok(!see(&w, 6, 100, 20));
	/* set right by the network within the minute */
	ok(!see(&w, 6, T0 + 4 * DAY, 60));
	ok(see(&w, 6, T0 + 5 * DAY, 60 + DAY));
	/* a boot-time clock that went back under one id is another start */
	ok(!see(&w, 6, T0 + 6 * DAY, 10));
}

/* A machine in doubt whose clock stands years ahead at its next start. */
static void
test_b36_a_long_pause_begins_the_day_anew(void)
{
	struct clockwatch w = {0};

	ok(!see(&w, 1, T0, 20));
	ok(!see(&w, 1, T0 + 23 * HOUR, 20 + 23 * HOUR));
	ok(!see(&w, 2, T0 + 26000 * DAY, 20));
	ok(!see(&w, 2, T0 + 26000 * DAY + 2 * HOUR, 20 + 2 * HOUR));
	/* put right: a step, and the day begins again */
	ok(!see(&w, 2, T0 + DAY + 2 * HOUR, 20 + 2 * HOUR));
	ok(see(&w, 2, T0 + 2 * DAY + 2 * HOUR, 20 + DAY + 2 * HOUR));
	/* a week of holidays keeps what was run */
	ok(!see(&w, 3, T0 + 20 * DAY, 20));
	ok(!see(&w, 3, T0 + 20 * DAY + 23 * HOUR, 20 + 23 * HOUR));
	ok(!see(&w, 4, T0 + 27 * DAY + 23 * HOUR, 20));
	ok(see(&w, 4, T0 + 27 * DAY + 24 * HOUR, 20 + HOUR));
}

static void
test_clockwatch_file(void)
{
	struct clockwatch w = {0}, got;
	uint8_t buf[CLOCKWATCH_FILE_LEN + 1] = {0}, *p;
	unsigned bad = 0;

	is(clockwatch_encode(&w, buf), MUSTER_E_INVAL);
	(void)see(&w, 7, T0, 60);
	(void)see(&w, 7, T0 + HOUR, 60 + HOUR);
	is(clockwatch_encode(&w, buf), 0);
	is(clockwatch_decode(buf, CLOCKWATCH_FILE_LEN, &got), 0);
	ok(got.has_seen && got.is_doubtful && got.run_s == HOUR);
	ok(memcmp(&got.last, &w.last, sizeof(w.last)) == 0);
	for (size_t bit = 0; bit < 8 * CLOCKWATCH_FILE_LEN; bit++) {
		buf[bit / 8] ^= (uint8_t)(1U << bit % 8);
		bad += clockwatch_decode(buf, CLOCKWATCH_FILE_LEN, &got) == 0;
		buf[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	is(bad, 0);
	for (size_t len = 0; len < CLOCKWATCH_FILE_LEN; len++) {
		p = malloc(len + 1);
		memcpy(p, buf, len);
		bad += clockwatch_decode(p, len, &got) == 0;
		free(p);
	}
	is(bad, 0);
	ok(clockwatch_decode(buf, CLOCKWATCH_FILE_LEN + 1, &got) != 0);
}

/* The right checksum over a field that no agent writes. */
/* What a reply ends in the midst of its day is a file as any other. */
static void
test_clockwatch_file_of_a_confirmed_clock(void)
{
	uint8_t buf[CLOCKWATCH_FILE_LEN];
	struct clockwatch w = {0}, got;

	ok(!see(&w, 1, T0, 60));
	ok(!see(&w, 1, T0 + HOUR, 60 + HOUR));
	confirm(&w, 1, T0 + HOUR, 60 + HOUR);
	is(w.run_s, 0);
	is(clockwatch_encode(&w, buf), 0);
	is(clockwatch_decode(buf, sizeof(buf), &got), 0);
	ok(!got.is_doubtful);
}

static void
test_clockwatch_forged_fields(void)
{
	static const struct {
		size_t at;
		uint8_t value;
	} cases[] = {
	    {15, 2},    /* doubtful: 2 */
	    {15, 0},    /* believed, and yet time run in doubt */
	    {16, 0x80}, /* run: negative */
	    {21, 0xff}, /* run: over a day */
	    {48, 0x80}, /* boot time: negative */
	};
	struct clockwatch w = {0}, got;
	uint8_t buf[CLOCKWATCH_FILE_LEN];

	(void)see(&w, 7, T0, 60);
	(void)see(&w, 7, T0 + HOUR, 60 + HOUR);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct bytes body = {buf, CLOCKWATCH_FILE_LEN - HASH_LEN};

		is(clockwatch_encode(&w, buf), 0);
		buf[cases[i].at] = cases[i].value;
		label_hash(NULL, &body, 1, buf + body.len);
		is(clockwatch_decode(buf, sizeof(buf), &got), MUSTER_E_RANGE);
	}
}

/* The right checksum over too little, and over too much. */
static void
test_clockwatch_forged_length(void)
{
	struct clockwatch w = {0}, got = {.run_s = 99};
	uint8_t buf[CLOCKWATCH_FILE_LEN], out[CLOCKWATCH_FILE_LEN + 8];

	(void)see(&w, 7, T0, 60);
	is(clockwatch_encode(&w, buf), 0);
	for (int more = -4; more <= 4; more += 4) {
		size_t n = (size_t)(CLOCKWATCH_FILE_LEN - HASH_LEN + more);
		const struct bytes body = {out, n};

		memset(out, 0, sizeof(out));
		memcpy(out, buf, more < 0 ? n : n - (size_t)more);
		label_hash(NULL, &body, 1, out + n);
		is(clockwatch_decode(out, n + HASH_LEN, &got) == 0, more == 0);
	}
}

int
main(void)
{
	test_b36_a_new_machine_is_believed_after_a_day_or_a_reply();
	test_b36_small_corrections_raise_no_doubt();
	test_b36_a_step_is_taken_up_after_24_hours_of_running();
	test_b36_a_jump_put_right_leaves_nothing();
	test_b36_restarts();
	test_b36_a_long_pause_begins_the_day_anew();
	test_clockwatch_file();
	test_clockwatch_file_of_a_confirmed_clock();
	test_clockwatch_forged_fields();
	test_clockwatch_forged_length();
	return tap_done();
}
