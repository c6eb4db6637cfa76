/* SPDX-License-Identifier: MIT */
/*
 * told.h -- what one scan of the folders complained of, so that the next one
 * is silent about it; pure.
 */
#ifndef MUSTER_AGENT_TOLD_H
#define MUSTER_AGENT_TOLD_H

#include <stdbool.h>
#include <stdint.h>

#define TOLD_MAX 64 /* complaints of one scan; more of them are not told */

struct told {
	uint32_t n_before, n;
	uint64_t before[TOLD_MAX]; /* of the last scan */
	uint64_t id[TOLD_MAX];     /* of this one */
};

/**
 * told_begin(): another scan begins.
 */
void told_begin(struct told *t);

/**
 * told_is_new(): note a complaint.
 *
 * In:      path, line  what it is about; 0 for the whole file
 *          err         why
 * Returns: whether it is to be told: neither the last scan nor this one made
 *          it, and there is room to remember it
 */
bool told_is_new(struct told *t, const char *path, uint32_t line, int err);

#endif /* MUSTER_AGENT_TOLD_H */
