/* SPDX-License-Identifier: MIT */
/*
 * sqlite.h -- among the files sqlite*.c; nobody else includes it.
 *
 * A batch is one row of the journal: all its records behind one another, under
 * a checksum.  It is written once, at the end of the file's tree, and makes
 * durable what the batch changed, in the inventory and in the count caches.
 * The tables `client`, `grp` and `cache` are written later (sqlite_merge.c).
 * The overlay holds, by key, the newest row of every client that the journal
 * names, so that nothing but the table must be asked beside it; merged rows
 * stay in it while there is room, and need not be read again.
 *
 * A record, integers big-endian, names with length and padding as in XDR:
 *
 *   publisher 16, product 16, cmid 16
 *   group u32, capacity u32, seq u64, seen i64     as in the count cache
 *   machine 16, address 16, other machine 16, state u32, threshold u32,
 *   first i64, last i64, count u32, contacts u64, twin u32,
 *   chain 50 and 2 zeros, name, other name         as in the table `client`
 */
#ifndef MUSTER_STORE_SQLITE_H
#define MUSTER_STORE_SQLITE_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "base/cursor.h"
#include "store/backend.h"

#define SQLITE_SUM UINT64_C(0xcbf29ce484222325)
#define SQLITE_RECORD_MAX (240 + 2 * (4 + 100)) /* with the longest names */
#define SQLITE_BATCH_MAX ((size_t)TURN_MAX * SQLITE_RECORD_MAX)

enum sqlite_stmt_id {
	ST_BEGIN,
	ST_COMMIT,
	ST_ROLLBACK,
	ST_GRP_ALL,
	ST_GRP_PUT,
	ST_CACHE_ALL,
	ST_CACHE_PUT,
	ST_CACHE_DELETE,
	ST_CACHE_BELOW,
	ST_CLIENT_GET,
	ST_CLIENT_ALL,
	ST_CLIENT_COUNT,
	ST_CLIENT_NEWEST,
	ST_CLIENT_OLDEST,
	ST_CLIENT_NEXT,
	ST_CLIENT_PUT,
	ST_CLIENT_EXPIRE,
	ST_CLIENT_EVICT,
	ST_JOURNAL_ALL,
	ST_JOURNAL_PUT,
	ST_JOURNAL_CUT,
	ST_N
};

/* Of a row of the overlay. */
struct sqlite_mark {
	int64_t seq;    /* last batch of the journal that names it; 0: none */
	bool is_merged; /* the table has it as it is */
};

/* One request in the journal. */
struct sqlite_record {
	uint32_t group, capacity;
	uint64_t seq;
	int64_t seen_unix_s;
	struct store_client client;
};

struct sqlite_store {
	struct store base;
	sqlite3 *db;
	sqlite3_stmt *st[ST_N];
	int lock_fd;
	char *path; /* set once, read by any thread */
	struct clients overlay;
	struct sqlite_mark *marks; /* of the overlay's rows */
	int64_t journal_first,
	    journal_next;     /* seq of the batches: [first, next) */
	int64_t n_records;    /* in them */
	int64_t n_clients;    /* in table or overlay */
	atomic_llong n_shown; /* the same as of the last commit, for readers */
	uint32_t n_dirty;     /* rows of the overlay that are not merged */
	/* a round of merging: batches up to this one; 0: none is under way */
	int64_t merge_upto;
	int64_t merge_records; /* of the journal when the round began */
	uint32_t merge_at;     /* next row of the overlay */
	/* the batch that is being put together */
	uint8_t *batch; /* SQLITE_BATCH_MAX bytes */
	size_t batch_len;
	int64_t n_batch;
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
 * sqlite_batch_sum(): the checksum of a batch of the journal.
 *
 * Returns: eight bytes at a time, else as sqlite_sum()
 */
int64_t sqlite_batch_sum(const void *p, size_t len);

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

/**
 * sqlite_file_move(): rename, durably; what has the new name goes.
 *
 * Returns: 0; MUSTER_E_NOENT, MUSTER_E_DENIED, MUSTER_E_FULL, MUSTER_E_IO;
 *          MUSTER_E_UNSURE  renamed, but its folder could not be synced
 */
MUSTER_NODISCARD int sqlite_file_move(const char *from, const char *to);

/**
 * sqlite_sweep_backup(): remove what a backup that was cut off has left; under
 * the lock of the database.
 */
void sqlite_sweep_backup(const char *path);

/**
 * sqlite_backup(): the member `backup` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int sqlite_backup(const struct store *s, int *fd_out);

/**
 * sqlite_keep_old(): copy a database of an earlier schema to
 * PATH.schema-VERSION before it is changed; an earlier such copy goes.
 *
 * Returns: 0; MUSTER_E_NOMEM, MUSTER_E_IO
 */
MUSTER_NODISCARD int sqlite_keep_old(sqlite3 *db, const char *path,
    const char *version, struct store_diag *diag);

/**
 * sqlite_restore_finish(): end a restore that was cut off once it held; under
 * the lock of the database.
 *
 * Returns: 0, also when there was none; MUSTER_E_IO
 */
MUSTER_NODISCARD int
sqlite_restore_finish(const char *path, struct store_diag *diag);

extern const struct store_ops sqlite_ops;

/* By sqlite_stmt_id. */
extern const char *const sqlite_statements[ST_N];

/**
 * sqlite_make_tables(): of the present schema, and mark the file as ours.
 *
 * Returns: false on failure; SQLite says why
 */
bool sqlite_make_tables(sqlite3 *db);

/**
 * sqlite_upgrade(): from an earlier schema, in one transaction.
 *
 * In:      from     1 to STORE_SCHEMA - 1
 * Returns: false on failure, nothing was changed; SQLite says why
 */
bool sqlite_upgrade(sqlite3 *db, int from);

/**
 * sqlite_client_read(): a row of the table, in the order of its columns.
 *
 * Returns: 0; MUSTER_E_DAMAGED
 */
MUSTER_NODISCARD int sqlite_client_read(struct sqlite_store *q,
    sqlite3_stmt *st, struct store_client *row);

/**
 * sqlite_client_write(): the same into the table.
 *
 * Returns: 0, or an outcome
 */
MUSTER_NODISCARD int
sqlite_client_write(struct sqlite_store *q, const struct store_client *row);

/**
 * sqlite_record_write(): append a record; SQLITE_RECORD_MAX bytes suffice.
 */
void sqlite_record_write(struct wr *w, const struct sqlite_record *record);

/**
 * sqlite_record_read(): the next record of a batch.
 *
 * Returns: false when it cannot be one
 */
bool sqlite_record_read(struct rd *r, struct sqlite_record *record_out);

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
 * inventory_read_journal(): the journal into the overlay of a reader.
 *
 * Returns: 0, or an outcome
 */
MUSTER_NODISCARD int inventory_read_journal(struct sqlite_store *r);

/**
 * inventory_merge_all(): empty the journal, inside begin(); the caller flushes
 * the caches before the commit.
 *
 * Returns: 0, or an outcome
 */
MUSTER_NODISCARD int inventory_merge_all(struct sqlite_store *q);

/**
 * inventory_room(): the member `room` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int inventory_room(struct store *s, struct turn_item *items, size_t n,
    int64_t *now_unix_s);

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
int inventory_put(struct store *s, const struct store_client *row,
    const struct cache *c, const struct turn_item *item);

/**
 * inventory_batch(): the member `batch` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int inventory_batch(struct store *s);

/**
 * inventory_is_due(): the member `is_due` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
bool inventory_is_due(const struct store *s);

/**
 * inventory_upkeep(): the member `upkeep` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int inventory_upkeep(struct store *s, int64_t now_unix_s,
    struct store_step *step_out);

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

/**
 * sqlite_recent(): the member `recent` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int sqlite_recent(const struct store *s, const struct store_recent *ask,
    store_client_fn *fn, void *arg, uint64_t *total_out);

/**
 * sqlite_scan_open(): the member `scan_open` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int sqlite_scan_open(const struct store *s, struct store_scan **scan_out);

/**
 * sqlite_scan_next(): the member `scan_next` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int sqlite_scan_next(struct store_scan *scan, uint32_t max, store_client_fn *fn,
    void *arg, bool *is_over_out);

/**
 * sqlite_scan_close(): the member `scan_close` of struct store_ops.
 */
void sqlite_scan_close(struct store_scan *scan);

#endif /* MUSTER_STORE_SQLITE_H */
