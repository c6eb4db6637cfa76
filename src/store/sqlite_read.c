/* SPDX-License-Identifier: MIT */
/*
 * sqlite_read.c -- readers that take a piece of the inventory at a time; see
 * sqlite.h.
 *
 * What the journal names is newer than the table: such a row of the table is
 * passed over, and the overlay's stands in its place.
 */
#include "store/sqlite.h"

#include <stdlib.h>
#include <string.h>

static int
begin(struct sqlite_store *r)
{
	return sqlite3_exec(r->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK
	    ? 0
	    : sqlite_fail(r, "beginning to read");
}

static void
end(struct sqlite_store *r)
{
	if (sqlite3_get_autocommit(r->db) == 0)
		(void)sqlite3_exec(r->db, "COMMIT", NULL, NULL, NULL);
}

static void
close_reader(struct sqlite_store *r)
{
	r->base.failed = MUSTER_E_IO; /* it writes nothing when it is closed */
	store_close(&r->base);
}

/* ---- by the last contact ---- */

static int
oldest_first(const void *a, const void *b)
{
	const struct store_client *x = *(const struct store_client *const *)a;
	const struct store_client *y = *(const struct store_client *const *)b;

	if (x->last_unix_s != y->last_unix_s)
		return x->last_unix_s < y->last_unix_s ? -1 : 1;
	return clients_compare(x, y);
}

/* Below 0: a comes before b. */
static int
compare(const struct store_recent *ask, const struct store_client *a,
    const struct store_client *b)
{
	int c = oldest_first(&a, &b);

	return ask->is_desc ? -c : c;
}

/* The overlay's rows behind `after`, the oldest first. */
static int
sort_overlay(const struct sqlite_store *r, const struct store_recent *ask,
    const struct store_client ***rows_out, size_t *n_out)
{
	const struct store_client **rows =
	    calloc(r->overlay.n + 1, sizeof(*rows));

	if (rows == NULL)
		return MUSTER_E_NOMEM;
	*n_out = 0;
	for (uint32_t i = 0; i < r->overlay.n; i++) {
		const struct store_client *row = &r->overlay.rows[i];

		if (!ask->has_after || compare(ask, &ask->after, row) < 0)
			rows[(*n_out)++] = row;
	}
	if (*n_out > 1)
		qsort(rows, *n_out, sizeof(rows[0]), oldest_first);
	*rows_out = rows;
	return 0;
}

/* len 0: before all keys. */
static void
bind_key(sqlite3_stmt *st, const struct store_client *key, int len)
{
	(void)sqlite3_bind_blob(st, 2, key->publisher, len, SQLITE_STATIC);
	(void)sqlite3_bind_blob(st, 3, key->product, len, SQLITE_STATIC);
	(void)sqlite3_bind_blob(st, 4, key->cmid, len, SQLITE_STATIC);
}

/* The next row of the table that the journal does not name. */
static int
step(struct sqlite_store *r, sqlite3_stmt *st, struct store_client *row_out,
    bool *is_there)
{
	int err = 0;
	int rc;

	do {
		rc = sqlite3_step(st);
		*is_there = rc == SQLITE_ROW;
		if (rc == SQLITE_ROW)
			err = sqlite_client_read(r, st, row_out);
		else if (rc != SQLITE_DONE)
			err = sqlite_fail(r, "reading the inventory");
	} while (*is_there && err == 0 &&
	    clients_find(&r->overlay, row_out) != NULL);
	return err;
}

static int
merge_recent(struct sqlite_store *r, const struct store_recent *ask,
    sqlite3_stmt *st, store_client_fn *fn, void *arg)
{
	const struct store_client **rows = NULL, *next;
	struct store_client in_table;
	size_t n = 0, at = 0;
	bool is_there = false;
	int err = sort_overlay(r, ask, &rows, &n);

	if (err == 0)
		err = step(r, st, &in_table, &is_there);
	for (uint32_t i = 0; i < ask->max && err == 0; i++) {
		next = at == n     ? NULL
		    : ask->is_desc ? rows[n - 1 - at]
		                   : rows[at];
		if (next != NULL &&
		    (!is_there || compare(ask, next, &in_table) < 0)) {
			fn(arg, next);
			at++;
		} else if (is_there) {
			fn(arg, &in_table);
			err = step(r, st, &in_table, &is_there);
		} else {
			break;
		}
	}
	free(rows);
	return err;
}

static int
read_recent(struct sqlite_store *r, const struct store_recent *ask,
    store_client_fn *fn, void *arg)
{
	sqlite3_stmt *st =
	    r->st[ask->is_desc ? ST_CLIENT_NEWEST : ST_CLIENT_OLDEST];
	struct store_client edge = {.last_unix_s = INT64_MIN};
	int err;

	if (ask->is_desc) {
		edge.last_unix_s = INT64_MAX;
		memset(edge.publisher, 0xff, PUBLISHER_LEN);
	}
	if (ask->has_after)
		edge = ask->after;
	(void)sqlite3_bind_int64(st, 1, edge.last_unix_s);
	bind_key(st, &edge, WIRE_ID_LEN);
	err = merge_recent(r, ask, st, fn, arg);
	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
	return err;
}

int
sqlite_recent(const struct store *s, const struct store_recent *ask,
    store_client_fn *fn, void *arg, uint64_t *total_out)
{
	const struct sqlite_store *q = (const struct sqlite_store *)s;
	struct sqlite_store *r = NULL;
	int err = sqlite_open_reader(q, &r);

	if (err != 0)
		return err;
	/* journal and table of one moment: a merge may come in between */
	err = begin(r);
	if (err == 0)
		err = inventory_read_journal(r);
	if (err == 0)
		err = read_recent(r, ask, fn, arg);
	if (err == 0)
		*total_out = (uint64_t)atomic_load(&q->n_shown);
	end(r);
	close_reader(r);
	return err;
}

/* ---- all of it, with rests ---- */

struct sqlite_scan {
	struct store_scan base;
	struct sqlite_store *r;
};

int
sqlite_scan_open(const struct store *s, struct store_scan **scan_out)
{
	struct sqlite_scan *scan = calloc(1, sizeof(*scan));
	int err = MUSTER_E_NOMEM;

	if (scan != NULL)
		err = sqlite_open_reader((const struct sqlite_store *)s,
		    &scan->r);
	if (err == 0)
		*scan_out = &scan->base;
	else
		free(scan);
	return err;
}

/*
 * The overlay is read once, and stays: what a merge moves into the table later
 * has been handed out, and is passed over there.
 */
static int
begin_scan(struct sqlite_scan *scan, store_client_fn *fn, void *arg)
{
	struct sqlite_store *r = scan->r;
	int err = inventory_read_journal(r);

	for (uint32_t i = 0; i < r->overlay.n && err == 0; i++)
		fn(arg, &r->overlay.rows[i]);
	scan->base.has_begun = err == 0;
	return err;
}

int
sqlite_scan_next(struct store_scan *base, uint32_t max, store_client_fn *fn,
    void *arg, bool *is_over_out)
{
	struct sqlite_scan *scan = (struct sqlite_scan *)(void *)base;
	struct sqlite_store *r = scan->r;
	sqlite3_stmt *st = r->st[ST_CLIENT_NEXT];
	struct store_client row;
	uint32_t n = 0;
	int err = base->has_begun ? 0 : begin_scan(scan, fn, arg);
	int rc = SQLITE_DONE;

	if (err != 0)
		return err;
	(void)sqlite3_bind_int64(st, 1, max);
	bind_key(st, &base->at, base->has_at ? WIRE_ID_LEN : 0);
	while (err == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		err = sqlite_client_read(r, st, &row);
		n++;
		if (err == 0 && clients_find(&r->overlay, &row) == NULL)
			fn(arg, &row);
	}
	if (err == 0 && rc != SQLITE_DONE)
		err = sqlite_fail(r, "reading the inventory");
	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
	if (err == 0 && n > 0) {
		base->at = row;
		base->has_at = true;
	}
	*is_over_out = n < max;
	return err;
}

void
sqlite_scan_close(struct store_scan *base)
{
	struct sqlite_scan *scan = (struct sqlite_scan *)(void *)base;

	close_reader(scan->r);
	free(scan);
}
