/* SPDX-License-Identifier: MIT */
#include "sim/plan.h"

#include <string.h>

#include "sim/habit.h"
#include "sim/kms.h"
#include "sim/pc.h"
#include "sim/world.h"

#define LATENCY_MS 5
#define COMMIT_MS 8
#define GROUPS_LOOKED_AT 8 /* more than a site has */
#define HOUR_MS INT64_C(3600000)

void
plan_swarm(const struct site *site, struct swarm *w)
{
	memset(w, 0, sizeof(*w));
	w->n_hosts = site->n_hosts;
	w->n_machines = site_machines(site);
	w->latency_law = 1;
	w->latency_ms = LATENCY_MS;
	w->commit_ms = COMMIT_MS;
	w->span_ms = site->days * SIM_DAY_MS;
	w->is_shared = site->is_shared;
	for (uint32_t k = 0; k < SIM_CATALOGUES; k++) {
		w->signed_ms[k] = SIM_BEGIN_MS - SIM_DAY_MS;
		for (uint32_t p = 0; p < site->n_products; p++)
			w->threshold[k][p] = site->product[p].threshold;
	}
	for (uint32_t p = 0; p < site->n_products; p++) {
		if (site->product[p].group >= w->n_groups)
			w->n_groups = site->product[p].group + 1;
	}
	w->renewal_min = site->renewal_min;
	w->retry_min = site->retry_min;
	w->retention_days = STORE_RETENTION_DAYS;
	w->idle_ms = SIM_DAY_MS;
}

void
plan_product(const struct site *site, uint32_t product, struct cat_product *out)
{
	const struct site_product *p = &site->product[product];

	out->group = p->group;
	out->validity_days = p->validity_days;
	out->initial_grace_days = p->initial_days;
	out->lapse_grace_days = p->lapse_days;
	memcpy(out->name, p->name, sizeof(p->name));
}

void
plan_zone(struct sim *s)
{
	struct zone *z = &s->zone[0];

	for (uint32_t i = 0; i < s->site->n_hosts; i++) {
		char name[WORLD_HOST_MAX];

		z->srv[i] = (struct zone_srv){.host = i,
		    .priority = s->site->host[i].priority,
		    .weight = s->site->host[i].weight};
		z->read[i] = (struct dns_srv){.priority = z->srv[i].priority,
		    .weight = z->srv[i].weight,
		    .port = WORLD_PORT};
		world_host(i, name);
		*strchr(name, ':') = '\0';
		if (dns_name_parse(name, &z->read[i].target) != 0)
			sim_fail(s, "sim", "%s is no name", name);
		z->n++;
	}
}

/* ---- machines ---- */

static const struct site_class *
class_of(const struct sim *s, const struct pc *pc)
{
	return &s->site->class[pc->watched.class];
}

/* Those of a class follow each other. */
void
plan_machine(struct sim *s, uint32_t number)
{
	struct pc *pc = &s->machine[number];
	uint32_t at = number;

	pc->key = rng_u64(&s->rng);
	while (at >= s->site->class[pc->watched.class].count)
		at -= s->site->class[pc->watched.class ++].count;
	pc->has_product[class_of(s, pc)->product] = true;
	pc->is_caching = s->site->is_caching;
	pc->n_domains = 1;
}

static int64_t
site_ms(const struct sim *s)
{
	return s->now_ms - SIM_BEGIN_MS;
}

bool
plan_is_late(struct sim *s, const struct event *ev)
{
	const struct pc *pc = &s->machine[ev->who];
	int64_t next_ms;

	/* what was begun is ended, and a wake that no longer counts is not one
	 * to be put off */
	if (ev->kind != EV_UP &&
	    (ev->kind != EV_WAKE || pc->product[ev->what].wake != ev->tag))
		return false;
	next_ms = habit_next_ms(s->site, class_of(s, pc), pc->key, site_ms(s));
	if (next_ms == site_ms(s))
		return false;
	if (next_ms != INT64_MAX)
		sim_at(s, next_ms - site_ms(s), ev);
	return true;
}

bool
plan_is_here(const struct sim *s, const struct pc *pc)
{
	const struct site_class *c = class_of(s, pc);

	/* a round that goes on for a moment after it was to be off is ended where
	 * it was begun */
	return c->away.every_days == 0 ||
	    !habit_is_away(c, pc->key, site_ms(s));
}

void
plan_watch(struct sim *s, uint32_t number, uint32_t product)
{
	struct pc *pc = &s->machine[number];
	const struct life_todo *todo = &pc->product[product].todo;
	const struct watch_change change = {.was_licensed =
	                                        todo->before == WIRE_LICENSED,
	    .is_licensed = todo->after == WIRE_LICENSED,
	    .is_notified = todo->after == WIRE_NOTIFICATION,
	    .at_s = sim_site_s(s)};

	if (todo->before != todo->after)
		watch_licence(s->watch, s->site, &pc->watched, &change);
}

void
plan_answered(struct sim *s, struct pc *pc, const struct reply *reply)
{
	watch_answer(s->watch, s->site, &pc->watched, reply->count);
	watch_round(s->watch, &pc->watched, true);
}

void
plan_unanswered(struct sim *s, struct pc *pc)
{
	if (plan_is_here(s, pc))
		watch_round(s->watch, &pc->watched, false);
}

/* ---- hosts, and the counts ---- */

#define DATABASE SITE_HOSTS_MAX /* whose outage it is, where no host's */

static const struct site_outage *
outage_of(const struct sim *s, uint32_t who)
{
	return who == DATABASE ? &s->site->database
	                       : &s->site->host[who].outage;
}

/* The next one, from when it is up again. */
static void
plan_outage(struct sim *s, uint32_t who, int64_t up_in_ms)
{
	const struct event down = {.kind = EV_DOWN, .who = who};
	int64_t mean_ms = outage_of(s, who)->every_days * SIM_DAY_MS;

	if (mean_ms != 0)
		sim_at(s,
		    up_in_ms +
		        rng_between(&s->rng, mean_ms / 2, mean_ms * 3 / 2),
		    &down);
}

/* Those under way get no answer, and time out (round.c). */
static void
end_exchanges(struct sim *s, uint32_t host)
{
	for (uint32_t i = 0; i < s->n_machines; i++) {
		for (uint32_t p = 0; p < s->n_products; p++) {
			const struct pc_product *pp = &s->machine[i].product[p];
			const struct event timeout = {.kind = EV_TIMEOUT,
			    .who = i,
			    .what = p,
			    .tag = pp->call};

			if (pp->is_open && pp->target == host)
				sim_at(s, ASKING_MS, &timeout);
		}
	}
}

static void
begin_outage(struct sim *s, uint32_t who)
{
	int64_t mean_ms = outage_of(s, who)->hours * HOUR_MS;
	int64_t ms = rng_between(&s->rng, mean_ms / 2, mean_ms * 3 / 2);
	int64_t left_ms = s->swarm.span_ms - site_ms(s);
	/* what lies behind the end of the plan is not of it */
	uint32_t down_s = (uint32_t)((ms < left_ms ? ms : left_ms) / 1000);

	if (who == DATABASE) {
		s->away_until_ms = s->now_ms + ms;
		s->watch->database_down_s += down_s;
	} else if (s->host[who].is_up) {
		end_exchanges(s, who);
		kms_stop(s, who, ms);
		s->watch->host[who].down_s += down_s;
	}
	plan_outage(s, who, ms);
}

static void
sample(struct sim *s)
{
	const struct event again = {.kind = EV_SAMPLE};
	struct store_group group[GROUPS_LOOKED_AT];
	size_t n = 0;

	for (uint32_t i = 0; i < s->n_hosts; i++) {
		const struct kms *k = &s->host[i];
		int err = store_groups(k->store, kms_unix_s(s, k), group,
		    GROUPS_LOOKED_AT, &n);

		if (err != 0)
			sim_fail(s, "store", "%s", muster_errname(err));
		for (size_t g = 0; g < n && k->home == i; g++)
			watch_count(s->watch, s->site, i, group[g].group,
			    group[g].count, sim_site_s(s));
	}
	sim_at(s, WATCH_SAMPLE_MS, &again);
}

void
plan_event(struct sim *s, const struct event *ev)
{
	if (ev->kind == EV_SAMPLE)
		sample(s);
	else
		begin_outage(s, ev->who);
}

void
plan_begin(struct sim *s)
{
	const struct event look = {.kind = EV_SAMPLE};

	for (uint32_t i = 0; i < s->swarm.n_machines; i++) {
		const struct event up = {.kind = EV_UP, .who = pc_add(s)};
		const struct site_class *c = class_of(s, &s->machine[up.who]);

		int64_t over_ms =
		    c->arrive_days == 0 ? HOUR_MS : c->arrive_days * SIM_DAY_MS;

		sim_at(s, rng_between(&s->rng, 0, over_ms - 1), &up);
	}
	for (uint32_t i = 0; i < s->n_hosts; i++)
		plan_outage(s, i, 0);
	plan_outage(s, DATABASE, 0);
	sim_at(s, 0, &look);
}
