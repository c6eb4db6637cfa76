/* SPDX-License-Identifier: MIT */
/*
 * reqlog.h -- requests in the log, by the name that the client gives them too:
 * the first 8 bytes of the nonce in hex.
 *
 * Each is a line of the level "fine"; what is refused is a "note", as often
 * as REQLOG_NOTES_MAX says, so that strangers do not fill the log.
 */
#ifndef MUSTER_HOST_REQLOG_H
#define MUSTER_HOST_REQLOG_H

#include <stdint.h>

#include "wire/msg.h"

#define REQLOG_NOTES_MAX 6 /* refusals within REQLOG_MS; further ones: fine */
#define REQLOG_MS 60000

struct reqlog {
	int64_t begun_ms; /* of the stretch; 0: none yet */
	uint32_t n;       /* noted in it */
	uint64_t n_untold;
};

/**
 * reqlog_level(): how important is the line of an answer?  Pure.
 *
 * In:      now_ms   monotonic, above 0
 * Out:     n_untold_out  refusals that were not noted since the last note;
 *                   0 unless this is one
 * Returns: an enum log_level
 */
int reqlog_level(struct reqlog *log, enum wire_status status, int64_t now_ms,
    uint64_t *n_untold_out);

/**
 * reqlog_answered(): write it.
 *
 * In:      address  of the client, IPv6 or mapped
 */
void reqlog_answered(struct reqlog *log, const struct wire_args *args,
    const uint8_t *address, const struct wire_result *res);

#endif /* MUSTER_HOST_REQLOG_H */
