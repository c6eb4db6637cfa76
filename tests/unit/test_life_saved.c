/* SPDX-License-Identifier: MIT */
/*
 * What a life changes it has written, and what it leaves it does not: at
 * moments when the clock alone gives no reason to write (the fixture looks at
 * each event, and finds what was changed and not said).
 */
#include "life_fixture.h"

static struct lw w;

static const struct life_event timer_event = {.kind = LIFE_TIMER};
static const struct life_event ask_event = {.kind = LIFE_ASK};
static const struct life_event silence_event = {.kind = LIFE_SILENCE};

static int64_t
wake_in_s(void)
{
	return w.todo.wake_boot_s - (w.true_unix_s - w.boot_at_unix_s);
}

/* Licensed; the wall clock fell back a minute, so the high water rests. */
static void
licensed(void)
{
	lw_init(&w, FX_NOW);
	lw_start(&w, true, "first sight");
	lw_do(&w, &timer_event, "time");
	w.true_unix_s += 600;
	lw_event(&w, &timer_event, "time");
	w.wall_off_s = -60;
}

static void
test_b36_the_high_water_is_written_when_it_rises(void)
{
	int64_t high_unix_s;

	licensed();
	high_unix_s = w.publisher.high_water_unix_s;
	is(high_unix_s, w.true_unix_s);
	lw_event(&w, &timer_event, "time");
	ok(!w.todo.save);
	w.wall_off_s = 0;
	lw_event(&w, &timer_event, "time");
	ok(!w.todo.save); /* it stands there already */
	is(w.publisher.high_water_unix_s, high_unix_s);
	w.true_unix_s++;
	lw_event(&w, &timer_event, "time");
	ok(w.todo.save);
	is(w.publisher.high_water_unix_s, high_unix_s + 1);
}

/* A reply sets it, but never below what the catalogue says of the time. */
static void
test_b36_a_reply_before_the_catalogue(void)
{
	licensed();
	fx_cat.head.signed_unix_s = w.true_unix_s + LW_DAY;
	lw_do(&w, &ask_event, "asked");
	is(w.publisher.high_water_unix_s, w.true_unix_s + LW_DAY);
	licensed();
	fx_cat.head.signed_unix_s = w.true_unix_s - LW_DAY;
	lw_do(&w, &ask_event, "asked");
	is(w.publisher.high_water_unix_s, w.true_unix_s);
}

static void
test_life_every_event_is_written(void)
{
	static const struct life_event events[] = {{.kind = LIFE_MET},
	    {.kind = LIFE_ASK}, {.kind = LIFE_SILENCE}, {.kind = LIFE_REARM},
	    {.kind = LIFE_NEW_CMID}, {.kind = LIFE_UNKEPT}};

	for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
		licensed();
		memset(w.life.state.previous, 7, WIRE_TAG_LEN);
		lw_event(&w, &events[i], "an event");
		ok(w.todo.save);
		lw_event(&w, &timer_event, "time");
		ok(!w.todo.save || w.todo.ask);
	}
	/* a reply: its numbers, though its lease is the one before */
	licensed();
	w.count = 1;
	lw_do(&w, &ask_event, "asked");
	ok(w.todo.save && !w.todo.keep_lease);
	is(w.life.state.count, 1);
	/* what has ended has nothing to write */
	lw_event(&w, &(struct life_event){.kind = LIFE_GONE}, "gone");
	ok(!w.todo.save && !w.todo.has_wake);
}

/* From the end of a lease on its grace runs, and that is written once. */
static void
test_b33_the_start_of_a_grace_is_written(void)
{
	licensed();
	fx_cat.products[0].validity_days = 0;
	lw_event(&w, &timer_event, "time");
	ok(w.todo.save);
	is(w.life.state.grace_unix_s, w.life.lease.grant.issued_unix_s);
	lw_event(&w, &timer_event, "time");
	ok(!w.todo.save);
	fx_cat.products[0].validity_days = 30;
	lw_event(&w, &timer_event, "time");
	ok(w.todo.save);
	is(w.life.state.grace_unix_s, 0);
}

/* Four hours ahead is a clock put right; a second more was another's. */
static void
test_b36_what_began_ahead_begins_now(void)
{
	for (int is_grace = 0; is_grace < 2; is_grace++) {
		for (int more_s = 0; more_s < 2; more_s++) {
			int64_t *when;

			licensed();
			w.life.has_lease = false;
			when = is_grace ? &w.life.state.grace_unix_s
			                : &w.life.state.first_seen_unix_s;
			*when = w.true_unix_s + LIFE_CLOCK_S + more_s;
			lw_event(&w, &timer_event, "time");
			is(w.todo.save, more_s);
			is(*when, w.true_unix_s + (more_s ? 0 : LIFE_CLOCK_S));
		}
	}
}

/* b38: a lost first sight is found again in a lease that holds. */
static void
test_b38_a_lost_first_sight_is_the_leases(void)
{
	licensed();
	w.life.state.first_seen_unix_s = STATE_SEEN_LOST;
	lw_event(&w, &timer_event, "time");
	ok(w.todo.save);
	is(w.life.state.first_seen_unix_s, w.life.lease.grant.issued_unix_s);
	/* without one nothing is made up */
	w.life.state.first_seen_unix_s = STATE_SEEN_LOST;
	w.life.has_lease = false;
	lw_event(&w, &timer_event, "time");
	ok(!w.todo.save);
	is(w.life.state.first_seen_unix_s, STATE_SEEN_LOST);
}

static void
test_b38_a_machine_takes_what_is_newer(void)
{
	static const uint8_t cmid[WIRE_ID_LEN] = {0xee};
	bool is_moved = true, is_afresh = true;

	licensed();
	fx_cat.head.serial = w.publisher.serial + 1;
	fx_cat.head.signed_unix_s = w.publisher.high_water_unix_s + 1;
	life_machine(&w.publisher, &w.env, cmid, false, &is_moved, &is_afresh);
	ok(!is_moved && !is_afresh);
	is(w.publisher.serial, fx_cat.head.serial);
	is(w.publisher.high_water_unix_s, fx_cat.head.signed_unix_s);
	ok(w.publisher.cmid[0] != 0xee);
	fx_cat.head.serial--;
	fx_cat.head.signed_unix_s -= LW_DAY;
	life_machine(&w.publisher, &w.env, cmid, false, &is_moved, &is_afresh);
	is(w.publisher.serial, fx_cat.head.serial + 1);
	is(w.publisher.high_water_unix_s, fx_cat.head.signed_unix_s + LW_DAY);
}

/* What an image for cloning keeps, and what a rearm changes of a publisher. */
static void
test_b38_an_image_keeps_what_it_says(void)
{
	static const uint8_t cmid[WIRE_ID_LEN] = {0xee, 1};
	struct state_product was;

	licensed();
	memset(w.life.state.dropped, 3, WIRE_ID_LEN);
	memset(w.life.state.instance, 4, WIRE_ID_LEN);
	was = w.life.state;
	life_generalize_product(&w.life.state);
	is(memcmp(w.life.state.product, was.product, PRODUCT_LEN), 0);
	is(memcmp(w.life.state.machine, was.machine, WIRE_ID_LEN), 0);
	is(memcmp(w.life.state.instance, was.instance, WIRE_ID_LEN), 0);
	is(memcmp(w.life.state.dropped, was.dropped, WIRE_ID_LEN), 0);
	is(w.life.state.first_seen_unix_s, was.first_seen_unix_s);
	ok(w.life.state.is_image && w.life.state.count == 0);
	life_rearm(&w.publisher, cmid);
	is(memcmp(w.publisher.cmid, cmid, WIRE_ID_LEN), 0);
}

/* The latest of the three, whichever it is. */
static void
test_b36_the_time_by_which_it_is_judged(void)
{
	licensed();
	w.publisher.high_water_unix_s = 2000;
	fx_cat.head.signed_unix_s = 1000;
	is(life_time_unix_s(&w.publisher, &fx_cat, 3000), 3000);
	is(life_time_unix_s(&w.publisher, &fx_cat, 1500), 2000);
	fx_cat.head.signed_unix_s = 2500;
	is(life_time_unix_s(&w.publisher, &fx_cat, 1500), 2500);
	is(life_time_unix_s(&w.publisher, &fx_cat, 2600), 2600);
}

/* A machine without an instance is the same as with one; two differ, in
 * whichever byte. */
static void
test_b38_another_instance_in_any_byte(void)
{
	static const uint8_t cmid[WIRE_ID_LEN] = {0xee};
	bool is_moved, is_afresh;

	for (size_t i = 0; i < WIRE_ID_LEN; i++) {
		licensed();
		life_machine(&w.publisher, &w.env, cmid, false, &is_moved,
		    &is_afresh);
		ok(!is_moved);
		w.machine.instance[i] = 1;
		life_machine(&w.publisher, &w.env, cmid, false, &is_moved,
		    &is_afresh);
		ok(!is_moved);
		life_machine(&w.publisher, &w.env, cmid, false, &is_moved,
		    &is_afresh);
		ok(!is_moved); /* the same once more */
		is(w.publisher.instance[i], 1);
		w.machine.instance[i] = 0;
		life_machine(&w.publisher, &w.env, cmid, false, &is_moved,
		    &is_afresh);
		ok(!is_moved);
		is(w.publisher.instance[i], 1);
		w.machine.instance[i] = 2;
		life_machine(&w.publisher, &w.env, cmid, false, &is_moved,
		    &is_afresh);
		ok(is_moved && !is_afresh);
		is(w.publisher.instance[i], 2);
		ok(w.publisher.cmid[0] == 0xee);
	}
}

/* A start long after, or shortly before, what was planned. */
static void
test_b32_a_start_is_spread_over_a_minute(void)
{
	static const struct {
		int64_t due_s, want_s;
		bool is_spread;
	} cases[] = {{-100, 0, false}, {-100, 7, true}, {0, 0, false},
	    {0, 7, true}, {59, 59, false}, {59, 7, true}, {60, 60, true},
	    {7200 * 60, 7200 * 60, true}, {7200 * 60 + 1, 7200 * 60, true}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct life_event met = {.kind = LIFE_MET,
		    .is_spread = cases[i].is_spread};
		struct life_now now = {.draw = 67, .boot_s = 1000};

		licensed();
		now.wall_unix_s = w.life.state.asked_unix_s;
		w.life.state.due_unix_s = now.wall_unix_s + cases[i].due_s;
		life_step(&w.life, &w.env, &met, &now, &w.todo);
		is(w.todo.wake_boot_s - 1000, cases[i].want_s);
		/* a clock up to four hours behind the last contact */
		now.wall_unix_s -= LIFE_CLOCK_S;
		w.life.state.due_unix_s = now.wall_unix_s + cases[i].due_s;
		life_step(&w.life, &w.env, &met, &now, &w.todo);
		is(w.todo.wake_boot_s - 1000, cases[i].want_s);
		now.wall_unix_s--;
		w.life.state.due_unix_s--;
		life_step(&w.life, &w.env, &met, &now, &w.todo);
		is(w.todo.wake_boot_s - 1000, cases[i].is_spread ? 7 : 0);
	}
}

/* Never later than an interval of a minute; who never asked asks now. */
static void
test_b32_a_start_waits_an_interval_at_most(void)
{
	struct life_event met = {.kind = LIFE_MET};
	struct life_now now = {.boot_s = 1000};

	licensed();
	now.wall_unix_s = w.life.state.asked_unix_s;
	w.life.state.renewal_min = 1;
	w.life.state.due_unix_s = now.wall_unix_s + LW_DAY;
	life_step(&w.life, &w.env, &met, &now, &w.todo);
	is(w.todo.after, WIRE_LICENSED);
	is(w.todo.wake_boot_s - 1000, 60);
	w.life.state.asked_unix_s = 0;
	life_step(&w.life, &w.env, &met, &now, &w.todo);
	is(w.todo.wake_boot_s - 1000, 0);
}

/* Up to a twentieth earlier, and by every second of it. */
static void
test_b32_chance_reaches_both_ends(void)
{
	for (uint32_t draw = 0; draw <= 361; draw++) {
		struct life_now now = {.draw = draw, .boot_s = 1000};
		int64_t early_s = draw <= 360 ? draw : 0;

		licensed();
		now.wall_unix_s = w.true_unix_s;
		w.life.state.retry_min = 120;
		life_step(&w.life, &w.env, &silence_event, &now, &w.todo);
		is(w.todo.wake_boot_s - 1000, 7200 - early_s);
		is(w.life.state.due_unix_s, w.true_unix_s + 7200 - early_s);
	}
	licensed();
	w.life.state.retry_min = 1;
	lw_event(&w, &(struct life_event){.kind = LIFE_SILENCE, .busy_s = 60},
	    "busy");
	is(wake_in_s(), 60);
	lw_event(&w, &(struct life_event){.kind = LIFE_SILENCE, .busy_s = 59},
	    "busy");
	is(wake_in_s(), 59);
}

int
main(void)
{
	test_b36_the_high_water_is_written_when_it_rises();
	test_b36_a_reply_before_the_catalogue();
	test_life_every_event_is_written();
	test_b33_the_start_of_a_grace_is_written();
	test_b36_what_began_ahead_begins_now();
	test_b38_a_lost_first_sight_is_the_leases();
	test_b38_a_machine_takes_what_is_newer();
	test_b38_an_image_keeps_what_it_says();
	test_b36_the_time_by_which_it_is_judged();
	test_b32_a_start_waits_an_interval_at_most();
	test_b38_another_instance_in_any_byte();
	test_b32_a_start_is_spread_over_a_minute();
	test_b32_chance_reaches_both_ends();
	return tap_done();
}
