/* SPDX-License-Identifier: MIT */
/*
 * sqlite_open.c -- opening the database, or saying why not.
 *
 * What can be judged without SQLite is judged before it sees the file
 * (sqlite_file.c, sqlite_wal.c), and until the store is open nothing of the
 * log is moved into the database: who is refused finds the bytes unchanged.
 */
#include "store/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool
is_out_of_memory(const struct sqlite_store *q)
{
	return (sqlite3_errcode(q->db) & 0xff) == SQLITE_NOMEM;
}

/* What opening returns for what SQLite says of a file. */
static int
open_fail(struct sqlite_store *q, const char *path, const char *what,
    struct store_diag *diag)
{
	bool is_nomem = is_out_of_memory(q);
	int code = sqlite3_extended_errcode(q->db) & 0xff;
	int err = sqlite_fail(q, what);

	switch (err) {
	case MUSTER_E_AGAIN:
		err = is_nomem ? MUSTER_E_NOMEM : MUSTER_E_LOCKED;
		sqlite_say(diag, "%.80s: %.160s", path, q->base.diag.text);
		break;
	case MUSTER_E_DAMAGED:
		if (sqlite_file_was_ours(path)) {
			sqlite_say(diag,
			    "%.80s: damaged; restore a backup: %.120s", path,
			    q->base.diag.text);
		} else {
			sqlite_say(diag,
			    "%.80s: not a database of Muster: %.120s", path,
			    q->base.diag.text);
			err = MUSTER_E_SCHEMA;
		}
		break;
	default:
		/* SQLite tells neither which file nor why */
		sqlite_say(diag, "%.80s: %.120s%s", path, q->base.diag.text,
		    code == SQLITE_CANTOPEN
		        ? "; has its disk room for two more files?"
		        : "");
		err = MUSTER_E_IO;
		break;
	}
	return err;
}

/* The first column of the first row, as text; false on failure. */
static bool
ask(sqlite3 *db, const char *sql, char *out, size_t cap)
{
	sqlite3_stmt *st = NULL;
	bool is_good = false;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW) {
		const unsigned char *text = sqlite3_column_text(st, 0);

		/* none of what is asked is NULL, but memory may run out */
		is_good = text != NULL;
		(void)snprintf(out, cap, "%s",
		    is_good ? (const char *)text : "");
	}
	/* gives the step's error again, so errmsg stays what it was */
	(void)sqlite3_finalize(st);
	return is_good;
}

/*
 * SQLite takes what is missing of the last page for zeros.  A copy that was
 * cut there beside a log shows once the log is in the file.
 */
static int
check_size(struct sqlite_store *q, const char *path, struct store_diag *diag)
{
	char busy[32], pages[32], page_size[32];
	struct stat st;

	/* the number of pages first: a log that has just been begun cannot be
	 * merged before something was read */
	if (!ask(q->db, "PRAGMA page_count", pages, sizeof(pages)) ||
	    !ask(q->db, "PRAGMA wal_checkpoint(TRUNCATE)", busy,
	        sizeof(busy)) ||
	    !ask(q->db, "PRAGMA page_size", page_size, sizeof(page_size)))
		return open_fail(q, path, "merging the log", diag);
	if (strcmp(busy, "0") != 0) /* a reader holds it: no harm */
		return 0;
	if (lstat(path, &st) != 0 ||
	    st.st_size <
	        strtoll(pages, NULL, 10) * strtoll(page_size, NULL, 10)) {
		sqlite_say(diag, "%.120s: cut short; restore a backup", path);
		return MUSTER_E_DAMAGED;
	}
	return 0;
}

/* Is it ours?  SQLite has read the header, and changed nothing. */
static int
check_header(struct sqlite_store *q, const char *path, bool *is_new_out,
    int *old_out, struct store_diag *diag)
{
	char id[32], version[32], tables[32];

	if (!ask(q->db, "PRAGMA application_id", id, sizeof(id)) ||
	    !ask(q->db, "PRAGMA user_version", version, sizeof(version)) ||
	    !ask(q->db, "SELECT count(*) FROM sqlite_schema", tables,
	        sizeof(tables)))
		return open_fail(q, path, "reading the header", diag);
	/* new, or its making was interrupted */
	*is_new_out = strcmp(id, "0") == 0 && strcmp(version, "0") == 0 &&
	    strcmp(tables, "0") == 0;
	if (*is_new_out)
		return 0;
	if (strtoll(id, NULL, 10) != STORE_APPLICATION_ID) {
		sqlite_say(diag, "%s: a database of another program (id %s)",
		    path, id);
		return MUSTER_E_SCHEMA;
	}
	for (int v = 1; v < STORE_SCHEMA; v++) {
		if (strtoll(version, NULL, 10) == v)
			*old_out = v;
	}
	if (*old_out == 0 && strtoll(version, NULL, 10) != STORE_SCHEMA) {
		sqlite_say(diag,
		    "%s: schema %s, this musterd has %d; use its own", path,
		    version, STORE_SCHEMA);
		return MUSTER_E_SCHEMA;
	}
	return 0;
}

static int
make_tables(struct sqlite_store *q, const char *path, struct store_diag *diag)
{
	if (!sqlite_make_tables(q->db) ||
	    sqlite3_exec(q->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL,
	        NULL) != SQLITE_OK)
		return open_fail(q, path, "making the tables", diag);
	return 0;
}

/*
 * The structure of the trees, the order of the rows, and the constraints:
 * quick_check passes a page of a table that is a copy of another one of it.
 * What a row says is under
 * its own checksum, looked at when it is read; the tables of counts and the
 * journal are read whole at every start.
 */
static int
check_trees(struct sqlite_store *q, const char *path, struct store_diag *diag)
{
	static const char *const all[] = {"PRAGMA integrity_check(1)", NULL};
	static const char *const some[] = {"PRAGMA integrity_check(grp)",
	    "PRAGMA integrity_check(cache)", "PRAGMA integrity_check(journal)",
	    NULL};
	const char *const *sql = all;
	char verdict[128];
	struct stat st;

	if (lstat(path, &st) == 0 && st.st_size > STORE_CHECK_MAX)
		sql = some;
	for (; *sql != NULL; sql++) {
		if (!ask(q->db, *sql, verdict, sizeof(verdict)))
			return open_fail(q, path, "checking the database",
			    diag);
		if (strcmp(verdict, "ok") != 0) {
			sqlite_say(diag,
			    "%.80s: damaged; restore a backup: %.100s", path,
			    verdict);
			return MUSTER_E_DAMAGED;
		}
	}
	return 0;
}

static int
set_up(struct sqlite_store *q, const char *path, struct store_diag *diag)
{
	(void)sqlite3_extended_result_codes(q->db, 1);
	(void)sqlite3_busy_timeout(q->db, STORE_BUSY_MS);
	(void)sqlite3_db_config(q->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(q->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
	    NULL);
	if (sqlite3_exec(q->db, "PRAGMA cell_size_check = ON", NULL, NULL,
	        NULL) != SQLITE_OK)
		return open_fail(q, path, "opening", diag);
	return 0;
}

static int
begin_log(struct sqlite_store *q, const char *path, struct store_diag *diag)
{
	char mode[16];

	if (!ask(q->db, "PRAGMA journal_mode = WAL", mode, sizeof(mode)) ||
	    sqlite3_exec(q->db, "PRAGMA synchronous = FULL", NULL, NULL,
	        NULL) != SQLITE_OK)
		return open_fail(q, path, "opening", diag);
	if (strcmp(mode, "wal") != 0) {
		sqlite_say(diag, "%s: no write-ahead log here (mode %s)", path,
		    mode);
		return MUSTER_E_IO;
	}
	return 0;
}

static int
open_database(struct sqlite_store *q, const char *path, enum store_make make,
    struct store_diag *diag)
{
	char from[] = "0";
	bool is_new = false;
	int old = 0, err;

	if (sqlite3_open_v2(path, &q->db,
	        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return q->db == NULL ? MUSTER_E_NOMEM
		                     : open_fail(q, path, "opening", diag);
	err = set_up(q, path, diag);
	if (err == 0)
		err = check_header(q, path, &is_new, &old, diag);
	if (err == 0 && is_new && make == STORE_MAKE_NEVER)
		err = sqlite_file_is_gone(path, diag);
	if (err == 0 && !is_new)
		err = check_trees(q, path, diag);
	if (err == 0 && (is_new || old != 0))
		err = begin_log(q, path, diag);
	if (err == 0 && is_new)
		err = make_tables(q, path, diag);
	from[0] = (char)('0' + old);
	if (err == 0 && old != 0)
		err = sqlite_keep_old(q->db, path, from, diag);
	if (err == 0 && old != 0 && !sqlite_upgrade(q->db, old))
		err = open_fail(q, path, "bringing it up to date", diag);
	for (int i = 0; i < ST_N && err == 0; i++) {
		if (sqlite3_prepare_v3(q->db, sqlite_statements[i], -1,
		        SQLITE_PREPARE_PERSISTENT, &q->st[i],
		        NULL) != SQLITE_OK) {
			err = open_fail(q, path, "preparing", diag);
			/* ours by its id, yet without our tables */
			if (err == MUSTER_E_IO)
				err = MUSTER_E_SCHEMA;
		}
	}
	return err;
}

/* What opening returns for an outcome. */
static int
rows_fail(struct sqlite_store *q, const char *path, int err,
    struct store_diag *diag)
{
	const struct store *s = &q->base;

	switch (err) {
	case 0:
	case MUSTER_E_NOMEM:
	case MUSTER_E_DAMAGED:
		break;
	case MUSTER_E_AGAIN:
		err = is_out_of_memory(q) ? MUSTER_E_NOMEM : MUSTER_E_LOCKED;
		break;
	default:
		err = MUSTER_E_IO;
		break;
	}
	if (err == MUSTER_E_DAMAGED)
		sqlite_say(diag, "%.80s: damaged; restore a backup: %.120s",
		    path, s->diag.text);
	else if (err != 0)
		sqlite_say(diag, "%.80s: %.160s", path,
		    err == MUSTER_E_NOMEM ? muster_strerror(err)
		                          : s->diag.text);
	return err;
}

static int
make_overlay(struct sqlite_store *q)
{
	q->marks = calloc(STORE_OVERLAY_MAX, sizeof(*q->marks));
	return q->marks == NULL ? MUSTER_E_NOMEM
	                        : clients_grow(&q->overlay, STORE_OVERLAY_MAX);
}

/* Everything is read, and judged, before anything is changed. */
static int
load_rows(struct sqlite_store *q, const char *path, struct store_diag *diag)
{
	int err = make_overlay(q);

	q->batch = malloc(SQLITE_BATCH_MAX);
	if (q->batch == NULL)
		err = MUSTER_E_NOMEM;
	if (err == 0)
		err = sqlite_load(q);
	return rows_fail(q, path, err, diag);
}

/* Merge what the last run has left in the journal. */
static int
merge_rows(struct sqlite_store *q, const char *path, struct store_diag *diag)
{
	struct store *s = &q->base;
	int err = s->ops->begin(s);

	if (err == 0)
		err = inventory_merge_all(q);
	if (err == 0)
		err = store_flush(s);
	if (err == 0)
		err = s->ops->commit(s);
	if (err == 0)
		store_flushed(s);
	return rows_fail(q, path, err, diag);
}

int
sqlite_open_reader(const struct sqlite_store *q,
    struct sqlite_store **reader_out)
{
	static const enum sqlite_stmt_id used[] = {ST_JOURNAL_ALL,
	    ST_CLIENT_ALL, ST_CLIENT_NEWEST, ST_CLIENT_OLDEST, ST_CLIENT_NEXT};
	struct sqlite_store *r = calloc(1, sizeof(*r));
	int err = 0;

	if (r == NULL)
		return MUSTER_E_NOMEM;
	r->base.ops = &sqlite_ops;
	r->lock_fd = -1;
	if (sqlite3_open_v2(q->path, &r->db,
	        SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		err = r->db == NULL ? MUSTER_E_NOMEM
		                    : sqlite_fail(r, "opening to read");
	if (err == 0)
		err = make_overlay(r);
	if (err == 0)
		(void)sqlite3_busy_timeout(r->db, STORE_BUSY_MS);
	for (size_t i = 0; i < sizeof(used) / sizeof(used[0]) && err == 0;
	     i++) {
		if (sqlite3_prepare_v2(r->db, sqlite_statements[used[i]], -1,
		        &r->st[used[i]], NULL) != SQLITE_OK)
			err = sqlite_fail(r, "preparing to read");
	}
	if (err != 0) {
		r->base.failed = err;
		store_close(&r->base);
		return err;
	}
	*reader_out = r;
	return 0;
}

int
store_open_sqlite(const char *path, enum store_make make,
    struct store **store_out, struct store_diag *diag)
{
	struct sqlite_store *q = calloc(1, sizeof(*q));
	struct store_diag warning = {""};
	int err = 0;

	diag->text[0] = '\0';
	if (q == NULL)
		return MUSTER_E_NOMEM;
	q->base.ops = &sqlite_ops;
	q->lock_fd = -1;
	q->path = strdup(path);
	if (q->path == NULL) {
		free(q);
		return MUSTER_E_NOMEM;
	}
	store_set_limits(&q->base, STORE_INVENTORY_MAX, STORE_RETENTION_DAYS);
	err = sqlite_file_lock(path, &q->lock_fd, diag);
	if (err == 0) {
		sqlite_sweep_backup(path);
		err = sqlite_restore_finish(path, diag);
	}
	if (err == 0)
		err = sqlite_file_check(path, make, diag);
	if (err == 0)
		err = sqlite_wal_check(path, &warning, diag);
	if (err == 0)
		err = open_database(q, path, make, diag);
	if (err == 0)
		err = load_rows(q, path, diag);
	if (err == 0)
		err = begin_log(q, path, diag);
	if (err == 0)
		err = check_size(q, path, diag);
	if (err == 0)
		err = merge_rows(q, path, diag);
	if (err != 0) {
		/* store_close() must not try to write any more */
		q->base.failed = err;
		store_close(&q->base);
		return err;
	}
	(void)sqlite3_db_config(q->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0,
	    NULL);
	*diag = warning;
	*store_out = &q->base;
	return 0;
}
