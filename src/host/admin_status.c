/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/errcode.h"
#include "base/hex.h"
#include "host/admin_api.h"
#include "host/events.h"
#include "host/health.h"

#define DAY_S 86400

static json_t *
number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *
certificate(const struct publisher *pub, int64_t now_unix_s)
{
	const struct cert *cert = &pub->cert;
	int64_t ends_unix_s = (int64_t)cert->expires_day * DAY_S;
	json_t *out;

	if (!pub->has_cert)
		return json_null();
	out = json_object();
	(void)json_object_set_new(out, "good", json_boolean(pub->is_cert_good));
	(void)json_object_set_new(out, "key_number", number(cert->key_number));
	(void)json_object_set_new(out, "slot", number(cert->slot));
	(void)json_object_set_new(out, "activation", number(cert->activation));
	(void)json_object_set_new(out, "lines", number(cert->lines));
	(void)json_object_set_new(out, "level", number(cert->level));
	(void)json_object_set_new(out, "issued_day", number(cert->issued_day));
	(void)json_object_set_new(out, "expires_day",
	    cert->expires_day == 0 ? json_null() : number(cert->expires_day));
	(void)json_object_set_new(out, "issuer", number(cert->issuer));
	(void)json_object_set_new(out, "issued_unix_s",
	    number((uint64_t)cert->issued_day * DAY_S));
	(void)json_object_set_new(out, "expires_unix_s",
	    cert->expires_day == 0 ? json_null() : json_integer(ends_unix_s));
	(void)json_object_set_new(out, "days_left",
	    cert->expires_day == 0
	        ? json_null()
	        : json_integer((ends_unix_s - now_unix_s) / DAY_S));
	return out;
}

static uint32_t
largest_threshold(const struct catalogue *cat, uint32_t group)
{
	uint32_t largest = 0;

	for (uint32_t i = 0; i < cat->n_products; i++) {
		const struct cat_product *p = &cat->products[i];

		if (p->group == group && p->threshold > largest)
			largest = p->threshold;
	}
	return largest;
}

static bool
is_covered(const struct publisher *pub, const struct cat_product *p)
{
	return pub->is_cert_good && cert_covers(&pub->cert, p->line, p->level);
}

/* Clients of the product that came within 30 days; null: not known yet. */
static json_t *
asking(const struct summary *summary, const struct publisher *pub,
    const struct cat_product *p)
{
	int64_t n =
	    summary_asking(summary, pub->catalogue->head.publisher, p->id);

	return n < 0 ? json_null() : json_integer((json_int_t)n);
}

static json_t *
thresholds(const struct publisher *pub, const struct store_group *at,
    const struct summary *summary)
{
	const struct catalogue *cat = pub->catalogue;
	json_t *list = json_array();

	for (uint32_t i = 0; i < cat->n_products; i++) {
		const struct cat_product *p = &cat->products[i];

		if (p->group == at->group)
			(void)json_array_append_new(list,
			    json_pack("{s:s, s:I, s:b, s:b, s:o}", "product",
			        p->name, "threshold", (json_int_t)p->threshold,
			        "reached", (int)(at->count >= p->threshold),
			        "covered", (int)is_covered(pub, p), "clients",
			        asking(summary, pub, p)));
	}
	return list;
}

static json_t *
groups(const struct publisher *pub, const struct store_group *in_store,
    size_t n, const struct summary *summary)
{
	const struct catalogue *cat = pub->catalogue;
	json_t *list = json_array();

	for (uint32_t g = 0; g < cat->n_groups; g++) {
		const struct cat_group *group = &cat->groups[g];
		struct store_group at = {.group = group->number};
		json_t *out = json_object();

		for (size_t i = 0; i < n; i++) {
			if (in_store[i].group == group->number &&
			    memcmp(in_store[i].publisher, cat->head.publisher,
			        PUBLISHER_LEN) == 0)
				at = in_store[i];
		}
		(void)json_object_set_new(out, "group", number(at.group));
		(void)json_object_set_new(out, "name",
		    json_string(group->name));
		(void)json_object_set_new(out, "count", number(at.count));
		(void)json_object_set_new(out, "held", number(at.held));
		(void)json_object_set_new(out, "capacity", number(at.capacity));
		(void)json_object_set_new(out, "largest_threshold",
		    number(largest_threshold(cat, group->number)));
		(void)json_object_set_new(out, "thresholds",
		    thresholds(pub, &at, summary));
		(void)json_array_append_new(list, out);
	}
	return list;
}

static json_t *
products(const struct publisher *pub)
{
	const struct catalogue *cat = pub->catalogue;
	json_t *list = json_array();

	for (uint32_t i = 0; i < cat->n_products; i++) {
		const struct cat_product *p = &cat->products[i];
		char id[UUID_TEXT_LEN + 1];
		json_t *out = json_object();

		uuid_format(p->id, id);
		(void)json_object_set_new(out, "id", json_string(id));
		(void)json_object_set_new(out, "name", json_string(p->name));
		(void)json_object_set_new(out, "class",
		    json_string(p->class == CAT_SERVER ? "server" : "desktop"));
		(void)json_object_set_new(out, "group", number(p->group));
		(void)json_object_set_new(out, "threshold",
		    number(p->threshold));
		(void)json_object_set_new(out, "validity_days",
		    number(p->validity_days));
		(void)json_object_set_new(out, "covered",
		    json_boolean(is_covered(pub, p)));
		(void)json_array_append_new(list, out);
	}
	return list;
}

static json_t *
publisher(const struct publisher *pub, const struct store_group *in_store,
    size_t n, const struct summary *summary)
{
	const struct cat_head *head = &pub->catalogue->head;
	json_t *out = json_object();

	(void)json_object_set_new(out, "id", json_string(pub->hex));
	(void)json_object_set_new(out, "name", json_string(head->name));
	(void)json_object_set_new(out, "authority", json_string(head->url));
	(void)json_object_set_new(out, "contact", json_string(head->contact));
	(void)json_object_set_new(out, "catalogue_serial",
	    number(head->serial));
	(void)json_object_set_new(out, "activated",
	    json_boolean(pub->is_cert_good));
	(void)json_object_set_new(out, "reason",
	    pub->is_cert_good ? json_null() : json_string(pub->reason));
	(void)json_object_set_new(out, "host_key_number",
	    pub->has_hostkey ? number(pub->key_number) : json_null());
	(void)json_object_set_new(out, "certificate",
	    certificate(pub, clock_unix_s()));
	(void)json_object_set_new(out, "groups",
	    groups(pub, in_store, n, summary));
	(void)json_object_set_new(out, "products", products(pub));
	return out;
}

static json_t *
publishers(const struct admin_host *host)
{
	const struct store_group *in_store;
	json_t *list = json_array();
	size_t n;

	/* what fails here is told by the next batch */
	(void)!turnloop_groups(host->turnloop, &in_store, &n);
	for (uint32_t i = 0; i < host->state->n; i++)
		(void)json_array_append_new(list,
		    publisher(&host->state->publishers[i], in_store, n,
		        &host->watch->summary));
	return list;
}

static json_t *
listeners(const struct admin_host *host)
{
	json_t *list = json_array();
	uint32_t n;
	const struct conn_listener *at =
	    conn_server_listeners(host->server, &n);

	for (uint32_t i = 0; i < n; i++)
		(void)json_array_append_new(list,
		    json_pack("{s:s, s:i}", "address", at[i].address, "port",
		        (int)at[i].port));
	return list;
}

static json_t *
status_listeners(const struct admin_host *host)
{
	const struct config_server *at = &host->status_at;

	if (at->address[0] == '\0')
		return json_array();
	return json_pack("[{s:s, s:i}]", "address", at->address, "port",
	    (int)at->port);
}

static json_t *
requests(const struct admin_host *host)
{
	const struct turnloop_stats *stats = turnloop_stats(host->turnloop);
	json_t *out = json_object();

	for (int i = 0; i < TURNLOOP_STATUSES; i++)
		(void)json_object_set_new(out,
		    admin_status_name((enum wire_status)i),
		    number(stats->by_status[i]));
	return out;
}

static json_t *
answers(const struct admin_host *host)
{
	const struct turnloop_stats *stats = turnloop_stats(host->turnloop);

	return json_pack("{s:I, s:I, s:I}", "activated",
	    (json_int_t)stats->activated, "below_threshold",
	    (json_int_t)stats->below_threshold, "probes",
	    (json_int_t)stats->probes);
}

static json_t *
refusals(const struct admin_host *host)
{
	const struct turnloop_stats *stats = turnloop_stats(host->turnloop);
	json_t *out = json_object();

	(void)json_object_set_new(out, "below_threshold",
	    number(stats->below_threshold));
	for (int i = WIRE_OK + 1; i < TURNLOOP_STATUSES; i++)
		(void)json_object_set_new(out,
		    admin_status_name((enum wire_status)i),
		    number(stats->by_status[i]));
	return out;
}

static json_t *
connections(const struct admin_host *host)
{
	const struct conn_stats *stats = conn_server_stats(host->server);
	json_t *out = json_object();

	(void)json_object_set_new(out, "open", number(stats->open));
	(void)json_object_set_new(out, "most_open", number(stats->open_max));
	(void)json_object_set_new(out, "limit",
	    number(host->config->connections));
	(void)json_object_set_new(out, "accepted", number(stats->accepted));
	(void)json_object_set_new(out, "calls", number(stats->calls));
	(void)json_object_set_new(out, "no_calls", number(stats->closed_bad));
	(void)json_object_set_new(out, "refused", number(stats->refused));
	(void)json_object_set_new(out, "timed_out", number(stats->timed_out));
	(void)json_object_set_new(out, "evicted", number(stats->evicted));
	return out;
}

static json_t *
storage(const struct admin_host *host)
{
	const struct turnloop_stats *stats = turnloop_stats(host->turnloop);
	json_t *out = json_object();
	bool is_shared = strcmp(store_kind(host->store), "postgresql") == 0;
	char outcome[ERRCODE_MAX], server[STORE_SERVER_MAX];

	errcode(stats->outcome, outcome);
	store_server(host->store, server);
	(void)json_object_set_new(out, "kind",
	    json_string(store_kind(host->store)));
	if (server[0] != '\0')
		(void)json_object_set_new(out, "server", json_string(server));
	(void)json_object_set_new(out, "batches", number(stats->batches));
	(void)json_object_set_new(out, "batches_failed",
	    number(stats->batches_failed));
	(void)json_object_set_new(out, "largest_batch", number(stats->largest));
	(void)json_object_set_new(out, "waiting_max",
	    number(stats->waiting_max));
	(void)json_object_set_new(out, "last_outcome", json_string(outcome));
	(void)json_object_set_new(out, "state",
	    json_string(stats->outcome == 0 ? "ok" : "failing"));
	/* a server's words say why; of a file here it is known what to do */
	if (stats->outcome != 0)
		(void)json_object_set_new(out,
		    is_shared ? "reason" : "next_step",
		    json_string(stats->outage.cause.text));
	return out;
}

static json_t *
sandbox(const struct admin_host *host)
{
	json_t *out = json_object();

	(void)json_object_set_new(out, "landlock",
	    json_string(host->sandbox->has_files ? "on" : "absent"));
	(void)json_object_set_new(out, "seccomp",
	    json_string(host->sandbox->has_calls ? "on" : "absent"));
	(void)json_object_set_new(out, "key_memory",
	    json_string(
	        state_keys_locked(host->state) ? "locked" : "unlocked"));
	return out;
}

/* What is known of the clients, and how long and how many are kept. */
static json_t *
inventory(const struct admin_host *host)
{
	json_t *out = summary_json(&host->watch->summary);

	if (!json_is_object(out))
		return out;
	(void)json_object_set_new(out, "retention_days",
	    number(host->config->retention_days));
	(void)json_object_set_new(out, "rows_max",
	    number(host->config->inventory_rows));
	return out;
}

static json_t *
reading(const struct admin_host *host)
{
	char outcome[ERRCODE_MAX];
	int err = host->watch->last_err;

	errcode(err, outcome);
	return json_pack("{s:s, s:s}", "state", err == 0 ? "ok" : "failing",
	    "last_outcome", outcome);
}

json_t *
admin_status(const struct admin_host *host)
{
	int64_t now_unix_s = clock_unix_s();
	json_t *out = json_object();

	(void)json_object_set_new(out, "schema",
	    json_string("muster.host-status/1"));
	(void)json_object_set_new(out, "version", json_string(MUSTER_VERSION));
	(void)json_object_set_new(out, "pid", number((uint64_t)getpid()));
	(void)json_object_set_new(out, "now_unix_s", json_integer(now_unix_s));
	(void)json_object_set_new(out, "started_unix_s",
	    json_integer(host->started_unix_s));
	(void)json_object_set_new(out, "uptime_s",
	    json_integer(now_unix_s - host->started_unix_s));
	(void)json_object_set_new(out, "listeners", listeners(host));
	(void)json_object_set_new(out, "status_listeners",
	    status_listeners(host));
	(void)json_object_set_new(out, "renewal_minutes",
	    number(host->config->renewal_min));
	(void)json_object_set_new(out, "retry_minutes",
	    number(host->config->retry_min));
	(void)json_object_set_new(out, "publishers", publishers(host));
	(void)json_object_set_new(out, "requests", requests(host));
	(void)json_object_set_new(out, "answers", answers(host));
	(void)json_object_set_new(out, "refusals", refusals(host));
	(void)json_object_set_new(out, "connections", connections(host));
	(void)json_object_set_new(out, "store", storage(host));
	(void)json_object_set_new(out, "sandbox", sandbox(host));
	watch_asked(host->watch);
	(void)json_object_set_new(out, "inventory", inventory(host));
	(void)json_object_set_new(out, "inventory_reading", reading(host));
	(void)json_object_set_new(out, "self_test",
	    selftest_json(host->selftest));
	(void)json_object_set_new(out, "dns", publish_json(host->publish));
	(void)json_object_set_new(out, "events",
	    json_pack("{s:I}", "last", (json_int_t)events_last()));
	(void)json_object_set_new(out, "health", health_json(host, out));
	return out;
}

static int
bad_query(struct problem *problem, const char *what)
{
	return problem_set(problem, MUSTER_E_PROTO, 400, "bad_request",
	    "see the manual of musterd for the paths", "%s", what);
}

int
admin_history(const struct admin_host *host, const struct admin_query *query,
    json_t **out_out, struct problem *problem)
{
	const char *step = query->resolution;
	bool is_hour = step != NULL && strcmp(step, "hour") == 0;

	if (step != NULL && !is_hour && strcmp(step, "minute") != 0)
		return bad_query(problem, "resolution is minute or hour");
	*out_out = watch_history_json(host->watch,
	    is_hour ? HISTORY_HOUR : HISTORY_MINUTE);
	return 0;
}

/* A number of a query, of up to 18 digits. */
static bool
get_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;
	uint64_t v;

	if (text == NULL)
		return true;
	v = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || v < min ||
	    v > max)
		return false;
	*out = v;
	return true;
}

static bool
get_level(const char *text, enum log_level *out)
{
	static const struct {
		const char *name;
		enum log_level level;
	} all[] = {{"note", LOG_NOTE}, {"warning", LOG_WARN},
	    {"error", LOG_ERROR}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (text != NULL && strcmp(all[i].name, text) != 0)
			continue;
		*out = all[i].level;
		return true;
	}
	return false;
}

int
admin_events(const struct admin_host *host, const struct admin_query *query,
    json_t **out_out, struct problem *problem)
{
	uint64_t after = 0, limit = EVENTS_LIMIT;
	enum log_level level;

	(void)host;
	if (!get_number(query->after, 0, INT64_MAX, &after))
		return bad_query(problem, "after is the id of an event");
	if (!get_number(query->limit, 1, EVENTS_LIMIT_MAX, &limit))
		return bad_query(problem, "limit is a number from 1 to 1000");
	if (!get_level(query->level, &level))
		return bad_query(problem, "level is note, warning or error");
	*out_out = events_json(after, (uint32_t)limit, level);
	return 0;
}
