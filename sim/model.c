/* SPDX-License-Identifier: MIT */
#include "sim/model.h"

#include <string.h>

#define DAY_S INT64_C(86400)

void
model_init(struct model *m)
{
	for (uint32_t i = 0; i < MODEL_GROUPS; i++)
		m->group[i].n = m->group[i].capacity = 0;
	m->n_clients = m->n_arrived = 0;
	m->is_full = false;
	m->stats = (struct model_stats){0};
}

bool
model_read(const uint8_t *record, size_t len, struct model_request *out)
{
	const uint8_t *args = record + MODEL_CALL;

	if (len < MODEL_CALL + 88)
		return false;
	memcpy(out->product, args, MODEL_ID);
	memcpy(out->cmid, args + 16, MODEL_ID);
	memcpy(out->machine, args + 48, MODEL_ID);
	out->time_unix_s = 0;
	for (size_t i = 80; i < 88; i++)
		out->time_unix_s = out->time_unix_s << 8 | args[i];
	return true;
}

static struct model_client *
find(struct model_client *list, uint32_t n, const uint8_t *product,
    const uint8_t *cmid)
{
	for (uint32_t i = 0; i < n; i++) {
		if (memcmp(list[i].cmid, cmid, MODEL_ID) == 0 &&
		    (product == NULL ||
		        memcmp(list[i].product, product, MODEL_ID) == 0))
			return &list[i];
	}
	return NULL;
}

static struct model_client *
find_or_add(struct model *m, struct model_client *list, uint32_t *n,
    const struct model_request *r)
{
	struct model_client *c = find(list, *n, r->product, r->cmid);

	if (c != NULL)
		return c;
	if (*n == MODEL_CLIENTS_MAX) {
		m->is_full = true;
		return &list[0];
	}
	c = &list[(*n)++];
	memset(c, 0, sizeof(*c));
	memcpy(c->product, r->product, MODEL_ID);
	memcpy(c->cmid, r->cmid, MODEL_ID);
	return c;
}

void
model_arrive(struct model *m, const struct model_request *r)
{
	(void)find_or_add(m, m->arrived, &m->n_arrived, r);
}

bool
model_has_arrived(const struct model *m, const uint8_t *product,
    const uint8_t *cmid)
{
	/* find() changes nothing */
	return find((struct model_client *)(uintptr_t)m->arrived, m->n_arrived,
	           product, cmid) != NULL;
}

struct model_client *
model_client(struct model *m, const uint8_t *product, const uint8_t *cmid)
{
	return find(m->client, m->n_clients, product, cmid);
}

uint32_t
model_count(struct model *m, uint32_t group, int64_t now_unix_s)
{
	struct model_group *g = &m->group[group];
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->n; i++) {
		if (g->row[i].seen_unix_s > now_unix_s + 4 * 3600) {
			g->row[i].seen_unix_s = now_unix_s;
			m->stats.repaired++;
		}
		if (now_unix_s - g->row[i].seen_unix_s < 30 * DAY_S)
			n++;
	}
	return n;
}

static void
take_out(struct model_group *g, uint32_t i)
{
	memmove(&g->row[i], &g->row[i + 1], (g->n - i - 1) * sizeof(g->row[0]));
	g->n--;
}

uint32_t
model_accept(struct model *m, uint32_t group, const struct model_request *r,
    int64_t seen_unix_s, int64_t now_unix_s, uint32_t threshold)
{
	struct model_group *g = &m->group[group];
	struct model_client *c;

	(void)model_count(m, group, seen_unix_s);
	if (g->capacity < 2 * threshold)
		g->capacity = 2 * threshold;
	for (uint32_t i = 0; i < g->n; i++) {
		if (memcmp(g->row[i].cmid, r->cmid, MODEL_ID) == 0) {
			take_out(g, i);
			break;
		}
	}
	if (g->n == g->capacity) {
		take_out(g, 0);
		m->stats.evicted++;
	}
	if (g->n == MODEL_ROWS_MAX) {
		m->is_full = true;
		return 0;
	}
	memcpy(g->row[g->n].cmid, r->cmid, MODEL_ID);
	g->row[g->n++].seen_unix_s = seen_unix_s;

	c = find_or_add(m, m->client, &m->n_clients, r);
	c->last_unix_s = now_unix_s;
	return model_count(m, group, seen_unix_s);
}

void
model_idle(struct model *m, int64_t now_unix_s, uint32_t retention_days)
{
	for (uint32_t i = m->n_clients; i-- > 0;) {
		if (m->client[i].last_unix_s <=
		    now_unix_s - retention_days * DAY_S) {
			m->client[i] = m->client[--m->n_clients];
			m->stats.forgotten++;
		}
	}
	for (uint32_t k = 0; k < MODEL_GROUPS; k++) {
		struct model_group *g = &m->group[k];

		for (uint32_t i = g->n; i-- > 0;) {
			if (now_unix_s - g->row[i].seen_unix_s >= 60 * DAY_S) {
				take_out(g, i);
				m->stats.cleaned++;
			}
		}
	}
}
