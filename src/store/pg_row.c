/* SPDX-License-Identifier: MIT */
/* pg_row.c -- rows and columns in PostgreSQL's binary form; see pg.h. */
#include "store/pg.h"

#include <assert.h>
#include <string.h>

/* Dimensions, no NULLs, type; then length and lower bound of the one. */
#define HEAD_LEN 20

/* Types of the columns of PG_PUT_CLIENTS, in pg_type's numbers. */
enum { OID_BOOL = 16, OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25 };
enum { OID_UUID = 2950 };

static const uint32_t client_types[PG_COLUMNS] = {OID_UUID, OID_UUID, OID_UUID,
    OID_UUID, OID_TEXT, OID_INT8, OID_INT8, OID_INT8, OID_INT8, OID_INT8,
    OID_INT8, OID_BYTEA, OID_BOOL, OID_UUID, OID_TEXT, OID_BYTEA, OID_TEXT,
    OID_INT8, OID_INT8};

static void
put_u32(uint8_t *out, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(v >> (24 - 8 * i));
}

void
pg_put_u64(uint8_t *out, uint64_t v)
{
	put_u32(out, (uint32_t)(v >> 32));
	put_u32(out + 4, (uint32_t)v);
}

static uint64_t
get_u64(const char *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | (uint8_t)p[i];
	return v;
}

void
pg_array_begin(struct pg_array *a, uint32_t oid)
{
	a->len = HEAD_LEN;
	a->n = 0;
	a->oid = oid;
}

void
pg_array_put(struct pg_array *a, const void *p, size_t len)
{
	assert(a->len + 4 + len <= a->cap);
	put_u32(a->p + a->len, (uint32_t)len);
	memcpy(a->p + a->len + 4, p, len);
	a->len += 4 + len;
	a->n++;
}

void
pg_array_put_int(struct pg_array *a, int64_t v)
{
	uint8_t bytes[8];

	pg_put_u64(bytes, (uint64_t)v);
	pg_array_put(a, bytes, sizeof(bytes));
}

void
pg_array_end(struct pg_array *a)
{
	put_u32(a->p, a->n > 0 ? 1 : 0);
	put_u32(a->p + 4, 0);
	put_u32(a->p + 8, a->oid);
	put_u32(a->p + 12, a->n);
	put_u32(a->p + 16, 1);
	if (a->n == 0)
		a->len = 12; /* no dimension has no bounds */
}

void
pg_begin_client_columns(struct pg_store *p)
{
	for (int i = 0; i < PG_COLUMNS; i++)
		pg_array_begin(&p->columns[i], client_types[i]);
}

void
pg_put_client(struct pg_store *p, const struct store_client *row)
{
	struct pg_array *c = p->columns;
	/* for hosts that know no more than migration 2 */
	const uint8_t is_duplicate = row->twin_unix_s != 0;
	uint8_t chain[CLIENT_CHAIN_LEN];

	client_chain_encode(&row->chain, chain);
	pg_array_put(&c[0], row->publisher, PUBLISHER_LEN);
	pg_array_put(&c[1], row->product, WIRE_ID_LEN);
	pg_array_put(&c[2], row->cmid, WIRE_ID_LEN);
	pg_array_put(&c[3], row->machine, WIRE_ID_LEN);
	pg_array_put(&c[4], row->name, strlen(row->name));
	pg_array_put_int(&c[5], row->state);
	pg_array_put_int(&c[6], row->threshold);
	pg_array_put_int(&c[7], row->first_unix_s);
	pg_array_put_int(&c[8], row->last_unix_s);
	pg_array_put_int(&c[9], row->count);
	pg_array_put_int(&c[10], (int64_t)row->contacts);
	pg_array_put(&c[11], row->address, TURN_ADDRESS_LEN);
	pg_array_put(&c[12], &is_duplicate, 1);
	pg_array_put(&c[13], row->other_machine, WIRE_ID_LEN);
	pg_array_put(&c[14], row->other_name, strlen(row->other_name));
	pg_array_put(&c[15], chain, CLIENT_CHAIN_LEN);
	pg_array_put(&c[16], row->host, strlen(row->host));
	pg_array_put_int(&c[17], row->twin_unix_s);
	pg_array_put_int(&c[18], row->granted_unix_s);
}

bool
pg_fixed(const PGresult *res, int i, int column, void *out, size_t len)
{
	if (PQgetisnull(res, i, column) != 0 ||
	    (size_t)PQgetlength(res, i, column) != len)
		return false;
	memcpy(out, PQgetvalue(res, i, column), len);
	return true;
}

static bool
name(const PGresult *res, int i, int column, char *out)
{
	int len = PQgetlength(res, i, column);
	const char *text = PQgetvalue(res, i, column);

	if (PQgetisnull(res, i, column) != 0 || len > WIRE_NAME_MAX ||
	    memchr(text, 0, (size_t)len) != NULL)
		return false;
	/* as on the wire: whoever lists it need not quote it */
	for (int k = 0; k < len; k++) {
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"
		           "yz0123456789._-",
		        text[k]) == NULL)
			return false;
	}
	memcpy(out, text, (size_t)len);
	out[len] = '\0';
	return true;
}

bool
pg_number(const PGresult *res, int i, int column, int64_t max, int64_t *out)
{
	char bytes[8];

	/* a time or a fraction has as many bytes */
	if (PQftype(res, column) != OID_INT8 ||
	    !pg_fixed(res, i, column, bytes, sizeof(bytes)))
		return false;
	*out = (int64_t)get_u64(bytes);
	return *out >= 0 && *out <= max;
}

/* A host of migration 2 says that there are two machines, and not since when;
 * as for migration 3, they were there at the last contact. */
static uint32_t
twin_of(const struct store_client *row, bool is_duplicate, int64_t twin_unix_s)
{
	if (twin_unix_s == 0 && is_duplicate)
		twin_unix_s = row->last_unix_s;
	return twin_unix_s > UINT32_MAX ? UINT32_MAX : (uint32_t)twin_unix_s;
}

bool
pg_read_client(const PGresult *res, int i, struct store_client *row)
{
	uint8_t chain[CLIENT_CHAIN_LEN];
	uint8_t is_duplicate;
	int64_t state, threshold, count, contacts, twin_unix_s;
	bool is_good;

	memset(row, 0, sizeof(*row));
	is_good = PQnfields(res) == PG_COLUMNS &&
	    pg_fixed(res, i, 0, row->publisher, PUBLISHER_LEN) &&
	    pg_fixed(res, i, 1, row->product, WIRE_ID_LEN) &&
	    pg_fixed(res, i, 2, row->cmid, WIRE_ID_LEN) &&
	    pg_fixed(res, i, 3, row->machine, WIRE_ID_LEN) &&
	    name(res, i, 4, row->name) &&
	    pg_number(res, i, 5, WIRE_NOTIFICATION, &state) &&
	    pg_number(res, i, 6, UINT32_MAX, &threshold) &&
	    pg_number(res, i, 7, INT64_MAX, &row->first_unix_s) &&
	    pg_number(res, i, 8, INT64_MAX, &row->last_unix_s) &&
	    pg_number(res, i, 9, UINT32_MAX, &count) &&
	    pg_number(res, i, 10, INT64_MAX, &contacts) &&
	    pg_fixed(res, i, 11, row->address, TURN_ADDRESS_LEN) &&
	    pg_fixed(res, i, 12, &is_duplicate, 1) &&
	    pg_fixed(res, i, 13, row->other_machine, WIRE_ID_LEN) &&
	    name(res, i, 14, row->other_name) &&
	    pg_fixed(res, i, 15, chain, CLIENT_CHAIN_LEN) &&
	    client_chain_decode(chain, &row->chain) && contacts > 0 &&
	    name(res, i, 16, row->host) &&
	    pg_number(res, i, 17, UINT32_MAX, &twin_unix_s) &&
	    pg_number(res, i, 18, INT64_MAX, &row->granted_unix_s);
	if (!is_good)
		return false;
	row->state = (enum wire_state)state;
	row->threshold = (uint32_t)threshold;
	row->count = (uint32_t)count;
	row->contacts = (uint64_t)contacts;
	row->twin_unix_s = twin_of(row, is_duplicate != 0, twin_unix_s);
	client_see_granted(row);
	return true;
}
