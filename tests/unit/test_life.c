/* SPDX-License-Identifier: MIT */
/*
 * The life of one product in virtual time: each row of the table in life.h,
 * each rule of b30 to b38 that it decides.
 */
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
test_b30_first_sight_starts_the_initial_grace(void)
{
	struct life_event met = {.kind = LIFE_MET};

	lw_init(&w, FX_NOW);
	w.is_up = false;
	is(state(), WIRE_UNLICENSED);
	lw_start(&w, true, "first sight");
	is(state(), WIRE_INITIAL_GRACE);
	ok(w.todo.save && w.todo.has_wake && wake_in_s() == 0);
	is(w.todo.minutes_left, 10 * 1440);
	lw_until(&w, 9);
	/* the program starts anew: the grace does not */
	lw_event(&w, &met, "restart");
	is(w.todo.minutes_left, 1440);
	is(w.todo.before, WIRE_INITIAL_GRACE);
	lw_until(&w, 11);
	is(state(), WIRE_NOTIFICATION);
	is(w.todo.minutes_left, 0);
}

static void
test_b30_a_product_that_is_gone_is_asked_for_no_more(void)
{
	const struct life_event gone = {.kind = LIFE_GONE};
	unsigned n;

	licensed();
	n = w.n_asked;
	lw_event(&w, &gone, "gone");
	ok(!w.todo.has_wake);
	lw_do(&w, &ask_event, "asked");
	lw_until(&w, 30);
	is(w.n_asked, n);
}

static void
test_b31_every_retry_interval_until_the_threshold(void)
{
	lw_init(&w, FX_NOW);
	w.count = 4;
	lw_start(&w, true, "first sight");
	lw_do(&w, &timer_event, "time");
	is(state(), WIRE_INITIAL_GRACE);
	is(w.life.state.count, 4);
	ok(!w.todo.keep_lease && w.todo.save);
	is(wake_in_s(), LW_DAY); /* the host's retry interval */
	lw_until(&w, 3);
	is(w.n_asked, 4);
	w.count = 5;
	lw_until(&w, 4);
	is(state(), WIRE_LICENSED);
	is(wake_in_s(), 5 * LW_DAY); /* the host's renewal interval */
}

static void
test_b31_default_intervals_before_any_reply(void)
{
	lw_init(&w, FX_NOW);
	w.is_up = false;
	lw_start(&w, true, "first sight");
	lw_do(&w, &timer_event, "time");
	is(wake_in_s(), 60 * LIFE_RETRY_MIN);
}

static void
test_b32_renewals_start_the_validity_again(void)
{
	licensed();
	lw_until(&w, 300);
	is(state(), WIRE_LICENSED);
	is(w.n_renewals, 60);
	is(w.todo.minutes_left, 30 * 1440);
	/* a failed renewal: every retry interval */
	w.is_up = false;
	lw_until(&w, 305);
	is(wake_in_s(), LW_DAY);
	w.is_up = true;
	lw_until(&w, 306);
	is(wake_in_s(), 5 * LW_DAY);
}

static void
test_b32_busy_is_tried_again_sooner_never_later(void)
{
	lw_init(&w, FX_NOW);
	w.busy_s = 60;
	lw_start(&w, true, "first sight");
	lw_do(&w, &timer_event, "time");
	is(wake_in_s(), 60);
	w.life.state.retry_min = 15;
	w.busy_s = 3600;
	w.true_unix_s += 60;
	lw_do(&w, &timer_event, "time");
	is(wake_in_s(), 900);
}

static void
test_b32_jitter_only_shortens(void)
{
	int64_t least = INT64_MAX, most = 0, start_most = 0;
	struct life_event met = {.kind = LIFE_MET, .is_spread = true};

	licensed();
	for (uint64_t seed = 1; seed <= 2000; seed++) {
		w.rng = seed * 7919;
		w.true_unix_s = w.begin_unix_s + 3 * LW_DAY;
		w.life.has_asked = false;
		lw_do(&w, &ask_event, "asked");
		least = wake_in_s() < least ? wake_in_s() : least;
		most = wake_in_s() > most ? wake_in_s() : most;
		w.true_unix_s += 6 * LW_DAY; /* due, and the machine starts */
		lw_event(&w, &met, "start");
		start_most =
		    wake_in_s() > start_most ? wake_in_s() : start_most;
		ok(wake_in_s() >= 0);
	}
	ok(most <= 5 * LW_DAY && most > 5 * LW_DAY - 600);
	ok(least >= 5 * LW_DAY - LW_DAY / 4 &&
	    least < 5 * LW_DAY - LW_DAY / 4 + 600);
	ok(start_most < LIFE_START_S && start_most > LIFE_START_S / 2);
}

/* Every state with every way out of it: the table of life.h. */
static void
test_b33_transitions(void)
{
	const struct life_event rearm = {.kind = LIFE_REARM};
	const struct life_event catalogue = {.kind = LIFE_CATALOGUE};

	/* licensed -> out-of-tolerance grace -> notification, by time */
	licensed();
	w.is_up = false;
	lw_until(&w, 30);
	is(state(), WIRE_LICENSED);
	lw_until(&w, 32);
	is(state(), WIRE_TOLERANCE_GRACE);
	is(w.life.state.grace_unix_s, FX_NOW + 30 * LW_DAY);
	lw_until(&w, 41);
	is(state(), WIRE_NOTIFICATION);
	/* notification -> licensed */
	w.is_up = true;
	lw_until(&w, 42);
	is(state(), WIRE_LICENSED);
	is(w.life.state.grace_unix_s, 0);

	/* out-of-tolerance grace -> licensed */
	w.is_up = false;
	lw_until(&w, 75);
	is(state(), WIRE_TOLERANCE_GRACE);
	w.is_up = true;
	lw_until(&w, 76);
	is(state(), WIRE_LICENSED);

	/* a newer catalogue: higher threshold; hosts are asked at once */
	fx_cat.products[0].threshold = 6;
	lw_event(&w, &catalogue, "catalogue");
	is(state(), WIRE_TOLERANCE_GRACE);
	is(w.todo.reason, MUSTER_E_COUNT);
	ok(w.todo.ask && w.todo.save);
	is(w.life.state.grace_unix_s, w.true_unix_s);
	w.count = 6;
	lw_round(&w, "a reply");
	is(state(), WIRE_LICENSED);

	/* rearm from licensed and from notification */
	w.is_up = false;
	lw_do(&w, &rearm, "rearm");
	is(state(), WIRE_INITIAL_GRACE);
	lw_until(&w, 90);
	is(state(), WIRE_NOTIFICATION);
	lw_do(&w, &rearm, "rearm");
	is(state(), WIRE_INITIAL_GRACE);

	/* notification -> the grace it came from: the clock stood ahead */
	w.wall_off_s = 100 * LW_DAY;
	lw_event(&w, &timer_event, "time");
	is(state(), WIRE_NOTIFICATION);
	w.wall_off_s = 0;
	lw_event(&w, &timer_event, "time");
	is(state(), WIRE_INITIAL_GRACE);

	/* licensed -> notification: nobody looked while the grace went by */
	licensed();
	w.is_up = false;
	w.true_unix_s += 41 * LW_DAY;
	lw_event(&w, &timer_event, "time");
	is(state(), WIRE_NOTIFICATION);
}

static void
test_b33_a_grace_of_no_days(void)
{
	lw_init(&w, FX_NOW);
	fx_cat.products[0].initial_grace_days = 0;
	w.is_up = false;
	lw_start(&w, true, "first sight");
	is(state(), WIRE_NOTIFICATION);
	w.is_up = true;
	lw_do(&w, &timer_event, "time");
	is(state(), WIRE_LICENSED);
	fx_cat.products[0].lapse_grace_days = 0;
	w.is_up = false;
	lw_until(&w, 31);
	is(state(), WIRE_NOTIFICATION);
}

static void
test_b34_a_failed_round_changes_no_state(void)
{
	struct lease before;
	uint8_t cmid[WIRE_ID_LEN];

	licensed();
	before = w.life.lease;
	memcpy(cmid, w.publisher.cmid, WIRE_ID_LEN);
	w.is_up = false;
	lw_until(&w, 20);
	ok(w.n_asked > 1);
	is(state(), WIRE_LICENSED);
	ok(memcmp(&before, &w.life.lease, sizeof(before)) == 0);
	ok(memcmp(cmid, w.publisher.cmid, WIRE_ID_LEN) == 0);
	/* a reply below the threshold: numbers, and no lease */
	w.is_up = true;
	w.count = 2;
	lw_until(&w, 21);
	is(w.life.state.count, 2);
	is(state(), WIRE_LICENSED);
	ok(memcmp(&before, &w.life.lease, sizeof(before)) == 0);
}

static void
test_b37_at_most_once_in_ten_seconds(void)
{
	licensed();
	lw_do(&w, &ask_event, "asked");
	ok(w.todo.is_early && !w.todo.ask);
	w.true_unix_s += LIFE_ASK_S - 1;
	lw_do(&w, &ask_event, "asked");
	ok(w.todo.is_early);
	w.true_unix_s += 1;
	lw_event(&w, &ask_event, "asked");
	ok(!w.todo.is_early && w.todo.ask);
	/* a round under way is nobody's to double */
	w.true_unix_s += 3600;
	lw_event(&w, &ask_event, "asked");
	ok(w.todo.is_early && !w.todo.ask && !w.todo.has_wake);
	lw_event(&w, &timer_event, "time");
	ok(!w.todo.ask);
}

static void
test_b38_rearm_as_often_as_the_catalogue_allows(void)
{
	const struct life_event rearm = {.kind = LIFE_REARM};
	static const uint8_t zeros[WIRE_TAG_LEN];

	licensed();
	w.is_up = false;
	for (int i = 0; i < 5; i++) {
		w.true_unix_s += 5 * LW_DAY;
		lw_do(&w, &rearm, "rearm");
		ok(!w.todo.is_refused);
		is(state(), WIRE_INITIAL_GRACE);
		is(w.todo.minutes_left, 10 * 1440);
		ok(!w.life.has_lease);
		ok(memcmp(w.life.state.previous, zeros, WIRE_TAG_LEN) == 0);
	}
	w.true_unix_s += 5 * LW_DAY;
	lw_do(&w, &rearm, "rearm");
	ok(w.todo.is_refused && !w.todo.ask && !w.todo.drop_lease);
	is(w.todo.minutes_left, 5 * 1440);
	is(w.life.state.rearms, 5);
}

static void
test_b38_another_machine_takes_a_new_cmid(void)
{
	uint8_t cmid[WIRE_ID_LEN];

	licensed();
	lw_until(&w, 3);
	memcpy(cmid, w.publisher.cmid, WIRE_ID_LEN);
	w.machine.instance[0] = 1; /* an instance appears: the same machine */
	lw_start(&w, false, "start");
	ok(memcmp(cmid, w.publisher.cmid, WIRE_ID_LEN) == 0);
	is(state(), WIRE_LICENSED);
	w.true_unix_s += 60;
	lw_do(&w, &ask_event, "asked");
	w.machine.instance[0] = 2; /* and another instance is another one */
	lw_start(&w, false, "start");
	ok(memcmp(cmid, w.publisher.cmid, WIRE_ID_LEN) != 0);
	is(w.todo.reason, MUSTER_E_MACHINE);
	is(state(), WIRE_TOLERANCE_GRACE);
	is(wake_in_s(), 0); /* hosts are asked at once */
	memcpy(cmid, w.publisher.cmid, WIRE_ID_LEN);
	w.machine.id[0]++;
	lw_start(&w, false, "start");
	ok(memcmp(cmid, w.publisher.cmid, WIRE_ID_LEN) != 0);
	lw_do(&w, &timer_event, "time");
	is(state(), WIRE_LICENSED);
}

static void
generalize(void)
{
	life_generalize(&w.publisher);
	life_generalize_product(&w.life.state);
	w.life.has_lease = false;
}

static void
test_b38_generalize(void)
{
	const struct life_event rearm = {.kind = LIFE_REARM};
	static const uint8_t zeros[WIRE_ID_LEN];

	licensed();
	w.is_up = false;
	lw_do(&w, &rearm, "rearm");
	lw_until(&w, 4);
	for (int i = 0; i < 2; i++) { /* it can be repeated */
		generalize();
		ok(memcmp(w.publisher.cmid, zeros, WIRE_ID_LEN) == 0);
	}
	/* the same machine goes on: grace and rearms, with a new CMID */
	lw_start(&w, false, "start");
	ok(memcmp(w.publisher.cmid, zeros, WIRE_ID_LEN) != 0);
	is(w.todo.minutes_left, 6 * 1440);
	is(w.life.state.rearms, 1);
	/* another one begins afresh */
	generalize();
	w.machine.id[0]++;
	lw_start(&w, false, "start");
	is(w.todo.minutes_left, 10 * 1440);
	is(w.life.state.rearms, 0);
	is(w.life.state.first_seen_unix_s, w.true_unix_s);
}

/* What is due after a restart is known by the wall clock alone. */
static void
test_b32_a_restart_keeps_the_plan(void)
{
	const struct life_event met = {.kind = LIFE_MET};
	static const struct {
		int64_t wall_off_s, want_s;
	} cases[] = {
	    {0, 3 * LW_DAY},
	    {-LW_DAY, 4 * LW_DAY},
	    {-3 * LW_DAY, 0}, /* before the last contact */
	    {-LIFE_CLOCK_S - 2 * LW_DAY, 5 * LW_DAY}, /* at most an interval */
	    {4 * LW_DAY, 0},
	    {3650 * LW_DAY, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		licensed();
		lw_until(&w, 2);
		w.wall_off_s = cases[i].wall_off_s;
		w.life.due_boot_s = 0;
		lw_event(&w, &met, "restart");
		is(wake_in_s(), cases[i].want_s);
	}
}

int
main(void)
{
	test_b30_first_sight_starts_the_initial_grace();
	test_b30_a_product_that_is_gone_is_asked_for_no_more();
	test_b31_every_retry_interval_until_the_threshold();
	test_b31_default_intervals_before_any_reply();
	test_b32_renewals_start_the_validity_again();
	test_b32_busy_is_tried_again_sooner_never_later();
	test_b32_jitter_only_shortens();
	test_b32_a_restart_keeps_the_plan();
	test_b33_transitions();
	test_b33_a_grace_of_no_days();
	test_b34_a_failed_round_changes_no_state();
	test_b37_at_most_once_in_ten_seconds();
	test_b38_rearm_as_often_as_the_catalogue_allows();
	test_b38_another_machine_takes_a_new_cmid();
	test_b38_generalize();
	return tap_done();
}
