/* SPDX-License-Identifier: MIT */
/*
 * history_file.h -- the history as bytes, so that a restart leaves a gap in the
 * curves and not their end; pure.
 *
 *   "MSTHIST1", groups: n, and of each publisher and number
 *   of each ring: time of the newest point, n, and of each point, the oldest
 *   first: is it known, activated, below threshold, refused, count of each group
 *   a checksum of all before it
 *
 * It is told from chance damage, not from malice: who can write it can write the
 * database beside it.
 */
#ifndef MUSTER_HOST_HISTORY_FILE_H
#define MUSTER_HOST_HISTORY_FILE_H

#include "host/history.h"
#include "muster/err.h"

#define HISTORY_SUM_LEN 16
#define HISTORY_POINT_LEN(groups) ((4 + (size_t)(groups)) * 4)
#define HISTORY_LEN(groups)                                              \
	(8 + 4 + (size_t)(groups) * (PUBLISHER_LEN + 4) +                \
	    HISTORY_STEPS * (8 + 4) +                                    \
	    HISTORY_STEPS * HISTORY_POINTS * HISTORY_POINT_LEN(groups) + \
	    HISTORY_SUM_LEN)
#define HISTORY_FILE_MAX HISTORY_LEN(HISTORY_GROUPS_MAX) /* 784 KB */

/**
 * history_encode(): all of it.
 *
 * Out:     out      HISTORY_LEN(h->n_groups) bytes suffice
 * Returns: bytes written; 0: cap is too small
 */
size_t history_encode(const struct history *h, uint8_t *out, size_t cap);

/**
 * history_decode(): what history_encode() made; history_note() goes on from
 * there, with totals that begin anew.
 *
 * Out:     h        zeros on failure
 * Returns: 0; MUSTER_E_DAMAGED
 */
MUSTER_NODISCARD int
history_decode(const uint8_t *p, size_t len, struct history *h);

#endif /* MUSTER_HOST_HISTORY_FILE_H */
