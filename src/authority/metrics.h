/* SPDX-License-Identifier: MIT */
/*
 * metrics.h -- what the service counts, for Prometheus.  Any thread may count.
 */
#ifndef MUSTER_AUTHORITY_METRICS_H
#define MUSTER_AUTHORITY_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define METRICS_OUTCOMES_MAX 40
#define METRICS_BUCKETS 7 /* batches of up to 1, 2, 4 … 64 requests */

struct metrics {
	atomic_uint_fast64_t outcomes[METRICS_OUTCOMES_MAX];
	atomic_uint_fast64_t buckets[METRICS_BUCKETS + 1];
	atomic_uint_fast64_t batched; /* requests in all batches */
	atomic_uint_fast64_t commits;
	atomic_uint_fast64_t failed_commits;
	atomic_uint_fast64_t accepted;
	atomic_uint_fast64_t turned_away; /* connections over a limit */
	atomic_uint_fast64_t timed_out;
	atomic_uint_fast64_t open;    /* connections now */
	atomic_uint_fast64_t waiting; /* requests in the queue now */
	int64_t started_unix_s;
};

/**
 * metrics_outcome(): count one answer.
 *
 * In:      outcome  one of the names in metrics.c
 */
void metrics_outcome(struct metrics *m, const char *outcome);

/**
 * metrics_batch(): count a batch of n requests whose transaction has ended.
 *
 * In:      err      of its commit
 */
void metrics_batch(struct metrics *m, size_t n, int err);

/**
 * metrics_text(): all of them in the text format of Prometheus.
 *
 * Returns: text for free(), or NULL for want of memory
 */
char *metrics_text(const struct metrics *m);

#endif /* MUSTER_AUTHORITY_METRICS_H */
