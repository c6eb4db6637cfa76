/* SPDX-License-Identifier: MIT */
/*
 * store.c -- what all backends share: caches, and the way of a batch.
 *
 * The caches change while a batch is applied, before its commit.  So whatever
 * fails after the first change ends in rollback(), which loads them afresh.
 */
#include "store/backend.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The bucket of a group, or the empty one where it would go. */
static uint32_t
bucket_of(const struct store *s, const uint8_t *publisher, uint32_t group)
{
	uint64_t h = group;
	uint32_t b;

	for (size_t i = 0; i < PUBLISHER_LEN; i++)
		h = (h ^ publisher[i]) * UINT64_C(0x100000001b3);
	b = (uint32_t)(h >> 20) % STORE_BUCKETS;
	while (s->buckets[b] != 0) {
		const struct cache *c = s->caches[s->buckets[b] - 1];

		if (c->group == group &&
		    memcmp(c->publisher, publisher, PUBLISHER_LEN) == 0)
			break;
		b = (b + 1) % STORE_BUCKETS;
	}
	return b;
}

struct cache *
store_cache(const struct store *s, const uint8_t *publisher, uint32_t group)
{
	uint16_t n = s->buckets[bucket_of(s, publisher, group)];

	return n == 0 ? NULL : s->caches[n - 1];
}

void
store_cache_clear(struct cache *c)
{
	count_init(&c->count, c->mem, c->count.n_slots, 1);
	c->capacity = 0;
	c->seq = 0;
	c->is_changed = false;
}

static int
cache_grow(struct cache *c, uint32_t n_slots)
{
	void *mem = malloc(count_memory(n_slots));

	if (mem == NULL)
		return MUSTER_E_NOMEM;
	count_move(&c->count, mem, n_slots);
	free(c->mem);
	c->mem = mem;
	return 0;
}

int
store_cache_make(struct store *s, const uint8_t *publisher, uint32_t group,
    uint32_t n_slots, struct cache **cache_out)
{
	struct cache *c = store_cache(s, publisher, group);

	if (c != NULL) {
		*cache_out = c;
		return n_slots > c->count.n_slots ? cache_grow(c, n_slots) : 0;
	}
	if (s->n_caches == STORE_GROUPS_MAX)
		return MUSTER_E_FULL;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return MUSTER_E_NOMEM;
	c->mem = malloc(count_memory(n_slots));
	if (c->mem == NULL) {
		free(c);
		return MUSTER_E_NOMEM;
	}
	memcpy(c->publisher, publisher, PUBLISHER_LEN);
	c->group = group;
	count_init(&c->count, c->mem, n_slots, 1);
	s->buckets[bucket_of(s, publisher, group)] =
	    (uint16_t)(s->n_caches + 1);
	s->caches[s->n_caches++] = c;
	*cache_out = c;
	return 0;
}

int
store_flush(struct store *s)
{
	int err = 0;

	for (uint32_t i = 0; i < s->n_caches && err == 0; i++) {
		const struct cache *c = s->caches[i];

		if (c->is_changed || count_is_dirty(&c->count))
			err = s->ops->flush(s, c);
	}
	return err;
}

void
store_flushed(struct store *s)
{
	for (uint32_t i = 0; i < s->n_caches; i++) {
		count_flushed(&s->caches[i]->count);
		s->caches[i]->is_changed = false;
	}
}

int
store_reserve(struct store *s, const uint8_t *publisher, uint32_t group,
    uint32_t capacity)
{
	struct cache *c;
	int err = s->failed != 0 ? MUSTER_E_IO : 0;

	if (capacity < 1 || capacity > COUNT_CAPACITY_MAX)
		return MUSTER_E_INVAL;
	if (err == 0)
		err = store_cache_make(s, publisher, group, capacity, &c);
	return err;
}

/* Nothing in a batch may fail for a reason that can be seen before it. */
static int
check_batch(const struct store *s, const struct turn_item *items, size_t n,
    size_t *n_records)
{
	*n_records = 0;
	if (n < 1 || n > TURN_MAX)
		return MUSTER_E_INVAL;
	for (size_t i = 0; i < n; i++) {
		const struct cache *c =
		    store_cache(s, items[i].publisher_id, items[i].group);

		if (c == NULL)
			return MUSTER_E_INVAL;
		if (items[i].is_probe)
			continue;
		if (items[i].threshold < 1 ||
		    items[i].threshold > c->count.n_slots / 2)
			return MUSTER_E_INVAL;
		(*n_records)++;
	}
	return 0;
}

/* Never 0, which is "never"; the journal has 32 bits for it. */
static uint32_t
twin_time(int64_t now_unix_s)
{
	if (now_unix_s < 1)
		return 1;
	return now_unix_s > UINT32_MAX ? UINT32_MAX : (uint32_t)now_unix_s;
}

bool
store_client_is_duplicate(const struct store_client *client, int64_t now_unix_s)
{
	return client->twin_unix_s != 0 &&
	    now_unix_s - (int64_t)client->twin_unix_s < STORE_TWIN_S;
}

/* Bring a row of the inventory up to date with an item that was counted. */
static void
note_contact(struct store_client *row, const struct turn_item *item,
    const char *host, int64_t now_unix_s)
{
	const struct wire_args *args = &item->args;

	if (row->contacts == 0)
		row->first_unix_s = now_unix_s;
	else if (item->is_clone ||
	    memcmp(row->machine, args->machine, WIRE_ID_LEN) != 0) {
		row->twin_unix_s = twin_time(now_unix_s);
		memcpy(row->other_machine, row->machine, WIRE_ID_LEN);
		memcpy(row->other_name, row->name, sizeof(row->name));
	}
	memcpy(row->machine, args->machine, WIRE_ID_LEN);
	memcpy(row->name, args->name, sizeof(row->name));
	memcpy(row->address, item->address, TURN_ADDRESS_LEN);
	memcpy(row->host, host, sizeof(row->host));
	row->state = args->state;
	row->threshold = args->threshold;
	row->last_unix_s = now_unix_s;
	row->count = item->grant.count;
	row->contacts++;
	client_see_granted(row);
}

static int
record(struct store *s, struct turn_item *item, int64_t now_unix_s)
{
	struct cache *c = store_cache(s, item->publisher_id, item->group);
	struct store_client *row;
	uint32_t want = 2 * item->threshold;
	int err;

	if (want > c->capacity) {
		err = count_raise(&c->count, want);
		assert(err == 0); /* check_batch() has seen the room */
		c->capacity = want;
	}
	err = s->ops->client(s, item, &row);
	if (err == 0)
		err = turn_apply(item, &c->count, &row->chain, c->seq + 1);
	if (err != 0)
		return err;
	c->seq++;
	c->is_changed = true;
	note_contact(row, item, s->host, now_unix_s);
	return s->ops->put(s, row, c, item);
}

static int
apply(struct store *s, struct turn_item *items, size_t n, int64_t now_unix_s)
{
	int err = 0;

	for (size_t i = 0; i < n && err == 0; i++) {
		struct turn_item *it = &items[i];

		if (it->is_probe)
			err = turn_apply(it,
			    &store_cache(s, it->publisher_id, it->group)->count,
			    NULL, 0);
		else
			err = record(s, it, now_unix_s);
	}
	return err;
}

/* What came while the batch waited for its groups' rows, which it has now. */
static int
take_more(struct store *s, struct turn_item *items, size_t *n,
    store_seal_fn *seal, void *arg)
{
	const size_t before = *n;
	size_t n_records;
	int err;

	*n = seal(arg);
	if (*n == before)
		return 0;
	err = check_batch(s, items, *n, &n_records);
	return err == 0 ? s->ops->more(s, items + before, *n - before) : err;
}

int
store_batch_growing(struct store *s, struct turn_item *items, size_t n,
    int64_t now_unix_s, store_seal_fn *seal, void *arg)
{
	size_t n_records;
	int err = s->failed;

	if (err == 0 && seal != NULL && !s->ops->is_shared)
		n = seal(arg);
	if (err == 0)
		err = check_batch(s, items, n, &n_records);
	if (err != 0)
		return err;
	if (n_records == 0 && !s->ops->is_shared)
		return apply(s, items, n, now_unix_s);

	err = s->ops->begin(s);
	if (err != 0)
		return err;
	err = s->ops->room(s, items, n, &now_unix_s);
	if (err == 0 && seal != NULL && s->ops->is_shared)
		err = take_more(s, items, &n, seal, arg);
	if (err == 0)
		err = apply(s, items, n, now_unix_s);
	if (err == 0)
		err = s->ops->batch(s);
	if (err == 0)
		err = s->ops->commit(s);
	return err == 0 ? 0 : s->ops->rollback(s, err);
}

int
store_batch(struct store *s, struct turn_item *items, size_t n,
    int64_t now_unix_s)
{
	return store_batch_growing(s, items, n, now_unix_s, NULL, NULL);
}

/* Records too old go when the caches are written anyway, so many at most. */
static int
clean_and_flush(struct store *s, int64_t now_unix_s, bool *has_more)
{
	uint32_t left = COUNT_CLEANED_MAX;

	for (uint32_t i = 0; i < s->n_caches && left > 0; i++)
		left -= count_clean(&s->caches[i]->count, now_unix_s, left);
	*has_more |= left == 0;
	return store_flush(s);
}

int
store_upkeep(struct store *s, int64_t now_unix_s, bool *has_more_out)
{
	struct store_step step = {.now_unix_s = now_unix_s};
	int err = s->failed;

	*has_more_out = false;
	if (err == 0)
		err = s->ops->begin(s);
	if (err != 0)
		return err;
	err = s->ops->upkeep(s, now_unix_s, &step);
	if (err == 0 && step.flushes)
		err = clean_and_flush(s, step.now_unix_s, &step.has_more);
	if (err == 0)
		err = s->ops->commit(s);
	if (err != 0)
		return s->ops->rollback(s, err);
	if (step.flushes)
		store_flushed(s);
	*has_more_out = step.has_more;
	return 0;
}

int
store_idle(struct store *s, int64_t now_unix_s)
{
	bool has_more;
	int err = store_upkeep(s, now_unix_s, &has_more);

	return err == 0 && has_more ? MUSTER_E_AGAIN : err;
}

int
store_busy(struct store *s, int64_t now_unix_s)
{
	if (s->failed != 0)
		return s->failed;
	return s->ops->is_due(s) ? store_idle(s, now_unix_s) : 0;
}

int
store_groups(struct store *s, int64_t now_unix_s, struct store_group *out,
    size_t max, size_t *n_out)
{
	*n_out = 0;
	if (s->failed != 0)
		return s->failed;
	/* by another clock records would look as if from the future (b2) */
	if (s->ops->is_shared)
		now_unix_s = s->shared_unix_s;
	for (uint32_t i = 0; i < s->n_caches && i < max; i++) {
		struct cache *c = s->caches[i];
		struct store_group *g = &out[(*n_out)++];

		memcpy(g->publisher, c->publisher, PUBLISHER_LEN);
		g->group = c->group;
		g->count = count_value(&c->count, now_unix_s);
		g->held = c->count.n;
		g->capacity = c->capacity;
	}
	return s->n_caches > max ? MUSTER_E_TOOBIG : 0;
}

int
store_clients(struct store *s, store_client_fn *fn, void *arg)
{
	return s->failed != 0 ? s->failed : s->ops->clients(s, fn, arg);
}

int
store_backup(const struct store *s, int *fd_out)
{
	return s->ops->backup == NULL ? MUSTER_E_INVAL
	                              : s->ops->backup(s, fd_out);
}

int
store_clients_aside(const struct store *s, store_client_fn *fn, void *arg)
{
	return s->ops->aside == NULL ? MUSTER_E_INVAL
	                             : s->ops->aside(s, fn, arg);
}

int
store_recent_aside(const struct store *s, const struct store_recent *ask,
    store_client_fn *fn, void *arg, uint64_t *total_out)
{
	return s->ops->recent == NULL
	    ? MUSTER_E_INVAL
	    : s->ops->recent(s, ask, fn, arg, total_out);
}

void
store_aside_diag(const struct store *s, struct store_diag *out)
{
	*out = (struct store_diag){""};
	if (s->ops->aside_diag != NULL)
		s->ops->aside_diag(s, out);
}

int
store_scan_open(const struct store *s, struct store_scan **scan_out)
{
	struct store_scan *scan = NULL;
	int err = s->ops->scan_open == NULL ? MUSTER_E_INVAL
	                                    : s->ops->scan_open(s, &scan);

	if (err != 0)
		return err;
	scan->ops = s->ops;
	*scan_out = scan;
	return 0;
}

int
store_scan_next(struct store_scan *scan, uint32_t max, store_client_fn *fn,
    void *arg, bool *is_over_out)
{
	return scan->ops->scan_next(scan, max, fn, arg, is_over_out);
}

void
store_scan_close(struct store_scan *scan)
{
	if (scan != NULL)
		scan->ops->scan_close(scan);
}

int
store_cached(struct store *s, const uint8_t *publisher, uint32_t group,
    struct count_row *out, size_t max, size_t *n_out)
{
	const struct cache *c = store_cache(s, publisher, group);
	struct count_row row;
	uint32_t iter = 0;
	int err = 0;

	*n_out = 0;
	if (c == NULL)
		return MUSTER_E_NOENT;
	while (err == 0 && count_next(&c->count, &iter, &row)) {
		if (*n_out < max)
			out[(*n_out)++] = row;
		else
			err = MUSTER_E_TOOBIG;
	}
	return err;
}

void
store_set_host(struct store *s, const char *name)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                           "abcdefghijklmnopqrstuvwxyz0123456789._-";

	memset(s->host, 0, sizeof(s->host));
	if (strlen(name) <= WIRE_NAME_MAX && name[strspn(name, good)] == '\0')
		memcpy(s->host, name, strlen(name));
}

void
store_set_limits(struct store *s, uint32_t rows_max, uint32_t retention_days)
{
	s->rows_max = rows_max;
	s->retention_s = INT64_C(86400) * retention_days;
}

const char *
store_kind(const struct store *s)
{
	return s->ops->kind;
}

void
store_server(const struct store *s, char *out)
{
	out[0] = '\0';
	if (s->ops->server != NULL)
		s->ops->server(s, out);
}

bool
store_is_over(const struct store *s)
{
	return s->failed != 0;
}

const struct store_diag *
store_last_diag(const struct store *s)
{
	return &s->diag;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	s->ops->close(s);
	for (uint32_t i = 0; i < s->n_caches; i++) {
		free(s->caches[i]->mem);
		free(s->caches[i]);
	}
	free(s);
}
