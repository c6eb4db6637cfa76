/* SPDX-License-Identifier: MIT */
#include "sim/pc.h"

#include <stdio.h>
#include <string.h>

#include "sim/check.h"
#include "sim/disk.h"
#include "sim/plan.h"
#include "sim/round.h"
#include "sim/zone.h"

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
	return pc->is_frozen ? pc->frozen_unix_s : s->now_ms / 1000 + pc->off_s;
}

bool
pc_is_busy(const struct pc *pc)
{
	for (uint32_t p = 0; p < SIM_PRODUCTS; p++) {
		if (pc->product[p].walk != NULL || pc->product[p].is_waiting)
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
}

void
pc_event(struct sim *s, uint32_t number, uint32_t p,
    const struct life_event *ev)
{
	struct pc *pc = &s->machine[number];
	struct pc_product *pp = &pc->product[p];
	bool is_torn;
	int err = 0;

	step(s, number, p, ev);
	if (sim_faulty(s, POINT_TORN))
		pc->writes_left = (int32_t)rng_below(&s->rng, 6);
	is_torn = pc->writes_left >= 0;
	if (pc->disk != NULL)
		err = disk_write(pc, p);
	pc->writes_left = -1;
	if (err != 0)
		sim_fail(s, "codec", "%s: its state does not encode: %s",
		    pc->name, muster_errname(err));
	if (is_torn) {
		sim_tell(s, "%s: its power goes while it writes", pc->name);
		pc_stop(s, number, rng_octave(&s->rng, 1000, SIM_DAY_MS));
		return;
	}
	plan_wake(s, number, p);
	/* a CMID that is not on disk is not shown to anybody */
	if (pp->todo.ask)
		round_begin(s, number, p);
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
	for (uint32_t p = 0; p < SIM_PRODUCTS; p++) {
		round_drop(s, &pc->product[p]);
		pc->product[p].wake++;
	}
	sim_tell(s, "%s: goes down", pc->name);
	if (for_ms >= 0)
		sim_at(s, for_ms, &up);
}

/* ---- what administrators do, as the agent does it ---- */

void
pc_take_catalogue(struct sim *s, uint32_t number, uint32_t catalogue)
{
	struct pc *pc = &s->machine[number];
	const struct life_event ev = {.kind = LIFE_CATALOGUE};

	if (pc->catalogue >= catalogue || pc_is_busy(pc))
		return;
	sim_hit(s, POINT_CATALOGUE);
	sim_tell(s, "%s: takes catalogue %u", pc->name, catalogue + 1);
	pc->catalogue = catalogue;
	if (!pc->is_up)
		return;
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
}

/* The states first, the leases last; true when the power went meanwhile. */
static bool
write_rearm(struct sim *s, uint32_t number)
{
	struct pc *pc = &s->machine[number];
	bool is_torn = pc->writes_left >= 0;
	int err = 0;

	for (uint32_t p = 0; p < SIM_PRODUCTS && err == 0; p++) {
		if (pc->has_product[p])
			err = disk_write_states(pc, p);
	}
	for (uint32_t p = 0; p < SIM_PRODUCTS; p++) {
		if (pc->has_product[p] && pc->product[p].todo.drop_lease)
			disk_drop_lease(pc, p);
	}
	pc->writes_left = -1;
	if (err != 0)
		sim_fail(s, "codec", "%s: its state does not encode: %s",
		    pc->name, muster_errname(err));
	if (is_torn) {
		sim_tell(s, "%s: its power goes in a rearm", pc->name);
		pc_stop(s, number, rng_octave(&s->rng, 1000, SIM_DAY_MS));
	}
	return is_torn;
}

void
pc_rearm(struct sim *s, uint32_t number, uint32_t product)
{
	struct pc *pc = &s->machine[number];
	uint8_t cmid[WIRE_ID_LEN];

	if (!pc->is_up || pc_is_busy(pc))
		return;
	sim_hit(s, POINT_REARM);
	for (uint32_t p = 0; p < SIM_PRODUCTS; p++) {
		const struct pc_product *pp = &pc->product[p];

		if (pc->has_product[p] &&
		    (product >= s->n_products || product == p) &&
		    pp->life.state.rearms >= pp->env.product->rearms) {
			sim_hit(s, POINT_REARM_REFUSED);
			return;
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
	if (sim_faulty(s, POINT_TORN))
		pc->writes_left = (int32_t)rng_below(&s->rng, REARM_WRITES);
	if (write_rearm(s, number))
		return;
	for (uint32_t p = 0; p < SIM_PRODUCTS; p++) {
		if (!pc->has_product[p])
			continue;
		plan_wake(s, number, p);
		if (pc->product[p].todo.ask)
			round_begin(s, number, p);
	}
}

void
pc_generalize(struct sim *s, uint32_t number)
{
	struct pc *pc = &s->machine[number];

	sim_tell(s, "%s: generalize", pc->name);
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
	/* one that is set right before anybody looks was never far */
	if (pc->is_up && is_far)
		pc->far_ms = s->now_ms;
	else if (pc->is_up && pc->far_ms > pc->seen_ms)
		pc->far_ms = 0;
	sim_tell(s, "%s: its clock is %lld s off", pc->name, (long long)off_s);
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
