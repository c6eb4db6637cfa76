/* SPDX-License-Identifier: MIT */
/*
 * backend.h -- between store.c and the backends; nobody else includes it.
 *
 * store.c keeps the count caches and applies batches; a backend keeps the
 * inventory and makes both durable.  It sees a batch as
 *
 *   begin(), room(), more() if any came meanwhile, then per record client()
 *   and put(), then batch(), then commit(); after a failure of anything but begin() rollback()
 *
 * What was put is durable then, counts included.  The rows of the caches may
 * be written later, by flush() per changed cache; when is upkeep()'s matter.
 */
#ifndef MUSTER_STORE_BACKEND_H
#define MUSTER_STORE_BACKEND_H

#include "store/store.h"

/* The cache of one counting group; its memory only grows. */
struct cache {
	uint8_t publisher[PUBLISHER_LEN];
	uint32_t group;
	uint32_t capacity; /* 0: nothing recorded yet */
	uint64_t seq;      /* last one given */
	bool is_changed;   /* capacity or seq, since the last flush */
	struct count count;
	void *mem;
};

#define CLIENT_CHAIN_LEN ((2 + TURN_SUPERSEDED_MAX) * WIRE_TAG_LEN + 2)

/* A hash of clients by publisher, product and CMID. */
struct clients {
	struct store_client *rows;
	uint32_t *buckets; /* row number plus one; 0: empty */
	uint32_t n, n_rows, n_buckets;
};

/* What one piece of upkeep comes to. */
struct store_step {
	bool has_more;      /* another piece waits */
	bool flushes;       /* the caches are to be written before the commit */
	int64_t now_unix_s; /* what is too old is judged by it */
};

struct store_ops {
	const char *kind; /* for status and messages */
	/* others write too: nothing is told from memory without begin() */
	bool is_shared;
	int (*begin)(struct store *s);
	/*
	 * Make place for n items, so that put() cannot run out of it.  One that
	 * has a clock of its own sets the time of the batch and of its items.
	 */
	int (*room)(struct store *s, struct turn_item *items, size_t n,
	    int64_t *now_unix_s);
	/* n more items, whose groups room() has locked; only of shared ones */
	int (*more)(struct store *s, struct turn_item *items, size_t n);
	/* the item's row to be changed in place; contacts is 0 in a new one */
	int (*client)(struct store *s, const struct turn_item *item,
	    struct store_client **row_out);
	/* the row as it is now, and the record that stands newest in the cache */
	int (*put)(struct store *s, const struct store_client *row,
	    const struct cache *c, const struct turn_item *item);
	int (*batch)(struct store *s);
	int (*flush)(struct store *s, const struct cache *c);
	int (*commit)(struct store *s);
	/* undo; returns the outcome: err, or a worse one that stays */
	int (*rollback)(struct store *s, int err);
	/* does a busy host owe a piece of upkeep? */
	bool (*is_due)(const struct store *s);
	/* one piece of the inventory's upkeep, inside begin() and commit() */
	int (*upkeep)(struct store *s, int64_t now_unix_s,
	    struct store_step *step_out);
	int (*clients)(struct store *s, store_client_fn *fn, void *arg);
	/* the same on any thread, of a moment; NULL: the backend has no such */
	int (*aside)(const struct store *s, store_client_fn *fn, void *arg);
	/* store_recent_aside() and store_scan_*(); NULL as well */
	int (*recent)(const struct store *s, const struct store_recent *ask,
	    store_client_fn *fn, void *arg, uint64_t *total_out);
	int (*scan_open)(const struct store *s, struct store_scan **scan_out);
	int (*scan_next)(struct store_scan *scan, uint32_t max,
	    store_client_fn *fn, void *arg, bool *is_over_out);
	void (*scan_close)(struct store_scan *scan);
	/* store_aside_diag(); NULL as well */
	void (*aside_diag)(const struct store *s, struct store_diag *out);
	/* store_server(); NULL as well */
	void (*server)(const struct store *s, char *out);
	/* a copy of it as a file, on any thread; NULL: the backend has no such */
	int (*backup)(const struct store *s, int *fd_out);
	void (*close)(struct store *s);
};

/* Backends' readers begin with it. */
struct store_scan {
	const struct store_ops *ops;
	bool has_begun, has_at;
	struct store_client at; /* the last row of the table that was read */
};

#define STORE_BUCKETS (2 * STORE_GROUPS_MAX) /* at most half full */

/* Backends begin with it. */
struct store {
	const struct store_ops *ops;
	int failed;        /* an outcome after which nothing is done any more */
	uint32_t rows_max; /* b5: of the inventory */
	int64_t retention_s;   /* b5 */
	int64_t shared_unix_s; /* of one that is shared: its clock, last read */
	uint32_t n_caches;
	struct cache *caches[STORE_GROUPS_MAX];
	uint16_t buckets[STORE_BUCKETS]; /* cache number plus one; 0: empty */
	struct store_diag diag;
	char host[WIRE_NAME_MAX + 1];
};

/**
 * store_cache(): the cache of a group.
 *
 * Returns: NULL when there is none
 */
struct cache *
store_cache(const struct store *s, const uint8_t *publisher, uint32_t group);

/**
 * store_cache_make(): find or add a cache and give it memory.
 *
 * In:      n_slots  records; less than there is changes nothing
 * Returns: 0; MUSTER_E_NOMEM, MUSTER_E_FULL
 */
MUSTER_NODISCARD int store_cache_make(struct store *s, const uint8_t *publisher,
    uint32_t group, uint32_t n_slots, struct cache **cache_out);

/**
 * store_cache_clear(): an empty cache again, in the memory it has.
 */
void store_cache_clear(struct cache *c);

/**
 * store_flush(): hand every changed cache to the backend, inside a transaction;
 * a rollback loads them afresh.
 *
 * Returns: 0, or an outcome
 */
MUSTER_NODISCARD int store_flush(struct store *s);

/**
 * store_flushed(): they are on disk, or will be by the commit to come.
 */
void store_flushed(struct store *s);

/**
 * clients_grow(): memory for n_rows rows; less changes nothing.
 *
 * Returns: 0; MUSTER_E_NOMEM, the table is then as before
 */
MUSTER_NODISCARD int clients_grow(struct clients *t, uint32_t n_rows);

/**
 * clients_find(): the row of the key in `key`, or NULL.
 *
 * Returns: the row, borrowed until the table grows; NULL: not there
 */
struct store_client *
clients_find(const struct clients *t, const struct store_client *key);

/**
 * clients_add(): a copy of a row whose key is not there; there must be room.
 *
 * Returns: the row, borrowed until the table grows
 */
struct store_client *
clients_add(struct clients *t, const struct store_client *row);

/**
 * clients_compare(): the order of the keys.
 *
 * Returns: below, at or above 0
 */
int clients_compare(const struct store_client *a, const struct store_client *b);

/**
 * clients_rehash(): rows were moved or taken off the end: find them again.
 */
void clients_rehash(struct clients *t);

/**
 * clients_evict(): drop n rows, the never renewed and the longest unseen first.
 */
void clients_evict(struct clients *t, uint32_t n);

/**
 * clients_expire(): drop at most max rows last seen at `until` or earlier.
 *
 * Returns: rows dropped
 */
uint32_t clients_expire(struct clients *t, int64_t until, uint32_t max);

/**
 * clients_clear(): no rows, the memory stays.
 */
void clients_clear(struct clients *t);

/**
 * clients_free(): no memory either.
 */
void clients_free(struct clients *t);

/**
 * client_chain_encode(): a clone chain as databases keep it.
 *
 * Out:     out      CLIENT_CHAIN_LEN bytes
 */
void client_chain_encode(const struct turn_chain *chain, uint8_t *out);

/**
 * client_chain_decode(): the same back, from CLIENT_CHAIN_LEN bytes.
 *
 * Returns: false when it cannot be one
 */
bool client_chain_decode(const uint8_t *in, struct turn_chain *chain);

/**
 * client_see_granted(): after each contact, and where a row is read: an earlier
 * schema, or another host with one, does not say.
 */
void client_see_granted(struct store_client *row);

/**
 * client_key(): an empty row with the item's key.
 *
 * Returns: the row
 */
struct store_client client_key(const struct turn_item *item);

#endif /* MUSTER_STORE_BACKEND_H */
