/* SPDX-License-Identifier: MIT */
/*
 * test_store_numbers.c -- what a store keeps in memory beside its database
 * says the same as the database, whatever it was asked before.
 */
#include "store_kit.h"
#include "store_sql.h"

#include <sqlite3.h>

#include "store/sqlite.h"

static struct kit_image image_a, image_b;

static int64_t
number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;
	int64_t n;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW)
		abort();
	n = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	return n;
}

static unsigned
differs(const char *what, int64_t has, int64_t wanted)
{
	if (has != wanted)
		printf("# %s: %lld, not %lld\n", what, (long long)has,
		    (long long)wanted);
	return has != wanted;
}

/* Rows of the overlay: found by their key, and merged where they say so. */
static unsigned
wrong_rows(struct sqlite_store *q, int64_t *n_dirty, int64_t *n_new)
{
	sqlite3_stmt *st = NULL;
	unsigned bad = 0;

	if (sqlite3_prepare_v2(q->db,
	        "SELECT contacts, last FROM client WHERE publisher = ?1 AND"
	        " product = ?2 AND cmid = ?3",
	        -1, &st, NULL) != SQLITE_OK)
		abort();
	for (uint32_t i = 0; i < q->overlay.n; i++) {
		const struct store_client *row = &q->overlay.rows[i];
		const struct sqlite_mark *mark = &q->marks[i];
		bool is_there;

		bad += clients_find(&q->overlay, row) != row;
		bad += mark->seq >= q->journal_next;
		bad += !mark->is_merged && mark->seq < q->journal_first;
		/* whom the round has passed it has written */
		bad += q->merge_upto != 0 && i < q->merge_at &&
		    !mark->is_merged && mark->seq <= q->merge_upto;
		*n_dirty += !mark->is_merged;
		(void)sqlite3_bind_blob(st, 1, row->publisher, PUBLISHER_LEN,
		    SQLITE_STATIC);
		(void)sqlite3_bind_blob(st, 2, row->product, WIRE_ID_LEN,
		    SQLITE_STATIC);
		(void)sqlite3_bind_blob(st, 3, row->cmid, WIRE_ID_LEN,
		    SQLITE_STATIC);
		is_there = sqlite3_step(st) == SQLITE_ROW;
		*n_new += !is_there && row->contacts > 0;
		if (mark->is_merged)
			bad += is_there ? sqlite3_column_int64(st, 0) !=
			            (int64_t)row->contacts ||
			        sqlite3_column_int64(st, 1) != row->last_unix_s
			                : row->contacts != 0;
		(void)sqlite3_reset(st);
	}
	(void)sqlite3_finalize(st);
	return bad;
}

/* Of a store that has committed, or has undone. */
static unsigned
wrong(struct store *s)
{
	struct sqlite_store *q = sqlite_of(s);
	int64_t n_dirty = 0, n_new = 0;
	int64_t n_rows = number(q->db, "SELECT count(*) FROM client");
	bool is_empty = number(q->db, "SELECT count(*) FROM journal") == 0;
	unsigned bad = wrong_rows(q, &n_dirty, &n_new);

	bad += differs("not merged", q->n_dirty, n_dirty);
	bad += differs("clients", q->n_clients, n_rows + n_new);
	bad += differs("clients shown", atomic_load(&q->n_shown), q->n_clients);
	bad += differs("records", q->n_records,
	    number(q->db, "SELECT coalesce(sum(n), 0) FROM journal"));
	bad += differs("batches", q->journal_next - q->journal_first,
	    number(q->db, "SELECT count(*) FROM journal"));
	if (!is_empty)
		bad += differs("the first batch", q->journal_first,
		    number(q->db, "SELECT min(seq) FROM journal"));
	bad += q->overlay.n > STORE_OVERLAY_MAX;
	bad += q->merge_upto >= q->journal_next;
	if (q->merge_upto != 0) {
		char sql[100];

		bad += q->merge_at > q->overlay.n;
		(void)snprintf(sql, sizeof(sql),
		    "SELECT coalesce(sum(n), 0) FROM journal WHERE seq <= %lld",
		    (long long)q->merge_upto);
		bad += differs("records of the round", q->merge_records,
		    number(q->db, sql));
	}
	return bad;
}

static uint64_t random_state;

static uint32_t
below(uint32_t n)
{
	random_state = random_state * UINT64_C(6364136223846793005) +
	    UINT64_C(1442695040888963407);
	return (uint32_t)(random_state >> 33) % n;
}

static int
batch_of(struct store *s, uint32_t n, uint32_t n_who, int64_t now)
{
	static struct turn_item items[TURN_MAX];

	for (uint32_t i = 0; i < n; i++)
		items[i] = kit_item(below(2), 1 + below(2), 1 + below(n_who),
		    5 + below(3), now);
	return store_batch(s, items, n, now);
}

/* A batch for which there is no room on the disk is undone, here too. */
static void
no_room(struct store *s, int64_t now, unsigned *bad)
{
	struct sqlite_store *q = sqlite_of(s);
	int err = 0;

	if (kit_image(s, now, &image_a) != 0)
		abort();
	sql_run(q->db, "PRAGMA max_page_count = 1");
	for (uint32_t i = 0; i < 1000 && err == 0; i++) {
		*bad += kit_image(s, now, &image_a) != 0;
		err = batch_of(s, 20, 40, now);
	}
	sql_run(q->db, "PRAGMA max_page_count = 1000000");
	*bad += differs("outcome", err, MUSTER_E_FULL);
	*bad += kit_image(s, now, &image_b) != 0;
	*bad += !kit_same(&image_a, &image_b);
}

static void
test_store_its_numbers_are_the_database_s(uint64_t seed)
{
	struct store *s = kit_open(kit_path("numbers.db"));
	int64_t now = T0;
	unsigned bad = 0;

	random_state = seed;
	for (int i = 0; i < 400 && bad == 0; i++) {
		uint32_t what = below(20);

		if (what < 12) {
			bad += batch_of(s, 1 + below(6), 40, now) != 0;
		} else if (what < 17) {
			int err = store_idle(s, now);

			bad += err != 0 && err != MUSTER_E_AGAIN;
		} else if (what == 17) {
			store_set_limits(s, 10 + below(150), 400);
		} else if (what == 18) {
			now += DAY * below(120);
		} else if (below(4) == 0) {
			no_room(s, now, &bad);
		}
		bad += wrong(s);
		if (bad > 0)
			printf("# seed %llu, step %d, work %u\n",
			    (unsigned long long)seed, i, what);
	}
	is(bad, 0);
	store_close(s);
	kit_forget(kit_path("numbers.db"));
}

/* So many clients that a round takes several pieces, and places run out. */
static void
test_store_its_numbers_while_rounds_go_on(uint64_t seed)
{
	struct store *s = kit_open(kit_path("rounds.db"));
	unsigned bad = 0;

	random_state = seed;
	store_set_limits(s, 3000, 400);
	for (int i = 0; i < 45 && bad == 0; i++) {
		int err = below(8) == 0 ? store_idle(s, T0) : store_busy(s, T0);

		bad += err != 0 && err != MUSTER_E_AGAIN;
		bad += batch_of(s, TURN_MAX - below(3), 6000, T0) != 0;
		bad += wrong(s);
	}
	is(bad, 0);
	is(kit_idle_all(s, T0), 0);
	is(wrong(s), 0);
	is(sqlite_of(s)->n_clients, 3000);
	store_close(s);
}

/* What is written where, of two contacts and of one that came again. */
static void
test_store_rows_after_each_step(void)
{
	struct store *s = kit_open(kit_path("steps.db"));
	sqlite3 *db = sqlite_of(s)->db;

	is(kit_touch(s, 1, 1, 5, T0), 1);
	is(kit_touch(s, 1, 2, 5, T0 + 1), 2);
	is(number(db,
	       "SELECT group_concat(seq * 10 + n) = '11,21'"
	       " FROM journal"),
	    1);
	is(number(db, "SELECT count(*) FROM grp"), 0);
	is(store_idle(s, T0), 0);
	is(number(db, "SELECT count(*) FROM journal"), 0);
	is(number(db,
	       "SELECT group_concat(seq || ':' || seen) ="
	       " '1:1800000000,2:1800000001' FROM cache"),
	    1);
	is(number(db, "SELECT grp * 10000 + capacity * 100 + seq FROM grp"),
	    11002);
	is(kit_touch(s, 1, 1, 5, T0 + 2), 2);
	is(number(db, "SELECT seq * 10 + n FROM journal"), 31);
	is(store_idle(s, T0), 0);
	/* under its new number, and no more under the old one */
	is(number(db,
	       "SELECT group_concat(seq || ':' || seen) ="
	       " '2:1800000001,3:1800000002' FROM cache"),
	    1);
	is(number(db, "SELECT grp * 10000 + capacity * 100 + seq FROM grp"),
	    11003);
	is(number(db,
	       "SELECT group_concat(contacts || ':' || first || ':' ||"
	       " last || ':' || count || ':' || threshold, ' ') ="
	       " '2:1800000000:1800000002:2:5"
	       " 1:1800000001:1800000001:2:5' FROM"
	       " (SELECT * FROM client ORDER BY first)"),
	    1);
	store_close(s);
}

/* A name as long as one can be is whole in journal and table, and so is the
 * one of the other machine. */
static void
test_b5_the_longest_names(void)
{
	const char *path = kit_path("names.db");
	struct store *s = kit_open(path);

	for (int n = 0; n < 2; n++) {
		struct turn_item it = kit_item(0, 1, 1, 5, T0);

		memset(it.args.name, 'a' + n, WIRE_NAME_MAX);
		it.args.name[WIRE_NAME_MAX] = '\0';
		it.args.machine[0] = (uint8_t)n;
		is(store_batch(s, &it, 1, T0), 0);
	}
	for (int n = 0; n < 3; n++) {
		/* in the journal; in the table; and after a start */
		is(kit_image(s, T0, n == 0 ? &image_a : &image_b), 0);
		ok(n == 0 || kit_same(&image_a, &image_b));
		if (n < 2) {
			is(kit_idle_all(s, T0), 0);
			store_close(s);
			s = kit_open(path);
		}
	}
	is((long long)strlen(image_b.clients[0].name), WIRE_NAME_MAX);
	is((long long)strlen(image_b.clients[0].other_name), WIRE_NAME_MAX);
	is(image_b.clients[0].name[0], 'b');
	store_close(s);
}

/* The old place of a record that came again is no place of its own. */
static void
test_b4_a_record_that_cannot_be_deleted(void)
{
	const char *path = kit_path("deleted.db");
	struct store *s = kit_open(path);
	sqlite3 *raw = NULL;

	for (uint32_t who = 1; who <= 3; who++)
		(void)kit_touch(s, 1, who, 5, T0);
	is(store_idle(s, T0), 0);
	is(kit_touch(s, 1, 2, 5, T0 + 1), 3);
	is(kit_image(s, T0, &image_a), 0);
	is(sqlite3_open(path, &raw), SQLITE_OK);
	sql_run(raw,
	    "CREATE TRIGGER none BEFORE DELETE ON cache"
	    " BEGIN SELECT RAISE(ABORT, 'held'); END");
	is(store_idle(s, T0), MUSTER_E_DAMAGED);
	ok(strstr(store_last_diag(s)->text, "deleting count records: held") !=
	    NULL);
	is(kit_touch(s, 1, 9, 5, T0), MUSTER_E_DAMAGED);
	store_close(s);
	is(number(raw, "SELECT count(*) FROM cache"), 3);
	sql_run(raw, "DROP TRIGGER none");
	(void)sqlite3_close(raw);
	s = kit_open(path);
	is(kit_image(s, T0, &image_b), 0);
	ok(kit_same(&image_a, &image_b));
	store_close(s);
}

/* From 32 MiB on a start reads the trees of the counts, and no more of them:
 * an index of the clients that lacks one is found in a smaller one alone. */
static void
test_store_of_a_large_database_the_counts_are_checked(void)
{
	static const char *const breaks[] = {
	    "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql ="
	    " 'CREATE INDEX client_last ON client (contacts > 7, last)'"
	    " WHERE name = 'client_last'",
	    "PRAGMA ignore_check_constraints = ON;"
	    "UPDATE grp SET publisher = x'01'",
	};
	static const int outcomes[][2] = {{MUSTER_E_DAMAGED, 0},
	    {MUSTER_E_DAMAGED, MUSTER_E_DAMAGED}};
	const char *path = kit_path("large.db");

	for (int i = 0; i < 4; i++) {
		struct store_diag diag;
		struct store *s;
		sqlite3 *raw = NULL;

		kit_forget(path);
		s = kit_open(path);
		for (uint32_t who = 1; who <= 3; who++) {
			(void)kit_touch(s, 1, who, 5, T0);
			(void)kit_touch(s, 1, who, 5, T0);
		}
		store_close(s);
		is(sqlite3_open(path, &raw), SQLITE_OK);
		if (i % 2 != 0)
			sql_run(raw,
			    "CREATE TABLE filler AS"
			    " SELECT zeroblob(34 << 20) AS b");
		sql_run(raw, breaks[i / 2]);
		(void)sqlite3_close(raw);
		s = NULL;
		is(store_open_sqlite(path, STORE_MAKE_NEVER, &s, &diag),
		    outcomes[i / 2][i % 2]);
		printf("# %s\n", diag.text);
		store_close(s);
	}
}

int
main(void)
{
	kit_dir_make();
	for (uint64_t seed = 1; seed <= 2; seed++)
		test_store_its_numbers_are_the_database_s(seed);
	test_store_its_numbers_while_rounds_go_on(1);
	test_store_rows_after_each_step();
	test_b5_the_longest_names();
	test_b4_a_record_that_cannot_be_deleted();
	test_store_of_a_large_database_the_counts_are_checked();
	kit_dir_remove();
	return tap_done();
}
