/* SPDX-License-Identifier: MIT */
#include "host/sources.h"

#include <sodium.h>
#include <string.h>

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* Nothing of it matters any more. */
static bool
is_over(const struct source *source, uint32_t now_s)
{
	return source->n_open == 0 &&
	    (source->until_s == 0 ||
	        now_s >= source->until_s + SOURCES_PENALTY_MAX_S) &&
	    now_s >= source->window_s + SOURCES_WINDOW_S;
}

/* What is still open or refused keeps its place. */
static bool
may_go(const struct source *source, uint32_t now_s)
{
	return source->n_open == 0 && now_s >= source->until_s;
}

static struct source *
find(struct sources *s, const uint8_t *address, uint32_t now_s)
{
	bool is_v4 = memcmp(address, v4_prefix, sizeof(v4_prefix)) == 0;
	struct source *bucket = is_v4 ? s->v4 : s->v6, *free = NULL;
	uint8_t hash[crypto_shorthash_BYTES];
	uint64_t key = 0, at;

	memcpy(&key, is_v4 ? address + 12 : address, is_v4 ? 4 : 8);
	(void)crypto_shorthash(hash, (const uint8_t *)&key, sizeof(key),
	    s->key);
	memcpy(&at, hash, sizeof(at));
	bucket += at % (SOURCES_MAX / SOURCES_WAYS) * SOURCES_WAYS;
	for (int i = 0; i < SOURCES_WAYS; i++) {
		struct source *one = &bucket[i];

		if (one->is_used && one->key == key) {
			if (is_over(one, now_s))
				one->until_s = one->penalty_s = 0;
			return one;
		}
		if (free == NULL || (free->is_used && !one->is_used))
			free = !one->is_used || may_go(one, now_s) ? one : free;
	}
	if (free != NULL)
		*free = (struct source){.is_used = true,
		    .key = key,
		    .window_s = now_s};
	return free;
}

enum source_verdict
sources_enter(struct sources *s, const struct source_limits *limits,
    const uint8_t *address, uint32_t now_s, struct source **source_out)
{
	struct source *one = find(s, address, now_s);

	*source_out = NULL;
	if (one == NULL)
		return SOURCE_WELCOME;
	if (now_s < one->until_s)
		return SOURCE_PENALTY;
	if (one->n_open >= limits->open_max)
		return SOURCE_MANY;
	if (now_s >= one->window_s + SOURCES_WINDOW_S) {
		one->window_s = now_s;
		one->n_window = 0;
	}
	if (limits->per_minute != 0 && one->n_window >= limits->per_minute)
		return SOURCE_FAST;
	one->n_window++;
	one->n_open++;
	*source_out = one;
	return SOURCE_WELCOME;
}

void
sources_leave(struct source *source)
{
	if (source != NULL)
		source->n_open--;
}

uint32_t
sources_punish(struct source *source, uint32_t now_s)
{
	if (source == NULL)
		return 0;
	/* those that were open already are one mistake with it */
	if (now_s < source->until_s)
		return source->penalty_s;
	if (source->penalty_s == 0 ||
	    now_s >= source->until_s + SOURCES_PENALTY_MAX_S)
		source->penalty_s = SOURCES_PENALTY_S;
	else if (source->penalty_s < SOURCES_PENALTY_MAX_S / 2)
		source->penalty_s *= 2;
	else
		source->penalty_s = SOURCES_PENALTY_MAX_S;
	source->until_s = now_s + source->penalty_s;
	return source->penalty_s;
}

bool
sources_is_within(const uint8_t *address, const uint8_t *network, uint32_t bits)
{
	uint8_t mask = (uint8_t)(0xff00 >> bits % 8);

	return memcmp(address, network, bits / 8) == 0 &&
	    (bits % 8 == 0 ||
	        ((address[bits / 8] ^ network[bits / 8]) & mask) == 0);
}
