/* SPDX-License-Identifier: MIT */
#include "host/history.h"

#include <string.h>

int64_t
history_step_s(enum history_step step)
{
	return step == HISTORY_MINUTE ? 60 : 3600;
}

uint32_t
history_place(const struct history_ring *ring, uint32_t i)
{
	return (ring->at + HISTORY_POINTS + 1 - ring->n + i) % HISTORY_POINTS;
}

/* A further point, of which nothing is known yet. */
static void
add_point(struct history_ring *ring)
{
	ring->at = (ring->at + 1) % HISTORY_POINTS;
	ring->points[ring->at] = (struct history_point){.refused = 0};
	for (size_t g = 0; g < HISTORY_GROUPS_MAX; g++)
		ring->counts[g][ring->at] = HISTORY_UNKNOWN;
	if (ring->n < HISTORY_POINTS)
		ring->n++;
}

static void
advance(struct history_ring *ring, int64_t newest)
{
	int64_t missing = newest - ring->newest;

	/* the place before that of the newest has the point before it */
	for (; missing < 0 && ring->n > 0; missing++, ring->n--)
		ring->at = (ring->at + HISTORY_POINTS - 1) % HISTORY_POINTS;
	if (ring->n == 0 || missing > HISTORY_POINTS) {
		ring->n = 0;
		missing = 1;
	}
	for (; missing > 0; missing--)
		add_point(ring);
	ring->newest = newest;
}

/* One of which nothing is known any more gives its place to another. */
static bool
is_forgotten(const struct history *h, uint32_t g)
{
	for (int r = 0; r < HISTORY_STEPS; r++) {
		const struct history_ring *ring = &h->rings[r];

		for (uint32_t i = 0; i < ring->n; i++) {
			if (ring->counts[g][history_place(ring, i)] !=
			    HISTORY_UNKNOWN)
				return false;
		}
	}
	return true;
}

/* The place of a group, a new one included; or HISTORY_GROUPS_MAX. */
static uint32_t
place_of(struct history *h, const struct store_group *group)
{
	uint32_t i = 0;

	while (i < h->n_groups &&
	    (h->groups[i].group != group->group ||
	        memcmp(h->groups[i].publisher, group->publisher,
	            PUBLISHER_LEN) != 0))
		i++;
	if (i < h->n_groups)
		return i;
	if (i == HISTORY_GROUPS_MAX) {
		for (i = 0; i < HISTORY_GROUPS_MAX && !is_forgotten(h, i);)
			i++;
	} else {
		h->n_groups++;
	}
	if (i < HISTORY_GROUPS_MAX) {
		h->groups[i] = *group;
		for (int r = 0; r < HISTORY_STEPS; r++) {
			for (uint32_t k = 0; k < HISTORY_POINTS; k++)
				h->rings[r].counts[i][k] = HISTORY_UNKNOWN;
		}
	}
	return i;
}

/* What came within the step does not fill 32 bits; if it did, it says so. */
static uint32_t
plus(uint32_t a, uint64_t more)
{
	return more > UINT32_MAX - a ? UINT32_MAX : a + (uint32_t)more;
}

void
history_note(struct history *h, int64_t now_unix_s,
    const struct history_totals *totals, const struct store_group *groups,
    size_t n)
{
	const struct history_totals *last = &h->last;

	for (int r = 0; r < HISTORY_STEPS; r++) {
		struct history_ring *ring = &h->rings[r];
		struct history_point *point;
		int64_t newest =
		    now_unix_s / history_step_s((enum history_step)r);

		if (ring->n == 0 || newest != ring->newest)
			advance(ring, newest);
		point = &ring->points[ring->at];
		point->is_known = true;
		point->activated =
		    plus(point->activated, totals->activated - last->activated);
		point->below_threshold = plus(point->below_threshold,
		    totals->below_threshold - last->below_threshold);
		point->refused =
		    plus(point->refused, totals->refused - last->refused);
		for (size_t i = 0; i < n; i++) {
			uint32_t g = place_of(h, &groups[i]);

			if (g < HISTORY_GROUPS_MAX)
				ring->counts[g][ring->at] = groups[i].count;
		}
	}
	h->last = *totals;
}
