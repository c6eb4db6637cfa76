/* SPDX-License-Identifier: MIT */
/*
 * clients.c -- a hash of inventory rows; see backend.h.
 *
 * The memory backend's whole inventory, and SQLite's overlay of the journal.
 */
#include "store/backend.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int
clients_compare(const struct store_client *a, const struct store_client *b)
{
	int c = memcmp(a->publisher, b->publisher, PUBLISHER_LEN);

	if (c == 0)
		c = memcmp(a->product, b->product, WIRE_ID_LEN);
	if (c == 0)
		c = memcmp(a->cmid, b->cmid, WIRE_ID_LEN);
	return c;
}

/* The bucket of a key, or the empty one where it would go. */
static uint32_t
find(const struct clients *t, const struct store_client *key)
{
	uint64_t h = 0;
	uint32_t b;

	for (size_t i = 0; i < WIRE_ID_LEN; i++) {
		h = (h ^ key->cmid[i]) * UINT64_C(0x100000001b3);
		h = (h ^ key->product[i]) * UINT64_C(0x100000001b3);
	}
	b = (uint32_t)(h >> 20) & (t->n_buckets - 1);
	while (t->buckets[b] != 0 &&
	    clients_compare(&t->rows[t->buckets[b] - 1], key) != 0)
		b = (b + 1) & (t->n_buckets - 1);
	return b;
}

void
clients_rehash(struct clients *t)
{
	memset(t->buckets, 0, t->n_buckets * sizeof(t->buckets[0]));
	for (uint32_t i = 0; i < t->n; i++)
		t->buckets[find(t, &t->rows[i])] = i + 1;
}

int
clients_grow(struct clients *t, uint32_t n_rows)
{
	struct store_client *rows = NULL;
	uint32_t *buckets = NULL;
	uint32_t n_buckets = 4;
	int err = 0;

	if (n_rows <= t->n_rows)
		return 0;
	while (n_buckets < n_rows * 2)
		n_buckets *= 2;
	rows = calloc(n_rows, sizeof(*rows));
	buckets = calloc(n_buckets, sizeof(*buckets));
	if (rows == NULL || buckets == NULL) {
		err = MUSTER_E_NOMEM;
		goto out;
	}
	if (t->n > 0)
		memcpy(rows, t->rows, t->n * sizeof(*rows));
	clients_free(&(struct clients){.rows = t->rows, .buckets = t->buckets});
	t->rows = rows;
	t->n_rows = n_rows;
	t->buckets = buckets;
	t->n_buckets = n_buckets;
	clients_rehash(t);
	rows = NULL;
	buckets = NULL;
out:
	free(rows);
	free(buckets);
	return err;
}

struct store_client *
clients_find(const struct clients *t, const struct store_client *key)
{
	uint32_t b;

	if (t->n == 0)
		return NULL;
	b = find(t, key);
	return t->buckets[b] == 0 ? NULL : &t->rows[t->buckets[b] - 1];
}

struct store_client *
clients_add(struct clients *t, const struct store_client *row)
{
	uint32_t b = find(t, row);

	assert(t->n < t->n_rows && t->buckets[b] == 0);
	t->rows[t->n] = *row;
	t->buckets[b] = ++t->n;
	return &t->rows[t->n - 1];
}

static bool
goes_first(const struct store_client *a, const struct store_client *b)
{
	if ((a->contacts > 1) != (b->contacts > 1))
		return b->contacts > 1;
	if (a->last_unix_s != b->last_unix_s)
		return a->last_unix_s < b->last_unix_s;
	return clients_compare(a, b) < 0;
}

void
clients_evict(struct clients *t, uint32_t n)
{
	for (; n > 0 && t->n > 0; n--) {
		uint32_t oldest = 0;

		for (uint32_t i = 1; i < t->n; i++) {
			if (goes_first(&t->rows[i], &t->rows[oldest]))
				oldest = i;
		}
		t->rows[oldest] = t->rows[--t->n];
	}
	if (t->n_buckets > 0)
		clients_rehash(t);
}

uint32_t
clients_expire(struct clients *t, int64_t until, uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n && n < max;) {
		if (t->rows[i].last_unix_s <= until) {
			t->rows[i] = t->rows[--t->n];
			n++;
		} else {
			i++;
		}
	}
	if (n > 0)
		clients_rehash(t);
	return n;
}

void
clients_clear(struct clients *t)
{
	t->n = 0;
	memset(t->buckets, 0, t->n_buckets * sizeof(t->buckets[0]));
}

void
clients_free(struct clients *t)
{
	free(t->rows);
	free(t->buckets);
	memset(t, 0, sizeof(*t));
}

void
client_chain_encode(const struct turn_chain *chain, uint8_t *out)
{
	memcpy(out, chain->newest, WIRE_TAG_LEN);
	memcpy(out + WIRE_TAG_LEN, chain->base, WIRE_TAG_LEN);
	for (size_t i = 0; i < TURN_SUPERSEDED_MAX; i++)
		memcpy(out + (2 + i) * WIRE_TAG_LEN, chain->superseded[i],
		    WIRE_TAG_LEN);
	out[CLIENT_CHAIN_LEN - 2] = chain->n_superseded;
	out[CLIENT_CHAIN_LEN - 1] = chain->next_superseded;
}

bool
client_chain_decode(const uint8_t *in, struct turn_chain *chain)
{
	memcpy(chain->newest, in, WIRE_TAG_LEN);
	memcpy(chain->base, in + WIRE_TAG_LEN, WIRE_TAG_LEN);
	for (size_t i = 0; i < TURN_SUPERSEDED_MAX; i++)
		memcpy(chain->superseded[i], in + (2 + i) * WIRE_TAG_LEN,
		    WIRE_TAG_LEN);
	chain->n_superseded = in[CLIENT_CHAIN_LEN - 2];
	chain->next_superseded = in[CLIENT_CHAIN_LEN - 1];
	return chain->n_superseded <= TURN_SUPERSEDED_MAX &&
	    chain->next_superseded < TURN_SUPERSEDED_MAX;
}

/* What an answer below the threshold follows keeps its time. */
void
client_see_granted(struct store_client *row)
{
	if (row->count >= row->threshold)
		row->granted_unix_s = row->last_unix_s;
}

struct store_client
client_key(const struct turn_item *item)
{
	struct store_client key = {0};

	memcpy(key.publisher, item->publisher_id, PUBLISHER_LEN);
	memcpy(key.product, item->args.product, WIRE_ID_LEN);
	memcpy(key.cmid, item->args.cmid, WIRE_ID_LEN);
	return key;
}
