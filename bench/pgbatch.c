/* SPDX-License-Identifier: MIT */
/*
 * pgbatch.c -- what a host's batch costs on a PostgreSQL server, without a
 * host: the same statements with as many rows, in the same two round trips,
 * by libpq alone.  Nothing is decoded, counted or signed; and it commits in one
 * step, since nobody waits for its rows.
 *
 * usage: bench_pgbatch ADDRESS SCHEMA ROWS CLIENTS SECONDS
 */
#include <sodium.h>

#include "base/clock.h"
#include "store/pg.h"
#include "tool.h"

#define CLIENTS_MAX 1000000
#define SECONDS_MAX 600
#define COLUMN_LEN ((size_t)64 * 1024)
#define CACHED 2 /* the bench's products are activated from one machine on */
#define BATCHES_MAX 1000000
#define WARM_NS 500000000

enum { OID_INT8 = 20, OID_UUID = 2950 };

struct run {
	struct pg_store pg;
	struct store_client row;
	uint8_t publisher[PUBLISHER_LEN];
	uint32_t rows, clients, next;
	int64_t seq; /* of the cache, and the oldest in it */
	int64_t floor;
};

/* A client's number as its CMID. */
static void
name_client(struct run *r, uint32_t i)
{
	memset(r->row.cmid, 0, sizeof(r->row.cmid));
	pg_put_u64(r->row.cmid + 8, (r->next + i) % r->clients + 1);
}

static int
send_columns(struct run *r, enum pg_stmt id, int from, int n)
{
	const char *values[PG_COLUMNS];
	int lens[PG_COLUMNS];

	for (int i = 0; i < n; i++) {
		pg_array_end(&r->pg.columns[from + i]);
		values[i] = (const char *)r->pg.columns[from + i].p;
		lens[i] = (int)r->pg.columns[from + i].len;
	}
	return pg_send(&r->pg.link, id, n, values, lens);
}

/* A statement on the group: numbers, then arrays. */
static int
send_group(struct run *r, enum pg_stmt id, const int64_t *numbers, int n,
    struct pg_array *arrays, int n_arrays)
{
	uint8_t bytes[6][8];
	const char *values[8] = {(const char *)r->publisher};
	int lens[8] = {PUBLISHER_LEN};
	int at = 1;

	pg_put_u64(bytes[0], 1);
	for (int i = 0; i <= n; i++, at++) {
		if (i > 0)
			pg_put_u64(bytes[i], (uint64_t)numbers[i - 1]);
		values[at] = (const char *)bytes[i];
		lens[at] = 8;
	}
	for (int i = 0; i < n_arrays; i++, at++) {
		pg_array_end(&arrays[i]);
		values[at] = (const char *)arrays[i].p;
		lens[at] = (int)arrays[i].len;
	}
	return pg_send(&r->pg.link, id, at, values, lens);
}

static int
take(struct run *r, int n)
{
	int err = 0;

	for (int i = 0; i < n && err == 0; i++)
		err = pg_done(&r->pg.link);
	return err == 0 ? pg_drain(&r->pg.link) : err;
}

/* Locks, and what is to be read. */
static int
first_trip(struct run *r, bool adds)
{
	struct pg_array *c = r->pg.columns;
	int err = pg_send(&r->pg.link, PG_BEGIN, 0, NULL, NULL);

	for (int pass = adds ? 0 : 1; pass < 2 && err == 0; pass++) {
		pg_array_begin(&c[0], OID_UUID);
		pg_array_begin(&c[1], OID_INT8);
		pg_array_put(&c[0], r->publisher, PUBLISHER_LEN);
		pg_array_put_int(&c[1], 1);
		err = send_columns(r, pass == 0 ? PG_ADD : PG_LOCK, 0, 2);
	}
	if (err == 0)
		err = pg_send(&r->pg.link, PG_CLOCK, 0, NULL, NULL);
	if (err == 0)
		err = send_group(r, PG_NEW, &r->seq, 1, NULL, 0);
	for (int k = 0; k < 3; k++)
		pg_array_begin(&c[k], OID_UUID);
	for (uint32_t i = 0; i < r->rows; i++) {
		name_client(r, i);
		pg_array_put(&c[0], r->publisher, PUBLISHER_LEN);
		pg_array_put(&c[1], r->row.product, WIRE_ID_LEN);
		pg_array_put(&c[2], r->row.cmid, WIRE_ID_LEN);
	}
	if (err == 0)
		err = send_columns(r, PG_CLIENTS, 0, 3);
	if (err == 0)
		err = pg_sync(&r->pg.link);
	return err == 0 ? take(r, adds ? 6 : 5) : err;
}

static int
put_cache(struct run *r)
{
	struct pg_array *c = r->pg.columns;
	int64_t seqs[2] = {r->floor, r->seq + r->rows - CACHED + 1};
	int64_t group[5] = {CACHED, r->seq + r->rows, seqs[1], 0, 0};
	int err;

	pg_array_begin(&c[0], OID_UUID);
	pg_array_begin(&c[1], OID_INT8);
	pg_array_begin(&c[2], OID_INT8);
	for (uint32_t i = r->rows - CACHED; i < r->rows; i++) {
		name_client(r, i);
		pg_array_put(&c[0], r->row.cmid, WIRE_ID_LEN);
		pg_array_put_int(&c[1], r->seq + i + 1);
		pg_array_put_int(&c[2], r->row.last_unix_s);
	}
	err = send_group(r, PG_BELOW, seqs, 2, NULL, 0);
	if (err == 0)
		err = send_group(r, PG_INSERT, NULL, 0, c, 3);
	if (err == 0)
		err = send_group(r, PG_GROUP, group, 5, NULL, 0);
	r->floor = seqs[1];
	r->seq += r->rows;
	return err;
}

static int
second_trip(struct run *r)
{
	int err;

	pg_begin_client_columns(&r->pg);
	for (uint32_t i = 0; i < r->rows; i++) {
		name_client(r, i);
		pg_put_client(&r->pg, &r->row);
	}
	err = send_columns(r, PG_PUT_CLIENTS, 0, PG_COLUMNS);
	if (err == 0)
		err = put_cache(r);
	if (err == 0)
		err = pg_send(&r->pg.link, PG_PATIENCE, 0, NULL, NULL);
	if (err == 0)
		err = pg_send(&r->pg.link, PG_COMMIT, 0, NULL, NULL);
	if (err == 0)
		err = pg_sync(&r->pg.link);
	r->next = (r->next + r->rows) % r->clients;
	return err == 0 ? take(r, 6) : err;
}

static int
one(struct run *r, bool adds)
{
	int err;

	r->pg.link.deadline_ms = clock_mono_ms() + PG_BATCH_MS;
	err = first_trip(r, adds);
	return err == 0 ? second_trip(r) : err;
}

static int
prepare(struct run *r, const char *address, const char *schema)
{
	int err;

	randombytes_buf(r->publisher, sizeof(r->publisher));
	memcpy(r->row.publisher, r->publisher, sizeof(r->publisher));
	randombytes_buf(r->row.machine, sizeof(r->row.machine));
	(void)snprintf(r->row.name, sizeof(r->row.name), "bench");
	r->row.contacts = 2;
	r->row.first_unix_s = r->row.last_unix_s = time(NULL);
	r->pg.link.diag = &r->pg.base.diag;
	for (int i = 0; i < PG_COLUMNS; i++) {
		r->pg.columns[i].cap = COLUMN_LEN;
		r->pg.columns[i].p = malloc(COLUMN_LEN);
		if (r->pg.columns[i].p == NULL)
			return MUSTER_E_NOMEM;
	}
	err = pg_link_open(&r->pg.link, address, schema);
	return err != 0 ? err : pg_link_prepare(&r->pg.link, schema);
}

/* For so long, after the first of it, which is not counted. */
static int
measure(struct run *r, uint32_t seconds, int64_t *took_ns, size_t *n_out)
{
	const int64_t begin_ns = tool_now_ns() + WARM_NS;
	int64_t now_ns = tool_now_ns(), end_ns = now_ns;
	size_t n = 0;
	int err = one(r, true);

	while (err == 0 && n < BATCHES_MAX &&
	    now_ns - begin_ns < (int64_t)seconds * 1000000000) {
		now_ns = tool_now_ns();
		err = one(r, false);
		end_ns = tool_now_ns();
		if (now_ns >= begin_ns)
			took_ns[n++] = end_ns - now_ns;
	}
	if (err == 0 && n > 0)
		(void)printf("{\"per_s\":%.1f,\"batches\":%zu,",
		    (double)n * r->rows * 1e9 / (double)(end_ns - begin_ns), n);
	*n_out = n;
	return err;
}

int
main(int argc, char **argv)
{
	static struct run r;
	static int64_t took_ns[BATCHES_MAX];
	uint32_t seconds;
	size_t n = 0;
	int err;

	if (argc != 6 || sodium_init() < 0)
		return 2;
	r.rows = tool_number(argv[3], PG_ROWS_MAX);
	r.clients = tool_number(argv[4], CLIENTS_MAX);
	seconds = tool_number(argv[5], SECONDS_MAX);
	if (r.rows < CACHED || r.clients < r.rows || seconds == 0)
		return 2;
	err = prepare(&r, argv[1], argv[2]);
	if (err == 0)
		err = measure(&r, seconds, took_ns, &n);
	if (err != 0 || n == 0) {
		(void)fprintf(stderr, "bench_pgbatch: %s: %s\n",
		    muster_strerror(err), r.pg.base.diag.text);
		return 1;
	}
	tool_tell_times(took_ns, n);
	(void)puts("}");
	pg_link_close(&r.pg.link);
	return 0;
}
