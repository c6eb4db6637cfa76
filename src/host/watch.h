/* SPDX-License-Identifier: MIT */
/*
 * watch.h -- what the status shows beside the present: history and a summary
 * of the inventory.
 *
 * Once a second the counts are noted, without waiting for the store.  The
 * summary reads the whole inventory on a thread of libuv's pool, so it is
 * made at the start and then only while somebody asks for it, when a batch has
 * changed something or it is WATCH_OLD_MS old.  It reads WATCH_PIECE rows at a
 * time, half a millisecond, and then rests: one per cent of a processor, never
 * in one piece that an activation would wait behind, and no transaction is
 * open meanwhile.  Only the first one after the start does not rest, for there
 * is nothing to show before it.  Its figures are so old as their
 * `as_of_unix_s` says: while somebody asks, at most WATCH_OLD_MS and the time
 * of a reading, 11 s with 100,000 rows.
 */
#ifndef MUSTER_HOST_WATCH_H
#define MUSTER_HOST_WATCH_H

#include <stdbool.h>
#include <uv.h>

#include "host/history.h"
#include "host/state.h"
#include "host/summary.h"
#include "host/turnloop.h"

#define WATCH_TICK_MS 1000
#define WATCH_ASKED_MS 120000 /* a scrape in two minutes is somebody */
#define WATCH_REST_MS 5000    /* between two readings */
#define WATCH_PIECE 512       /* rows; 0.5 ms */
#define WATCH_PIECE_MS 50     /* between two pieces */
#define WATCH_OLD_MS 60000
/* A clock that is behind what was noted before is not set yet, as at the start
 * of a machine without one, or never will be. */
#define WATCH_CLOCK_MS 600000

struct watch {
	uv_timer_t timer, rest; /* rest: between two pieces */
	uv_work_t work;
	struct turnloop *turnloop;
	const struct store *store;
	struct state *state;
	struct history history;
	uv_work_t keeping;
	char history_path[FILE_PATH_MAX]; /* empty: it is kept nowhere */
	uint8_t *kept; /* its bytes, while they are written; owned */
	size_t kept_len;
	int64_t kept_hour;    /* the newest that is written */
	int64_t noted_unix_s; /* by the last run; 0: it is behind us */
	uint64_t begun_ms;
	int keep_err, kept_err; /* of this writing; of the one before it */
	struct summary summary, made;
	struct products *products; /* of summary, and of the one being made */
	struct products *made_products;
	struct store_scan *scan; /* of made; the work's while it is at work */
	int made_err, last_err; /* of the reading; of the one that ended last */
	uint64_t made_batches, asked_ms, next_ms, ended_ms;
	bool is_making, is_working, is_made, is_stopped;
};

/**
 * watch_start(): hang on the loop, with the history that the last run has left.
 *
 * In:      watch    zeros; all others borrowed until watch_free()
 */
void watch_start(struct watch *watch, uv_loop_t *loop, struct state *state,
    struct turnloop *turnloop, const struct store *store);

/**
 * watch_asked(): somebody looks at the summary.
 */
void watch_asked(struct watch *watch);

/**
 * watch_stop(): off the loop; the history is written.
 */
void watch_stop(struct watch *watch);

/**
 * watch_free(): after the loop has run out.
 */
void watch_free(struct watch *watch);

/**
 * watch_history_json(): GET /v1/history.
 *
 * Returns: an object, or NULL out of memory
 */
json_t *watch_history_json(const struct watch *watch, enum history_step step);

/**
 * watch_refused(): answers that were neither a lease nor a count.
 *
 * Returns: since the start
 */
uint64_t watch_refused(const struct turnloop_stats *stats);

#endif /* MUSTER_HOST_WATCH_H */
