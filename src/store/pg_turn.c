/* SPDX-License-Identifier: MIT */
/*
 * pg_turn.c -- the first round trip: locks, and what others have changed; see
 * pg.h.
 */
#include "store/pg.h"

#include <string.h>

#include "base/clock.h"
#include "base/paths.h"

enum { OID_INT8 = 20, OID_UUID = 2950 };

#define KEY_LEN (PUBLISHER_LEN + 8) /* of a group: publisher and number */

int
pg_damaged(struct pg_store *p, const char *what)
{
	pg_say(&p->base.diag,
	    "PostgreSQL: %s is not what a host has written; see who else "
	    "writes to schema %s",
	    what, p->schema);
	return MUSTER_E_AGAIN;
}

uint32_t
pg_group_index(const struct pg_store *p, const struct cache *c)
{
	uint32_t i = 0;

	while (p->base.caches[i] != c)
		i++;
	return i;
}

/* Publishers and numbers of groups as two columns. */
static void
group_columns(struct pg_store *p, const bool *wanted, bool only_new)
{
	struct pg_array *ids = &p->columns[0], *numbers = &p->columns[1];

	pg_array_begin(ids, OID_UUID);
	pg_array_begin(numbers, OID_INT8);
	for (uint32_t i = 0; i < p->base.n_caches; i++) {
		const struct cache *c = p->base.caches[i];

		if (!wanted[i] || (only_new && p->groups[i].is_known))
			continue;
		pg_array_put(ids, c->publisher, PUBLISHER_LEN);
		pg_array_put_int(numbers, c->group);
	}
	pg_array_end(ids);
	pg_array_end(numbers);
}

static bool
has_new_group(const struct pg_store *p, const bool *wanted)
{
	for (uint32_t i = 0; i < p->base.n_caches && !p->is_looking; i++) {
		if (wanted[i] && !p->groups[i].is_known)
			return true;
	}
	return false;
}

static int
send_columns(struct pg_store *p, enum pg_stmt id, int n)
{
	const char *values[PG_COLUMNS];
	int lens[PG_COLUMNS];

	for (int i = 0; i < n; i++) {
		values[i] = (const char *)p->columns[i].p;
		lens[i] = (int)p->columns[i].len;
	}
	return pg_send(&p->link, id, n, values, lens);
}

static int
send_new(struct pg_store *p, uint32_t index, uint64_t since)
{
	const struct cache *c = p->base.caches[index];
	uint8_t number[8], above[8];
	const char *values[] = {(const char *)c->publisher,
	    (const char *)number, (const char *)above};
	const int lens[] = {PUBLISHER_LEN, 8, 8};

	pg_put_u64(number, c->group);
	pg_put_u64(above, since);
	return pg_send(&p->link, PG_NEW, 3, values, lens);
}

static int
send_clients(struct pg_store *p, const struct turn_item *items, size_t n)
{
	for (int k = 0; k < 3; k++)
		pg_array_begin(&p->columns[k], OID_UUID);
	for (size_t i = 0; i < n; i++) {
		if (items[i].is_probe)
			continue;
		pg_array_put(&p->columns[0], items[i].publisher_id,
		    PUBLISHER_LEN);
		pg_array_put(&p->columns[1], items[i].args.product,
		    WIRE_ID_LEN);
		pg_array_put(&p->columns[2], items[i].args.cmid, WIRE_ID_LEN);
	}
	for (int k = 0; k < 3; k++)
		pg_array_end(&p->columns[k]);
	return send_columns(p, PG_CLIENTS, 3);
}

/* In the order in which answers() takes. */
static int
ask(struct pg_store *p, const bool *wanted, const struct turn_item *items,
    size_t n)
{
	int err = pg_send(&p->link, p->is_looking ? PG_LOOK_BEGIN : PG_BEGIN, 0,
	    NULL, NULL);

	p->is_open = true;
	if (err == 0 && has_new_group(p, wanted)) {
		group_columns(p, wanted, true);
		err = send_columns(p, PG_ADD, 2);
	}
	group_columns(p, wanted, false);
	if (err == 0)
		err = send_columns(p, p->is_looking ? PG_LOOK : PG_LOCK, 2);
	if (err == 0)
		err = pg_send(&p->link, PG_CLOCK, 0, NULL, NULL);
	for (uint32_t i = 0; i < p->base.n_caches && err == 0; i++) {
		if (wanted[i])
			err = send_new(p, i,
			    p->groups[i].is_current ? p->base.caches[i]->seq
			                            : 0);
	}
	if (err == 0)
		err = send_clients(p, items, n);
	return err == 0 ? pg_sync(&p->link) : err;
}

/* Another server of `store` may be right; this one is left alone a while. */
static int
behind(struct pg_store *p, int64_t seq, uint64_t proved)
{
	pg_say(&p->base.diag,
	    "PostgreSQL: the server %.60s port %.8s is behind: it has %lld of "
	    "%llu commits; name the right one, or start musterd anew to take "
	    "it",
	    PQhost(p->link.conn), PQport(p->link.conn), (long long)seq,
	    (unsigned long long)proved);
	pg_link_close(&p->link);
	pg_back_off(p);
	return MUSTER_E_AGAIN;
}

/* The group's row as it stands; *reloads_out: our copy is of another epoch. */
static int
take_group(struct pg_store *p, const PGresult *res, int row, bool *reloads)
{
	static const int64_t most[6] = {UINT32_MAX, COUNT_CAPACITY_MAX,
	    INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
	uint8_t id[PUBLISHER_LEN];
	int64_t v[6];
	struct cache *c;
	struct pg_group *g;
	uint32_t i;
	int err = 0;

	if (!pg_fixed(res, row, 0, id, sizeof(id)))
		return pg_damaged(p, "a group");
	for (int k = 0; k < 6; k++) {
		if (!pg_number(res, row, k + 1, most[k], &v[k]))
			return pg_damaged(p, "a group");
	}
	c = store_cache(&p->base, id, (uint32_t)v[0]);
	if (c == NULL)
		return pg_damaged(p, "a group");
	i = pg_group_index(p, c);
	g = &p->groups[i];
	if ((uint64_t)v[2] < g->proved)
		return behind(p, v[2], g->proved);
	reloads[i] = !g->is_current || g->epoch != v[5] ||
	    (int64_t)c->seq > v[2] || c->capacity > v[1] ||
	    (g->cleaned != v[4] && count_is_dirty(&c->count));
	g->is_known = true;
	g->is_locked = !p->is_looking;
	if (reloads[i])
		store_cache_clear(c);
	/* a host with a newer catalogue may have raised it (b3) */
	if ((uint64_t)v[1] > c->count.n_slots)
		err = store_cache_make(&p->base, id, (uint32_t)v[0],
		    (uint32_t)v[1], &c);
	if (err == 0 && v[1] > 0)
		err = count_raise(&c->count, (uint32_t)v[1]);
	if (err != 0)
		return MUSTER_E_AGAIN;
	if (!reloads[i] && g->cleaned != v[4]) {
		while (count_clean(&c->count, v[4], COUNT_CLEANED_MAX) > 0)
			count_flushed(&c->count);
	}
	count_drop_below(&c->count, (uint64_t)v[3]);
	c->capacity = (uint32_t)v[1];
	c->seq = (uint64_t)v[2];
	c->is_changed = false;
	g->floor = (uint64_t)v[3];
	g->cleaned = v[4];
	g->epoch = v[5];
	g->is_current = false; /* until its records are here */
	return 0;
}

/* A look adds no row: a group that has none holds nothing (yet). */
static int
take_missing(struct pg_store *p, uint32_t index)
{
	struct pg_group *g = &p->groups[index];

	if (g->proved > 0)
		return behind(p, 0, g->proved);
	store_cache_clear(p->base.caches[index]);
	*g = (struct pg_group){.is_known = false};
	return 0;
}

static int
take_groups(struct pg_store *p, const bool *wanted, bool *reloads)
{
	PGresult *res = NULL;
	int err = pg_take(&p->link, &res);

	for (uint32_t i = 0; p->is_looking && i < p->base.n_caches; i++)
		p->groups[i].is_known = false;
	for (int i = 0; err == 0 && i < PQntuples(res); i++)
		err = take_group(p, res, i, reloads);
	for (uint32_t i = 0; err == 0 && i < p->base.n_caches; i++) {
		if (p->is_looking && !p->groups[i].is_known)
			err = take_missing(p, i);
		else if (wanted[i] && !p->is_looking && !p->groups[i].is_locked)
			err = pg_damaged(p, "the table of groups");
	}
	PQclear(res);
	return err;
}

int
pg_read_clock(struct pg_store *p, const PGresult *res, int64_t *now_unix_s)
{
	if (pg_number(res, 0, 0, INT64_MAX, now_unix_s))
		return 0;
	pg_say(&p->base.diag,
	    "PostgreSQL: clock() of schema %s tells no time; make it as "
	    "001-tables.sql in " PATH_MIGRATIONS " does",
	    p->schema);
	return MUSTER_E_AGAIN;
}

static int
take_clock(struct pg_store *p, int64_t *now_unix_s)
{
	PGresult *res = NULL;
	int err = pg_take(&p->link, &res);

	if (err != 0)
		return err;
	err = pg_read_clock(p, res, now_unix_s);
	PQclear(res);
	return err;
}

/* Records of a group in the order of their seq; is_over: no more of them. */
static int
take_new(struct pg_store *p, uint32_t index, bool ignores, bool *is_over_out)
{
	struct cache *c = p->base.caches[index];
	PGresult *res = NULL;
	int err = pg_take(&p->link, &res);
	int n = err == 0 ? PQntuples(res) : 0;

	*is_over_out = !ignores && n < PG_READ_MAX;
	for (int i = 0; i < n && err == 0 && !ignores; i++) {
		struct count_row row = {.seq = 0};
		int64_t seq = 0;
		bool is_good = pg_fixed(res, i, 0, row.cmid, COUNT_CMID_LEN) &&
		    pg_number(res, i, 1, (int64_t)c->seq, &seq) &&
		    pg_number(res, i, 2, INT64_MAX, &row.seen_unix_s);

		row.seq = (uint64_t)seq;
		if (!is_good || count_merge(&c->count, &row) != 0)
			err = pg_damaged(p, "a count record");
	}
	PQclear(res);
	return err;
}

/* A large group comes in several answers, and so does one of a new epoch. */
static int
read_rest(struct pg_store *p, uint32_t index)
{
	struct cache *c = p->base.caches[index];
	bool is_over = false;
	int err = 0;

	while (!is_over && err == 0) {
		struct count_row newest = {.seq = 0};
		uint32_t iter = 0;

		(void)count_next(&c->count, &iter, &newest);
		/* each answer has its time: a large group has many */
		p->link.deadline_ms = clock_mono_ms() + PG_BATCH_MS;
		err = send_new(p, index, newest.seq);
		if (err == 0)
			err = pg_sync(&p->link);
		if (err == 0)
			err = take_new(p, index, false, &is_over);
		if (err == 0)
			err = pg_drain(&p->link);
	}
	return err;
}

static int
take_clients(struct pg_store *p)
{
	PGresult *res = NULL;
	struct store_client row;
	int err = pg_take(&p->link, &res);

	for (int i = 0; err == 0 && i < PQntuples(res); i++) {
		if (!pg_read_client(res, i, &row))
			err = pg_damaged(p, "a row of the inventory");
		else if (clients_find(&p->rows, &row) == NULL)
			(void)clients_add(&p->rows, &row);
	}
	PQclear(res);
	return err;
}

static int
answers(struct pg_store *p, const bool *wanted, int64_t *now_unix_s)
{
	bool reloads[STORE_GROUPS_MAX] = {false};
	bool is_over[STORE_GROUPS_MAX] = {false};
	bool was_asked_all[STORE_GROUPS_MAX] = {false};
	int err = pg_done(&p->link); /* BEGIN */

	for (uint32_t i = 0; i < p->base.n_caches; i++)
		was_asked_all[i] = !p->groups[i].is_current;
	if (err == 0 && has_new_group(p, wanted))
		err = pg_done(&p->link); /* PG_ADD */
	if (err == 0)
		err = take_groups(p, wanted, reloads);
	if (err == 0)
		err = take_clock(p, now_unix_s);
	for (uint32_t i = 0; i < p->base.n_caches && err == 0; i++) {
		if (wanted[i])
			err = take_new(p, i, reloads[i] && !was_asked_all[i],
			    &is_over[i]);
	}
	if (err == 0)
		err = take_clients(p);
	if (err == 0)
		err = pg_drain(&p->link);
	for (uint32_t i = 0; i < p->base.n_caches && err == 0; i++) {
		if (wanted[i] && !is_over[i])
			err = read_rest(p, i);
		if (wanted[i] && err == 0)
			p->groups[i].is_current = true;
	}
	return err;
}

int
pg_open_transaction(struct pg_store *p, const bool *wanted,
    const struct turn_item *items, size_t n, int64_t *now_unix_s)
{
	int err;

	p->is_writing = !p->is_looking;
	err = ask(p, wanted, items, n);
	if (err == 0)
		err = answers(p, wanted, now_unix_s);
	if (err == 0)
		p->wait_ms = PG_WAIT_MIN_MS;
	return err;
}

int
pg_look(struct pg_store *p, int64_t *now_unix_s)
{
	bool wanted[STORE_GROUPS_MAX];
	int err;

	memset(wanted, 1, sizeof(wanted));
	p->is_looking = true;
	err = pg_open_transaction(p, wanted, NULL, 0, now_unix_s);
	p->is_looking = false;
	if (err == 0)
		err = pg_run(&p->link, PG_COMMIT);
	if (err == 0)
		p->is_open = false;
	return err;
}

int
pg_read_more(struct pg_store *p, const struct turn_item *items, size_t n)
{
	int err = send_clients(p, items, n);

	if (err == 0)
		err = pg_sync(&p->link);
	if (err == 0)
		err = take_clients(p);
	return err == 0 ? pg_drain(&p->link) : err;
}
