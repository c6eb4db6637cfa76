/* SPDX-License-Identifier: MIT */
#include "client/round.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/resolve.h"

void
round_prepare(struct round *r, const struct life *l, const struct life_env *env,
    const struct life_todo *todo, const char *name)
{
	asking_begin(&r->asking, l, env, todo, name);
	r->err = 0;
	r->n_outcomes = 0;
	r->is_known_new = false;
	r->source = WALK_NOWHERE;
	r->host[0] = r->domain[0] = '\0';
}

void
round_where(struct round_where *where, const struct agent_settings *s,
    const char *root, const char *resolver)
{
	*where = (struct round_where){.root = root,
	    .resolver = resolver,
	    .n_hosts = s->n_hosts,
	    .is_caching = s->is_caching};
	for (uint32_t i = 0; i < s->n_hosts; i++)
		memcpy(where->host[i], s->host[i], sizeof(s->host[i]));
	memcpy(where->domain, s->domain, sizeof(where->domain));
}

/* The next place; the last one is used again when all are full. */
static struct round_outcome *
outcome_next(struct round *r, const char *text)
{
	struct round_outcome *o;

	if (r->n_outcomes < ROUND_OUTCOMES_MAX)
		r->n_outcomes++;
	o = &r->outcome[r->n_outcomes - 1];
	*o = (struct round_outcome){.err = 0};
	(void)snprintf(o->text, sizeof(o->text), "%s", text);
	return o;
}

static void
fill(void *arg, uint8_t *out, size_t len)
{
	(void)arg;
	randombytes_buf(out, len);
}

static int
ask(struct round *r, const struct walk_todo *todo,
    const struct exchange_target *target, const struct resolvconf *conf)
{
	struct asking *a = &r->asking;
	struct exchange x = {.target = target,
	    .conf = conf,
	    .connect_ms = asking_connect_ms(todo),
	    .lookup_ms = r->end_ms};
	uint8_t body[RPC_BODY_MAX];
	struct round_outcome *o;
	size_t len = 0;
	int err = asking_make(a, clock_unix_s(), fill, NULL);

	if (err != 0)
		return err;
	o = outcome_next(r, target->text);
	memcpy(o->request, a->request.args.nonce, WIRE_REQUEST_LEN);
	o->err = exchange_run(&x, a->request.record, a->request.record_len,
	    body, &len);
	if (o->err == 0)
		o->err = asking_judge(a, body, len, clock_unix_s());
	if (o->err == MUSTER_E_REFUSED) {
		o->status = a->reply.status;
		o->host_unix_s = a->reply.host_unix_s;
		o->busy_s = a->reply.busy_s;
	}
	return 0;
}

/* One host: the event that tells the walk what came of it. */
static enum walk_kind
do_ask(struct round *r, const struct walk_todo *todo,
    const struct resolvconf *conf)
{
	struct exchange_target target;
	int err = exchange_parse(todo->host, &target);

	/* a static host is one: settings_check(); a name server may say more */
	if (err != 0)
		outcome_next(r, todo->host)->err = err;
	else if (todo->source != WALK_STATIC)
		exchange_whole(&target);
	if (err == 0)
		r->err = ask(r, todo, &target, conf);
	if (!r->asking.has_reply)
		return WALK_FAILED;
	memcpy(r->host, target.text, sizeof(r->host));
	memcpy(r->domain, todo->domain, sizeof(r->domain));
	r->source = todo->source;
	return WALK_RESPONDED;
}

static int
do_look_up(struct round *r, const struct walk_todo *todo,
    const struct resolvconf *conf, struct choice *choice)
{
	int err = resolve_srv(conf, todo->domain, r->end_ms, choice);
	struct round_outcome *o;

	if (err != 0) {
		o = outcome_next(r, todo->domain);
		o->is_lookup = true;
		o->err = err;
	}
	return err;
}

void
round_domains(const struct round_where *where, const struct resolvconf *conf,
    struct walk_plan *plan)
{
	plan->is_only = where->domain[0] != '\0';
	if (plan->is_only)
		walk_plan_domain(plan, where->domain);
	for (size_t i = 0; !plan->is_only && i < conf->n_domains; i++)
		walk_plan_domain(plan, conf->domain[i]);
}

static void
make_plan(const struct round *r, const struct resolvconf *conf,
    struct walk_plan *plan)
{
	const struct round_where *where = &r->where;

	*plan = (struct walk_plan){.n_hosts = where->n_hosts,
	    .is_renewal = r->asking.licence == WIRE_LICENSED};
	memcpy(plan->host, where->host, sizeof(plan->host));
	round_domains(where, conf, plan);
	if (where->is_caching)
		plan->known = r->known;
}

static void
walk_through(struct round *r, struct walk *w, const struct resolvconf *conf)
{
	struct walk_event ev = {.kind = WALK_BEGIN, .draw = resolve_draw};
	struct walk_todo todo;

	r->end_ms = clock_mono_ms() + ASKING_ROUND_MS;
	walk_step(w, &ev, &todo);
	if (todo.act == WALK_END)
		r->err = MUSTER_E_NOENT;
	while (todo.act != WALK_END && r->err == 0 &&
	    clock_mono_ms() < r->end_ms) {
		if (todo.act == WALK_ASK) {
			ev.kind = do_ask(r, &todo, conf);
		} else {
			ev.kind = WALK_LOOKED_UP;
			ev.err = do_look_up(r, &todo, conf, &w->choice);
		}
		walk_step(w, &ev, &todo);
	}
	if (r->asking.has_reply && r->where.is_caching)
		r->is_known_new = walk_known(w, &r->known);
}

void
round_run(struct round *r)
{
	struct walk *w = malloc(sizeof(*w));
	struct resolvconf conf;
	struct walk_plan plan;

	if (w == NULL)
		r->err = MUSTER_E_NOMEM;
	if (r->err == 0)
		r->err =
		    resolvconf_load(r->where.root, r->where.resolver, &conf);
	if (r->err == 0) {
		make_plan(r, &conf, &plan);
		walk_init(w, &plan);
		walk_through(r, w, &conf);
	}
	free(w);
}
