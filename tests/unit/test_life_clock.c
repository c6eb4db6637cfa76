/* SPDX-License-Identifier: MIT */
/* The clock rules (b36) in the life of one product, in virtual time. */
#include "life_fixture.h"

static struct lw w;

static const struct life_event ask_event = {.kind = LIFE_ASK};
static const struct life_event timer_event = {.kind = LIFE_TIMER};

static enum wire_state
state(void)
{
	return w.life.licence;
}

static int64_t
wake_in_s(void)
{
	return w.todo.wake_boot_s - (w.true_unix_s - w.boot_at_unix_s);
}

/* A product that was met and activated at once. */
static void
licensed(void)
{
	lw_init(&w, FX_NOW);
	lw_start(&w, true, "first sight");
	lw_do(&w, &timer_event, "time");
}

static void
test_b36_a_clock_set_back_lengthens_nothing(void)
{
	licensed();
	lw_until(&w, 20);
	w.is_up = false;
	/* the wall clock stands still, as far as root can make it */
	for (int64_t day = 21; day < 70; day++) {
		lw_until(&w, day);
		w.wall_off_s = -(day - 20) * LW_DAY;
	}
	ok(w.n_asked > 40); /* contacts do not depend on it */
	is(state(), WIRE_LICENSED);
	/* the high water: as far as the clock was believed */
	ok(w.publisher.high_water_unix_s >= w.begin_unix_s + 20 * LW_DAY);
	/* far back: judged by the high water, not by 1970 */
	w.wall_off_s = -w.true_unix_s + 5;
	lw_until(&w, 71);
	is(state(), WIRE_LICENSED);
	ok(w.todo.minutes_left <= 30 * 1440);
	/* the clock right again: one reply, and all is well */
	w.wall_off_s = 0;
	w.is_up = true;
	lw_until(&w, 72);
	is(state(), WIRE_LICENSED);
	is(w.publisher.high_water_unix_s, w.life.lease.grant.issued_unix_s);
}

static void
test_b36_a_jump_ahead_leaves_no_harm(void)
{
	int64_t high_unix_s;

	licensed();
	lw_until(&w, 2);
	high_unix_s = w.publisher.high_water_unix_s;
	w.wall_off_s = 3650 * LW_DAY;
	lw_event(&w, &timer_event, "time");
	is(state(), WIRE_NOTIFICATION); /* as the clock says */
	is(w.publisher.high_water_unix_s, high_unix_s);
	w.wall_off_s = 0;
	lw_event(&w, &timer_event, "time");
	is(state(), WIRE_LICENSED);
	is(w.life.state.grace_unix_s, 0);
	is(wake_in_s(), 3 * LW_DAY); /* the plan stands */
}

/* Rearmed, or lapsed, while the clock stood ten years ahead. */
static void
test_b36_a_grace_begun_ahead_is_no_longer(void)
{
	const struct life_event rearm = {.kind = LIFE_REARM};
	const struct life_event catalogue = {.kind = LIFE_CATALOGUE};

	for (int is_rearm = 0; is_rearm < 2; is_rearm++) {
		licensed();
		lw_until(&w, 2);
		w.is_up = false;
		w.wall_off_s = 3650 * LW_DAY;
		fx_cat.products[0].validity_days = 3660;
		fx_cat.products[0].threshold = 6;
		lw_do(&w, is_rearm ? &rearm : &catalogue, "ahead");
		w.wall_off_s = 0;
		lw_event(&w, &timer_event, "time");
		is(state(),
		    is_rearm ? WIRE_INITIAL_GRACE : WIRE_TOLERANCE_GRACE);
		is(w.todo.minutes_left, 10 * 1440);
		/* in doubt nothing is forgotten, and then 10 days are left */
		ok(w.life.state.first_seen_unix_s > w.true_unix_s ||
		    w.life.state.grace_unix_s > w.true_unix_s);
		lw_until(&w, 5);
		ok(w.todo.minutes_left < 10 * 1440);
		ok(w.life.state.first_seen_unix_s <= w.true_unix_s);
		ok(w.life.state.grace_unix_s <= w.true_unix_s);
		lw_until(&w, 14);
		is(state(), WIRE_NOTIFICATION);
	}
}

/* A clock that fell back for an hour uses no grace up. */
static void
test_b36_a_clock_fallen_back_ends_no_grace(void)
{
	int64_t first_unix_s;

	lw_init(&w, FX_NOW);
	fx_cat.head.signed_unix_s -= 3000 * LW_DAY;
	w.is_up = false;
	lw_start(&w, true, "first sight");
	first_unix_s = w.life.state.first_seen_unix_s;
	w.wall_off_s = -2000 * LW_DAY;
	w.true_unix_s += 3600;
	lw_event(&w, &timer_event, "time");
	is(state(), WIRE_INITIAL_GRACE);
	is(w.todo.minutes_left, 10 * 1440);
	is(w.life.state.first_seen_unix_s, first_unix_s);
	w.wall_off_s = 0;
	lw_event(&w, &timer_event, "time");
	is(state(), WIRE_INITIAL_GRACE);
}

/* A high water that is too high is lowered by a verified reply. */
static void
test_b36_a_reply_sets_the_high_water_downwards(void)
{
	licensed();
	w.publisher.high_water_unix_s = w.true_unix_s + 1000 * LW_DAY;
	lw_event(&w, &timer_event, "time");
	ok(state() != WIRE_LICENSED);
	w.true_unix_s += 60;
	lw_do(&w, &ask_event, "asked");
	is(state(), WIRE_LICENSED);
	is(w.publisher.high_water_unix_s, w.true_unix_s);
}

/* In each state a step in either direction, and back: nothing is left. */
static void
test_b36_steps_in_every_state(void)
{
	static const int64_t steps[] = {4 * 3600 + 1, -4 * 3600 - 1, LW_DAY,
	    -LW_DAY, 400 * LW_DAY, -400 * LW_DAY};
	static const struct {
		int64_t day;
		bool is_up;
	} cases[] = {{0, false}, {10, true}, {12, false}, {31, true}};
	unsigned bad = 0, n_states = 0;

	for (size_t k = 0; k < 4 * sizeof(steps) / sizeof(*steps); k++) {
		int64_t high_unix_s, day = cases[k % 4].day;
		enum wire_state before;

		lw_init(&w, FX_NOW);
		w.is_up = cases[k % 4].is_up;
		lw_start(&w, true, "first sight");
		if (w.is_up)
			lw_do(&w, &timer_event, "time");
		w.is_up = false;
		lw_until(&w, day);
		lw_do(&w, &timer_event, "time");
		before = state();
		n_states |= 1U << before;
		high_unix_s = w.publisher.high_water_unix_s;
		w.wall_off_s = steps[k / 4];
		lw_do(&w, &timer_event, "time");
		w.wall_off_s = 0;
		lw_do(&w, &timer_event, "time");
		bad += state() != before ||
		    w.publisher.high_water_unix_s != high_unix_s;
		w.is_up = true; /* and recovery by itself */
		lw_until(&w, day + 2);
		bad += state() != WIRE_LICENSED;
	}
	is(bad, 0);
	is(n_states,
	    1U << WIRE_INITIAL_GRACE | 1U << WIRE_LICENSED |
	        1U << WIRE_NOTIFICATION | 1U << WIRE_TOLERANCE_GRACE);
}

int
main(void)
{
	test_b36_a_clock_set_back_lengthens_nothing();
	test_b36_a_jump_ahead_leaves_no_harm();
	test_b36_a_grace_begun_ahead_is_no_longer();
	test_b36_a_clock_fallen_back_ends_no_grace();
	test_b36_a_reply_sets_the_high_water_downwards();
	test_b36_steps_in_every_state();
	return tap_done();
}
