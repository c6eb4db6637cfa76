/* SPDX-License-Identifier: MIT */
#include "sim/pc.h"

#include <stdio.h>
#include <string.h>

#include "sim/check.h"
#include "sim/disk.h"
#include "sim/plan.h"
#include "sim/round.h"
#include "sim/zone.h"

#define STEP_WRITES 6 /* lease, publisher, product, view, clock, and none */
#define REARM_WRITES (4 * SIM_PRODUCTS) /* states and leases */

static const char *const state_names[] = {"unlicensed", "initial grace",
    "licensed", "tolerance grace", "notification"};

uint32_t
pc_add(struct sim *s)
{
	uint32_t number = s->n_machines++;
	struct pc *pc = &s->machine[number];

	memset(pc, 0, sizeof(*pc));
	if (s->memory.disk != NULL) {
		pc->disk = &s->memory.disk[number];
		memset(pc->disk, 0, sizeof(*pc->disk));
	}
	pc->since_ms = s->now_ms;
	rng_fill(&s->rng, pc->id.id, WIRE_ID_LEN);
	if (rng_below(&s->rng, 2) == 0)
		rng_fill(&s->rng, pc->id.instance, WIRE_ID_LEN);
	(void)snprintf(pc->name, sizeof(pc->name), "pc-%u", number);
	if (s->site != NULL) {
		plan_machine(s, number);
	} else {
		pc->has_product[0] = rng_chance(&s->rng, 800000);
		pc->has_product[1] =
		    !pc->has_product[0] || rng_below(&s->rng, 2) == 0;
		zone_find(s, pc);
	}
	pc->writes_left = -1;
	pc_identify(s, number);
	return number;
}

void
pc_identify(struct sim *s, uint32_t number)
{
	struct pc *pc = &s->machine[number];

	machine_fingerprint(&pc->id, s->publisher, pc->print);
	machine_tag(&pc->id, s->publisher, pc->tag);
}

int64_t
pc_unix_s(const struct sim *s, const struct pc *pc)
{
	/* ppm of ms, in seconds */
	return pc->is_frozen ? pc->frozen_unix_s
	                     : s->now_ms / 1000 + pc->off_s +
	        (s->now_ms - pc->drift_from_ms) * pc->drift_ppm / 1000000000;
}

bool
pc_is_busy(const struct sim *s, const struct pc *pc)
{
	if (s->now_ms < pc->asleep_until_ms)
		return true;
	for (uint32_t p = 0; p < SIM_PRODUCTS; p++) {
		if (pc->product[p].round != NULL || pc->product[p].is_waiting)
			return true;
	}
	return false;
}

/* ---- one event ---- */

static struct life_now
now_of(struct sim *s, struct pc *pc, bool is_signed)
{
	struct clockwatch_now clocks = {.wall_unix_s = pc_unix_s(s, pc),
	    .boot_s = (s->now_ms - pc->boot_at_ms) / 1000};
	struct life_now now = {.wall_unix_s = clocks.wall_unix_s,
	    .boot_s = clocks.boot_s,
	    .draw = (uint32_t)rng_u64(&s->rng)};

	memcpy(clocks.boot, pc->boot, sizeof(clocks.boot));
	if (is_signed)
		clockwatch_signed(&pc->watch, &clocks);
	now.is_wall_believed = clockwatch_see(&pc->watch, &clocks);
	if (!now.is_wall_believed)
		sim_hit(s, POINT_DOUBTFUL);
	pc->seen_unix_s = now.wall_unix_s;
	pc->seen_ms = s->now_ms;
	pc->is_far_unseen = false;
	/* what b36 lets it know for sure */
	if (pc->is_calm && pc->floor_unix_s < now.wall_unix_s)
		pc->floor_unix_s = now.wall_unix_s;
	if (pc->far_ms != 0 &&
	    s->now_ms - pc->far_ms >= CLOCKWATCH_RUN_S * INT64_C(1000))
		pc->far_ms = 0;
	if (pc->far_ms == 0 && pc->ceiling_unix_s < now.wall_unix_s)
		pc->ceiling_unix_s = now.wall_unix_s;
	return now;
}

static void
plan_wake(struct sim *s, uint32_t number, uint32_t p)
{
	struct pc *pc = &s->machine[number];
	struct pc_product *pp = &pc->product[p];
	const struct event wake = {.kind = EV_WAKE,
	    .who = number,
	    .what = p,
	    .tag = ++pp->wake};
	int64_t at_ms = pc->boot_at_ms + pp->todo.wake_boot_s * 1000;

	if (!pp->todo.has_wake)
		return;
	/* the boot-time clock counts whole seconds */
	sim_at(s, at_ms > s->now_ms ? at_ms - s->now_ms : 0, &wake);
}

static void
step(struct sim *s, uint32_t number, uint32_t p, const struct life_event *ev)
{
	struct pc *pc = &s->machine[number];
	struct pc_product *pp = &pc->product[p];
	const struct life_now now = now_of(s, pc, ev->kind == LIFE_REPLY);

	if (ev->kind == LIFE_REPLY) {
		pc->floor_unix_s = ev->reply->lease.grant.issued_unix_s;
		pc->ceiling_unix_s = pc->floor_unix_s;
		pc->is_calm = !pc->is_frozen;
		pc->far_ms = 0; /* it was confirmed */
		pc->is_far_unseen = false;
	}
	life_step(&pp->life, &pp->env, ev, &now, &pp->todo);
	pp->stepped = s->step;
	sim_touch(s, number);
	if (pp->todo.before != pp->todo.after)
		sim_tell(s, "%s: %s: %s -> %s", pc->name, pp->env.product->name,
		    state_names[pp->todo.before], state_names[pp->todo.after]);
	if (s->site != NULL)
		plan_watch(s, number, p);
	else
		check_transition(s, number, p, ev);
	if (s->site == NULL)
		check_due(s, number, p, ev, &now);
	if (s->site == NULL && pp->is_owed)
		check_owed(s, number, p, ev);
}

/* What befalls the files of one step. */
static void
draw_disk(struct sim *s, struct pc *pc)
{
	static const int errs[] = {MUSTER_E_FULL, MUSTER_E_IO, MUSTER_E_UNSURE};

	pc->sick = (struct sick){.err = 0};
	pc->is_cut = false;
	if (sim_draws(s, POINT_TORN))
		pc->writes_left = (int32_t)rng_below(&s->rng, STEP_WRITES);
	if (sim_draws(s, POINT_PC_DISK))
		pc->sick = (struct sick){.err = errs[rng_below(&s->rng, 3)],
		    .writes = rng_below(&s->rng, STEP_WRITES)};
}

/* The lease first, as the agent does it (lives.c): what does not get to the
 * disk does not count. */
static int
write_step(struct sim *s, uint32_t number, uint32_t p)
{
	static const struct life_event unkept = {.kind = LIFE_UNKEPT};
	struct pc *pc = &s->machine[number];
	struct pc_product *pp = &pc->product[p];
	const struct life_todo first = pp->todo;
	int err = disk_write_lease(pc, p), state_err;

	pp->is_unkept = first.keep_lease && disk_is_sick(err) &&
	    err != MUSTER_E_UNSURE && err != DISK_NO_POWER;
	if (pp->is_unkept) {
		sim_hit(s, POINT_UNKEPT);
		sim_tell(s, "%s: its lease cannot be written", pc->name);
		pp->owed = pp->life.lease;
		step(s, number, p, &unkept);
		pp->todo.ask = first.ask;
		pp->todo.is_early = first.is_early;
	}
	if (first.keep_lease)
		pp->is_owed = pp->is_unkept;
	state_err = disk_write(pc, p);
	if (err == MUSTER_E_UNSURE)
		sim_hit(s, POINT_LEASE_UNSURE);
	return err == 0 ? state_err : err;
}

/* True when the power went: whether before a write, or when all were made. */
static bool
is_torn(struct sim *s, struct pc *pc, int err)
{
	bool is_torn = pc->writes_left >= 0;

	pc->writes_left = -1;
	if (pc->is_cut)
		sim_hit(s, POINT_TORN);
	if (pc->sick.has_failed)
		sim_hit(s, POINT_PC_DISK);
	if (err != 0 && !disk_is_sick(err))
		sim_fail(s, "codec", "%s: its state does not encode: %s",
		    pc->name, muster_errname(err));
	return is_torn;
}

void
pc_event(struct sim *s, uint32_t number, uint32_t p,
    const struct life_event *ev)
{
	static const struct life_event silence = {.kind = LIFE_SILENCE};
	struct pc *pc = &s->machine[number];
	struct pc_product *pp = &pc->product[p];
	int err = 0;

	step(s, number, p, ev);
	draw_disk(s, pc);
	pp->is_unkept = false;
	if (pc->disk != NULL)
		err = write_step(s, number, p);
	if (is_torn(s, pc, err)) {
		sim_tell(s, "%s: its power goes while it writes", pc->name);
		pc_stop(s, number, rng_octave(&s->rng, 1000, SIM_DAY_MS));
		return;
	}
	/* a CMID that is not on disk is not shown to anybody */
	if (pp->todo.ask && err != 0) {
		sim_hit(s, POINT_NOT_SHOWN);
		step(s, number, p, &silence);
	} else if (pp->todo.ask) {
		plan_wake(s, number, p);
		round_begin(s, number, p);
		return;
	}
	plan_wake(s, number, p);
}

/* ---- start and end ---- */

static void
meet(struct sim *s, uint32_t number, uint32_t p, bool is_moved, bool is_afresh)
{
	struct pc *pc = &s->machine[number];
	struct life_event ev = {.kind = LIFE_MET,
	    .is_moved = is_moved,
	    .is_afresh = is_afresh,
	    .is_new = pc->disk == NULL || pc->disk->product[p].len == 0,
	    .is_spread = true};
	bool is_image = pc->disk != NULL && disk_is_image(pc, p);
	int err = pc->disk == NULL ? 0 : disk_read_product(pc, p);

	if (err != 0) {
		sim_fail(s, "codec", "%s: its state does not decode: %s",
		    pc->name, muster_errname(err));
		return;
	}
	if (pc->disk != NULL)
		check_lease(s, number, p);
	pc_event(s, number, p, &ev);
	if (pc->disk != NULL)
		check_met(s, number, p, is_image);
}

static void
wake_up(struct sim *s, struct pc *pc, bool is_boot)
{
	pc->is_up = true;
	pc->is_calm = false;
	if (pc->disk != NULL) {
		pc->floor_unix_s = pc->disk->floor_unix_s;
		pc->ceiling_unix_s = pc->disk->ceiling_unix_s;
	}
	pc->far_ms = 0;
	pc->is_far_unseen = false;
	if (is_boot) {
		pc->boot_at_ms = s->now_ms;
		rng_fill(&s->rng, pc->boot, sizeof(pc->boot));
	}
	memset(&pc->publisher, 0, sizeof(pc->publisher));
	memset(&pc->watch, 0, sizeof(pc->watch));
	memset(&pc->known, 0, sizeof(pc->known));
	for (uint32_t p = 0; p < SIM_PRODUCTS; p++) {
		struct pc_product *pp = &pc->product[p];

		round_drop(s, pp);
		pp->wake++;
		pp->entry = 0;
		pp->is_lease_unsure = pp->is_unsaved = false;
		pp->is_unkept = pp->is_owed = false;
		memset(&pp->life, 0, sizeof(pp->life));
		pp->life.publisher = &pc->publisher;
		pp->env = (struct life_env){.cat = &s->cat[pc->catalogue],
		    .product =
		        cat_product(&s->cat[pc->catalogue], s->product[p]),
		    .machine = &pc->id};
	}
}

void
pc_start(struct sim *s, uint32_t number, bool is_boot)
{
	struct pc *pc = &s->machine[number];
	uint8_t cmid[WIRE_ID_LEN], old[WIRE_ID_LEN];
	bool is_moved, is_afresh;
	bool is_new = pc->disk == NULL || pc->disk->publisher.len == 0;
	int err = 0;

	if (pc->is_up)
		return;
	sim_tell(s, "%s: starts", pc->name);
	wake_up(s, pc, is_boot || pc->boot_at_ms == 0);
	if (pc->disk != NULL)
		err = disk_read(pc);
	if (err != 0) {
		sim_fail(s, "codec", "%s: its state does not decode: %s",
		    pc->name, muster_errname(err));
		return;
	}
	memcpy(old, pc->publisher.cmid, sizeof(old));
	rng_fill(&s->rng, cmid, sizeof(cmid));
	life_machine(&pc->publisher, &pc->product[0].env, cmid, is_new,
	    &is_moved, &is_afresh);
	if (pc->disk != NULL)
		check_cmid(s, number, old);
	for (uint32_t p = 0; p < SIM_PRODUCTS && pc->is_up; p++) {
		if (pc->has_product[p])
			meet(s, number, p, is_moved, is_afresh);
	}
}

void
pc_stop(struct sim *s, uint32_t number, int64_t for_ms)
{
	struct pc *pc = &s->machine[number];
	const struct event up = {.kind = EV_UP, .who = number};

	pc->is_up = false;
	pc->asleep_until_ms = 0;
	for (uint32_t p = 0; p < SIM_PRODUCTS; p++) {
		round_drop(s, &pc->product[p]);
		pc->product[p].wake++;
	}
	sim_tell(s, "%s: goes down", pc->name);
	if (for_ms >= 0)
		sim_at(s, for_ms, &up);
}

/* ---- what administrators do, as the agent does it ---- */

bool
pc_take_catalogue(struct sim *s, uint32_t number, uint32_t catalogue)
{
	struct pc *pc = &s->machine[number];
	const struct life_event ev = {.kind = LIFE_CATALOGUE};

	if (pc->catalogue >= catalogue || pc_is_busy(s, pc))
		return false;
	sim_tell(s, "%s: takes catalogue %u", pc->name, catalogue + 1);
	pc->catalogue = catalogue;
	if (!pc->is_up)
		return true;
	pc->publisher.serial = s->cat[catalogue].head.serial;
	for (uint32_t p = 0; p < SIM_PRODUCTS; p++) {
		struct pc_product *pp = &pc->product[p];

		pp->env.cat = &s->cat[catalogue];
		pp->env.product = cat_product(pp->env.cat, s->product[p]);
	}
	for (uint32_t p = 0; p < SIM_PRODUCTS && pc->is_up; p++) {
		if (pc->has_product[p])
			pc_event(s, number, p, &ev);
	}
	return true;
}

/* The states first, the leases last; true when the power went meanwhile. */
static bool
write_rearm(struct sim *s, uint32_t number)
{
	struct pc *pc = &s->machine[number];
	int err = 0;

	for (uint32_t p = 0; p < SIM_PRODUCTS && err == 0; p++) {
		if (pc->has_product[p])
			err = disk_write_states(pc, p);
	}
	for (uint32_t p = 0; p < SIM_PRODUCTS && err == 0; p++) {
		if (pc->has_product[p] && pc->product[p].todo.drop_lease)
			err = disk_drop_lease(pc, p);
	}
	if (!is_torn(s, pc, err))
		return false;
	sim_tell(s, "%s: its power goes in a rearm", pc->name);
	pc_stop(s, number, rng_octave(&s->rng, 1000, SIM_DAY_MS));
	return true;
}

bool
pc_rearm(struct sim *s, uint32_t number, uint32_t product)
{
	struct pc *pc = &s->machine[number];
	uint8_t cmid[WIRE_ID_LEN];

	if (!pc->is_up || pc_is_busy(s, pc))
		return false;
	for (uint32_t p = 0; p < SIM_PRODUCTS; p++) {
		const struct pc_product *pp = &pc->product[p];

		if (pc->has_product[p] &&
		    (product >= s->n_products || product == p) &&
		    pp->life.state.rearms >= pp->env.product->rearms) {
			sim_hit(s, POINT_REARM_REFUSED);
			return false;
		}
	}
	sim_tell(s, "%s: rearm", pc->name);
	rng_fill(&s->rng, cmid, sizeof(cmid));
	life_rearm(&pc->publisher, cmid);
	if (memcmp(pc->publisher.cmid, pc->disk->was_publisher.cmid,
	        WIRE_ID_LEN) == 0)
		sim_fail(s, "b38", "%s: rearmed, and its CMID stays", pc->name);
	for (uint32_t p = 0; p < SIM_PRODUCTS; p++) {
		struct life_event ev = {.kind = LIFE_NEW_CMID};

		if (product >= s->n_products || product == p)
			ev.kind = LIFE_REARM;
		if (pc->has_product[p])
			step(s, number, p, &ev);
	}
	pc->sick = (struct sick){.err = 0};
	pc->is_cut = false;
	if (sim_draws(s, POINT_TORN))
		pc->writes_left = (int32_t)rng_below(&s->rng, REARM_WRITES);
	if (write_rearm(s, number))
		return true;
	for (uint32_t p = 0; p < SIM_PRODUCTS; p++) {
		if (!pc->has_product[p])
			continue;
		plan_wake(s, number, p);
		if (pc->product[p].todo.ask)
			round_begin(s, number, p);
	}
	return true;
}

void
pc_generalize(struct sim *s, uint32_t number)
{
	struct pc *pc = &s->machine[number];

	sim_tell(s, "%s: generalize", pc->name);
	pc->sick = (struct sick){.err = 0};
	life_generalize(&pc->publisher);
	for (uint32_t p = 0; p < SIM_PRODUCTS; p++) {
		if (!pc->has_product[p])
			continue;
		life_generalize_product(&pc->product[p].life.state);
		pc->disk->lease[p].len = 0;
		if (disk_write_states(pc, p) != 0)
			sim_fail(s, "codec", "%s: its image does not encode",
			    pc->name);
		pc->disk->is_image[p] = true;
		pc->disk->has_lease[p] = false;
	}
	pc_stop(s, number, -1);
}

/* ---- time ---- */

static void
touch_clock(struct sim *s, uint32_t number)
{
	struct pc *pc = &s->machine[number];

	pc->is_calm = false;
	pc->was_set = true;
	for (uint32_t p = 0; p < SIM_PRODUCTS; p++)
		pc->product[p].stepped = 0; /* it was another time */
	sim_touch(s, number);
}

void
pc_set_clock(struct sim *s, uint32_t number, int64_t off_s)
{
	struct pc *pc = &s->machine[number];
	int64_t step_s = s->now_ms / 1000 + off_s - pc->seen_unix_s -
	    (s->now_ms - pc->seen_ms) / 1000;
	bool is_far = step_s > CLOCKWATCH_STEP_S || step_s < -CLOCKWATCH_STEP_S;

	touch_clock(s, number);
	pc->is_frozen = false;
	pc->off_s = off_s;
	pc->drift_from_ms = s->now_ms;
	/* one that is set right before anybody looks was never far */
	if (pc->is_up && is_far) {
		if (!pc->is_far_unseen)
			pc->far_before_ms = pc->far_ms;
		pc->is_far_unseen = true;
		pc->far_ms = s->now_ms;
	} else if (pc->is_up && pc->is_far_unseen) {
		pc->far_ms = pc->far_before_ms;
		pc->is_far_unseen = false;
	}
	sim_tell(s, "%s: its clock is %lld s off", pc->name, (long long)off_s);
}

void
pc_drift(struct sim *s, uint32_t number, int32_t ppm)
{
	struct pc *pc = &s->machine[number];

	pc->was_set = true;
	pc->off_s = pc_unix_s(s, pc) - s->now_ms / 1000;
	pc->drift_from_ms = s->now_ms;
	pc->drift_ppm = ppm;
	sim_tell(s, "%s: its clock is too fast by %d ppm", pc->name, ppm);
}

void
pc_sleep(struct sim *s, uint32_t number, int64_t for_ms)
{
	struct pc *pc = &s->machine[number];

	pc->asleep_until_ms = s->now_ms + for_ms;
	sim_tell(s, "%s: sleeps", pc->name);
}

void
pc_freeze(struct sim *s, uint32_t number)
{
	struct pc *pc = &s->machine[number];

	touch_clock(s, number);
	pc->frozen_unix_s = pc_unix_s(s, pc);
	pc->is_frozen = true;
	sim_tell(s, "%s: its clock stands still", pc->name);
}

/* It goes on from where it stood, or the network puts it right. */
static void
thaw(struct sim *s, uint32_t number)
{
	const struct pc *pc = &s->machine[number];
	int64_t off_s = pc->frozen_unix_s - s->now_ms / 1000;

	if (pc->is_frozen)
		pc_set_clock(s, number, rng_below(&s->rng, 2) == 0 ? 0 : off_s);
}

void
pc_clock_event(struct sim *s, const struct event *ev)
{
	struct pc *pc = &s->machine[ev->who];
	const struct life_event timer = {.kind = LIFE_TIMER};

	if (s->site != NULL && plan_is_late(s, ev))
		return;
	if (ev->kind == EV_UP) {
		pc_start(s, ev->who, true);
	} else if (ev->kind == EV_THAW) {
		thaw(s, ev->who);
	} else if (ev->kind == EV_TIMEOUT) {
		round_timeout(s, ev);
	} else if (ev->kind == EV_LOOKED_UP) {
		round_looked_up(s, ev);
	} else if (ev->kind == EV_PLACE) {
		if (pc->product[ev->what].is_waiting &&
		    pc->product[ev->what].place == ev->tag)
			round_begin(s, ev->who, ev->what);
	} else if (pc->is_up && pc->product[ev->what].wake == ev->tag &&
	    !(s->is_healed && pc->product[ev->what].is_answered)) {
		pc_event(s, ev->who, ev->what, &timer);
	}
}
