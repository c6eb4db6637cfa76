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
	bool has_job; /* from worker_submit() until just before done() */
	struct turn_item *items;
	size_t n;
	int64_t now_unix_s;
	size_t n_items; /* since the last upkeep; the thread's own */
	atomic_int outcome;
};

static void
run_job(struct worker *w)
{
	/* the next job may be handed over before this one's upkeep */
	const int64_t now_unix_s = w->now_unix_s;
	const size_t n = w->n;
	int err;

	(void)pthread_mutex_lock(&w->store_lock);
	err = store_batch(w->store, w->items, n, now_unix_s);
	(void)pthread_mutex_unlock(&w->store_lock);
	atomic_store(&w->outcome, err);

	/* done() may make the owner submit at once */
	(void)pthread_mutex_lock(&w->lock);
	w->has_job = false;
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

		(void)pthread_mutex_lock(&w->lock);
		while (!w->has_job && !w->is_ending)
			(void)pthread_cond_wait(&w->wake, &w->lock);
		has_job = w->has_job;
		is_ending = !has_job;
		(void)pthread_mutex_unlock(&w->lock);
		if (has_job)
			run_job(w);
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
		(void)pthread_cond_signal(&w->wake);
	}
	(void)pthread_mutex_unlock(&w->lock);
	return err;
}

int
worker_outcome(const struct worker *w)
{
	return atomic_load(&w->outcome);
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
