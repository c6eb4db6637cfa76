/* SPDX-License-Identifier: MIT */
#include "store_kit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sqlite3.h>

#include "store/backend.h"
#include "store/worker.h"

/* What the daemon's uv_async_send() does: only pass the word on. */
struct bell {
	pthread_mutex_t lock;
	pthread_cond_t rung;
	unsigned n;
};

static void
ring(void *arg)
{
	struct bell *bell = arg;

	(void)pthread_mutex_lock(&bell->lock);
	bell->n++;
	(void)pthread_cond_signal(&bell->rung);
	(void)pthread_mutex_unlock(&bell->lock);
}

static void
await(struct bell *bell, unsigned n)
{
	(void)pthread_mutex_lock(&bell->lock);
	while (bell->n < n)
		(void)pthread_cond_wait(&bell->rung, &bell->lock);
	(void)pthread_mutex_unlock(&bell->lock);
}

#define BELL                                                           \
	{                                                              \
		PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 \
	}

static void
test_worker_runs_one_batch_after_another(void)
{
	struct bell bell = BELL;
	struct store *s = kit_open(NULL);
	struct worker *w = NULL;
	unsigned bad = 0;

	is(worker_new(s, ring, &bell, &w), 0);
	for (uint32_t i = 1; i <= 500; i++) {
		struct turn_item it = kit_item(0, 1, i, 50, T0);

		/* done() has been called, so the next may come at once */
		bad += worker_submit(w, &it, 1, T0) != 0;
		await(&bell, i);
		bad += worker_outcome(w) != 0;
		bad += it.grant.count != (i < 100 ? i : 100);
	}
	is(bad, 0);
	is(bell.n, 500);
	worker_free(w);
	worker_free(NULL);
	store_close(s);
}

static _Atomic unsigned n_asked; /* whether an upkeep is due */

static bool
note_due(const struct store *s)
{
	(void)s;
	n_asked++;
	return false;
}

/* After so many items, and not before; then as many again. */
static void
test_worker_looks_after_the_store_now_and_then(void)
{
	struct turn_item it = kit_item(0, 1, 0, 5, T0);
	struct bell bell = BELL;
	struct store *s = kit_open(NULL);
	struct store_ops ops = *s->ops;
	struct worker *w = NULL;
	unsigned n = 0, wrong = 0;

	ops.is_due = note_due;
	s->ops = &ops;
	is(worker_new(s, ring, &bell, &w), 0);
	for (unsigned i = 1; i <= 2 * WORKER_UPKEEP_ITEMS + 1; i++) {
		is(worker_submit(w, &it, 1, T0), 0);
		await(&bell, i);
		/* what this one leads to may not be over yet */
		wrong += i % WORKER_UPKEEP_ITEMS != 0 &&
		    n_asked != i / WORKER_UPKEEP_ITEMS;
		n = n_asked;
	}
	is(wrong, 0);
	is(n, 2);
	worker_free(w);
	store_close(s);
}

static sigset_t mask_there;

static void
note_mask(void *arg)
{
	(void)pthread_sigmask(SIG_SETMASK, NULL, &mask_there);
	ring(arg);
}

/* A signal is the business of the thread that made it, as before. */
static void
test_worker_takes_no_signal(void)
{
	static const int all[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD};
	struct turn_item it = kit_item(0, 1, 0, 5, T0);
	struct bell bell = BELL;
	struct store *s = kit_open(NULL);
	struct worker *w = NULL;
	sigset_t here;

	is(worker_new(s, note_mask, &bell, &w), 0);
	is(worker_submit(w, &it, 1, T0), 0);
	await(&bell, 1);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &here);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		is(sigismember(&mask_there, all[i]), 1);
		is(sigismember(&here, all[i]), 0);
	}
	worker_free(w);
	store_close(s);
}

static void
test_worker_holds_one_batch_only(void)
{
	struct bell bell = BELL;
	struct store *s = kit_open(NULL);
	struct worker *w = NULL;
	struct turn_item a = kit_item(0, 1, 1, 5, T0);
	struct turn_item b = kit_item(0, 1, 2, 5, T0);

	is(worker_new(s, ring, &bell, &w), 0);
	/* while the store is ours the batch waits, and stays in flight */
	ok(worker_lock(w) == s);
	is(worker_submit(w, &a, 1, T0), 0);
	is(worker_submit(w, &b, 1, T0), MUSTER_E_AGAIN);
	(void)usleep(20000);
	is(a.grant.count, 0);
	is(kit_touch(s, 1, 7, 5, T0), 1);
	worker_unlock(w);
	await(&bell, 1);
	is(a.grant.count, 2);
	is(worker_submit(w, &b, 1, T0), 0);
	await(&bell, 2);
	is(b.grant.count, 3);
	worker_free(w);
	store_close(s);
}

static struct store_ops held_ops;
static atomic_bool has_begun, may_begin;

static int
begin_held(struct store *s)
{
	atomic_store(&has_begun, true);
	while (!atomic_load(&may_begin))
		(void)usleep(1000);
	(void)snprintf(s->diag.text, sizeof(s->diag.text), "no more pages");
	return MUSTER_E_FULL;
}

/* Once it is sealed nobody joins, for nobody would answer him; and what the
 * store said of a failure is there for whoever asks. */
static void
test_worker_lets_nobody_join_what_is_sealed(void)
{
	struct bell bell = BELL;
	struct store *s = kit_open(NULL);
	struct worker *w = NULL;
	struct turn_item items[2] = {kit_item(0, 1, 1, 5, T0)};
	struct turn_item late = kit_item(0, 1, 2, 5, T0);

	held_ops = *s->ops;
	held_ops.begin = begin_held;
	s->ops = &held_ops;
	is(worker_new(s, ring, &bell, &w), 0);
	is(worker_submit(w, items, 1, T0), 0);
	while (!atomic_load(&has_begun))
		(void)usleep(1000);
	ok(!worker_join(w, &late));
	is_str(items[1].args.name, "");
	atomic_store(&may_begin, true);
	await(&bell, 1);
	is(worker_outcome(w), MUSTER_E_FULL);
	is_str(worker_diag(w)->text, "no more pages");
	worker_free(w);
	store_close(s);
}

/* What comes while the batch waits goes with it, as if it had come before. */
static void
test_worker_takes_more_until_the_batch_is_sealed(void)
{
	static struct turn_item items[TURN_MAX + 1];
	struct bell bell = BELL;
	struct store *s = kit_open(NULL);
	struct worker *w = NULL;
	struct turn_item it = kit_item(0, 1, 2, 5, T0);

	is(worker_new(s, ring, &bell, &w), 0);
	ok(!worker_join(w, &it)); /* nothing is in flight */
	ok(worker_lock(w) == s);
	items[0] = kit_item(0, 1, 1, 50, T0);
	is(worker_submit(w, items, 1, T0), 0);
	ok(worker_join(w, &it));
	it = kit_item(0, 2, 2, 5, T0);
	ok(!worker_join(w, &it)); /* a group that nothing of it has */
	it = kit_item(1, 1, 2, 5, T0);
	ok(!worker_join(w, &it));
	for (uint32_t i = 3; i <= TURN_MAX; i++) {
		it = kit_item(0, 1, i, 5, T0);
		ok(worker_join(w, &it));
	}
	ok(!worker_join(w, &it)); /* it is full */
	is(items[TURN_MAX].group, 0);
	worker_unlock(w);
	await(&bell, 1);
	is(worker_outcome(w), 0);
	is(items[0].grant.count, 1);
	is(items[1].grant.count, 2);
	is(items[TURN_MAX - 1].grant.count, 100);
	ok(!worker_join(w, &it)); /* it has ended */
	worker_free(w);
	store_close(s);
}

static void
test_worker_passes_the_outcome_on(void)
{
	struct bell bell = BELL;
	struct store *s = kit_open(NULL);
	struct worker *w = NULL;
	struct turn_item it = kit_item(0, 9, 1, 5, T0);

	is(worker_new(s, ring, &bell, &w), 0);
	is(worker_submit(w, &it, 1, T0), 0);
	await(&bell, 1);
	is(worker_outcome(w), MUSTER_E_INVAL);
	ok(!worker_is_over(w));
	ok(worker_try_lock(w) == s && worker_try_lock(w) == NULL);
	worker_unlock(w);
	it = kit_item(0, 1, 1, 5, T0);
	is(worker_submit(w, &it, 1, T0), 0);
	await(&bell, 2);
	is(worker_outcome(w), 0);
	worker_free(w);
	store_close(s);
}

static void
test_worker_ends_after_the_batch_in_flight(void)
{
	struct bell bell = BELL;
	struct store *s = kit_open(kit_path("worker.db"));
	unsigned bad = 0;

	for (uint32_t i = 1; i <= 50; i++) {
		struct turn_item it = kit_item(0, 1, i, 50, T0);
		struct worker *w = NULL;

		bad += worker_new(s, ring, &bell, &w) != 0;
		bad += worker_submit(w, &it, 1, T0) != 0;
		worker_free(w);
		bad += it.grant.count != i || bell.n != i;
	}
	is(bad, 0);
	store_close(s);
}

static struct kit_image image_a, image_b;

/* What another thread lists is what the store's own lists, merged or not. */
static void
test_store_lists_aside_what_it_lists_itself(void)
{
	struct store *s = kit_open(kit_path("aside.db"));
	uint8_t other[WIRE_ID_LEN] = {7};

	for (int i = 0; i < 4; i++) {
		struct turn_item it = kit_item(0, 1, 3, 5, T0 + i);

		/* rows in the table, in the journal, and in both */
		kit_history(s, 600);
		memcpy(it.args.machine, other, WIRE_ID_LEN);
		is(store_batch(s, &it, 1, T0 + i), 0);
		memset(&image_a, 0, sizeof(image_a));
		memset(&image_b, 0, sizeof(image_b));
		is(store_clients(s, kit_collect, &image_a), 0);
		is(store_clients_aside(s, kit_collect, &image_b), 0);
		is((long long)image_b.n_clients, 600);
		qsort(image_a.clients, image_a.n_clients,
		    sizeof(image_a.clients[0]), kit_client_order);
		qsort(image_b.clients, image_b.n_clients,
		    sizeof(image_b.clients[0]), kit_client_order);
		ok(kit_same(&image_a, &image_b));
		is(store_idle(s, T0), MUSTER_E_AGAIN);
	}
	store_close(s);
	s = kit_open(NULL);
	is(store_clients_aside(s, kit_collect, &image_b), MUSTER_E_INVAL);
	store_close(s);
}

struct lister {
	const struct store *store;
	uint32_t bad, most;
	atomic_bool is_last; /* all batches are in: once more, then no more */
};

static void *
list_all(void *arg)
{
	struct lister *lister = arg;
	static struct kit_image image;

	for (bool is_last = false; !is_last;) {
		is_last = atomic_load(&lister->is_last);
		image.n_clients = 0;
		lister->bad += store_clients_aside(lister->store, kit_collect,
		                   &image) != 0;
		/* of one moment: never fewer than the moment before */
		lister->bad += image.n_clients < lister->most;
		lister->most = (uint32_t)image.n_clients;
	}
	return NULL;
}

static void
test_store_lists_aside_while_batches_go_on(void)
{
	struct bell bell = BELL;
	struct store *s = kit_open(kit_path("while.db"));
	struct lister lister = {.store = s};
	struct worker *w = NULL;
	static struct turn_item items[100];
	pthread_t thread;
	unsigned bad = 0;

	is(worker_new(s, ring, &bell, &w), 0);
	is(pthread_create(&thread, NULL, list_all, &lister), 0);
	for (uint32_t i = 1; i <= 40; i++) {
		for (uint32_t j = 0; j < 100; j++)
			items[j] = kit_item(0, 1, i * 100 + j, 5, T0);
		bad += worker_submit(w, items, 100, T0) != 0;
		await(&bell, i);
		bad += worker_outcome(w) != 0;
	}
	atomic_store(&lister.is_last, true);
	(void)pthread_join(thread, NULL);
	is(bad, 0);
	is(lister.bad, 0);
	is(lister.most, 4000);
	worker_free(w);
	store_close(s);
}

static uint32_t
count_rows(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;
	uint32_t n = UINT32_MAX;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		n = (uint32_t)sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	return n;
}

/*
 * A host that is never idle: the next batch is handed over while the last one
 * is being answered.  Neither journal nor inventory grows beyond its bound.
 */
static void
test_b5_a_busy_host_keeps_its_journal_short(uint32_t a_batch, uint32_t n)
{
	static struct turn_item items[TURN_MAX];
	const char *path = kit_path("busy.db");
	struct bell bell = BELL;
	uint32_t journal = 0, table = 0, bad = 0, who = 1;
	struct worker *w = NULL;
	struct store *s;
	sqlite3 *db = NULL;

	kit_forget(path);
	s = kit_open(path);
	store_set_limits(s, 700, 400);
	is(sqlite3_open(path, &db), SQLITE_OK);
	is(worker_new(s, ring, &bell, &w), 0);
	for (uint32_t i = 1; i <= n; i++) {
		uint32_t k;

		for (uint32_t j = 0; j < a_batch; j++)
			items[j] = kit_item(0, 1, who++, 5, T0 + i);
		bad += worker_submit(w, items, a_batch, T0 + i) != 0;
		await(&bell, i);
		bad += worker_outcome(w) != 0;
		k = count_rows(db, "SELECT total(n) FROM journal");
		journal = k > journal ? k : journal;
		k = count_rows(db, "SELECT count(*) FROM client");
		table = k > table ? k : table;
	}
	is(bad, 0);
	printf("# most in the journal %u, in the table %u\n", journal, table);
	/* a round begins when half of the overlay waits, and takes four pieces,
	 * each behind as many new ones as a turn has */
	ok(journal > 0 && journal < STORE_OVERLAY_MAX);
	ok(table < 700 + 2 * STORE_PIECE);
	worker_free(w);
	(void)sqlite3_close(db);
	while (store_idle(s, T0) == MUSTER_E_AGAIN)
		continue;
	image_a.n_clients = 0;
	is(store_clients(s, kit_collect, &image_a), 0);
	is((long long)image_a.n_clients, 700);
	store_close(s);
}

int
main(void)
{
	kit_dir_make();
	test_worker_runs_one_batch_after_another();
	test_worker_looks_after_the_store_now_and_then();
	test_worker_takes_no_signal();
	test_worker_holds_one_batch_only();
	test_worker_takes_more_until_the_batch_is_sealed();
	test_worker_lets_nobody_join_what_is_sealed();
	test_worker_passes_the_outcome_on();
	test_worker_ends_after_the_batch_in_flight();
	test_store_lists_aside_what_it_lists_itself();
	test_store_lists_aside_while_batches_go_on();
	test_b5_a_busy_host_keeps_its_journal_short(TURN_MAX, 40);
	test_b5_a_busy_host_keeps_its_journal_short(TURN_MAX - 1, 40);
	test_b5_a_busy_host_keeps_its_journal_short(1, 1500);
	kit_dir_remove();
	return tap_done();
}
