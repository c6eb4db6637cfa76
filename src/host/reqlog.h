/* SPDX-License-Identifier: MIT */
/*
 * reqlog.h -- requests in the log, by the name that the client gives them too:
 * the first 8 bytes of the nonce in hex.
 *
 * Each is a line of the level "fine"; what leaves a client without a lease is
 * a "note", as often as REQLOG_NOTES_MAX says, so that strangers do not fill
 * the log.  Refusals and counts below the threshold are limited apart: a site
 * that begins does not hide that a machine is refused.
 */
#ifndef MUSTER_HOST_REQLOG_H
#define MUSTER_HOST_REQLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/msg.h"

#define REQLOG_NOTES_MAX 6 /* of each within REQLOG_MS; further ones: fine */
#define REQLOG_MS 60000

struct reqlog_rate {
	int64_t begun_ms; /* of the stretch; 0: none yet */
	uint32_t n;       /* noted in it */
	uint64_t n_untold;
};

struct reqlog {
	struct reqlog_rate refused;
	struct reqlog_rate below; /* counted, and the threshold is not met */
};

/**
 * reqlog_level(): how important is the line of an answer?  Pure.
 *
 * In:      is_below counted, and the count is below the threshold
 *          now_ms   monotonic, above 0
 * Out:     n_untold_out  answers of the kind that were not noted since the
 *                   last note; 0 unless this is one
 * Returns: an enum log_level
 */
int reqlog_level(struct reqlog *log, enum wire_status status, bool is_below,
    int64_t now_ms, uint64_t *n_untold_out);

/**
 * reqlog_answered(): write it.
 *
 * In:      address  of the client, IPv6 or mapped
 */
void reqlog_answered(struct reqlog *log, const struct wire_args *args,
    const uint8_t *address, const struct wire_result *res);

#endif /* MUSTER_HOST_REQLOG_H */
