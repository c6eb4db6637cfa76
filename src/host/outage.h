/* SPDX-License-Identifier: MIT */
/*
 * outage.h -- which failures of the store are a line in the log.
 *
 * A failure is told when its kind or its cause changes, and again once a
 * minute while it lasts.  Causes may alternate, and some have numbers in them:
 * a new cause of the same kind has to wait for its turn.
 */
#ifndef MUSTER_HOST_OUTAGE_H
#define MUSTER_HOST_OUTAGE_H

#include <stdint.h>

#include "store/store.h"

#define OUTAGE_AGAIN_MS 60000 /* the same failure: once a minute */
#define OUTAGE_CAUSE_MS 5000  /* another cause: the longest back-off */

struct outage {
	int told; /* the last outcome; 0: all is well */
	int64_t told_ms;
	struct store_diag cause; /* that was told */
};

enum outage_word {
	OUTAGE_SILENT,
	OUTAGE_TELL,
	OUTAGE_OVER,
};

/**
 * outage_note(): take in how the store's last work ended; pure.
 *
 * In:      outcome  0, or an outcome of store.h
 *          cause    its words; unused with 0
 *          now_ms   monotonic
 * Returns: what the log is to say
 */
enum outage_word outage_note(struct outage *outage, int outcome,
    const char *cause, int64_t now_ms);

/**
 * outage_tell(): the same, and the line.
 *
 * In:      what     comes of it, or where it was found
 */
void outage_tell(struct outage *outage, int outcome, const char *what,
    const char *cause);

#endif /* MUSTER_HOST_OUTAGE_H */
