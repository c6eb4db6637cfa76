/* SPDX-License-Identifier: MIT */
/*
 * What a life makes of the files that it finds, and of those that could not be
 * written.
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
generalize(void)
{
	life_generalize(&w.publisher);
	life_generalize_product(&w.life.state);
	w.life.has_lease = false;
}

/* A clone whose power went when its first product had been written anew: the
 * publisher's file is of this machine already, the second product's is not. */
static void
test_b38_each_product_goes_by_its_own_tag(void)
{
	const struct life_event rearm = {.kind = LIFE_REARM};
	struct life_event met = {.kind = LIFE_MET};
	struct state_product image;

	licensed();
	lw_do(&w, &rearm, "rearm");
	lw_until(&w, 4);
	generalize();
	image = w.life.state;
	ok(image.is_image);
	w.machine.id[0]++;
	lw_start(&w, false, "start");
	w.true_unix_s += LW_DAY;
	w.life.state = image;
	lw_start(&w, false, "start");
	ok(w.todo.is_new);
	is(w.life.state.rearms, 0);
	is(w.life.state.first_seen_unix_s, w.true_unix_s);
	ok(!w.life.state.is_image);
	/* once only: met again in this run, it goes on */
	w.life.state.rearms = 3;
	w.true_unix_s += LW_DAY;
	met.is_moved = met.is_afresh = true;
	lw_event(&w, &met, "met again");
	ok(!w.todo.is_new);
	is(w.life.state.rearms, 3);
	is(w.life.state.first_seen_unix_s, w.true_unix_s - LW_DAY);
	/* a file of version 1 has no tag: the publisher's word counts */
	memset(w.life.state.machine, 0, WIRE_ID_LEN);
	lw_event(&w, &met, "met again");
	ok(w.todo.is_new);
	is(w.life.state.rearms, 0);
}

static void
test_b38_a_moved_product_forgets_the_last_reply_once(void)
{
	struct life_event met = {.kind = LIFE_MET};
	static const uint8_t zeros[WIRE_TAG_LEN];
	struct state_product old;

	licensed();
	lw_until(&w, 3);
	memset(w.life.state.previous, 7, WIRE_TAG_LEN);
	old = w.life.state;
	w.machine.id[0]++;
	lw_start(&w, false, "start");
	w.life.state = old;
	w.todo = (struct life_todo){.ask = false};
	lw_start(&w, false, "start"); /* the publisher's file is new already */
	ok(memcmp(w.life.state.previous, zeros, WIRE_TAG_LEN) == 0);
	is(wake_in_s(), 0);
	memset(w.life.state.previous, 7, WIRE_TAG_LEN);
	met.is_moved = true;
	lw_event(&w, &met, "met again");
	ok(memcmp(w.life.state.previous, zeros, WIRE_TAG_LEN) != 0);
}

static void
test_b38_generalize_keeps_the_grace_that_runs(void)
{
	licensed();
	w.is_up = false;
	lw_until(&w, 35);
	is(state(), WIRE_TOLERANCE_GRACE);
	is(w.todo.minutes_left, 5 * 1440);
	generalize();
	lw_start(&w, false, "start");
	is(state(), WIRE_TOLERANCE_GRACE);
	is(w.todo.minutes_left, 5 * 1440);
	generalize();
	w.machine.id[0]++;
	lw_start(&w, false, "start");
	is(state(), WIRE_INITIAL_GRACE);
	is(w.todo.minutes_left, 10 * 1440);
}

/* b33: the state is judged by what is on disk. */
static void
test_b33_a_lease_that_is_not_on_disk_does_not_count(void)
{
	const struct life_event unkept = {.kind = LIFE_UNKEPT};
	const struct life_event rearm = {.kind = LIFE_REARM};

	lw_init(&w, FX_NOW);
	lw_start(&w, true, "first sight");
	lw_do(&w, &timer_event, "time");
	ok(w.todo.keep_lease);
	lw_event(&w, &unkept, "not written");
	is(state(), WIRE_INITIAL_GRACE);
	is(w.todo.before, WIRE_INITIAL_GRACE);
	is(w.todo.reason, MUSTER_E_NOENT);
	is(w.todo.minutes_left, 10 * 1440);
	ok(!w.todo.keep_lease && w.todo.save && !w.life.has_lease);
	is(w.life.state.count, 5); /* what else the reply said stays */
	is(wake_in_s(), LW_DAY);   /* the retry interval */
	/* with each event it is tried again, and fails again */
	w.true_unix_s += 60;
	w.is_up = false;
	lw_event(&w, &timer_event, "time");
	ok(w.todo.keep_lease && !w.todo.ask);
	is(state(), WIRE_LICENSED);
	lw_event(&w, &unkept, "not written");
	is(state(), WIRE_INITIAL_GRACE);
	/* a round that ends without a reply tries nothing */
	lw_event(&w, &(struct life_event){.kind = LIFE_SILENCE}, "silence");
	ok(!w.todo.keep_lease);
	w.true_unix_s += 60;
	lw_event(&w, &timer_event, "time");
	ok(w.todo.keep_lease);
	is(state(), WIRE_LICENSED);
	lw_event(&w, &timer_event, "time");
	ok(!w.todo.keep_lease);
	is(state(), WIRE_LICENSED);
	/* a rearm forgets it */
	w.is_up = true;
	w.true_unix_s += 20 * LW_DAY;
	lw_do(&w, &ask_event, "asked");
	ok(w.todo.keep_lease);
	lw_event(&w, &unkept, "not written");
	lw_event(&w, &rearm, "rearm");
	lw_event(&w, &timer_event, "time");
	ok(!w.todo.keep_lease && !w.life.has_lease);
}

/* A renewal that is not on disk: the old lease goes on to its end, and its
 * grace is no longer for it. */
static void
test_b33_an_unwritten_renewal_leaves_lease_and_grace(void)
{
	const struct life_event unkept = {.kind = LIFE_UNKEPT};
	int64_t grace_unix_s, issued_unix_s;

	licensed();
	issued_unix_s = w.life.lease.grant.issued_unix_s;
	w.true_unix_s += 20 * LW_DAY;
	lw_do(&w, &ask_event, "asked");
	ok(w.todo.keep_lease);
	ok(w.life.lease.grant.issued_unix_s > issued_unix_s);
	lw_event(&w, &unkept, "not written");
	is(state(), WIRE_LICENSED);
	is(w.life.lease.grant.issued_unix_s, issued_unix_s);
	is(w.todo.minutes_left, 10 * 1440);
	is(wake_in_s(), LW_DAY);
	/* in the grace of another machine, its start stays */
	licensed();
	w.machine.id[0]++;
	lw_start(&w, false, "start");
	is(state(), WIRE_TOLERANCE_GRACE);
	grace_unix_s = w.life.state.grace_unix_s;
	ok(grace_unix_s != 0);
	w.true_unix_s += 2 * LW_DAY;
	lw_do(&w, &ask_event, "asked");
	ok(w.todo.keep_lease);
	is(w.life.state.grace_unix_s, 0);
	lw_event(&w, &unkept, "not written");
	is(state(), WIRE_TOLERANCE_GRACE);
	is(w.life.state.grace_unix_s, grace_unix_s);
}

/* What a rearm drops is named by its request: neither the CMID, which other
 * leases of the publisher keep, nor its time can tell. */
static void
test_b38_a_rearm_names_the_lease_that_it_drops(void)
{
	const struct life_event rearm = {.kind = LIFE_REARM};
	struct life_event new_cmid = {.kind = LIFE_NEW_CMID};
	uint8_t cmid[WIRE_ID_LEN], other[WIRE_ID_LEN] = {9};
	struct state_product sibling;
	struct lease old;

	licensed();
	old = w.life.lease;
	sibling = w.life.state;
	memcpy(cmid, w.publisher.cmid, WIRE_ID_LEN);
	ok(!life_is_dropped(&w.life.state, &old));
	life_rearm(&w.publisher, other);
	w.is_up = false;
	lw_event(&w, &rearm, "rearm");
	ok(w.todo.drop_lease && !w.life.has_lease);
	ok(life_is_dropped(&w.life.state, &old));
	/* one that never had a lease drops nothing more, and forgets nothing */
	lw_event(&w, &(struct life_event){.kind = LIFE_SILENCE}, "silence");
	lw_do(&w, &rearm, "rearm");
	ok(!w.todo.drop_lease && life_is_dropped(&w.life.state, &old));
	/* a new lease counts, under the old CMID too */
	memcpy(w.publisher.cmid, cmid, WIRE_ID_LEN);
	fx_nonce[0]++;
	w.is_up = true;
	w.true_unix_s += 60;
	lw_do(&w, &ask_event, "asked");
	ok(w.life.has_lease && !life_is_dropped(&w.life.state, &w.life.lease));
	/* another product of the publisher keeps its own */
	w.life.state = sibling;
	w.life.lease = old;
	lw_event(&w, &new_cmid, "new CMID");
	ok(w.life.has_lease && !life_is_dropped(&w.life.state, &old));
}

static const struct life_event look_event = {.kind = LIFE_CATALOGUE};

/* Bytes that say nothing hold nothing, and are named by nothing. */
static void
test_b33_a_lease_that_cannot_be_read_holds_nothing(void)
{
	struct state_product dropped = {.dropped = {1}};
	struct lease garbage;
	const struct life_event rearm = {.kind = LIFE_REARM};

	memset(&garbage, 0, sizeof(garbage));
	ok(!life_is_dropped(&dropped, &garbage));
	licensed();
	is(state(), WIRE_LICENSED);
	memset(w.life.lease.certificate, 0, CERT_LEN);
	lw_event(&w, &look_event, "a broken lease");
	is(state(), WIRE_TOLERANCE_GRACE);
	ok(w.todo.reason != 0 && w.todo.ask);
	is(w.life.state.grace_unix_s, w.true_unix_s);
	/* where the state was lost, it is no reason for a grace */
	licensed();
	memset(w.life.lease.certificate, 0, CERT_LEN);
	w.life.state.first_seen_unix_s = STATE_SEEN_LOST;
	lw_event(&w, &look_event, "a broken lease, and no state");
	is(state(), WIRE_UNLICENSED);
	is(w.life.state.grace_unix_s, 0);
	licensed();
	w.life.lease.args_len = 0;
	lw_event(&w, &rearm, "a rearm over a broken lease");
	ok(w.todo.drop_lease);
	is(w.life.state.dropped[0] | w.life.state.dropped[1], 0);
	is(w.life.state.rearms, 1);
}

static void
test_b30_who_is_gone_asks_no_more_even_when_told_to(void)
{
	const struct life_event gone = {.kind = LIFE_GONE};

	licensed();
	lw_event(&w, &gone, "gone");
	w.true_unix_s += LW_DAY;
	lw_event(&w, &ask_event, "a person asks");
	ok(!w.todo.ask && !w.life.is_asking);
}

/* Two better leases in one step: what is not written undoes both. */
static void
test_b33_an_offer_and_a_reply_at_once(void)
{
	const struct life_event unkept = {.kind = LIFE_UNKEPT};
	struct lease first, offer;

	licensed();
	first = w.life.lease;
	w.true_unix_s += LW_DAY;
	lw_do(&w, &ask_event, "renewed");
	offer = w.life.lease;
	ok(offer.grant.issued_unix_s > first.grant.issued_unix_s);
	w.life.lease = first;
	w.life.offer = offer;
	w.life.has_offer = true;
	w.true_unix_s += LW_DAY;
	lw_round(&w, "renewed again");
	ok(w.todo.keep_lease && !w.life.has_offer);
	ok(w.life.lease.grant.issued_unix_s > offer.grant.issued_unix_s);
	lw_event(&w, &unkept, "not written");
	is(w.life.lease.grant.issued_unix_s, first.grant.issued_unix_s);
	ok(w.life.has_offer);
}

/* An offer waits for the disk; a new identity does not try it. */
static void
test_b33_an_offer_waits_for_its_event(void)
{
	static const struct {
		enum life_kind kind;
		bool takes;
	} cases[] = {{LIFE_SILENCE, false}, {LIFE_REARM, false},
	    {LIFE_NEW_CMID, false}, {LIFE_TIMER, true}, {LIFE_CATALOGUE, true}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct life_event ev = {.kind = cases[i].kind};
		struct lease first;

		licensed();
		first = w.life.lease;
		w.true_unix_s += LW_DAY;
		lw_do(&w, &ask_event, "renewed");
		w.life.offer = w.life.lease;
		w.life.has_offer = true;
		w.life.lease = first;
		lw_event(&w, &ev, "an event");
		is(w.todo.keep_lease, cases[i].takes);
	}
}

int
main(void)
{
	test_b38_each_product_goes_by_its_own_tag();
	test_b38_a_moved_product_forgets_the_last_reply_once();
	test_b38_generalize_keeps_the_grace_that_runs();
	test_b33_a_lease_that_is_not_on_disk_does_not_count();
	test_b33_an_unwritten_renewal_leaves_lease_and_grace();
	test_b38_a_rearm_names_the_lease_that_it_drops();
	test_b33_a_lease_that_cannot_be_read_holds_nothing();
	test_b30_who_is_gone_asks_no_more_even_when_told_to();
	test_b33_an_offer_and_a_reply_at_once();
	test_b33_an_offer_waits_for_its_event();
	return tap_done();
}
