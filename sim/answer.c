/* SPDX-License-Identifier: MIT */
#include "sim/answer.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#define DAY_S 86400.0
#define SAMPLES_A_DAY 4.0       /* WATCH_SAMPLE_MS */
#define RENEWAL_MOST_MIN 28800U /* 20 days: above, --check warns as well */

/* The numbers of one kind, of those seeds that have one. */
struct column {
	uint32_t n;
	double x[1000]; /* CREW_SEEDS_MAX */
};

static void
put(struct column *c, double x)
{
	c->x[c->n++] = x;
}

static void
put_percent(struct column *c, uint32_t k, uint32_t n)
{
	if (n > 0)
		put(c, 100.0 * k / n);
}

/* All of the column are from 0 to most. */
static struct stats
take(struct column *c, double most)
{
	struct stats s = stats_mean(c->x, c->n, 0, most);

	c->n = 0;
	return s;
}

/* A column of one field, where it is a number in each seed. */
static struct stats
column_of(const struct answer *a, struct column *c, size_t at, double most)
{
	for (uint32_t i = 0; i < a->n; i++) {
		uint32_t v;

		memcpy(&v, (const char *)&a->watch[i] + at, sizeof(v));
		put(c, v);
	}
	return take(c, most);
}

/* A column of days; a seed in which it did not come about has none. */
static struct stats
days_of(const struct answer *a, struct column *c, size_t at)
{
	for (uint32_t i = 0; i < a->n; i++) {
		uint32_t v;

		memcpy(&v, (const char *)&a->watch[i] + at, sizeof(v));
		if (v != WATCH_NEVER)
			put(c, v / DAY_S);
	}
	return take(c, a->site->days);
}

static void
sum_class(struct answer *a, struct column *c, uint32_t i)
{
	const size_t at =
	    offsetof(struct watch, class) + i * sizeof(struct watch_class);
	const double machines = a->site->class[i].count;
	struct answer_class *k = &a->class[i];
	uint32_t n = 0;

	k->first_day =
	    days_of(a, c, at + offsetof(struct watch_class, first_s));
	k->all_day = days_of(a, c, at + offsetof(struct watch_class, all_s));
	k->lapsed = column_of(a, c, at + offsetof(struct watch_class, n_lapsed),
	    machines);
	k->notified = column_of(a, c,
	    at + offsetof(struct watch_class, n_notified), machines);
	for (uint32_t s = 0; s < a->n; s++)
		n += a->watch[s].class[i].all_s != WATCH_NEVER ? 1 : 0;
	k->activated = stats_share(n, a->n);
	for (uint32_t s = 0; s < a->n; s++)
		put_percent(c, a->watch[s].class[i].below,
		    a->watch[s].class[i].answers);
	k->below_percent = take(c, 100);
	for (uint32_t s = 0; s < a->n; s++)
		put_percent(c, a->watch[s].class[i].dead,
		    a->watch[s].class[i].rounds);
	k->dead_percent = take(c, 100);
	for (uint32_t s = 0; s < a->n; s++)
		put_percent(c, a->watch[s].class[i].unanswered,
		    a->watch[s].class[i].rounds);
	k->unanswered_percent = take(c, 100);
}

static void
sum_host(struct answer *a, struct column *c, uint32_t i)
{
	struct answer_host *h = &a->host[i];

	for (uint32_t s = 0; s < a->n; s++)
		put(c, (double)a->watch[s].host[i].requests / a->site->days);
	h->requests_a_day = take(c, HUGE_VAL);
	for (uint32_t s = 0; s < a->n; s++)
		put(c, a->watch[s].host[i].busiest);
	h->busiest_minute = take(c, HUGE_VAL);
	for (uint32_t s = 0; s < a->n; s++)
		put(c,
		    100.0 * a->watch[s].host[i].down_s /
		        (a->site->days * DAY_S));
	h->down_percent = take(c, 100);
}

static void
sum_count(struct answer *a, struct column *c, uint32_t host, uint32_t product)
{
	struct answer_count *k = &a->count[host][product];
	uint32_t reached = 0, stays = 0;

	for (uint32_t s = 0; s < a->n; s++) {
		const struct watch_count *w = &a->watch[s].count[host][product];

		if (w->reached_s == WATCH_NEVER)
			continue;
		reached++;
		stays += w->below == 0 ? 1 : 0;
	}
	k->reached = stats_share(reached, a->n);
	k->stays = stats_share(stays, reached);
	k->reached_day = days_of(a, c,
	    offsetof(struct watch, count) +
	        (host * SITE_PRODUCTS_MAX + product) *
	            sizeof(struct watch_count) +
	        offsetof(struct watch_count, reached_s));
	for (uint32_t s = 0; s < a->n; s++) {
		const struct watch_count *w = &a->watch[s].count[host][product];

		if (w->reached_s != WATCH_NEVER && w->least != WATCH_NEVER)
			put(c, w->least);
	}
	k->least = take(c, site_machines(a->site));
	for (uint32_t s = 0; s < a->n; s++) {
		if (a->watch[s].count[host][product].reached_s != WATCH_NEVER)
			put(c,
			    a->watch[s].count[host][product].below /
			        SAMPLES_A_DAY);
	}
	k->below_days = take(c, a->site->days);
}

bool
answer_counts_apart(const struct answer *a, uint32_t host)
{
	return host == 0 || !a->site->is_shared;
}

/* ---- what should be said ---- */

__attribute__((format(printf, 2, 3))) static void
warn(struct answer *a, const char *fmt, ...)
{
	va_list args;

	if (a->n_warnings == ANSWER_WARNINGS_MAX)
		return;
	va_start(args, fmt);
	(void)vsnprintf(a->warning[a->n_warnings++], ANSWER_WARNING_MAX, fmt,
	    args);
	va_end(args);
}

/* Machines of the products of a group: the count can be no more. */
static uint32_t
machines_of(const struct site *site, uint32_t group)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < site->n_classes; i++) {
		if (site->product[site->class[i].product].group == group)
			n += site->class[i].count;
	}
	return n;
}

/* Leases go on then, so no machine lapses: it would go unseen. */
static void
warn_falls(struct answer *a, uint32_t host)
{
	for (uint32_t p = 0; p < a->site->n_products; p++) {
		const struct stats_share *s = &a->count[host][p].stays;

		if (s->k < s->n && site_uses(a->site, p))
			warn(a,
			    "the count of %s for %s falls below its threshold "
			    "in "
			    "%u of %u seeds: nothing new is activated "
			    "meanwhile",
			    a->site->is_shared ? "all hosts"
			                       : a->site->host[host].name,
			    a->site->product[p].name, s->n - s->k, s->n);
	}
}

static void
warn_all(struct answer *a)
{
	const struct site *site = a->site;

	if (site->renewal_min > RENEWAL_MOST_MIN)
		warn(a,
		    "a renewal interval above 20 days competes with the 30 "
		    "days for which a machine counts");
	for (uint32_t p = 0; p < site->n_products; p++) {
		const struct site_product *product = &site->product[p];
		uint32_t n = machines_of(site, product->group);

		if (site_uses(site, p) && n < product->threshold)
			warn(a,
			    "%s needs a count of %u, and there are %u machines "
			    "that count with it",
			    product->name, product->threshold, n);
	}
	for (uint32_t h = 0; h < site->n_hosts; h++) {
		if (answer_counts_apart(a, h))
			warn_falls(a, h);
	}
}

static void
warn_holidays(struct answer *a)
{
	const struct site *site = a->site;
	char date[11];

	for (uint32_t i = 0; i < site->n_holidays; i++) {
		const struct site_holiday *h = &site->holiday[i];

		site_date_text(h->from_day, date);
		if (h->from_day >= site->start_day + site->days ||
		    h->from_day + h->days <= site->start_day)
			warn(a, "the holidays from %s lie outside of the plan",
			    date);
	}
}

/* ---- */

/* No count that had reached its threshold was below it again. */
static bool
counts_stay(const struct answer *a, const struct watch *w)
{
	for (uint32_t h = 0; h < a->site->n_hosts; h++) {
		for (uint32_t p = 0; p < a->site->n_products; p++) {
			const struct watch_count *k = &w->count[h][p];

			if (answer_counts_apart(a, h) && k->below > 0 &&
			    k->reached_s != WATCH_NEVER &&
			    site_uses(a->site, p))
				return false;
		}
	}
	return true;
}

static bool
is_good(const struct watch *w, const struct site *site)
{
	for (uint32_t i = 0; i < site->n_classes; i++) {
		const struct watch_class *k = &w->class[i];

		if (k->all_s == WATCH_NEVER || k->n_lapsed > 0 ||
		    k->n_notified > 0)
			return false;
	}
	return true;
}

void
answer_make(struct answer *a, const struct site *site,
    const struct watch *watch, uint32_t n, uint64_t first_seed)
{
	static struct column column; /* 8 KB; a program makes one answer */
	uint32_t good = 0, steady = 0;

	*a = (struct answer){.site = site,
	    .watch = watch,
	    .n = n,
	    .first_seed = first_seed};
	for (uint32_t s = 0; s < n; s++) {
		good += is_good(&watch[s], site) ? 1 : 0;
		steady += counts_stay(a, &watch[s]) ? 1 : 0;
		put(&column,
		    100.0 * watch[s].database_down_s / (site->days * DAY_S));
	}
	a->stays_activated = stats_share(good, n);
	a->counts_stay = stats_share(steady, n);
	a->database_down_percent = take(&column, 100);
	for (uint32_t i = 0; i < site->n_classes; i++)
		sum_class(a, &column, i);
	for (uint32_t i = 0; i < site->n_hosts; i++) {
		sum_host(a, &column, i);
		for (uint32_t p = 0; p < site->n_products; p++)
			sum_count(a, &column, i, p);
	}
	warn_all(a);
	warn_holidays(a);
}
