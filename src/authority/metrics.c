/* SPDX-License-Identifier: MIT */
#include "authority/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "muster_authority_"

/* Grants come first: N_GRANTS of them. */
static const char *const names[] = {
    "new",
    "same",
    "reactivation",
    "replacement",
    "slots",
    "released",
    "healthy",
    "metrics",
    "bad_request",
    "too_large",
    "not_found",
    "method_not_allowed",
    "unsupported_media_type",
    "publisher",
    "key_unknown",
    "key_revoked",
    "hosts_used_up",
    "reactivations_used_up",
    "counter_old",
    "slot_not_held",
    "slot_closed",
    "host_revoked",
    "slot_revoked",
    "releases_used_up",
    "clock",
    "rate_limited",
    "busy",
    "no_issuer",
    "failed",
};

#define N_GRANTS 4
#define N_NAMES (sizeof(names) / sizeof(names[0]))

_Static_assert(N_NAMES <= METRICS_OUTCOMES_MAX, "each has its counter");

void
metrics_outcome(struct metrics *m, const char *outcome)
{
	for (size_t i = 0; i < N_NAMES; i++) {
		if (strcmp(names[i], outcome) == 0) {
			atomic_fetch_add(&m->outcomes[i], 1);
			return;
		}
	}
	assert(!"an outcome without a name");
}

void
metrics_batch(struct metrics *m, size_t n, int err)
{
	size_t bucket = 0;

	while (bucket < METRICS_BUCKETS && n > (size_t)1 << bucket)
		bucket++;
	atomic_fetch_add(&m->buckets[bucket], 1);
	atomic_fetch_add(&m->batched, n);
	atomic_fetch_add(err == 0 ? &m->commits : &m->failed_commits, 1);
}

static void
one(FILE *f, const char *name, const char *type, const char *help, uint64_t v)
{
	(void)fprintf(f,
	    "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n" PREFIX
	    "%s %" PRIu64 "\n",
	    name, help, name, type, name, v);
}

static void
labelled(FILE *f, const struct metrics *m, size_t from, size_t to,
    const char *name, const char *label, const char *help)
{
	(void)fprintf(f,
	    "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s counter\n", name, help,
	    name);
	for (size_t i = from; i < to; i++)
		(void)fprintf(f, PREFIX "%s{%s=\"%s\"} %" PRIu64 "\n", name,
		    label, names[i], (uint64_t)m->outcomes[i]);
}

static void
batches(FILE *f, const struct metrics *m)
{
	uint64_t sum = 0;

	(void)fprintf(f,
	    "# HELP " PREFIX "batch_size Requests that shared a transaction.\n"
	    "# TYPE " PREFIX "batch_size histogram\n");
	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		sum += m->buckets[i];
		(void)fprintf(f,
		    PREFIX "batch_size_bucket{le=\"%u\"} %" PRIu64 "\n",
		    1U << i, sum);
	}
	sum += m->buckets[METRICS_BUCKETS];
	(void)fprintf(f,
	    PREFIX "batch_size_bucket{le=\"+Inf\"} %" PRIu64 "\n" PREFIX
	           "batch_size_sum %" PRIu64 "\n" PREFIX
	           "batch_size_count %" PRIu64 "\n",
	    sum, (uint64_t)m->batched, sum);
}

char *
metrics_text(const struct metrics *m)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	labelled(f, m, 0, N_NAMES, "requests_total", "outcome",
	    "Requests by outcome.");
	labelled(f, m, 0, N_GRANTS, "grants_total", "kind",
	    "Certificates given, by kind.");
	one(f, "queue_length", "gauge", "Requests that wait for the database.",
	    m->waiting);
	one(f, "commits_total", "counter", "Transactions that are on disk.",
	    m->commits);
	one(f, "commits_failed_total", "counter",
	    "Transactions that came to nothing.", m->failed_commits);
	batches(f, m);
	one(f, "connections", "gauge", "Connections that are open.", m->open);
	one(f, "connections_total", "counter", "Connections taken.",
	    m->accepted);
	one(f, "connections_refused_total", "counter",
	    "Connections closed at once: their source has too many.",
	    m->turned_away);
	one(f, "connections_timed_out_total", "counter",
	    "Connections closed because a request took too long.",
	    m->timed_out);
	one(f, "start_time_seconds", "gauge", "When the service started.",
	    (uint64_t)m->started_unix_s);
	if (fclose(f) != 0) {
		free(text);
		text = NULL;
	}
	return text;
}
