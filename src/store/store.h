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
 *                    then on; the daemon answers BUSY and exits, so that the
 *                    next start recovers
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
#define STORE_BUSY_MS 2000          /* wait for SQLite's lock */
#define STORE_CHECK_MAX (32 << 20)  /* bytes; larger: only the counts' trees */
#define STORE_SCHEMA 2
#define STORE_APPLICATION_ID 0x4d555354 /* "MUST", in the file's header */
#define STORE_DIAG_MAX 256

/* A sentence for people; never a secret. */
struct store_diag {
	char text[STORE_DIAG_MAX];
};

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
	uint64_t contacts;
	uint8_t address[TURN_ADDRESS_LEN];
	bool is_duplicate; /* two machines, by chain or by fingerprint */
	uint8_t other_machine[WIRE_ID_LEN]; /* with is_duplicate */
	char other_name[WIRE_NAME_MAX + 1];
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
 * store_idle(): merge the journal and clean up, a bounded piece a call.
 *
 * Returns: 0 when nothing is left, MUSTER_E_AGAIN when more waits, or an
 *          outcome
 */
MUSTER_NODISCARD int store_idle(struct store *store, int64_t now_unix_s);

/**
 * store_busy(): the same for a host that has no idle time: only when the
 * journal or the inventory has grown so far that it is due.
 *
 * Returns: as store_idle(); 0 when nothing is due
 */
MUSTER_NODISCARD int store_busy(struct store *store, int64_t now_unix_s);

/**
 * store_groups(): the groups with their counts.
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

/**
 * store_cached(): the CMIDs in a group's cache, the newest first.
 *
 * Out:     out      at most max records; n_out of them
 * Returns: 0; MUSTER_E_NOENT no such group; MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int store_cached(struct store *store, const uint8_t *publisher,
    uint32_t group, struct count_row *out, size_t max, size_t *n_out);

/**
 * store_last_diag(): what SQLite said when the last call failed.
 *
 * Returns: the store's own memory; an empty text when nothing has failed
 */
const struct store_diag *store_last_diag(const struct store *store);

#endif /* MUSTER_STORE_H */
