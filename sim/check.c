/* SPDX-License-Identifier: MIT */
#include "sim/check.h"

#include <string.h>

#include "sim/disk.h"
#include "sim/kms.h"
#include "sim/pc.h"
#include "sim/world.h"

#define DAY_S INT64_C(86400)
#define TOLERANCE_S INT64_C(14400)
#define CROWD 100 /* machines: POINT_CROWD */

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

/* b45: by the bytes of the certificate. */
static void
check_issuer(struct sim *s, const struct pc *pc, const struct lease *lease,
    const char *what)
{
	const uint8_t *p = lease->certificate + 12; /* issued */
	uint32_t day = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];

	if (world_is_revoked(s, pc->catalogue, lease->certificate,
	        lease->grant.issued_unix_s))
		sim_fail(s, "b45", "%s: %s under what is revoked", pc->name,
		    what);
	if (day < (uint32_t)(SIM_BEGIN_MS / SIM_DAY_MS) - WORLD_ISSUER_DAYS)
		sim_fail(s, "b45", "%s: %s under what no issuing key was for",
		    pc->name, what);
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
	check_issuer(s, pc, &reply->lease, "took a reply");
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
	const uint32_t p = (uint32_t)(pp - pc->product);
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
	check_issuer(s, pc, lease, "licensed");
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
	if ((is_new || s->is_looking_at_all) && !disk_holds(pc, p))
		sim_fail(s, "lease", "%s: licensed by what is not on its disk",
		    pc->name);
}

/* Is it good, and is there no reason to think that it were later? */
static bool
is_good(const struct sim *s, const struct pc *pc, const struct pc_product *pp,
    const struct lease *lease)
{
	int64_t end_unix_s =
	    lease->grant.issued_unix_s + DAY_S * pp->env.product->validity_days;
	int64_t wall_unix_s = pc_unix_s(s, pc);
	const struct entry *e;
	uint32_t at;

	if (wall_unix_s > end_unix_s || pc->ceiling_unix_s > end_unix_s ||
	    pp->env.cat->head.signed_unix_s > end_unix_s ||
	    wall_unix_s < lease->grant.issued_unix_s - TOLERANCE_S ||
	    world_is_revoked(s, pc->catalogue, lease->certificate,
	        lease->grant.issued_unix_s))
		return false;
	at = find(s, lease);
	e = at == 0 ? NULL : &s->ledger[at - 1];
	return e != NULL && e->count >= pp->env.product->threshold &&
	    memcmp(e->request.machine, pc->print, WIRE_ID_LEN) == 0;
}

static void
check_harm(struct sim *s, struct pc *pc, struct pc_product *pp)
{
	if (pp->life.has_lease && is_good(s, pc, pp, &pp->life.lease))
		sim_fail(s, "b36", "%s: a lease does not hold before its end",
		    pc->name);
}

void
check_owed(struct sim *s, uint32_t number, uint32_t product,
    const struct life_event *ev)
{
	struct pc *pc = &s->machine[number];
	struct pc_product *pp = &pc->product[product];

	if (ev->kind == LIFE_REARM)
		pp->is_owed = false;
	else if (pp->todo.keep_lease && ev->kind != LIFE_REPLY)
		sim_hit(s, POINT_OFFER);
	if (ev->kind == LIFE_SILENCE || ev->kind == LIFE_REARM ||
	    ev->kind == LIFE_NEW_CMID || ev->kind == LIFE_UNKEPT)
		return;
	if (pp->todo.after != WIRE_LICENSED && is_good(s, pc, pp, &pp->owed))
		sim_fail(s, "lease", "%s: what was not written is not taken up",
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
	uint32_t n_licensed = 0;

	s->touched_hosts = UINT32_MAX;
	for (uint32_t i = 0; i < s->n_machines; i++) {
		const struct pc *pc = &s->machine[i];

		sim_touch(s, i);
		n_licensed += pc->is_up &&
		    (pc->product[0].life.licence == WIRE_LICENSED ||
		        pc->product[1].life.licence == WIRE_LICENSED);
	}
	if (n_licensed >= CROWD)
		sim_hit(s, POINT_CROWD);
	s->is_looking_at_all = true;
	check_step(s);
	s->is_looking_at_all = false;
}

static bool
is_due_in(int64_t due_s, uint32_t minutes)
{
	int64_t s = minutes * INT64_C(60);

	return due_s <= s && due_s >= s - s / LIFE_EARLY;
}

void
check_due(struct sim *s, uint32_t number, uint32_t product,
    const struct life_event *ev, const struct life_now *now)
{
	const struct pc_product *pp = &s->machine[number].product[product];
	const struct swarm *w = &s->swarm;
	int64_t due_s = pp->todo.wake_boot_s - now->boot_s;
	bool is_due = true;

	/* what the host set, not what its reply said */
	if (ev->kind == LIFE_REPLY)
		is_due = is_due_in(due_s,
		    pp->todo.after == WIRE_LICENSED ? w->renewal_min
		                                    : w->retry_min);
	else if (ev->kind == LIFE_SILENCE)
		is_due = is_due_in(due_s, w->retry_min) ||
		    is_due_in(due_s, LIFE_RETRY_MIN) ||
		    (ev->busy_s != 0 && due_s <= ev->busy_s);
	else if (ev->kind == LIFE_UNKEPT)
		is_due = is_due_in(due_s, w->retry_min) ||
		    is_due_in(due_s, LIFE_RETRY_MIN);
	else if (ev->kind == LIFE_MET && due_s > 0 && due_s < LIFE_START_S)
		sim_hit(s, POINT_SPREAD);
	if (!is_due)
		sim_fail(s, ev->kind == LIFE_REPLY ? "b10" : "b32",
		    "%s: due in %lld s, by %s %s", s->machine[number].name,
		    (long long)due_s,
		    ev->kind == LIFE_REPLY ? "an answer" : "silence",
		    pp->todo.after == WIRE_LICENSED ? "when licensed"
		                                    : "when not licensed");
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
	if (todo->reason == MUSTER_E_REVOKED)
		return POINT_REVOKED;
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
