/* SPDX-License-Identifier: MIT */
/*
 * pg_upkeep.c -- the statements, and the inventory's bounds (b5); see pg.h.
 *
 * The inventory is counted and thinned out in a transaction of its own, by one
 * host at a time, so that no batch waits for it.
 */
#include "store/pg.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define KEY PG_CLIENT_KEY
#define COLUMNS PG_CLIENT_COLUMNS

const char *const pg_statements[PG_STMTS] = {
    [PG_BEGIN] = "BEGIN",
    [PG_COMMIT] = "COMMIT",
    [PG_ROLLBACK] = "ROLLBACK",
    /* a commit that is ended by a time-out looks like one that succeeded */
    [PG_PATIENCE] = "SET LOCAL statement_timeout = 0",
    [PG_EARLY] = "SET LOCAL synchronous_commit = off",
    [PG_ADD] = "INSERT INTO grp (publisher, grp)"
               " SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS k (a, b)"
               " ORDER BY a, b ON CONFLICT DO NOTHING",
    [PG_LOCK] = "SELECT publisher, grp, capacity, seq, floor, cleaned, epoch"
                " FROM grp WHERE (publisher, grp) IN"
                " (SELECT * FROM unnest($1::uuid[], $2::bigint[]))"
                " ORDER BY publisher, grp FOR UPDATE OF grp",
    [PG_LOOK_BEGIN] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    [PG_LOOK] = "SELECT publisher, grp, capacity, seq, floor, cleaned, epoch"
                " FROM grp WHERE (publisher, grp) IN"
                " (SELECT * FROM unnest($1::uuid[], $2::bigint[]))",
    [PG_CLOCK] = "SELECT clock()",
    [PG_NEW] = "SELECT cmid, seq, seen FROM cache"
               " WHERE publisher = $1::uuid AND grp = $2::bigint"
               " AND seq > $3::bigint ORDER BY seq LIMIT 16384",
    [PG_CLIENTS] = "SELECT " COLUMNS " FROM client"
                   " WHERE (" KEY ") IN"
                   " (SELECT * FROM unnest($1::uuid[], $2::uuid[],"
                   " $3::uuid[]))",
    [PG_PUT_CLIENTS] =
        "INSERT INTO client (" COLUMNS ")"
        " SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[],"
        " $4::uuid[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],"
        " $9::bigint[], $10::bigint[], $11::bigint[], $12::bytea[],"
        " $13::boolean[], $14::uuid[], $15::text[], $16::bytea[],"
        " $17::text[], $18::bigint[], $19::bigint[])"
        " ON CONFLICT (" KEY ") DO UPDATE SET"
        " machine = excluded.machine, name = excluded.name,"
        " state = excluded.state, threshold = excluded.threshold,"
        " first = excluded.first, last = excluded.last,"
        " count = excluded.count, contacts = excluded.contacts,"
        " address = excluded.address, is_duplicate = excluded.is_duplicate,"
        " other_machine = excluded.other_machine,"
        " other_name = excluded.other_name, chain = excluded.chain,"
        " host = excluded.host, twin = excluded.twin,"
        " granted = excluded.granted",
    [PG_DELETE] = "DELETE FROM cache WHERE publisher = $1::uuid"
                  " AND grp = $2::bigint AND seq = ANY($3::bigint[])",
    [PG_BELOW] = "DELETE FROM cache WHERE publisher = $1::uuid"
                 " AND grp = $2::bigint AND seq >= $3::bigint"
                 " AND seq < $4::bigint",
    [PG_INSERT] = "INSERT INTO cache (publisher, grp, cmid, seq, seen)"
                  " SELECT $1::uuid, $2::bigint, k.* FROM"
                  " unnest($3::uuid[], $4::bigint[], $5::bigint[]) AS k",
    [PG_GROUP] = "UPDATE grp SET capacity = $3::bigint, seq = $4::bigint,"
                 " floor = $5::bigint, cleaned = $6::bigint,"
                 " epoch = $7::bigint"
                 " WHERE publisher = $1::uuid AND grp = $2::bigint",
    [PG_UPKEEP_LOCK] = "SELECT pg_try_advisory_xact_lock("
                       "hashtext('muster ' || current_schema()))",
    [PG_EXPIRE] = "DELETE FROM client WHERE (" KEY ") IN"
                  " (SELECT " KEY " FROM client"
                  " WHERE renewed = ANY('{f,t}') AND last <= $1::bigint"
                  " AND day <= $1::bigint / 86400 LIMIT $2::bigint"
                  " FOR UPDATE SKIP LOCKED)",
    [PG_EVICT] = "DELETE FROM client WHERE (" KEY ") IN"
                 " (SELECT " KEY " FROM client"
                 " ORDER BY renewed, day, last, " KEY " LIMIT $1::bigint"
                 " FOR UPDATE SKIP LOCKED)",
    [PG_COUNT] = "SELECT count(*) FROM client",
};

/* A statement of upkeep by itself; the rows that it changed. */
static int
run(struct pg_store *p, enum pg_stmt id, const int64_t *numbers, int n,
    PGresult **res_out)
{
	uint8_t bytes[2][8];
	const char *values[2] = {(const char *)bytes[0],
	    (const char *)bytes[1]};
	const int lens[2] = {8, 8};
	int err;

	for (int i = 0; i < n; i++)
		pg_put_u64(bytes[i], (uint64_t)numbers[i]);
	p->link.deadline_ms = clock_mono_ms() + PG_BATCH_MS;
	err = pg_send(&p->link, id, n, values, lens);
	if (err == 0)
		err = pg_sync(&p->link);
	if (err == 0)
		err = pg_take(&p->link, res_out);
	if (err == 0)
		err = pg_drain(&p->link);
	return err;
}

static int
run_changing(struct pg_store *p, enum pg_stmt id, const int64_t *numbers, int n,
    int64_t *n_out)
{
	PGresult *res = NULL;
	int err = run(p, id, numbers, n, &res);

	*n_out = err == 0 ? atoll(PQcmdTuples(res)) : 0;
	PQclear(res);
	return err;
}

/* Each time the whole index is read: only where there may be too many, if as
 * many hosts as are thought of have added as much as this one. */
static bool
may_be_full(const struct pg_store *p)
{
	return p->n_inserted > p->base.rows_max / 1000 &&
	    p->n_clients + PG_HOSTS * (int64_t)p->n_inserted > p->base.rows_max;
}

static int
count_clients(struct pg_store *p, int64_t now_unix_s)
{
	int64_t age_s = now_unix_s - p->counted_unix_s;
	PGresult *res = NULL;
	int err;

	if (p->n_clients >= 0 && !may_be_full(p) && age_s >= 0 &&
	    age_s < PG_COUNT_S)
		return 0;
	err = run(p, PG_COUNT, NULL, 0, &res);
	if (err == 0 && !pg_number(res, 0, 0, INT64_MAX, &p->n_clients))
		err = pg_damaged(p, "the number of clients");
	if (err == 0) {
		p->n_inserted = 0;
		p->counted_unix_s = now_unix_s;
	}
	PQclear(res);
	return err;
}

/* b5: past retention, then beyond the limit of rows; a piece of both. */
static int
drop_piece(struct pg_store *p, int64_t now_unix_s, bool *has_more)
{
	int64_t args[2] = {now_unix_s - p->base.retention_s, STORE_PIECE};
	int64_t n = 0, over;
	int err = run_changing(p, PG_EXPIRE, args, 2, &n);

	p->n_clients -= n < p->n_clients ? n : 0;
	if (err == 0)
		err = count_clients(p, now_unix_s);
	if (err != 0)
		return err;
	args[0] = p->n_clients - p->base.rows_max;
	if (args[0] > STORE_PIECE - n)
		args[0] = STORE_PIECE - n;
	if (args[0] > 0) {
		err = run_changing(p, PG_EVICT, args, 1, &over);
		p->n_clients -= over;
		n += over;
	}
	*has_more = n >= STORE_PIECE;
	return err;
}

static int
thin_out(struct pg_store *p, bool *has_more)
{
	PGresult *res = NULL;
	uint8_t is_mine = 0;
	int64_t n, clock_unix_s;
	int err = run_changing(p, PG_BEGIN, NULL, 0, &n);

	p->is_open = true;
	if (err == 0)
		err = run(p, PG_UPKEEP_LOCK, NULL, 0, &res);
	if (err == 0 && pg_fixed(res, 0, 0, &is_mine, 1) && is_mine != 0) {
		PQclear(res);
		res = NULL;
		err = run(p, PG_CLOCK, NULL, 0, &res);
		if (err == 0)
			err = pg_read_clock(p, res, &clock_unix_s);
		if (err == 0)
			err = drop_piece(p, clock_unix_s, has_more);
	}
	PQclear(res);
	if (err == 0)
		err = run_changing(p, PG_COMMIT, NULL, 0, &n);
	if (err == 0)
		p->is_open = false;
	return err;
}

static bool
is_time(const struct pg_store *p, int64_t now_unix_s)
{
	int64_t age_s = now_unix_s - p->upkept_unix_s;

	return p->has_more || age_s < 0 || age_s >= PG_UPKEEP_S ||
	    may_be_full(p);
}

/* Is something to be written that no batch would bring along? */
static bool
owes_writing(const struct pg_store *p, bool has_looked)
{
	for (uint32_t i = 0; i < p->base.n_caches; i++) {
		const struct cache *c = p->base.caches[i];
		struct count_row row;
		uint32_t iter = 0;

		if (c->is_changed || count_is_dirty(&c->count))
			return true;
		while (has_looked && count_next(&c->count, &iter, &row)) {
			if (count_is_old(&row, p->base.shared_unix_s))
				return true;
		}
	}
	return false;
}

/* Copies as they stand; the locks only when there is something to write, or
 * when nobody has come to find out whether that can be done again. */
static int
look_or_lock(struct pg_store *p, int64_t now_unix_s, bool *flushes_out)
{
	bool wanted[STORE_GROUPS_MAX];
	bool proves =
	    p->write_err != 0 && clock_mono_ms() - p->write_ms >= PG_PROVE_MS;
	bool owes = proves || owes_writing(p, false);
	int err = 0;

	memset(wanted, 1, sizeof(wanted));
	clients_clear(&p->rows);
	if (!owes) {
		err = pg_look(p, &p->base.shared_unix_s);
		owes = err == 0 && owes_writing(p, true);
	}
	p->link.deadline_ms = clock_mono_ms() + PG_BATCH_MS;
	if (owes)
		err = pg_open_transaction(p, wanted, NULL, 0,
		    &p->base.shared_unix_s);
	if (err == 0 && owes && p->write_err != 0)
		err = pg_check_clock(p, now_unix_s);
	if (err == 0 && !owes && p->write_err != 0) {
		p->base.diag = p->write_diag;
		err = p->write_err;
	}
	*flushes_out = owes;
	return err;
}

int
pg_upkeep(struct store *s, int64_t now_unix_s, struct store_step *step_out)
{
	struct pg_store *p = pg_of(s);
	int err = 0;

	if (is_time(p, now_unix_s)) {
		p->has_more = false;
		err = thin_out(p, &p->has_more);
		p->upkept_unix_s = now_unix_s;
		p->upkept_ms = clock_mono_ms();
	}
	p->link.deadline_ms = clock_mono_ms() + PG_BATCH_MS;
	if (err == 0 && s->n_caches > 0)
		err = look_or_lock(p, now_unix_s, &step_out->flushes);
	if (err != 0)
		return err;
	step_out->now_unix_s = p->base.shared_unix_s;
	step_out->has_more = p->has_more;
	return 0;
}
