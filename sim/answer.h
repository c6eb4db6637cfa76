/* SPDX-License-Identifier: MIT */
/*
 * answer.h -- what the seeds of a plan say of a site, and how it is told: as a
 * table, as JSON, or as a picture.
 */
#ifndef MUSTER_SIM_ANSWER_H
#define MUSTER_SIM_ANSWER_H

#include <stdio.h>

#include "sim/stats.h"
#include "sim/watch.h"

#define ANSWER_WARNINGS_MAX 32 /* one a count and product, and some */
#define ANSWER_WARNING_MAX 160

struct answer_class {
	struct stats_share activated;    /* each of its machines was, once */
	struct stats first_day, all_day; /* where that came about */
	struct stats lapsed, notified;   /* machines */
	struct stats below_percent;      /* of its answers, once activated */
	struct stats dead_percent, unanswered_percent; /* of its rounds */
};

/* A host's count against a product's threshold. */
struct answer_count {
	struct stats_share reached, stays; /* stays: of those that reached it */
	struct stats reached_day, least, below_days;
};

struct answer_host {
	struct stats requests_a_day, busiest_minute, down_percent;
};

struct answer {
	const struct site *site;
	const struct watch *watch; /* n of them, borrowed */
	uint32_t n;                /* seeds */
	uint64_t first_seed;
	struct stats_share stays_activated; /* every machine of every class */
	struct stats_share counts_stay; /* all that were reached, to the end */
	struct stats database_down_percent; /* of a shared count */
	struct answer_class class[SITE_CLASSES_MAX];
	struct answer_host host[SITE_HOSTS_MAX];
	struct answer_count count[SITE_HOSTS_MAX][SITE_PRODUCTS_MAX];
	uint32_t n_warnings;
	char warning[ANSWER_WARNINGS_MAX][ANSWER_WARNING_MAX];
};

/**
 * answer_make(): sum the seeds up.
 *
 * In:      watch    n of them, kept until the last use of the answer
 */
void answer_make(struct answer *a, const struct site *site,
    const struct watch *watch, uint32_t n, uint64_t first_seed);

/**
 * answer_counts_apart(): does this host have a count of its own?
 *
 * Returns: false where another one's stands for it (b11)
 */
bool answer_counts_apart(const struct answer *a, uint32_t host);

/**
 * answer_table(): for people.
 */
void answer_table(const struct answer *a, FILE *out);

/**
 * answer_json(): one object, with stable keys.
 */
void answer_json(const struct answer *a, FILE *out);

/**
 * answer_svg(): the counts over time, against the thresholds.
 */
void answer_svg(const struct answer *a, FILE *out);

#endif /* MUSTER_SIM_ANSWER_H */
