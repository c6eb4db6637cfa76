/* SPDX-License-Identifier: MIT */
#include "client/life.h"

#include <string.h>

#define DAY_S INT64_C(86400)

static bool
is_zero(const uint8_t *p, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= p[i];
	return any == 0;
}

/* ---- the publisher's part ---- */

static bool
is_other_machine(const uint8_t *old_tag, const uint8_t *old_instance,
    const uint8_t *tag, const uint8_t *instance)
{
	if (memcmp(old_tag, tag, WIRE_ID_LEN) != 0)
		return true;
	return !is_zero(old_instance, WIRE_ID_LEN) &&
	    !is_zero(instance, WIRE_ID_LEN) &&
	    memcmp(old_instance, instance, WIRE_ID_LEN) != 0;
}

void
life_machine(struct state_publisher *p, const struct life_env *env,
    const uint8_t *cmid, bool is_new, bool *is_moved_out, bool *is_afresh_out)
{
	const struct cat_head *head = &env->cat->head;
	const uint8_t *instance = env->machine->instance;
	bool is_moved, is_bare = is_zero(p->cmid, WIRE_ID_LEN);
	uint8_t tag[WIRE_ID_LEN];

	machine_tag(env->machine, head->publisher, tag);
	is_moved =
	    !is_new && is_other_machine(p->machine, p->instance, tag, instance);
	if (is_bare || is_moved)
		memcpy(p->cmid, cmid, WIRE_ID_LEN);
	memcpy(p->publisher, head->publisher, PUBLISHER_LEN);
	memcpy(p->machine, tag, WIRE_ID_LEN);
	if (is_moved || !is_zero(instance, WIRE_ID_LEN))
		memcpy(p->instance, instance, WIRE_ID_LEN);
	if (p->serial < head->serial)
		p->serial = head->serial;
	if (p->high_water_unix_s < head->signed_unix_s)
		p->high_water_unix_s = head->signed_unix_s;
	*is_moved_out = is_moved;
	*is_afresh_out = is_moved && is_bare;
}

void
life_rearm(struct state_publisher *p, const uint8_t *cmid)
{
	memcpy(p->cmid, cmid, WIRE_ID_LEN);
}

bool
life_is_dropped(const struct state_product *s, const struct lease *lease)
{
	struct wire_args args;

	return !is_zero(s->dropped, WIRE_ID_LEN) &&
	    wire_args_decode(lease->args, lease->args_len, &args) == 0 &&
	    memcmp(args.nonce, s->dropped, WIRE_ID_LEN) == 0;
}

void
life_generalize(struct state_publisher *p)
{
	memset(p->cmid, 0, WIRE_ID_LEN);
}

void
life_generalize_product(struct state_product *s)
{
	struct state_product kept = {.first_seen_unix_s = s->first_seen_unix_s,
	    .grace_unix_s = s->grace_unix_s,
	    .rearms = s->rearms,
	    .is_image = true};

	memcpy(kept.product, s->product, PRODUCT_LEN);
	memcpy(kept.machine, s->machine, WIRE_ID_LEN);
	memcpy(kept.instance, s->instance, WIRE_ID_LEN);
	memcpy(kept.dropped, s->dropped, WIRE_ID_LEN);
	*s = kept;
}

int64_t
life_time_unix_s(const struct state_publisher *p, const struct catalogue *cat,
    int64_t wall_unix_s)
{
	int64_t t = wall_unix_s;

	if (p->high_water_unix_s > t)
		t = p->high_water_unix_s;
	if (cat->head.signed_unix_s > t)
		t = cat->head.signed_unix_s;
	return t;
}

/* ---- judgement ---- */

static int
judge(const struct life *l, const struct life_env *env, int64_t at_unix_s)
{
	struct lease_facts facts;
	int err;

	if (!l->has_lease)
		return MUSTER_E_NOENT;
	err = lease_facts(&l->lease, env->cat, &facts);
	if (err == 0)
		err = machine_judge(env->machine, &l->lease, &facts, at_unix_s,
		    0);
	return err;
}

/* State, reason and start of the grace at this moment. */
static enum wire_state
weigh(const struct life *l, const struct life_env *env, int64_t wall_unix_s,
    struct state_product *dates_out, uint32_t *minutes_left_out,
    int *reason_out)
{
	int64_t at_unix_s =
	    life_time_unix_s(l->publisher, env->cat, wall_unix_s);
	struct state_product s = {.first_seen_unix_s =
	                              l->state.first_seen_unix_s,
	    .grace_unix_s = l->state.grace_unix_s};
	struct state_lease worth = {0};
	int reason = judge(l, env, at_unix_s);

	worth.holds = reason == 0;
	worth.ends_unix_s = l->lease.grant.issued_unix_s +
	    (int64_t)env->product->validity_days * DAY_S;
	/* a lease that fell starts the grace, one that holds ends it */
	if (worth.holds)
		s.grace_unix_s = 0;
	else if (reason == MUSTER_E_EXPIRED && s.grace_unix_s == 0)
		s.grace_unix_s = worth.ends_unix_s;
	else if (reason != MUSTER_E_NOENT && s.grace_unix_s == 0 &&
	    s.first_seen_unix_s != STATE_SEEN_LOST)
		/* where the state was lost, nothing says that it ever held */
		s.grace_unix_s = at_unix_s;
	*dates_out = s;
	*reason_out = reason;
	return state_licence(&s, &worth, env->product, at_unix_s,
	    minutes_left_out);
}

/* A grace begun by a clock that stood ahead begins now, or setting the clock
 * back would lengthen it.  Only a clock that is believed may say so: one that
 * fell back for an hour must not use the grace up. */
static void
repair(struct life *l, const struct life_env *env, const struct life_now *now,
    struct life_todo *todo)
{
	struct state_product *s = &l->state;
	int64_t at_unix_s =
	    life_time_unix_s(l->publisher, env->cat, now->wall_unix_s);

	if (!now->is_wall_believed)
		return;
	if (s->first_seen_unix_s > at_unix_s + LIFE_CLOCK_S) {
		s->first_seen_unix_s = at_unix_s;
		todo->save = true;
	}
	if (s->grace_unix_s > at_unix_s + LIFE_CLOCK_S) {
		s->grace_unix_s = at_unix_s;
		todo->save = true;
	}
}

static void
look(struct life *l, const struct life_env *env, const struct life_now *now,
    struct life_todo *todo)
{
	struct state_product *s = &l->state, dates;

	todo->after = weigh(l, env, now->wall_unix_s, &dates,
	    &todo->minutes_left, &todo->reason);
	if (dates.grace_unix_s != s->grace_unix_s)
		todo->save = true;
	s->grace_unix_s = dates.grace_unix_s;
	if (todo->reason == 0 &&
	    l->state.first_seen_unix_s == STATE_SEEN_LOST) {
		l->state.first_seen_unix_s = l->lease.grant.issued_unix_s;
		todo->save = true;
	}
}

enum wire_state
life_licence(const struct life *l, const struct life_env *env,
    int64_t wall_unix_s, uint32_t *minutes_left_out, int *reason_out)
{
	struct state_product dates;

	return weigh(l, env, wall_unix_s, &dates, minutes_left_out, reason_out);
}

/* ---- when to ask ---- */

int64_t
life_retry_s(const struct life *l)
{
	uint32_t min = l->state.retry_min;

	return 60 * (int64_t)(min != 0 ? min : LIFE_RETRY_MIN);
}

static int64_t
interval_s(const struct life *l, enum wire_state licence)
{
	uint32_t min = l->state.renewal_min;

	if (licence != WIRE_LICENSED)
		return life_retry_s(l);
	return 60 * (int64_t)(min != 0 ? min : LIFE_RENEWAL_MIN);
}

static void
plan(struct life *l, const struct life_now *now, int64_t delay_s)
{
	int64_t span_s = delay_s / LIFE_EARLY;

	delay_s -= (int64_t)(now->draw % (uint64_t)(span_s + 1));
	l->due_boot_s = now->boot_s + delay_s;
	l->state.due_unix_s = now->wall_unix_s + delay_s;
}

/* What is due after a start is known by the wall clock alone; with one that
 * stands before the last contact nothing is known, and hosts are asked. */
static void
plan_start(struct life *l, const struct life_now *now, enum wire_state licence,
    bool is_spread)
{
	const struct state_product *s = &l->state;
	int64_t delay_s = s->due_unix_s - now->wall_unix_s;
	int64_t most_s = interval_s(l, licence);

	if (s->asked_unix_s == 0 || delay_s < 0 ||
	    now->wall_unix_s < s->asked_unix_s - LIFE_CLOCK_S)
		delay_s = 0;
	if (delay_s > most_s)
		delay_s = most_s;
	if (delay_s < LIFE_START_S && is_spread)
		delay_s = now->draw % LIFE_START_S;
	l->due_boot_s = now->boot_s + delay_s;
}

static void
ask(struct life *l, const struct life_now *now, struct life_todo *todo)
{
	if (l->is_asking || l->is_gone)
		return;
	l->is_asking = l->has_asked = true;
	l->asked_boot_s = now->boot_s;
	l->state.asked_unix_s = now->wall_unix_s;
	todo->ask = todo->save = true;
}

/* ---- events ---- */

static void
on_met(struct life *l, const struct life_env *env, const struct life_event *ev,
    const struct life_now *now, struct life_todo *todo)
{
	struct state_product *s = &l->state;
	const uint8_t *instance = env->machine->instance;
	bool is_moved = ev->is_moved, is_afresh = ev->is_afresh;
	uint8_t tag[WIRE_ID_LEN];

	machine_tag(env->machine, env->cat->head.publisher, tag);
	if (!is_zero(s->machine, WIRE_ID_LEN)) {
		is_moved =
		    is_other_machine(s->machine, s->instance, tag, instance);
		is_afresh = is_moved && s->is_image;
	}
	todo->is_new = ev->is_new || is_afresh;
	if (todo->is_new) {
		*s = (struct state_product){
		    .first_seen_unix_s = life_time_unix_s(l->publisher,
		        env->cat, now->wall_unix_s)};
		memcpy(s->product, env->product->id, PRODUCT_LEN);
	}
	/* a new CMID has no earlier reply, and is asked for at once */
	if (is_moved) {
		memset(s->previous, 0, WIRE_TAG_LEN);
		s->asked_unix_s = 0;
	}
	memcpy(s->machine, tag, WIRE_ID_LEN);
	if (is_moved || !is_zero(instance, WIRE_ID_LEN))
		memcpy(s->instance, instance, WIRE_ID_LEN);
	s->is_image = false;
	l->is_gone = false;
	todo->save = true;
}

/* Where it is better than the stored one (b34). */
static void
take_lease(struct life *l, const struct life_env *env,
    const struct lease *fresh, const struct life_now *now,
    struct life_todo *todo)
{
	const struct state_publisher *p = l->publisher;
	uint8_t print[WIRE_ID_LEN];

	machine_fingerprint(env->machine, p->publisher, print);
	if (!request_replaces(fresh, l->has_lease ? &l->lease : NULL, env->cat,
	        print, life_time_unix_s(p, env->cat, now->wall_unix_s)))
		return;
	if (!todo->keep_lease)
		l->before = (struct life_before){.has_lease = l->has_lease,
		    .lease = l->lease,
		    .first_seen_unix_s = l->state.first_seen_unix_s,
		    .grace_unix_s = l->state.grace_unix_s,
		    .licence = l->licence};
	l->lease = *fresh;
	l->has_lease = todo->keep_lease = true;
	l->has_offer = false;
}

/* The lease is not on disk: nothing is as if it were. */
static void
on_unkept(struct life *l, struct life_todo *todo)
{
	const struct life_before *b = &l->before;

	l->offer = l->lease;
	l->has_offer = true;
	l->has_lease = b->has_lease;
	l->lease = b->lease;
	l->state.first_seen_unix_s = b->first_seen_unix_s;
	l->state.grace_unix_s = b->grace_unix_s;
	todo->before = b->licence;
	todo->save = true;
}

/* Numbers always, the lease where it is worth it. */
static void
on_reply(struct life *l, const struct life_env *env,
    const struct life_event *ev, const struct life_now *now,
    struct life_todo *todo)
{
	const struct reply *reply = ev->reply;
	const struct wire_grant *grant = &reply->lease.grant;
	struct state_publisher *p = l->publisher;
	struct state_product *s = &l->state;

	p->high_water_unix_s = grant->issued_unix_s;
	if (p->high_water_unix_s < env->cat->head.signed_unix_s)
		p->high_water_unix_s = env->cat->head.signed_unix_s;
	s->count = grant->count;
	s->renewal_min = grant->renewal_min;
	s->retry_min = grant->retry_min;
	s->answered_unix_s = grant->issued_unix_s;
	memcpy(s->previous, reply->tag, WIRE_TAG_LEN);
	s->has_certificate = true;
	memcpy(s->certificate, reply->lease.certificate, CERT_LEN);
	memset(s->host, 0, sizeof(s->host));
	memcpy(s->host, ev->host, strnlen(ev->host, STATE_HOST_MAX));
	take_lease(l, env, &reply->lease, now, todo);
	todo->save = true;
}

static void
on_rearm(struct life *l, const struct life_env *env, const struct life_now *now,
    struct life_todo *todo)
{
	struct state_product *s = &l->state;
	struct wire_args args;

	if (s->rearms >= env->product->rearms) {
		todo->is_refused = true;
		return;
	}
	s->rearms++;
	s->count = 0;
	s->grace_unix_s = 0;
	s->first_seen_unix_s =
	    life_time_unix_s(l->publisher, env->cat, now->wall_unix_s);
	memset(s->previous, 0, WIRE_TAG_LEN);
	if (l->has_lease &&
	    wire_args_decode(l->lease.args, l->lease.args_len, &args) == 0)
		memcpy(s->dropped, args.nonce, WIRE_ID_LEN);
	todo->drop_lease = l->has_lease;
	l->has_lease = l->has_offer = false;
	todo->save = true;
}

/* What the event itself changes, before anything is judged. */
static void
take(struct life *l, const struct life_env *env, const struct life_event *ev,
    const struct life_now *now, struct life_todo *todo)
{
	if (l->has_offer && ev->kind != LIFE_SILENCE &&
	    ev->kind != LIFE_REARM && ev->kind != LIFE_NEW_CMID)
		take_lease(l, env, &l->offer, now, todo);
	switch (ev->kind) {
	case LIFE_MET:
		on_met(l, env, ev, now, todo);
		break;
	case LIFE_REPLY:
		l->is_asking = false;
		on_reply(l, env, ev, now, todo);
		break;
	case LIFE_SILENCE:
		l->is_asking = false;
		todo->save = true;
		break;
	case LIFE_UNKEPT:
		on_unkept(l, todo);
		break;
	case LIFE_REARM:
		on_rearm(l, env, now, todo);
		break;
	case LIFE_NEW_CMID:
		memset(l->state.previous, 0, WIRE_TAG_LEN);
		todo->save = true;
		break;
	case LIFE_GONE:
		l->is_gone = true;
		break;
	case LIFE_TIMER:
	case LIFE_ASK:
	case LIFE_CATALOGUE:
	default:
		break;
	}
}

/* What follows for the next contact, once the state is known. */
static void
schedule(struct life *l, const struct life_event *ev,
    const struct life_now *now, struct life_todo *todo)
{
	int64_t retry_s = life_retry_s(l);

	switch (ev->kind) {
	case LIFE_MET:
		plan_start(l, now, todo->after, ev->is_spread);
		break;
	case LIFE_TIMER:
		if (now->boot_s >= l->due_boot_s)
			ask(l, now, todo);
		break;
	case LIFE_ASK:
		todo->is_early = l->is_asking ||
		    (l->has_asked &&
		        now->boot_s - l->asked_boot_s < LIFE_ASK_S);
		if (!todo->is_early)
			ask(l, now, todo);
		break;
	case LIFE_REPLY:
		plan(l, now, interval_s(l, todo->after));
		break;
	case LIFE_SILENCE:
		if (ev->busy_s != 0 && ev->busy_s < retry_s)
			retry_s = ev->busy_s;
		plan(l, now, retry_s);
		break;
	case LIFE_UNKEPT:
		plan(l, now, retry_s);
		break;
	case LIFE_CATALOGUE:
		if (todo->before == WIRE_LICENSED &&
		    todo->after != WIRE_LICENSED)
			ask(l, now, todo);
		break;
	case LIFE_REARM:
		if (!todo->is_refused)
			ask(l, now, todo);
		break;
	case LIFE_NEW_CMID:
	case LIFE_GONE:
	default:
		break;
	}
}

void
life_step(struct life *l, const struct life_env *env,
    const struct life_event *ev, const struct life_now *now,
    struct life_todo *todo_out)
{
	struct life_todo todo = {.before = l->licence};

	if (now->is_wall_believed &&
	    l->publisher->high_water_unix_s < now->wall_unix_s) {
		l->publisher->high_water_unix_s = now->wall_unix_s;
		todo.save = true;
	}
	take(l, env, ev, now, &todo);
	repair(l, env, now, &todo);
	look(l, env, now, &todo);
	/* a program that starts does not know what it left */
	if (ev->kind == LIFE_MET && !todo.is_new &&
	    todo.before == WIRE_UNLICENSED)
		todo.before = todo.after;
	schedule(l, ev, now, &todo);
	l->licence = todo.after;
	todo.has_wake = !l->is_gone && !l->is_asking;
	todo.wake_boot_s = l->due_boot_s;
	*todo_out = todo;
}
