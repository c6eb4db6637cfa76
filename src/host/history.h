/* SPDX-License-Identifier: MIT */
/*
 * history.h -- counts and answers over time, in memory: a day of minutes and
 * sixty days of hours.
 *
 * Pure: the caller brings time and numbers, and keeps it (history_file.h).  One
 * that is full forgets its oldest point.  Where nobody looked, or the clock
 * jumped ahead, there are points of which nothing is known; one that jumps back
 * takes with it what it had noted of a time that has not come.
 */
#ifndef MUSTER_HOST_HISTORY_H
#define MUSTER_HOST_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

#define HISTORY_POINTS 1440   /* 24 h of minutes, 60 days of hours */
#define HISTORY_GROUPS_MAX 64 /* more than a page shows; 740 KB in all */
#define HISTORY_UNKNOWN UINT32_MAX

enum history_step { HISTORY_MINUTE, HISTORY_HOUR, HISTORY_STEPS };

/* What was answered since the start, and rises. */
struct history_totals {
	uint64_t activated, below_threshold, refused;
};

struct history_point {
	uint32_t activated, below_threshold, refused; /* within the step */
	bool is_known; /* else nobody looked, and they are 0 */
};

struct history_ring {
	int64_t newest; /* time of the newest point / step; the one that runs */
	uint32_t n, at; /* points, and the place of the newest */
	struct history_point points[HISTORY_POINTS];
	uint32_t counts[HISTORY_GROUPS_MAX][HISTORY_POINTS];
};

struct history {
	struct history_totals last;
	uint32_t n_groups;
	struct store_group groups[HISTORY_GROUPS_MAX]; /* as last seen */
	struct history_ring rings[HISTORY_STEPS];
};

/**
 * history_step_s(): how long a step is.
 *
 * Returns: seconds
 */
int64_t history_step_s(enum history_step step);

/**
 * history_note(): what is so now; as often as it is to be exact.
 *
 * In:      now_unix_s  wall clock, above 0
 *          groups   n of them; those beyond HISTORY_GROUPS_MAX are left out
 */
void history_note(struct history *h, int64_t now_unix_s,
    const struct history_totals *totals, const struct store_group *groups,
    size_t n);

/**
 * history_place(): where the i-th point of a ring is, the oldest first.
 *
 * In:      i        below ring->n
 * Returns: an index of points and counts
 */
uint32_t history_place(const struct history_ring *ring, uint32_t i);

#endif /* MUSTER_HOST_HISTORY_H */
