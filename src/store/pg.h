/* SPDX-License-Identifier: MIT */
/*
 * pg.h -- among the files pg*.c, the module for PostgreSQL; nobody else
 * includes it.
 *
 * A batch is one transaction in two round trips.  The first locks the rows of
 * its groups, reads what other hosts have changed in their caches since our
 * copy, and the clients of the batch; the second writes the differences and
 * commits.  Between them the clients of what came while it waited for the locks
 * are read, by a third one where there are any.  READ COMMITTED suffices:
 * whatever is read after the lock is what the last holder of the lock has
 * committed.  The version of a copy is its group's (epoch, seq), see postgres/001-tables.sql.
 *
 * A copy outlives its connection where it is what our own last commit has left
 * and the server has not been started anew: what was confirmed stays, and what
 * was only read may not have been on disk.  Another server, or another run of
 * this one, may have another history under the same version, so everything is
 * read anew then.
 *
 * A server whose seq is below one that it, or another before it, has confirmed
 * to us lacks commits: a standby that was behind, or a backup.  It is refused
 * until it has caught up, or this process ends.  What we only read proves
 * nothing: a commit that a crash left on the primary alone may be gone after a
 * proper failover.
 *
 * COMMIT waits for no disk and no standby, so the rows of the groups are free
 * again at once and the next host's batch goes on meanwhile; only then, in the
 * same round trip, an empty transaction waits.  A server writes its log in order,
 * so the batch lasts when what came after it does, and whoever has written on top
 * of a batch that is lost in a crash has lost its own, which nobody was answered.
 * A server that cannot do so commits in the plain way.
 *
 * Everything happens on the store's thread and ends at a deadline.  Whether
 * the server committed is unknown from the moment COMMIT may have been sent
 * until its answer is here; whoever is in doubt closes the connection, and
 * asks anew on the next one.
 */
#ifndef MUSTER_STORE_PG_H
#define MUSTER_STORE_PG_H

#include <libpq-fe.h>
#include <pthread.h>

#include "store/backend.h"
#include "store/module.h"
#include "turn/admit.h"

#define PG_SCHEMA 4      /* migrations that this module knows */
#define PG_BATCH_MS 5000 /* half of what a client waits for an answer */
/* All servers, and what one is asked at first; then comes a batch, and a client
 * waits for both. */
#define PG_CONNECT_MS 4500
#define PG_LOCK_MS "2000"    /* for a group's row, as SQLite's lock */
#define PG_QUERY_MS "4000"   /* a statement but COMMIT, on the server */
#define PG_SILENT_MS "10000" /* the server ends who holds locks so long */
#define PG_ROLLBACK_MS 1000
#define PG_WAIT_MIN_MS 100   /* between two attempts to connect, */
#define PG_WAIT_MAX_MS 5000  /* doubling up to this */
#define PG_WAIT_CHANCE 2     /* one in so many parts of it is by chance */
#define PG_READ_MAX 16384    /* count records read in one answer */
#define PG_FETCH "1000"      /* clients of a listing read in one answer */
#define PG_ROWS_MAX TURN_MAX /* rows that one statement writes */
#define PG_COLUMNS 19        /* of the inventory */
#define PG_UPKEEP_S 60       /* between two looks at the inventory */
#define PG_COUNT_S 3600      /* between two counts of it */
#define PG_HOSTS 8           /* with more a count may come that much later */
/* After a write that failed upkeep writes, if nobody else has: whoever was told
 * BUSY has come again by then. */
#define PG_PROVE_MS ((ADMIT_TROUBLE_S + 5) * INT64_C(1000))
#define PG_TEXT_MAX 1024  /* of a connection string */
#define PG_WORDS_MAX 4096 /* of libpq, of all servers; a sentence has less */

#define PG_CLIENT_KEY "publisher, product, cmid"
#define PG_CLIENT_COLUMNS                                               \
	PG_CLIENT_KEY ", machine, name, state, threshold, first, last," \
	              " count, contacts, address, is_duplicate,"        \
	              " other_machine, other_name, chain, host, twin,"  \
	              " granted"

enum pg_stmt {
	PG_BEGIN,
	PG_COMMIT,
	PG_ROLLBACK,
	PG_PATIENCE,
	PG_EARLY,
	PG_ADD,
	PG_LOCK,
	PG_LOOK_BEGIN,
	PG_LOOK,
	PG_CLOCK,
	PG_NEW,
	PG_CLIENTS,
	PG_PUT_CLIENTS,
	PG_DELETE,
	PG_BELOW,
	PG_INSERT,
	PG_GROUP,
	PG_UPKEEP_LOCK,
	PG_EXPIRE,
	PG_EVICT,
	PG_COUNT,
	PG_STMTS
};

/* By pg_stmt. */
extern const char *const pg_statements[PG_STMTS];

/* A connection in pipeline mode. */
struct pg_link {
	PGconn *conn; /* NULL: none */
	int64_t deadline_ms;
	bool is_warned;   /* the server said something beside its answers */
	bool is_unsynced; /* sent, and the end of the pipeline not yet */
	bool has_failed;  /* an answer that nobody took was a refusal */
	unsigned n_syncs; /* ends of the pipeline that are owed to us */
	struct store_diag *diag;
};

/* One column of rows on their way, in the binary form of an array. */
struct pg_array {
	uint8_t *p;
	size_t len, cap;
	uint32_t n;
	uint32_t oid;
};

/* What our copy of a group is; beside base.caches. */
struct pg_group {
	bool is_known;        /* its row is there */
	bool is_current;      /* the copy was true at (epoch, seq) */
	bool is_locked;       /* by the transaction that is open */
	bool is_written;      /* by it as well */
	uint64_t proved;      /* seq of our last commit that was confirmed, */
	int64_t proved_epoch; /* and its epoch */
	int64_t epoch;
	uint64_t floor;
	int64_t cleaned;
};

/* What other threads ask for, or leave behind. */
struct pg_aside {
	pthread_mutex_t lock;
	struct store_diag diag; /* of the readers */
	char server[STORE_SERVER_MAX];
};

/* The session that batches have, or had last. */
struct pg_session {
	int64_t run;           /* of the server that our copies are of */
	int64_t pid, begun_us; /* no other has both, in one run of a server */
	bool is_early; /* gives its locks back before the log is written */
};

struct pg_store {
	struct store base;
	struct pg_aside *aside;
	char address[PG_TEXT_MAX];
	char schema[64];
	struct pg_link link;
	struct pg_session session;
	int64_t retry_ms; /* no attempt to connect before */
	int64_t wait_ms;  /* the one after that waits so long; the shortest
	                     again once a transaction has its locks */
	bool is_open;     /* a transaction */
	bool is_looking;  /* it reads, locks nothing and adds nothing */
	bool is_writing;  /* it locks groups, to change them */
	unsigned n_sent;  /* statements of it whose answers are owed */
	struct pg_group groups[STORE_GROUPS_MAX];
	struct clients rows; /* of the batch */
	struct pg_array columns[PG_COLUMNS];
	size_t n_inserted; /* clients, since the last count */
	int64_t n_clients; /* by the last count; -1: none yet */
	int64_t upkept_ms;
	int64_t upkept_unix_s;  /* wall clock */
	int64_t counted_unix_s; /* wall clock */
	bool has_more;          /* to be thinned out */
	/* a look does not make good what could not be written */
	int write_err; /* of the last that locked groups; 0: it is committed */
	int64_t write_ms;
	struct store_diag write_diag;
};

/**
 * pg_of(): the backend behind a store that is known to be PostgreSQL's.
 *
 * Returns: the same object, borrowed
 */
static inline struct pg_store *
pg_of(struct store *s)
{
	return (struct pg_store *)(void *)s;
}

/**
 * pg_say(): put a sentence for people together, on one line.
 */
__attribute__((format(printf, 2, 3))) void
pg_say(struct store_diag *diag, const char *format, ...);

/**
 * pg_say_unconnected(): why there is no connection, and the next step; of
 * several servers the last one's words, and as many of the others' as fit.
 *
 * In:      text     libpq's, a line or more for each server
 *          asked_password  the last server did
 */
void pg_say_unconnected(struct store_diag *diag, const char *text,
    bool asked_password);

/**
 * pg_link_connect(): the first server of `store` that takes writes.
 *
 * In:      address  a connection string without a password
 *          link     deadline_ms, for all servers and what follows
 * Returns: 0; MUSTER_E_AGAIN no connection, diag says why
 * Blocks:  until the deadline, and while names are looked up, which nothing
 *          ends
 */
MUSTER_NODISCARD int pg_link_connect(struct pg_link *link, const char *address);

/**
 * pg_link_open(): connect, in pipeline mode, with the schema checked; nothing
 * is prepared, since who reads the inventory has a connection for each page.
 * PG_CONNECT_MS are for all of it, and for what is asked next without a
 * deadline of its own.
 *
 * In:      address  a connection string without a password
 *          schema   where the tables are
 * Returns: 0
 *          MUSTER_E_AGAIN   no connection; diag says why
 *          MUSTER_E_SCHEMA  the tables are missing, or not what we know
 */
MUSTER_NODISCARD int
pg_link_open(struct pg_link *link, const char *address, const char *schema);

/**
 * pg_link_prepare(): have the server know what pg_send() names.
 *
 * Returns: 0
 *          MUSTER_E_AGAIN, MUSTER_E_CONNECT  diag says why
 *          MUSTER_E_SCHEMA  the tables are not what we know
 */
MUSTER_NODISCARD int pg_link_prepare(struct pg_link *link, const char *schema);

/**
 * pg_ask_keys(): put the question into the pipeline whether the tables have the
 * keys that our statements rely on.
 *
 * Returns: 0; MUSTER_E_CONNECT the connection is gone
 */
MUSTER_NODISCARD int pg_ask_keys(struct pg_link *link);

/**
 * pg_judge_keys(): take its answer.
 *
 * Returns: 0; MUSTER_E_SCHEMA a key is missing, diag names the table; or as
 *          pg_take()
 */
MUSTER_NODISCARD int pg_judge_keys(struct pg_link *link, const char *schema);

/**
 * pg_as_schema(): a missing table or column is another schema, not a passing
 * failure.
 *
 * In:      err  how a statement ended, and diag what was said of it
 * Returns: err, or MUSTER_E_SCHEMA with a sentence of its own
 */
MUSTER_NODISCARD int
pg_as_schema(struct store_diag *diag, const char *schema, int err);

/**
 * pg_link_close(): end the connection, if there is one.
 */
void pg_link_close(struct pg_link *link);

/**
 * pg_link_is_alive(): has the server ended the connection while it was idle?
 *
 * Returns: false: it is closed, or there was none
 */
bool pg_link_is_alive(struct pg_link *link);

/**
 * pg_send(): put a prepared statement into the pipeline.
 *
 * In:      values   n_params, binary; kept until the call returns
 * Returns: 0; MUSTER_E_CONNECT the connection is gone
 */
MUSTER_NODISCARD int pg_send(struct pg_link *link, enum pg_stmt id,
    int n_params, const char *const *values, const int *lens);

/**
 * pg_send_text(): the same for a statement that is not prepared and has no
 * parameters; its answer is binary.
 *
 * Returns: 0; MUSTER_E_CONNECT the connection is gone
 */
MUSTER_NODISCARD int pg_send_text(struct pg_link *link, const char *text);

/**
 * pg_sync(): end the pipeline: the server answers up to here.
 *
 * Returns: 0; MUSTER_E_CONNECT the connection is gone
 */
MUSTER_NODISCARD int pg_sync(struct pg_link *link);

/**
 * pg_take(): the answer to the next statement of the pipeline.
 *
 * Out:     res_out  for PQclear(), on success
 * Returns: 0
 *          MUSTER_E_AGAIN, MUSTER_E_FULL  the server refused; diag has its
 *                                         words, pg_drain() is owed
 *          MUSTER_E_CONNECT  no answer: the connection is gone, and closed
 */
MUSTER_NODISCARD int pg_take(struct pg_link *link, PGresult **res_out);

/**
 * pg_done(): the same where only success matters.
 *
 * Returns: as pg_take()
 */
MUSTER_NODISCARD int pg_done(struct pg_link *link);

/**
 * pg_drain(): the end of the pipeline, past answers that nobody wants.
 *
 * Returns: 0; MUSTER_E_CONNECT the connection is gone
 */
MUSTER_NODISCARD int pg_drain(struct pg_link *link);

/**
 * pg_put_u64(): a number as the server takes it, in 8 bytes.
 */
void pg_put_u64(uint8_t *out, uint64_t v);

/**
 * pg_run(): a statement without parameters by itself, to the end of the
 * pipeline.
 *
 * Returns: as pg_take(); pg_drain() is owed where it was refused
 */
MUSTER_NODISCARD int pg_run(struct pg_link *link, enum pg_stmt id);

/**
 * pg_ask_text(): pg_send_text() by itself, and its answer; the end of the
 * pipeline is owed to us still, by pg_drain().
 *
 * Out:     res_out  for PQclear(), on success
 * Returns: as pg_take()
 */
MUSTER_NODISCARD int
pg_ask_text(struct pg_link *link, const char *text, PGresult **res_out);

/**
 * pg_array_begin(): an empty column for at most PG_ROWS_MAX values.
 */
void pg_array_begin(struct pg_array *a, uint32_t oid);

/**
 * pg_array_put(): one more value of the column.
 */
void pg_array_put(struct pg_array *a, const void *p, size_t len);

/**
 * pg_array_put_int(): the same for a bigint.
 */
void pg_array_put_int(struct pg_array *a, int64_t v);

/**
 * pg_array_end(): write the head of the array.
 */
void pg_array_end(struct pg_array *a);

/**
 * pg_begin_client_columns(): the columns of PG_PUT_CLIENTS, empty.
 */
void pg_begin_client_columns(struct pg_store *p);

/**
 * pg_put_client(): a row into them.
 */
void pg_put_client(struct pg_store *p, const struct store_client *row);

/**
 * pg_fixed(): bytes of an answer: column and row as they are counted from 0.
 *
 * Returns: false: there is no such row, it has none, or not `len` of them
 */
bool pg_fixed(const PGresult *res, int i, int column, void *out, size_t len);

/**
 * pg_number(): a bigint of an answer.
 *
 * Returns: false: as above, or of another type, or not from 0 to `max`
 */
bool
pg_number(const PGresult *res, int i, int column, int64_t max, int64_t *out);

/**
 * pg_read_client(): row `i` of an answer, columns as in PG_CLIENTS.
 *
 * Returns: false when it cannot be one of ours
 */
bool pg_read_client(const PGresult *res, int i, struct store_client *row);

/**
 * pg_wait_ms(): a wait, shortened by chance: hosts that have lost one server
 * do not come back to it at one instant, nor ever after in step.
 *
 * In:      wait_ms  at most PG_WAIT_MAX_MS
 *          draw     random bits
 * Returns: ms, at most 1/PG_WAIT_CHANCE below wait_ms
 */
int64_t pg_wait_ms(int64_t wait_ms, uint32_t draw);

/**
 * pg_back_off(): no attempt to connect for a while, and for twice as long after
 * the next failure.
 */
void pg_back_off(struct pg_store *p);

/**
 * pg_connect(): see that there is a connection; not more often than back-off
 * allows.
 *
 * Returns: 0; as pg_link_open()
 */
MUSTER_NODISCARD int pg_connect(struct pg_store *p);

/**
 * pg_damaged(): something in the tables that no host has written.
 *
 * Returns: MUSTER_E_AGAIN, with its name in diag
 */
int pg_damaged(struct pg_store *p, const char *what);

/**
 * pg_read_clock(): the answer to PG_CLOCK.
 *
 * Returns: 0; MUSTER_E_AGAIN it is no time, diag says so
 */
MUSTER_NODISCARD int
pg_read_clock(struct pg_store *p, const PGresult *res, int64_t *now_unix_s);

/**
 * pg_check_clock(): is the server's clock near enough to the host's?
 *
 * Returns: 0; MUSTER_E_AGAIN, with the difference as diag
 */
MUSTER_NODISCARD int pg_check_clock(struct pg_store *p, int64_t host_unix_s);

/**
 * pg_outcome(): what the module says of a lost connection or of other tables,
 * where no commit was at stake.
 *
 * Returns: MUSTER_E_AGAIN for these two, else err
 */
int pg_outcome(int err);

/**
 * pg_open_transaction(): lock groups and make our copies current.
 *
 * In:      wanted   by index of base.caches
 *          items    n, whose clients are read into p->rows; or NULL
 * Out:     now_unix_s  the server's clock, under the locks
 * Returns: 0, or an outcome, or MUSTER_E_CONNECT; rollback() is then owed
 */
MUSTER_NODISCARD int pg_open_transaction(struct pg_store *p, const bool *wanted,
    const struct turn_item *items, size_t n, int64_t *now_unix_s);

/**
 * pg_look(): make our copies current without a lock, as of one moment, in a
 * transaction that ends here.  A host that has nothing to write commits
 * nothing: no log is written, and no standby waited for.
 *
 * Out:     now_unix_s  the server's clock
 * Returns: as pg_open_transaction()
 */
MUSTER_NODISCARD int pg_look(struct pg_store *p, int64_t *now_unix_s);

/**
 * pg_read_more(): the clients of more items into p->rows, under the locks.
 *
 * Returns: as pg_open_transaction()
 */
MUSTER_NODISCARD int
pg_read_more(struct pg_store *p, const struct turn_item *items, size_t n);

/**
 * pg_group_index(): the place of a cache in base.caches.
 *
 * Returns: the index
 */
uint32_t pg_group_index(const struct pg_store *p, const struct cache *c);

/**
 * pg_write_clients(): the rows of the batch into the pipeline.
 *
 * Returns: as pg_send()
 */
MUSTER_NODISCARD int pg_write_clients(struct pg_store *p, unsigned *n_sent);

/**
 * pg_write_group(): the differences of a cache into the pipeline.
 *
 * Out:     n_sent   statements added
 * Returns: as pg_send()
 */
MUSTER_NODISCARD int
pg_write_group(struct pg_store *p, uint32_t index, unsigned *n_sent);

/**
 * pg_commit(): the member `commit` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int pg_commit(struct store *s);

/**
 * pg_rollback(): the member `rollback` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int pg_rollback(struct store *s, int err);

/**
 * pg_upkeep(): the member `upkeep` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int pg_upkeep(struct store *s, int64_t now_unix_s, struct store_step *step_out);

/**
 * pg_list(): the member `aside` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int pg_list(const struct store *s, store_client_fn *fn, void *arg);

/**
 * pg_list_here(): the member `clients` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int pg_list_here(struct store *s, store_client_fn *fn, void *arg);

/**
 * pg_recent(): the member `recent` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int pg_recent(const struct store *s, const struct store_recent *ask,
    store_client_fn *fn, void *arg, uint64_t *total_out);

/**
 * pg_aside_diag(): the member `aside_diag` of struct store_ops.
 */
void pg_aside_diag(const struct store *s, struct store_diag *out);

/**
 * pg_server(): the member `server` of struct store_ops.
 */
void pg_server(const struct store *s, char *out);

/**
 * pg_scan_open(): the member `scan_open` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int pg_scan_open(const struct store *s, struct store_scan **scan_out);

/**
 * pg_scan_next(): the member `scan_next` of struct store_ops.
 *
 * Returns: as backend.h says there
 */
int pg_scan_next(struct store_scan *scan, uint32_t max, store_client_fn *fn,
    void *arg, bool *is_over_out);

/**
 * pg_scan_close(): the member `scan_close` of struct store_ops.
 */
void pg_scan_close(struct store_scan *scan);

#endif /* MUSTER_STORE_PG_H */
