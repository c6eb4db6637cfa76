/* SPDX-License-Identifier: MIT */
/* check_host.c -- what a host's table holds, against the model. */
#include "sim/check.h"

#include <string.h>

#include "sim/kms.h"

#define DAY_S INT64_C(86400)

struct table {
	struct sim *s;
	uint32_t number, n;
};

static void
check_client(void *arg, const struct store_client *c)
{
	struct table *t = arg;
	struct model *m = t->s->host[t->number].model;
	const struct model_client *mc = model_client(m, c->product, c->cmid);

	t->n++;
	if (!model_has_arrived(m, c->product, c->cmid))
		sim_fail(t->s, "I2", "kms-%u: nobody sent a client of %s",
		    t->number, c->name);
	else if (mc == NULL)
		sim_fail(t->s, "I3", "kms-%u: a client of %s is one too many",
		    t->number, c->name);
	else if (mc->last_unix_s != c->last_unix_s)
		sim_fail(t->s, "I3",
		    "kms-%u: %s was there at %lld last, not at %lld", t->number,
		    c->name, (long long)mc->last_unix_s,
		    (long long)c->last_unix_s);
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

struct likeness {
	const struct model *model;
	uint32_t n, n_alike;
};

static void
compare_client(void *arg, const struct store_client *c)
{
	struct likeness *l = arg;
	const struct model *m = l->model;

	l->n++;
	for (uint32_t i = 0; i < m->n_clients; i++)
		l->n_alike +=
		    memcmp(m->client[i].cmid, c->cmid, MODEL_ID) == 0 &&
		    memcmp(m->client[i].product, c->product, MODEL_ID) == 0 &&
		    m->client[i].last_unix_s == c->last_unix_s;
}

struct keep {
	struct model *model;
	const struct model *all;
};

static void
keep_client(void *arg, const struct store_client *c)
{
	const struct keep *k = arg;

	if (model_client(k->model, c->product, c->cmid) != NULL)
		return;
	for (uint32_t i = 0; i < k->all->n_clients; i++) {
		const struct model_client *was = &k->all->client[i];

		if (memcmp(was->cmid, c->cmid, MODEL_ID) == 0 &&
		    memcmp(was->product, c->product, MODEL_ID) == 0)
			k->model->client[k->model->n_clients++] = *was;
	}
}

void
check_keep(struct sim *s, uint32_t number, const struct model *all)
{
	struct kms *k = &s->host[number];
	struct keep keep = {.model = k->model, .all = all};
	struct count_row row[MODEL_ROWS_MAX];
	size_t n;

	if (store_clients(k->store, keep_client, &keep) != 0)
		sim_fail(s, "store", "kms-%u: no list of its clients", number);
	for (uint32_t g = 0; g < s->swarm.n_groups; g++) {
		struct model_group *to = &k->model->group[g];

		if (store_cached(k->store, s->publisher, g, row, MODEL_ROWS_MAX,
		        &n) != 0)
			continue;
		*to = all->group[g];
		for (uint32_t i = to->n; i-- > 0;) {
			size_t j = 0;

			while (j < n &&
			    memcmp(row[j].cmid, to->row[i].cmid, MODEL_ID) != 0)
				j++;
			if (j == n &&
			    k->idle_unix_s - to->row[i].seen_unix_s >=
			        60 * DAY_S)
				model_take_out(to, i);
		}
	}
}

bool
check_is_model(struct sim *s, uint32_t number, const struct model *m)
{
	struct kms *k = &s->host[number];
	struct count_row row[MODEL_ROWS_MAX];
	struct likeness like = {.model = m};
	size_t n;

	if (store_clients(k->store, compare_client, &like) != 0 ||
	    like.n != m->n_clients || like.n_alike != m->n_clients)
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

void
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
