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

static void
host_restart(struct sim *s)
{
	uint32_t i = any_host(s);

	if (s->host[i].is_up)
		kms_stop(s, i, rng_octave(&s->rng, 500, 2 * SIM_DAY_MS));
}

static void
host_clock(struct sim *s)
{
	uint32_t i = any_host(s);

	s->host[i].off_s = draw_off_s(s);
	s->touched_hosts |= 1U << i;
	/* b11: the clock of a shared count is one */
	for (uint32_t j = 0; j < s->n_hosts && s->swarm.is_shared; j++)
		s->host[j].off_s = s->host[i].off_s;
	sim_tell(s, "kms-%u: its clock is %lld s off", i,
	    (long long)s->host[i].off_s);
}

void
fault_clock(struct sim *s, uint32_t number)
{
	pc_set_clock(s, number, draw_off_s(s));
}

/* Now and then all of them, as when somebody sets the time of a site. */
static void
machine_clock(struct sim *s)
{
	int64_t off_s = draw_off_s(s);

	if (rng_below(&s->rng, 6) != 0) {
		fault_clock(s, any_machine(s));
		return;
	}
	for (uint32_t i = 0; i < s->n_machines; i++)
		pc_set_clock(s, i, off_s);
	for (uint32_t i = 0; i < s->n_hosts; i++)
		s->host[i].off_s = off_s;
	s->touched_hosts = UINT32_MAX;
}

static void
freeze(struct sim *s)
{
	uint32_t i = any_machine(s);
	const struct event thaw = {.kind = EV_THAW, .who = i};

	if (s->machine[i].is_frozen)
		return;
	pc_freeze(s, i);
	sim_at(s, rng_octave(&s->rng, HOUR_MS, 40 * SIM_DAY_MS), &thaw);
}

/* The agent, the machine, or the power of the whole building. */
static void
restart(struct sim *s)
{
	uint32_t i = any_machine(s);

	switch (rng_below(&s->rng, 4)) {
	case 0:
		sim_tell(s, "the power of all machines fails");
		for (i = 0; i < s->n_machines; i++)
			pc_stop(s, i, 10 * MINUTE_MS);
		break;
	case 1:
		if (!s->machine[i].is_up)
			break;
		pc_stop(s, i, -1);
		pc_start(s, i, false);
		break;
	default:
		if (s->machine[i].is_up)
			pc_stop(s, i,
			    rng_octave(&s->rng, MINUTE_MS, 20 * SIM_DAY_MS));
		break;
	}
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

static void
clone(struct sim *s)
{
	uint32_t from = any_machine(s), to;
	struct pc *pc;

	if (s->n_machines == s->memory.machines_max)
		return;
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
	sim_hit(s, POINT_CLONE);
	sim_tell(s, "%s: a clone of %s", pc->name, s->machine[from].name);
	pc_start(s, to, true);
}

static void
generalize(struct sim *s)
{
	uint32_t from = any_machine(s);
	const struct pc *pc = &s->machine[from];
	uint32_t to;

	if (!pc->is_up || pc_is_busy(pc) ||
	    s->n_machines == s->memory.machines_max)
		return;
	sim_hit(s, POINT_GENERALIZE);
	pc_generalize(s, from);
	to = copy(s, from);
	pc_start(s, from, true);
	pc_start(s, to, true);
}

static void
take_catalogue(struct sim *s)
{
	bool is_all = rng_below(&s->rng, 4) == 0;

	if (s->now_ms < s->swarm.signed_ms[1])
		return;
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
			pc_take_catalogue(s, i, 1);
	}
}

static void
outage(struct sim *s)
{
	int64_t ms = rng_octave(&s->rng, HOUR_MS, 80 * SIM_DAY_MS);

	s->outage_until_ms = s->now_ms + ms;
	sim_tell(s, "no network for %lld s", (long long)(ms / 1000));
}

static void
ask(struct sim *s)
{
	bool is_all = rng_below(&s->rng, 2) == 0;
	uint32_t one = any_machine(s);
	const struct life_event ev = {.kind = LIFE_ASK};

	sim_tell(s, "%s asked to activate",
	    is_all ? "all are" : s->machine[one].name);
	for (uint32_t i = 0; i < s->n_machines; i++) {
		for (uint32_t p = 0; p < SIM_PRODUCTS; p++) {
			struct pc *pc = &s->machine[i];

			if (!pc->is_up || !pc->has_product[p] ||
			    (!is_all && i != one))
				continue;
			pc_event(s, i, p, &ev);
			if (pc->product[p].todo.is_early)
				sim_hit(s, POINT_EARLY);
		}
	}
}

/* One host and all machines, or every second one; one way, or both. */
static void
partition(struct sim *s)
{
	uint32_t i = any_host(s);
	struct kms *k = &s->host[i];

	k->cut_ways = 1 + rng_below(&s->rng, 3);
	k->is_cut_odd = rng_below(&s->rng, 2) == 0;
	k->cut_until_ms =
	    s->now_ms + rng_octave(&s->rng, HOUR_MS, 20 * SIM_DAY_MS);
	sim_tell(s, "kms-%u: cut off, way %u", i, k->cut_ways);
}

static void
hold_up(struct sim *s)
{
	uint32_t i = any_host(s);

	s->host[i].clog_until_ms =
	    s->now_ms + rng_octave(&s->rng, 1000, 12 * HOUR_MS);
	sim_tell(s, "kms-%u: its messages are held up", i);
}

static void
stand_still(struct sim *s)
{
	uint32_t i = any_host(s);

	s->host[i].paused_until_ms =
	    s->now_ms + rng_octave(&s->rng, 1, HOUR_MS);
	sim_tell(s, "kms-%u: stands still", i);
}

/* musterd takes a certificate up between two batches only. */
static void
certificate(struct sim *s)
{
	uint32_t i = any_host(s);
	const struct kms *k = &s->host[i];
	bool is_rebuilt = rng_below(&s->rng, 2) == 0;
	uint32_t days = rng_below(&s->rng, 60);

	if (k->is_flying || k->next.n > 0 ||
	    k->turn.publishers[0].cert.activation >= ACTIVATIONS_MAX)
		return;
	sim_hit(s, POINT_CERTIFICATE);
	world_certify(s, i, is_rebuilt, days);
	sim_tell(s, "kms-%u: a certificate for %u days, %s key", i, days,
	    is_rebuilt ? "another" : "the same");
}

static void
away(struct sim *s)
{
	if (!s->swarm.is_shared)
		return;
	sim_hit(s, POINT_AWAY);
	s->away_until_ms = s->now_ms + rng_octave(&s->rng, 1000, SIM_DAY_MS);
	sim_tell(s, "the shared count is away");
}

static void
lie(struct sim *s)
{
	kmsdisk_lie(s, any_host(s));
}

static void
backup(struct sim *s)
{
	uint32_t i = any_host(s);

	if (!kmsdisk_backup(s, i))
		return;
	kms_stop(s, i, rng_octave(&s->rng, MINUTE_MS, HOUR_MS));
	kmsdisk_put_back(s, i);
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

void
fault_event(struct sim *s, const struct event *ev)
{
	static const struct {
		enum point kind;
		void (*happen)(struct sim *s);
		bool is_point; /* met whenever it is called */
	} kinds[] = {
	    {POINT_HOST_RESTART, host_restart, true},
	    {POINT_HOST_CLOCK, host_clock, true},
	    {POINT_CLOCK, machine_clock, true},
	    {POINT_FREEZE, freeze, true},
	    {POINT_RESTART, restart, true},
	    {POINT_CLONE, clone, false},
	    {POINT_GENERALIZE, generalize, false},
	    {POINT_CATALOGUE, take_catalogue, false},
	    {POINT_OUTAGE, outage, true},
	    {POINT_PARTITION, partition, true},
	    {POINT_CLOG, hold_up, true},
	    {POINT_PAUSE, stand_still, true},
	    {POINT_CERTIFICATE, certificate, false},
	    {POINT_AWAY, away, false},
	    {POINT_LIE, lie, false},
	    {POINT_BACKUP, backup, false},
	    {POINT_ASK, ask, true},
	};

	if (ev->what == POINT_REARM)
		pc_rearm(s, any_machine(s),
		    rng_below(&s->rng, s->n_products + 1));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].kind != ev->what)
			continue;
		if (kinds[i].is_point)
			sim_hit(s, kinds[i].kind);
		kinds[i].happen(s);
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
		k->paused_until_ms = k->cut_until_ms = k->clog_until_ms = 0;
		if (k->is_up)
			kms_stop(s, i, -1); /* what it had in hand is lost */
		kms_start(s, i);
		if (kms_ends_day(k) != 0)
			world_certify(s, i, false, 0);
	}
	for (uint32_t i = 0; i < s->n_machines; i++) {
		pc_set_clock(s, i, 0);
		pc_start(s, i, true);
	}
}
