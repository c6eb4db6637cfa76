/* SPDX-License-Identifier: MIT */
/*
 * stats.h -- what many seeds say together: means, shares, and how far they can
 * be trusted.  Intervals are of 95 %.  Pure.
 */
#ifndef MUSTER_SIM_STATS_H
#define MUSTER_SIM_STATS_H

#include <stdint.h>

/* Of a number that each seed has; n of 0: none has it. */
struct stats {
	uint32_t n;
	double mean, lo, hi; /* interval of the mean, by Student's t */
	double least, most;
};

/* Of what happens in a seed or does not. */
struct stats_share {
	uint32_t k, n;
	double share, lo, hi; /* by Wilson */
};

/**
 * stats_mean(): of n numbers.
 *
 * Returns: with one number, the interval is that number
 */
struct stats stats_mean(const double *x, uint32_t n);

/**
 * stats_share(): k of n.
 *
 * Returns: with n of 0 all of it is 0
 */
struct stats_share stats_share(uint32_t k, uint32_t n);

/**
 * stats_quantile(): of n numbers, sorted in place.
 *
 * In:      q        0 to 1
 * Returns: the number at that place; 0 where there is none
 */
uint16_t stats_quantile(uint16_t *x, uint32_t n, double q);

#endif /* MUSTER_SIM_STATS_H */
