/* SPDX-License-Identifier: MIT */
#include "sim/check.h"

#include <string.h>

#include "sim/disk.h"
#include "sim/kms.h"
#include "sim/pc.h"

#define DAY_S INT64_C(86400)
#define TOLERANCE_S INT64_C(14400)

/* ---- hosts ---- */

struct table {
	struct sim *s;
	uint32_t number, n;
};

static void
check_client(void *arg, const struct store_client *c)
{
	struct table *t = arg;
	struct model *m = t->s->host[t->number].model;

	t->n++;
	if (!model_has_arrived(m, c->product, c->cmid))
		sim_fail(t->s, "I2", "kms-%u: nobody sent a client of %s",
		    t->number, c->name);
	else if (model_client(m, c->product, c->cmid) == NULL)
		sim_fail(t->s, "I3", "kms-%u: a client of %s is one too many",
		    t->number, c->name);
}

struct search {
	const struct model_client *who;
	bool is_found;
};

static void
match(void *arg, const struct store_client *c)
{
	struct search *f = arg;

	f->is_found |= memcmp(c->cmid, f->who->cmid, MODEL_ID) == 0 &&
	    memcmp(c->product, f->who->product, MODEL_ID) == 0;
}

/* Rows equal in number, and each is there: nobody is missing. */
static void
check_inventory(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];
	struct table t = {.s = s, .number = number};
	int err = store_clients(k->store, check_client, &t);

	if (err != 0)
		sim_fail(s, "store", "kms-%u: %s", number, muster_errname(err));
	if (s->has_failed || t.n == k->model->n_clients)
		return;
	for (uint32_t i = 0; i < k->model->n_clients; i++) {
		struct search f = {.who = &k->model->client[i]};

		if (store_clients(k->store, match, &f) == 0 && !f.is_found)
			sim_fail(s, f.who->is_acked ? "I1" : "I3",
			    "kms-%u: %s client is gone", number,
			    f.who->is_acked ? "an acknowledged" : "a");
	}
}

static void
check_cache(struct sim *s, uint32_t number, uint32_t group)
{
	struct kms *k = &s->host[number];
	const struct model_group *g = &k->model->group[group];
	struct count_row row[MODEL_ROWS_MAX];
	size_t n = 0;
	int err = store_cached(k->store, s->publisher, group, row,
	    MODEL_ROWS_MAX, &n);

	if (err != 0)
		sim_fail(s, "store", "kms-%u: %s", number, muster_errname(err));
	for (size_t i = 0; i < n; i++) {
		if (!model_has_arrived(k->model, NULL, row[i].cmid))
			sim_fail(s, "I2",
			    "kms-%u: nobody sent a CMID of group "
			    "%u",
			    number, group);
		for (size_t j = 0; j < i; j++) {
			if (memcmp(row[i].cmid, row[j].cmid, MODEL_ID) == 0)
				sim_fail(s, "I3",
				    "kms-%u: a CMID stands twice "
				    "in group %u",
				    number, group);
		}
	}
	if (n != g->n)
		sim_fail(s, "I3", "kms-%u: group %u holds %zu, the model %u",
		    number, group, n, g->n);
	/* the cache begins with the newest, the model with the oldest */
	for (size_t i = 0; i < n && !s->has_failed; i++) {
		const struct model_row *want = &g->row[n - 1 - i];

		if (memcmp(row[i].cmid, want->cmid, MODEL_ID) != 0 ||
		    row[i].seen_unix_s != want->seen_unix_s)
			sim_fail(s, "I3",
			    "kms-%u: record %zu of group %u is "
			    "not the model's",
			    number, i, group);
	}
}

static void
count_client(void *arg, const struct store_client *c)
{
	(void)c;
	(*(uint32_t *)arg)++;
}

bool
check_is_model(struct sim *s, uint32_t number, const struct model *m)
{
	struct kms *k = &s->host[number];
	struct count_row row[MODEL_ROWS_MAX];
	uint32_t n_clients = 0;
	size_t n;

	if (store_clients(k->store, count_client, &n_clients) != 0 ||
	    n_clients != m->n_clients)
		return false;
	for (uint32_t g = 0; g < s->swarm.n_groups; g++) {
		const struct model_group *group = &m->group[g];

		if (store_cached(k->store, s->publisher, g, row, MODEL_ROWS_MAX,
		        &n) != 0 ||
		    n != group->n)
			return false;
		for (size_t i = 0; i < n; i++) {
			const struct model_row *want = &group->row[n - 1 - i];

			if (memcmp(row[i].cmid, want->cmid, MODEL_ID) != 0 ||
			    row[i].seen_unix_s != want->seen_unix_s)
				return false;
		}
	}
	return true;
}

static void
check_host(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];

	/* a look at SQLite costs more than a step */
	if (k->store == NULL ||
	    (k->disk != NULL && !k->is_fresh && !s->is_looking_at_all))
		return;
	k->is_fresh = false;
	check_inventory(s, number);
	for (uint32_t g = 0; g < s->swarm.n_groups && !s->has_failed; g++) {
		check_cache(s, number, g);
		for (uint32_t i = 0; i < k->model->group[g].n; i++) {
			if (kms_unix_s(s, k) -
			        k->model->group[g].row[i].seen_unix_s >=
			    30 * DAY_S)
				sim_hit(s, POINT_AGED);
		}
	}
}

/* ---- leases ---- */

static bool
is_of(const struct entry *e, const struct lease *lease)
{
	return e->raw_len == lease->args_len &&
	    e->count == lease->grant.count &&
	    e->issued_unix_s == lease->grant.issued_unix_s &&
	    memcmp(e->raw, lease->args, e->raw_len) == 0;
}

/* Its place in the ledger plus one, or 0; the first of equal ones, which a
 * request that came twice makes. */
static uint32_t
find(const struct sim *s, const struct lease *lease)
{
	for (uint32_t i = 0; i < s->n_entries; i++) {
		if (is_of(&s->ledger[i], lease))
			return i + 1;
	}
	return 0;
}

void
check_nonce(struct sim *s, uint32_t number, const struct request *request)
{
	const uint8_t *nonce = request->args_bytes + 32;
	uint64_t key;
	uint32_t i;

	memcpy(&key, nonce, sizeof(key));
	key |= 1; /* 0: an empty place */
	for (i = (uint32_t)(key >> 1) % SIM_NONCES; s->nonce[i] != 0;
	     i = (i + 1) % SIM_NONCES) {
		if (s->nonce[i] == key)
			sim_fail(s, "I5", "%s: sends a nonce again",
			    s->machine[number].name);
	}
	s->nonce[i] = key;
	if (++s->n_nonces == SIM_NONCES / 2)
		s->host[0].model->is_full = true;
}

void
check_reply(struct sim *s, const struct msg *m, const struct reply *reply)
{
	uint32_t at = find(s, &reply->lease);
	const struct pc *pc = &s->machine[m->machine];
	const uint8_t *p = reply->lease.certificate + 16; /* expires */
	struct model_client *c;
	struct entry *e;
	uint32_t ends_day;

	if (at == 0) {
		sim_fail(s, "I4", "%s: took a reply that no host committed",
		    pc->name);
		return;
	}
	e = &s->ledger[at - 1];
	for (uint32_t i = 0; i < s->n_entries; i++) {
		const struct entry *o = &s->ledger[i];

		if (o->is_received && o->raw_len == e->raw_len &&
		    memcmp(o->raw, e->raw, e->raw_len) == 0)
			sim_fail(s, "I5", "%s: took two replies to one request",
			    pc->name);
	}
	e->is_received = true;
	e->received_ms = s->now_ms;
	e->received_off_s = pc_unix_s(s, pc) - s->now_ms / 1000;
	ends_day = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
	if (ends_day != 0 && e->issued_unix_s >= ends_day * DAY_S)
		sim_fail(s, "I6",
		    "%s: took a reply under a certificate that "
		    "had ended",
		    pc->name);
	if (e->issued_unix_s > pc_unix_s(s, pc) + TOLERANCE_S ||
	    e->issued_unix_s < pc_unix_s(s, pc) - TOLERANCE_S)
		sim_fail(s, "b34", "%s: took a reply of %lld at %lld", pc->name,
		    (long long)e->issued_unix_s, (long long)pc_unix_s(s, pc));
	c = model_client(s->host[e->host].model, e->request.product,
	    e->request.cmid);
	if (c != NULL) /* else its retention is over already */
		c->is_acked = true;
	s->touched_hosts |= 1U << e->host;
}

/* ---- machines ---- */

static void
check_time(struct sim *s, const struct pc *pc, const struct pc_product *pp,
    const struct entry *e)
{
	int64_t validity_s = DAY_S * pp->env.product->validity_days;
	int64_t off_s = pc_unix_s(s, pc) - s->now_ms / 1000;
	int64_t back_s = e->received_off_s - off_s;
	int64_t held_s = (s->now_ms - e->received_ms) / 1000;
	int64_t late_unix_s = pc_unix_s(s, pc);

	if (back_s < 0)
		back_s = 0;
	if (held_s > validity_s + TOLERANCE_S + back_s + 1)
		sim_fail(s, "b36",
		    "%s: a lease holds for %lld s, %lld s of "
		    "them by a clock set back",
		    pc->name, (long long)held_s, (long long)back_s);
	if (late_unix_s < pc->floor_unix_s)
		late_unix_s = pc->floor_unix_s;
	if (late_unix_s < pp->env.cat->head.signed_unix_s)
		late_unix_s = pp->env.cat->head.signed_unix_s;
	if (late_unix_s > e->issued_unix_s + validity_s)
		sim_fail(s, "b36", "%s: a lease holds %lld s after its end",
		    pc->name,
		    (long long)(late_unix_s - e->issued_unix_s - validity_s));
}

static void
check_licensed(struct sim *s, struct pc *pc, struct pc_product *pp)
{
	const struct lease *lease = &pp->life.lease;
	const struct entry *e;
	struct lease_facts facts;
	bool is_new;
	int err = 0;

	is_new = pp->entry == 0 || !is_of(&s->ledger[pp->entry - 1], lease);
	if (is_new)
		pp->entry = find(s, lease);
	if (pp->entry == 0) {
		sim_fail(s, "I4", "%s: licensed by what no host committed",
		    pc->name);
		return;
	}
	e = &s->ledger[pp->entry - 1];
	if (e->count < pp->env.product->threshold)
		sim_fail(s, "I4", "%s: licensed by a count of %u, not %u",
		    pc->name, e->count, pp->env.product->threshold);
	if (memcmp(e->request.machine, pc->print, WIRE_ID_LEN) != 0 &&
	    memcmp(e->request.machine, pc->tag, WIRE_ID_LEN) != 0)
		sim_fail(s, "b35", "%s: licensed by another machine's lease",
		    pc->name);
	if (is_new || s->is_looking_at_all)
		err = lease_facts(lease, pp->env.cat, &facts);
	if (err == 0 && (is_new || s->is_looking_at_all))
		err = lease_judge(lease, &facts, e->request.machine,
		    life_time_unix_s(&pc->publisher, pp->env.cat,
		        pc_unix_s(s, pc)),
		    0);
	if (err != 0)
		sim_fail(s, "I4", "%s: licensed, and its lease says %s",
		    pc->name, muster_errname(err));
	check_time(s, pc, pp, e);
}

/* A lease that is good, and no reason to think it were later, has to hold. */
static void
check_harm(struct sim *s, struct pc *pc, struct pc_product *pp)
{
	const struct lease *lease = &pp->life.lease;
	int64_t end_unix_s =
	    lease->grant.issued_unix_s + DAY_S * pp->env.product->validity_days;
	int64_t wall_unix_s = pc_unix_s(s, pc);
	const struct entry *e;

	if (!pp->life.has_lease || wall_unix_s > end_unix_s ||
	    pc->ceiling_unix_s > end_unix_s ||
	    pp->env.cat->head.signed_unix_s > end_unix_s ||
	    wall_unix_s < lease->grant.issued_unix_s - TOLERANCE_S)
		return;
	pp->entry = find(s, lease);
	e = pp->entry == 0 ? NULL : &s->ledger[pp->entry - 1];
	if (e != NULL && e->count >= pp->env.product->threshold &&
	    memcmp(e->request.machine, pc->print, WIRE_ID_LEN) == 0)
		sim_fail(s, "b36", "%s: a lease does not hold before its end",
		    pc->name);
}

static void
check_product(struct sim *s, struct pc *pc, struct pc_product *pp)
{
	const struct cat_product *product = pp->env.product;
	uint32_t minutes_left, days = 0;
	enum wire_state state;
	int reason;

	/* what its own step has just said is not asked for again */
	state = pp->todo.after;
	minutes_left = pp->todo.minutes_left;
	if (s->is_looking_at_all || pp->stepped != s->step)
		state = life_licence(&pp->life, &pp->env, pc_unix_s(s, pc),
		    &minutes_left, &reason);
	switch (state) {
	case WIRE_LICENSED:
		check_licensed(s, pc, pp);
		days = product->validity_days;
		break;
	case WIRE_INITIAL_GRACE:
		days = product->initial_grace_days;
		break;
	case WIRE_TOLERANCE_GRACE:
		days = product->lapse_grace_days;
		break;
	case WIRE_UNLICENSED:
	case WIRE_NOTIFICATION:
		break;
	}
	if (state != WIRE_LICENSED)
		check_harm(s, pc, pp);
	/* a lease may be issued by a clock that is 4 hours ahead */
	if (minutes_left > days * 1440 + TOLERANCE_S / 60)
		sim_fail(s, "b36",
		    "%s: state %d goes on for %u minutes, of %u "
		    "days",
		    pc->name, state, minutes_left, days);
}

static void
check_machine(struct sim *s, uint32_t number)
{
	struct pc *pc = &s->machine[number];

	for (uint32_t p = 0; p < SIM_PRODUCTS && pc->is_up; p++) {
		if (pc->has_product[p] && !s->has_failed)
			check_product(s, pc, &pc->product[p]);
	}
}

void
check_step(struct sim *s)
{
	uint32_t homes = 0;

	for (uint32_t i = 0; i < s->n_hosts; i++)
		homes |= (s->touched_hosts >> i & 1) << s->host[i].home;
	for (uint32_t i = 0; i < s->n_hosts && !s->has_failed; i++) {
		if ((homes >> i & 1) != 0)
			check_host(s, i);
	}
	for (uint32_t i = 0; i < s->n_touched; i++) {
		if (!s->has_failed)
			check_machine(s, s->touched[i]);
		s->machine[s->touched[i]].is_touched = false;
	}
	s->touched_hosts = s->n_touched = 0;
}

void
check_all(struct sim *s)
{
	s->touched_hosts = UINT32_MAX;
	for (uint32_t i = 0; i < s->n_machines; i++)
		sim_touch(s, i);
	s->is_looking_at_all = true;
	check_step(s);
	s->is_looking_at_all = false;
}

/* ---- b38 ---- */

void
check_cmid(struct sim *s, uint32_t number, const uint8_t *old)
{
	const struct pc *pc = &s->machine[number];
	bool is_foreign = disk_is_foreign(pc), is_none = old[0] == 0;
	bool is_kept = memcmp(old, pc->publisher.cmid, WIRE_ID_LEN) == 0;

	if (is_kept == (is_none || is_foreign))
		sim_fail(s, "b38", "%s: %s CMID", pc->name,
		    is_kept ? "goes by another machine's" : "lost its");
	if (is_foreign && !is_none)
		sim_hit(s, POINT_NEW_CMID);
	if (!is_foreign && is_none && pc->disk->publisher.len != 0)
		sim_hit(s, POINT_SAME_GOES_ON);
}

void
check_lease(struct sim *s, uint32_t number, uint32_t product)
{
	const struct pc *pc = &s->machine[number];
	const struct life *l = &pc->product[product].life;
	uint32_t rearms = pc->disk->lease_rearms[product];

	if (!pc->disk->has_lease[product] ||
	    l->has_lease == (l->state.rearms == rearms))
		return;
	sim_fail(s, "b38",
	    "%s: %u rearms used, and the lease from when it were %u %s",
	    pc->name, l->state.rearms, rearms,
	    l->has_lease ? "goes on" : "is gone");
}

void
check_met(struct sim *s, uint32_t number, uint32_t product, bool is_image)
{
	const struct pc *pc = &s->machine[number];
	const struct pc_product *pp = &pc->product[product];

	if (is_image)
		sim_hit(s, POINT_AFRESH);
	if (is_image && (!pp->todo.is_new || pp->life.state.rearms != 0))
		sim_fail(s, "b38",
		    "%s: goes on with the grace and the rearms of an image",
		    pc->name);
}

/* ---- b33 ---- */

static enum point
from_licensed(const struct life_todo *todo)
{
	if (todo->after == WIRE_NOTIFICATION)
		return POINT_GRACE_UNSEEN;
	if (todo->reason == MUSTER_E_COUNT)
		return POINT_OUTGROWN;
	return POINT_LAPSED;
}

static enum point
to_licensed(const struct life_todo *todo, const struct life_event *ev)
{
	if (ev->kind != LIFE_REPLY)
		return POINT_CLOCK_LICENSED;
	if (todo->before == WIRE_INITIAL_GRACE)
		return POINT_INITIAL_LICENSED;
	if (todo->before == WIRE_TOLERANCE_GRACE)
		return POINT_TOLERANCE_LICENSED;
	return POINT_NOTIFICATION_LICENSED;
}

/* The row of the table of life.h, or POINTS_MAX. */
static enum point
row_of(bool was_set, const struct life_todo *todo, const struct life_event *ev)
{
	bool is_grace = todo->after == WIRE_INITIAL_GRACE ||
	    todo->after == WIRE_TOLERANCE_GRACE;

	if (todo->after == WIRE_UNLICENSED)
		return POINTS_MAX;
	if (todo->before == WIRE_UNLICENSED)
		return todo->is_new ? POINT_FIRST_SIGHT : POINTS_MAX;
	/* a grace of no days has ended when it begins */
	if (ev->kind == LIFE_REARM && !todo->is_refused)
		return POINT_REARMED;
	if (todo->after == WIRE_LICENSED)
		return to_licensed(todo, ev);
	if (todo->before == WIRE_LICENSED && todo->after != WIRE_INITIAL_GRACE)
		return from_licensed(todo);
	if (todo->before == WIRE_NOTIFICATION && is_grace)
		return was_set ? POINT_GRACE_AGAIN : POINTS_MAX;
	if (todo->after != WIRE_NOTIFICATION)
		return POINTS_MAX;
	return todo->before == WIRE_INITIAL_GRACE ? POINT_INITIAL_ENDED
	                                          : POINT_TOLERANCE_ENDED;
}

void
check_transition(struct sim *s, uint32_t number, uint32_t product,
    const struct life_event *ev)
{
	const struct pc *pc = &s->machine[number];
	const struct life_todo *todo = &pc->product[product].todo;
	enum point point;
	bool was_set;

	/* a program that starts does not know what it left */
	if (ev->kind == LIFE_MET && todo->reason == MUSTER_E_MACHINE &&
	    todo->after == WIRE_TOLERANCE_GRACE && ev->is_moved)
		sim_hit(s, POINT_MOVED);
	if (todo->after == WIRE_LICENSED &&
	    pc->product[product].life.state.grace_unix_s != 0)
		sim_fail(s, "b33", "%s: licensed, and its grace goes on",
		    pc->name);
	if (ev->kind == LIFE_REARM && !todo->is_refused &&
	    todo->after != WIRE_INITIAL_GRACE &&
	    (todo->after != WIRE_NOTIFICATION || s->swarm.initial_days > 0))
		sim_fail(s, "b38", "%s: rearmed, and in state %d", pc->name,
		    todo->after);
	if (todo->before == todo->after)
		return;
	/* replies of hosts that are hours apart set the time back as well */
	was_set = pc->was_set || s->swarm.has_fault[POINT_HOST_CLOCK] ||
	    s->swarm.has_fault[POINT_CLOCK];
	point = row_of(was_set, todo, ev);
	if (point == POINTS_MAX)
		sim_fail(s, "b33", "%s: from state %d to %d by event %d",
		    pc->name, todo->before, todo->after, ev->kind);
	else
		sim_hit(s, point);
}
