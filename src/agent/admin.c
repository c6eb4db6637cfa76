/* SPDX-License-Identifier: MIT */
/* What administrators do: settings, rearm, generalize. */
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "base/log.h"
#include "base/paths.h"
#include "client/image.h"

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
	log_event(LOG_WARN, "state",
	    LOG_FIELDS(LOG_TEXT(FILE, PATH_AGENT_STATE "/settings.state")),
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

/* What a rearm goes back to where it cannot be written. */
struct undo {
	bool has_publisher[AGENT_PUBLISHERS_MAX];
	struct state_publisher publisher[AGENT_PUBLISHERS_MAX];
	bool has_life[AGENT_PRODUCTS_MAX];
	struct life life[AGENT_PRODUCTS_MAX];
	/* what may not be on disk any more as it was */
	bool has_written[AGENT_PRODUCTS_MAX];
	bool has_dropped[AGENT_PRODUCTS_MAX];
	const char *intact; /* the file whose writing failed, or NULL */
};

static void
renew_cmids(struct agent *a, const struct agent_ids *ids, struct undo *u)
{
	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX; i++) {
		const struct agent_product *p = &a->product[i];
		size_t k =
		    p->is_used ? (size_t)(p->publisher - a->publisher) : 0;
		uint8_t cmid[WIRE_ID_LEN];

		if (!p->is_used || !is_named(ids, p->env.product->id) ||
		    u->has_publisher[k])
			continue;
		u->has_publisher[k] = true;
		u->publisher[k] = p->publisher->state;
		agent_random_cmid(cmid);
		life_rearm(&p->publisher->state, cmid);
	}
}

static void
step_rearm(struct agent *a, const struct agent_ids *ids,
    const struct life_now *now, struct undo *u)
{
	renew_cmids(a, ids, u);
	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX; i++) {
		struct agent_product *p = &a->product[i];
		struct life_event ev = {.kind = LIFE_NEW_CMID};

		if (!p->is_used ||
		    !u->has_publisher[p->publisher - a->publisher])
			continue;
		if (is_named(ids, p->env.product->id))
			ev.kind = LIFE_REARM;
		u->has_life[i] = true;
		u->life[i] = p->life;
		life_step(&p->life, &p->env, &ev, now, &p->todo);
	}
}

/* States first, leases last: life.h, "Rearm". */
static int
write_rearm(struct agent *a, struct undo *u)
{
	int err = 0;

	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX && err == 0; i++) {
		struct agent_product *p = &a->product[i];

		if (!u->has_life[i])
			continue;
		err = keep_save(&p->keep, &p->life);
		u->has_written[i] = true;
		if (err != 0 && err != MUSTER_E_UNSURE)
			u->intact = p->keep.at;
	}
	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX && err == 0; i++) {
		if (!u->has_life[i] || !a->product[i].todo.drop_lease)
			continue;
		err = keep_drop_lease(&a->product[i].keep);
		u->has_dropped[i] = err == 0 || err == MUSTER_E_UNSURE;
	}
	return err;
}

/* Everything is as it was, in memory and, where that can be, on disk. */
static int
undo_rearm(struct agent *a, const struct undo *u, const struct life_now *now,
    int why)
{
	int err = 0;

	for (uint32_t i = 0; i < AGENT_PUBLISHERS_MAX; i++) {
		if (u->has_publisher[i])
			a->publisher[i].state = u->publisher[i];
	}
	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX; i++) {
		struct agent_product *p = &a->product[i];
		int lease_err = 0, state_err = 0;

		if (!u->has_life[i])
			continue;
		p->life = u->life[i];
		if (u->has_written[i])
			state_err = keep_save(&p->keep, &p->life);
		/* nothing is to be put back from there on */
		if (state_err != 0 && p->keep.at == u->intact)
			state_err = 0;
		if (u->has_dropped[i])
			lease_err = keep_save_lease(&p->keep, &p->life.lease);
		p->is_unsaved = state_err != 0;
		p->is_lease_unsure = lease_err != 0;
		if (state_err == 0 && lease_err == 0)
			continue;
		err = p->disk_err = MUSTER_E_UNSURE;
		agent_plan_wake(p, now);
	}
	if (a->on_plan != NULL)
		a->on_plan(a);
	if (err != 0)
		return err;
	return why == MUSTER_E_UNSURE ? MUSTER_E_IO : why;
}

static void
finish_rearm(struct agent *a, const struct life_now *now, const struct undo *u)
{
	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX; i++) {
		struct agent_product *p = &a->product[i];

		if (!u->has_life[i])
			continue;
		p->disk_err = 0;
		p->is_unsaved = p->is_lease_unsure = false;
		agent_go_on(p, now);
	}
}

int
agent_rearm(struct agent *a, const struct agent_ids *ids,
    const struct agent_product **which_out)
{
	const struct life_now now = agent_now(a, false);
	int err = may_rearm(a, ids, which_out);
	struct undo *u;

	if (err != 0)
		return err;
	u = calloc(1, sizeof(*u));
	if (u == NULL)
		return MUSTER_E_NOMEM;
	step_rearm(a, ids, &now, u);
	err = write_rearm(a, u);
	if (err != 0) {
		err = undo_rearm(a, u, &now, err);
		log_event(LOG_ERROR, "state", LOG_FIELDS(LOG_CODE(err)),
		    "rearm: cannot write: %s", muster_strerror(err));
	} else {
		finish_rearm(a, &now, u);
	}
	free(u);
	return err;
}

int
agent_generalize(struct agent *a)
{
	char at[FILE_PATH_MAX] = "";
	int err = 0;

	if (a->n_rounds != 0)
		return MUSTER_E_AGAIN;
	/* from here on nothing is asked for: a CMID may be gone already */
	a->is_generalized = true;
	for (uint32_t i = 0; i < AGENT_PRODUCTS_MAX; i++) {
		struct agent_product *p = &a->product[i];

		if (!p->is_used)
			continue;
		/* what is to be written yet counts for the image too */
		if (err == 0 && p->is_unsaved)
			err = keep_save(&p->keep, &p->life);
		p->has_wake = false;
		life_generalize(&p->publisher->state);
		life_generalize_product(&p->life.state);
		p->life.has_lease = p->life.has_offer = false;
	}
	if (err == 0)
		err = image_make(a->root, at);
	if (err != 0)
		log_event(LOG_ERROR, "generalize",
		    LOG_FIELDS(LOG_TEXT(FILE, at), LOG_CODE(err)), "%s: %s", at,
		    muster_strerror(err));
	else
		log_line(LOG_NOTE, "generalized",
		    "no CMID and no lease are left; start the agent again to "
		    "go on");
	return err;
}
