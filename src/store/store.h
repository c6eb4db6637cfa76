/* SPDX-License-Identifier: MIT */
/*
 * store.h -- the contract of the stores: a batch of items, on disk or not.
 *
 * A batch is applied in one transaction: the count caches of its groups, the
 * inventory with the clone chains (all as a journal that is merged later), all
 * or nothing (b4, b5).  Backends differ only behind struct store_ops; the memory
 * backend is the model that the others are tested against.
 *
 * One thread at a time calls store_batch(), store_idle(), store_busy() and the
 * readers; the
 * worker (worker.h) gives the batch its thread and its completion.
 *
 * Outcomes of a batch:
 *   0                committed; the items carry their counts and leaves
 *   MUSTER_E_FULL    the disk is full; nothing was changed, later ones may go
 *   MUSTER_E_AGAIN   locked or not reachable; nothing was changed
 *   MUSTER_E_UNSURE  the commit failed or its answer is missing: the change
 *                    may be there.  SQLite's backend refuses all work from
 *                    then on (store_is_over()); the daemon answers BUSY and
 *                    exits, so that the next start recovers.  A shared store
 *                    goes on: it asks the server what is there
 *   MUSTER_E_IO, MUSTER_E_DAMAGED  as UNSURE
 */
#ifndef MUSTER_STORE_H
#define MUSTER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"
#include "turn/turn.h"

#define STORE_GROUPS_MAX 1024       /* counting groups over all publishers */
#define STORE_PIECE 512             /* clients store_idle() merges or drops */
#define STORE_JOURNAL_MAX 32768     /* records: 8 MB to read at a start */
#define STORE_OVERLAY_MAX 4096      /* clients of the journal, in memory */
#define STORE_INVENTORY_MAX 1000000 /* b5: default limit of rows */
#define STORE_RETENTION_DAYS 400    /* b5: default, after the last contact */
/* A second machine that has not come for so long is no more counted (b2), and
 * its CMID is no more one of two machines: `muster rearm` has helped. */
#define STORE_TWIN_S COUNT_WINDOW_S
#define STORE_BUSY_MS 2000         /* wait for SQLite's lock */
#define STORE_CHECK_MAX (32 << 20) /* bytes; larger: only the counts' trees */
#define STORE_SCHEMA 4
#define STORE_APPLICATION_ID 0x4d555354 /* "MUST", in the file's header */
#define STORE_DIAG_MAX 256

/* A sentence for people; never a secret. */
struct store_diag {
	char text[STORE_DIAG_MAX];
};

#define STORE_SERVER_MAX 288 /* a name of 255 bytes, or a folder; a port */

/* One counting group as status shows it. */
struct store_group {
	uint8_t publisher[PUBLISHER_LEN];
	uint32_t group;
	uint32_t count;    /* at the time asked for */
	uint32_t held;     /* records in the cache */
	uint32_t capacity; /* 2 x the largest threshold asked for */
};

/* One row of the inventory: a client and a product. */
struct store_client {
	uint8_t publisher[PUBLISHER_LEN];
	uint8_t product[WIRE_ID_LEN];
	uint8_t cmid[WIRE_ID_LEN];
	uint8_t machine[WIRE_ID_LEN];
	char name[WIRE_NAME_MAX + 1];
	enum wire_state state;
	uint32_t threshold; /* the client's own */
	int64_t first_unix_s;
	int64_t last_unix_s;
	uint32_t count; /* last given */
	/* the last answer whose count reached the client's threshold: the lease
	 * in force; 0: none */
	int64_t granted_unix_s;
	uint64_t contacts;
	uint8_t address[TURN_ADDRESS_LEN];
	/* when two machines were told apart under the CMID, by chain or by
	 * fingerprint, last; 0: never */
	uint32_t twin_unix_s;
	uint8_t other_machine[WIRE_ID_LEN]; /* with twin_unix_s */
	char other_name[WIRE_NAME_MAX + 1];
	char host[WIRE_NAME_MAX + 1]; /* that served it last; empty: ours */
	struct turn_chain chain;
};

typedef void store_client_fn(void *arg, const struct store_client *client);

struct store;

/**
 * store_open_memory(): the model; nothing survives store_close().
 *
 * Returns: 0; MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int store_open_memory(struct store **store_out);

/* May store_open_sqlite() make a database? */
enum store_make {
	STORE_MAKE_IF_EMPTY,
	STORE_MAKE_NEVER, /* it was there: lost is not the same as new */
	STORE_MAKE_ONLY,  /* a fresh one was asked for */
};

/**
 * store_open_sqlite(): open or make the database file.
 *
 * Whatever of it is refused keeps its bytes, but what was answered and stands
 * in an intact log may have been moved into it.
 *
 * In:      path     a regular file that is ours, or nothing yet
 * Out:     diag     on failure: cause and next step; else a warning or nothing
 * Returns: 0
 *          MUSTER_E_NOMEM
 *          MUSTER_E_IO       cannot be opened, made or written
 *          MUSTER_E_SCHEMA   another program's, or another schema version
 *          MUSTER_E_DAMAGED  fails SQLite's quick check (above
 *                            STORE_CHECK_MAX only that of the counts), a
 *                            checksum of a count, or the check of the log
 *          MUSTER_E_LOCKED   another musterd has it
 *          MUSTER_E_NOENT    empty or gone, and STORE_MAKE_NEVER
 *          MUSTER_E_EXIST    neither, and STORE_MAKE_ONLY
 */
MUSTER_NODISCARD int store_open_sqlite(const char *path, enum store_make make,
    struct store **store_out, struct store_diag *diag);

/**
 * store_close(): merge what waits and close; store may be NULL.
 */
void store_close(struct store *store);

/**
 * store_reserve(): make memory for a group's largest possible capacity, so
 * that no batch allocates; a batch of an unknown group is MUSTER_E_INVAL.
 *
 * In:      capacity  2 x the group's largest threshold by the catalogue; a
 *                    smaller one than before changes nothing
 * Returns: 0; MUSTER_E_NOMEM, MUSTER_E_FULL (STORE_GROUPS_MAX), MUSTER_E_IO
 */
MUSTER_NODISCARD int store_reserve(struct store *store,
    const uint8_t *publisher, uint32_t group, uint32_t capacity);

/**
 * store_set_host(): what this host is called in what it serves from now on;
 * of use where others share the store.
 *
 * In:      name     at most WIRE_NAME_MAX; of characters that a client's name
 *                   may have, or it is taken for empty
 */
void store_set_host(struct store *store, const char *name);

/**
 * store_set_limits(): how much of the inventory store_idle() keeps (b5).
 *
 * In:      rows_max  beyond it the never renewed go first, then the longest
 *                    unseen
 *          retention_days  after the last contact
 */
void store_set_limits(struct store *store, uint32_t rows_max,
    uint32_t retention_days);

/**
 * store_batch(): apply and commit; see the outcomes above.
 *
 * In:      items    n, 1 to TURN_MAX; group capacity is raised to
 *                   2 x item->threshold where that is more (b3), but for
 *                   probes, which change nothing
 *          now_unix_s  wall clock of the turn
 * Out:     items    as turn_apply() leaves them, when 0 is returned
 * Returns: 0, or an outcome
 * Blocks:  for the commit
 */
MUSTER_NODISCARD int store_batch(struct store *store, struct turn_item *items,
    size_t n, int64_t now_unix_s);

/**
 * store_seal_fn: how many items a growing batch has by now, TURN_MAX at most;
 * it gets no more.
 */
typedef size_t store_seal_fn(void *arg);

/**
 * store_batch_growing(): store_batch() of one that may get more items while it
 * waits: a shared store seals it when it has the rows of its groups, so what
 * comes while another host commits goes with this batch and not the next.
 *
 * In:      items    room for TURN_MAX, n of them there; who adds one sees that
 *                   its group is that of one of the n
 *          seal     called once at most; not called when the batch fails
 *                   before, and always when it succeeds
 * Returns: as store_batch(), of all items
 * Blocks:  for the rows and the commit
 */
MUSTER_NODISCARD int
store_batch_growing(struct store *store, struct turn_item *items, size_t n,
    int64_t now_unix_s, store_seal_fn *seal, void *arg);

/**
 * store_idle(): merge the journal and clean up, a bounded piece a call.
 *
 * Returns: 0 when nothing is left, MUSTER_E_AGAIN when more waits, or an
 *          outcome
 */
MUSTER_NODISCARD int store_idle(struct store *store, int64_t now_unix_s);

/**
 * store_upkeep(): the same, with what waits apart from what failed.
 *
 * A shared store has nothing to write most times, and only looks.  After a
 * batch that failed that proves nothing: it fails in the batch's words, until a
 * batch succeeds or, when none comes for a while, a write of its own.
 *
 * Out:     has_more_out  another piece waits
 * Returns: 0, or an outcome
 */
MUSTER_NODISCARD int
store_upkeep(struct store *store, int64_t now_unix_s, bool *has_more_out);

/**
 * store_busy(): store_idle() for a host that has no idle time: only when the
 * journal or the inventory has grown so far that it is due.
 *
 * Returns: as store_idle(); 0 when nothing is due
 */
MUSTER_NODISCARD int store_busy(struct store *store, int64_t now_unix_s);

/**
 * store_client_is_duplicate(): do two machines go by the CMID?
 *
 * Returns: true while the last sign of it is younger than STORE_TWIN_S
 */
bool store_client_is_duplicate(const struct store_client *client,
    int64_t now_unix_s);

/**
 * store_groups(): the groups with their counts; where the store is shared, as
 * the last batch or store_idle() found them.
 *
 * Out:     out      at most max; n_out of them
 * Returns: 0; MUSTER_E_TOOBIG more than max (out holds the first), an outcome
 */
MUSTER_NODISCARD int store_groups(struct store *store, int64_t now_unix_s,
    struct store_group *out, size_t max, size_t *n_out);

/**
 * store_clients(): every row of the inventory, journal included, each once.
 *
 * Returns: 0, or an outcome; rows may have been handed out before it
 */
MUSTER_NODISCARD int
store_clients(struct store *store, store_client_fn *fn, void *arg);

/**
 * store_clients_aside(): the same, of one moment, on any thread and beside all
 * other work on the store, until store_close().
 *
 * The read is a transaction and a connection of its own, so it holds up no
 * batch; the log grows until it ends.
 *
 * Returns: 0, or an outcome; MUSTER_E_INVAL the backend has no such;
 *          MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int
store_clients_aside(const struct store *store, store_client_fn *fn, void *arg);

/* Rows by their last contact; those of one second by their keys. */
struct store_recent {
	bool is_desc; /* the newest first */
	bool has_after;
	struct store_client after; /* key and last_unix_s: begin behind it */
	uint32_t max;              /* rows */
};

/**
 * store_recent_aside(): a piece of the inventory in that order, by an index:
 * it costs what the piece does, whatever there is; on any thread, as
 * store_clients_aside().
 *
 * Out:     total_out  rows of the whole inventory
 * Returns: as store_clients_aside()
 */
MUSTER_NODISCARD int
store_recent_aside(const struct store *store, const struct store_recent *ask,
    store_client_fn *fn, void *arg, uint64_t *total_out);

/**
 * store_aside_diag(): why a reader aside failed last; on any thread.  Where
 * several read at once it may be another's, of the same database.
 *
 * Out:     out      its words, once; an empty text when there is nothing new
 */
void store_aside_diag(const struct store *store, struct store_diag *out);

/* A reader of the whole inventory that may rest between two pieces. */
struct store_scan;

/**
 * store_scan_open(): begin one, before store_close(); it goes on after it.
 *
 * Out:     scan_out  for store_scan_close(); used by one thread at a time
 * Returns: as store_clients_aside()
 */
MUSTER_NODISCARD int
store_scan_open(const struct store *store, struct store_scan **scan_out);

/**
 * store_scan_next(): the next rows.
 *
 * No transaction is open in between, so that nothing waits for the reader's
 * end.  No row comes twice; one that is new or changed since the beginning
 * comes as it was, as it is, or, when it is new, not at all.
 *
 * In:      max      rows read of the table; those not yet in it come first,
 *                   beside them, STORE_OVERLAY_MAX at most
 * Out:     is_over_out  nothing is left
 * Returns: as store_clients_aside()
 */
MUSTER_NODISCARD int store_scan_next(struct store_scan *scan, uint32_t max,
    store_client_fn *fn, void *arg, bool *is_over_out);

/**
 * store_scan_close(): end it; NULL is fine.
 */
void store_scan_close(struct store_scan *scan);

/**
 * store_backup(): a copy of it as it stands at one moment, whole by itself; on
 * any thread and beside all other work on the store, until store_close().
 *
 * Out:     fd_out   for the caller to close: a file without a name, on the
 *                   disk of the database
 * Returns: 0; MUSTER_E_INVAL  the backend has no such: its server has
 *          MUSTER_E_EXIST     one is being made
 *          MUSTER_E_FULL      no room; MUSTER_E_NOMEM
 *          MUSTER_E_AGAIN     held by another; MUSTER_E_DAMAGED, MUSTER_E_IO
 */
MUSTER_NODISCARD int store_backup(const struct store *store, int *fd_out);

/**
 * store_restore_sqlite(): put a backup in the database's place, while nobody
 * has it open.  What was there is kept beside it.  It is cut off before it
 * holds, and nothing has changed, or after, and the next store_open_sqlite()
 * ends it.
 *
 * In:      path     of the database; it need not be there
 *          from     the backup, to be read to its end
 * Out:     aside_out  FILE_PATH_MAX bytes: what the database is called now;
 *                     empty when there was none
 *          diag     on failure: what is wrong with the backup, or the cause
 * Returns: 0
 *          MUSTER_E_LOCKED   a musterd has the database
 *          MUSTER_E_FULL, MUSTER_E_IO, MUSTER_E_DENIED, MUSTER_E_NOMEM,
 *          MUSTER_E_TOOBIG, MUSTER_E_UNSURE  the folder or the backup
 *          MUSTER_E_SCHEMA, MUSTER_E_DAMAGED, MUSTER_E_NOENT  the backup's, as
 *                            store_open_sqlite(); the database is as before
 */
MUSTER_NODISCARD int store_restore_sqlite(const char *path, int from,
    char *aside_out, struct store_diag *diag);

/**
 * store_cached(): the CMIDs in a group's cache, the newest first.
 *
 * Out:     out      at most max records; n_out of them
 * Returns: 0; MUSTER_E_NOENT no such group; MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int store_cached(struct store *store, const uint8_t *publisher,
    uint32_t group, struct count_row *out, size_t max, size_t *n_out);

/**
 * store_kind(): which backend it is.
 *
 * Returns: static: "memory", "sqlite" or "postgresql"
 */
const char *store_kind(const struct store *store);

/**
 * store_server(): which of several servers a shared one has a connection to;
 * on any thread.
 *
 * Out:     out      "HOST:PORT", STORE_SERVER_MAX bytes; empty: no server
 */
void store_server(const struct store *store, char *out);

/**
 * store_is_over(): has it failed so that only opening it anew helps?
 *
 * Returns: true when every further call fails
 */
bool store_is_over(const struct store *store);

/**
 * store_last_diag(): what the database said when the last call failed.
 *
 * Returns: the store's own memory; an empty text when nothing has failed
 */
const struct store_diag *store_last_diag(const struct store *store);

#endif /* MUSTER_STORE_H */
