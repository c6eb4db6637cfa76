/* SPDX-License-Identifier: MIT */
/*
 * db.c -- schema, opening, statements.
 */
#include "authority/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "authority/ctx.h"
#include "authority/schema.h"

#define APPLICATION_ID 0x4d757341 /* "MusA" */
#define CHECKPOINT_PAGES 1000     /* of the log; SQLite's own number */

int
db_err(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return MUSTER_E_LOCKED;
	case SQLITE_CONSTRAINT:
		return MUSTER_E_EXIST;
	case SQLITE_FULL:
		return MUSTER_E_FULL;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return MUSTER_E_DAMAGED;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_AUTH:
		return MUSTER_E_DENIED;
	case SQLITE_NOMEM:
		return MUSTER_E_NOMEM;
	default:
		return MUSTER_E_IO;
	}
}

static int
script(sqlite3 *db, const char *sql)
{
	return db_err(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static int
pragma_int(sqlite3 *db, const char *sql, int *out)
{
	sqlite3_stmt *st = NULL;
	int err;

	err = db_query(db, &st, sql, "");
	if (err == 0)
		err = db_row(st);
	if (err == 1)
		*out = sqlite3_column_int(st, 0);
	db_done(st);
	return err < 0 ? err : 0;
}

/*
 * SQLite's own hook lets a checkpoint that failed be and tries again; a disk
 * whose sync failed once is not asked a second time.
 */
static int
checkpoint(void *arg, sqlite3 *db, const char *name, int pages)
{
	int rc;

	(void)arg;
	if (pages < CHECKPOINT_PAGES ||
	    sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL,
	        NULL) == SQLITE_OK)
		return SQLITE_OK;
	rc = sqlite3_extended_errcode(db);
	return rc == SQLITE_IOERR_FSYNC ? rc : SQLITE_OK;
}

static int
connect_file(const char *path, sqlite3 **db_out)
{
	sqlite3 *db = NULL;
	int err;

	err = db_err(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL));
	if (err == 0)
		err = db_err(sqlite3_busy_timeout(db, DB_BUSY_MS));
	if (err == 0)
		err = script(db,
		    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		    "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF");
	if (err == 0)
		(void)sqlite3_wal_hook(db, checkpoint, NULL);
	if (err != 0) {
		db_close(db);
		db = NULL;
	}
	*db_out = db;
	return err;
}

int
db_create(const char *dir, sqlite3 **db_out)
{
	char path[FILE_PATH_MAX];
	sqlite3 *db = NULL;
	int fd, err;

	err = ctx_path(dir, DB_FILE, path, sizeof(path));
	if (err != 0)
		return err;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? MUSTER_E_EXIST
		    : errno == EACCES  ? MUSTER_E_DENIED
		                       : MUSTER_E_IO;
	(void)close(fd);
	err = connect_file(path, &db);
	if (err == 0)
		err = schema_create(db, APPLICATION_ID);
	if (err != 0) {
		db_close(db);
		db = NULL;
	}
	*db_out = db;
	return err;
}

int
db_open(const char *dir, sqlite3 **db_out)
{
	char path[FILE_PATH_MAX];
	sqlite3 *db = NULL;
	int id = 0, version = 0;
	int err;

	err = ctx_path(dir, DB_FILE, path, sizeof(path));
	if (err == 0 && access(path, F_OK) != 0)
		err = MUSTER_E_NOENT;
	if (err == 0)
		err = connect_file(path, &db);
	if (err == 0)
		err = pragma_int(db, "PRAGMA application_id", &id);
	if (err == 0)
		err = pragma_int(db, "PRAGMA user_version", &version);
	if (err == 0 && (id != APPLICATION_ID || version > SCHEMA_VERSION))
		err = MUSTER_E_SCHEMA;
	if (err == 0 && version != SCHEMA_VERSION)
		err = schema_upgrade(db);
	if (err != 0) {
		db_close(db);
		db = NULL;
	}
	*db_out = db;
	return err;
}

void
db_refused(const char *dir, char *text, size_t cap)
{
	char path[FILE_PATH_MAX];
	sqlite3 *db = NULL;
	int id = 0, version = 0;

	if (ctx_path(dir, DB_FILE, path, sizeof(path)) == 0 &&
	    connect_file(path, &db) == 0 &&
	    pragma_int(db, "PRAGMA application_id", &id) == 0 &&
	    id == APPLICATION_ID &&
	    pragma_int(db, "PRAGMA user_version", &version) == 0)
		(void)snprintf(text, cap,
		    "schema %d, this muster-authority has %d", version,
		    SCHEMA_VERSION);
	else
		(void)snprintf(text, cap, "another program's");
	db_close(db);
}

void
db_close(sqlite3 *db)
{
	sqlite3_stmt *st, *next;

	if (db == NULL)
		return;
	db_rollback(db);
	for (st = sqlite3_next_stmt(db, NULL); st != NULL; st = next) {
		next = sqlite3_next_stmt(db, st);
		(void)sqlite3_finalize(st);
	}
	(void)sqlite3_close(db);
}

int
db_begin(sqlite3 *db)
{
	return db_exec(db, "BEGIN IMMEDIATE", "");
}

/* A limit of a file or of a user: SQLite knows a full disk alone. */
static bool
is_limit(sqlite3 *db)
{
	sqlite3_file *log = NULL;
	int number = 0;

	if (sqlite3_extended_errcode(db) != SQLITE_IOERR_WRITE ||
	    sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER,
	        &log) != SQLITE_OK ||
	    log == NULL || log->pMethods == NULL ||
	    log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO,
	        &number) != SQLITE_OK)
		return false;
	return number == EFBIG || number == EDQUOT;
}

int
db_commit(sqlite3 *db)
{
	int err = db_exec(db, "COMMIT", "");

	if (err == MUSTER_E_IO && is_limit(db))
		return MUSTER_E_FULL;
	/* to close it would sync again, and believe the answer */
	if (err == MUSTER_E_IO)
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
		    NULL);
	return err;
}

void
db_rollback(sqlite3 *db)
{
	if (!sqlite3_get_autocommit(db))
		(void)script(db, "ROLLBACK");
}

int
db_mark(sqlite3 *db)
{
	return db_exec(db, "SAVEPOINT part", "");
}

int
db_unmark(sqlite3 *db, bool is_undone)
{
	int err = 0;

	/* some errors, a full disk among them, end the transaction */
	if (sqlite3_get_autocommit(db))
		return MUSTER_E_IO;
	if (is_undone)
		err = db_exec(db, "ROLLBACK TO part", "");
	if (err == 0)
		err = db_exec(db, "RELEASE part", "");
	return err;
}

static int
bind_all(sqlite3_stmt *st, const char *types, va_list ap)
{
	const void *p;
	int rc = SQLITE_OK;

	for (int i = 1; rc == SQLITE_OK && *types != '\0'; i++, types++) {
		if (*types == 'i') {
			rc = sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
		} else if (*types == 't') {
			rc = sqlite3_bind_text(st, i, va_arg(ap, const char *),
			    -1, SQLITE_STATIC);
		} else {
			assert(*types == 'b');
			p = va_arg(ap, const void *);
			rc = sqlite3_bind_blob(st, i, p, va_arg(ap, int),
			    SQLITE_STATIC);
		}
	}
	return db_err(rc);
}

/* One that is busy has a row of somebody who has not ended it. */
static sqlite3_stmt *
find_kept(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;

	while ((st = sqlite3_next_stmt(db, st)) != NULL) {
		if (!sqlite3_stmt_busy(st) && strcmp(sqlite3_sql(st), sql) == 0)
			break;
	}
	return st;
}

static int
prepare(sqlite3 *db, sqlite3_stmt **st_out, const char *sql, const char *types,
    va_list ap)
{
	sqlite3_stmt *st = find_kept(db, sql);
	int err = 0;

	if (st == NULL)
		err = db_err(sqlite3_prepare_v3(db, sql, -1,
		    SQLITE_PREPARE_PERSISTENT, &st, NULL));
	if (err == 0)
		err = bind_all(st, types, ap);
	if (err != 0) {
		db_done(st);
		st = NULL;
	}
	*st_out = st;
	return err;
}

void
db_done(sqlite3_stmt *st)
{
	if (st == NULL)
		return;
	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
}

int
db_query(sqlite3 *db, sqlite3_stmt **st_out, const char *sql, const char *types,
    ...)
{
	va_list ap;
	int err;

	va_start(ap, types);
	err = prepare(db, st_out, sql, types, ap);
	va_end(ap);
	return err;
}

int
db_row(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	return rc == SQLITE_ROW ? 1 : db_err(rc);
}

int
db_exec(sqlite3 *db, const char *sql, const char *types, ...)
{
	sqlite3_stmt *st = NULL;
	va_list ap;
	int err;

	va_start(ap, types);
	err = prepare(db, &st, sql, types, ap);
	va_end(ap);
	if (err == 0)
		err = db_row(st);
	db_done(st);
	assert(err <= 0);
	return err;
}

int
db_blob(sqlite3_stmt *st, int column, uint8_t *out, size_t len)
{
	const void *p = sqlite3_column_blob(st, column);

	if (p == NULL || (size_t)sqlite3_column_bytes(st, column) != len)
		return MUSTER_E_DAMAGED;
	memcpy(out, p, len);
	return 0;
}

int
db_text(sqlite3_stmt *st, int column, char *out, size_t cap)
{
	const unsigned char *p = sqlite3_column_text(st, column);
	size_t len = (size_t)sqlite3_column_bytes(st, column);

	if (p == NULL || len >= cap)
		return MUSTER_E_DAMAGED;
	memcpy(out, p, len);
	out[len] = '\0';
	return 0;
}

int
db_self(sqlite3 *db, struct db_self *self_out)
{
	struct db_self s = {0};
	sqlite3_stmt *st = NULL;
	int err;

	err = db_query(db, &st,
	    "SELECT name, url, contact, root_pk, publisher, next_serial "
	    "FROM self",
	    "");
	if (err == 0)
		err = db_row(st);
	if (err == 0)
		err = MUSTER_E_DAMAGED;
	if (err == 1)
		err = db_text(st, 0, s.name, sizeof(s.name));
	if (err == 0)
		err = db_text(st, 1, s.url, sizeof(s.url));
	if (err == 0)
		err = db_text(st, 2, s.contact, sizeof(s.contact));
	if (err == 0)
		err = db_blob(st, 3, s.root_pk, PUBKEY_LEN);
	if (err == 0)
		err = db_blob(st, 4, s.publisher, PUBLISHER_LEN);
	if (err == 0) {
		s.next_serial = (uint32_t)sqlite3_column_int64(st, 5);
		*self_out = s;
	}
	db_done(st);
	return err;
}
