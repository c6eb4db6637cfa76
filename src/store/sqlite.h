/* SPDX-License-Identifier: MIT */
/*
 * sqlite.h -- among the files sqlite*.c; nobody else includes it.
 *
 * A client's new row goes into the journal, at its end and so cheaply; idle
 * time merges it into the table `client`.  The overlay holds, by key, the
 * newest row of every client that the journal names, so that nothing but the
 * table must be asked beside it.  It is empty exactly when the journal is.
 */
#ifndef MUSTER_STORE_SQLITE_H
#define MUSTER_STORE_SQLITE_H

#include <sqlite3.h>

#include "store/backend.h"

#define SQLITE_SUM UINT64_C(0xcbf29ce484222325)

enum sqlite_stmt_id {
	ST_BEGIN,
	ST_COMMIT,
	ST_ROLLBACK,
	ST_GRP_ALL,
	ST_GRP_PUT,
	ST_CACHE_ALL,
	ST_CACHE_PUT,
	ST_CACHE_DELETE,
	ST_CLIENT_GET,
	ST_CLIENT_ALL,
	ST_CLIENT_COUNT,
	ST_CLIENT_EXPIRE,
	ST_CLIENT_EVICT,
	ST_JOURNAL_ALL,
	ST_JOURNAL_PUT,
	ST_JOURNAL_MERGE,
	ST_JOURNAL_CUT,
	ST_N
};

struct sqlite_store {
	struct store base;
	sqlite3 *db;
	sqlite3_stmt *st[ST_N];
	int lock_fd;
	char *path; /* set once, read by any thread */
	struct clients overlay;
	int64_t journal_first,
	    journal_next;  /* seq of the rows: [first, next) */
	int64_t n_clients; /* in table or overlay */
};

/**
 * sqlite_of(): the backend behind a store that is known to be SQLite's.
 *
 * Returns: the same object, borrowed
 */
static inline struct sqlite_store *
sqlite_of(struct store *s)
{
	return (struct sqlite_store *)(void *)s;
}

/**
 * sqlite_fail(): note what SQLite says, and make an outcome of it.
 *
 * In:      what     was being done
 * Returns: MUSTER_E_FULL, MUSTER_E_AGAIN, MUSTER_E_DAMAGED, MUSTER_E_UNSURE
 */
int sqlite_fail(struct sqlite_store *q, const char *what);

/**
 * sqlite_damaged(): note that a stored row cannot be.
 *
 * Returns: MUSTER_E_DAMAGED
 */
int sqlite_damaged(struct sqlite_store *q, const char *what);

/**
 * sqlite_say(): put a sentence for people together.
 */
__attribute__((format(printf, 2, 3))) void
sqlite_say(struct store_diag *diag, const char *format, ...);

/**
 * sqlite_sum(): go on with the checksum of a row (FNV-1a, 64 bits).
 *
 * Each step is a bijection, so whatever changes in one byte shows.
 *
 * In:      sum      SQLITE_SUM to begin with
 * Returns: the sum with the bytes
 */
uint64_t sqlite_sum(uint64_t sum, const void *p, size_t len);

/**
 * sqlite_sum_int(): the same for a number.
 *
 * Returns: the sum with the number
 */
uint64_t sqlite_sum_int(uint64_t sum, int64_t v);

/**
 * sqlite_run(): step a bound statement that gives no rows, and reset it.
 *
 * Returns: 0, or an outcome
 */
MUSTER_NODISCARD int
sqlite_run(struct sqlite_store *q, enum sqlite_stmt_id id, const char *what);

/**
 * sqlite_blob(): a column that must be a blob of exactly len bytes.
 *
 * Returns: false when it is not; out is then untouched
 */
bool sqlite_blob(sqlite3_stmt *st, int column, uint8_t *out, size_t len);

extern const struct store_ops sqlite_ops;

/**
 * sqlite_file_lock(): keep other daemons out until *fd_out is closed.
 *
 * Returns: 0; MUSTER_E_LOCKED another has it; MUSTER_E_IO
 */
MUSTER_NODISCARD int
sqlite_file_lock(const char *path, int *fd_out, struct store_diag *diag);

/**
 * sqlite_file_check(): a regular file of ours, or made; its bytes are kept.
 *
 * Returns: 0; MUSTER_E_IO; MUSTER_E_NOENT, MUSTER_E_EXIST as `make` says;
 *          MUSTER_E_DAMAGED cut short
 */
MUSTER_NODISCARD int sqlite_file_check(const char *path, enum store_make make,
    struct store_diag *diag);

/**
 * sqlite_file_is_gone(): say that a database is missing which must be there.
 *
 * Returns: MUSTER_E_NOENT
 */
int sqlite_file_is_gone(const char *path, struct store_diag *diag);

/**
 * sqlite_file_was_ours(): does the header look so?  For SQLite refuses it.
 *
 * Returns: true when the magic or our application id is there
 */
bool sqlite_file_was_ours(const char *path);

/**
 * sqlite_wal_check(): may SQLite recover from the write-ahead log?
 *
 * Out:     warning  set when the last transaction is left out
 * Returns: 0; MUSTER_E_DAMAGED committed transactions would be left out;
 *          MUSTER_E_IO, MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int sqlite_wal_check(const char *path,
    struct store_diag *warning, struct store_diag *diag);

/**
 * sqlite_open_reader(): a second connection, which only reads and only lists;
 * free it with store_close().
 *
 * Returns: 0; MUSTER_E_NOMEM, an outcome
 */
MUSTER_NODISCARD int sqlite_open_reader(const struct sqlite_store *q,
    struct sqlite_store **reader_out);

/**
 * sqlite_load(): make the memory what the file is.
 *
 * Returns: 0, an outcome, or as store_cache_make()
 */
MUSTER_NODISCARD int sqlite_load(struct sqlite_store *q);

/**
 * inventory_load(): read the journal into the overlay, and count the clients.
 *
 * Returns: 0, or an outcome
 */
MUSTER_NODISCARD int inventory_load(struct sqlite_store *q);

/**
 * inventory_merge(): merge at most max rows of the journal, inside begin().
 *
 * Returns: 0, or an outcome
 */
MUSTER_NODISCARD int inventory_merge(struct sqlite_store *q, int64_t max);

/**
 * inventory_room(): the member `room` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int inventory_room(struct store *s, size_t n);

/**
 * inventory_client(): the member `client` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int inventory_client(struct store *s, const struct turn_item *item,
    struct store_client **row_out);

/**
 * inventory_put(): the member `put` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int inventory_put(struct store *s, const struct store_client *row);

/**
 * inventory_upkeep(): the member `upkeep` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int inventory_upkeep(struct store *s, int64_t now_unix_s, bool *has_more_out);

/**
 * inventory_clients(): the member `clients` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int inventory_clients(struct store *s, store_client_fn *fn, void *arg);

/**
 * inventory_aside(): the member `aside` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int inventory_aside(const struct store *s, store_client_fn *fn, void *arg);

#endif /* MUSTER_STORE_SQLITE_H */
