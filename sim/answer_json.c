/* SPDX-License-Identifier: MIT */
/* answer_json.c -- the answer for programs; names hold nothing to escape. */
#include "sim/answer.h"

static void
put_number(FILE *out, const struct stats *s)
{
	(void)fprintf(out, "{\"mean\":%.4f,\"ci95\":", s->mean);
	if (s->has_interval)
		(void)fprintf(out, "[%.4f,%.4f]", s->lo, s->hi);
	else
		(void)fputs("null", out);
	(void)fprintf(out, ",\"least\":%.4f,\"most\":%.4f,\"seeds\":%u}",
	    s->least, s->most, s->n);
}

static void
put_mean(FILE *out, const char *name, const struct stats *s)
{
	(void)fprintf(out, ",\"%s\":", name);
	if (s->n == 0)
		(void)fputs("null", out);
	else
		put_number(out, s);
}

static void
put_share(FILE *out, const char *name, const struct stats_share *s)
{
	(void)fprintf(out, ",\"%s\":", name);
	if (s->n == 0)
		(void)fputs("null", out);
	else
		(void)fprintf(out,
		    "{\"probability\":%.4f,\"ci95\":[%.4f,%.4f],\"of\":%u}",
		    s->share, s->lo, s->hi, s->n);
}

static void
put_classes(const struct answer *a, FILE *out)
{
	const struct site *site = a->site;

	(void)fputs(",\"classes\":[", out);
	for (uint32_t i = 0; i < site->n_classes; i++) {
		const struct answer_class *k = &a->class[i];
		const struct site_class *c = &site->class[i];

		(void)fprintf(out,
		    "%s{\"name\":\"%s\",\"product\":\"%s\",\"machines\":%u",
		    i == 0 ? "" : ",", c->name, site->product[c->product].name,
		    c->count);
		put_share(out, "activated", &k->activated);
		put_mean(out, "first_activated_day", &k->first_day);
		put_mean(out, "all_activated_day", &k->all_day);
		put_mean(out, "lapsed", &k->lapsed);
		put_mean(out, "notified", &k->notified);
		put_mean(out, "answered_below_percent", &k->below_percent);
		put_mean(out, "dead_host_percent", &k->dead_percent);
		put_mean(out, "unanswered_percent", &k->unanswered_percent);
		(void)fputc('}', out);
	}
	(void)fputc(']', out);
}

static void
put_counts(const struct answer *a, uint32_t h, FILE *out)
{
	const struct site *site = a->site;

	const char *comma = "";

	(void)fputs(",\"counts\":[", out);
	for (uint32_t p = 0; p < site->n_products; p++) {
		const struct answer_count *k = &a->count[h][p];

		if (!site_uses(site, p))
			continue;
		(void)fprintf(out, "%s{\"product\":\"%s\",\"threshold\":%u",
		    comma, site->product[p].name, site->product[p].threshold);
		comma = ",";
		put_share(out, "reached", &k->reached);
		put_mean(out, "reached_day", &k->reached_day);
		put_share(out, "stays_above", &k->stays);
		put_mean(out, "least", &k->least);
		put_mean(out, "below_days", &k->below_days);
		(void)fputc('}', out);
	}
	(void)fputc(']', out);
}

static void
put_hosts(const struct answer *a, FILE *out)
{
	const struct site *site = a->site;

	(void)fputs(",\"hosts\":[", out);
	for (uint32_t h = 0; h < site->n_hosts; h++) {
		(void)fprintf(out, "%s{\"name\":\"%s\"", h == 0 ? "" : ",",
		    site->host[h].name);
		put_mean(out, "requests_a_day", &a->host[h].requests_a_day);
		put_mean(out, "busiest_minute", &a->host[h].busiest_minute);
		put_mean(out, "down_percent", &a->host[h].down_percent);
		/* a shared count is told once, at the first */
		if (answer_counts_apart(a, h))
			put_counts(a, h, out);
		(void)fputc('}', out);
	}
	(void)fputc(']', out);
}

void
answer_json(const struct answer *a, FILE *out)
{
	const struct site *site = a->site;
	char date[11];

	site_date_text(site->start_day, date);
	(void)fprintf(out,
	    "{\"schema\":\"muster.plan/"
	    "1\",\"site\":\"%s\",\"machines\":%u,\"days\":%u,"
	    "\"start\":\"%s\",\"seeds\":%u,\"first_seed\":%llu,"
	    "\"shared_count\":%s",
	    site->name, site_machines(site), site->days, date, a->n,
	    (unsigned long long)a->first_seed,
	    site->is_shared ? "true" : "false");
	(void)fprintf(out, ",\"unseen_at_most\":%.4f", stats_unseen(a->n));
	put_share(out, "stays_activated", &a->stays_activated);
	put_share(out, "counts_stay", &a->counts_stay);
	if (site->is_shared)
		put_mean(out, "database_down_percent",
		    &a->database_down_percent);
	put_classes(a, out);
	put_hosts(a, out);
	(void)fputs(",\"warnings\":[", out);
	for (uint32_t i = 0; i < a->n_warnings; i++)
		(void)fprintf(out, "%s\"%s\"", i == 0 ? "" : ",",
		    a->warning[i]);
	(void)fputs("]}\n", out);
}
