/* SPDX-License-Identifier: MIT */
/* What administrators do: settings, rearm, generalize. */
#include <string.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/paths.h"

/* ---- settings ---- */

/* Nothing is remembered, of any publisher. */
static int
forget(struct agent *a)
{
	int err = 0;

	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX && err == 0; i++) {
		struct agent_product *p = &a->product[i];

		if (!p->is_used)
			continue;
		p->publisher->known.host[0] = '\0';
		err = keep_save_known(&p->keep, p->publisher->id,
		    &p->publisher->known);
	}
	return err;
}

int
agent_save_settings(struct agent *a, const struct agent_settings *s)
{
	int err = keep_save_settings(a->root, s);

	if (err == 0 || err == MUSTER_E_UNSURE)
		a->settings = *s;
	return err == 0 && !s->is_caching ? forget(a) : err;
}

int
agent_load_settings(struct agent *a, const struct agent_settings *presets)
{
	int err;

	a->settings = *presets;
	err = keep_load_settings(a->root, &a->settings);
	if (err == MUSTER_E_NOENT)
		return 0;
	if (err == 0 || err == MUSTER_E_DENIED || err == MUSTER_E_IO)
		return err;
	log_line(LOG_WARN, "state",
	    PATH_AGENT_STATE "/settings.state is damaged, or others may write "
	                     "it; agent.conf holds; set hosts anew by `muster "
	                     "set-host`");
	a->settings = *presets;
	return 0;
}

/* ---- rearm and generalize ---- */

static bool
is_named(const struct agent_ids *ids, const uint8_t *product)
{
	for (uint32_t i = 0; i < ids->n; i++) {
		if (memcmp(ids->id[i], product, WIRE_ID_LEN) == 0)
			return true;
	}
	return ids->n == 0;
}

static int
may_rearm(struct agent *a, const struct agent_ids *ids,
    const struct agent_product **which_out)
{
	*which_out = NULL;
	if (a->n_rounds != 0)
		return MUSTER_E_AGAIN;
	for (uint32_t i = 0; i < ids->n; i++) {
		if (agent_find(a, ids->id[i]) == NULL)
			return MUSTER_E_PRODUCT;
	}
	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX; i++) {
		const struct agent_product *p = &a->product[i];

		if (p->is_used && is_named(ids, p->env.product->id) &&
		    p->life.state.rearms >= p->env.product->rearms) {
			*which_out = p;
			return MUSTER_E_RANGE;
		}
	}
	return 0;
}

int
agent_rearm(struct agent *a, const struct agent_ids *ids,
    const struct agent_product **which_out)
{
	bool is_touched[AGENT_PUBLISHERS_MAX] = {false};
	int err = may_rearm(a, ids, which_out);

	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX && err == 0; i++) {
		const struct agent_product *p = &a->product[i];
		uint8_t cmid[WIRE_ID_LEN];

		if (!p->is_used || !is_named(ids, p->env.product->id) ||
		    is_touched[p->publisher - a->publisher])
			continue;
		is_touched[p->publisher - a->publisher] = true;
		agent_random_cmid(cmid);
		life_rearm(&p->publisher->state, cmid);
	}
	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX && err == 0; i++) {
		struct agent_product *p = &a->product[i];
		struct life_event ev = {.kind = LIFE_NEW_CMID};

		if (!p->is_used || !is_touched[p->publisher - a->publisher])
			continue;
		if (is_named(ids, p->env.product->id))
			ev.kind = LIFE_REARM;
		err = agent_event(p, &ev);
	}
	return err;
}

int
agent_generalize(struct agent *a)
{
	int err = a->n_rounds != 0 ? MUSTER_E_AGAIN : 0;

	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX && err == 0; i++) {
		struct agent_product *p = &a->product[i];

		if (!p->is_used)
			continue;
		a->is_generalized = true;
		p->has_wake = false;
		life_generalize(&p->publisher->state);
		life_generalize_product(&p->life.state);
		p->life.has_lease = false;
		err = keep_drop_lease(&p->keep);
		if (err == 0)
			err = keep_save(&p->keep, &p->life);
	}
	if (err == 0)
		err = forget(a); /* a copy may wake up on another network */
	if (err == 0) {
		a->is_generalized = true;
		log_line(LOG_NOTE, "generalized",
		    "no CMID and no lease are left; start the agent again to "
		    "go on");
	}
	return err;
}
