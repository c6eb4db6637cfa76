/* SPDX-License-Identifier: MIT */
/* memory.c -- the model: an inventory that nothing outlives. */
#include "store/backend.h"

#include <stdlib.h>

struct memory_store {
	struct store base;
	struct clients inventory;
};

static struct memory_store *
memory_of(struct store *s)
{
	return (struct memory_store *)(void *)s;
}

static int
memory_nothing(struct store *s)
{
	(void)s;
	return 0;
}

static int
memory_room(struct store *s, struct turn_item *items, size_t n,
    int64_t *now_unix_s)
{
	struct clients *t = &memory_of(s)->inventory;
	uint32_t n_rows = t->n_rows < 256 ? 256 : t->n_rows;
	int err = 0;

	(void)items;
	(void)now_unix_s;
	while (n_rows < t->n + n)
		n_rows *= 2;
	/* nothing was changed, and later there may be memory */
	if (clients_grow(t, n_rows) != 0)
		err = MUSTER_E_AGAIN;
	return err;
}

static int
memory_client(struct store *s, const struct turn_item *item,
    struct store_client **row_out)
{
	struct clients *t = &memory_of(s)->inventory;
	const struct store_client key = client_key(item);

	*row_out = clients_find(t, &key);
	if (*row_out == NULL)
		*row_out = clients_add(t, &key);
	return 0;
}

static int
memory_put(struct store *s, const struct store_client *row,
    const struct cache *c, const struct turn_item *item)
{
	(void)s;
	(void)row; /* changed in place */
	(void)c;
	(void)item;
	return 0;
}

static bool
memory_is_due(const struct store *s)
{
	(void)s;
	return true;
}

static int
memory_flush(struct store *s, const struct cache *c)
{
	(void)s;
	(void)c;
	return 0;
}

/* Only room() fails, before anything was changed: all else is a defect. */
static int
memory_rollback(struct store *s, int err)
{
	if (err != MUSTER_E_AGAIN)
		s->failed = MUSTER_E_UNSURE;
	return s->failed != 0 ? s->failed : err;
}

static int
memory_upkeep(struct store *s, int64_t now_unix_s, struct store_step *step_out)
{
	struct clients *t = &memory_of(s)->inventory;
	uint32_t left = STORE_PIECE;
	uint32_t over;

	left -= clients_expire(t, now_unix_s - s->retention_s, left);
	over = t->n > s->rows_max ? t->n - s->rows_max : 0;
	if (over > left)
		over = left;
	if (over > 0)
		clients_evict(t, over);
	step_out->has_more = left == over;
	step_out->flushes = true;
	return 0;
}

static int
memory_clients(struct store *s, store_client_fn *fn, void *arg)
{
	const struct clients *t = &memory_of(s)->inventory;

	for (uint32_t i = 0; i < t->n; i++)
		fn(arg, &t->rows[i]);
	return 0;
}

static void
memory_close(struct store *s)
{
	clients_free(&memory_of(s)->inventory);
}

static const struct store_ops memory_ops = {
    .kind = "memory",
    .begin = memory_nothing,
    .room = memory_room,
    .client = memory_client,
    .put = memory_put,
    .batch = memory_nothing,
    .flush = memory_flush,
    .commit = memory_nothing,
    .rollback = memory_rollback,
    .is_due = memory_is_due,
    .upkeep = memory_upkeep,
    .clients = memory_clients,
    .close = memory_close,
};

int
store_open_memory(struct store **store_out)
{
	struct memory_store *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return MUSTER_E_NOMEM;
	m->base.ops = &memory_ops;
	store_set_limits(&m->base, STORE_INVENTORY_MAX, STORE_RETENTION_DAYS);
	*store_out = &m->base;
	return 0;
}
