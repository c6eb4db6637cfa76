/* SPDX-License-Identifier: MIT */
/*
 * pg_read.c -- the inventory read, each time by a connection of its own; see
 * pg.h.
 */
#include "store/pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"

#define SQL_MAX 1600 /* two statements with all columns and a key */

static int
ask(struct pg_link *link, const char *text, PGresult **res_out)
{
	int err;

	link->deadline_ms = clock_mono_ms() + PG_BATCH_MS;
	err = pg_ask_text(link, text, res_out);
	return err == 0 ? pg_drain(link) : err;
}

static int
list(struct pg_link *link, store_client_fn *fn, void *arg)
{
	struct store_client row;
	PGresult *res = NULL;
	int n = 1;
	int err =
	    ask(link, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", &res);

	PQclear(res);
	res = NULL;
	if (err == 0)
		err = ask(link,
		    "DECLARE c NO SCROLL CURSOR FOR SELECT " PG_CLIENT_COLUMNS
		    " FROM client",
		    &res);
	PQclear(res);
	while (err == 0 && n > 0) {
		res = NULL;
		err = ask(link, "FETCH " PG_FETCH " FROM c", &res);
		n = err == 0 ? PQntuples(res) : 0;
		for (int i = 0; i < n && err == 0; i++) {
			if (pg_read_client(res, i, &row))
				fn(arg, &row);
			else
				err = MUSTER_E_DAMAGED;
		}
		PQclear(res);
	}
	return err;
}

/* How a reader ended: why, where it failed, for whoever asked it. */
static int
ended(const struct pg_store *p, struct store_diag *diag, int err)
{
	if (err == 0)
		return 0;
	err = pg_as_schema(diag, p->schema, err);
	(void)pthread_mutex_lock(&p->aside->lock);
	p->aside->diag = *diag;
	(void)pthread_mutex_unlock(&p->aside->lock);
	return err == MUSTER_E_CONNECT || err == MUSTER_E_SCHEMA
	    ? MUSTER_E_AGAIN
	    : err;
}

void
pg_aside_diag(const struct store *s, struct store_diag *out)
{
	struct pg_aside *aside = ((const struct pg_store *)s)->aside;

	(void)pthread_mutex_lock(&aside->lock);
	*out = aside->diag;
	aside->diag = (struct store_diag){""};
	(void)pthread_mutex_unlock(&aside->lock);
}

int
pg_list(const struct store *s, store_client_fn *fn, void *arg)
{
	const struct pg_store *p = (const struct pg_store *)s;
	struct store_diag diag = {""};
	struct pg_link link = {.diag = &diag};
	int err = pg_link_open(&link, p->address, p->schema);

	if (err == 0)
		err = list(&link, fn, arg);
	pg_link_close(&link);
	return ended(p, &diag, err);
}

int
pg_list_here(struct store *s, store_client_fn *fn, void *arg)
{
	return pg_list(s, fn, arg);
}

/* ---- a piece of it ---- */

/* The rows of an answer, and the last of them. */
static int
take_rows(struct pg_link *link, const char *text, store_client_fn *fn,
    void *arg, struct store_client *last_out, int *n_out)
{
	PGresult *res = NULL;
	int err = ask(link, text, &res);

	*n_out = err == 0 ? PQntuples(res) : 0;
	for (int i = 0; i < *n_out && err == 0; i++) {
		if (pg_read_client(res, i, last_out))
			fn(arg, last_out);
		else
			err = MUSTER_E_DAMAGED;
	}
	PQclear(res);
	return err;
}

/* As a row: ('publisher', 'product', 'cmid'). */
static void
write_key(char *out, size_t cap, const struct store_client *key)
{
	char publisher[2 * PUBLISHER_LEN + 1];
	char product[2 * WIRE_ID_LEN + 1], cmid[2 * WIRE_ID_LEN + 1];

	hex_encode(key->publisher, PUBLISHER_LEN, publisher);
	hex_encode(key->product, WIRE_ID_LEN, product);
	hex_encode(key->cmid, WIRE_ID_LEN, cmid);
	(void)snprintf(out, cap, "'%s', '%s', '%s'", publisher, product, cmid);
}

/* Those seen once or those seen again: the index has them apart, by day. */
static int
write_half(char *out, size_t cap, const struct store_recent *ask, bool again)
{
	const char *way = ask->is_desc ? "DESC" : "ASC";
	const char *than = ask->is_desc ? "<" : ">";
	char where[240] = "", key[160];

	if (ask->has_after) {
		write_key(key, sizeof(key), &ask->after);
		(void)snprintf(where, sizeof(where),
		    " AND day %s= %lld / 86400"
		    " AND (last, " PG_CLIENT_KEY ") %s (%lld, %s)",
		    than, (long long)ask->after.last_unix_s, than,
		    (long long)ask->after.last_unix_s, key);
	}
	return snprintf(out, cap,
	    "(SELECT " PG_CLIENT_COLUMNS " FROM client WHERE renewed = '%c'%s"
	    " ORDER BY day %s, last %s, publisher %s, product %s, cmid %s"
	    " LIMIT %u)",
	    again ? 't' : 'f', where, way, way, way, way, way, ask->max);
}

static int
count_rows(struct pg_link *link, uint64_t *total_out)
{
	PGresult *res = NULL;
	int64_t n = 0;
	int err = ask(link, "SELECT count(*) FROM client", &res);

	if (err == 0 && !pg_number(res, 0, 0, INT64_MAX, &n))
		err = MUSTER_E_DAMAGED;
	*total_out = (uint64_t)n;
	PQclear(res);
	return err;
}

int
pg_recent(const struct store *s, const struct store_recent *ask,
    store_client_fn *fn, void *arg, uint64_t *total_out)
{
	const struct pg_store *p = (const struct pg_store *)s;
	const char *way = ask->is_desc ? "DESC" : "ASC";
	struct store_diag diag = {""};
	struct pg_link link = {.diag = &diag};
	struct store_client last;
	char text[SQL_MAX];
	int len = write_half(text, sizeof(text), ask, false);
	int n, err;

	len += snprintf(text + len, sizeof(text) - (size_t)len, " UNION ALL ");
	len += write_half(text + len, sizeof(text) - (size_t)len, ask, true);
	(void)snprintf(text + len, sizeof(text) - (size_t)len,
	    " ORDER BY last %s, publisher %s, product %s, cmid %s LIMIT %u",
	    way, way, way, way, ask->max);
	err = pg_link_open(&link, p->address, p->schema);
	if (err == 0)
		err = take_rows(&link, text, fn, arg, &last, &n);
	if (err == 0)
		err = count_rows(&link, total_out);
	pg_link_close(&link);
	return ended(p, &diag, err);
}

/* ---- all of it, with rests ---- */

struct pg_scan {
	struct store_scan base;
	struct pg_link link;
	struct store_diag diag;
};

int
pg_scan_open(const struct store *s, struct store_scan **scan_out)
{
	const struct pg_store *p = (const struct pg_store *)s;
	struct pg_scan *scan = calloc(1, sizeof(*scan));
	int err;

	if (scan == NULL)
		return MUSTER_E_NOMEM;
	scan->link.diag = &scan->diag;
	err = pg_link_open(&scan->link, p->address, p->schema);
	if (err == 0) {
		*scan_out = &scan->base;
		return 0;
	}
	err = ended(p, &scan->diag, err);
	pg_scan_close(&scan->base);
	return err;
}

int
pg_scan_next(struct store_scan *base, uint32_t max, store_client_fn *fn,
    void *arg, bool *is_over_out)
{
	struct pg_scan *scan = (struct pg_scan *)(void *)base;
	char text[SQL_MAX], key[160], where[240] = "";
	int n = 0, err;

	if (base->has_at) {
		write_key(key, sizeof(key), &base->at);
		(void)snprintf(where, sizeof(where),
		    " WHERE (" PG_CLIENT_KEY ") > (%s)", key);
	}
	(void)snprintf(text, sizeof(text),
	    "SELECT " PG_CLIENT_COLUMNS " FROM client%s"
	    " ORDER BY " PG_CLIENT_KEY " LIMIT %u",
	    where, max);
	err = take_rows(&scan->link, text, fn, arg, &base->at, &n);
	base->has_begun = true;
	base->has_at |= n > 0;
	*is_over_out = (uint32_t)n < max;
	return err == MUSTER_E_CONNECT ? MUSTER_E_AGAIN : err;
}

void
pg_scan_close(struct store_scan *base)
{
	struct pg_scan *scan = (struct pg_scan *)(void *)base;

	pg_link_close(&scan->link);
	free(scan);
}
