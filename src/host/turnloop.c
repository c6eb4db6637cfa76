/* SPDX-License-Identifier: MIT */
#include "host/turnloop.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "host/reqlog.h"
#include "turn/admit.h"

#define IDLE_MS 1000   /* between two looks at the store's left-overs */
#define GROUPS_MS 1000 /* how old the groups of a busy host may be */
#define SETTLE_MS 100  /* that the loop waits for a shared store, at most */

struct batch {
	struct batch *next; /* in the queue, or among the free */
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
	bool is_idling; /* idle_work runs in libuv's pool, and has these */
	int idle_outcome;
	struct store_diag idle_diag;
	uint64_t idle_batches; /* before it */
	bool is_failed;        /* the store is gone: BUSY until the end */
	bool is_closed;
	bool is_shared;   /* the store is a server's, and goes on */
	bool is_given_up; /* the one in flight: its clients were told BUSY */
	struct admit admit;
	uint32_t n_waiting; /* requests taken in and not yet answered */
	int64_t begun_us; /* when the one in flight, or its forerunner's end */
	struct batch *flying;
	struct batch *first, *last; /* that wait; the last one is filled */
	struct batch *free; /* the one used last first: it is in the cache */
	struct batch batches[TURNLOOP_BATCHES];
	struct wire_result results[TURN_MAX];
	struct store_group groups[STORE_GROUPS_MAX]; /* as last seen */
	size_t n_groups;
	int64_t groups_ms; /* when that was */
	struct turnloop_stats stats;
	struct reqlog reqlog;
};

static void
tell_busy(uint32_t busy_s, struct wire_result *res)
{
	memset(res, 0, sizeof(*res));
	res->status = WIRE_BUSY;
	res->busy_s = busy_s;
}

static void
busy(struct turnloop *tl, uint32_t spread_s, struct wire_result *res)
{
	uint64_t draw;

	randombytes_buf(&draw, sizeof(draw));
	tell_busy(admit_busy_s(&tl->admit, clock_mono_ms() / 1000, spread_s,
	              draw),
	    res);
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
is_fatal(const struct turnloop *tl, int outcome)
{
	if (outcome == 0 || worker_is_over(tl->worker))
		return outcome != 0;
	return !tl->is_shared && outcome != MUSTER_E_FULL &&
	    outcome != MUSTER_E_AGAIN;
}

/* What to do about a failure: the store's own words where it is shared. */
static const char *
next_step(const struct turnloop *tl, int outcome, struct store_diag *words)
{
	const char *said = worker_diag(tl->worker)->text;

	if (!is_fatal(tl, outcome))
		return tl->is_shared ? said
		                     : "free space on the disk of the state "
		                       "folder, or end what locks the database";
	(void)snprintf(words->text, sizeof(words->text),
	    "%.190s; musterd ends, and recovers at its next start", said);
	return words->text;
}

static int64_t
now_us(void)
{
	return (int64_t)(uv_hrtime() / 1000);
}

static void
let_go(struct turnloop *tl, struct batch *batch)
{
	batch->n = 0;
	batch->next = tl->free;
	tl->free = batch;
}

static void
answer_each(struct turnloop *tl, const struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++) {
		tl->n_waiting--;
		turnloop_count(&tl->stats, &batch->items[i], &tl->results[i]);
		reqlog_answered(&tl->reqlog, &batch->items[i].args,
		    batch->items[i].address, &tl->results[i]);
		tl->answer(batch->tickets[i], &tl->results[i]);
	}
}

static void
refuse_each(struct turnloop *tl, const struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		busy(tl, ADMIT_TROUBLE_S, &tl->results[i]);
	answer_each(tl, batch);
}

/* Its answers leave; then it is free. */
static void
answer_all(struct turnloop *tl, struct batch *batch)
{
	answer_each(tl, batch);
	let_go(tl, batch);
}

static void
refuse_all(struct turnloop *tl, struct batch *batch)
{
	refuse_each(tl, batch);
	let_go(tl, batch);
}

static void
submit(struct turnloop *tl)
{
	struct batch *batch = tl->first;

	if (tl->flying != NULL || batch == NULL || batch->n == 0)
		return;
	tl->first = batch->next;
	if (tl->first == NULL)
		tl->last = NULL;
	if (tl->is_failed) {
		refuse_all(tl, batch);
		return;
	}
	tl->is_finished = false; /* nothing is in flight: no race */
	tl->flying = batch;
	tl->begun_us = now_us();
	if (worker_submit(tl->worker, batch->items, batch->n, clock_unix_s()) !=
	    0) {
		tl->flying = NULL;
		refuse_all(tl, batch);
	}
}

/* NULL: somebody has the store; then they stay as they were. */
static int
read_groups(struct turnloop *tl, struct store *store)
{
	int err;

	if (store == NULL)
		return 0;
	err = store_groups(store, clock_unix_s(), tl->groups, STORE_GROUPS_MAX,
	    &tl->n_groups);
	worker_unlock(tl->worker);
	tl->groups_ms = clock_mono_ms();
	return err;
}

static void
finish(struct turnloop *tl)
{
	struct batch *batch = tl->flying;
	const size_t n = batch->n;
	const int64_t begun_us = tl->begun_us;
	int outcome = worker_outcome(tl->worker);
	struct store_diag words;
	bool is_end = is_fatal(tl, outcome) && !tl->is_failed;

	tl->flying = NULL;
	tl->stats.batches++;
	tl->stats.outcome = outcome;
	if (n > tl->stats.largest)
		tl->stats.largest = (uint32_t)n;
	outage_tell(&tl->stats.outage, outcome, "clients are told BUSY",
	    next_step(tl, outcome, &words));
	tl->is_failed |= is_end;
	/* no batch is in flight: a busy host may have no other such moment */
	if (clock_mono_ms() - tl->groups_ms >= GROUPS_MS)
		(void)read_groups(tl, worker_try_lock(tl->worker));
	/* it can grow no more: the store works on it while we sign */
	if (tl->first != NULL && tl->first->n == TURN_MAX)
		submit(tl);
	if (tl->is_given_up) {
		tl->is_given_up = false;
		tl->stats.batches_failed += outcome != 0;
		let_go(tl, batch);
	} else if (outcome == 0) {
		turn_sign(tl->host, batch->items, n, tl->results);
		answer_all(tl, batch);
		tl->begun_us = now_us(); /* of the next, if it flies already */
		admit_seen(&tl->admit, n, tl->begun_us - begun_us);
	} else {
		tl->stats.batches_failed++;
		refuse_all(tl, batch);
	}
	if (is_end)
		tl->fatal(tl->arg, outcome);
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
	if (tl->flying != NULL && is_finished)
		finish(tl);
}

static void
wait_flying(struct turnloop *tl)
{
	if (tl->flying == NULL)
		return;
	uv_mutex_lock(&tl->mutex);
	while (!tl->is_finished)
		uv_cond_wait(&tl->cond, &tl->mutex);
	uv_mutex_unlock(&tl->mutex);
	finish(tl);
}

/* The same for a shared store, but not for long; false: it is still away. */
static bool
wait_flying_shortly(struct turnloop *tl, uint64_t end_ns)
{
	bool is_finished;

	if (tl->flying == NULL)
		return true;
	uv_mutex_lock(&tl->mutex);
	while (!tl->is_finished && uv_hrtime() < end_ns)
		(void)uv_cond_timedwait(&tl->cond, &tl->mutex,
		    SETTLE_MS * UINT64_C(100000));
	is_finished = tl->is_finished;
	uv_mutex_unlock(&tl->mutex);
	if (is_finished)
		finish(tl);
	return is_finished;
}

/* Nobody waits any more for what the store has or would get.  What it has may
 * be counted: for the clients its outcome is unknown, which is BUSY. */
static void
give_up(struct turnloop *tl)
{
	if (tl->flying != NULL && !tl->is_given_up) {
		tl->is_given_up = true;
		refuse_each(tl, tl->flying);
	}
	while (tl->first != NULL && tl->first->n > 0) {
		struct batch *batch = tl->first;

		tl->first = batch->next;
		if (tl->first == NULL)
			tl->last = NULL;
		refuse_all(tl, batch);
	}
}

static bool
is_still(const struct turnloop *tl)
{
	return (tl->flying == NULL || tl->is_given_up) &&
	    (tl->first == NULL || tl->first->n == 0);
}

void
turnloop_settle(struct turnloop *tl)
{
	const uint64_t end_ns = uv_hrtime() + SETTLE_MS * UINT64_C(1000000);

	/* answers may bring in a session's next call: until all is still */
	while (!is_still(tl)) {
		if (!tl->is_shared)
			wait_flying(tl);
		else if (!wait_flying_shortly(tl, end_ns))
			give_up(tl);
		submit(tl);
	}
}

/* In libuv's pool: merging the journal must not hold up the loop. */
static void
idle_work(uv_work_t *work)
{
	struct turnloop *tl = work->data;
	struct store *store = worker_lock(tl->worker);
	bool has_more;

	tl->idle_outcome = store_upkeep(store, clock_unix_s(), &has_more);
	if (tl->idle_outcome != 0)
		tl->idle_diag = *store_last_diag(store);
	worker_unlock(tl->worker);
}

static void
idle_done(uv_work_t *work, int status)
{
	struct turnloop *tl = work->data;
	const struct store_group *groups;
	size_t n;

	(void)status;
	tl->is_idling = false;
	/* a file's failure comes back, and is told, in the next batch */
	if (!tl->is_shared || tl->is_closed)
		return;
	/* a server may be gone with no batch to notice; one since knows more */
	if (tl->flying == NULL && tl->stats.batches == tl->idle_batches) {
		tl->stats.outcome = tl->idle_outcome;
		outage_tell(&tl->stats.outage, tl->idle_outcome,
		    "found while idle", tl->idle_diag.text);
	}
	/* for a status that comes while the server has a batch */
	(void)!turnloop_groups(tl, &groups, &n);
}

static void
on_idle_timer(uv_timer_t *timer)
{
	struct turnloop *tl = timer->data;

	if (tl->is_idling || tl->flying != NULL || tl->is_failed ||
	    tl->is_closed)
		return;
	tl->idle_batches = tl->stats.batches;
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
	admit_init(&tl->admit);
	for (uint32_t i = TURNLOOP_BATCHES; i-- > 0;) {
		tl->batches[i].next = tl->free;
		tl->free = &tl->batches[i];
	}
	tl->host = host;
	tl->answer = answer;
	tl->fatal = fatal;
	tl->arg = arg;
	tl->is_shared = strcmp(store_kind(store), "postgresql") == 0;
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

/* A batch that takes one more, or NULL: the queue is as long as it may be. */
static struct batch *
room(struct turnloop *tl)
{
	struct batch *batch = tl->last;

	if (tl->n_waiting >= admit_queue_max(&tl->admit))
		return NULL;
	if (batch != NULL && batch->n < TURN_MAX)
		return batch;
	batch = tl->free;
	if (batch == NULL)
		return NULL;
	tl->free = batch->next;
	batch->next = NULL;
	if (tl->last == NULL)
		tl->first = batch;
	else
		tl->last->next = batch;
	tl->last = batch;
	return batch;
}

/* Answered at once: no batch has it. */
static void
refused(struct turnloop *tl, const struct wire_args *args,
    const uint8_t *address, const struct wire_result *res)
{
	tl->stats.by_status[res->status]++;
	reqlog_answered(&tl->reqlog, args, address, res);
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
		busy(tl, batch == NULL ? ADMIT_OVERLOAD_S : ADMIT_TROUBLE_S,
		    res_out);
		refused(tl, args, address, res_out);
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
		/* before it has its rows, the one in flight takes more */
		if (tl->is_shared && tl->flying != NULL && !tl->is_given_up &&
		    worker_join(tl->worker, item))
			batch = tl->flying;
		batch->tickets[batch->n++] = ticket;
		if (++tl->n_waiting > tl->stats.waiting_max)
			tl->stats.waiting_max = tl->n_waiting;
		if (batch->n == TURN_MAX)
			submit(tl);
		return true;
	}
	memset(res_out, 0, sizeof(*res_out));
	res_out->status = status;
	res_out->host_unix_s = now_unix_s;
	refused(tl, args, address, res_out);
	return false;
}

void
turnloop_refuse(struct turnloop *tl, const struct wire_args *args,
    const uint8_t *address, enum wire_status status,
    struct wire_result *res_out)
{
	uint64_t draw;

	randombytes_buf(&draw, sizeof(draw));
	tell_busy(admit_refused_s(draw), res_out);
	if (status != WIRE_BUSY)
		*res_out = (struct wire_result){.status = status};
	refused(tl, args, address, res_out);
}

const struct turn_host *
turnloop_host(const struct turnloop *tl)
{
	return tl->host;
}

struct store *
turnloop_lock(struct turnloop *tl)
{
	const uint64_t end_ns = uv_hrtime() + SETTLE_MS * UINT64_C(1000000);
	struct store *store;

	if (!tl->is_shared)
		return worker_lock(tl->worker);
	do {
		store = worker_try_lock(tl->worker);
	} while (store == NULL && uv_hrtime() < end_ns && (uv_sleep(1), true));
	return store;
}

/* A shared store may have the batch for seconds; the loop does not wait. */
int
turnloop_groups(struct turnloop *tl, const struct store_group **out,
    size_t *n_out)
{
	struct store *store = tl->is_shared || tl->flying != NULL
	    ? worker_try_lock(tl->worker)
	    : worker_lock(tl->worker);
	int err = read_groups(tl, store);

	*out = tl->groups;
	*n_out = err == 0 ? tl->n_groups : 0;
	return err;
}

void
turnloop_last_groups(struct turnloop *tl, const struct store_group **out,
    size_t *n_out)
{
	(void)read_groups(tl, worker_try_lock(tl->worker));
	*out = tl->groups;
	*n_out = tl->n_groups;
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
	/* everybody has an answer; the store's word comes before the end */
	wait_flying(tl);
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
