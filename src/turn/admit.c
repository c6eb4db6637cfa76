/* SPDX-License-Identifier: MIT */
#include "turn/admit.h"

#include <string.h>

void
admit_init(struct admit *a)
{
	memset(a, 0, sizeof(*a));
	a->rate = ADMIT_RATE_START;
}

static int64_t
clamp(int64_t x, int64_t least, int64_t most)
{
	if (x < least)
		return least;
	return x > most ? most : x;
}

void
admit_seen(struct admit *a, size_t n, int64_t took_us)
{
	int64_t seen;

	if (n < ADMIT_BATCH_MIN)
		return;
	seen = (int64_t)n * 1000000 / clamp(took_us, 1, INT64_MAX);
	seen = clamp(seen, ADMIT_RATE_MIN, ADMIT_RATE_MAX);
	/* one that stood still for a moment has not become slow */
	a->rate = (uint32_t)((a->rate + seen) / 2);
}

uint32_t
admit_queue_max(const struct admit *a)
{
	return (uint32_t)clamp((int64_t)a->rate * ADMIT_WAIT_S, ADMIT_QUEUE_MIN,
	    ADMIT_QUEUE_MAX);
}

/* Seconds that have passed are blank pages for those an hour ahead. */
static void
turn_pages(struct admit *a, int64_t now_s)
{
	if (now_s - a->now_s >= ADMIT_AHEAD_S) {
		memset(a->due, 0, sizeof(a->due));
		a->now_s = now_s;
	}
	while (a->now_s < now_s)
		a->due[++a->now_s % ADMIT_AHEAD_S] = 0;
}

static uint32_t *
page(struct admit *a, uint32_t wait_s)
{
	return &a->due[(a->now_s + wait_s) % ADMIT_AHEAD_S];
}

/* The least number of seconds, from `least` on, that has a free place. */
static uint32_t
with_room(struct admit *a, uint32_t least, uint64_t full)
{
	uint64_t sum = 0;
	uint32_t n = 0;

	do
		sum += *page(a, ++n);
	while (n < ADMIT_AHEAD_S && (n < least || sum >= n * full));
	return n;
}

uint32_t
admit_busy_s(struct admit *a, int64_t now_s, uint32_t spread_s, uint64_t draw)
{
	const uint32_t full =
	    (uint32_t)clamp(a->rate / 2, ADMIT_RETURN_MIN, ADMIT_RATE_MAX);
	uint32_t n, one, other;

	turn_pages(a, now_s);
	n = with_room(a, spread_s, full);
	one = 1 + (uint32_t)(draw & 0xffffffff) % n;
	other = 1 + (uint32_t)(draw >> 32) % n;
	if (*page(a, other) < *page(a, one))
		one = other;
	for (uint32_t i = 0; i < n && *page(a, one) >= full; i++)
		one = one % n + 1;
	++*page(a, one);
	return one;
}

uint32_t
admit_refused_s(uint64_t draw)
{
	return 1 + (uint32_t)(draw % ADMIT_REFUSED_S);
}
