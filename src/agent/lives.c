/* SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/paths.h"
#include "client/recover.h"

static const char *const state_names[] = {"unlicensed", "initial grace",
    "licensed", "out-of-tolerance grace", "notification"};

void
agent_random_cmid(uint8_t *out)
{
	do
		randombytes_buf(out, WIRE_ID_LEN);
	while (sodium_is_zero(out, WIRE_ID_LEN));
}

/* ---- one event ---- */

struct life_now
agent_now(struct agent *a, bool is_signed)
{
	struct clockwatch_now clocks = {.wall_unix_s = clock_unix_s(),
	    .boot_s = clock_boot_s()};
	struct life_now now = {.wall_unix_s = clocks.wall_unix_s,
	    .boot_s = clocks.boot_s,
	    .draw = randombytes_random()};

	clock_boot_id(clocks.boot);
	if (is_signed)
		clockwatch_signed(&a->watch, &clocks);
	now.is_wall_believed = clockwatch_see(&a->watch, &clocks);
	return now;
}

static int
write_lease(struct agent_product *p)
{
	int err;

	p->is_lease_unsure = p->is_lease_unsure && p->life.has_lease;
	if (!p->todo.keep_lease && !p->is_lease_unsure)
		return 0;
	err = keep_save_lease(&p->keep, &p->life.lease);
	p->is_lease_unsure = err == MUSTER_E_UNSURE;
	return err;
}

static int
write_states(struct agent_product *p)
{
	int err;

	if (!p->todo.save && !p->is_unsaved)
		return 0;
	err = keep_save(&p->keep, &p->life);
	if (err == 0)
		err = keep_save_clock(p->agent->root, &p->agent->watch);
	p->is_unsaved = err != 0;
	return err;
}

/* The lease first: what does not get to the disk does not count. */
static int
write_todo(struct agent_product *p, const struct life_now *now)
{
	static const struct life_event unkept = {.kind = LIFE_UNKEPT};
	const struct life_todo first = p->todo;
	int err = write_lease(p), state_err;

	if (first.keep_lease && err != 0 && err != MUSTER_E_UNSURE) {
		life_step(&p->life, &p->env, &unkept, now, &p->todo);
		p->todo.ask = first.ask;
		p->todo.is_early = first.is_early;
	}
	state_err = write_states(p);
	if (err == 0)
		err = state_err;
	if (err != 0 && err != p->disk_err)
		log_event(LOG_ERROR, "state",
		    LOG_FIELDS(LOG_UUID(PRODUCT, p->env.product->id),
		        LOG_CODE(err)),
		    "%s: cannot write %s: %s; free space or restore the "
		    "rights on " PATH_AGENT_STATE "; it is tried again",
		    p->env.product->name,
		    state_err == 0 ? "its lease" : "its state",
		    muster_strerror(err));
	else if (err == 0 && p->disk_err != 0)
		log_event(LOG_NOTE, "state",
		    LOG_FIELDS(LOG_UUID(PRODUCT, p->env.product->id)),
		    "%s: all of it is written", p->env.product->name);
	p->disk_err = err;
	return err;
}

static void
tell(const struct agent_product *p)
{
	const struct life_todo *todo = &p->todo;

	if (todo->before == todo->after)
		return;
	log_event(LOG_NOTE, "licence",
	    LOG_FIELDS(LOG_UUID(PRODUCT, p->env.product->id),
	        LOG_TEXT(BEFORE, state_names[todo->before]),
	        LOG_TEXT(STATE, state_names[todo->after]),
	        LOG_CODE(todo->reason)),
	    "%s: %s -> %s (%s)", p->env.product->name,
	    state_names[todo->before], state_names[todo->after],
	    todo->reason == 0 ? "a lease holds"
	                      : muster_strerror(todo->reason));
}

static void
on_work(uv_work_t *work)
{
	struct agent_product *p = work->data;

	round_run(&p->round);
}

/* The host that responded, for the publisher's other products as well. */
static void
remember(struct agent_product *p)
{
	struct agent_publisher *pub = p->publisher;
	int err;

	/* caching may have been switched off meanwhile */
	if (!p->round.is_known_new || !p->agent->settings.is_caching)
		return;
	pub->known = p->round.known;
	err = keep_save_known(&p->keep, pub->id, &pub->known);
	if (err != 0)
		log_event(LOG_WARN, "state",
		    LOG_FIELDS(LOG_TEXT(FILE, p->keep.known), LOG_CODE(err)),
		    "%s cannot be written: %s", p->keep.known,
		    muster_strerror(err));
}

/* What a host said, with the name that the request has in its log too. */
static void
tell_outcome(const struct agent_product *p, const struct round_outcome *o)
{
	const struct reply *reply = &p->round.asking.reply;
	const uint8_t *product = p->env.product->id;
	char request[WIRE_REQUEST_TEXT_LEN + 1];

	hex_encode(o->request, WIRE_REQUEST_LEN, request);
	if (o->is_lookup)
		log_event(LOG_NOTE, "dns",
		    LOG_FIELDS(LOG_TEXT(DOMAIN, o->text), LOG_CODE(o->err)),
		    "%s: %s", o->text, muster_strerror(o->err));
	else if (o->err != 0)
		log_event(LOG_NOTE, "host",
		    LOG_FIELDS(LOG_TEXT(REQUEST, request),
		        LOG_UUID(PRODUCT, product), LOG_TEXT(HOST, o->text),
		        LOG_CODE(o->err)),
		    "%s: %s", o->text, muster_strerror(o->err));
	else
		log_event(LOG_NOTE, "host",
		    LOG_FIELDS(LOG_TEXT(REQUEST, request),
		        LOG_UUID(PRODUCT, product), LOG_TEXT(HOST, o->text),
		        LOG_NUMBER(COUNT, reply->count),
		        LOG_NUMBER(THRESHOLD, reply->threshold)),
		    "%s: %s has a count of %u, and needs %u", o->text,
		    p->env.product->name, reply->count, reply->threshold);
}

static void
finish_round(struct agent_product *p)
{
	const struct life_event ev =
	    asking_event(&p->round.asking, p->round.host);
	struct agent *a = p->agent;

	for (size_t i = 0; i < p->round.n_outcomes; i++)
		tell_outcome(p, &p->round.outcome[i]);
	remember(p);
	(void)agent_event(p, &ev);
	if (a->on_done != NULL)
		a->on_done(a, p);
}

static void
after_work(uv_work_t *work, int status)
{
	struct agent_product *p = work->data;
	struct agent *a = p->agent;

	if (status != 0 && p->round.err == 0)
		p->round.err = MUSTER_E_AGAIN;
	a->n_rounds--;
	finish_round(p);
	if (a->n_rounds == 0 && a->is_dirty)
		(void)agent_scan(a);
}

static void
begin_round(struct agent_product *p)
{
	struct agent *a = p->agent;

	round_prepare(&p->round, &p->life, &p->env, &p->todo, a->name);
	p->has_round = true;
	round_where(&p->round.where, &a->settings, a->root, a->resolver);
	p->round.known = p->publisher->known;
	if (a->loop == NULL) {
		round_run(&p->round);
		finish_round(p);
		return;
	}
	p->work.data = p;
	a->n_rounds++;
	if (uv_queue_work(a->loop, &p->work, on_work, after_work) != 0) {
		a->n_rounds--;
		p->round.err = MUSTER_E_NOMEM;
		finish_round(p);
	}
}

void
agent_plan_wake(struct agent_product *p, const struct life_now *now)
{
	int64_t retry_boot_s = now->boot_s + life_retry_s(&p->life);

	if (p->disk_err != 0 && p->wake_boot_s > retry_boot_s)
		p->wake_boot_s = retry_boot_s;
}

void
agent_go_on(struct agent_product *p, const struct life_now *now)
{
	struct agent *a = p->agent;

	tell(p);
	p->has_wake = p->todo.has_wake;
	p->wake_boot_s = p->todo.wake_boot_s;
	agent_plan_wake(p, now);
	if (p->todo.ask)
		begin_round(p);
	if (a->on_plan != NULL)
		a->on_plan(a);
}

int
agent_event(struct agent_product *p, const struct life_event *ev)
{
	static const struct life_event silence = {.kind = LIFE_SILENCE};
	const struct life_now now = agent_now(p->agent, ev->kind == LIFE_REPLY);
	enum wire_state before;
	int err;

	life_step(&p->life, &p->env, ev, &now, &p->todo);
	err = write_todo(p, &now);
	before = p->todo.before;
	/* a CMID that is not on disk is not shown to anybody */
	if (p->todo.ask && err != 0) {
		p->round.err = err;
		p->round.n_outcomes = 0;
		p->has_round = true;
		life_step(&p->life, &p->env, &silence, &now, &p->todo);
		p->todo.before = before;
	}
	agent_go_on(p, &now);
	return err;
}

/* ---- the products together ---- */

static void
tell_damages(const struct keep_found *found)
{
	for (size_t i = 0; i < found->n_damages; i++) {
		const struct keep_damage *d = &found->damage[i];

		log_event(LOG_WARN, "state",
		    LOG_FIELDS(LOG_TEXT(FILE, d->path)),
		    "%s is damaged; it is kept as %s" RECOVER_SUFFIX "; %s",
		    d->path, d->path,
		    d->is_recovered ? "what counts was taken from a lease"
		                    : "what it held is lost");
	}
}

int
agent_meet(struct agent_product *p)
{
	struct agent *a = p->agent;
	struct agent_publisher *pub = p->publisher;
	struct life_event ev = {.kind = LIFE_MET, .is_spread = a->loop != NULL};
	uint8_t cmid[WIRE_ID_LEN];
	struct keep_found found;
	int err;

	p->life.publisher = &pub->state;
	err = keep_init(&p->keep, a->root, pub->id, p->env.product->id);
	if (err == 0)
		err = keep_load(&p->keep, a->root, &p->env,
		    pub->is_met ? NULL : &pub->state, &p->life, &found);
	if (err == 0 && !pub->is_met)
		err = keep_load_known(&p->keep, pub->id, &pub->known);
	if (err == 0 && pub->state.serial > pub->cat->head.serial)
		err = MUSTER_E_SERIAL; /* an older one came in its place */
	if (err != 0)
		return err;
	tell_damages(&found);
	if (!pub->is_met) {
		agent_random_cmid(cmid);
		life_machine(&pub->state, &p->env, cmid, !found.has_publisher,
		    &pub->is_moved, &pub->is_afresh);
		pub->is_met = true;
		if (pub->is_moved)
			log_line(LOG_NOTE, "machine",
			    "this is another machine than the one that made "
			    "the state: it goes by a new CMID");
	}
	ev.is_moved = pub->is_moved;
	ev.is_afresh = pub->is_afresh;
	ev.is_new = !found.has_product;
	return agent_event(p, &ev);
}

int64_t
agent_next_boot_s(const struct agent *a)
{
	int64_t next_boot_s = INT64_MAX;

	if (a->is_generalized || a->is_stopping)
		return next_boot_s;
	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX; i++) {
		const struct agent_product *p = &a->product[i];

		if (p->is_used && p->has_wake && p->wake_boot_s < next_boot_s)
			next_boot_s = p->wake_boot_s;
	}
	return next_boot_s;
}

void
agent_due(struct agent *a)
{
	const struct life_event timer = {.kind = LIFE_TIMER};
	int64_t boot_s = clock_boot_s();

	if (agent_next_boot_s(a) > boot_s)
		return;
	(void)agent_scan(a);
	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX; i++) {
		struct agent_product *p = &a->product[i];

		if (p->is_used && p->has_wake && p->wake_boot_s <= boot_s)
			(void)agent_event(p, &timer);
	}
}

/* ---- start and end ---- */

int
agent_open(struct agent *a, const struct agent_settings *presets)
{
	int err = machine_read(a->root, &a->machine);

	machine_name(a->name);
	if (err == 0)
		err = agent_load_settings(a, presets);
	if (err == 0)
		err = keep_load_clock(a->root, &a->watch);
	if (err != 0)
		log_event(LOG_ERROR, "start", LOG_FIELDS(LOG_CODE(err)),
		    "%s: %s",
		    err == MUSTER_E_NOMACHINE ? "machine id" : "state",
		    muster_strerror(err));
	return err == 0 ? agent_scan(a) : err;
}

void
agent_close(struct agent *a)
{
	for (uint32_t i = 0; i < AGENT_PUBLISHERS_MAX; i++)
		free(a->publisher[i].cat);
}
