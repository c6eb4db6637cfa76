/* SPDX-License-Identifier: MIT */
#include "client/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/resolve.h"

/* ---- whom ---- */

static void
add(struct doctor *d, const char *text, const char *domain,
    const struct dns_srv *srv)
{
	struct doctor_target *t;

	for (size_t i = 0; i < d->n_targets; i++) {
		if (strcmp(d->target[i].text, text) == 0)
			return;
	}
	if (d->n_targets == DOCTOR_TARGETS_MAX) {
		d->n_more++;
		return;
	}
	t = &d->target[d->n_targets++];
	*t = (struct doctor_target){.step = DOCTOR_STEPS};
	(void)snprintf(t->text, sizeof(t->text), "%s", text);
	(void)snprintf(t->domain, sizeof(t->domain), "%s", domain);
	if (srv != NULL) {
		t->priority = srv->priority;
		t->weight = srv->weight;
	}
}

static void
look_up(struct doctor *d, const char *domain, const struct resolvconf *conf,
    struct choice *choice)
{
	struct doctor_domain *found = &d->domain[d->n_domains++];
	char name[DNS_TEXT_MAX + 1], text[EXCHANGE_TEXT_MAX + 1];

	(void)snprintf(found->domain, sizeof(found->domain), "%s", domain);
	choice_init(choice);
	found->err =
	    resolve_srv(conf, domain, stream_end_ms(RESOLVE_MS), choice);
	if (found->err != 0)
		return;
	found->n_records = choice->n;
	choice_order(choice, resolve_draw, NULL);
	for (size_t i = 0; i < choice->n; i++) {
		dns_name_text(&choice->srv[i].target, name);
		(void)snprintf(text, sizeof(text), "%s:%u", name,
		    choice->srv[i].port);
		add(d, text, domain, &choice->srv[i]);
	}
}

static void
find(struct doctor *d, const struct resolvconf *conf, struct choice *choice)
{
	struct walk_plan plan = {.n_domains = 0};

	for (size_t i = 0; i < d->where.n_hosts; i++)
		add(d, d->where.host[i], "", NULL);
	if (d->where.n_hosts > 0)
		return;
	round_domains(&d->where, conf, &plan);
	for (size_t i = 0; i < plan.n_domains; i++)
		look_up(d, plan.domain[i], conf, choice);
}

/* ---- each step ---- */

static const enum doctor_step step_of_phase[] = {
    [EXCHANGE_NAME] = DOCTOR_NAME,
    [EXCHANGE_CONNECT] = DOCTOR_CONNECT,
    [EXCHANGE_ANSWER] = DOCTOR_ANSWER,
};

static void
fail(struct doctor_target *t, enum doctor_step step, int err)
{
	t->step = step;
	t->err = err;
}

static void
examine(const struct doctor *d, struct doctor_target *t,
    const struct resolvconf *conf)
{
	enum exchange_phase phase = EXCHANGE_NAME;
	int err = exchange_parse(t->text, &t->target);

	if (err != 0) {
		fail(t, DOCTOR_NAME, err);
		return;
	}
	if (t->domain[0] != '\0')
		exchange_whole(&t->target);
	err = probe_null(&t->target, conf, &phase, &t->took_ms);
	if (err != 0) {
		fail(t, step_of_phase[phase], err);
		return;
	}
	err = probe_cover(&t->target, conf, d->cat, &phase, &t->cover);
	t->status = t->cover.status;
	if (probe_is_unheard(phase, err))
		fail(t, step_of_phase[phase], err);
	else if (err == MUSTER_E_CLOCK)
		fail(t, DOCTOR_CLOCK, err);
	else if (err != 0)
		fail(t, DOCTOR_CERTIFICATE, err);
	else if (!cert_covers(&t->cover.cert, d->product->line,
	             d->product->level))
		fail(t, DOCTOR_PRODUCT, MUSTER_E_LEVEL);
}

size_t
doctor_choose(const struct doctor *d)
{
	/* static hosts are asked in order, and none is remembered (b22) */
	bool has_known = d->where.n_hosts == 0 && d->where.is_caching;
	size_t chosen = d->n_targets;

	for (size_t i = 0; i < d->n_targets; i++) {
		const struct doctor_target *t = &d->target[i];

		if (t->step != DOCTOR_STEPS)
			continue;
		/* a domain that is looked up earlier goes before (walk.h) */
		if (chosen == d->n_targets ||
		    (has_known && strcmp(t->text, d->known) == 0 &&
		        strcmp(t->domain, d->target[chosen].domain) == 0 &&
		        t->priority <= d->target[chosen].priority))
			chosen = i;
	}
	return chosen;
}

static void
ask_chosen(const struct doctor *d, struct doctor_target *t,
    const struct resolvconf *conf)
{
	uint8_t machine[WIRE_ID_LEN];
	enum exchange_phase phase = EXCHANGE_NAME;
	struct reply reply = {.status = WIRE_OK};
	int err;

	machine_fingerprint(d->machine, d->cat->head.publisher, machine);
	err = probe_activate(&t->target, conf, d->cat, d->product, machine,
	    &phase, &reply);
	t->is_chosen = true;
	t->status = reply.status;
	t->count = reply.count;
	if (err == 0 && reply.count < d->product->threshold)
		err = MUSTER_E_COUNT;
	if (probe_is_unheard(phase, err))
		fail(t, step_of_phase[phase], err);
	else if (err != 0)
		fail(t, DOCTOR_COUNT, err);
}

int
doctor_run(struct doctor *d)
{
	struct choice *choice = malloc(sizeof(*choice));
	struct resolvconf conf;
	size_t chosen;
	int err = choice == NULL ? MUSTER_E_NOMEM : 0;

	d->n_domains = d->n_targets = d->n_more = 0;
	if (err == 0)
		err = resolvconf_load(d->where.root, d->where.resolver, &conf);
	if (err == 0) {
		find(d, &conf, choice);
		for (size_t i = 0; i < d->n_targets; i++)
			examine(d, &d->target[i], &conf);
		chosen = doctor_choose(d);
		if (chosen < d->n_targets)
			ask_chosen(d, &d->target[chosen], &conf);
	}
	free(choice);
	return err;
}
