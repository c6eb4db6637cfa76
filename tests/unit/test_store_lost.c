/* SPDX-License-Identifier: MIT */
/*
 * test_store_lost.c -- a database that is gone, and a log that a crash does
 * not leave: refused, and not a byte of either file is changed.
 */
#include "store_kit.h"
#include "store_sql.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#define FILE_MAX (1 << 22)
#define FRAME (24 + 4096)
#define CLIENTS 40U

static struct kit_image image_a;

struct copy {
	uint8_t *p;
	size_t len;
};

static struct copy db, wal; /* of a daemon that was killed */

static struct copy
read_copy(const char *path)
{
	struct copy c = {.p = malloc(FILE_MAX)};
	FILE *f = fopen(path, "rb");

	if (c.p == NULL || f == NULL)
		abort();
	c.len = fread(c.p, 1, FILE_MAX, f);
	(void)fclose(f);
	return c;
}

static void
put(const char *path, const void *p, size_t len)
{
	FILE *f = fopen(path, "wb");

	if (f == NULL || fwrite(p, 1, len, f) != len || fclose(f) != 0)
		abort();
}

static bool
is_still(const char *path, const void *p, size_t len)
{
	struct copy c = read_copy(path);
	bool is_same = c.len == len && memcmp(c.p, p, len) == 0;

	free(c.p);
	return is_same;
}

static int
try_open(const char *path, enum store_make make, struct store_diag *diag)
{
	struct store *s = NULL;
	int err = store_open_sqlite(path, make, &s, diag);

	image_a.n_clients = 0;
	if (err == 0) {
		for (uint32_t g = 1; g <= 2; g++) {
			if (store_reserve(s, kit_publisher[0], g, 100) != 0)
				abort();
		}
		err = kit_image(s, T0, &image_a);
		store_close(s);
	}
	return err;
}

/* Both files as kill -9 leaves them: one transaction a client. */
static void
kill_9(const char *path)
{
	struct store *s = kit_open(path);

	for (uint32_t i = 1; i <= CLIENTS; i++)
		is(kit_touch(s, 1, i, 25, T0), i);
	db = read_copy(path);
	wal = read_copy(kit_path("killed.db-wal"));
	store_close(s);
	ok(wal.len > 32 + CLIENTS * FRAME && (wal.len - 32) % FRAME == 0);
}

static bool
is_commit(size_t frame)
{
	static const uint8_t none[4];

	return memcmp(wal.p + 32 + frame * FRAME + 4, none, 4) != 0;
}

static void
test_b4_a_lost_database_is_not_a_new_one(void)
{
	const char *path = kit_path("lost.db");
	struct store_diag diag;
	struct stat st;

	is(try_open(path, STORE_MAKE_NEVER, &diag), MUSTER_E_NOENT);
	ok(strstr(diag.text, "restore a backup") != NULL);
	ok(strstr(diag.text, "--new-database") != NULL);
	is(stat(path, &st), -1);
	for (size_t len = 0; len < 2; len++) {
		put(path, "S", len);
		is(try_open(path, STORE_MAKE_NEVER, &diag), MUSTER_E_NOENT);
		ok(is_still(path, "S", len));
	}
	put(path, "SQ", 2);
	is(try_open(path, STORE_MAKE_NEVER, &diag), MUSTER_E_DAMAGED);
	is(try_open(path, STORE_MAKE_ONLY, &diag), MUSTER_E_EXIST);
	ok(is_still(path, "SQ", 2));
	put(path, "S", 1);
	is(try_open(path, STORE_MAKE_ONLY, &diag), 0);
	is(diag.text[0], 0);
	is(try_open(path, STORE_MAKE_NEVER, &diag), 0);
	is(try_open(path, STORE_MAKE_ONLY, &diag), MUSTER_E_EXIST);
	ok(strstr(diag.text, "without --new-database") != NULL);
	is(try_open(path, STORE_MAKE_IF_EMPTY, &diag), 0);
}

/* Its making was interrupted, or its tables were dropped. */
static void
test_b4_a_database_without_tables_is_lost_too(void)
{
	const char *path = kit_path("bare.db");
	struct store_diag diag;
	struct copy bare;

	sql_at(path, "CREATE TABLE a (b); DROP TABLE a");
	bare = read_copy(path);
	is(try_open(path, STORE_MAKE_NEVER, &diag), MUSTER_E_NOENT);
	ok(is_still(path, bare.p, bare.len));
	is(try_open(path, STORE_MAKE_IF_EMPTY, &diag), 0);
	free(bare.p);
}

static void
test_store_a_foreign_database_is_not_touched(void)
{
	static const char *const kinds[] = {
	    "CREATE TABLE a (b)",
	    "PRAGMA application_id = 7; CREATE TABLE a (b)",
	    "PRAGMA application_id = 1297437524; PRAGMA user_version = 4;"
	    "CREATE TABLE a (b)",
	    "PRAGMA journal_mode = WAL; CREATE TABLE a (b)",
	};
	const char *path = kit_path("foreign.db");

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct store_diag diag;
		struct copy before;

		kit_forget(path);
		sql_at(path, kinds[i]);
		before = read_copy(path);
		is(try_open(path, STORE_MAKE_IF_EMPTY, &diag), MUSTER_E_SCHEMA);
		ok(is_still(path, before.p, before.len));
		free(before.p);
	}
}

static void
test_store_what_is_cut_short_is_not_touched(void)
{
	const char *path = kit_path("cut.db");
	struct store_diag diag;
	struct copy whole;
	struct store *s = kit_open(path);

	kit_history(s, 50);
	store_close(s);
	whole = read_copy(path);
	for (size_t len = whole.len - 1; len > 100; len -= 3001) {
		kit_forget(path);
		put(path, whole.p, len);
		is(try_open(path, STORE_MAKE_NEVER, &diag), MUSTER_E_DAMAGED);
		ok(is_still(path, whole.p, len));
		if (len < 3101)
			break;
	}
	/* by each byte of the number of pages that it says it has */
	for (size_t i = 0; i < 4; i++) {
		const uint8_t was = whole.p[28 + i];

		whole.p[28 + i] |= 0x80;
		kit_forget(path);
		put(path, whole.p, whole.len);
		is(try_open(path, STORE_MAKE_NEVER, &diag), MUSTER_E_DAMAGED);
		ok(strstr(diag.text, "cut short") != NULL);
		ok(is_still(path, whole.p, whole.len));
		whole.p[28 + i] = was;
	}
	free(whole.p);
}

/* The power went in its first page: the journal beside it takes that back. */
static void
test_b4_a_torn_making_begins_anew(void)
{
	static const uint8_t journal[512] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1,
	    0x63, 0xd7, [12] = 1, 2, 3, 4, [22] = 2, [26] = 0x10};
	const char *path = kit_path("torn.db");
	struct store_diag diag;
	struct copy whole;

	store_close(kit_open(path));
	whole = read_copy(path);
	kit_forget(path);
	put(path, whole.p, 512);
	is(try_open(path, STORE_MAKE_IF_EMPTY, &diag), MUSTER_E_DAMAGED);
	put(kit_path("torn.db-journal"), journal, 0);
	is(try_open(path, STORE_MAKE_IF_EMPTY, &diag), MUSTER_E_DAMAGED);
	put(kit_path("torn.db-journal"), journal, sizeof(journal));
	is(try_open(path, STORE_MAKE_IF_EMPTY, &diag), 0);
	is_str(diag.text, "");
	is((long long)image_a.n_clients, 0);
	free(whole.p);
}

/* As VACUUM INTO makes a copy, or someone's sqlite3 has left it. */
static void
test_store_a_database_that_keeps_no_log(void)
{
	const char *path = kit_path("plain.db");
	struct store *s = kit_open(path);
	struct store_diag diag;
	struct copy plain;

	kit_history(s, 50);
	store_close(s);
	sql_at(path, "PRAGMA journal_mode = DELETE");
	plain = read_copy(path);
	is(plain.p[18], 1); /* of the header: 2 is a log */
	is(try_open(path, STORE_MAKE_NEVER, &diag), 0);
	is_str(diag.text, "");
	is((long long)image_a.n_clients, 50);
	free(plain.p);
	plain = read_copy(path);
	is(plain.p[18], 2);
	free(plain.p);
}

/* A page of 64 KiB stands as 1 in the header. */
static void
test_store_pages_of_64_kib(void)
{
	const char *path = kit_path("large.db");
	const char *log = kit_path("large.db-wal");
	struct store *s = kit_open(path);
	struct store_diag diag;
	struct copy whole;

	kit_history(s, 50);
	store_close(s);
	sql_at(path,
	    "PRAGMA journal_mode = DELETE; PRAGMA page_size = 65536; VACUUM");
	whole = read_copy(path);
	ok(whole.len % 65536 == 0 && whole.p[16] == 0 && whole.p[17] == 1);
	kit_forget(path);
	put(path, whole.p, whole.len - 65536);
	is(try_open(path, STORE_MAKE_NEVER, &diag), MUSTER_E_DAMAGED);
	ok(strstr(diag.text, "cut short") != NULL);
	/* an empty log has none of what is missing */
	put(log, "", 0);
	is(try_open(path, STORE_MAKE_NEVER, &diag), MUSTER_E_DAMAGED);
	ok(strstr(diag.text, "cut short") != NULL);
	kit_forget(path);
	put(path, whole.p, whole.len);
	is(try_open(path, STORE_MAKE_NEVER, &diag), 0);
	is((long long)image_a.n_clients, 50);
	free(whole.p);
}

/* 0, or what opening says of the pair of files; nothing has moved when it is
 * refused. */
static int
open_pair(struct store_diag *diag)
{
	const char *path = kit_path("pair.db"), *log = kit_path("pair.db-wal");
	int err;

	kit_forget(path);
	put(path, db.p, db.len);
	put(log, wal.p, wal.len);
	err = try_open(path, STORE_MAKE_NEVER, diag);
	if (err != 0 &&
	    !(is_still(path, db.p, db.len) && is_still(log, wal.p, wal.len)))
		ok(!"a refused file was changed");
	return err;
}

/* One byte in each frame: of its header, of its page. */
static void
test_b4_damage_inside_the_log_is_refused(void)
{
	static const size_t at[] = {0, 9, 17, 23, 24, 2000, FRAME - 1};
	size_t n = (wal.len - 32) / FRAME, last = n - 1;
	unsigned bad = 0, torn = 0, refused = 0;
	struct store_diag diag;

	is(open_pair(&diag), 0);
	is((long long)image_a.n_clients, CLIENTS);
	is(diag.text[0], 0);
	/* the first frame of the last transaction */
	while (last > 0 && !is_commit(last - 1))
		last--;
	for (size_t i = 0; i < n; i++) {
		uint8_t *p = wal.p + 32 + i * FRAME + at[i % 7];
		int err;

		*p ^= 0x10;
		err = open_pair(&diag);
		*p ^= 0x10;
		if (i < last) {
			bad += err != MUSTER_E_DAMAGED ||
			    strstr(diag.text, "pair.db-wal") == NULL ||
			    strstr(diag.text, "restore a backup") == NULL;
			refused++;
		} else {
			/* as a power loss may leave it */
			bad += err != 0 || image_a.n_clients != CLIENTS - 1;
			bad += i < n - 1 && strstr(diag.text, "torn") == NULL;
			torn++;
		}
		if (bad > 0)
			printf("# frame %zu of %zu, last from %zu: %s: %s\n", i,
			    n, last, muster_errname(err), diag.text);
	}
	is(bad, 0);
	ok(torn > 0 && refused > CLIENTS);
}

static void
test_b4_a_damaged_head_of_the_log_is_refused(void)
{
	struct store_diag diag;
	unsigned bad = 0;
	size_t len = wal.len;

	for (size_t i = 0; i < 32; i++) {
		wal.p[i] ^= 1;
		bad += open_pair(&diag) != MUSTER_E_DAMAGED;
		wal.p[i] ^= 1;
	}
	is(bad, 0);
	/* pages smaller than there may be; no commit of it is behind that */
	wal.p[10] = 1;
	is(open_pair(&diag), MUSTER_E_DAMAGED);
	wal.len = 32;
	is(open_pair(&diag), 0);
	is((long long)image_a.n_clients, 0);
	wal.p[10] = 0x10;
	wal.len = len;
	/* a log that was begun and no more */
	for (wal.len = 0; wal.len <= 32; wal.len += 8)
		bad += open_pair(&diag) != 0 || image_a.n_clients != 0;
	is(bad, 0);
	wal.len = len;
}

/* What is wrong is said of the file, wherever its folder is. */
static void
test_b4_a_damaged_log_in_the_folder_where_it_runs(void)
{
	struct store_diag diag;
	char *before = getcwd(NULL, 0);

	wal.p[32 + 100] ^= 1;
	is(open_pair(&diag), MUSTER_E_DAMAGED);
	is(chdir(kit_dir), 0);
	is(try_open("pair.db", STORE_MAKE_NEVER, &diag), MUSTER_E_DAMAGED);
	ok(strncmp(diag.text, "pair.db-wal: damaged in frame 1:", 32) == 0);
	wal.p[32 + 100] ^= 1;
	is(before == NULL ? -1 : chdir(before), 0);
	free(before);
}

/* There is no page 0: as a power loss may leave the last frame. */
static void
test_b4_a_frame_of_no_page_is_torn(void)
{
	uint8_t *last = wal.p + wal.len - FRAME;
	struct store_diag diag;
	uint8_t page[4];

	memcpy(page, last, sizeof(page));
	memset(last, 0, sizeof(page));
	is(open_pair(&diag), 0);
	is((long long)image_a.n_clients, CLIENTS - 1);
	ok(strstr(diag.text, "torn") != NULL);
	memcpy(last, page, sizeof(page));
}

/* Wherever the writing stopped: what had been committed is there. */
static void
test_b4_a_torn_end_of_the_log_starts(void)
{
	size_t len = wal.len, done = 0, n = 0;
	struct store_diag diag;
	unsigned bad = 0;

	for (size_t i = 0; i < (len - 32) / FRAME; i++) {
		wal.len = 32 + i * FRAME + (i * 997) % FRAME;
		bad += open_pair(&diag) != 0 || diag.text[0] != '\0';
		bad += image_a.n_clients != done;
		done += is_commit(i);
		n++;
	}
	wal.len = len;
	is(bad, 0);
	ok(n > CLIENTS);
}

/* What a rolled-back transaction wrote has the salts of today, no commit. */
static void
test_b4_frames_of_a_rollback_are_no_damage(void)
{
	const char *path = kit_path("back.db");
	const char *log = kit_path("back.db-wal");
	struct store *s = kit_open(path);
	struct copy old_db = db, old_wal = wal;
	struct store_diag diag;
	sqlite3 *raw = NULL;

	(void)kit_touch(s, 1, 1, 25, T0);
	is(sqlite3_open(path, &raw), SQLITE_OK);
	is(sqlite3_exec(raw,
	       "PRAGMA cache_size = 2; BEGIN; CREATE TABLE a (b);"
	       "WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n"
	       " LIMIT 300) INSERT INTO a SELECT zeroblob(3000) FROM n;"
	       "ROLLBACK",
	       NULL, NULL, NULL),
	    SQLITE_OK);
	for (uint32_t i = 2; i <= 5; i++)
		(void)kit_touch(s, 1, i, 25, T0);
	db = read_copy(path);
	wal = read_copy(log);
	(void)sqlite3_close(raw);
	store_close(s);
	ok(wal.len > (size_t)100 * FRAME);
	is(open_pair(&diag), 0);
	is((long long)image_a.n_clients, 5);
	free(db.p);
	free(wal.p);
	db = old_db;
	wal = old_wal;
}

/* The log begins anew in the same file, before frames with other salts. */
static void
test_b4_frames_of_before_the_checkpoint_are_no_damage(void)
{
	const char *path = kit_path("gen.db");
	const char *log = kit_path("gen.db-wal");
	struct store *s = kit_open(path);
	struct copy old_db = db, old_wal = wal;
	struct store_diag diag;
	sqlite3 *raw = NULL;
	unsigned refused = 0;

	kit_history(s, 20);
	kit_history(s, 100);
	is(sqlite3_open(path, &raw), SQLITE_OK);
	/* without a look at the file SQLite knows of no log to merge */
	is(sqlite3_exec(raw,
	       "SELECT count(*) FROM grp; PRAGMA wal_checkpoint(RESTART)", NULL,
	       NULL, NULL),
	    SQLITE_OK);
	for (uint32_t i = 101; i <= 103; i++)
		(void)kit_touch(s, 1, i, 25, T0);
	db = read_copy(path);
	wal = read_copy(log);
	(void)sqlite3_close(raw);
	store_close(s);
	ok(memcmp(wal.p + 16, wal.p + wal.len - FRAME + 8, 8) != 0);
	is(open_pair(&diag), 0);
	is((long long)image_a.n_clients, 103);
	is(diag.text[0], 0);
	/* bits in the database beside a good log: neither is changed */
	for (size_t at = 101; at < db.len; at += 211) {
		db.p[at] ^= 4;
		refused += open_pair(&diag) != 0;
		db.p[at] ^= 4;
	}
	printf("# %u refused\n", refused);
	ok(refused > 5);
	free(db.p);
	free(wal.p);
	db = old_db;
	wal = old_wal;
}

int
main(void)
{
	kit_dir_make();
	test_b4_a_lost_database_is_not_a_new_one();
	test_b4_a_database_without_tables_is_lost_too();
	test_store_a_foreign_database_is_not_touched();
	test_store_what_is_cut_short_is_not_touched();
	test_b4_a_torn_making_begins_anew();
	test_store_a_database_that_keeps_no_log();
	test_store_pages_of_64_kib();
	kill_9(kit_path("killed.db"));
	test_b4_damage_inside_the_log_is_refused();
	test_b4_a_damaged_head_of_the_log_is_refused();
	test_b4_a_damaged_log_in_the_folder_where_it_runs();
	test_b4_a_frame_of_no_page_is_torn();
	test_b4_a_torn_end_of_the_log_starts();
	test_b4_frames_of_a_rollback_are_no_damage();
	test_b4_frames_of_before_the_checkpoint_are_no_damage();
	kit_dir_remove();
	free(db.p);
	free(wal.p);
	return tap_done();
}
