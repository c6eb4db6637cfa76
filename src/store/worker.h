/* SPDX-License-Identifier: MIT */
/*
 * worker.h -- the store thread: one batch in flight, with a completion.
 *
 * worker_submit() hands a batch over and returns; done() runs on the store
 * thread when the batch has ended and must only pass the word on (uv_async_send
 * in the daemon).  The items belong to the worker between the two.
 *
 * Idle time does the store's upkeep (store_idle()), but a busy host has none.
 * So the thread asks for what is due (store_busy()) after every
 * WORKER_UPKEEP_ITEMS items,
 * behind done(): replies do not wait for it, the next batch may.
 */
#ifndef MUSTER_STORE_WORKER_H
#define MUSTER_STORE_WORKER_H

#include "store/store.h"

/*
 * Records, not batches, are what fills a journal: batches have 1 to TURN_MAX.
 * At most 2 x TURN_MAX - 1 records come between two pieces of STORE_PIECE (as
 * many), so merging always catches up; most of the time nothing is due.
 */
#define WORKER_UPKEEP_ITEMS TURN_MAX

typedef void worker_done_fn(void *arg);

struct worker;

/**
 * worker_new(): start the thread over a store.
 *
 * In:      store    used by the thread alone until worker_free(), but for
 *                   worker_lock()
 *          done     called on the store thread, once a submit
 * Returns: 0; MUSTER_E_NOMEM, MUSTER_E_IO (no thread)
 */
MUSTER_NODISCARD int worker_new(struct store *store, worker_done_fn *done,
    void *arg, struct worker **worker_out);

/**
 * worker_free(): wait for the batch in flight, end the thread; NULL is fine.
 */
void worker_free(struct worker *w);

/**
 * worker_submit(): hand a batch to the store thread.
 *
 * In:      items    n, kept by the worker until done()
 * Returns: 0; MUSTER_E_AGAIN a batch is in flight
 */
MUSTER_NODISCARD int worker_submit(struct worker *w, struct turn_item *items,
    size_t n, int64_t now_unix_s);

/**
 * worker_join(): add an item to the batch in flight, while it waits for what
 * the store waits for (store_batch_growing()).
 *
 * In:      item     copied behind the items of worker_submit(), which must
 *                   have room for TURN_MAX
 * Returns: false: it is for the next batch; none is in flight, it is full or
 *          sealed, or has nothing of the item's group
 */
bool worker_join(struct worker *w, const struct turn_item *item);

/**
 * worker_outcome(): how the last batch ended; valid from done() on.
 *
 * Returns: an outcome of store_batch()
 */
int worker_outcome(const struct worker *w);

/**
 * worker_diag(): what the database said when the last batch failed; from
 * done() on, until the next submit.
 *
 * Returns: borrowed; of an earlier batch when the last one went well
 */
const struct store_diag *worker_diag(const struct worker *w);

/**
 * worker_is_over(): store_is_over() after the last batch; valid as the outcome.
 *
 * Returns: true when no batch can succeed any more
 */
bool worker_is_over(const struct worker *w);

/**
 * worker_try_lock(): worker_lock() that does not wait.
 *
 * Returns: the store, or NULL when a batch or upkeep has it
 */
struct store *worker_try_lock(struct worker *w);

/**
 * worker_lock(): use the store from another thread, between batches.
 *
 * Returns: the store; call worker_unlock() soon, the batch waits
 */
struct store *worker_lock(struct worker *w);

/**
 * worker_unlock(): end of worker_lock().
 */
void worker_unlock(struct worker *w);

#endif /* MUSTER_STORE_WORKER_H */
