/* SPDX-License-Identifier: MIT */
/*
 * test_store_merge.c -- when the journal is merged, in which pieces, what is
 * kept in memory, and how a database is opened.  It looks inside, for from
 * without none of it changes a reply; the model says what must be in it.
 */
#define KIT_CLIENTS 5000
#include "store_kit.h"

#include "store/sqlite.h"

#define OVERLAY ((uint32_t)STORE_OVERLAY_MAX)

static struct kit_image image_a, image_b;
static struct store *s, *model;
static struct sqlite_store *q;

static void
begin(const char *name)
{
	s = kit_open(kit_path(name));
	model = kit_open(NULL);
	q = sqlite_of(s);
}

/* Clients, each once, in as few batches as there can be. */
static void
come(uint32_t first, uint32_t n, int64_t now)
{
	static struct turn_item items[TURN_MAX], same[TURN_MAX];
	unsigned bad = 0;

	for (uint32_t end = first + n; first < end;) {
		size_t k = 0;

		while (first < end && k < TURN_MAX)
			items[k++] = kit_item(0, 1, first++, 5, now);
		memcpy(same, items, sizeof(same));
		bad += store_batch(s, items, k, now) != 0;
		bad += store_batch(model, same, k, now) != 0;
	}
	is(bad, 0);
}

static long long
number(const char *sql)
{
	sqlite3_stmt *st = NULL;
	long long n = -1;

	if (sqlite3_prepare_v2(q->db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	return n;
}

/* What the journal holds, by its own rows; and what is said of it. */
static void
is_journal(long long n_records)
{
	is(q->n_records, n_records);
	is(number("SELECT ifnull(sum(n), 0) FROM journal"), n_records);
	is(q->journal_next - q->journal_first,
	    number("SELECT count(*) FROM journal"));
}

/* A power loss now: what a start makes of the files is what was answered. */
static void
is_kept(int64_t now)
{
	static unsigned n;
	char name[32], command[1300];
	const char *from = sqlite3_db_filename(q->db, "main"), *to;
	struct store *after;

	(void)snprintf(name, sizeof(name), "kept%u.db", n++);
	to = kit_path(name);
	(void)snprintf(command, sizeof(command),
	    "cp '%s' '%s' && cp '%s-wal' '%s-wal'", from, to, from, to);
	is(system(command), 0);
	after = kit_open(to);
	is(kit_image(after, now, &image_a), 0);
	is(kit_image(model, now, &image_b), 0);
	ok(kit_same(&image_b, &image_a));
	store_close(after);
}

static void
end(int64_t now)
{
	is(kit_image(s, now, &image_a), 0);
	is(kit_image(model, now, &image_b), 0);
	ok(kit_same(&image_b, &image_a));
	is(q->n_clients, (long long)image_b.n_clients);
	is(kit_idle_all(s, now), 0);
	is(kit_idle_all(model, now), 0);
	is_journal(0);
	is(q->n_dirty, 0);
	is(kit_image(s, now, &image_a), 0);
	is(kit_image(model, now, &image_b), 0);
	ok(kit_same(&image_b, &image_a));
	is(q->n_clients, (long long)image_b.n_clients);
	is(number("SELECT count(*) FROM client"), q->n_clients);
	store_close(s);
	store_close(model);
}

static void
test_store_a_busy_host_merges_at_half_of_the_memory(void)
{
	uint32_t half = OVERLAY / 2;

	begin("half.db");
	come(1, half - 1, T0);
	is(store_busy(s, T0), 0);
	is(q->n_dirty, half - 1);
	is_journal(half - 1);
	come(half, 1, T0);
	/* now a round, a piece a call, whoever comes meanwhile */
	is(store_busy(s, T0), MUSTER_E_AGAIN);
	is(q->n_dirty, half - STORE_PIECE);
	come(1, 100, T0 + 1);             /* of those who are merged */
	come(STORE_PIECE + 1, 9, T0 + 1); /* and of those who are not */
	is(q->n_dirty, half - STORE_PIECE + 100);
	is(store_busy(s, T0 + 1), MUSTER_E_AGAIN);
	is(store_busy(s, T0 + 1), MUSTER_E_AGAIN);
	is(q->n_dirty, half - 3 * STORE_PIECE + 100);
	is_journal(half + 109);
	/* the last piece ends it: what came meanwhile is the next one's */
	is(store_busy(s, T0 + 1), MUSTER_E_AGAIN);
	is(q->n_dirty, 109);
	is_journal(109);
	is_kept(T0 + 1);
	is(store_busy(s, T0 + 1), 0);
	is(q->n_dirty, 109);
	end(T0 + 1);
}

static void
test_store_a_busy_host_merges_at_half_of_the_journal(void)
{
	uint32_t half = STORE_JOURNAL_MAX / 2, n = 500;

	begin("records.db");
	for (uint32_t left = half - 1; left > 0; left -= n < left ? n : left)
		come(1, n < left ? n : left, T0);
	is_journal(half - 1);
	is(store_busy(s, T0), 0);
	is_journal(half - 1);
	come(1, 1, T0);
	/* of so few the round is one piece */
	is(store_busy(s, T0), 0);
	is_journal(0);
	is(q->n_dirty, 0);
	is_kept(T0);
	end(T0);
}

static void
test_store_a_full_journal_is_merged_before_the_next(void)
{
	uint32_t n = TURN_MAX;

	begin("journal.db");
	for (uint32_t left = STORE_JOURNAL_MAX; left > 0;
	     left -= n < left ? n : left)
		come(1, n < left ? n : left, T0);
	is_journal(STORE_JOURNAL_MAX);
	is(q->journal_first, 1);
	come(1, 1, T0 + 1);
	is_journal(1);
	is(q->n_dirty, 1);
	end(T0 + 1);
}

static void
test_store_a_full_memory_is_merged_before_the_next(void)
{
	begin("memory.db");
	come(1, OVERLAY - 1, T0);
	come(OVERLAY, 1, T0);
	is(q->n_dirty, OVERLAY);
	is_journal(OVERLAY);
	come(7, 1, T0 + 1); /* who is known needs a place, too, to be sure */
	is(q->n_dirty, 1);
	is(q->overlay.n, 1);
	is_journal(1);
	is_kept(T0 + 1);
	end(T0 + 1);
}

/* Rows that the table has give way; those of a round that goes on do not. */
static void
test_store_merged_rows_give_their_places_back(void)
{
	begin("places.db");
	come(1, OVERLAY, T0);
	is(kit_idle_all(s, T0), 0);
	is(kit_idle_all(model, T0), 0);
	is(q->overlay.n, OVERLAY);
	come(OVERLAY + 1, 1, T0);
	is(q->overlay.n, 1);
	is(q->n_dirty, 1);
	is_journal(1);

	come(1, OVERLAY - 10, T0 + 1);
	is(store_idle(s, T0 + 1), MUSTER_E_AGAIN);
	is(q->overlay.n, OVERLAY - 9);
	is(q->n_dirty, OVERLAY - 9 - STORE_PIECE);
	come(OVERLAY, 9, T0 + 1);
	is(q->n_dirty, OVERLAY - STORE_PIECE);
	come(OVERLAY + 10, 2, T0 + 1); /* no place: the round is ended */
	is(q->n_dirty, 2);
	is(q->overlay.n, 2);
	is_journal(2);
	is_kept(T0 + 1);
	end(T0 + 1);
}

/* Those that wait move up, and none of them is lost; a round goes on. */
static void
test_store_rows_that_wait_keep_theirs(void)
{
	begin("waiting.db");
	come(1, OVERLAY, T0);
	is(kit_idle_all(s, T0), 0);
	come(OVERLAY - 99, 100, T0 + 1);
	come(OVERLAY + 1, 5, T0 + 1);
	is(q->overlay.n, 105);
	is(q->n_dirty, 105);
	is_journal(105);
	is_kept(T0 + 1);
	end(T0 + 1);

	begin("round.db");
	come(1, 2000, T0);
	is(kit_idle_all(s, T0), 0);
	come(2001, OVERLAY - 2000, T0);
	is(store_idle(s, T0), MUSTER_E_AGAIN);
	come(OVERLAY + 1, 10, T0 + 1);
	is(q->overlay.n, OVERLAY - 1990);
	is(q->n_dirty, OVERLAY - 1990 - STORE_PIECE);
	is(store_idle(s, T0 + 1), MUSTER_E_AGAIN);
	is(q->n_dirty, OVERLAY - 1990 - 2 * STORE_PIECE);
	is_kept(T0 + 1);
	end(T0 + 1);
}

static void
test_b5_a_busy_host_drops_what_is_beyond_the_limit(void)
{
	begin("limit.db");
	store_set_limits(s, 100, 400);
	store_set_limits(model, 100, 400);
	come(1, 100 + STORE_PIECE, T0);
	is(store_busy(s, T0), 0);
	is(q->n_clients, 100 + STORE_PIECE);
	come(101 + STORE_PIECE, 1, T0 + 1);
	is(store_busy(s, T0 + 1), MUSTER_E_AGAIN);
	/* a piece is merged, and of the table as much dropped as is too many */
	is(q->n_dirty, 101);
	is(q->n_clients, 100 + 101);
	is(kit_idle_all(s, T0 + 1), 0);
	is(q->n_clients, 100);
	is(number("SELECT count(*) FROM client"), 100);
	store_close(s);
	store_close(model);
}

/* What a piece drops does not depend on what is not merged yet. */
static void
test_b5_who_waits_to_be_merged_drives_nobody_out(void)
{
	int64_t later = T0 + 400 * DAY;

	/* who has come again stays, though the never renewed wait */
	begin("renewed.db");
	come(1, 100, T0);
	is(kit_idle_all(s, T0), 0);
	is(kit_idle_all(model, T0), 0);
	store_set_limits(s, 100, 400);
	store_set_limits(model, 100, 400);
	come(1, 100, T0 + 1);
	come(101, 500, T0 + 2);
	is(store_idle(s, T0 + 2), MUSTER_E_AGAIN);
	is(number("SELECT count(*) FROM client WHERE contacts > 1"), 100);
	is(kit_idle_all(s, T0 + 2), 0);
	is(kit_idle_all(model, T0 + 2), 0);
	is(number("SELECT count(*) FROM client WHERE contacts > 1"), 100);
	end(T0 + 2);

	/* there is place for all, once those that are too old have gone */
	begin("old.db");
	store_set_limits(s, 100, 400);
	store_set_limits(model, 100, 400);
	come(1, 100, later);
	come(101, STORE_PIECE, T0);
	is(store_idle(s, later), MUSTER_E_AGAIN);
	is(number("SELECT count(*) FROM client"), 100);
	is(kit_idle_all(s, later), 0);
	is(kit_idle_all(model, later), 0);
	is(q->n_clients, 100);
	end(later);
}

static void
test_b5_a_piece_is_shared_by_the_old_and_the_many(void)
{
	int64_t later = T0 + 400 * DAY;

	begin("piece.db");
	come(1, 500, T0);
	come(501, 200, T0 + 1);
	is(kit_idle_all(s, T0 + 1), 0);
	store_set_limits(s, 100, 400);
	store_set_limits(model, 100, 400);
	is(store_idle(s, later), MUSTER_E_AGAIN);
	is(q->n_clients, 200 - (STORE_PIECE - 500));
	is(store_idle(s, later), 0);
	is(q->n_clients, 100);
	is(kit_idle_all(model, later), 0);
	end(later);

	/* a piece that is just used up may not have been all */
	begin("pieces.db");
	come(1, 2 * STORE_PIECE, T0);
	is(kit_idle_all(s, T0), 0);
	is(store_idle(s, later - 1), 0);
	is(store_idle(s, later), MUSTER_E_AGAIN);
	is(q->n_clients, STORE_PIECE);
	is(store_idle(s, later), MUSTER_E_AGAIN);
	is(q->n_clients, 0);
	is(store_idle(s, later), 0);
	is(kit_idle_all(model, later), 0);
	end(later);
}

static void
test_b5_who_comes_again_after_long_is_kept_or_new(void)
{
	int64_t later = T0 + 401 * DAY;

	/* the table's rows are too old, the journal's are not yet merged */
	begin("again.db");
	come(1, 2 * STORE_PIECE, T0);
	is(kit_idle_all(s, T0), 0);
	come(1, 2 * STORE_PIECE, later);
	is(store_idle(s, later), MUSTER_E_AGAIN);
	is(number("SELECT count(*) FROM client"), STORE_PIECE);
	is(q->n_clients, 2 * STORE_PIECE);
	end(later);

	/* a row that was dropped is not remembered, in memory neither */
	begin("new.db");
	come(1, 10, T0);
	is(kit_idle_all(s, T0), 0);
	is(kit_idle_all(model, T0), 0);
	is(kit_idle_all(s, later), 0);
	is(kit_idle_all(model, later), 0);
	is(q->n_clients, 0);
	come(1, 10, later);
	is(q->n_clients, 10);
	end(later);
}

static int
setting(sqlite3 *db, int which)
{
	int v = -1;

	is(sqlite3_db_config(db, which, -1, &v), SQLITE_OK);
	return v;
}

/* What the store relies on, asked of SQLite itself. */
static void
test_b4_the_database_is_opened_as_the_store_needs_it(void)
{
	static const char twice[] = "CREATE TEMP TABLE t(a PRIMARY KEY);"
	                            "INSERT INTO t VALUES(1), (1)";
	struct sqlite_store *r = NULL;
	const char *path = kit_path("open.db");

	begin("open.db");
	come(1, 3, T0);
	is(number("PRAGMA synchronous"), 2);
	is(number("PRAGMA journal_mode = wal"), 0); /* "wal", as it was */
	is(number("PRAGMA cell_size_check"), 1);
	is(number("PRAGMA busy_timeout"), STORE_BUSY_MS);
	is(number("PRAGMA application_id"), STORE_APPLICATION_ID);
	is(number("PRAGMA user_version"), STORE_SCHEMA);
	is(setting(q->db, SQLITE_DBCONFIG_DEFENSIVE), 1);
	is(setting(q->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA), 0);
	is(setting(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE), 0);
	/* the kind of an error decides whether the store is over */
	is(sqlite3_exec(q->db, twice, NULL, NULL, NULL),
	    SQLITE_CONSTRAINT_PRIMARYKEY);

	is(sqlite_open_reader(q, &r), 0);
	is(sqlite3_db_readonly(r->db, "main"), 1);
	is(sqlite3_db_readonly(q->db, "main"), 0);
	r->base.failed = MUSTER_E_IO; /* as sqlite.c ends a reader */
	store_close(&r->base);
	end(T0);
	/* a clean end leaves one file, and the lock's */
	is(access(path, F_OK), 0);
	ok(access(kit_path("open.db-wal"), F_OK) != 0);
	ok(access(kit_path("open.db-shm"), F_OK) != 0);
}

/* What a start finds in the journal it merges at once, into the table. */
static void
test_b4_a_start_merges_what_the_last_end_left(void)
{
	const char *path = kit_path("left.db");
	char command[1300];

	begin("left.db");
	come(1, 700, T0);
	is_journal(700);
	kit_forget(kit_path("copy.db"));
	(void)snprintf(command, sizeof(command),
	    "cp '%s' '%s' && cp '%s-wal' '%s-wal'", path, kit_path("copy.db"),
	    path, kit_path("copy.db"));
	is(system(command), 0);
	store_close(s);
	s = kit_open(kit_path("copy.db"));
	q = sqlite_of(s);
	is_journal(0);
	is(q->n_dirty, 0);
	is(q->n_clients, 700);
	is(number("SELECT count(*) FROM client"), 700);
	end(T0);
}

int
main(void)
{
	kit_dir_make();
	test_store_a_busy_host_merges_at_half_of_the_memory();
	test_store_a_busy_host_merges_at_half_of_the_journal();
	test_store_a_full_journal_is_merged_before_the_next();
	test_store_a_full_memory_is_merged_before_the_next();
	test_store_merged_rows_give_their_places_back();
	test_store_rows_that_wait_keep_theirs();
	test_b5_a_busy_host_drops_what_is_beyond_the_limit();
	test_b5_who_waits_to_be_merged_drives_nobody_out();
	test_b5_a_piece_is_shared_by_the_old_and_the_many();
	test_b5_who_comes_again_after_long_is_kept_or_new();
	test_b4_the_database_is_opened_as_the_store_needs_it();
	test_b4_a_start_merges_what_the_last_end_left();
	kit_dir_remove();
	return tap_done();
}
