/* SPDX-License-Identifier: MIT */
/*
 * sqlite_merge.c -- from the journal into the table, and out of it; see
 * sqlite.h.
 *
 * A round of merging takes the journal as it stands when it begins.  Of each
 * client only the newest record matters, and one that has come again since
 * then has a newer record behind the round's end: it is left to the next
 * round.  So who comes often costs a row of the table once a round, not once a
 * call.  At the end of a round the journal is cut and the count caches are
 * written, in one transaction, since both begin anew from there.
 */
#include "store/sqlite.h"

#include <string.h>

/* A busy host begins a round when one of the two is half full. */
#define DIRTY_DUE (STORE_OVERLAY_MAX / 2)
#define RECORDS_DUE (STORE_JOURNAL_MAX / 2)

static int
end_round(struct sqlite_store *q)
{
	int err;

	(void)sqlite3_bind_int64(q->st[ST_JOURNAL_CUT], 1, q->merge_upto);
	err = sqlite_run(q, ST_JOURNAL_CUT, "cutting the journal");
	if (err != 0)
		return err;
	q->journal_first = q->merge_upto + 1;
	q->n_records -= q->merge_records;
	q->merge_upto = 0;
	return 0;
}

/* At most max clients into the table; the round's end is told. */
static int
merge(struct sqlite_store *q, uint32_t max, bool *is_over_out)
{
	int err = 0;

	*is_over_out = false;
	if (q->merge_upto == 0) {
		q->merge_upto = q->journal_next - 1;
		q->merge_records = q->n_records;
		q->merge_at = 0;
	}
	for (; q->merge_at < q->overlay.n && err == 0; q->merge_at++) {
		struct sqlite_mark *mark = &q->marks[q->merge_at];

		if (mark->is_merged || mark->seq > q->merge_upto)
			continue;
		if (max-- == 0)
			return 0;
		err = sqlite_client_write(q, &q->overlay.rows[q->merge_at]);
		mark->is_merged = true;
		q->n_dirty--;
	}
	*is_over_out = err == 0;
	return err != 0 ? err : end_round(q);
}

/* The caller flushes the caches in the same transaction. */
int
inventory_merge_all(struct sqlite_store *q)
{
	bool is_over;
	int err = 0;

	while (q->journal_next != q->journal_first && err == 0)
		err = merge(q, UINT32_MAX, &is_over);
	return err;
}

/* Rows that no journal needs give their places back. */
static void
compact(struct sqlite_store *q)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < q->overlay.n; i++) {
		if (q->marks[i].is_merged && q->marks[i].seq < q->journal_first)
			continue;
		q->overlay.rows[kept] = q->overlay.rows[i];
		q->marks[kept++] = q->marks[i];
	}
	q->overlay.n = kept;
	q->merge_at = 0;
	clients_rehash(&q->overlay);
}

int
inventory_room(struct store *s, struct turn_item *items, size_t n,
    int64_t *now_unix_s)
{
	struct sqlite_store *q = sqlite_of(s);
	int err = 0;

	(void)items;
	(void)now_unix_s;
	q->batch_len = 0;
	q->n_batch = 0;
	if (q->overlay.n + n > STORE_OVERLAY_MAX)
		compact(q);
	if (q->overlay.n + n <= STORE_OVERLAY_MAX &&
	    q->n_records + (int64_t)n <= STORE_JOURNAL_MAX)
		return 0;
	err = inventory_merge_all(q);
	if (err == 0)
		err = store_flush(s);
	if (err != 0)
		return err;
	store_flushed(s); /* a rollback loads them afresh */
	compact(q);
	return 0;
}

bool
inventory_is_due(const struct store *s)
{
	const struct sqlite_store *q = (const struct sqlite_store *)s;

	return q->merge_upto != 0 || q->n_dirty >= DIRTY_DUE ||
	    q->n_records >= RECORDS_DUE ||
	    q->n_clients > (int64_t)s->rows_max + STORE_PIECE;
}

/* A client's row has left the table; its overlay's may stand in the journal. */
static void
forget(struct sqlite_store *q, const struct store_client *key)
{
	struct store_client *row = clients_find(&q->overlay, key);

	if (row != NULL && !q->marks[row - q->overlay.rows].is_merged)
		return; /* comes back with the next merge */
	q->n_clients--;
	if (row != NULL)
		*row = *key; /* known not to be there: no contacts */
}

/* Step a statement that drops rows and names them. */
static int
drop(struct sqlite_store *q, enum sqlite_stmt_id id, const char *what,
    int64_t *n_out)
{
	sqlite3_stmt *st = q->st[id];
	int err = 0;
	int rc;

	*n_out = 0;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW && err == 0) {
		struct store_client key = {.contacts = 0};

		if (!sqlite_blob(st, 0, key.publisher, PUBLISHER_LEN) ||
		    !sqlite_blob(st, 1, key.product, WIRE_ID_LEN) ||
		    !sqlite_blob(st, 2, key.cmid, WIRE_ID_LEN))
			err = sqlite_damaged(q, "a row of the inventory");
		else
			forget(q, &key);
		(*n_out)++;
	}
	if (err == 0 && rc != SQLITE_DONE)
		err = sqlite_fail(q, what);
	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
	return err;
}

/*
 * b5: past retention, then beyond the limit of rows; a piece of both.  Only
 * rows that the table has as they are are too many: of those that wait to be
 * merged some may be too old or go before them.
 */
static int
drop_piece(struct sqlite_store *q, int64_t now_unix_s, bool *has_more)
{
	const struct store *s = &q->base;
	int64_t left = STORE_PIECE;
	int64_t over, n;
	int err;

	(void)sqlite3_bind_int64(q->st[ST_CLIENT_EXPIRE], 1,
	    now_unix_s - s->retention_s);
	(void)sqlite3_bind_int64(q->st[ST_CLIENT_EXPIRE], 2, left);
	err = drop(q, ST_CLIENT_EXPIRE, "dropping clients past retention", &n);
	if (err != 0)
		return err;
	left -= n;
	over = q->n_clients - q->n_dirty - s->rows_max;
	if (over > left)
		over = left;
	if (over > 0) {
		(void)sqlite3_bind_int64(q->st[ST_CLIENT_EVICT], 1, over);
		err = drop(q, ST_CLIENT_EVICT, "dropping the oldest", &n);
		left -= n;
	}
	*has_more |= left == 0;
	return err;
}

/*
 * Both in one piece: else a busy host would merge and never drop.  The caches
 * are written where a round ends, and where there is nothing to merge.
 */
int
inventory_upkeep(struct store *s, int64_t now_unix_s,
    struct store_step *step_out)
{
	struct sqlite_store *q = sqlite_of(s);
	bool is_over = true;
	int err = 0;

	if (q->journal_next != q->journal_first)
		err = merge(q, STORE_PIECE, &is_over);
	step_out->flushes = is_over;
	step_out->has_more = q->journal_next != q->journal_first;
	return err != 0 ? err : drop_piece(q, now_unix_s, &step_out->has_more);
}
