/* SPDX-License-Identifier: MIT */
#include "host/metrics.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "host/admin_list.h"

#define PREFIX "muster_host_"
#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define DAY_S 86400

static void
head(FILE *f, const char *name, const char *type, const char *help)
{
	(void)fprintf(f, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n",
	    name, help, name, type);
}

static void
one(FILE *f, const char *name, const char *type, const char *help, uint64_t v)
{
	head(f, name, type, help);
	(void)fprintf(f, PREFIX "%s %" PRIu64 "\n", name, v);
}

/* A label's value may hold anything; three characters are escaped. */
static void
label(FILE *f, const char *begin, const char *name, const char *value)
{
	(void)fprintf(f, "%s%s=\"", begin, name);
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			(void)fputs("\\n", f);
		else if (*value == '"' || *value == '\\')
			(void)fprintf(f, "\\%c", *value);
		else
			(void)fputc(*value, f);
	}
	(void)fputc('"', f);
}

static void
labelled(FILE *f, const char *name, const char *which, const char *value,
    uint64_t v)
{
	(void)fputs(PREFIX, f);
	(void)fputs(name, f);
	label(f, "{", which, value);
	(void)fprintf(f, "} %" PRIu64 "\n", v);
}

static void
put_answers(FILE *f, const struct turnloop_stats *stats)
{
	const char *name = "answers_total";

	head(f, name, "counter",
	    "Requests answered with a count, by what became of them.");
	labelled(f, name, "result", "activated", stats->activated);
	labelled(f, name, "result", "below_threshold", stats->below_threshold);
	labelled(f, name, "result", "probe", stats->probes);
	name = "refusals_total";
	head(f, name, "counter", "Requests refused, by cause.");
	for (int i = WIRE_OK + 1; i < TURNLOOP_STATUSES; i++)
		labelled(f, name, "cause",
		    admin_status_name((enum wire_status)i),
		    stats->by_status[i]);
}

static void
put_connections(FILE *f, const struct admin_host *host)
{
	const struct conn_stats *stats = conn_server_stats(host->server);

	one(f, "connections", "gauge", "Connections that are open.",
	    stats->open);
	one(f, "connections_limit", "gauge",
	    "Connections that may be open at a time.",
	    host->config->connections);
	one(f, "connections_accepted_total", "counter", "Connections taken.",
	    stats->accepted);
	one(f, "connections_refused_total", "counter",
	    "Connections closed at once.", stats->refused);
	one(f, "connections_timed_out_total", "counter",
	    "Connections closed because they took too long.", stats->timed_out);
	one(f, "connections_evicted_total", "counter",
	    "Connections closed to make place for others.", stats->evicted);
	one(f, "calls_total", "counter", "Calls read.", stats->calls);
	one(f, "calls_bad_total", "counter",
	    "Connections closed because they sent no call.", stats->closed_bad);
}

static void
put_sandbox(FILE *f, const struct admin_host *host)
{
	const char *name = "sandbox";

	head(f, name, "gauge",
	    "1 where the kernel holds it, else 0: musterd runs without it.");
	labelled(f, name, "part", "landlock", host->sandbox->has_files);
	labelled(f, name, "part", "seccomp", host->sandbox->has_calls);
	labelled(f, name, "part", "key_memory", state_keys_locked(host->state));
}

static void
put_store(FILE *f, const struct turnloop_stats *stats)
{
	one(f, "store_up", "gauge",
	    "1 when the last batch is stored, and a shared store answers, "
	    "else 0: clients are told to come again.",
	    stats->outcome == 0);
	one(f, "store_batches_total", "counter", "Batches handed to the store.",
	    stats->batches);
	one(f, "store_batches_failed_total", "counter",
	    "Batches that were not stored.", stats->batches_failed);
}

/* Names are for people, and two publishers may have one: ids tell them apart. */
static void
put_of_publisher(FILE *f, const char *name, const struct publisher *pub)
{
	(void)fputs(PREFIX, f);
	(void)fputs(name, f);
	label(f, "{", "publisher", pub->catalogue->head.name);
	label(f, ",", "publisher_id", pub->hex);
}

static void
put_of_group(FILE *f, const char *name, const struct publisher *pub,
    uint32_t group)
{
	const struct catalogue *cat = pub->catalogue;

	put_of_publisher(f, name, pub);
	for (uint32_t g = 0; g < cat->n_groups; g++) {
		if (cat->groups[g].number == group)
			label(f, ",", "group", cat->groups[g].name);
	}
	(void)fprintf(f, ",group_number=\"%" PRIu32 "\"", group);
}

/* Of each group one number; 0 where the store has none of it yet. */
static void
put_by_group(FILE *f, const struct admin_host *host, const char *name,
    size_t offset)
{
	const struct store_group *at;
	size_t n;

	turnloop_last_groups(host->turnloop, &at, &n);
	for (uint32_t i = 0; i < host->state->n; i++) {
		const struct publisher *pub = &host->state->publishers[i];
		const struct catalogue *cat = pub->catalogue;

		for (uint32_t g = 0; g < cat->n_groups; g++) {
			uint32_t v = 0;

			for (size_t k = 0; k < n; k++) {
				if (at[k].group == cat->groups[g].number &&
				    memcmp(at[k].publisher, cat->head.publisher,
				        PUBLISHER_LEN) == 0)
					memcpy(&v,
					    (const uint8_t *)&at[k] + offset,
					    sizeof(v));
			}
			put_of_group(f, name, pub, cat->groups[g].number);
			(void)fprintf(f, "} %" PRIu32 "\n", v);
		}
	}
}

static void
put_counts(FILE *f, const struct admin_host *host)
{
	head(f, "count_machines", "gauge",
	    "Machines counted in the last 30 days, by counting group.");
	put_by_group(f, host, "count_machines",
	    offsetof(struct store_group, count));
	head(f, "capacity_machines", "gauge",
	    "Machines that a counting group keeps place for; a count does not "
	    "go above it.");
	put_by_group(f, host, "capacity_machines",
	    offsetof(struct store_group, capacity));
}

/* The value of one product; false: it is not known. */
typedef bool
product_fn(const struct admin_host *host, const struct publisher *pub,
    const struct cat_product *product, uint64_t *out);

static bool
threshold_of(const struct admin_host *host, const struct publisher *pub,
    const struct cat_product *product, uint64_t *out)
{
	(void)host;
	(void)pub;
	*out = product->threshold;
	return true;
}

static bool
clients_of(const struct admin_host *host, const struct publisher *pub,
    const struct cat_product *product, uint64_t *out)
{
	int64_t n = summary_asking(&host->watch->summary,
	    pub->catalogue->head.publisher, product->id);

	*out = (uint64_t)n;
	return n >= 0;
}

/* Of each product that the host key covers a number. */
static void
put_by_product(FILE *f, const struct admin_host *host, const char *name,
    product_fn *value)
{
	for (uint32_t i = 0; i < host->state->n; i++) {
		const struct publisher *pub = &host->state->publishers[i];

		for (uint32_t p = 0; p < pub->catalogue->n_products; p++) {
			const struct cat_product *product =
			    &pub->catalogue->products[p];
			char id[UUID_TEXT_LEN + 1];
			uint64_t v;

			if (!pub->is_cert_good ||
			    !cert_covers(&pub->cert, product->line,
			        product->level) ||
			    !value(host, pub, product, &v))
				continue;
			uuid_format(product->id, id);
			put_of_group(f, name, pub, product->group);
			label(f, ",", "product", product->name);
			label(f, ",", "product_id", id);
			(void)fprintf(f, "} %" PRIu64 "\n", v);
		}
	}
}

static void
put_products(FILE *f, const struct admin_host *host)
{
	head(f, "threshold_machines", "gauge",
	    "Machines from which on a product is activated; of products that "
	    "the host key covers.");
	put_by_product(f, host, "threshold_machines", threshold_of);
	if (host->watch->summary.as_of_unix_s == 0)
		return;
	head(f, "product_clients", "gauge",
	    "Clients that asked for a product in the last 30 days; of products "
	    "that the host key covers.");
	put_by_product(f, host, "product_clients", clients_of);
}

static void
put_publishers(FILE *f, const struct state *state)
{
	head(f, "publisher_activated", "gauge",
	    "1 when this host may activate the publisher's products.");
	for (uint32_t i = 0; i < state->n; i++) {
		put_of_publisher(f, "publisher_activated",
		    &state->publishers[i]);
		(void)fprintf(f, "} %d\n",
		    (int)state->publishers[i].is_cert_good);
	}
	head(f, "certificate_expiry_timestamp_seconds", "gauge",
	    "When the host's certificate ends; +Inf when it does not.");
	for (uint32_t i = 0; i < state->n; i++) {
		const struct publisher *pub = &state->publishers[i];

		if (!pub->has_cert)
			continue;
		put_of_publisher(f, "certificate_expiry_timestamp_seconds",
		    pub);
		if (pub->cert.expires_day == 0)
			(void)fputs("} +Inf\n", f);
		else
			(void)fprintf(f, "} %" PRId64 "\n",
			    (int64_t)pub->cert.expires_day * DAY_S);
	}
}

static void
put_inventory(FILE *f, const struct admin_host *host)
{
	static const char *const days[SUMMARY_WITHINS] = {"7", "30", "60"};
	const struct summary *summary = &host->watch->summary;

	one(f, "inventory_up", "gauge",
	    "1 when the inventory could be read last, else 0: its numbers are "
	    "old.",
	    host->watch->last_err == 0);
	one(f, "inventory_rows_limit", "gauge",
	    "Clients that the inventory may have; beyond them those unseen "
	    "longest are dropped.",
	    host->config->inventory_rows);
	if (summary->as_of_unix_s == 0)
		return;
	one(f, "inventory_timestamp_seconds", "gauge",
	    "When the inventory was read for the numbers below.",
	    (uint64_t)summary->as_of_unix_s);
	head(f, "inventory_clients", "gauge",
	    "Clients known, by the state of their last contact.");
	for (int i = 0; i < SUMMARY_STATES; i++)
		labelled(f, "inventory_clients", "state",
		    admin_list_state((enum wire_state)i), summary->by_state[i]);
	one(f, "inventory_duplicates", "gauge",
	    "Client ids that more than one machine uses.", summary->duplicates);
	one(f, "inventory_leases", "gauge", "Leases that hold.",
	    summary->leases);
	head(f, "inventory_leases_ending", "gauge",
	    "Leases that end within so many days.");
	for (int i = 0; i < SUMMARY_WITHINS; i++)
		labelled(f, "inventory_leases_ending", "days", days[i],
		    summary->within[i]);
}

static void
put_dns(FILE *f, const struct publish_run *run)
{
	json_t *dns, *domain;
	size_t i;

	head(f, "dns_published", "gauge",
	    "1 when this host stands in the domain by its own update; of "
	    "domains in which it is to stand.");
	if (run->reason == PUBLISH_OFF)
		return; /* not to stand there is no lack, as 0 would be */
	dns = publish_json(run);
	json_array_foreach(json_object_get(dns, "domains"), i, domain)
	{
		const char *state =
		    json_string_value(json_object_get(domain, "state"));
		const char *name =
		    json_string_value(json_object_get(domain, "domain"));

		if (state != NULL && name != NULL)
			labelled(f, "dns_published", "domain", name,
			    strcmp(state, "published") == 0);
	}
	json_decref(dns);
}

static void
put_selftest(FILE *f, const struct selftest_result *last)
{
	if (last->at_unix_s == 0)
		return;
	one(f, "self_test_success", "gauge",
	    "1 when this host answered itself, else 0.", last->is_good);
	one(f, "self_test_timestamp_seconds", "gauge",
	    "When it last asked itself.", (uint64_t)last->at_unix_s);
	head(f, "self_test_duration_seconds", "gauge",
	    "How long all questions of that self-test took together.");
	(void)fprintf(f, PREFIX "self_test_duration_seconds %.3f\n",
	    (double)last->took_ms / 1000.0);
}

static void
put_all(FILE *f, const struct admin_host *host)
{
	const struct turnloop_stats *stats = turnloop_stats(host->turnloop);

	watch_asked(host->watch);
	head(f, "build_info", "gauge", "1; its label is the version.");
	labelled(f, "build_info", "version", MUSTER_VERSION, 1);
	one(f, "start_time_seconds", "gauge", "When musterd started.",
	    (uint64_t)host->started_unix_s);
	put_answers(f, stats);
	put_counts(f, host);
	put_products(f, host);
	put_publishers(f, host->state);
	put_connections(f, host);
	put_store(f, stats);
	put_sandbox(f, host);
	put_inventory(f, host);
	put_dns(f, host->publish);
	put_selftest(f, &host->selftest->last);
}

/* A line for each reason not to send clients here. */
static bool
put_ready(FILE *f, const struct admin_host *host)
{
	bool is_activated = false;
	bool is_stored = turnloop_stats(host->turnloop)->outcome == 0;
	const struct selftest_result *last = &host->selftest->last;
	bool is_answering = last->at_unix_s == 0 || last->is_good;

	for (uint32_t i = 0; i < host->state->n; i++)
		is_activated |= host->state->publishers[i].is_cert_good;
	if (!is_activated)
		(void)fputs("no publisher has activated this host; see muster "
		            "host status\n",
		    f);
	if (!is_stored)
		(void)fputs("the store does not take what is counted; see the "
		            "log of musterd\n",
		    f);
	if (!is_answering)
		(void)fputs("this host does not answer itself; see the log of "
		            "musterd\n",
		    f);
	if (is_activated && is_stored && is_answering)
		(void)fputs("ready\n", f);
	return is_activated && is_stored && is_answering;
}

bool
metrics_answer(const struct admin_host *host, const char *path,
    struct admin_answer *answer_out)
{
	bool is_metrics = strcmp(path, "/metrics") == 0;
	bool is_ready = strcmp(path, "/readyz") == 0;
	size_t len = 0;
	FILE *f;

	if (!is_metrics && !is_ready && strcmp(path, "/healthz") != 0)
		return false;
	*answer_out = (struct admin_answer){.http = 200, .fd = -1};
	answer_out->type = TEXT_TYPE;
	f = open_memstream(&answer_out->text, &len);
	if (f == NULL)
		return true; /* out of memory is told */
	if (is_metrics)
		put_all(f, host);
	else if (is_ready && !put_ready(f, host))
		answer_out->http = 503;
	else if (!is_ready)
		(void)fputs("ok\n", f);
	if (fclose(f) != 0) {
		free(answer_out->text);
		answer_out->text = NULL;
	}
	return true;
}
