/* SPDX-License-Identifier: MIT */
#include "discovery/walk.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void
walk_plan_domain(struct walk_plan *plan, const char *domain)
{
	char text[DNS_TEXT_MAX + 1];
	struct dns_name name;
	int err;

	if (plan->n_domains == WALK_DOMAINS_MAX ||
	    dns_name_join(WALK_SERVICE, domain, &name) != 0)
		return;
	err = dns_name_parse(domain, &name);
	assert(err == 0); /* what is a name behind labels is one without */
	if (name.len == 1)
		return;
	dns_name_text(&name, text);
	for (size_t i = 0; i < plan->n_domains; i++) {
		if (strcmp(plan->domain[i], text) == 0)
			return;
	}
	memcpy(plan->domain[plan->n_domains++], text, sizeof(text));
}

void
walk_init(struct walk *w, const struct walk_plan *plan)
{
	w->plan = *plan;
	w->phase = WALK_FIRST;
	w->next_host = w->next_domain = w->next_target = 0;
	w->n_better = w->n_asked = 0;
	w->is_silent = false;
	w->asked_priority = 0;
	w->todo = (struct walk_todo){.act = WALK_END};
	choice_init(&w->choice);
	w->known = plan->known;
	/* what was found elsewhere does not outlive a new setting */
	if (plan->is_only && strcmp(plan->known.domain, plan->domain[0]) != 0)
		w->known.host[0] = '\0';
}

/* Whether another host might be asked after the one that is next. */
static bool
has_more(const struct walk *w)
{
	if (w->plan.n_hosts > 0)
		return w->next_host < w->plan.n_hosts;
	return w->next_domain < w->plan.n_domains ||
	    w->next_target < w->choice.n ||
	    w->phase == WALK_BETTER; /* the host that is remembered */
}

static void
look_up(struct walk *w)
{
	w->todo.act = WALK_LOOK_UP;
	memcpy(w->todo.domain, w->plan.domain[w->next_domain++],
	    sizeof(w->todo.domain));
	w->next_target = 0;
	choice_init(&w->choice);
}

static void
set_host(struct walk *w, const char *host, enum walk_source source)
{
	w->todo.act = WALK_ASK;
	w->todo.source = source;
	(void)snprintf(w->todo.host, sizeof(w->todo.host), "%s", host);
	w->todo.has_more = has_more(w);
}

/* False where it was asked already. */
static bool
ask(struct walk *w, const char *host, enum walk_source source)
{
	for (size_t i = 0; i < w->n_asked; i++) {
		if (strcmp(w->asked[i], host) == 0)
			return false;
	}
	if (w->n_asked < WALK_ASKED_MAX)
		(void)snprintf(w->asked[w->n_asked++], WALK_HOST_MAX + 1, "%s",
		    host);
	set_host(w, host, source);
	return true;
}

/* Not asked before: none of the better ones is it. */
static void
ask_known(struct walk *w)
{
	const struct walk_known *k = &w->known;

	w->phase = WALK_KNOWN_HOST;
	w->asked_priority = k->priority;
	memcpy(w->todo.domain, k->domain, sizeof(w->todo.domain));
	(void)ask(w, k->host, WALK_KNOWN);
}

static void
host_of(const struct dns_srv *srv, char *out)
{
	char name[DNS_TEXT_MAX + 1];

	dns_name_text(&srv->target, name);
	(void)snprintf(out, WALK_HOST_MAX + 1, "%s:%u", name,
	    (unsigned)srv->port);
}

/* The next target of the domain that was looked up last; false: none. */
static bool
ask_target(struct walk *w)
{
	while (w->next_target < w->choice.n) {
		const struct dns_srv *srv = &w->choice.srv[w->next_target++];
		char host[WALK_HOST_MAX + 1];

		host_of(srv, host);
		w->asked_priority = srv->priority;
		memcpy(w->todo.domain, w->plan.domain[w->next_domain - 1],
		    sizeof(w->todo.domain));
		if (ask(w, host, WALK_DNS))
			return true;
	}
	return false;
}

/*
 * Is the next target a better one than the host that is remembered?  A domain
 * that is looked up earlier than its own goes before it.
 */
static bool
is_next_better(const struct walk *w)
{
	const struct walk_known *k = &w->known;
	const struct dns_srv *srv = &w->choice.srv[w->next_target];
	char host[WALK_HOST_MAX + 1];

	if (w->next_target >= w->choice.n || w->n_better == WALK_BETTER_MAX)
		return false;
	host_of(srv, host);
	if (strcmp(host, k->host) == 0)
		return false;
	return strcmp(w->plan.domain[w->next_domain - 1], k->domain) != 0 ||
	    srv->priority < k->priority;
}

/* The host that is remembered has this priority by now. */
static void
refresh_known(struct walk *w)
{
	struct walk_known *k = &w->known;
	char host[WALK_HOST_MAX + 1];

	if (strcmp(w->plan.domain[w->next_domain - 1], k->domain) != 0)
		return;
	for (size_t i = 0; i < w->choice.n; i++) {
		host_of(&w->choice.srv[i], host);
		if (strcmp(host, k->host) == 0)
			k->priority = w->choice.srv[i].priority;
	}
}

/* One static host after another. */
static void
step_static(struct walk *w)
{
	if (w->next_host == w->plan.n_hosts)
		return;
	w->next_host++;
	set_host(w, w->plan.host[w->next_host - 1], WALK_STATIC);
}

/* A renewal, before the host that is remembered is asked. */
static void
step_better(struct walk *w)
{
	if (w->choice.n == 0 && !w->is_silent &&
	    w->next_domain < w->plan.n_domains) {
		look_up(w);
		return;
	}
	if (is_next_better(w)) {
		w->n_better++;
		/* one choice names a host once, so it was not asked yet */
		w->todo.is_brief = ask_target(w);
		return;
	}
	ask_known(w);
}

static void
step_dns(struct walk *w)
{
	if (w->phase == WALK_FIRST && w->known.host[0] != '\0') {
		if (!w->plan.is_renewal) {
			ask_known(w);
			return;
		}
		w->phase = WALK_BETTER;
	}
	if (w->phase == WALK_BETTER) {
		step_better(w);
		return;
	}
	w->phase = WALK_TARGETS;
	if (ask_target(w))
		return;
	if (w->next_domain < w->plan.n_domains)
		look_up(w);
	else
		w->todo.act = WALK_END;
}

void
walk_step(struct walk *w, const struct walk_event *ev,
    struct walk_todo *todo_out)
{
	if (ev->kind == WALK_RESPONDED) {
		w->todo.act = WALK_END; /* the rest says who it was */
		*todo_out = w->todo;
		return;
	}
	w->todo = (struct walk_todo){.act = WALK_END};
	if (ev->kind == WALK_LOOKED_UP && ev->err == 0) {
		choice_order(&w->choice, ev->draw, ev->arg);
		refresh_known(w);
	} else if (ev->kind == WALK_LOOKED_UP) {
		choice_init(&w->choice);
		w->is_silent |= ev->err == MUSTER_E_DNS_TIMEOUT;
	}
	if (w->plan.n_hosts > 0)
		step_static(w);
	else
		step_dns(w);
	*todo_out = w->todo;
}

bool
walk_known(const struct walk *w, struct walk_known *known_out)
{
	const struct walk_known *old = &w->plan.known;
	struct walk_known k = {.priority = w->asked_priority};

	if (w->todo.source != WALK_KNOWN && w->todo.source != WALK_DNS)
		return false;
	memcpy(k.host, w->todo.host, sizeof(k.host));
	memcpy(k.domain, w->todo.domain, sizeof(k.domain));
	if (strcmp(k.host, old->host) == 0 &&
	    strcmp(k.domain, old->domain) == 0 && k.priority == old->priority)
		return false;
	*known_out = k;
	return true;
}
