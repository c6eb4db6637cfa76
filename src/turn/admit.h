/* SPDX-License-Identifier: MIT */
/*
 * admit.h -- who is taken in, and when who is sent away may come back; pure.
 *
 * A request that waits longer than its client is work for nobody.  So the
 * queue has a bound in time, by what the host has lately shown to work, and
 * one in number, for memory.  Beyond it a client is told BUSY at once, which
 * costs a fraction of an answer.
 *
 * Those sent away in one second must not come back in one second.  A diary
 * holds how many were told each of the seconds to come.  A client gets, by lot,
 * the emptier of two of the next few seconds, of so many as have room for all;
 * where both are full, the next one that is not.
 * A second is full with half of what it works, ADMIT_RETURN_MIN at least; the
 * other half is for those who come by themselves.  So a few are sent away for
 * moments, and 50,000 for as long as 50,000 take.  A source that is over its
 * own limits has no place in it.
 * Source: doc/behaviour.md, "Numbers" (BUSY wait); doc/host.md, "Storms".
 */
#ifndef MUSTER_TURN_ADMIT_H
#define MUSTER_TURN_ADMIT_H

#include <stddef.h>
#include <stdint.h>

#include "turn/turn.h"
#include "wire/msg.h"

#define ADMIT_QUEUE_MAX 4096     /* requests: 3 MB of items */
#define ADMIT_QUEUE_MIN TURN_MAX /* one batch always has room */
#define ADMIT_WAIT_S 4           /* of the 10 s that a client gives it all */
#define ADMIT_RATE_START 2000    /* answers a second, until one was seen */
#define ADMIT_RATE_MIN 16        /* a store that stands still */
#define ADMIT_RATE_MAX 1000000
#define ADMIT_BATCH_MIN 64 /* smaller ones tell of the demand alone */
/* To tell so many BUSY again costs a twentieth of a core: a rate that was
 * misjudged must not send 50,000 away for an hour. */
#define ADMIT_RETURN_MIN 1000
#define ADMIT_OVERLOAD_S 4 /* least spread of those it has no room for */
#define ADMIT_TROUBLE_S 30 /* likewise where the store has failed */
/* A source over its own limits; it may well come again at once. */
#define ADMIT_REFUSED_S 60
#define ADMIT_AHEAD_S WIRE_BUSY_MAX_S /* the diary's length */

struct admit {
	uint32_t rate; /* answers a second when there is enough to do */
	int64_t now_s; /* monotonic; the diary begins behind it */
	uint32_t due[ADMIT_AHEAD_S]; /* ring: sent away until second % length */
};

/**
 * admit_init(): nothing seen, nobody sent away.
 */
void admit_init(struct admit *a);

/**
 * admit_seen(): a batch has been worked off.
 *
 * In:      n        its requests; fewer than ADMIT_BATCH_MIN change nothing
 *          took_us  of the host's time, from when it could begin
 */
void admit_seen(struct admit *a, size_t n, int64_t took_us);

/**
 * admit_queue_max(): so many may wait, the batch in work included.
 *
 * Returns: ADMIT_QUEUE_MIN to ADMIT_QUEUE_MAX
 */
uint32_t admit_queue_max(const struct admit *a);

/**
 * admit_busy_s(): the wait of one who is sent away; written into the diary.
 *
 * In:      now_s     monotonic; a step back counts as none
 *          spread_s  at least so many seconds to draw from: ADMIT_OVERLOAD_S
 *                    or ADMIT_TROUBLE_S
 *          draw      64 random bits
 * Returns: 1 to WIRE_BUSY_MAX_S
 */
uint32_t
admit_busy_s(struct admit *a, int64_t now_s, uint32_t spread_s, uint64_t draw);

/**
 * admit_refused_s(): the wait of one whose source is over its own limits.
 *
 * Nothing is written into the diary: however often such a source calls, the
 * others' seconds stay theirs.
 *
 * In:      draw  64 random bits
 * Returns: 1 to ADMIT_REFUSED_S
 */
uint32_t admit_refused_s(uint64_t draw);

#endif /* MUSTER_TURN_ADMIT_H */
