/* SPDX-License-Identifier: MIT */
/*
 * count.c -- see count.h.
 *
 * Slots hold records and are linked twice: by recency (next, prev) and, when
 * changed, in the list of changes.  Links are slot numbers plus one, so that
 * zero means none and cleared memory is an empty cache.
 */
#include "count/count.h"

#include <assert.h>
#include <string.h>

struct count_slot {
	struct count_row row;
	uint64_t stored;     /* seq that it is stored under; 0: it is not */
	uint32_t next, prev; /* towards the newest, towards the oldest */
	uint32_t next_dirty;
	bool is_dirty;
};

static uint32_t
buckets_for(uint32_t n_slots)
{
	uint32_t n = 4;

	/* at most half full, so that probing stays short */
	while (n < n_slots * 2)
		n *= 2;
	return n;
}

size_t
count_memory(uint32_t n_slots)
{
	assert(n_slots >= 1 && n_slots <= COUNT_CAPACITY_MAX);
	return n_slots * sizeof(struct count_slot) +
	    buckets_for(n_slots) * sizeof(uint32_t);
}

void
count_init(struct count *c, void *mem, uint32_t n_slots, uint32_t capacity)
{
	assert(capacity >= 1 && capacity <= n_slots);
	memset(mem, 0, count_memory(n_slots));
	memset(c, 0, sizeof(*c));
	c->slots = mem;
	c->buckets = (uint32_t *)(void *)(c->slots + n_slots);
	c->n_buckets = buckets_for(n_slots);
	c->n_slots = n_slots;
	c->capacity = capacity;
	c->span_from = INT64_MIN;
	c->span_to = INT64_MAX;
}

int
count_raise(struct count *c, uint32_t capacity)
{
	if (capacity > c->n_slots)
		return MUSTER_E_FULL;
	if (capacity > c->capacity)
		c->capacity = capacity;
	return 0;
}

/* CMIDs are random by design; a forged set only slows its own sender. */
static uint32_t
home(const struct count *c, const uint8_t *cmid)
{
	uint64_t h = 0;

	for (size_t i = 0; i < COUNT_CMID_LEN; i++)
		h = (h ^ cmid[i]) * UINT64_C(0x100000001b3);
	return (uint32_t)(h >> 20) & (c->n_buckets - 1);
}

/* The bucket of a CMID, or the empty one where it would go. */
static uint32_t
find(const struct count *c, const uint8_t *cmid)
{
	uint32_t b = home(c, cmid);

	while (c->buckets[b] != 0 &&
	    memcmp(c->slots[c->buckets[b] - 1].row.cmid, cmid,
	        COUNT_CMID_LEN) != 0)
		b = (b + 1) & (c->n_buckets - 1);
	return b;
}

void
count_move(struct count *c, void *mem, uint32_t n_slots)
{
	struct count old = *c;

	assert(n_slots > old.n_slots);
	count_init(c, mem, n_slots, old.capacity);
	memcpy(c->slots, old.slots, old.n * sizeof(*c->slots));
	c->n = old.n;
	c->oldest = old.oldest;
	c->newest = old.newest;
	c->dirty = old.dirty;
	c->counted = old.counted;
	c->span_from = old.span_from;
	c->span_to = old.span_to;
	c->has_evicted = old.has_evicted;
	c->n_cleaned = old.n_cleaned;
	memcpy(c->cleaned, old.cleaned, sizeof(c->cleaned));
	for (uint32_t s = 1; s <= c->n; s++)
		c->buckets[find(c, c->slots[s - 1].row.cmid)] = s;
}

/* Take a bucket out and close the gap, so that no tombstones are needed. */
static void
bucket_clear(struct count *c, uint32_t gap)
{
	uint32_t mask = c->n_buckets - 1;
	uint32_t b = gap;

	for (;;) {
		uint32_t want;

		b = (b + 1) & mask;
		if (c->buckets[b] == 0)
			break;
		want = home(c, c->slots[c->buckets[b] - 1].row.cmid);
		if (((b - want) & mask) < ((b - gap) & mask))
			continue;
		c->buckets[gap] = c->buckets[b];
		gap = b;
	}
	c->buckets[gap] = 0;
}

static void
unlink_slot(struct count *c, uint32_t s)
{
	struct count_slot *slot = &c->slots[s - 1];

	if (slot->prev != 0)
		c->slots[slot->prev - 1].next = slot->next;
	else
		c->oldest = slot->next;
	if (slot->next != 0)
		c->slots[slot->next - 1].prev = slot->prev;
	else
		c->newest = slot->prev;
}

static void
link_newest(struct count *c, uint32_t s)
{
	struct count_slot *slot = &c->slots[s - 1];

	slot->prev = c->newest;
	slot->next = 0;
	if (c->newest != 0)
		c->slots[c->newest - 1].next = s;
	else
		c->oldest = s;
	c->newest = s;
}

static void
mark(struct count *c, uint32_t s)
{
	struct count_slot *slot = &c->slots[s - 1];

	if (slot->is_dirty)
		return;
	slot->is_dirty = true;
	slot->next_dirty = c->dirty;
	c->dirty = s;
}

/*
 * The span in which a record neither starts nor stops to count, nor lies so
 * far ahead that it must be repaired.
 */
static void
narrow(struct count *c, int64_t seen, bool is_counted)
{
	int64_t end = seen + COUNT_WINDOW_S;
	int64_t from = is_counted ? seen - COUNT_FUTURE_S : end;

	if (is_counted && end < c->span_to)
		c->span_to = end;
	if (from > c->span_from)
		c->span_from = from;
}

int
count_load(struct count *c, const struct count_row *row)
{
	uint32_t b = find(c, row->cmid);
	uint32_t s;

	if (c->buckets[b] != 0)
		return MUSTER_E_EXIST;
	if (c->newest != 0 && row->seq <= c->slots[c->newest - 1].row.seq)
		return MUSTER_E_EXIST;
	if (c->n == c->capacity)
		return MUSTER_E_FULL;
	s = ++c->n;
	c->slots[s - 1].row = *row;
	c->slots[s - 1].stored = row->seq;
	c->buckets[b] = s;
	link_newest(c, s);
	c->span_to = INT64_MIN; /* no count is known until the next scan */
	return 0;
}

uint32_t
count_value(struct count *c, int64_t now_unix_s)
{
	if (now_unix_s >= c->span_from && now_unix_s < c->span_to)
		return c->counted;

	c->counted = 0;
	c->span_from = INT64_MIN;
	c->span_to = INT64_MAX;
	for (uint32_t s = c->newest; s != 0; s = c->slots[s - 1].prev) {
		struct count_row *row = &c->slots[s - 1].row;
		bool is_counted;

		if (row->seen_unix_s - now_unix_s > COUNT_FUTURE_S) {
			row->seen_unix_s = now_unix_s;
			mark(c, s);
		}
		is_counted = now_unix_s - row->seen_unix_s < COUNT_WINDOW_S;
		c->counted += is_counted;
		narrow(c, row->seen_unix_s, is_counted);
	}
	return c->counted;
}

/* Take slot s out of the list of changes; the list is short. */
static void
unmark(struct count *c, uint32_t s)
{
	uint32_t *link = &c->dirty;

	if (!c->slots[s - 1].is_dirty)
		return;
	while (*link != s)
		link = &c->slots[*link - 1].next_dirty;
	*link = c->slots[s - 1].next_dirty;
	c->slots[s - 1].is_dirty = false;
}

int
count_touch(struct count *c, const struct count_row *row, uint32_t *count_out)
{
	int64_t now = row->seen_unix_s;
	uint32_t b, s;
	bool was_counted = false;

	if (c->newest != 0 && row->seq <= c->slots[c->newest - 1].row.seq)
		return MUSTER_E_INVAL;
	(void)count_value(c, now);
	b = find(c, row->cmid);
	s = c->buckets[b];
	if (s != 0) {
		was_counted =
		    now - c->slots[s - 1].row.seen_unix_s < COUNT_WINDOW_S;
		unlink_slot(c, s);
	} else if (c->n < c->capacity) {
		s = ++c->n;
		c->buckets[b] = s;
	} else {
		s = c->oldest;
		c->counted -=
		    now - c->slots[s - 1].row.seen_unix_s < COUNT_WINDOW_S;
		bucket_clear(c, find(c, c->slots[s - 1].row.cmid));
		c->has_evicted |= c->slots[s - 1].stored != 0;
		c->slots[s - 1].stored = 0;
		unlink_slot(c, s);
		c->buckets[find(c, row->cmid)] = s;
	}
	c->slots[s - 1].row = *row;
	link_newest(c, s);
	mark(c, s);
	c->counted += !was_counted;
	narrow(c, now, true);
	*count_out = c->counted;
	return 0;
}

/* Take a record out; the last slot moves into the gap, links and all. */
static void
take_out(struct count *c, uint32_t s)
{
	struct count_slot *slot = &c->slots[s - 1];
	struct count_slot *last = &c->slots[c->n - 1];

	unmark(c, s);
	bucket_clear(c, find(c, slot->row.cmid));
	unlink_slot(c, s);
	c->span_to = INT64_MIN;
	if (slot != last) {
		bool was_dirty = last->is_dirty;

		unmark(c, c->n);
		c->buckets[find(c, last->row.cmid)] = s;
		*slot = *last;
		if (slot->prev != 0)
			c->slots[slot->prev - 1].next = s;
		else
			c->oldest = s;
		if (slot->next != 0)
			c->slots[slot->next - 1].prev = s;
		else
			c->newest = s;
		if (was_dirty)
			mark(c, s);
	}
	memset(last, 0, sizeof(*last));
	c->n--;
}

bool
count_is_old(const struct count_row *row, int64_t now_unix_s)
{
	return now_unix_s - row->seen_unix_s >= COUNT_KEEP_S;
}

uint32_t
count_clean(struct count *c, int64_t now_unix_s, uint32_t max)
{
	uint32_t n = 0;
	uint32_t s = 1;

	while (s <= c->n && n < max && c->n_cleaned < COUNT_CLEANED_MAX) {
		const struct count_slot *slot = &c->slots[s - 1];

		if (!count_is_old(&slot->row, now_unix_s)) {
			s++;
			continue;
		}
		if (slot->stored != 0)
			c->cleaned[c->n_cleaned++] = slot->stored;
		take_out(c, s);
		n++;
	}
	return n;
}

void
count_drop_below(struct count *c, uint64_t seq)
{
	while (c->oldest != 0 && c->slots[c->oldest - 1].row.seq < seq)
		take_out(c, c->oldest);
}

int
count_merge(struct count *c, const struct count_row *row)
{
	uint32_t b;

	if (c->newest != 0 && row->seq <= c->slots[c->newest - 1].row.seq)
		return MUSTER_E_EXIST;
	b = find(c, row->cmid);
	if (c->buckets[b] != 0)
		take_out(c, c->buckets[b]);
	return count_load(c, row);
}

uint64_t
count_oldest(const struct count *c)
{
	return c->oldest == 0 ? UINT64_MAX : c->slots[c->oldest - 1].row.seq;
}

bool
count_is_dirty(const struct count *c)
{
	return c->dirty != 0 || c->has_evicted || c->n_cleaned > 0;
}

bool
count_next_dirty(const struct count *c, uint32_t *iter,
    struct count_row *row_out, uint64_t *stored_out)
{
	uint32_t s = *iter == 0 ? c->dirty : c->slots[*iter - 1].next_dirty;

	if (s == 0)
		return false;
	*iter = s;
	*row_out = c->slots[s - 1].row;
	*stored_out = c->slots[s - 1].stored;
	return true;
}

bool
count_next(const struct count *c, uint32_t *iter, struct count_row *row_out)
{
	uint32_t s = *iter == 0 ? c->newest : c->slots[*iter - 1].prev;

	if (s == 0)
		return false;
	*iter = s;
	*row_out = c->slots[s - 1].row;
	return true;
}

void
count_flushed(struct count *c)
{
	while (c->dirty != 0) {
		struct count_slot *slot = &c->slots[c->dirty - 1];

		c->dirty = slot->next_dirty;
		slot->is_dirty = false;
		slot->next_dirty = 0;
		slot->stored = slot->row.seq;
	}
	c->has_evicted = false;
	c->n_cleaned = 0;
}
