/* SPDX-License-Identifier: MIT */
/*
 * habit.h -- when a machine of a site is on, and whether it is there.
 *
 * A function of the machine's own number, its class and the time: nothing is
 * kept, so no event is needed for the many days on which nothing is due.  Off
 * and asleep are the same: what was due meanwhile is due when it is back.
 * Pure.
 */
#ifndef MUSTER_SIM_HABIT_H
#define MUSTER_SIM_HABIT_H

#include "sim/site.h"

#define HABIT_JITTER_MIN 30 /* comes and goes so much earlier or later */
#define HABIT_DAY_MS INT64_C(86400000)

enum habit {
	HABIT_OFF,
	HABIT_AWAY, /* on, but no host can be reached */
	HABIT_HERE
};

/**
 * habit_at(): of a machine at a time.
 *
 * In:      key      of the machine, any number
 *          ms       since the beginning of the plan's first day
 * Returns: which
 */
enum habit habit_at(const struct site *site, const struct site_class *c,
    uint64_t key, int64_t ms);

/**
 * habit_is_away(): is no host in reach that day, whether it is on or off?
 *
 * Returns: whether it is so
 */
bool habit_is_away(const struct site_class *c, uint64_t key, int64_t ms);

/**
 * habit_next_ms(): from when on it is on.
 *
 * Returns: ms when it is on by then, else the next time; INT64_MAX: never
 *          within SITE_DAYS_MAX
 */
int64_t habit_next_ms(const struct site *site, const struct site_class *c,
    uint64_t key, int64_t ms);

#endif /* MUSTER_SIM_HABIT_H */
