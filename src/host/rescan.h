/* SPDX-License-Identifier: MIT */
/*
 * rescan.h -- catalogues that come into the two folders while the host runs.
 *
 * Every RESCAN_MS the folders are listed; only files that changed since (by
 * inode, change time, length, or marks of trust beside them) are read.  A file
 * that goes away leaves its catalogue in force until the next start.
 * Source: doc/design.md; b44.
 */
#ifndef MUSTER_HOST_RESCAN_H
#define MUSTER_HOST_RESCAN_H

#include <uv.h>

#include "host/state.h"
#include "host/turnloop.h"

#define RESCAN_MS 2000 /* a newer catalogue takes effect within 5 s */
#define RESCAN_FILES_MAX (STATE_SEEN_MAX / 2) /* of a folder, by name */

struct rescan {
	uv_timer_t timer;
	struct state *state;
	struct turnloop *turnloop;
};

/**
 * rescan_first(): weigh every file there is, at the start.
 *
 * Returns: 0, a folder that is not there included; MUSTER_E_IO,
 *          MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int rescan_first(struct state *state);

/**
 * rescan_start(): look again from now on, until rescan_stop().
 */
void rescan_start(struct rescan *rescan, uv_loop_t *loop, struct state *state,
    struct turnloop *turnloop);

/**
 * rescan_now(): look at once; on the loop's thread.
 */
void rescan_now(struct rescan *rescan);

/**
 * rescan_stop(): leave the loop.
 */
void rescan_stop(struct rescan *rescan);

#endif /* MUSTER_HOST_RESCAN_H */
