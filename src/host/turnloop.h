/* SPDX-License-Identifier: MIT */
/*
 * turnloop.h -- requests into batches, batches to the store thread and back.
 *
 * One batch is in flight; what arrives meanwhile fills the next ones, so a slow
 * disk makes larger batches, not slower replies; when admit.h has no room for
 * more, clients are told BUSY and when to come back.  A batch leaves when it is
 * full or at the end of the loop's turn in which its first request came; a full
 * one leaves before the answers of its forerunner are signed.  Nothing is
 * allocated after turnloop_new().
 */
#ifndef MUSTER_HOST_TURNLOOP_H
#define MUSTER_HOST_TURNLOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "host/outage.h"
#include "store/worker.h"
#include "turn/turn.h"

#define TURNLOOP_STATUSES 7 /* WIRE_OK to WIRE_REFUSED */
/* ADMIT_QUEUE_MAX in full ones, one in flight that is not, one that is being
 * answered while its clients ask again */
#define TURNLOOP_BATCHES 18

struct turnloop;

/* An answer for a request that turnloop_ask() kept. */
typedef void turnloop_answer_fn(void *ticket, const struct wire_result *res);
/* The store failed so that only a new start helps; called once. */
typedef void turnloop_fatal_fn(void *arg, int outcome);

struct turnloop_stats {
	uint64_t by_status[TURNLOOP_STATUSES]; /* answers given */
	/* of those that are WIRE_OK */
	uint64_t activated; /* the count had reached the client's threshold */
	uint64_t below_threshold;
	uint64_t probes; /* that are in neither */
	uint64_t batches;
	uint64_t batches_failed;
	uint32_t largest;     /* items of the largest batch */
	uint32_t waiting_max; /* requests that waited at one time */
	int outcome;          /* of the last batch; of a shared store, or of
	                         the last store_upkeep() */
	struct outage outage; /* as the log has it */
};

/**
 * turnloop_count(): one answer more; pure.
 */
void turnloop_count(struct turnloop_stats *stats, const struct turn_item *item,
    const struct wire_result *res);

/**
 * turnloop_new(): start the store thread and hang on the loop.
 *
 * In:      host     read in turns; see turnloop_settle() for changing it
 *          store    ours until turnloop_close()
 * Returns: 0; MUSTER_E_NOMEM, MUSTER_E_IO
 */
MUSTER_NODISCARD int turnloop_new(uv_loop_t *loop, const struct turn_host *host,
    struct store *store, turnloop_answer_fn *answer, turnloop_fatal_fn *fatal,
    void *arg, struct turnloop **tl_out);

/**
 * turnloop_ask(): judge one ACTIVATE and take it into a batch.
 *
 * In:      args, raw, raw_len  decoded and as they came; copied
 *          address  TURN_ADDRESS_LEN bytes
 *          ticket   handed to answer() later
 * Out:     res_out  the answer, when it can be given at once
 * Returns: true when the answer comes later
 */
bool turnloop_ask(struct turnloop *tl, const struct wire_args *args,
    const uint8_t *raw, size_t raw_len, const uint8_t *address, void *ticket,
    struct wire_result *res_out);

/**
 * turnloop_refuse(): BUSY for one whose source is over its own limits, or
 * REFUSED for one of no allowed network; counted.
 */
void turnloop_refuse(struct turnloop *tl, const struct wire_args *args,
    const uint8_t *address, enum wire_status status,
    struct wire_result *res_out);

/**
 * turnloop_host(): the host that turns are judged by; borrowed.
 *
 * Returns: borrowed, valid until the next change
 */
const struct turn_host *turnloop_host(const struct turnloop *tl);

/**
 * turnloop_settle(): commit and answer all that waits; then the host may be
 * changed until the loop goes on.  A shared store is not waited for longer
 * than a moment: who waits then is told BUSY, what becomes of the batch in
 * flight is for its clients unknown.
 *
 * Blocks:  for the commits of the batches that wait; a shared store: 100 ms
 */
void turnloop_settle(struct turnloop *tl);

/**
 * turnloop_lock(): the store, between batches; see worker_lock().
 *
 * Returns: the store, until turnloop_unlock(); NULL: a shared one that has
 *          been busy for the time it may take
 * Blocks:  for what the store does; a shared store: 100 ms
 */
struct store *turnloop_lock(struct turnloop *tl);

/**
 * turnloop_groups(): store_groups() of now; where the store is shared and
 * busy, as they were last seen.
 *
 * Out:     out      borrowed until the next call
 * Returns: 0, or as store_groups(), none then
 */
MUSTER_NODISCARD int turnloop_groups(struct turnloop *tl,
    const struct store_group **out, size_t *n_out);

/**
 * turnloop_last_groups(): the same without waiting for anybody: when the store
 * has work, as they were at the end of a batch within the last second.
 *
 * Out:     out      borrowed until the next call
 */
void turnloop_last_groups(struct turnloop *tl, const struct store_group **out,
    size_t *n_out);

/**
 * turnloop_unlock(): end of turnloop_lock().
 */
void turnloop_unlock(struct turnloop *tl);

/**
 * turnloop_stats(): what was answered since the start; borrowed.
 *
 * Returns: borrowed, valid as long as the loop
 */
const struct turnloop_stats *turnloop_stats(const struct turnloop *tl);

/**
 * turnloop_close(): settle, end the thread, leave the loop.
 *
 * The memory is freed by turnloop_free(), after the loop has ended.
 */
void turnloop_close(struct turnloop *tl);

/**
 * turnloop_free(): after the loop has run out; NULL is fine.
 */
void turnloop_free(struct turnloop *tl);

#endif /* MUSTER_HOST_TURNLOOP_H */
