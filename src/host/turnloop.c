/* SPDX-License-Identifier: MIT */
#include "host/turnloop.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define FULL_LOG_MS 60000 /* a store that stays full is told once a minute */
#define IDLE_MS 1000      /* between two looks at the store's left-overs */

struct batch {
	size_t n;
	struct turn_item items[TURN_MAX];
	void *tickets[TURN_MAX];
};

struct turnloop {
	const struct turn_host *host;
	struct worker *worker;
	turnloop_answer_fn *answer;
	turnloop_fatal_fn *fatal;
	void *arg;
	/* by mutex alone, and in no word that the loop's own flags share */
	bool is_finished;
	uv_check_t check;
	uv_async_t async;
	uv_timer_t idle_timer;
	uv_work_t idle_work;
	uv_mutex_t mutex;
	uv_cond_t cond;
	bool is_in_flight;
	bool is_idling; /* idle_work runs in libuv's pool */
	bool is_failed; /* the store is gone: BUSY until the end */
	bool is_closed;
	int64_t told_ms;
	int told;
	uint32_t first; /* in flight, or the next to fly */
	uint32_t last;  /* the one that is filled */
	struct batch batches[TURNLOOP_BATCHES]; /* a ring */
	struct wire_result results[TURN_MAX];
	struct turnloop_stats stats;
};

static void
busy(struct wire_result *res)
{
	memset(res, 0, sizeof(*res));
	res->status = WIRE_BUSY;
	/* spread, so that those sent away do not come back together */
	res->busy_s = 1 + randombytes_uniform(TURNLOOP_BUSY_MAX_S);
}

/* On the store thread. */
static void
batch_done(void *arg)
{
	struct turnloop *tl = arg;

	uv_mutex_lock(&tl->mutex);
	tl->is_finished = true;
	uv_cond_signal(&tl->cond);
	uv_mutex_unlock(&tl->mutex);
	(void)uv_async_send(&tl->async);
}

static bool
is_fatal(int outcome)
{
	return outcome != 0 && outcome != MUSTER_E_FULL &&
	    outcome != MUSTER_E_AGAIN;
}

/* A failure is told when it changes, and again once a minute. */
static void
tell(struct turnloop *tl, int outcome)
{
	int64_t now_ms = clock_mono_ms();

	if (outcome == 0 && tl->told != 0)
		log_line(LOG_NOTE, "store", "answers again");
	if (outcome != 0 &&
	    (outcome != tl->told || now_ms - tl->told_ms >= FULL_LOG_MS)) {
		log_line(LOG_ERROR, "store", "%s: clients are told BUSY; %s",
		    muster_strerror(outcome),
		    is_fatal(outcome)
		        ? "musterd ends, and recovers at its next start"
		        : "free space on the disk of the state folder, or end "
		          "what locks the database");
		tl->told_ms = now_ms;
	}
	tl->told = outcome;
}

static uint32_t
after(uint32_t i)
{
	return (i + 1) % TURNLOOP_BATCHES;
}

static void
finish(struct turnloop *tl)
{
	struct batch *batch = &tl->batches[tl->first];
	int outcome = worker_outcome(tl->worker);

	tl->is_in_flight = false;
	tl->stats.batches++;
	tl->stats.outcome = outcome;
	if (batch->n > tl->stats.largest)
		tl->stats.largest = (uint32_t)batch->n;
	tell(tl, outcome);
	if (outcome == 0) {
		turn_sign(tl->host, batch->items, batch->n, tl->results);
	} else {
		tl->stats.batches_failed++;
		for (size_t i = 0; i < batch->n; i++)
			busy(&tl->results[i]);
	}
	for (size_t i = 0; i < batch->n; i++) {
		tl->stats.by_status[tl->results[i].status]++;
		tl->answer(batch->tickets[i], &tl->results[i]);
	}
	batch->n = 0;
	tl->first = after(tl->first);
	if (is_fatal(outcome) && !tl->is_failed) {
		tl->is_failed = true;
		tl->fatal(tl->arg, outcome);
	}
}

static void
refuse_all(struct turnloop *tl, struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++) {
		busy(&tl->results[i]);
		tl->stats.by_status[WIRE_BUSY]++;
		tl->answer(batch->tickets[i], &tl->results[i]);
	}
	batch->n = 0;
	tl->first = after(tl->first);
}

static void
submit(struct turnloop *tl)
{
	struct batch *batch = &tl->batches[tl->first];

	if (tl->is_in_flight || batch->n == 0)
		return;
	if (tl->last == tl->first)
		tl->last = after(tl->last); /* empty: nothing else waits */
	if (tl->is_failed) {
		refuse_all(tl, batch);
		return;
	}
	tl->is_finished = false; /* nothing is in flight: no race */
	tl->is_in_flight = true;
	if (worker_submit(tl->worker, batch->items, batch->n, clock_unix_s()) !=
	    0) {
		tl->is_in_flight = false;
		refuse_all(tl, batch);
	}
}

static void
on_check(uv_check_t *check)
{
	submit(check->data);
}

/* The word may be late: turnloop_settle() may have taken the batch, and the
 * next one may be in flight. */
static void
on_async(uv_async_t *async)
{
	struct turnloop *tl = async->data;
	bool is_finished;

	uv_mutex_lock(&tl->mutex);
	is_finished = tl->is_finished;
	uv_mutex_unlock(&tl->mutex);
	if (tl->is_in_flight && is_finished)
		finish(tl);
}

static void
wait_flying(struct turnloop *tl)
{
	if (!tl->is_in_flight)
		return;
	uv_mutex_lock(&tl->mutex);
	while (!tl->is_finished)
		uv_cond_wait(&tl->cond, &tl->mutex);
	uv_mutex_unlock(&tl->mutex);
	finish(tl);
}

void
turnloop_settle(struct turnloop *tl)
{
	/* answers may bring in a session's next call: until all is still */
	while (tl->is_in_flight || tl->batches[tl->first].n > 0) {
		wait_flying(tl);
		submit(tl);
	}
}

/* In libuv's pool: merging the journal must not hold up the loop. */
static void
idle_work(uv_work_t *work)
{
	struct turnloop *tl = work->data;
	struct store *store = worker_lock(tl->worker);

	/* what goes wrong here goes wrong in the next batch, and is told there */
	(void)!store_idle(store, clock_unix_s());
	worker_unlock(tl->worker);
}

static void
idle_done(uv_work_t *work, int status)
{
	struct turnloop *tl = work->data;

	(void)status;
	tl->is_idling = false;
}

static void
on_idle_timer(uv_timer_t *timer)
{
	struct turnloop *tl = timer->data;

	if (tl->is_idling || tl->is_in_flight || tl->is_failed || tl->is_closed)
		return;
	tl->is_idling = uv_queue_work(timer->loop, &tl->idle_work, idle_work,
	                    idle_done) == 0;
}

int
turnloop_new(uv_loop_t *loop, const struct turn_host *host, struct store *store,
    turnloop_answer_fn *answer, turnloop_fatal_fn *fatal, void *arg,
    struct turnloop **tl_out)
{
	struct turnloop *tl = calloc(1, sizeof(*tl));
	int err;

	if (tl == NULL)
		return MUSTER_E_NOMEM;
	tl->host = host;
	tl->answer = answer;
	tl->fatal = fatal;
	tl->arg = arg;
	if (uv_mutex_init(&tl->mutex) != 0 || uv_cond_init(&tl->cond) != 0 ||
	    uv_async_init(loop, &tl->async, on_async) != 0) {
		free(tl);
		return MUSTER_E_IO;
	}
	tl->async.data = tl;
	(void)uv_check_init(loop, &tl->check);
	tl->check.data = tl;
	(void)uv_check_start(&tl->check, on_check);
	(void)uv_timer_init(loop, &tl->idle_timer);
	tl->idle_timer.data = tl;
	tl->idle_work.data = tl;
	(void)uv_timer_start(&tl->idle_timer, on_idle_timer, IDLE_MS, IDLE_MS);
	err = worker_new(store, batch_done, tl, &tl->worker);
	if (err != 0) {
		free(tl); /* the start fails, and the process with it */
		return err;
	}
	*tl_out = tl;
	return 0;
}

/* A batch that takes one more, or NULL. */
static struct batch *
room(struct turnloop *tl)
{
	if (tl->batches[tl->last].n == TURN_MAX) {
		if (after(tl->last) == tl->first)
			return NULL;
		tl->last = after(tl->last);
	}
	return &tl->batches[tl->last];
}

bool
turnloop_ask(struct turnloop *tl, const struct wire_args *args,
    const uint8_t *raw, size_t raw_len, const uint8_t *address, void *ticket,
    struct wire_result *res_out)
{
	struct batch *batch = room(tl);
	struct turn_item *item;
	int64_t now_unix_s = clock_unix_s();
	enum wire_status status;

	if (batch == NULL || tl->is_failed || tl->is_closed) {
		busy(res_out);
		tl->stats.by_status[WIRE_BUSY]++;
		return false;
	}
	item = &batch->items[batch->n];
	memset(item, 0, sizeof(*item));
	item->args = *args;
	memcpy(item->raw, raw, raw_len);
	item->raw_len = raw_len;
	memcpy(item->address, address, TURN_ADDRESS_LEN);
	status = turn_judge(tl->host, now_unix_s, item);
	if (status == WIRE_OK) {
		batch->tickets[batch->n++] = ticket;
		return true;
	}
	memset(res_out, 0, sizeof(*res_out));
	res_out->status = status;
	res_out->host_unix_s = now_unix_s;
	tl->stats.by_status[status]++;
	return false;
}

const struct turn_host *
turnloop_host(const struct turnloop *tl)
{
	return tl->host;
}

struct store *
turnloop_lock(struct turnloop *tl)
{
	return worker_lock(tl->worker);
}

void
turnloop_unlock(struct turnloop *tl)
{
	worker_unlock(tl->worker);
}

const struct turnloop_stats *
turnloop_stats(const struct turnloop *tl)
{
	return &tl->stats;
}

void
turnloop_close(struct turnloop *tl)
{
	if (tl == NULL || tl->is_closed)
		return;
	turnloop_settle(tl);
	tl->is_closed = true;
	uv_close((uv_handle_t *)&tl->check, NULL);
	uv_close((uv_handle_t *)&tl->async, NULL);
	uv_close((uv_handle_t *)&tl->idle_timer, NULL);
}

void
turnloop_free(struct turnloop *tl)
{
	if (tl == NULL)
		return;
	worker_free(tl->worker);
	uv_cond_destroy(&tl->cond);
	uv_mutex_destroy(&tl->mutex);
	free(tl);
}
