/* SPDX-License-Identifier: MIT */
#include "sim/round.h"

#include <string.h>

#include "sim/check.h"
#include "sim/disk.h"
#include "sim/fault.h"
#include "sim/net.h"
#include "sim/pc.h"
#include "sim/plan.h"
#include "sim/world.h"
#include "sim/zone.h"

#define LOOKUP_MS 400  /* a name server that answers, at most */
#define SILENT_MS 8000 /* and one that does not: RESOLVE_TRY_S twice */
#define PLACE_MS 500   /* all rounds are in use */

static void
follow(struct sim *s, uint32_t number, uint32_t p, const struct walk_event *ev);

static uint32_t
draw(void *arg, uint32_t below)
{
	return rng_below(arg, below);
}

static struct round *
take(struct sim *s)
{
	for (uint32_t i = 0; i < SIM_ROUNDS_MAX; i++) {
		if ((s->rounds_used >> i & 1) == 0) {
			s->rounds_used |= UINT64_C(1) << i;
			return &s->round[i];
		}
	}
	return NULL;
}

void
round_drop(struct sim *s, struct pc_product *pp)
{
	if (pp->round != NULL)
		s->rounds_used &= ~(UINT64_C(1) << (pp->round - s->round));
	pp->round = NULL;
	pp->is_open = pp->is_looking = pp->is_waiting = false;
}

/* ---- one exchange ---- */

static void
fill(void *arg, uint8_t *out, size_t len)
{
	rng_fill(arg, out, len);
}

/* How long it waits: less for a connection while others remain; negative: as
 * long as it takes. */
static int64_t
patience_ms(struct sim *s, const struct msg *m, const struct walk_todo *todo,
    bool is_reached)
{
	bool is_up = is_reached && s->host[m->host].is_up;

	/* nothing is lost in a plan, which ends what an outage cuts itself */
	if (s->site != NULL && is_up)
		return -1;
	/* the machine is there, and nobody listens, or no longer */
	if (is_reached && (sim_faulty(s, POINT_RESET) || !is_up))
		return rng_below(&s->rng, 300);
	return is_reached ? ASKING_MS : asking_connect_ms(todo);
}

static void
ask(struct sim *s, uint32_t number, uint32_t p)
{
	struct pc *pc = &s->machine[number];
	struct pc_product *pp = &pc->product[p];
	struct asking *a = &pp->round->asking;
	struct msg m = {.machine = number, .product = p};
	struct event timeout = {.kind = EV_TIMEOUT, .who = number, .what = p};
	int64_t wait_ms;
	bool is_reached;
	int err = asking_make(a, pc_unix_s(s, pc), fill, &s->rng);

	if (err != 0) {
		sim_fail(s, "codec", "%s: its request does not encode: %s",
		    pc->name, muster_errname(err));
		return;
	}
	if (s->site == NULL)
		check_nonce(s, number, &a->request);
	pp->target = m.host = zone_host(s, pp->walk_todo.host);
	pp->is_open = true;
	s->calls += 2; /* a replay may have the number before */
	pp->call = timeout.tag = m.call = s->calls;
	m.len = (uint32_t)a->request.record_len;
	memcpy(m.record, a->request.record, m.len);
	sim_tell(s, "%s: call %llu, %s, to %s", pc->name,
	    (unsigned long long)m.call, pp->env.product->name,
	    pp->walk_todo.host);
	is_reached = m.host != SIM_NO_HOST && net_reaches(s, m.host, number) &&
	    (s->site == NULL || plan_is_here(s, pc));
	wait_ms = patience_ms(s, &m, &pp->walk_todo, is_reached);
	if (wait_ms >= 0)
		sim_at(s, wait_ms, &timeout);
	if (is_reached)
		net_send(s, &m);
	/* somebody sets the clock while the answer is under way */
	if (sim_draws(s, POINT_CLOCK))
		fault_clock(s, number);
}

/* ---- a round ---- */

static void
look_up(struct sim *s, uint32_t number, uint32_t p)
{
	struct pc_product *pp = &s->machine[number].product[p];
	const struct event ev = {.kind = EV_LOOKED_UP,
	    .who = number,
	    .what = p,
	    .tag = pp->call = s->calls += 2};
	bool is_down = s->now_ms < s->outage_until_ms;
	int64_t ms = is_down ? SILENT_MS : 1 + rng_below(&s->rng, LOOKUP_MS);

	pp->is_looking = true;
	if (!is_down && sim_faulty(s, POINT_DNS_LATE))
		ms = rng_between(&s->rng, LOOKUP_MS, SILENT_MS);
	sim_at(s, ms, &ev);
}

/* Nobody responded. */
static void
give_up(struct sim *s, uint32_t number, uint32_t p)
{
	struct pc *pc = &s->machine[number];
	struct pc_product *pp = &pc->product[p];
	struct life_event silence = asking_event(&pp->round->asking, NULL);

	round_drop(s, pp);
	if (s->site != NULL)
		plan_unanswered(s, pc);
	pc_event(s, number, p, &silence);
}

static void
follow(struct sim *s, uint32_t number, uint32_t p, const struct walk_event *ev)
{
	struct pc *pc = &s->machine[number];
	struct pc_product *pp = &pc->product[p];

	if (s->now_ms >= pp->round_end_ms) {
		give_up(s, number, p);
		return;
	}
	walk_step(&pp->round->walk, ev, &pp->walk_todo);
	if (s->site == NULL)
		zone_check(s, pc, p);
	if (s->has_failed)
		return;
	if (pp->walk_todo.act == WALK_END) {
		give_up(s, number, p);
	} else if (pp->walk_todo.act == WALK_LOOK_UP) {
		look_up(s, number, p);
	} else {
		if (pp->seek.n_asked > 1)
			sim_hit(s, POINT_SECOND_TARGET);
		ask(s, number, p);
	}
}

void
round_begin(struct sim *s, uint32_t number, uint32_t p)
{
	struct pc *pc = &s->machine[number];
	struct pc_product *pp = &pc->product[p];
	const struct walk_event begin = {.kind = WALK_BEGIN};
	struct event again = {.kind = EV_PLACE, .who = number, .what = p};
	struct walk_plan plan;

	pp->round_end_ms = s->now_ms + ASKING_ROUND_MS;
	pp->seek = (struct seek){.n_known = pc->n_known};
	pc->watched.was_dead = false;
	pp->round = take(s);
	pp->is_waiting = pp->round == NULL;
	if (pp->is_waiting) {
		again.tag = ++pp->place;
		sim_at(s, PLACE_MS, &again);
		return;
	}
	asking_begin(&pp->round->asking, &pp->life, &pp->env, &pp->todo,
	    pc->name);
	zone_plan(s, pc, pp->round->asking.licence == WIRE_LICENSED, &plan);
	walk_init(&pp->round->walk, &plan);
	follow(s, number, p, &begin);
}

/* The host whose turn it was did not respond. */
static void
next(struct sim *s, uint32_t number, uint32_t p)
{
	const struct walk_event failed = {.kind = WALK_FAILED};

	s->machine[number].product[p].is_open = false;
	follow(s, number, p, &failed);
}

void
round_timeout(struct sim *s, const struct event *ev)
{
	struct pc *pc = &s->machine[ev->who];
	struct pc_product *pp = &pc->product[ev->what];

	if (!pp->is_open || pp->call != ev->tag)
		return;
	sim_hit(s, POINT_TIMEOUT);
	pc->watched.was_dead = true;
	sim_tell(s, "%s: call %llu: no answer", pc->name,
	    (unsigned long long)pp->call);
	next(s, ev->who, ev->what);
}

void
round_looked_up(struct sim *s, const struct event *ev)
{
	struct pc *pc = &s->machine[ev->who];
	struct pc_product *pp = &pc->product[ev->what];
	struct walk_event done = {.kind = WALK_LOOKED_UP,
	    .draw = draw,
	    .arg = &s->rng};

	if (!pp->is_looking || pp->call != ev->tag)
		return;
	pp->is_looking = false;
	if (s->site != NULL && !plan_is_here(s, pc))
		done.err = MUSTER_E_NXDOMAIN; /* another network's */
	else
		done.err = zone_answer(s, pp->walk_todo.domain,
		    &pp->round->walk.choice, &pp->seek);
	sim_tell(s, "%s: %s has %zu records, %s", pc->name,
	    pp->walk_todo.domain, pp->round->walk.choice.n,
	    muster_errname(done.err));
	follow(s, ev->who, ev->what, &done);
}

/* The walk ends, and the host that responded is remembered. */
static void
end(struct sim *s, uint32_t number, uint32_t p)
{
	struct pc *pc = &s->machine[number];
	struct pc_product *pp = &pc->product[p];
	const struct walk_event responded = {.kind = WALK_RESPONDED};

	walk_step(&pp->round->walk, &responded, &pp->walk_todo);
	if (pc->is_caching && walk_known(&pp->round->walk, &pc->known)) {
		pp->seek.n_known = ++pc->n_known;
		pc->sick = (struct sick){.err = 0};
		if (pc->disk != NULL && disk_write_known(pc) != 0)
			sim_fail(s, "codec", "%s: its host does not encode",
			    pc->name);
	}
	if (s->site == NULL)
		zone_check_known(s, pc, p);
	round_drop(s, pp);
}

/* Which refusal it was. */
static void
note_status(struct sim *s, const struct reply *reply)
{
	static const enum point points[] = {POINT_ST_GARBAGE, POINT_ST_UNKNOWN,
	    POINT_ST_NOT_COVERED, POINT_ST_NOT_ACTIVATED, POINT_ST_CLOCK,
	    POINT_ST_BUSY};

	if (reply->status < sizeof(points) / sizeof(points[0]))
		sim_hit(s, points[reply->status]);
}

/* What was refused and should have been. */
static void
note_refusal(struct sim *s, const struct msg *m, bool is_own, int err)
{
	if (err == MUSTER_E_ISSUED && s->host[m->host].is_rogue)
		sim_hit(s, POINT_ENDED_REFUSED);
	if (err == MUSTER_E_ISSUED && s->host[m->host].was_untimely)
		sim_hit(s, POINT_UNTIMELY_REFUSED);
	if (err == MUSTER_E_REVOKED)
		sim_hit(s, POINT_REVOKED_REFUSED);
	if (!is_own && err == MUSTER_E_MISMATCH)
		sim_hit(s, POINT_STALE_REFUSED);
	else if (!is_own && err != MUSTER_E_REFUSED)
		sim_hit(s, POINT_REPLAY_REFUSED);
	else if (m->is_corrupt && err != MUSTER_E_REFUSED)
		sim_hit(s, POINT_CORRUPT_REPLY);
}

/* By what it signs, or signed: a reply may be under way for an hour. */
static bool
may_refuse(const struct sim *s, const struct msg *m, int err)
{
	const struct kms *k = &s->host[m->host];

	if (err == MUSTER_E_ISSUED)
		return k->was_rogue || k->was_untimely;
	return err == MUSTER_E_REVOKED &&
	    s->machine[m->machine].catalogue > 0 &&
	    s->swarm.revoked == m->host + 1;
}

/* A reply that verified. */
static void
accept(struct sim *s, const struct msg *m, const struct reply *reply)
{
	struct pc *pc = &s->machine[m->machine];
	struct pc_product *pp = &pc->product[m->product];
	char host[WORLD_HOST_MAX];
	const struct life_event ev = {.kind = LIFE_REPLY,
	    .reply = reply,
	    .host = host};
	bool was_licensed = pp->life.licence == WIRE_LICENSED;

	world_host(m->host, host);
	sim_tell(s, "%s: call %llu: count %u of %u, issued %lld", pc->name,
	    (unsigned long long)m->call, reply->count, reply->threshold,
	    (long long)reply->lease.grant.issued_unix_s);
	if (reply->lease.place.n_path > 0)
		sim_hit(s, POINT_TREE);
	if (!reply->is_activated)
		sim_hit(s, POINT_BELOW);
	else if (was_licensed)
		sim_hit(s, POINT_RENEWED);
	if (s->site == NULL)
		check_reply(s, m, reply);
	else
		plan_answered(s, pc, reply);
	if (s->has_failed)
		return;
	end(s, m->machine, m->product);
	memcpy(pc->old, m->record, m->len);
	pc->old_len = m->len;
	pc_event(s, m->machine, m->product, &ev);
	if (reply->is_activated && pp->life.licence == WIRE_LICENSED &&
	    !pp->is_unkept &&
	    pp->life.lease.grant.issued_unix_s <
	        reply->lease.grant.issued_unix_s)
		sim_fail(s, "b32", "%s: renewed, and keeps the old lease",
		    pc->name);
	if (!s->is_healed || pp->is_answered)
		return;
	pp->is_answered = true;
	sim_hit(s, POINT_HEALED);
	if (reply->is_activated && pp->life.licence != WIRE_LICENSED)
		sim_fail(s, "I7", "%s: activated, and not licensed", pc->name);
}

void
round_receive(struct sim *s, const struct msg *m)
{
	struct pc *pc = &s->machine[m->machine];
	struct pc_product *pp = &pc->product[m->product];
	struct reply reply;
	bool is_own = pp->call == m->call;
	size_t len = 0;
	int err;

	if (!pc->is_up || !pp->is_open || pp->target != m->host) {
		sim_hit(s, POINT_LATE);
		return;
	}
	err = rpc_mark_decode(m->record, &len);
	if (err == 0 && RPC_MARK_LEN + len != m->len)
		err = MUSTER_E_TRUNC;
	if (err == 0)
		err = asking_judge(&pp->round->asking, m->record + RPC_MARK_LEN,
		    len, pc_unix_s(s, pc));
	if (err == 0 && (!is_own || m->is_corrupt)) {
		sim_fail(s, is_own ? "b34" : "I5",
		    "%s: took a reply that is %s", pc->name,
		    is_own ? "not what was sent" : "to another request");
		return;
	}
	if (err == 0) {
		/* its place is given back before the reply was of use */
		reply = pp->round->asking.reply;
		accept(s, m, &reply);
		return;
	}
	note_refusal(s, m, is_own, err);
	/* b1: whatever the network leaves alone verifies; a clock may have been
	 * set meanwhile */
	if (is_own && !m->is_corrupt && !m->is_tainted &&
	    err != MUSTER_E_REFUSED && err != MUSTER_E_CLOCK &&
	    err != MUSTER_E_EXPIRED && !may_refuse(s, m, err))
		sim_fail(s, "b1", "%s: refused an honest reply: %s", pc->name,
		    muster_errname(err));
	if (err == MUSTER_E_REFUSED)
		note_status(s, &pp->round->asking.reply);
	sim_tell(s, "%s: call %llu: %s", pc->name, (unsigned long long)pp->call,
	    muster_errname(err));
	next(s, m->machine, m->product);
}
