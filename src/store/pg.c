/* SPDX-License-Identifier: MIT */
/* pg.c -- the store on a PostgreSQL server; see pg.h. */
#include "store/pg.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Room for the longest column, and for as many groups as there may be. */
#define COLUMN_MAX (20 + (size_t)PG_ROWS_MAX * (4 + WIRE_NAME_MAX + 1))

_Static_assert(COLUMN_MAX >=
        20 + (size_t)STORE_GROUPS_MAX * (4 + PUBLISHER_LEN),
    "a column holds every group");
_Static_assert(COLUMN_MAX >= 20 + 3 * (size_t)PG_ROWS_MAX * (4 + 8),
    "a column holds what is cleaned and what has moved");

static int
pg_begin(struct store *s)
{
	struct pg_store *p = pg_of(s);
	int err = pg_connect(p);

	p->link.deadline_ms = clock_mono_ms() + PG_BATCH_MS;
	p->n_sent = 0;
	return pg_outcome(err);
}

int
pg_check_clock(struct pg_store *p, int64_t host_unix_s)
{
	int64_t ahead_s = p->base.shared_unix_s - host_unix_s;

	if (ahead_s <= TURN_CLOCK_S && ahead_s >= -TURN_CLOCK_S)
		return 0;
	pg_say(&p->base.diag,
	    "PostgreSQL: the server's clock is %lld s %s this host's; set "
	    "right the one that is wrong",
	    (long long)(ahead_s < 0 ? -ahead_s : ahead_s),
	    ahead_s < 0 ? "behind" : "ahead of");
	return MUSTER_E_AGAIN;
}

static int
pg_room(struct store *s, struct turn_item *items, size_t n, int64_t *now_unix_s)
{
	struct pg_store *p = pg_of(s);
	bool wanted[STORE_GROUPS_MAX] = {false};
	int err;

	for (size_t i = 0; i < n; i++)
		wanted[pg_group_index(p,
		    store_cache(s, items[i].publisher_id, items[i].group))] =
		    true;
	clients_clear(&p->rows);
	err = pg_open_transaction(p, wanted, items, n, &p->base.shared_unix_s);
	if (err == 0)
		err = pg_check_clock(p, *now_unix_s);
	if (err != 0)
		return err;
	*now_unix_s = p->base.shared_unix_s;
	for (size_t i = 0; i < n; i++)
		items[i].grant.issued_unix_s = p->base.shared_unix_s;
	return 0;
}

static int
pg_more(struct store *s, struct turn_item *items, size_t n)
{
	struct pg_store *p = pg_of(s);

	for (size_t i = 0; i < n; i++) {
		const struct cache *c =
		    store_cache(s, items[i].publisher_id, items[i].group);

		/* to lock one more could meet a host that has it and waits */
		if (!p->groups[pg_group_index(p, c)].is_locked)
			return MUSTER_E_INVAL;
		items[i].grant.issued_unix_s = p->base.shared_unix_s;
	}
	return pg_read_more(p, items, n);
}

static int
pg_client(struct store *s, const struct turn_item *item,
    struct store_client **row_out)
{
	struct clients *t = &pg_of(s)->rows;
	const struct store_client key = client_key(item);

	*row_out = clients_find(t, &key);
	if (*row_out == NULL)
		*row_out = clients_add(t, &key);
	return 0;
}

static int
pg_put(struct store *s, const struct store_client *row, const struct cache *c,
    const struct turn_item *item)
{
	(void)s;
	(void)row; /* changed in place */
	(void)c;
	(void)item;
	return 0;
}

static int
pg_flush(struct store *s, const struct cache *c)
{
	struct pg_store *p = pg_of(s);
	uint32_t i = pg_group_index(p, c);

	/* who was asked for the count has repaired its copy of a group that this
	 * transaction has not locked (b2); it is written when it is locked */
	if (!p->groups[i].is_locked)
		return 0;
	return pg_write_group(p, i, &p->n_sent);
}

static int
pg_batch(struct store *s)
{
	struct pg_store *p = pg_of(s);
	int err = pg_write_clients(p, &p->n_sent);

	return err == 0 ? store_flush(s) : err;
}

static bool
pg_is_due(const struct store *s)
{
	const struct pg_store *p = (const struct pg_store *)s;

	return clock_mono_ms() - p->upkept_ms > PG_UPKEEP_S * INT64_C(1000);
}

static void
pg_close(struct store *s)
{
	struct pg_store *p = pg_of(s);

	pg_link_close(&p->link);
	clients_free(&p->rows);
	if (p->aside != NULL)
		(void)pthread_mutex_destroy(&p->aside->lock);
	free(p->aside);
	for (int i = 0; i < PG_COLUMNS; i++)
		free(p->columns[i].p);
}

static const struct store_ops pg_ops = {
    .kind = "postgresql",
    .is_shared = true,
    .begin = pg_begin,
    .room = pg_room,
    .more = pg_more,
    .client = pg_client,
    .put = pg_put,
    .batch = pg_batch,
    .flush = pg_flush,
    .commit = pg_commit,
    .rollback = pg_rollback,
    .is_due = pg_is_due,
    .upkeep = pg_upkeep,
    .clients = pg_list_here,
    .aside = pg_list,
    .recent = pg_recent,
    .aside_diag = pg_aside_diag,
    .server = pg_server,
    .scan_open = pg_scan_open,
    .scan_next = pg_scan_next,
    .scan_close = pg_scan_close,
    .close = pg_close,
};

static int
check_address(const char *address, struct store_diag *diag)
{
	PQconninfoOption *options = PQconninfoParse(address, NULL);
	int err = 0;

	if (strlen(address) >= PG_TEXT_MAX) {
		pg_say(diag, "store is longer than %d bytes", PG_TEXT_MAX - 1);
		err = MUSTER_E_INVAL;
	} else if (options == NULL) {
		/* libpq's words may have a part of it, and a password */
		pg_say(diag,
		    "store is no connection string of PostgreSQL; its form is "
		    "postgresql://ROLE@SERVER/DATABASE?passfile=FILE");
		err = MUSTER_E_INVAL;
	}
	for (PQconninfoOption *o = options;
	     err == 0 && o != NULL && o->keyword != NULL; o++) {
		if ((strcmp(o->keyword, "password") == 0 ||
		        strcmp(o->keyword, "sslpassword") == 0) &&
		    o->val != NULL) {
			pg_say(diag,
			    "store holds a password, which all may read; name "
			    "a file by passfile=");
			err = MUSTER_E_INVAL;
		}
	}
	PQconninfoFree(options);
	return err;
}

static int
make(const char *address, const char *group, struct pg_store **p_out)
{
	struct pg_store *p = calloc(1, sizeof(*p));
	int err = p == NULL ? MUSTER_E_NOMEM : 0;

	if (err != 0)
		return err;
	p->base.ops = &pg_ops;
	p->aside = calloc(1, sizeof(*p->aside));
	p->link.diag = &p->base.diag;
	p->wait_ms = PG_WAIT_MIN_MS;
	p->n_clients = -1;
	(void)snprintf(p->address, sizeof(p->address), "%s", address);
	(void)snprintf(p->schema, sizeof(p->schema), "%s", group);
	store_set_limits(&p->base, STORE_INVENTORY_MAX, STORE_RETENTION_DAYS);
	err = clients_grow(&p->rows, 2 * TURN_MAX);
	if (p->aside == NULL)
		err = MUSTER_E_NOMEM;
	else
		(void)pthread_mutex_init(&p->aside->lock, NULL);
	for (int i = 0; i < PG_COLUMNS; i++) {
		p->columns[i].cap = COLUMN_MAX;
		p->columns[i].p = malloc(COLUMN_MAX);
		if (p->columns[i].p == NULL)
			err = MUSTER_E_NOMEM;
	}
	if (err != 0)
		store_close(&p->base);
	else
		*p_out = p;
	return err;
}

static int
open_postgresql(const char *address, const char *group,
    struct store **store_out, struct store_diag *diag)
{
	struct pg_store *p = NULL;
	int err = check_address(address, diag);

	if (err == 0)
		err = make(address, group, &p);
	if (err != 0)
		return err;
	err = pg_connect(p);
	*diag = p->base.diag;
	if (err == MUSTER_E_SCHEMA) {
		store_close(&p->base);
		return err;
	}
	*store_out = &p->base;
	return 0;
}

extern const struct module muster_store_postgresql;

const struct module muster_store_postgresql = {
    .head = {.version = MUSTER_VERSION, .len = sizeof(struct store)},
    .open = open_postgresql,
};
