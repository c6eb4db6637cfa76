/* SPDX-License-Identifier: MIT */
/*
 * sqlite.c -- the store in one SQLite file: transactions and count caches.
 *
 * WAL with synchronous=FULL: what is committed has been fsynced.
 */
#include "store/sqlite.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
sqlite_fail(struct sqlite_store *q, const char *what)
{
	/* all of it before any other call into SQLite changes it */
	int extended = sqlite3_extended_errcode(q->db);
	int code = extended & 0xff;
	int err = MUSTER_E_UNSURE;

	(void)snprintf(q->base.diag.text, STORE_DIAG_MAX,
	    "%s: %s (SQLite %d, extended %d)", what, sqlite3_errmsg(q->db),
	    code, extended);
	switch (code) {
	case SQLITE_FULL:
		err = MUSTER_E_FULL;
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_NOMEM:
	case SQLITE_INTERRUPT:
		err = MUSTER_E_AGAIN;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT: /* ours hold, unless a row has been changed */
		err = MUSTER_E_DAMAGED;
		break;
	default:
		break;
	}
	return err;
}

int
sqlite_damaged(struct sqlite_store *q, const char *what)
{
	(void)snprintf(q->base.diag.text, STORE_DIAG_MAX,
	    "%s is wrong: the database is damaged", what);
	return MUSTER_E_DAMAGED;
}

void
sqlite_say(struct store_diag *diag, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(diag->text, sizeof(diag->text), format, ap);
	va_end(ap);
}

uint64_t
sqlite_sum(uint64_t sum, const void *p, size_t len)
{
	const uint8_t *bytes = p;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

uint64_t
sqlite_sum_int(uint64_t sum, int64_t v)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)((uint64_t)v >> (8 * i));
	return sqlite_sum(sum, bytes, sizeof(bytes));
}

int64_t
sqlite_batch_sum(const void *p, size_t len)
{
	const uint8_t *bytes = p;
	uint64_t sum = SQLITE_SUM;
	size_t whole = len - len % sizeof(uint64_t);
	uint64_t v;

	for (size_t i = 0; i < whole; i += sizeof(v)) {
		memcpy(&v, bytes + i, sizeof(v));
		sum = (sum ^ v) * UINT64_C(0x100000001b3);
		sum ^= sum >> 32; /* high bits must reach low ones */
	}
	return (int64_t)sqlite_sum(sum, bytes + whole, len - whole);
}

int
sqlite_run(struct sqlite_store *q, enum sqlite_stmt_id id, const char *what)
{
	sqlite3_stmt *st = q->st[id];
	int err = 0;

	if (sqlite3_step(st) != SQLITE_DONE)
		err = sqlite_fail(q, what);
	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
	return err;
}

bool
sqlite_blob(sqlite3_stmt *st, int column, uint8_t *out, size_t len)
{
	const void *p = sqlite3_column_blob(st, column);

	if (p == NULL || (size_t)sqlite3_column_bytes(st, column) != len)
		return false;
	memcpy(out, p, len);
	return true;
}

/* The outcomes after which the file or our view of it cannot be trusted. */
static int
stick(struct sqlite_store *q, int err)
{
	if (err != MUSTER_E_FULL && err != MUSTER_E_AGAIN)
		q->base.failed = err;
	return err;
}

static int
sqlite_begin(struct store *s)
{
	struct sqlite_store *q = sqlite_of(s);
	int err = sqlite_run(q, ST_BEGIN, "beginning a transaction");

	return err == 0 ? 0 : stick(q, err);
}

static int
sqlite_commit(struct store *s)
{
	struct sqlite_store *q = sqlite_of(s);
	int err = sqlite_run(q, ST_COMMIT, "committing");

	if (err == 0)
		atomic_store(&q->n_shown, q->n_clients);
	return err;
}

static int64_t
record_sum(const struct cache *c, const struct count_row *row)
{
	uint64_t sum = sqlite_sum(SQLITE_SUM, c->publisher, PUBLISHER_LEN);

	sum = sqlite_sum_int(sum, c->group);
	sum = sqlite_sum(sum, row->cmid, COUNT_CMID_LEN);
	sum = sqlite_sum_int(sum, (int64_t)row->seq);
	return (int64_t)sqlite_sum_int(sum, row->seen_unix_s);
}

static int64_t
group_sum(const struct cache *c)
{
	uint64_t sum = sqlite_sum(SQLITE_SUM, c->publisher, PUBLISHER_LEN);

	sum = sqlite_sum_int(sum, c->group);
	sum = sqlite_sum_int(sum, c->capacity);
	return (int64_t)sqlite_sum_int(sum, (int64_t)c->seq);
}

static void
bind_group(sqlite3_stmt *st, const struct cache *c)
{
	(void)sqlite3_bind_blob(st, 1, c->publisher, PUBLISHER_LEN,
	    SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 2, c->group);
}

static int
delete_records(struct sqlite_store *q, const struct cache *c,
    enum sqlite_stmt_id id, uint64_t seq)
{
	bind_group(q->st[id], c);
	(void)sqlite3_bind_int64(q->st[id], 3,
	    seq > INT64_MAX ? INT64_MAX : (int64_t)seq);
	return sqlite_run(q, id, "deleting count records");
}

static int
flush_row(struct sqlite_store *q, const struct cache *c,
    const struct count_row *row, uint64_t stored)
{
	sqlite3_stmt *st = q->st[ST_CACHE_PUT];
	int err = 0;

	if (stored != 0 && stored != row->seq)
		err = delete_records(q, c, ST_CACHE_DELETE, stored);
	if (err != 0)
		return err;
	bind_group(st, c);
	(void)sqlite3_bind_blob(st, 3, row->cmid, COUNT_CMID_LEN,
	    SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 4, (int64_t)row->seq);
	(void)sqlite3_bind_int64(st, 5, row->seen_unix_s);
	(void)sqlite3_bind_int64(st, 6, record_sum(c, row));
	return sqlite_run(q, ST_CACHE_PUT, "writing a count record");
}

/* In the order that count.h tells. */
static int
sqlite_flush(struct store *s, const struct cache *c)
{
	struct sqlite_store *q = sqlite_of(s);
	sqlite3_stmt *st = q->st[ST_GRP_PUT];
	struct count_row row;
	uint64_t stored;
	uint32_t iter = 0;
	int err = 0;

	if (c->count.has_evicted)
		err = delete_records(q, c, ST_CACHE_BELOW,
		    count_oldest(&c->count));
	for (uint32_t i = 0; i < c->count.n_cleaned && err == 0; i++)
		err =
		    delete_records(q, c, ST_CACHE_DELETE, c->count.cleaned[i]);
	while (err == 0 && count_next_dirty(&c->count, &iter, &row, &stored))
		err = flush_row(q, c, &row, stored);
	if (err != 0 || !c->is_changed)
		return err;
	bind_group(st, c);
	(void)sqlite3_bind_int64(st, 3, c->capacity);
	(void)sqlite3_bind_int64(st, 4, (int64_t)c->seq);
	(void)sqlite3_bind_int64(st, 5, group_sum(c));
	return sqlite_run(q, ST_GRP_PUT, "writing a group");
}

static int
load_group(struct sqlite_store *q, sqlite3_stmt *st)
{
	uint8_t publisher[PUBLISHER_LEN];
	int64_t group = sqlite3_column_int64(st, 1);
	int64_t capacity = sqlite3_column_int64(st, 2);
	int64_t seq = sqlite3_column_int64(st, 3);
	struct cache *c;
	int err = 0;

	if (!sqlite_blob(st, 0, publisher, PUBLISHER_LEN) || group < 0 ||
	    group > UINT32_MAX || capacity < 1 ||
	    capacity > COUNT_CAPACITY_MAX || seq < 0)
		return sqlite_damaged(q, "a group");
	err = store_cache_make(&q->base, publisher, (uint32_t)group,
	    (uint32_t)capacity, &c);
	if (err == MUSTER_E_FULL)
		return sqlite_damaged(q, "the number of groups");
	if (err != 0)
		return err;
	err = count_raise(&c->count, (uint32_t)capacity);
	assert(err == 0); /* its cache was made for that many */
	c->capacity = (uint32_t)capacity;
	c->seq = (uint64_t)seq;
	if (sqlite3_column_int64(st, 4) != group_sum(c))
		return sqlite_damaged(q, "the checksum of a group");
	return 0;
}

static int
load_record(struct sqlite_store *q, sqlite3_stmt *st)
{
	uint8_t publisher[PUBLISHER_LEN];
	int64_t group = sqlite3_column_int64(st, 1);
	int64_t seq = sqlite3_column_int64(st, 3);
	struct count_row row = {
	    .seq = (uint64_t)seq,
	    .seen_unix_s = sqlite3_column_int64(st, 4),
	};
	struct cache *c = NULL;

	if (sqlite_blob(st, 0, publisher, PUBLISHER_LEN) && group >= 0 &&
	    group <= UINT32_MAX)
		c = store_cache(&q->base, publisher, (uint32_t)group);
	if (c == NULL || c->capacity == 0 || seq < 1 ||
	    (uint64_t)seq > c->seq ||
	    !sqlite_blob(st, 2, row.cmid, COUNT_CMID_LEN) ||
	    count_load(&c->count, &row) != 0)
		return sqlite_damaged(q, "a count record");
	if (sqlite3_column_int64(st, 5) != record_sum(c, &row))
		return sqlite_damaged(q, "the checksum of a count record");
	return 0;
}

static int
load_rows(struct sqlite_store *q, enum sqlite_stmt_id id,
    int (*load)(struct sqlite_store *, sqlite3_stmt *))
{
	int err = 0;
	int rc = SQLITE_DONE;

	while (err == 0 && (rc = sqlite3_step(q->st[id])) == SQLITE_ROW)
		err = load(q, q->st[id]);
	if (err == 0 && rc != SQLITE_DONE)
		err = sqlite_fail(q, "loading the count cache");
	(void)sqlite3_reset(q->st[id]);
	return err;
}

int
sqlite_load(struct sqlite_store *q)
{
	int err;

	for (uint32_t i = 0; i < q->base.n_caches; i++)
		store_cache_clear(q->base.caches[i]);
	err = load_rows(q, ST_GRP_ALL, load_group);
	if (err == 0)
		err = load_rows(q, ST_CACHE_ALL, load_record);
	if (err == 0)
		err = inventory_load(q);
	return err;
}

/*
 * After a full disk SQLite has undone the transaction or still can; the file
 * is as it was, and so must our memory be.  After anything worse the file is
 * left to the next start.
 */
static int
sqlite_rollback(struct store *s, int err)
{
	struct sqlite_store *q = sqlite_of(s);
	const struct store_diag cause = s->diag;

	if (sqlite3_get_autocommit(q->db) == 0 &&
	    sqlite_run(q, ST_ROLLBACK, "rolling back") != 0)
		err = MUSTER_E_UNSURE;
	if (stick(q, err) == s->failed)
		return err;
	if (sqlite_load(q) != 0)
		s->failed = err = MUSTER_E_UNSURE;
	else
		s->diag = cause;
	return err;
}

static void
sqlite_close(struct store *s)
{
	struct sqlite_store *q = sqlite_of(s);

	for (int i = 0; i < ST_N; i++)
		(void)sqlite3_finalize(q->st[i]);
	(void)sqlite3_close(q->db);
	clients_free(&q->overlay);
	free(q->marks);
	free(q->batch);
	free(q->path);
	/* the file stays: removing it would race with the next to lock it */
	if (q->lock_fd >= 0)
		(void)close(q->lock_fd);
}

/* What store_close() merges is what waits, all of it. */
static void
sqlite_merge_and_close(struct store *s)
{
	struct sqlite_store *q = sqlite_of(s);

	if (s->failed == 0 && sqlite_begin(s) == 0) {
		/* closing rolls back what is not committed */
		if (inventory_merge_all(q) == 0 && store_flush(s) == 0)
			(void)sqlite_commit(s);
	}
	sqlite_close(s);
}

const struct store_ops sqlite_ops = {
    .kind = "sqlite",
    .begin = sqlite_begin,
    .room = inventory_room,
    .client = inventory_client,
    .put = inventory_put,
    .batch = inventory_batch,
    .flush = sqlite_flush,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .is_due = inventory_is_due,
    .upkeep = inventory_upkeep,
    .clients = inventory_clients,
    .aside = inventory_aside,
    .recent = sqlite_recent,
    .scan_open = sqlite_scan_open,
    .scan_next = sqlite_scan_next,
    .scan_close = sqlite_scan_close,
    .backup = sqlite_backup,
    .close = sqlite_merge_and_close,
};
