/* SPDX-License-Identifier: MIT */
/* pg_write.c -- the second round trip: what is written; see pg.h. */
#include "store/pg.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { OID_INT8 = 20, OID_UUID = 2950 };

/* A statement on a group: publisher, number, and up to 5 more values. */
struct call {
	uint8_t numbers[6][8];
	const char *values[7];
	int lens[7];
	int n;
};

static void
call_begin(struct call *call, const struct cache *c)
{
	pg_put_u64(call->numbers[0], c->group);
	call->values[0] = (const char *)c->publisher;
	call->lens[0] = PUBLISHER_LEN;
	call->values[1] = (const char *)call->numbers[0];
	call->lens[1] = 8;
	call->n = 2;
}

static void
call_int(struct call *call, int64_t v)
{
	uint8_t *at = call->numbers[call->n - 1];

	pg_put_u64(at, (uint64_t)v);
	call->values[call->n] = (const char *)at;
	call->lens[call->n++] = 8;
}

static void
call_array(struct call *call, struct pg_array *a)
{
	pg_array_end(a);
	call->values[call->n] = (const char *)a->p;
	call->lens[call->n++] = (int)a->len;
}

static int
call_send(struct pg_store *p, struct call *call, enum pg_stmt id,
    unsigned *n_sent)
{
	(*n_sent)++;
	return pg_send(&p->link, id, call->n, call->values, call->lens);
}

static int
in_order(const void *a, const void *b)
{
	return clients_compare(*(const struct store_client *const *)a,
	    *(const struct store_client *const *)b);
}

/* In the order of their keys: a host whose catalogue has a product in another
 * group locks the same rows by another group's row, and may meet us here. */
int
pg_write_clients(struct pg_store *p, unsigned *n_sent)
{
	const struct store_client *rows[PG_ROWS_MAX];
	const char *values[PG_COLUMNS];
	int lens[PG_COLUMNS];

	if (p->rows.n == 0)
		return 0;
	assert(p->rows.n <= PG_ROWS_MAX);
	for (uint32_t i = 0; i < p->rows.n; i++)
		rows[i] = &p->rows.rows[i];
	qsort(rows, p->rows.n, sizeof(rows[0]), in_order);
	pg_begin_client_columns(p);
	for (uint32_t i = 0; i < p->rows.n; i++) {
		pg_put_client(p, rows[i]);
		p->n_inserted += rows[i]->contacts == 1;
	}
	for (int i = 0; i < PG_COLUMNS; i++) {
		pg_array_end(&p->columns[i]);
		values[i] = (const char *)p->columns[i].p;
		lens[i] = (int)p->columns[i].len;
	}
	(*n_sent)++;
	return pg_send(&p->link, PG_PUT_CLIENTS, PG_COLUMNS, values, lens);
}

static int
delete_records(struct pg_store *p, const struct cache *c, unsigned *n_sent)
{
	struct call call;

	if (p->columns[3].n == 0)
		return 0;
	call_begin(&call, c);
	call_array(&call, &p->columns[3]);
	return call_send(p, &call, PG_DELETE, n_sent);
}

static int
insert_records(struct pg_store *p, const struct cache *c, unsigned *n_sent)
{
	struct call call;

	if (p->columns[0].n == 0)
		return 0;
	call_begin(&call, c);
	for (int k = 0; k < 3; k++)
		call_array(&call, &p->columns[k]);
	return call_send(p, &call, PG_INSERT, n_sent);
}

static void
begin_records(struct pg_store *p)
{
	pg_array_begin(&p->columns[0], OID_UUID);
	for (int k = 1; k <= 3; k++)
		pg_array_begin(&p->columns[k], OID_INT8);
}

/* Old places out, then new ones in: a repaired record keeps its seq. */
static int
send_records(struct pg_store *p, const struct cache *c, unsigned *n_sent)
{
	int err = delete_records(p, c, n_sent);

	if (err == 0)
		err = insert_records(p, c, n_sent);
	begin_records(p);
	return err;
}

static int
write_records(struct pg_store *p, struct pg_group *g, const struct cache *c,
    unsigned *n_sent)
{
	struct count_row row;
	uint64_t stored;
	uint32_t iter = 0;
	bool repairs = false;
	int err = 0;

	begin_records(p);
	for (uint32_t i = 0; i < c->count.n_cleaned; i++)
		pg_array_put_int(&p->columns[3], (int64_t)c->count.cleaned[i]);
	while (err == 0 && count_next_dirty(&c->count, &iter, &row, &stored)) {
		repairs |= stored == row.seq;
		pg_array_put(&p->columns[0], row.cmid, COUNT_CMID_LEN);
		pg_array_put_int(&p->columns[1], (int64_t)row.seq);
		pg_array_put_int(&p->columns[2], row.seen_unix_s);
		if (stored != 0)
			pg_array_put_int(&p->columns[3], (int64_t)stored);
		if (p->columns[0].n == PG_ROWS_MAX ||
		    p->columns[3].n >= PG_ROWS_MAX)
			err = send_records(p, c, n_sent);
	}
	/* nobody finds by seq what changed without a new one */
	g->epoch += repairs;
	return err == 0 ? send_records(p, c, n_sent) : err;
}

/* Others drop the same by their own copies, unless it was only a part. */
static void
note_cleaning(const struct pg_store *p, struct pg_group *g,
    const struct cache *c)
{
	struct count_row row;
	uint32_t iter = 0;

	if (c->count.n_cleaned == 0)
		return;
	/* who missed an earlier one would drop less than that one did */
	g->epoch += p->base.shared_unix_s < g->cleaned;
	g->cleaned = p->base.shared_unix_s;
	while (count_next(&c->count, &iter, &row)) {
		if (count_is_old(&row, p->base.shared_unix_s)) {
			g->epoch++;
			return;
		}
	}
}

int
pg_write_group(struct pg_store *p, uint32_t index, unsigned *n_sent)
{
	const struct cache *c = p->base.caches[index];
	struct pg_group *g = &p->groups[index];
	uint64_t oldest = count_oldest(&c->count);
	struct call call;
	int err = 0;

	if (oldest == UINT64_MAX)
		oldest = c->seq + 1;
	if (c->count.has_evicted) {
		call_begin(&call, c);
		call_int(&call, (int64_t)g->floor);
		call_int(&call, (int64_t)oldest);
		err = call_send(p, &call, PG_BELOW, n_sent);
	}
	if (err == 0)
		err = write_records(p, g, c, n_sent);
	if (err != 0)
		return err;
	g->floor = oldest;
	note_cleaning(p, g, c);
	call_begin(&call, c);
	call_int(&call, c->capacity);
	call_int(&call, (int64_t)c->seq);
	call_int(&call, (int64_t)g->floor);
	call_int(&call, g->cleaned);
	call_int(&call, g->epoch);
	g->is_written = true;
	return call_send(p, &call, PG_GROUP, n_sent);
}
