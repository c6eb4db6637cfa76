/* SPDX-License-Identifier: MIT */
/*
 * clockwatch.h -- may the wall clock be believed? (b36)
 *
 * The wall clock is watched against the boot-time clock, which counts on in
 * suspend and cannot be set.  A step of more than CLOCKWATCH_STEP_S makes the
 * wall clock doubtful until it has run on without another step for
 * CLOCKWATCH_RUN_S, or until a signed reply has confirmed it.  A doubtful
 * clock still tells the time; it only does not raise the high water, so a
 * jump ahead that is put right leaves nothing behind.
 *
 * Across a restart of the machine nobody knows how much time has passed: a
 * wall clock that went on by more than CLOCKWATCH_STEP_S is doubtful too,
 * one that went back is a step.  Time already run while in doubt is kept
 * across a restart, unless the clock went on by more than CLOCKWATCH_PAUSE_S:
 * that may be a step ahead just as well.  Pure.
 *
 *   state      event                                     next
 *   believed   no step                                   believed
 *   believed   a step; a restart after a longer pause    doubtful, 0 s run
 *   doubtful   no step, less than 24 h run in all        doubtful
 *   doubtful   a step; a restart with an earlier clock,  doubtful, 0 s run
 *              or after a pause of more than a week
 *   doubtful   24 h run; a signed reply                  believed
 */
#ifndef MUSTER_CLIENT_CLOCKWATCH_H
#define MUSTER_CLIENT_CLOCKWATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"

#define CLOCKWATCH_STEP_S 14400     /* 4 hours */
#define CLOCKWATCH_RUN_S 86400      /* 24 hours of running */
#define CLOCKWATCH_PAUSE_S 604800   /* off over holidays, and no longer */
#define CLOCKWATCH_BOOT_LEN 16      /* id of this start of the machine */
#define CLOCKWATCH_MAGIC "MUSTERK1" /* of its state file */
#define CLOCKWATCH_FILE_LEN 88      /* bytes, always */

/* Both clocks at one moment. */
struct clockwatch_now {
	uint8_t boot[CLOCKWATCH_BOOT_LEN];
	int64_t wall_unix_s;
	int64_t boot_s; /* since that start, suspend included */
};

/* All zero: nothing seen yet. */
struct clockwatch {
	bool has_seen;
	bool is_doubtful;
	int64_t run_s; /* while in doubt, without a step */
	struct clockwatch_now last;
};

/**
 * clockwatch_see(): look at both clocks.
 *
 * Returns: true when the wall clock may raise the high water
 */
bool clockwatch_see(struct clockwatch *w, const struct clockwatch_now *now);

/**
 * clockwatch_signed(): a verified reply came, issued within 4 hours of now.
 */
void clockwatch_signed(struct clockwatch *w, const struct clockwatch_now *now);

/**
 * clockwatch_encode(): the state file: magic, version 1, doubtful (4 bytes,
 * 0 or 1), run, boot id, wall, boot time (8 bytes each), BLAKE2b-256 of all
 * that.
 *
 * Out:     buf      CLOCKWATCH_FILE_LEN bytes
 * Returns: 0; MUSTER_E_INVAL: nothing was seen yet
 */
MUSTER_NODISCARD int
clockwatch_encode(const struct clockwatch *w, uint8_t *buf);

/**
 * clockwatch_decode(): read a state file.
 *
 * Returns: 0; MUSTER_E_TRUNC, MUSTER_E_PROTO, MUSTER_E_RANGE,
 *          MUSTER_E_DAMAGED; w_out is untouched on failure
 */
MUSTER_NODISCARD int
clockwatch_decode(const uint8_t *p, size_t len, struct clockwatch *w_out);

#endif /* MUSTER_CLIENT_CLOCKWATCH_H */
