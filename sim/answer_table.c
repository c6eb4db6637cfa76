/* SPDX-License-Identifier: MIT */
/* answer_table.c -- the answer for people: three tables and a sentence. */
#include "sim/answer.h"

#define CELL_MAX 40

/* "38.2 (36.9-39.5)"; "-" where no seed has it. */
static const char *
mean(char *out, const struct stats *s, int digits)
{
	if (s->n == 0)
		(void)snprintf(out, CELL_MAX, "-");
	else if (!s->has_interval)
		(void)snprintf(out, CELL_MAX, "%.*f", digits, s->mean);
	else
		(void)snprintf(out, CELL_MAX, "%.*f (%.*f-%.*f)", digits,
		    s->mean, digits, s->lo, digits, s->hi);
	return out;
}

static const char *
share(char *out, const struct stats_share *s)
{
	if (s->n == 0)
		(void)snprintf(out, CELL_MAX, "-");
	else
		(void)snprintf(out, CELL_MAX, "%.0f %% (%.0f-%.0f)",
		    100 * s->share, 100 * s->lo, 100 * s->hi);
	return out;
}

static void
table_counts(const struct answer *a, FILE *out)
{
	const struct site *site = a->site;
	char cell[5][CELL_MAX];

	(void)fprintf(out, "%-16s %-12s %9s  %-17s %-16s %-17s %s\n",
	    "count of", "for", "threshold", "reached on day", "stays above",
	    "least then", "days below");
	for (uint32_t h = 0; h < site->n_hosts; h++) {
		for (uint32_t p = 0; p < site->n_products; p++) {
			const struct answer_count *k = &a->count[h][p];
			const char *name =
			    site->is_shared ? "all hosts" : site->host[h].name;

			if (!answer_counts_apart(a, h) || !site_uses(site, p))
				continue;
			(void)fprintf(out,
			    "%-16.16s %-12.12s %9u  %-17s %-16s %-17s %s\n",
			    name, site->product[p].name,
			    site->product[p].threshold,
			    k->reached.k == 0
			        ? "never"
			        : mean(cell[0], &k->reached_day, 1),
			    share(cell[1], &k->stays),
			    mean(cell[2], &k->least, 1),
			    mean(cell[3], &k->below_days, 1));
			if (k->reached.k > 0 && k->reached.k < a->n)
				(void)fprintf(out,
				    "%40s (in %s of the seeds)\n", "",
				    share(cell[4], &k->reached));
		}
	}
}

static void
table_classes(const struct answer *a, FILE *out)
{
	const struct site *site = a->site;
	char cell[6][CELL_MAX];

	(void)fprintf(out, "\n%-16s %8s  %-17s %-16s %-15s %-17s %s\n",
	    "machines", "number", "first activated", "all activated", "lapse",
	    "answered below", "met a dead host");
	for (uint32_t i = 0; i < site->n_classes; i++) {
		const struct answer_class *k = &a->class[i];

		(void)fprintf(out, "%-16.16s %8u  %-17s %-16s %-15s %-17s %s\n",
		    site->class[i].name, site->class[i].count,
		    k->first_day.n == 0 ? "never"
		                        : mean(cell[0], &k->first_day, 1),
		    k->activated.k == a->n ? mean(cell[1], &k->all_day, 1)
		                           : share(cell[1], &k->activated),
		    mean(cell[2], &k->lapsed, 1),
		    mean(cell[3], &k->below_percent, 2),
		    mean(cell[4], &k->dead_percent, 2));
		if (k->notified.mean > 0)
			(void)fprintf(out,
			    "%-16s %8s  %s of them came to notification\n", "",
			    "", mean(cell[5], &k->notified, 1));
	}
	(void)fputs("(days; machines; per cent of answers after the first "
	            "activation; per cent of rounds)\n",
	    out);
}

static void
table_hosts(const struct answer *a, FILE *out)
{
	const struct site *site = a->site;
	char cell[3][CELL_MAX];

	(void)fprintf(out, "\n%-16s %-22s %-22s %s\n", "host", "requests a day",
	    "in the busiest minute", "down, per cent");
	for (uint32_t h = 0; h < site->n_hosts; h++)
		(void)fprintf(out, "%-16.16s %-22s %-22s %s\n",
		    site->host[h].name,
		    mean(cell[0], &a->host[h].requests_a_day, 1),
		    mean(cell[1], &a->host[h].busiest_minute, 1),
		    mean(cell[2], &a->host[h].down_percent, 2));
}

void
answer_table(const struct answer *a, FILE *out)
{
	const struct site *site = a->site;
	char cell[CELL_MAX], date[11];

	site_date_text(site->start_day, date);
	(void)fprintf(out,
	    "%s: %u machines, %u %s%s, %u days from %s, %u seeds; in brackets "
	    "95 %% intervals\n\n",
	    site->name, site_machines(site), site->n_hosts,
	    site->n_hosts == 1 ? "host" : "hosts",
	    site->n_hosts == 1    ? ""
	        : site->is_shared ? " with one count"
	                          : " that count apart",
	    site->days, date, a->n);
	table_counts(a, out);
	table_classes(a, out);
	table_hosts(a, out);
	if (site->database.every_days != 0)
		(void)fprintf(out, "the one count is down, per cent: %s\n",
		    mean(cell, &a->database_down_percent, 2));
	(void)fprintf(out,
	    "A number without brackets is the same in each seed that has one; "
	    "that it is another\none, where all seeds have it, has a "
	    "probability of at most %.2g %%.\n\n",
	    100 * stats_unseen(a->n));
	for (uint32_t i = 0; i < a->n_warnings; i++)
		(void)fprintf(out, "warning: %s\n", a->warning[i]);
	(void)fprintf(out,
	    "A count that has reached its threshold stays there: in %u of %u "
	    "seeds, %s.\n",
	    a->counts_stay.k, a->n, share(cell, &a->counts_stay));
	(void)fprintf(out,
	    "Every machine is activated, and none lapses: in %u of %u seeds, "
	    "%s.\n",
	    a->stays_activated.k, a->n, share(cell, &a->stays_activated));
}
