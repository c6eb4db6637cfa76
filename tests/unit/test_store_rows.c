/* SPDX-License-Identifier: MIT */
/*
 * test_store_rows.c -- rows that cannot be, a database that others hold, and
 * the limits of caches and inventory.
 */
#include "store_kit.h"
#include "store_sql.h"

#include <sqlite3.h>

#include "store/sqlite.h"

#define Z15 "000000000000000000000000000000"
#define Z16 "00000000000000000000000000000000"

static struct kit_image image_a;

/* Someone's hand, or a bit: SQLite itself finds nothing wrong with it. */
static void
tamper(const char *path, const char *sql)
{
	sqlite3 *db = sql_open(path);

	sql_run(db, "PRAGMA ignore_check_constraints = ON");
	sql_run(db, sql);
	(void)sqlite3_close(db);
}

static void
make(const char *path)
{
	struct store *s;

	kit_forget(path);
	s = kit_open(path);
	for (uint32_t i = 1; i <= 3; i++)
		(void)kit_touch(s, 1, i, 5, T0);
	store_close(s);
}

/* A database with this change is not opened, and why is said so. */
static void
refuses(const char *path, const char *change, const char *says)
{
	struct store_diag diag = {{0}};
	struct store *s = NULL;

	make(path);
	tamper(path, change);
	printf("# %s\n", change);
	is(store_open_sqlite(path, STORE_MAKE_IF_EMPTY, &s, &diag),
	    MUSTER_E_DAMAGED);
	ok(strstr(diag.text, says) != NULL);
}

static void
test_store_refuses_a_count_that_cannot_be(void)
{
	static const char *const changes[] = {
	    "UPDATE grp SET publisher = x'0101'",
	    "UPDATE grp SET grp = -1",
	    "UPDATE grp SET grp = 4294967296",
	    "UPDATE grp SET capacity = 0",
	    "UPDATE grp SET capacity = 1000000000",
	    "UPDATE grp SET capacity = 2",
	    "UPDATE grp SET seq = -1",
	    "UPDATE grp SET seq = 2",
	    "DELETE FROM grp",
	    "UPDATE cache SET publisher = x'01'",
	    "UPDATE cache SET grp = 2",
	    "UPDATE cache SET grp = -1",
	    "UPDATE cache SET seq = 0 WHERE seq = 1",
	    "UPDATE cache SET cmid = x'01' WHERE seq = 1",
	    "UPDATE cache SET cmid = (SELECT cmid FROM cache WHERE seq = 2)"
	    " WHERE seq = 1",
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		refuses(kit_path("count.db"), changes[i], "damaged");
}

static const char *const client_changes[] = {
    "UPDATE client SET machine = x'01'",
    "UPDATE client SET name = char(0, 65)",
    "UPDATE client SET name = printf('%100d', 1)",
    "UPDATE client SET state = 9",
    "UPDATE client SET state = -1",
    "UPDATE client SET threshold = 4294967296",
    "UPDATE client SET count = -1",
    "UPDATE client SET contacts = 0",
    "UPDATE client SET address = x''",
    "UPDATE client SET is_duplicate = 4294967296",
    "UPDATE client SET other_machine = x'0000'",
    "UPDATE client SET other_name = char(0)",
    "UPDATE client SET chain = x'00'",
    "UPDATE client SET chain = x'" Z16 Z16 Z16 "0500'",
    "UPDATE client SET chain = x'" Z16 Z16 Z16 "0004'",
};

/* Whatever came over it while musterd runs: found when it is listed, and when
 * its client comes back; from then on the store does nothing. */
static void
test_store_refuses_a_client_that_cannot_be(void)
{
	const char *path = kit_path("client.db");

	for (size_t i = 0;
	     i < sizeof(client_changes) / sizeof(client_changes[0]); i++) {
		struct store *s;

		printf("# %s\n", client_changes[i]);
		make(path);
		s = kit_open(path);
		tamper(path, client_changes[i]);
		is(kit_touch(s, 1, 1, 5, T0), MUSTER_E_DAMAGED);
		ok(strstr(store_last_diag(s)->text, "inventory") != NULL);
		is(kit_touch(s, 1, 9, 5, T0), MUSTER_E_DAMAGED);
		store_close(s);
		make(path);
		s = kit_open(path);
		tamper(path, client_changes[i]);
		is(kit_image(s, T0, &image_a), MUSTER_E_DAMAGED);
		is(store_idle(s, T0), MUSTER_E_DAMAGED);
		is(kit_image(s, T0, &image_a), MUSTER_E_DAMAGED);
		is(store_reserve(s, kit_publisher[0], 8, 10), MUSTER_E_IO);
		store_close(s);
	}
}

#define FIRST " WHERE cmid = (SELECT min(cmid) FROM client)"

/* Values that could well be: only the checksum of their row tells. */
static void
test_store_refuses_what_was_changed(void)
{
	static const char *const changes[] = {
	    "UPDATE grp SET capacity = 11",
	    "UPDATE grp SET seq = 4",
	    "UPDATE grp SET chk = chk + 1",
	    "UPDATE cache SET seen = seen + 1 WHERE seq = 2",
	    "UPDATE cache SET seq = 4 WHERE seq = 3;"
	    "UPDATE grp SET seq = 4, chk = chk",
	    "UPDATE cache SET chk = 0 WHERE seq = 1",
	};
	static const char *const client[] = {
	    "UPDATE client SET last = last + 1",
	    "UPDATE client SET name = 'pc9'",
	    "UPDATE client SET first = first - 1",
	    "UPDATE client SET contacts = 2",
	    "UPDATE client SET machine = zeroblob(16)",
	    "UPDATE client SET state = 3",
	    "UPDATE client SET threshold = 6",
	    "UPDATE client SET count = count + 1",
	    "UPDATE client SET address = zeroblob(16)",
	    "UPDATE client SET is_duplicate = 1",
	    "UPDATE client SET other_machine = x'01" Z15 "'",
	    "UPDATE client SET other_name = 'pc9'",
	    "UPDATE client SET chain = x'01" Z15 Z16 Z16 "0000'",
	    "UPDATE client SET chk = 7",
	};
	static const char *const keys[] = {
	    "UPDATE client SET publisher = zeroblob(16)" FIRST,
	    "UPDATE client SET product = zeroblob(16)" FIRST,
	    "UPDATE client SET cmid = zeroblob(16)" FIRST,
	};
	const char *path = kit_path("changed.db");
	struct store_diag diag;
	struct store *s = NULL;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		make(path);
		tamper(path, changes[i]);
		is(store_open_sqlite(path, STORE_MAKE_IF_EMPTY, &s, &diag),
		    MUSTER_E_DAMAGED);
		ok(strstr(diag.text, "checksum") != NULL);
	}
	for (size_t i = 0; i < sizeof(client) / sizeof(client[0]); i++) {
		make(path);
		tamper(path, client[i]);
		s = kit_open(path);
		is(kit_touch(s, 1, 1, 5, T0), MUSTER_E_DAMAGED);
		if (!ok(strstr(store_last_diag(s)->text, "checksum") != NULL))
			printf("# %s\n", client[i]);
		store_close(s);
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		make(path);
		tamper(path, keys[i]);
		s = kit_open(path);
		is(kit_image(s, T0, &image_a), MUSTER_E_DAMAGED);
		ok(strstr(store_last_diag(s)->text, "checksum") != NULL);
		store_close(s);
	}
}

/* A database of an earlier musterd is judged by the same sums. */
static void
test_store_sums_stay_what_they_were(void)
{
	static const struct {
		const char *sql;
		int64_t want;
	} sums[] = {
	    {"SELECT chk FROM client" FIRST, INT64_C(-8010622398812990642)},
	    {"SELECT chk FROM cache WHERE seq = 1",
	        INT64_C(-5889347190851982629)},
	    {"SELECT chk FROM grp WHERE seq = 3",
	        INT64_C(-7066253134257273993)},
	};
	const char *path = kit_path("sums.db");
	sqlite3_stmt *st = NULL;
	sqlite3 *db;

	/* of a batch that waits in the journal: two words and a rest */
	is(sqlite_batch_sum("nineteen bytes, all", 19),
	    INT64_C(-6611010016328238927));
	kit_nonce = 240; /* of the requests whose sums these are */
	make(path);
	db = sql_open(path);
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
		is(sqlite3_prepare_v2(db, sums[i].sql, -1, &st, NULL),
		    SQLITE_OK);
		is(sqlite3_step(st), SQLITE_ROW);
		is(sqlite3_column_int64(st, 0), sums[i].want);
		(void)sqlite3_finalize(st);
	}
	(void)sqlite3_close(db);
}

/* Groups and records beyond what any host has. */
static void
test_store_refuses_numbers_that_none_has(void)
{
	static const char *const changes[] = {
	    "UPDATE cache SET grp = 4294967296",
	    "UPDATE cache SET seq = 4 WHERE seq = 3",
	    "INSERT INTO cache SELECT publisher, grp, cmid, seq - 9, seen, chk"
	    " FROM cache WHERE seq = 1",
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		refuses(kit_path("beyond.db"), changes[i], " is wrong");
}

/* Every group that there may be is written, and someone adds another. */
static void
test_store_refuses_a_group_too_many(void)
{
	static struct turn_item items[TURN_MAX];
	const char *path = kit_path("toomany.db");
	struct store_diag diag = {{0}};
	struct store *s = kit_open(path);
	size_t n = 0;

	for (uint32_t g = 1; g <= STORE_GROUPS_MAX; g++) {
		uint32_t pub = g > STORE_GROUPS_MAX - 2;
		uint32_t group = pub == 0 ? g : g - (STORE_GROUPS_MAX - 2);

		if (store_reserve(s, kit_publisher[pub], group, 2) != 0)
			abort();
		items[n++] = kit_item(pub, group, g, 1, T0);
		if (n == TURN_MAX || g == STORE_GROUPS_MAX) {
			is(store_batch(s, items, n, T0), 0);
			n = 0;
		}
	}
	store_close(s);
	is(store_open_sqlite(path, STORE_MAKE_NEVER, &s, &diag), 0);
	store_close(s);
	tamper(path,
	    "INSERT INTO grp VALUES"
	    " (x'ffffffffffffffffffffffffffffffff', 1, 2, 1, 0)");
	is(store_open_sqlite(path, STORE_MAKE_NEVER, &s, &diag),
	    MUSTER_E_DAMAGED);
	ok(strstr(diag.text, "the number of groups is wrong") != NULL);
}

/* A full disk makes it read its counts again: what came over them meanwhile
 * is found there, and nothing is counted from then on. */
static void
test_store_a_count_that_is_read_again_is_judged(void)
{
	static const char *const changes[] = {
	    "UPDATE cache SET cmid = x'01' WHERE seq = 1",
	    "INSERT INTO cache SELECT publisher, 2, cmid, seq, seen, chk"
	    " FROM cache WHERE seq = 1",
	};
	const char *path = kit_path("again.db");

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct store *s;
		long long count = 1;

		make(path);
		s = kit_open(path);
		tamper(path, changes[i]);
		sql_run(sqlite_of(s)->db, "PRAGMA max_page_count = 1");
		for (uint32_t who = 100; who < 1100 && count > 0; who++)
			count = kit_touch(s, 1, who, 5, T0);
		is(count, MUSTER_E_UNSURE);
		ok(strstr(store_last_diag(s)->text, "a count record") != NULL);
		is(kit_touch(s, 1, 1, 5, T0), MUSTER_E_UNSURE);
		store_close(s);
	}
}

/* The end of a process that no merge came before: a copy of the files. */
static void
make_with_journal(const char *path)
{
	static const char *const ends[] = {"", "-wal"};
	const char *live = kit_path("live.db");
	char from[400], to[400], command[900];
	struct store *s;

	kit_forget(live);
	kit_forget(path);
	s = kit_open(live);
	for (uint32_t i = 1; i <= 3; i++)
		(void)kit_touch(s, 1, i, 5, T0);
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(from, sizeof(from), "%s%s", live, ends[i]);
		(void)snprintf(to, sizeof(to), "%s%s", path, ends[i]);
		(void)snprintf(command, sizeof(command), "cp '%s' '%s'", from,
		    to);
		if (system(command) != 0)
			abort();
	}
	store_close(s);
}

/* The journal is read whole, so it is judged at the start. */
static void
test_store_refuses_a_journal_that_cannot_be(void)
{
	static const char *const changes[] = {
	    "UPDATE journal SET seq = 9223372036854775807 WHERE seq = 3",
	    "UPDATE journal SET seq = 0 WHERE seq = 1",
	    "DELETE FROM journal WHERE seq = 2",
	    "DELETE FROM journal WHERE seq = 1", /* counts 2 after 0 */
	    "UPDATE journal SET n = 0 WHERE seq = 1",
	    "UPDATE journal SET n = 2 WHERE seq = 1",
	    "UPDATE journal SET n = 257 WHERE seq = 1",
	    "UPDATE journal SET batch = x'' WHERE seq = 1",
	    "UPDATE journal SET batch = substr(batch, 5) WHERE seq = 2",
	    "UPDATE journal SET batch = CAST(batch || x'00' AS BLOB)"
	    " WHERE seq = 2",
	    "UPDATE journal SET chk = chk + 1 WHERE seq = 3",
	};
	const char *path = kit_path("journal.db");
	struct store_diag diag;
	struct store *s = NULL;

	make_with_journal(path);
	s = kit_open(path);
	is(kit_touch(s, 1, 9, 5, T0), 4);
	store_close(s);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		printf("# %s\n", changes[i]);
		make_with_journal(path);
		tamper(path, changes[i]);
		is(store_open_sqlite(path, STORE_MAKE_IF_EMPTY, &s, &diag),
		    MUSTER_E_DAMAGED);
		ok(strstr(diag.text, "journal") != NULL ||
		    strstr(diag.text, "batch") != NULL);
	}
}

/* Rows under their own checksum, as schema 1 had them. */
static const char schema_1[] =
    "ALTER TABLE cache RENAME TO cache_2;"
    "CREATE TABLE cache (publisher BLOB NOT NULL, grp INTEGER NOT NULL,"
    "cmid BLOB NOT NULL CHECK(length(cmid) = 16), seq INTEGER NOT NULL,"
    "seen INTEGER NOT NULL, chk INTEGER NOT NULL,"
    "PRIMARY KEY (publisher, grp, cmid)) STRICT, WITHOUT ROWID;"
    "INSERT INTO cache SELECT * FROM cache_2; DROP TABLE cache_2;"
    "ALTER TABLE client DROP COLUMN granted; DROP TABLE journal;"
    "CREATE TABLE journal AS SELECT 1 AS seq, * FROM client LIMIT 1;"
    "DELETE FROM client WHERE cmid = (SELECT cmid FROM journal);"
    "PRAGMA user_version = 1";

static void
test_store_brings_schema_1_up(void)
{
	static struct kit_image image_b;
	const char *path = kit_path("old.db");
	struct store *s;

	make(path);
	s = kit_open(path);
	is(kit_image(s, T0, &image_a), 0);
	store_close(s);
	tamper(path, schema_1);
	s = kit_open(path);
	is(kit_image(s, T0, &image_b), 0);
	is((long long)image_b.n_clients, 3);
	ok(kit_same(&image_a, &image_b));
	is(kit_touch(s, 1, 9, 5, T0), 4);
	store_close(s);
	s = kit_open(path);
	is(kit_touch(s, 1, 1, 5, T0), 4);
	store_close(s);
}

/* A schema further by a meaning alone: all stays, and the mark goes up. */
static void
test_store_brings_schema_2_up(void)
{
	static struct kit_image image_b;
	const char *path = kit_path("two.db");
	struct store *s;

	make(path);
	s = kit_open(path);
	is(kit_image(s, T0, &image_a), 0);
	store_close(s);
	tamper(path,
	    "ALTER TABLE client DROP COLUMN granted; PRAGMA user_version = 2");
	s = kit_open(path);
	is(kit_image(s, T0, &image_b), 0);
	ok(kit_same(&image_a, &image_b));
	store_close(s);
	is(access(kit_path("two.db.schema-2"), F_OK), 0);
	tamper(path, "PRAGMA user_version = 5");
	is(store_open_sqlite(path, STORE_MAKE_IF_EMPTY, &s,
	       &(struct store_diag){{0}}),
	    MUSTER_E_SCHEMA);
}

/* A person with sqlite3(1) who has begun to write, or has it for himself. */
static void
test_store_held_by_another_is_locked(void)
{
	const char *path = kit_path("held.db");
	struct store_diag diag;
	struct store *s = NULL;
	sqlite3 *db;

	make(path);
	db = sql_open(path);
	sql_run(db, "BEGIN IMMEDIATE");
	is(store_open_sqlite(path, STORE_MAKE_IF_EMPTY, &s, &diag),
	    MUSTER_E_LOCKED);
	ok(strstr(diag.text, "locked") != NULL);
	(void)sqlite3_close(db);

	db = sql_open(path);
	sql_run(db,
	    "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;"
	    "UPDATE grp SET seq = seq; COMMIT");
	is(store_open_sqlite(path, STORE_MAKE_IF_EMPTY, &s, &diag),
	    MUSTER_E_LOCKED);
	(void)sqlite3_close(db);

	/* who only reads is no harm */
	db = sql_open(path);
	sql_run(db, "BEGIN; SELECT * FROM grp");
	s = kit_open(path);
	is(kit_touch(s, 1, 9, 5, T0), 4);
	(void)sqlite3_close(db);
	store_close(s);
}

static void
test_store_repairs_wait_for_the_lock(void)
{
	const char *path = kit_path("repair.db");
	struct store *s = kit_open(path);
	struct store_group groups[8];
	sqlite3_stmt *st = NULL;
	sqlite3 *db;
	size_t n;

	(void)kit_touch(s, 1, 1, 5, T0 + 9 * DAY);
	/* reading rewrites a time in the future (b2) */
	is(store_groups(s, T0, groups, 8, &n), 0);
	is(store_groups(s, T0, groups, 2, &n), MUSTER_E_TOOBIG);
	is((long long)n, 2);
	db = sql_open(path);
	sql_run(db, "BEGIN IMMEDIATE");
	is(store_idle(s, T0), MUSTER_E_AGAIN);
	(void)sqlite3_close(db);
	/* more memory takes along what is not yet written */
	is(store_reserve(s, kit_publisher[0], 1, 400), 0);
	is(store_groups(s, T0, groups, 8, &n), 0);
	is(groups[0].count, 1);
	store_close(s);
	db = sql_open(path);
	is(sqlite3_prepare_v2(db, "SELECT seen FROM cache", -1, &st, NULL),
	    SQLITE_OK);
	is(sqlite3_step(st), SQLITE_ROW);
	is(sqlite3_column_int64(st, 0), T0);
	(void)sqlite3_finalize(st);
	(void)sqlite3_close(db);
}

/* Where the system has no shared memory there is no log either. */
static void
test_store_needs_a_write_ahead_log(void)
{
	sqlite3_vfs *usual = sqlite3_vfs_find(NULL);
	struct store_diag diag;
	struct store *s = NULL;

	is(sqlite3_vfs_register(sqlite3_vfs_find("unix-none"), 1), 0);
	is(store_open_sqlite(kit_path("nowal.db"), STORE_MAKE_IF_EMPTY, &s,
	       &diag),
	    MUSTER_E_IO);
	ok(strstr(diag.text, "no write-ahead log") != NULL);
	is(sqlite3_vfs_register(usual, 1), 0);
}

static void
test_store_has_room_for_so_many_groups(const char *path)
{
	struct store *s = kit_open(path);

	for (uint32_t g = 3; g <= STORE_GROUPS_MAX - 2; g++) {
		if (store_reserve(s, kit_publisher[0], g, 2) != 0)
			ok(!"a group too few");
	}
	is(store_reserve(s, kit_publisher[1], 77, 2), MUSTER_E_FULL);
	is(store_reserve(s, kit_publisher[0], 3, 2), 0);
	store_close(s);
}

/* A step drops so many rows and says that there are more. */
static void
test_b5_the_inventory_shrinks_in_steps(const char *path)
{
	struct store *s = kit_open(path);
	int n = 0, err = MUSTER_E_AGAIN;

	kit_history(s, 1500);
	while (path != NULL && store_idle(s, T0) == MUSTER_E_AGAIN)
		continue;
	store_set_limits(s, 100, 400);
	for (; n < 20 && err == MUSTER_E_AGAIN; n++)
		err = store_idle(s, T0);
	is(err, 0);
	is(n, 3); /* of 512, 512 and 376 */
	is(kit_image(s, T0, &image_a), 0);
	is((long long)image_a.n_clients, 100);
	store_close(s);
}

int
main(void)
{
	kit_dir_make();
	test_store_refuses_a_count_that_cannot_be();
	test_store_refuses_a_client_that_cannot_be();
	test_store_refuses_what_was_changed();
	test_store_sums_stay_what_they_were();
	test_store_refuses_numbers_that_none_has();
	test_store_refuses_a_group_too_many();
	test_store_a_count_that_is_read_again_is_judged();
	test_store_refuses_a_journal_that_cannot_be();
	test_store_brings_schema_1_up();
	test_store_brings_schema_2_up();
	test_store_held_by_another_is_locked();
	test_store_repairs_wait_for_the_lock();
	test_store_needs_a_write_ahead_log();
	test_store_has_room_for_so_many_groups(NULL);
	test_store_has_room_for_so_many_groups(kit_path("groups.db"));
	test_b5_the_inventory_shrinks_in_steps(NULL);
	test_b5_the_inventory_shrinks_in_steps(kit_path("steps.db"));
	kit_dir_remove();
	return tap_done();
}
