/* SPDX-License-Identifier: MIT */
#include "authority/rate.h"

#include <netinet/in.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Parts of a token: with these, per_minute of them come back in 1 ms. */
#define TOKEN UINT64_C(60000)

struct entry {
	uint8_t source[RATE_SOURCE_LEN];
	bool is_used;
	uint32_t n_open;
	uint64_t parts; /* in the bucket at at_ms */
	int64_t at_ms;
};

struct rate {
	uint32_t per_minute;
	uint64_t full; /* parts of a full bucket */
	uint8_t hash_key[RATE_HASH_KEY_LEN];
	struct entry entries[RATE_SETS][RATE_WAYS];
};

_Static_assert(RATE_HASH_KEY_LEN == crypto_shorthash_KEYBYTES, "SipHash");

struct rate *
rate_new(uint32_t per_minute, uint32_t burst, const uint8_t *hash_key)
{
	struct rate *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->per_minute = per_minute;
	r->full = burst * TOKEN;
	memcpy(r->hash_key, hash_key, sizeof(r->hash_key));
	return r;
}

void
rate_free(struct rate *r)
{
	free(r);
}

void
rate_source(const struct sockaddr *address, uint8_t *out)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;

	memset(out, 0, RATE_SOURCE_LEN);
	if (address->sa_family == AF_INET) {
		memcpy(out, mapped, sizeof(mapped));
		memcpy(out + sizeof(mapped), &v4->sin_addr, 4);
	} else if (address->sa_family == AF_INET6) {
		bool is_mapped = memcmp(&v6->sin6_addr, mapped, 12) == 0;

		memcpy(out, &v6->sin6_addr, is_mapped ? 16 : 8);
	}
}

static void
refill(const struct rate *r, struct entry *e, int64_t now_ms)
{
	uint64_t ms = now_ms > e->at_ms ? (uint64_t)(now_ms - e->at_ms) : 0;

	/* what fills the bucket anyway need not be multiplied */
	if (ms >= r->full || e->parts + ms * r->per_minute >= r->full)
		e->parts = r->per_minute == 0 ? e->parts : r->full;
	else
		e->parts += ms * r->per_minute;
	e->at_ms = now_ms;
}

static struct entry *
set_of(struct rate *r, const uint8_t *source)
{
	uint8_t hash[crypto_shorthash_BYTES];

	(void)crypto_shorthash(hash, source, RATE_SOURCE_LEN, r->hash_key);
	return r->entries[(hash[0] | hash[1] << 8) % RATE_SETS];
}

static struct entry *
find(struct entry *set, const uint8_t *source)
{
	for (size_t i = 0; i < RATE_WAYS; i++) {
		if (set[i].is_used &&
		    memcmp(set[i].source, source, RATE_SOURCE_LEN) == 0)
			return &set[i];
	}
	return NULL;
}

/* Whoever has connections is forgotten last, then who has few tokens. */
static bool
goes_before(const struct entry *a, const struct entry *b)
{
	if (a->is_used != b->is_used)
		return !a->is_used;
	if ((a->n_open == 0) != (b->n_open == 0))
		return a->n_open == 0;
	return a->parts > b->parts;
}

static struct entry *
take_entry(struct rate *r, const uint8_t *source, int64_t now_ms)
{
	struct entry *set = set_of(r, source);
	struct entry *e = find(set, source);

	if (e != NULL) {
		refill(r, e, now_ms);
		return e;
	}
	e = &set[0];
	for (size_t i = 0; i < RATE_WAYS; i++) {
		if (set[i].is_used)
			refill(r, &set[i], now_ms);
		if (goes_before(&set[i], e))
			e = &set[i];
	}
	*e = (struct entry){.is_used = true, .parts = r->full, .at_ms = now_ms};
	memcpy(e->source, source, RATE_SOURCE_LEN);
	return e;
}

bool
rate_take(struct rate *r, const uint8_t *source, int64_t now_ms,
    uint32_t *wait_s_out)
{
	struct entry *e;
	uint64_t lack, per_s;

	if (r->per_minute == 0)
		return true;
	e = take_entry(r, source, now_ms);
	if (e->parts >= TOKEN) {
		e->parts -= TOKEN;
		return true;
	}
	lack = TOKEN - e->parts;
	per_s = (uint64_t)r->per_minute * 1000;
	*wait_s_out = (uint32_t)((lack + per_s - 1) / per_s);
	return false;
}

bool
rate_open(struct rate *r, const uint8_t *source, uint32_t max, int64_t now_ms)
{
	struct entry *e = take_entry(r, source, now_ms);

	if (e->n_open >= max)
		return false;
	e->n_open++;
	return true;
}

void
rate_close(struct rate *r, const uint8_t *source)
{
	struct entry *e = find(set_of(r, source), source);

	if (e != NULL && e->n_open > 0)
		e->n_open--;
}
