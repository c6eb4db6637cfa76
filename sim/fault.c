/* SPDX-License-Identifier: MIT */
#include "sim/fault.h"

#include <string.h>

#include "sim/kms.h"
#include "sim/kmsdisk.h"
#include "sim/net.h"
#include "sim/pc.h"
#include "sim/world.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS INT64_C(3600000)
#define DAY_S INT64_C(86400)
#define ACTIVATIONS_MAX 10 /* b41 */
#define DRIFT_PPM_MAX 500  /* far worse than any clock on sale: 43 s a day */

static uint32_t
any_host(struct sim *s)
{
	return rng_below(&s->rng, s->n_hosts);
}

static uint32_t
any_machine(struct sim *s)
{
	return rng_below(&s->rng, s->n_machines);
}

/* Right, a little off, or far off; mostly ahead where it is far. */
static int64_t
draw_off_s(struct sim *s)
{
	switch (rng_below(&s->rng, 6)) {
	case 0:
	case 1:
		return 0;
	case 2:
		return rng_between(&s->rng, -7200, 7200);
	case 3:
		return rng_between(&s->rng, -DAY_S, DAY_S);
	case 4:
		return rng_between(&s->rng, -40 * DAY_S, 40 * DAY_S);
	default:
		return rng_between(&s->rng, -100 * DAY_S, 500 * DAY_S);
	}
}

/* ---- one of each kind ---- */

static bool
host_restart(struct sim *s)
{
	uint32_t i = any_host(s);

	if (!s->host[i].is_up)
		return false;
	kms_stop(s, i, rng_octave(&s->rng, 500, 2 * SIM_DAY_MS));
	return true;
}

static bool
host_clock(struct sim *s)
{
	uint32_t i = any_host(s);
	int64_t was_s = s->host[i].off_s;

	s->host[i].off_s = draw_off_s(s);
	s->host[i].frozen_until_ms = 0;
	s->touched_hosts |= 1U << i;
	/* b11: the clock of a shared count is one */
	for (uint32_t j = 0; j < s->n_hosts && s->swarm.is_shared; j++) {
		s->host[j].off_s = s->host[i].off_s;
		s->host[j].frozen_until_ms = 0;
	}
	sim_tell(s, "kms-%u: its clock is %lld s off", i,
	    (long long)s->host[i].off_s);
	return s->host[i].off_s != was_s;
}

static bool
set_clock(struct sim *s, uint32_t number, int64_t off_s)
{
	int64_t was_unix_s = pc_unix_s(s, &s->machine[number]);

	pc_set_clock(s, number, off_s);
	return pc_unix_s(s, &s->machine[number]) != was_unix_s;
}

void
fault_clock(struct sim *s, uint32_t number)
{
	if (set_clock(s, number, draw_off_s(s)))
		sim_hit(s, POINT_CLOCK);
}

/* Now and then all of them, as when somebody sets the time of a site. */
static bool
machine_clock(struct sim *s)
{
	int64_t off_s = draw_off_s(s);
	bool any = false;

	if (rng_below(&s->rng, 6) != 0)
		return set_clock(s, any_machine(s), off_s);
	for (uint32_t i = 0; i < s->n_machines; i++)
		any |= set_clock(s, i, off_s);
	for (uint32_t i = 0; i < s->n_hosts; i++) {
		s->host[i].off_s = off_s;
		s->host[i].frozen_until_ms = 0;
	}
	s->touched_hosts = UINT32_MAX;
	return any;
}

static bool
freeze(struct sim *s)
{
	uint32_t i = any_machine(s);
	const struct event thaw = {.kind = EV_THAW, .who = i};

	if (s->machine[i].is_frozen)
		return false;
	pc_freeze(s, i);
	sim_at(s, rng_octave(&s->rng, HOUR_MS, 40 * SIM_DAY_MS), &thaw);
	return true;
}

/* As of a virtual machine that was moved; right again afterwards. */
static bool
host_freeze(struct sim *s)
{
	uint32_t i = any_host(s);
	int64_t until_ms =
	    s->now_ms + rng_octave(&s->rng, MINUTE_MS, SIM_DAY_MS);
	int64_t unix_s = kms_unix_s(s, &s->host[i]);

	for (uint32_t j = 0; j < s->n_hosts; j++) {
		/* b11: the clock of a shared count is one */
		if (j != i && !s->swarm.is_shared)
			continue;
		s->host[j].frozen_until_ms = until_ms;
		s->host[j].frozen_unix_s = unix_s;
	}
	s->touched_hosts = UINT32_MAX;
	sim_tell(s, "kms-%u: its clock stands still", i);
	return true;
}

static bool
drift(struct sim *s)
{
	pc_drift(s, any_machine(s),
	    (int32_t)rng_between(&s->rng, -DRIFT_PPM_MAX, DRIFT_PPM_MAX));
	return true;
}

static bool
fall_asleep(struct sim *s)
{
	uint32_t i = any_machine(s);

	if (s->machine[i].is_up)
		pc_sleep(s, i, rng_octave(&s->rng, 1000, 2 * SIM_DAY_MS));
	return false; /* what it holds up is counted */
}

/* The agent, the machine, or the power of the whole building. */
static bool
restart(struct sim *s)
{
	uint32_t i = any_machine(s);
	uint32_t how = rng_below(&s->rng, 4);
	bool any = false;

	for (uint32_t j = 0; j < s->n_machines && how == 0; j++) {
		any |= s->machine[j].is_up;
		pc_stop(s, j, 10 * MINUTE_MS);
	}
	if (how == 0) {
		sim_tell(s, "the power of all machines failed");
		return any;
	}
	if (!s->machine[i].is_up)
		return false;
	if (how == 1) {
		pc_stop(s, i, -1);
		pc_start(s, i, false);
	} else {
		pc_stop(s, i, rng_octave(&s->rng, MINUTE_MS, 20 * SIM_DAY_MS));
	}
	return true;
}

/* A machine with this one's disk; what else it has of it is the caller's. */
static uint32_t
copy(struct sim *s, uint32_t from)
{
	uint32_t to = pc_add(s);
	struct pc *pc = &s->machine[to];
	const struct pc *src = &s->machine[from];

	*pc->disk = *src->disk;
	memcpy(pc->has_product, src->has_product, sizeof(pc->has_product));
	pc->catalogue = src->catalogue;
	pc->off_s = pc_unix_s(s, src) - s->now_ms / 1000;
	pc->was_set = src->was_set;
	return to;
}

static bool
clone(struct sim *s)
{
	uint32_t from = any_machine(s), to;
	struct pc *pc;

	if (s->n_machines == s->memory.machines_max)
		return false;
	to = copy(s, from);
	pc = &s->machine[to];
	switch (rng_below(&s->rng, 3)) {
	case 0: /* a perfect one */
		pc->id = s->machine[from].id;
		s->has_clones = true;
		break;
	case 1: /* another machine by its instance, or by nothing */
		memcpy(pc->id.id, s->machine[from].id.id, WIRE_ID_LEN);
		s->has_clones = true;
		break;
	default:
		break;
	}
	pc_identify(s, to);
	sim_tell(s, "%s: a clone of %s", pc->name, s->machine[from].name);
	pc_start(s, to, true);
	return true;
}

static bool
generalize(struct sim *s)
{
	uint32_t from = any_machine(s);
	const struct pc *pc = &s->machine[from];
	uint32_t to;

	if (!pc->is_up || pc_is_busy(s, pc) ||
	    s->n_machines == s->memory.machines_max)
		return false;
	pc_generalize(s, from);
	to = copy(s, from);
	pc_start(s, from, true);
	pc_start(s, to, true);
	return true;
}

static bool
take_catalogue(struct sim *s)
{
	bool is_all = rng_below(&s->rng, 4) == 0, any = false;

	if (s->now_ms < s->swarm.signed_ms[1])
		return false;
	for (uint32_t i = 0; i < s->n_hosts; i++) {
		if (is_all || rng_below(&s->rng, 2) == 0) {
			int err = kms_take_catalogue(s, i, 1);

			if (err != 0)
				sim_fail(s, "store", "kms-%u: %s", i,
				    muster_errname(err));
		}
	}
	for (uint32_t i = 0; i < s->n_machines; i++) {
		if (is_all || rng_below(&s->rng, 4) == 0)
			any |= pc_take_catalogue(s, i, 1);
	}
	return any;
}

static bool
outage(struct sim *s)
{
	int64_t ms = rng_octave(&s->rng, HOUR_MS, 80 * SIM_DAY_MS);

	s->outage_until_ms = s->now_ms + ms;
	sim_tell(s, "no network for %lld s", (long long)(ms / 1000));
	return false; /* what is lost by it is counted: net.c */
}

static bool
ask(struct sim *s)
{
	bool is_all = rng_below(&s->rng, 2) == 0, any = false;
	uint32_t one = any_machine(s);
	const struct life_event ev = {.kind = LIFE_ASK};

	sim_tell(s, "%s asked to activate",
	    is_all ? "all are" : s->machine[one].name);
	for (uint32_t i = 0; i < s->n_machines; i++) {
		for (uint32_t p = 0; p < SIM_PRODUCTS; p++) {
			struct pc *pc = &s->machine[i];

			if (!pc->is_up || !pc->has_product[p] ||
			    s->now_ms < pc->asleep_until_ms ||
			    (!is_all && i != one))
				continue;
			any = true;
			pc_event(s, i, p, &ev);
			if (pc->product[p].todo.is_early)
				sim_hit(s, POINT_EARLY);
		}
	}
	return any;
}

/* One host and all machines, or every second one; one way, or both. */
static bool
partition(struct sim *s)
{
	uint32_t i = any_host(s);
	struct kms *k = &s->host[i];

	k->cut_ways = 1 + rng_below(&s->rng, 3);
	k->is_cut_odd = rng_below(&s->rng, 2) == 0;
	k->cut_until_ms =
	    s->now_ms + rng_octave(&s->rng, HOUR_MS, 20 * SIM_DAY_MS);
	sim_tell(s, "kms-%u: cut off, way %u", i, k->cut_ways);
	return false; /* likewise */
}

static bool
hold_up(struct sim *s)
{
	uint32_t i = any_host(s);

	s->host[i].clog_until_ms =
	    s->now_ms + rng_octave(&s->rng, 1000, 12 * HOUR_MS);
	sim_tell(s, "kms-%u: its messages are held up", i);
	return false; /* likewise */
}

static bool
stand_still(struct sim *s)
{
	uint32_t i = any_host(s);

	s->host[i].paused_until_ms =
	    s->now_ms + rng_octave(&s->rng, 1, HOUR_MS);
	sim_tell(s, "kms-%u: stands still", i);
	return false; /* likewise: sim.c */
}

/* musterd takes a certificate up between two batches only. */
static bool
certificate(struct sim *s)
{
	uint32_t i = any_host(s);
	const struct kms *k = &s->host[i];
	bool is_rebuilt = rng_below(&s->rng, 2) == 0;
	uint32_t days = rng_below(&s->rng, 60);

	if (k->is_flying || k->next.n > 0 ||
	    k->turn.publishers[0].cert.activation >= ACTIVATIONS_MAX)
		return false;
	if (rng_below(&s->rng, 8) == 0) {
		world_certify_untimely(s, i);
		sim_hit(s, POINT_UNTIMELY);
		sim_tell(s, "kms-%u: one from before its issuing key", i);
		return true;
	}
	world_certify(s, i, is_rebuilt, days);
	sim_tell(s, "kms-%u: a certificate for %u days, %s key", i, days,
	    is_rebuilt ? "another" : "the same");
	return true;
}

/* Whoever has its key signs on, whatever the certificate says of its end. */
static bool
turn_rogue(struct sim *s)
{
	uint32_t i = any_host(s);
	struct kms *k = &s->host[i];

	if (k->is_rogue || k->is_flying || k->next.n > 0 ||
	    kms_ends_day(k) == 0)
		return false;
	kms_set_rogue(k, true);
	sim_tell(s, "kms-%u: signs on past the end of its certificate", i);
	return true;
}

static bool
away(struct sim *s)
{
	if (!s->swarm.is_shared)
		return false;
	s->away_until_ms = s->now_ms + rng_octave(&s->rng, 1000, SIM_DAY_MS);
	sim_tell(s, "the shared count is away");
	return false; /* likewise: kms.c */
}

static bool
lie(struct sim *s)
{
	uint32_t i = any_host(s);

	if (!kmsdisk_is_quiet(&s->host[i]))
		return false;
	kmsdisk_lie(s, i);
	return s->host[i].is_lying;
}

static bool
backup(struct sim *s)
{
	uint32_t i = any_host(s);

	if (!kmsdisk_is_quiet(&s->host[i]))
		return false;
	if (s->host[i].has_saved && rng_below(&s->rng, 2) == 0) {
		kms_stop(s, i, rng_octave(&s->rng, MINUTE_MS, HOUR_MS));
		kmsdisk_put_back(s, i);
		return true;
	}
	kmsdisk_save(s, i);
	return false;
}

/* Its package is removed: b30. */
static bool
go(struct sim *s)
{
	static const struct life_event gone = {.kind = LIFE_GONE};
	uint32_t i = any_machine(s), p = rng_below(&s->rng, s->n_products);
	struct event back = {.kind = EV_BACK, .who = i, .what = p};
	struct pc *pc = &s->machine[i];

	if (!pc->is_up || pc_is_busy(s, pc) || !pc->has_product[p])
		return false;
	sim_tell(s, "%s: a key is gone", pc->name);
	pc_event(s, i, p, &gone);
	if (pc->product[p].todo.ask || pc->product[p].todo.has_wake)
		sim_fail(s, "b30", "%s: its key is gone, and it asks on",
		    pc->name);
	pc->has_product[p] = false;
	pc->is_gone[p] = true;
	sim_at(s, rng_octave(&s->rng, MINUTE_MS, 40 * SIM_DAY_MS), &back);
	return true;
}

static void
come_back(struct sim *s, uint32_t number, uint32_t p)
{
	struct pc *pc = &s->machine[number];

	if (!pc->is_gone[p])
		return;
	pc->is_gone[p] = false;
	pc->has_product[p] = true;
	if (!pc->is_up)
		return;
	pc_stop(s, number, -1);
	pc_start(s, number, false);
}

void
fault_back(struct sim *s, const struct event *ev)
{
	come_back(s, ev->who, ev->what);
}

/* ---- all of them ---- */

static void
plan(struct sim *s, enum point kind)
{
	const struct event ev = {.kind = EV_FAULT, .what = kind};
	int64_t mean_ms = s->swarm.mean_ms[kind];

	sim_at(s, rng_between(&s->rng, mean_ms / 2, mean_ms * 3 / 2), &ev);
}

void
fault_plan(struct sim *s)
{
	for (enum point kind = POINT_HOST_RESTART; kind <= POINT_ASK; kind++) {
		if (s->swarm.has_fault[kind])
			plan(s, kind);
	}
}

/* One product, or all of them. */
static bool
rearm(struct sim *s)
{
	return pc_rearm(s, any_machine(s),
	    rng_below(&s->rng, s->n_products + 1));
}

void
fault_event(struct sim *s, const struct event *ev)
{
	/* a kind is met when it changed something */
	static const struct {
		enum point kind;
		bool (*happen)(struct sim *s);
	} kinds[] = {
	    {POINT_HOST_RESTART, host_restart},
	    {POINT_HOST_CLOCK, host_clock},
	    {POINT_HOST_FREEZE, host_freeze},
	    {POINT_CLOCK, machine_clock},
	    {POINT_DRIFT, drift},
	    {POINT_SLEEP, fall_asleep},
	    {POINT_FREEZE, freeze},
	    {POINT_RESTART, restart},
	    {POINT_CLONE, clone},
	    {POINT_GENERALIZE, generalize},
	    {POINT_REARM, rearm},
	    {POINT_GONE, go},
	    {POINT_CATALOGUE, take_catalogue},
	    {POINT_OUTAGE, outage},
	    {POINT_PARTITION, partition},
	    {POINT_CLOG, hold_up},
	    {POINT_PAUSE, stand_still},
	    {POINT_CERTIFICATE, certificate},
	    {POINT_ROGUE, turn_rogue},
	    {POINT_AWAY, away},
	    {POINT_LIE, lie},
	    {POINT_BACKUP, backup},
	    {POINT_ASK, ask},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].kind == ev->what && kinds[i].happen(s))
			sim_hit(s, ev->what);
	}
	/* somebody impatient asks again at once */
	if (ev->what == POINT_ASK && rng_below(&s->rng, 2) == 0)
		sim_at(s, rng_below(&s->rng, 15000), ev);
	else
		plan(s, ev->what);
}

void
fault_heal(struct sim *s)
{
	sim_tell(s, "all is healed");
	s->is_healed = true;
	s->outage_until_ms = s->away_until_ms = 0;
	net_clear(s);
	for (uint32_t i = 0; i < s->n_hosts; i++) {
		struct kms *k = &s->host[i];

		k->off_s = 0;
		k->frozen_until_ms = 0;
		k->paused_until_ms = k->cut_until_ms = k->clog_until_ms = 0;
		if (k->is_up)
			kms_stop(s, i, -1); /* what it had in hand is lost */
		kms_start(s, i);
		kms_set_rogue(k, false);
		if (k->is_untimely ||
		    world_is_revoked(s, 1, k->turn.publishers[0].cert_bytes,
		        kms_unix_s(s, k)))
			world_certify(s, i, true, 0);
		else if (kms_ends_day(k) != 0)
			world_certify(s, i, false, 0);
	}
	for (uint32_t i = 0; i < s->n_machines; i++) {
		s->machine[i].drift_ppm = 0;
		pc_set_clock(s, i, 0);
		if (s->now_ms < s->machine[i].asleep_until_ms)
			pc_stop(s, i, -1);
		for (uint32_t p = 0; p < s->n_products; p++)
			come_back(s, i, p);
		pc_start(s, i, true);
	}
}
