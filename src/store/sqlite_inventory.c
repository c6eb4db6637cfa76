/* SPDX-License-Identifier: MIT */
/* sqlite_inventory.c -- journal and overlay of a batch; see sqlite.h. */
#include "store/sqlite.h"

#include <assert.h>
#include <string.h>

#include "base/cursor.h"

/* The same machine in the count cache, as it was when the batch was applied. */
static int
replay(struct sqlite_store *q, const struct sqlite_record *record)
{
	struct count_row row = {.seq = record->seq,
	    .seen_unix_s = record->seen_unix_s};
	const uint8_t *publisher = record->client.publisher;
	struct cache *c = store_cache(&q->base, publisher, record->group);
	uint32_t n;
	int err = 0;

	if (c != NULL && record->seq <= c->seq)
		return 0; /* was flushed */
	if (c == NULL || record->capacity > c->count.n_slots)
		err = store_cache_make(&q->base, publisher, record->group,
		    record->capacity, &c);
	if (err != 0)
		return err;
	if (record->seq != c->seq + 1 || record->capacity < c->capacity)
		return sqlite_damaged(q, "a record of the journal");
	memcpy(row.cmid, record->client.cmid, COUNT_CMID_LEN);
	err = count_raise(&c->count, record->capacity);
	assert(err == 0); /* its cache was given the room above */
	err = count_touch(&c->count, &row, &n);
	assert(err == 0); /* none that was loaded is beyond c->seq */
	c->capacity = record->capacity;
	c->seq = record->seq;
	c->is_changed = true;
	return err;
}

static bool
overlay_take(struct sqlite_store *q, const struct store_client *row)
{
	struct store_client *old = clients_find(&q->overlay, row);

	if (old == NULL && q->overlay.n == q->overlay.n_rows)
		return false;
	if (old == NULL)
		old = clients_add(&q->overlay, row);
	else
		*old = *row;
	q->marks[old - q->overlay.rows] =
	    (struct sqlite_mark){.seq = q->journal_next};
	return true;
}

/* One batch, whole or not at all: its checksum has been found right. */
static int
load_batch(struct sqlite_store *q, const void *p, size_t len, int64_t n,
    bool replays)
{
	struct rd r = rd_init(p, len);
	struct sqlite_record record;
	int err = 0;

	for (int64_t i = 0; i < n && err == 0; i++) {
		if (!sqlite_record_read(&r, &record) ||
		    !overlay_take(q, &record.client))
			err = sqlite_damaged(q, "a record of the journal");
		else if (replays)
			err = replay(q, &record);
	}
	if (err == 0 && rd_end(&r) != 0)
		err = sqlite_damaged(q, "a batch of the journal");
	return err;
}

static int
load_journal(struct sqlite_store *q, bool replays)
{
	sqlite3_stmt *st = q->st[ST_JOURNAL_ALL];
	int err = 0;
	int rc = SQLITE_DONE;

	clients_clear(&q->overlay);
	q->n_dirty = q->n_records = q->merge_upto = 0;
	q->journal_first = q->journal_next = 1;
	while (err == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		int64_t seq = sqlite3_column_int64(st, 0);
		int64_t n = sqlite3_column_int64(st, 1);
		const void *p = sqlite3_column_blob(st, 2);
		size_t len = (size_t)sqlite3_column_bytes(st, 2);

		if (q->journal_next == q->journal_first)
			q->journal_first = q->journal_next = seq;
		if (p == NULL || seq < 1 || seq == INT64_MAX ||
		    seq != q->journal_next || n < 1 || n > TURN_MAX ||
		    q->n_records + n > STORE_JOURNAL_MAX)
			err = sqlite_damaged(q, "a number in the journal");
		else if (sqlite3_column_int64(st, 3) !=
		    sqlite_batch_sum(p, len))
			err = sqlite_damaged(q, "the checksum of a batch");
		else
			err = load_batch(q, p, len, n, replays);
		q->journal_next++;
		q->n_records += n;
	}
	if (err == 0 && rc != SQLITE_DONE)
		err = sqlite_fail(q, "reading the journal");
	q->n_dirty = q->overlay.n;
	(void)sqlite3_reset(st);
	return err;
}

int
inventory_read_journal(struct sqlite_store *r)
{
	return load_journal(r, false);
}

/* Is the key in the table?  Its row goes to row_out when that is not NULL. */
static int
table_get(struct sqlite_store *q, const struct store_client *key,
    struct store_client *row_out, bool *is_there)
{
	sqlite3_stmt *st = q->st[ST_CLIENT_GET];
	int err = 0;
	int rc;

	(void)sqlite3_bind_blob(st, 1, key->publisher, PUBLISHER_LEN,
	    SQLITE_STATIC);
	(void)sqlite3_bind_blob(st, 2, key->product, WIRE_ID_LEN,
	    SQLITE_STATIC);
	(void)sqlite3_bind_blob(st, 3, key->cmid, WIRE_ID_LEN, SQLITE_STATIC);
	rc = sqlite3_step(st);
	*is_there = rc == SQLITE_ROW;
	if (rc == SQLITE_ROW) {
		if (row_out != NULL)
			err = sqlite_client_read(q, st, row_out);
	} else if (rc != SQLITE_DONE) {
		err = sqlite_fail(q, "looking a client up");
	}
	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
	return err;
}

int
inventory_load(struct sqlite_store *q)
{
	sqlite3_stmt *st = q->st[ST_CLIENT_COUNT];
	int err = load_journal(q, true);

	if (err != 0)
		return err;
	if (sqlite3_step(st) == SQLITE_ROW)
		q->n_clients = sqlite3_column_int64(st, 0);
	else
		err = sqlite_fail(q, "counting the clients");
	(void)sqlite3_reset(st);
	for (uint32_t i = 0; i < q->overlay.n && err == 0; i++) {
		bool is_there;

		err = table_get(q, &q->overlay.rows[i], NULL, &is_there);
		if (err == 0 && !is_there)
			q->n_clients++;
	}
	atomic_store(&q->n_shown, q->n_clients);
	return err;
}

int
inventory_client(struct store *s, const struct turn_item *item,
    struct store_client **row_out)
{
	struct sqlite_store *q = sqlite_of(s);
	struct store_client row = client_key(item);
	bool is_there;
	int err = 0;

	*row_out = clients_find(&q->overlay, &row);
	if (*row_out != NULL) {
		q->n_clients += (*row_out)->contacts == 0;
		return 0;
	}
	err = table_get(q, &row, &row, &is_there);
	if (err != 0)
		return err;
	if (!is_there)
		q->n_clients++;
	*row_out = clients_add(&q->overlay, &row);
	q->marks[*row_out - q->overlay.rows] =
	    (struct sqlite_mark){.is_merged = true};
	return 0;
}

int
inventory_put(struct store *s, const struct store_client *row,
    const struct cache *c, const struct turn_item *item)
{
	struct sqlite_store *q = sqlite_of(s);
	struct sqlite_mark *mark = &q->marks[row - q->overlay.rows];
	struct wr w =
	    wr_init(q->batch + q->batch_len, SQLITE_BATCH_MAX - q->batch_len);
	struct sqlite_record record = {.group = c->group,
	    .capacity = c->capacity,
	    .seq = c->seq,
	    .seen_unix_s = item->grant.issued_unix_s,
	    .client = *row};
	size_t len;
	int err;

	sqlite_record_write(&w, &record);
	err = wr_end(&w, &len);
	assert(err == 0); /* SQLITE_BATCH_MAX holds TURN_MAX of the longest */
	q->batch_len += len;
	q->n_batch++;
	q->n_dirty += mark->is_merged;
	*mark = (struct sqlite_mark){.seq = q->journal_next};
	return 0;
}

int
inventory_batch(struct store *s)
{
	struct sqlite_store *q = sqlite_of(s);
	sqlite3_stmt *st = q->st[ST_JOURNAL_PUT];
	int err;

	(void)sqlite3_bind_int64(st, 1, q->journal_next);
	(void)sqlite3_bind_int64(st, 2, q->n_batch);
	(void)sqlite3_bind_blob(st, 3, q->batch, (int)q->batch_len,
	    SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 4,
	    sqlite_batch_sum(q->batch, q->batch_len));
	err = sqlite_run(q, ST_JOURNAL_PUT, "writing the journal");
	if (err != 0)
		return err;
	q->journal_next++;
	q->n_records += q->n_batch;
	return 0;
}

int
inventory_clients(struct store *s, store_client_fn *fn, void *arg)
{
	struct sqlite_store *q = sqlite_of(s);
	sqlite3_stmt *st = q->st[ST_CLIENT_ALL];
	struct store_client row;
	int err = 0;
	int rc;

	while (err == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		err = sqlite_client_read(q, st, &row);
		if (err == 0 && clients_find(&q->overlay, &row) == NULL)
			fn(arg, &row);
	}
	if (err == 0 && rc != SQLITE_DONE)
		err = sqlite_fail(q, "reading the inventory");
	(void)sqlite3_reset(st);
	for (uint32_t i = 0; i < q->overlay.n && err == 0; i++) {
		if (q->overlay.rows[i].contacts > 0)
			fn(arg, &q->overlay.rows[i]);
	}
	if (err != 0 && err != MUSTER_E_AGAIN)
		s->failed = err;
	return err;
}

int
inventory_aside(const struct store *s, store_client_fn *fn, void *arg)
{
	struct sqlite_store *r = NULL;
	int err = sqlite_open_reader((const struct sqlite_store *)s, &r);

	if (err != 0)
		return err;
	/* journal and table of one moment: a merge may come in between */
	if (sqlite3_exec(r->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		err = sqlite_fail(r, "beginning to read");
	if (err == 0)
		err = load_journal(r, false);
	if (err == 0)
		err = inventory_clients(&r->base, fn, arg);
	r->base.failed = MUSTER_E_IO; /* it writes nothing when it is closed */
	store_close(&r->base);
	return err;
}
