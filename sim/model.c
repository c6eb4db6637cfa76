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
	memset(m->first, 0, sizeof(m->first));
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
	memcpy(out->previous, args + 72, MODEL_TAG);
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
		/* random bytes differ in the first, mostly */
		if (list[i].cmid[0] == cmid[0] &&
		    memcmp(list[i].cmid, cmid, MODEL_ID) == 0 &&
		    (product == NULL ||
		        memcmp(list[i].product, product, MODEL_ID) == 0))
			return &list[i];
	}
	return NULL;
}

static struct model_client *
find_or_add(struct model *m, const struct model_request *r)
{
	struct model_client *c =
	    find(m->client, m->n_clients, r->product, r->cmid);

	if (c != NULL)
		return c;
	if (m->n_clients == MODEL_CLIENTS_MAX) {
		m->is_full = true;
		return &m->client[0];
	}
	c = &m->client[m->n_clients++];
	memset(c, 0, sizeof(*c));
	memcpy(c->product, r->product, MODEL_ID);
	memcpy(c->cmid, r->cmid, MODEL_ID);
	return c;
}

/* CMIDs are random bytes. */
static uint32_t
bucket_of(const uint8_t *cmid)
{
	return (cmid[MODEL_ID - 1] << 8 | cmid[MODEL_ID - 2]) &
	    (MODEL_BUCKETS - 1);
}

void
model_arrive(struct model *m, const struct model_request *r)
{
	uint16_t *first = &m->first[bucket_of(r->cmid)];
	struct model_arrived *a = &m->arrived[m->n_arrived];

	if (model_has_arrived(m, r->product, r->cmid))
		return;
	if (m->n_arrived == MODEL_CLIENTS_MAX) {
		m->is_full = true;
		return;
	}
	memcpy(a->product, r->product, MODEL_ID);
	memcpy(a->cmid, r->cmid, MODEL_ID);
	a->next = *first;
	*first = (uint16_t)++m->n_arrived;
}

bool
model_has_arrived(const struct model *m, const uint8_t *product,
    const uint8_t *cmid)
{
	const struct model_arrived *a;

	for (uint32_t i = m->first[bucket_of(cmid)]; i != 0; i = a->next) {
		a = &m->arrived[i - 1];
		if (memcmp(a->cmid, cmid, MODEL_ID) == 0 &&
		    (product == NULL ||
		        memcmp(a->product, product, MODEL_ID) == 0))
			return true;
	}
	return false;
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

void
model_take_out(struct model_group *g, uint32_t i)
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
			model_take_out(g, i);
			break;
		}
	}
	if (g->n == g->capacity) {
		model_take_out(g, 0);
		m->stats.evicted++;
	}
	if (g->n == MODEL_ROWS_MAX) {
		m->is_full = true;
		return 0;
	}
	memcpy(g->row[g->n].cmid, r->cmid, MODEL_ID);
	g->row[g->n++].seen_unix_s = seen_unix_s;

	c = find_or_add(m, r);
	c->last_unix_s = now_unix_s;
	return model_count(m, group, seen_unix_s);
}

bool
model_reply(struct model *m, const struct model_request *r, const uint8_t *tag)
{
	struct model_client *c =
	    find(m->client, m->n_clients, r->product, r->cmid);
	struct model_replies *k = c == NULL ? NULL : &c->replies;
	bool is_second = false;

	if (k == NULL)
		return false;
	if (k->is_any && memcmp(r->previous, k->newest, MODEL_TAG) != 0) {
		for (uint32_t i = 0; i < k->n_passed; i++)
			is_second |=
			    memcmp(r->previous, k->passed[i], MODEL_TAG) == 0;
		is_second &= memcmp(r->previous, k->named, MODEL_TAG) != 0;
		/* the reply that was the newest is passed over now */
		if (k->n_passed == MODEL_PASSED) {
			memmove(k->passed[0], k->passed[1],
			    (MODEL_PASSED - 1) * sizeof(k->passed[0]));
			k->n_passed--;
		}
		memcpy(k->passed[k->n_passed++], k->newest, MODEL_TAG);
	}
	k->is_any = true;
	memcpy(k->named, r->previous, MODEL_TAG);
	memcpy(k->newest, tag, MODEL_TAG);
	return is_second;
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
				model_take_out(g, i);
				m->stats.cleaned++;
			}
		}
	}
}
