/* SPDX-License-Identifier: MIT */
/*
 * db.h -- the authority's database: one SQLite file, one writer at a time.
 *
 * Every change is made between db_begin() and db_commit(), with its entry in
 * the audit log; db_begin() takes the write lock, so what a transaction has
 * read does not change before it ends.
 */
#ifndef MUSTER_AUTHORITY_DB_H
#define MUSTER_AUTHORITY_DB_H

#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "muster/err.h"
#include "trust/catalogue.h"
#include "trust/label.h"

#define DB_FILE "authority.db"
#define DB_BUSY_MS 10000

/* Who the authority is. */
struct db_self {
	char name[CAT_NAME_MAX + 1];
	char url[CAT_URL_MAX + 1];
	char contact[CAT_CONTACT_MAX + 1];
	uint8_t root_pk[PUBKEY_LEN];
	uint8_t publisher[PUBLISHER_LEN];
	uint32_t next_serial;
};

/**
 * db_err(): what a result code of SQLite means here.
 *
 * Returns: 0 for SQLITE_OK and SQLITE_DONE; MUSTER_E_LOCKED, MUSTER_E_EXIST
 *          (a constraint), MUSTER_E_FULL, MUSTER_E_DAMAGED, MUSTER_E_DENIED,
 *          MUSTER_E_NOMEM, else MUSTER_E_IO
 */
MUSTER_NODISCARD int db_err(int rc);

/**
 * db_create(): make the database in a folder that has none.
 *
 * Returns: 0; MUSTER_E_EXIST, MUSTER_E_DENIED, MUSTER_E_IO, MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int db_create(const char *dir, sqlite3 **db_out);

/**
 * db_open(): open the database of a folder; an older version is brought up to
 * this one in place, and kept as DB_FILE.schema-VERSION.
 *
 * Returns: 0
 *          MUSTER_E_NOENT   there is none
 *          MUSTER_E_SCHEMA  of another program, or of a version that is not
 *                           known here
 *          MUSTER_E_LOCKED, MUSTER_E_FULL  while it is brought up
 *          MUSTER_E_DENIED, MUSTER_E_DAMAGED, MUSTER_E_IO, MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int db_open(const char *dir, sqlite3 **db_out);

/**
 * db_refused(): why db_open() said MUSTER_E_SCHEMA, for a person.
 *
 * Out:     text  of cap bytes: "schema 4, this muster-authority has 3"
 */
void db_refused(const char *dir, char *text, size_t cap);

/**
 * db_close(): undo an open transaction and close; NULL is let be.
 */
void db_close(sqlite3 *db);

/**
 * db_begin(): begin a transaction with the write lock.
 *
 * Returns: 0; MUSTER_E_LOCKED, MUSTER_E_IO
 * Blocks:  up to DB_BUSY_MS
 */
MUSTER_NODISCARD int db_begin(sqlite3 *db);

/**
 * db_commit(): end it; durable when it returns.
 *
 * Returns: 0
 *          MUSTER_E_FULL  nothing was changed
 *          MUSTER_E_IO    unknown until the database is opened anew: nothing
 *                         more may be asked of it in this process but
 *                         db_close(), which leaves the log as it is
 */
MUSTER_NODISCARD int db_commit(sqlite3 *db);

/**
 * db_mark(): begin a part of the open transaction that can be undone alone.
 *
 * Returns: 0; as db_exec()
 */
MUSTER_NODISCARD int db_mark(sqlite3 *db);

/**
 * db_unmark(): end the part that db_mark() began.
 *
 * In:      is_undone  what was changed since is as it was before
 * Returns: 0; as db_exec(): then the whole transaction must be undone
 */
MUSTER_NODISCARD int db_unmark(sqlite3 *db, bool is_undone);

/**
 * db_rollback(): undo the open transaction; without one, nothing.
 */
void db_rollback(sqlite3 *db);

/**
 * db_query(): take a statement and bind its parameters.
 *
 * A statement of this text that nobody uses any more is taken again, so a
 * service prepares each text once; all texts are constants, so there are few.
 *
 * In:      types    one letter a parameter: i int64_t; t const char *;
 *                   b const void *, int: bytes and their number
 * Out:     st_out   the caller ends it by db_done(); bound values are borrowed
 *                   until then; NULL after a failure
 * Returns: 0; MUSTER_E_IO, MUSTER_E_DAMAGED, MUSTER_E_LOCKED, MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int db_query(sqlite3 *db, sqlite3_stmt **st_out,
    const char *sql, const char *types, ...);

/**
 * db_done(): end the use of a statement, which is kept for the next one; NULL
 * is let be.
 */
void db_done(sqlite3_stmt *st);

/**
 * db_row(): step to the next row.
 *
 * Returns: 1 a row; 0 no more; or as db_exec()
 */
MUSTER_NODISCARD int db_row(sqlite3_stmt *st);

/**
 * db_exec(): db_query() for a change that gives no rows.
 *
 * Returns: 0; MUSTER_E_EXIST (a key that is there), MUSTER_E_FULL,
 *          MUSTER_E_LOCKED, MUSTER_E_DAMAGED, MUSTER_E_IO
 */
MUSTER_NODISCARD int
db_exec(sqlite3 *db, const char *sql, const char *types, ...);

/**
 * db_blob(): copy a column that must have exactly len bytes.
 *
 * Returns: 0; MUSTER_E_DAMAGED
 */
MUSTER_NODISCARD int
db_blob(sqlite3_stmt *st, int column, uint8_t *out, size_t len);

/**
 * db_text(): copy a text column that must fit.
 *
 * Returns: 0; MUSTER_E_DAMAGED
 */
MUSTER_NODISCARD int
db_text(sqlite3_stmt *st, int column, char *out, size_t cap);

/**
 * db_self(): read who the authority is.
 *
 * Returns: 0; MUSTER_E_DAMAGED, MUSTER_E_IO
 */
MUSTER_NODISCARD int db_self(sqlite3 *db, struct db_self *self_out);

#endif /* MUSTER_AUTHORITY_DB_H */
