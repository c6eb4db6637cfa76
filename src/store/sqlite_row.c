/* SPDX-License-Identifier: MIT */
/*
 * sqlite_row.c -- a client as a row of the table and as a record of the
 * journal; see sqlite.h.
 */
#include "store/sqlite.h"

#include <string.h>

#include "base/cursor.h"

#define CHAIN_LEN CLIENT_CHAIN_LEN
/* In a record's state: the time of the answer in force stands at its end; those
 * that schema 3 has left do not have it. */
#define HAS_GRANTED 0x100
#define CHAIN_PADDED 52 /* to a multiple of four, as XDR has it */

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
	sum = sqlite_sum_int(sum, row->twin_unix_s);
	sum = sqlite_sum(sum, row->other_machine, WIRE_ID_LEN);
	sum = sqlite_sum(sum, row->other_name, strlen(row->other_name) + 1);
	/* else it follows from the rest; rows of schema 3 have none */
	if (row->granted_unix_s != 0 && row->count < row->threshold)
		sum = sqlite_sum_int(sum, row->granted_unix_s);
	return (int64_t)sqlite_sum(sum, chain, CHAIN_LEN);
}

int
sqlite_client_read(struct sqlite_store *q, sqlite3_stmt *st,
    struct store_client *row)
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
	    column_u32(st, 12, &row->twin_unix_s) &&
	    sqlite_blob(st, 13, row->other_machine, WIRE_ID_LEN) &&
	    column_name(st, 14, row->other_name) &&
	    sqlite_blob(st, 15, chain, CHAIN_LEN) &&
	    client_chain_decode(chain, &row->chain);
	row->state = (enum wire_state)state;
	row->first_unix_s = sqlite3_column_int64(st, 7);
	row->last_unix_s = sqlite3_column_int64(st, 8);
	row->contacts = (uint64_t)contacts;
	if (!is_good || state > WIRE_NOTIFICATION || contacts <= 0)
		return sqlite_damaged(q, "a row of the inventory");
	row->granted_unix_s = sqlite3_column_int64(st, 17);
	if (sqlite3_column_int64(st, 16) != client_sum(row, chain))
		return sqlite_damaged(q, "the checksum of a client");
	client_see_granted(row);
	return 0;
}

int
sqlite_client_write(struct sqlite_store *q, const struct store_client *row)
{
	sqlite3_stmt *st = q->st[ST_CLIENT_PUT];
	uint8_t chain[CHAIN_LEN];

	client_chain_encode(&row->chain, chain);
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
	(void)sqlite3_bind_int64(st, 13, row->twin_unix_s);
	(void)sqlite3_bind_blob(st, 14, row->other_machine, WIRE_ID_LEN,
	    SQLITE_STATIC);
	(void)sqlite3_bind_text(st, 15, row->other_name, -1, SQLITE_STATIC);
	(void)sqlite3_bind_blob(st, 16, chain, CHAIN_LEN, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 17, client_sum(row, chain));
	(void)sqlite3_bind_int64(st, 18, row->granted_unix_s);
	return sqlite_run(q, ST_CLIENT_PUT, "writing a client");
}

static void
write_name(struct wr *w, const char *name)
{
	wr_opaque(w, name, strlen(name));
}

void
sqlite_record_write(struct wr *w, const struct sqlite_record *record)
{
	const struct store_client *row = &record->client;
	uint8_t chain[CHAIN_PADDED] = {0};

	client_chain_encode(&row->chain, chain);
	wr_bytes(w, row->publisher, PUBLISHER_LEN);
	wr_bytes(w, row->product, WIRE_ID_LEN);
	wr_bytes(w, row->cmid, WIRE_ID_LEN);
	wr_u32(w, record->group);
	wr_u32(w, record->capacity);
	wr_u64(w, record->seq);
	wr_i64(w, record->seen_unix_s);
	wr_bytes(w, row->machine, WIRE_ID_LEN);
	wr_bytes(w, row->address, TURN_ADDRESS_LEN);
	wr_bytes(w, row->other_machine, WIRE_ID_LEN);
	wr_u32(w, row->state | HAS_GRANTED);
	wr_u32(w, row->threshold);
	wr_i64(w, row->first_unix_s);
	wr_i64(w, row->last_unix_s);
	wr_u32(w, row->count);
	wr_u64(w, row->contacts);
	wr_u32(w, row->twin_unix_s);
	wr_bytes(w, chain, CHAIN_PADDED);
	write_name(w, row->name);
	write_name(w, row->other_name);
	wr_i64(w, row->granted_unix_s);
}

static void
read_name(struct rd *r, char *out)
{
	struct bytes text = rd_opaque(r, WIRE_NAME_MAX);

	if (r->err != 0)
		return;
	if (text.len > 0 && memchr(text.p, 0, text.len) != NULL)
		rd_fail(r, MUSTER_E_PROTO);
	else if (text.len > 0)
		memcpy(out, text.p, text.len);
}

bool
sqlite_record_read(struct rd *r, struct sqlite_record *record_out)
{
	struct store_client *row = &record_out->client;
	uint8_t chain[CHAIN_PADDED] = {0};
	uint32_t state;

	memset(record_out, 0, sizeof(*record_out));
	rd_fixed(r, row->publisher, PUBLISHER_LEN);
	rd_fixed(r, row->product, WIRE_ID_LEN);
	rd_fixed(r, row->cmid, WIRE_ID_LEN);
	record_out->group = rd_u32(r);
	record_out->capacity = rd_u32(r);
	record_out->seq = rd_u64(r);
	record_out->seen_unix_s = rd_i64(r);
	rd_fixed(r, row->machine, WIRE_ID_LEN);
	rd_fixed(r, row->address, TURN_ADDRESS_LEN);
	rd_fixed(r, row->other_machine, WIRE_ID_LEN);
	state = rd_u32(r);
	row->threshold = rd_u32(r);
	row->first_unix_s = rd_i64(r);
	row->last_unix_s = rd_i64(r);
	row->count = rd_u32(r);
	row->contacts = rd_u64(r);
	row->twin_unix_s = rd_u32(r);
	rd_fixed(r, chain, CHAIN_PADDED);
	read_name(r, row->name);
	read_name(r, row->other_name);
	if ((state & HAS_GRANTED) != 0)
		row->granted_unix_s = rd_i64(r);
	client_see_granted(row);
	state &= ~(uint32_t)HAS_GRANTED;
	row->state = (enum wire_state)state;
	return r->err == 0 && client_chain_decode(chain, &row->chain) &&
	    chain[CHAIN_LEN] == 0 && chain[CHAIN_LEN + 1] == 0 &&
	    state <= WIRE_NOTIFICATION && row->contacts >= 1 &&
	    row->contacts <= INT64_MAX && record_out->capacity >= 1 &&
	    record_out->capacity <= COUNT_CAPACITY_MAX;
}
