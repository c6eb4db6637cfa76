/* SPDX-License-Identifier: MIT */
#include "sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/check.h"
#include "sim/fault.h"
#include "sim/kms.h"
#include "sim/net.h"
#include "sim/pc.h"
#include "sim/plan.h"
#include "sim/round.h"
#include "sim/world.h"

#define CHECK_ALL_STEPS 16 /* per machine, between two looks at all */

struct sim *
sim_new(uint32_t machines_max, bool has_disks)
{
	struct sim *s = calloc(1, sizeof(*s));
	struct sim_memory *m;
	bool is_good;

	if (s == NULL)
		return NULL;
	m = &s->memory;
	m->machines_max = machines_max;
	m->events_max = QUEUE_LEAST + machines_max * QUEUE_PER_MACHINE;
	m->machine = calloc(machines_max, sizeof(*m->machine));
	if (has_disks)
		m->disk = calloc(machines_max, sizeof(*m->disk));
	m->round = calloc(SIM_ROUNDS_MAX, sizeof(*m->round));
	m->touched = calloc(machines_max, sizeof(*m->touched));
	m->heap = calloc(m->events_max, sizeof(*m->heap));
	m->ledger = calloc(SIM_LEDGER_MAX, sizeof(*m->ledger));
	m->cat = calloc(SIM_CATALOGUES, sizeof(*m->cat));
	is_good = m->machine != NULL && m->touched != NULL && m->heap != NULL &&
	    m->cat != NULL && m->ledger != NULL && m->round != NULL &&
	    (m->disk != NULL || !has_disks);
	m->spare = calloc(1, sizeof(*m->spare));
	is_good &= m->spare != NULL;
	for (uint32_t i = 0; i < SIM_HOSTS_MAX; i++) {
		m->model[i] = calloc(1, sizeof(*m->model[i]));
		is_good &= m->model[i] != NULL;
		if (!has_disks)
			continue;
		m->saved[i] = calloc(1, sizeof(*m->saved[i]));
		m->lied[i] = calloc(1, sizeof(*m->lied[i]));
		is_good &= m->saved[i] != NULL && m->lied[i] != NULL;
	}
	if (is_good)
		return s;
	sim_free(s);
	return NULL;
}

void
sim_free(struct sim *s)
{
	if (s == NULL)
		return;
	for (uint32_t i = 0; i < SIM_HOSTS_MAX; i++) {
		free(s->memory.model[i]);
		free(s->memory.saved[i]);
		free(s->memory.lied[i]);
	}
	free(s->memory.spare);
	free(s->memory.ledger);
	free(s->memory.cat);
	free(s->memory.disk);
	free(s->memory.round);
	free(s->memory.heap);
	free(s->memory.touched);
	free(s->memory.machine);
	free(s);
}

void
sim_touch(struct sim *s, uint32_t machine)
{
	struct pc *pc = &s->machine[machine];

	if (s->site != NULL)
		return;
	if (!pc->is_touched)
		s->touched[s->n_touched++] = machine;
	pc->is_touched = true;
}

uint64_t
sim_lived_ms(const struct sim *s)
{
	uint64_t ms = 0;

	for (uint32_t i = 0; i < s->n_machines; i++)
		ms += (uint64_t)(s->now_ms - s->machine[i].since_ms);
	return ms;
}

void
sim_hit(struct sim *s, enum point point)
{
	if (s->points != NULL)
		s->points->n[point]++;
}

void
sim_tell(struct sim *s, const char *fmt, ...)
{
	va_list args;

	if (s->site != NULL)
		return;
	va_start(args, fmt);
	trace_line(&s->trace, s->step, s->now_ms - SIM_BEGIN_MS, fmt, args);
	va_end(args);
}

void
sim_fail(struct sim *s, const char *invariant, const char *fmt, ...)
{
	va_list args;

	if (s->has_failed)
		return;
	s->has_failed = true;
	s->invariant = invariant;
	va_start(args, fmt);
	(void)vsnprintf(s->why, sizeof(s->why), fmt, args);
	va_end(args);
}

void
sim_at(struct sim *s, int64_t delay_ms, const struct event *ev)
{
	struct event at = *ev;

	at.at_ms = s->now_ms + delay_ms;
	if (!queue_put(&s->queue, &at))
		sim_fail(s, "sim", "more events than there is room for");
}

bool
sim_draws(struct sim *s, enum point kind)
{
	return !s->is_healed && s->swarm.has_fault[kind] &&
	    rng_chance(&s->rng, s->swarm.ppm[kind]);
}

bool
sim_faulty(struct sim *s, enum point kind)
{
	bool is_faulty = sim_draws(s, kind);

	if (is_faulty)
		sim_hit(s, kind);
	return is_faulty;
}

/* What a host that stands still, or a machine that sleeps, will find when it
 * goes on: until then, or 0. */
static int64_t
held_until_ms(struct sim *s, const struct event *ev)
{
	const struct msg *m = &s->msg[ev->what % SIM_MSGS_MAX];
	int64_t until_ms = 0;
	enum point point = POINT_PAUSE;

	switch (ev->kind) {
	case EV_TO_HOST:
		until_ms = s->host[m->host].paused_until_ms;
		break;
	case EV_SUBMIT:
	case EV_COMMIT:
	case EV_SIGN:
	case EV_IDLE:
		until_ms = s->host[ev->who].paused_until_ms;
		break;
	case EV_TO_MACHINE:
		until_ms = s->machine[m->machine].asleep_until_ms;
		point = POINT_SLEEP;
		break;
	case EV_WAKE:
	case EV_TIMEOUT:
	case EV_LOOKED_UP:
	case EV_PLACE:
		until_ms = s->machine[ev->who].asleep_until_ms;
		point = POINT_SLEEP;
		break;
	case EV_HOST_UP:
	case EV_UP:
	case EV_THAW:
	case EV_BACK:
	case EV_FAULT:
	case EV_SAMPLE:
	case EV_DOWN:
		break;
	}
	if (until_ms <= ev->at_ms)
		return 0;
	sim_hit(s, point);
	return until_ms;
}

/* A run that has no room left would look at less than it seems to. */
static bool
is_full(const struct sim *s)
{
	bool any = false;

	for (uint32_t i = 0; i < s->n_hosts; i++)
		any |= s->host[i].model->is_full;
	return any;
}

static void
step(struct sim *s, const struct event *ev)
{
	int64_t until_ms = held_until_ms(s, ev);

	s->now_ms = ev->at_ms;
	if (until_ms != 0) {
		sim_at(s, until_ms - s->now_ms, ev);
		return;
	}
	s->step++;
	switch (ev->kind) {
	case EV_WAKE:
	case EV_TIMEOUT:
	case EV_LOOKED_UP:
	case EV_PLACE:
	case EV_UP:
	case EV_THAW:
		pc_clock_event(s, ev);
		break;
	case EV_TO_HOST:
	case EV_TO_MACHINE:
		net_arrive(s, ev);
		break;
	case EV_SUBMIT:
	case EV_COMMIT:
	case EV_SIGN:
	case EV_IDLE:
	case EV_HOST_UP:
		kms_event(s, ev);
		break;
	case EV_BACK:
		fault_back(s, ev);
		break;
	case EV_FAULT:
		if (!s->is_healed)
			fault_event(s, ev);
		break;
	case EV_SAMPLE:
	case EV_DOWN:
		plan_event(s, ev);
		break;
	}
	if (s->site != NULL)
		return;
	/* a story may send more requests than a run keeps nonces of */
	if (s->points != NULL && is_full(s))
		sim_fail(s, "room",
		    "requests, clients or nonces are more than a run keeps");
	if (s->step % (CHECK_ALL_STEPS * (s->n_machines + 1)) == 0)
		check_all(s);
	else
		check_step(s);
}

static void
random_part(struct sim *s)
{
	int64_t end_ms = SIM_BEGIN_MS + s->swarm.span_ms;
	struct event ev;

	fault_plan(s);
	while (!s->has_failed && s->step < s->swarm.steps_max &&
	    queue_next_ms(&s->queue) < end_ms && queue_take(&s->queue, &ev))
		step(s, &ev);
}

/* Nobody who is up and asks is left without an answer: I7. */
static uint32_t
unanswered(const struct sim *s, const char **name_out)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n_machines; i++) {
		const struct pc *pc = &s->machine[i];

		for (uint32_t p = 0; p < SIM_PRODUCTS; p++) {
			if (pc->has_product[p] && !pc->product[p].is_answered) {
				*name_out = pc->name;
				n++;
			}
		}
	}
	return n;
}

/*
 * The next contact is due after the longest interval that a machine may have
 * been told, and a retry after that; one hour is for rounds and starts.
 */
static void
healed_part(struct sim *s)
{
	const struct swarm *w = &s->swarm;
	int64_t min = w->renewal_min > LIFE_RENEWAL_MIN ? w->renewal_min
	                                                : LIFE_RENEWAL_MIN;
	int64_t end_ms;
	const char *name = "";
	struct event ev;

	fault_heal(s);
	check_all(s);
	end_ms = s->now_ms + (min + w->retry_min + LIFE_RETRY_MIN + 60) * 60000;
	while (!s->has_failed && unanswered(s, &name) > 0) {
		if (queue_next_ms(&s->queue) > end_ms ||
		    !queue_take(&s->queue, &ev)) {
			sim_fail(s, "I7", "%s is left without an answer", name);
			return;
		}
		step(s, &ev);
	}
	check_all(s);
}

static void
begin_machines(struct sim *s)
{
	for (uint32_t i = 0; i < s->swarm.n_machines; i++) {
		const struct event up = {.kind = EV_UP, .who = pc_add(s)};

		/* all at once, or one by one over a tenth of the time */
		sim_at(s,
		    rng_below(&s->rng, 2) == 0
		        ? 0
		        : rng_between(&s->rng, 0, s->swarm.span_ms / 10),
		    &up);
	}
}

/* All but the memory, which each run fills anew. */
static void
clear(struct sim *s, const struct sim_order *order, struct points *points)
{
	struct sim_memory memory = s->memory;

	memset(s, 0, sizeof(*s));
	s->memory = memory;
	s->cat = memory.cat;
	s->machine = memory.machine;
	s->ledger = memory.ledger;
	s->round = memory.round;
	s->touched = memory.touched;
	queue_init(&s->queue, memory.heap, memory.events_max);
	for (uint32_t i = 0; i < SIM_HOSTS_MAX; i++)
		s->host[i].model = memory.model[i];
	s->seed = s->rng.state = order->seed;
	s->points = points;
	s->now_ms = SIM_BEGIN_MS;
	trace_init(&s->trace, order->is_loud);
}

/* A run that is cut down draws what the whole one does. */
static void
cut(struct swarm *w, const struct sim_order *order)
{
	for (uint32_t i = 0; i < POINTS_N_FAULTS; i++)
		w->has_fault[i] &= (order->without >> i & 1) == 0;
	if (order->machines != 0 && order->machines < w->n_machines)
		w->n_machines = order->machines;
	if (order->steps != 0 && order->steps < w->steps_max)
		w->steps_max = order->steps;
}

static void
add_stats(struct sim *s)
{
	for (uint32_t i = 0; i < s->n_hosts; i++) {
		const struct model_stats *st = &s->host[i].model->stats;

		s->points->n[POINT_EVICTED] += st->evicted;
		s->points->n[POINT_REPAIRED] += st->repaired;
		s->points->n[POINT_CLEANED] += st->cleaned;
		s->points->n[POINT_FORGOTTEN] += st->forgotten;
	}
}

void
sim_run(struct sim *s, const struct sim_order *order, struct points *points)
{
	int err;

	clear(s, order, points);
	s->n_products = WORLD_PRODUCTS;
	world_draw(&s->rng, &s->swarm);
	cut(&s->swarm, order);
	err = world_init(s);
	if (err != 0)
		sim_fail(s, "sim", "no world: %s", muster_errname(err));
	if (!s->has_failed) {
		begin_machines(s);
		random_part(s);
	}
	if (!s->has_failed)
		healed_part(s);
	add_stats(s);
	world_deinit(s);
}

uint32_t
sim_site_s(const struct sim *s)
{
	return (uint32_t)((s->now_ms - SIM_BEGIN_MS) / 1000);
}

void
sim_run_site(struct sim *s, const struct site *site, uint64_t seed,
    struct watch *watch)
{
	const struct sim_order order = {.seed = seed};
	struct event ev;
	int err;

	clear(s, &order, NULL);
	s->site = site;
	s->watch = watch;
	s->n_products = site->n_products;
	watch_init(watch);
	plan_swarm(site, &s->swarm);
	err = world_init(s);
	if (err != 0)
		sim_fail(s, "sim", "no world: %s", muster_errname(err));
	else
		plan_begin(s);
	while (!s->has_failed &&
	    queue_next_ms(&s->queue) < SIM_BEGIN_MS + s->swarm.span_ms &&
	    queue_take(&s->queue, &ev))
		step(s, &ev);
	world_deinit(s);
}

void
sim_begin_story(struct sim *s, const struct swarm *swarm)
{
	const struct sim_order order = {.seed = 1};
	int err;

	clear(s, &order, NULL);
	s->n_products = WORLD_PRODUCTS;
	s->swarm = *swarm;
	err = world_init(s);
	if (err != 0)
		sim_fail(s, "sim", "no world: %s", muster_errname(err));
}

void
sim_run_for(struct sim *s, int64_t ms)
{
	int64_t end_ms = s->now_ms + ms;
	struct event ev;

	while (!s->has_failed && queue_next_ms(&s->queue) <= end_ms &&
	    queue_take(&s->queue, &ev))
		step(s, &ev);
	s->now_ms = end_ms;
	check_all(s);
}

void
sim_end_story(struct sim *s)
{
	world_deinit(s);
}
