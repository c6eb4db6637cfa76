/* SPDX-License-Identifier: MIT */
/*
 * worker.c -- see worker.h.
 *
 * Two locks: `lock` guards the hand-over and is held for moments; `store_lock`
 * guards the store and is held for a batch.
 */
#include "store/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(STORE_PIECE >= WORKER_UPKEEP_ITEMS - 1 + TURN_MAX,
    "pieces must be faster than what they follow");

struct worker {
	struct store *store;
	worker_done_fn *done;
	void *arg;
	pthread_t thread;
	pthread_mutex_t store_lock;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* under lock */
	bool is_ending;
	bool has_job;   /* from worker_submit() until just before done() */
	bool is_sealed; /* it takes no more */
	struct turn_item *items;
	size_t n;
	int64_t now_unix_s;
	size_t n_items; /* since the last upkeep; the thread's own */
	atomic_int outcome;
	/* of the last batch; written before done(), read after it */
	struct store_diag diag;
	bool is_over;
};

static size_t
seal(void *arg)
{
	struct worker *w = arg;
	size_t n;

	(void)pthread_mutex_lock(&w->lock);
	w->is_sealed = true;
	n = w->n;
	(void)pthread_mutex_unlock(&w->lock);
	return n;
}

/* A job whose items were n when it was taken. */
static void
run_job(struct worker *w, size_t n)
{
	/* the next job may be handed over before this one's upkeep */
	const int64_t now_unix_s = w->now_unix_s;
	int err;

	(void)pthread_mutex_lock(&w->store_lock);
	err = store_batch_growing(w->store, w->items, n, now_unix_s, seal, w);
	if (err != 0)
		w->diag = *store_last_diag(w->store);
	w->is_over = store_is_over(w->store);
	(void)pthread_mutex_unlock(&w->store_lock);
	atomic_store(&w->outcome, err);

	/* done() may make the owner submit at once */
	(void)pthread_mutex_lock(&w->lock);
	w->has_job = false;
	n = w->n;
	(void)pthread_mutex_unlock(&w->lock);
	w->done(w->arg);

	w->n_items += n;
	if (w->n_items < WORKER_UPKEEP_ITEMS)
		return;
	w->n_items = 0;
	(void)pthread_mutex_lock(&w->store_lock);
	/* what goes wrong here goes wrong in the next batch, and is told there */
	(void)!store_busy(w->store, now_unix_s);
	(void)pthread_mutex_unlock(&w->store_lock);
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	bool is_ending = false;

	while (!is_ending) {
		bool has_job;
		size_t n;

		(void)pthread_mutex_lock(&w->lock);
		while (!w->has_job && !w->is_ending)
			(void)pthread_cond_wait(&w->wake, &w->lock);
		has_job = w->has_job;
		n = w->n;
		is_ending = !has_job;
		(void)pthread_mutex_unlock(&w->lock);
		if (has_job)
			run_job(w, n);
	}
	return NULL;
}

/* Signals are the main thread's business. */
static int
start(struct worker *w)
{
	sigset_t all, before;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, worker_main, w);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0 ? 0 : MUSTER_E_IO;
}

static void
destroy(struct worker *w)
{
	(void)pthread_cond_destroy(&w->wake);
	(void)pthread_mutex_destroy(&w->lock);
	(void)pthread_mutex_destroy(&w->store_lock);
	free(w);
}

int
worker_new(struct store *store, worker_done_fn *done, void *arg,
    struct worker **worker_out)
{
	struct worker *w = calloc(1, sizeof(*w));
	int err = 0;

	if (w == NULL)
		return MUSTER_E_NOMEM;
	w->store = store;
	w->done = done;
	w->arg = arg;
	(void)pthread_mutex_init(&w->store_lock, NULL);
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_cond_init(&w->wake, NULL);
	err = start(w);
	if (err != 0)
		destroy(w);
	else
		*worker_out = w;
	return err;
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	(void)pthread_mutex_lock(&w->lock);
	w->is_ending = true;
	(void)pthread_cond_signal(&w->wake);
	(void)pthread_mutex_unlock(&w->lock);
	(void)pthread_join(w->thread, NULL);
	destroy(w);
}

int
worker_submit(struct worker *w, struct turn_item *items, size_t n,
    int64_t now_unix_s)
{
	int err = 0;

	(void)pthread_mutex_lock(&w->lock);
	if (w->has_job) {
		err = MUSTER_E_AGAIN;
	} else {
		w->items = items;
		w->n = n;
		w->now_unix_s = now_unix_s;
		w->has_job = true;
		w->is_sealed = false;
		(void)pthread_cond_signal(&w->wake);
	}
	(void)pthread_mutex_unlock(&w->lock);
	return err;
}

static bool
has_group_of(const struct worker *w, const struct turn_item *item)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->items[i].group == item->group &&
		    memcmp(w->items[i].publisher_id, item->publisher_id,
		        PUBLISHER_LEN) == 0)
			return true;
	}
	return false;
}

bool
worker_join(struct worker *w, const struct turn_item *item)
{
	bool joins;

	(void)pthread_mutex_lock(&w->lock);
	joins = w->has_job && !w->is_sealed && w->n < TURN_MAX &&
	    has_group_of(w, item);
	if (joins)
		w->items[w->n++] = *item;
	(void)pthread_mutex_unlock(&w->lock);
	return joins;
}

int
worker_outcome(const struct worker *w)
{
	return atomic_load(&w->outcome);
}

const struct store_diag *
worker_diag(const struct worker *w)
{
	return &w->diag;
}

bool
worker_is_over(const struct worker *w)
{
	return w->is_over;
}

struct store *
worker_try_lock(struct worker *w)
{
	return pthread_mutex_trylock(&w->store_lock) == 0 ? w->store : NULL;
}

struct store *
worker_lock(struct worker *w)
{
	(void)pthread_mutex_lock(&w->store_lock);
	return w->store;
}

void
worker_unlock(struct worker *w)
{
	(void)pthread_mutex_unlock(&w->store_lock);
}
