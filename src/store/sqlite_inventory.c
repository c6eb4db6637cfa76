/* SPDX-License-Identifier: MIT */
/* sqlite_inventory.c -- journal, overlay and table of clients; see sqlite.h. */
#include "store/sqlite.h"

#include <string.h>

#define CHAIN_LEN ((2 + TURN_SUPERSEDED_MAX) * WIRE_TAG_LEN + 2)

static void
chain_encode(const struct turn_chain *chain, uint8_t *out)
{
	memcpy(out, chain->newest, WIRE_TAG_LEN);
	memcpy(out + WIRE_TAG_LEN, chain->base, WIRE_TAG_LEN);
	for (size_t i = 0; i < TURN_SUPERSEDED_MAX; i++)
		memcpy(out + (2 + i) * WIRE_TAG_LEN, chain->superseded[i],
		    WIRE_TAG_LEN);
	out[CHAIN_LEN - 2] = chain->n_superseded;
	out[CHAIN_LEN - 1] = chain->next_superseded;
}

static bool
chain_decode(const uint8_t *in, struct turn_chain *chain)
{
	memcpy(chain->newest, in, WIRE_TAG_LEN);
	memcpy(chain->base, in + WIRE_TAG_LEN, WIRE_TAG_LEN);
	for (size_t i = 0; i < TURN_SUPERSEDED_MAX; i++)
		memcpy(chain->superseded[i], in + (2 + i) * WIRE_TAG_LEN,
		    WIRE_TAG_LEN);
	chain->n_superseded = in[CHAIN_LEN - 2];
	chain->next_superseded = in[CHAIN_LEN - 1];
	return chain->n_superseded <= TURN_SUPERSEDED_MAX &&
	    chain->next_superseded < TURN_SUPERSEDED_MAX;
}

static bool
column_name(sqlite3_stmt *st, int column, char *out)
{
	const unsigned char *text = sqlite3_column_text(st, column);
	int len = sqlite3_column_bytes(st, column);

	if (text == NULL || len > WIRE_NAME_MAX ||
	    memchr(text, 0, (size_t)len) != NULL)
		return false;
	memcpy(out, text, (size_t)len);
	out[len] = '\0';
	return true;
}

static bool
column_u32(sqlite3_stmt *st, int column, uint32_t *out)
{
	int64_t v = sqlite3_column_int64(st, column);

	*out = (uint32_t)v;
	return v >= 0 && v <= UINT32_MAX;
}

static int64_t
client_sum(const struct store_client *row, const uint8_t *chain)
{
	uint64_t sum = SQLITE_SUM;

	sum = sqlite_sum(sum, row->publisher, PUBLISHER_LEN);
	sum = sqlite_sum(sum, row->product, WIRE_ID_LEN);
	sum = sqlite_sum(sum, row->cmid, WIRE_ID_LEN);
	sum = sqlite_sum(sum, row->machine, WIRE_ID_LEN);
	sum = sqlite_sum(sum, row->name, strlen(row->name) + 1);
	sum = sqlite_sum_int(sum, row->state);
	sum = sqlite_sum_int(sum, row->threshold);
	sum = sqlite_sum_int(sum, row->first_unix_s);
	sum = sqlite_sum_int(sum, row->last_unix_s);
	sum = sqlite_sum_int(sum, row->count);
	sum = sqlite_sum_int(sum, (int64_t)row->contacts);
	sum = sqlite_sum(sum, row->address, TURN_ADDRESS_LEN);
	sum = sqlite_sum_int(sum, row->is_duplicate);
	sum = sqlite_sum(sum, row->other_machine, WIRE_ID_LEN);
	sum = sqlite_sum(sum, row->other_name, strlen(row->other_name) + 1);
	return (int64_t)sqlite_sum(sum, chain, CHAIN_LEN);
}

/* Columns in the order of CLIENT_COLUMNS in sqlite_open.c. */
static int
read_client(struct sqlite_store *q, sqlite3_stmt *st, struct store_client *row)
{
	uint8_t chain[CHAIN_LEN];
	uint32_t state = 0;
	int64_t contacts = sqlite3_column_int64(st, 10);
	bool is_good;

	memset(row, 0, sizeof(*row));
	is_good = sqlite_blob(st, 0, row->publisher, PUBLISHER_LEN) &&
	    sqlite_blob(st, 1, row->product, WIRE_ID_LEN) &&
	    sqlite_blob(st, 2, row->cmid, WIRE_ID_LEN) &&
	    sqlite_blob(st, 3, row->machine, WIRE_ID_LEN) &&
	    column_name(st, 4, row->name) && column_u32(st, 5, &state) &&
	    column_u32(st, 6, &row->threshold) &&
	    column_u32(st, 9, &row->count) &&
	    sqlite_blob(st, 11, row->address, TURN_ADDRESS_LEN) &&
	    sqlite_blob(st, 13, row->other_machine, WIRE_ID_LEN) &&
	    column_name(st, 14, row->other_name) &&
	    sqlite_blob(st, 15, chain, CHAIN_LEN) &&
	    chain_decode(chain, &row->chain);
	row->state = (enum wire_state)state;
	row->first_unix_s = sqlite3_column_int64(st, 7);
	row->last_unix_s = sqlite3_column_int64(st, 8);
	row->contacts = (uint64_t)contacts;
	row->is_duplicate = sqlite3_column_int64(st, 12) != 0;
	if (!is_good || state > WIRE_NOTIFICATION || contacts <= 0)
		return sqlite_damaged(q, "a row of the inventory");
	if (sqlite3_column_int64(st, 16) != client_sum(row, chain))
		return sqlite_damaged(q, "the checksum of a client");
	return 0;
}

static int
load_journal(struct sqlite_store *q)
{
	sqlite3_stmt *st = q->st[ST_JOURNAL_ALL];
	int err = 0;
	int rc;

	clients_clear(&q->overlay);
	q->journal_first = 1;
	q->journal_next = 1;
	while (err == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		int64_t seq = sqlite3_column_int64(st, 17);
		struct store_client row, *old;

		if (q->journal_next == q->journal_first)
			q->journal_first = q->journal_next = seq;
		err = seq != q->journal_next ||
		        seq - q->journal_first >= STORE_JOURNAL_MAX
		    ? sqlite_damaged(q, "a number in the journal")
		    : read_client(q, st, &row);
		if (err != 0)
			break;
		q->journal_next++;
		old = clients_find(&q->overlay, &row);
		if (old != NULL)
			*old = row;
		else
			clients_add(&q->overlay, &row);
	}
	if (err == 0 && rc != SQLITE_DONE)
		err = sqlite_fail(q, "reading the journal");
	(void)sqlite3_reset(st);
	return err;
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
			err = read_client(q, st, row_out);
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
	int err = load_journal(q);

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
	return err;
}

int
inventory_merge(struct sqlite_store *q, int64_t max)
{
	int64_t waiting = q->journal_next - q->journal_first;
	int64_t upto = q->journal_first + (waiting < max ? waiting : max);
	int err = 0;

	if (waiting == 0)
		return 0;
	(void)sqlite3_bind_int64(q->st[ST_JOURNAL_MERGE], 1, upto);
	err = sqlite_run(q, ST_JOURNAL_MERGE, "merging the journal");
	if (err != 0)
		return err;
	(void)sqlite3_bind_int64(q->st[ST_JOURNAL_CUT], 1, upto);
	err = sqlite_run(q, ST_JOURNAL_CUT, "cutting the journal");
	if (err != 0)
		return err;
	q->journal_first = upto;
	if (q->journal_first == q->journal_next)
		clients_clear(&q->overlay);
	return 0;
}

/* Rows merged in pieces still stand in the overlay, so both may be full. */
int
inventory_room(struct store *s, size_t n)
{
	struct sqlite_store *q = sqlite_of(s);
	int64_t waiting = q->journal_next - q->journal_first;
	int err = 0;

	if (waiting + (int64_t)n > STORE_JOURNAL_MAX ||
	    q->overlay.n + n > STORE_JOURNAL_MAX)
		err = inventory_merge(q, STORE_JOURNAL_MAX);
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
	if (*row_out != NULL)
		return 0;
	err = table_get(q, &row, &row, &is_there);
	if (err != 0)
		return err;
	if (!is_there)
		q->n_clients++;
	*row_out = clients_add(&q->overlay, &row);
	return 0;
}

int
inventory_put(struct store *s, const struct store_client *row)
{
	struct sqlite_store *q = sqlite_of(s);
	sqlite3_stmt *st = q->st[ST_JOURNAL_PUT];
	uint8_t chain[CHAIN_LEN];
	int err;

	chain_encode(&row->chain, chain);
	(void)sqlite3_bind_blob(st, 1, row->publisher, PUBLISHER_LEN,
	    SQLITE_STATIC);
	(void)sqlite3_bind_blob(st, 2, row->product, WIRE_ID_LEN,
	    SQLITE_STATIC);
	(void)sqlite3_bind_blob(st, 3, row->cmid, WIRE_ID_LEN, SQLITE_STATIC);
	(void)sqlite3_bind_blob(st, 4, row->machine, WIRE_ID_LEN,
	    SQLITE_STATIC);
	(void)sqlite3_bind_text(st, 5, row->name, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 6, row->state);
	(void)sqlite3_bind_int64(st, 7, row->threshold);
	(void)sqlite3_bind_int64(st, 8, row->first_unix_s);
	(void)sqlite3_bind_int64(st, 9, row->last_unix_s);
	(void)sqlite3_bind_int64(st, 10, row->count);
	(void)sqlite3_bind_int64(st, 11, (int64_t)row->contacts);
	(void)sqlite3_bind_blob(st, 12, row->address, TURN_ADDRESS_LEN,
	    SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 13, row->is_duplicate);
	(void)sqlite3_bind_blob(st, 14, row->other_machine, WIRE_ID_LEN,
	    SQLITE_STATIC);
	(void)sqlite3_bind_text(st, 15, row->other_name, -1, SQLITE_STATIC);
	(void)sqlite3_bind_blob(st, 16, chain, CHAIN_LEN, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 17, client_sum(row, chain));
	(void)sqlite3_bind_int64(st, 18, q->journal_next);
	err = sqlite_run(q, ST_JOURNAL_PUT, "writing the journal");
	if (err == 0)
		q->journal_next++;
	return err;
}

/*
 * Rows go from the table alone, so the journal is merged first.  Each of the
 * two has its piece: else a busy host would merge and never drop.
 */
int
inventory_upkeep(struct store *s, int64_t now_unix_s, bool *has_more_out)
{
	struct sqlite_store *q = sqlite_of(s);
	int64_t left = STORE_PIECE;
	int64_t over;
	int err = 0;

	*has_more_out = true;
	err = inventory_merge(q, STORE_PIECE);
	if (err != 0 || q->journal_next != q->journal_first)
		return err;

	(void)sqlite3_bind_int64(q->st[ST_CLIENT_EXPIRE], 1,
	    now_unix_s - s->retention_s);
	(void)sqlite3_bind_int64(q->st[ST_CLIENT_EXPIRE], 2, left);
	err =
	    sqlite_run(q, ST_CLIENT_EXPIRE, "dropping clients past retention");
	if (err != 0)
		return err;
	left -= sqlite3_changes(q->db);
	q->n_clients -= sqlite3_changes(q->db);

	over = q->n_clients - s->rows_max;
	if (over > left)
		over = left;
	if (over > 0) {
		(void)sqlite3_bind_int64(q->st[ST_CLIENT_EVICT], 1, over);
		err = sqlite_run(q, ST_CLIENT_EVICT, "dropping the oldest");
		if (err != 0)
			return err;
		left -= over;
		q->n_clients -= over;
	}
	*has_more_out = left == 0;
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
		err = read_client(q, st, &row);
		if (err == 0 && clients_find(&q->overlay, &row) == NULL)
			fn(arg, &row);
	}
	if (err == 0 && rc != SQLITE_DONE)
		err = sqlite_fail(q, "reading the inventory");
	(void)sqlite3_reset(st);
	for (uint32_t i = 0; i < q->overlay.n && err == 0; i++)
		fn(arg, &q->overlay.rows[i]);
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
		err = load_journal(r);
	if (err == 0)
		err = inventory_clients(&r->base, fn, arg);
	r->base.failed = MUSTER_E_IO; /* it writes nothing when it is closed */
	store_close(&r->base);
	return err;
}
