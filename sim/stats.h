/* SPDX-License-Identifier: MIT */
/*
 * stats.h -- what many seeds say together: means, shares, and how far they can
 * be trusted.  Intervals are of 95 %.  Pure.
 */
#ifndef MUSTER_SIM_STATS_H
#define MUSTER_SIM_STATS_H

#include <stdbool.h>
#include <stdint.h>

/* Of a number that each seed has; n of 0: none has it. */
struct stats {
	uint32_t n;
	double mean;
	/* of the mean, by Student's t; none where all numbers are the same: they
	 * say nothing of how far others may be from them */
	bool has_interval;
	double lo, hi;
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
 * In:      floor, ceiling  between which all of them are, and so their mean
 * Returns: with n of 0 all of it is 0
 */
struct stats
stats_mean(const double *x, uint32_t n, double floor, double ceiling);

/**
 * stats_unseen(): how likely may be what n seeds did not show? The largest
 * probability with which it stays unseen in n of n in one case of twenty.
 *
 * Returns: 1 - 0.05^(1/n); with n of 0, 1
 */
double stats_unseen(uint32_t n);

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
