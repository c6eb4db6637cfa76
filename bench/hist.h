/* SPDX-License-Identifier: MIT */
/*
 * hist.h -- a histogram of times, of fixed size.
 *
 * Buckets are HIST_STEPS to each doubling, so a time is told within one part
 * in HIST_STEPS, whatever its size; adding one costs the same at any time.
 */
#ifndef MUSTER_BENCH_HIST_H
#define MUSTER_BENCH_HIST_H

#include <stdint.h>

#define HIST_STEPS 64
#define HIST_BUCKETS (59 * HIST_STEPS) /* all times below 2^64 ns */

struct hist {
	uint64_t n;
	uint64_t max_ns;
	uint64_t buckets[HIST_BUCKETS];
};

/**
 * hist_clear(): no times.
 */
void hist_clear(struct hist *h);

/**
 * hist_add(): one more time; below 0 it is taken for 0.
 */
void hist_add(struct hist *h, int64_t ns);

/**
 * hist_at(): the time that this share of all did not exceed.
 *
 * In:      share    0 to 1
 * Returns: nanoseconds, the upper end of a bucket but never above the longest;
 *          0 without any
 */
uint64_t hist_at(const struct hist *h, double share);

/**
 * hist_tell(): percentiles as members of a JSON object, in microseconds:
 * p50_us, p99_us, p999_us, max_us.
 */
void hist_tell(const struct hist *h);

/**
 * hist_tell_curve(): the distribution as a member "curve", a list of
 * [share, microseconds] for a plot.
 */
void hist_tell_curve(const struct hist *h);

#endif /* MUSTER_BENCH_HIST_H */
