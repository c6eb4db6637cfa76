/* SPDX-License-Identifier: MIT */
#include "sim/watch.h"

#include <string.h>

#define DAY_S 86400U

void
watch_init(struct watch *w)
{
	memset(w, 0, sizeof(*w));
	memset(w->day, 0xff, sizeof(w->day)); /* no sample: the largest */
	for (uint32_t i = 0; i < SITE_CLASSES_MAX; i++)
		w->class[i].first_s = w->class[i].all_s = WATCH_NEVER;
	for (uint32_t h = 0; h < SITE_HOSTS_MAX; h++) {
		for (uint32_t p = 0; p < SITE_PRODUCTS_MAX; p++)
			w->count[h][p].reached_s = WATCH_NEVER;
	}
}

void
watch_answer(struct watch *w, const struct site *site,
    const struct watch_machine *m, uint32_t count)
{
	const struct site_class *c = &site->class[m->class];
	struct watch_class *k = &w->class[m->class];

	k->answers++;
	if (k->first_s != WATCH_NEVER &&
	    count < site->product[c->product].threshold)
		k->below++;
}

void
watch_licence(struct watch *w, const struct site *site, struct watch_machine *m,
    const struct watch_change *c)
{
	struct watch_class *k = &w->class[m->class];

	if (c->is_licensed && !m->has_licence) {
		m->has_licence = true;
		if (k->n_licensed++ == 0)
			k->first_s = c->at_s;
		if (k->n_licensed == site->class[m->class].count)
			k->all_s = c->at_s;
	}
	if (c->was_licensed && !c->is_licensed && !m->has_lapsed) {
		m->has_lapsed = true;
		k->n_lapsed++;
	}
	if (c->is_notified && !m->has_notified) {
		m->has_notified = true;
		k->n_notified++;
	}
}

void
watch_round(struct watch *w, struct watch_machine *m, bool is_answered)
{
	struct watch_class *k = &w->class[m->class];

	k->rounds++;
	k->dead += m->was_dead ? 1 : 0;
	k->unanswered += is_answered ? 0 : 1;
}

void
watch_request(struct watch *w, uint32_t host, uint32_t at_s)
{
	struct watch_host *h = &w->host[host];

	h->requests++;
	if (h->minute != at_s / 60)
		h->in_minute = 0;
	h->minute = at_s / 60;
	if (++h->in_minute > h->busiest)
		h->busiest = h->in_minute;
}

void
watch_count(struct watch *w, const struct site *site, uint32_t host,
    uint32_t group, uint32_t count, uint32_t at_s)
{
	uint16_t *least = &w->day[at_s / DAY_S][host][group];

	if (count < *least)
		*least = (uint16_t)count;
	for (uint32_t p = 0; p < site->n_products; p++) {
		struct watch_count *k = &w->count[host][p];

		if (site->product[p].group != group)
			continue;
		if (k->reached_s == WATCH_NEVER) {
			if (count < site->product[p].threshold)
				continue;
			k->reached_s = at_s;
			k->least = WATCH_NEVER;
		}
		k->samples++;
		if (count < site->product[p].threshold)
			k->below++;
		if (at_s - k->reached_s >= WATCH_SETTLE_S && count < k->least)
			k->least = count;
	}
}
