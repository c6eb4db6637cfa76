/* SPDX-License-Identifier: MIT */
/*
 * count.h -- the count cache of one counting group.
 *
 * Pure: the caller brings memory, time and sequence numbers.  A cache holds
 * the most recent CMIDs up to its capacity (b3); recency is the sequence
 * number, never a time.  A record counts while now - seen < COUNT_WINDOW_S
 * (b2); one that is too old stays until it is evicted or, COUNT_KEEP_S after
 * it was seen, cleaned up, so a clock that jumped and came back costs nothing.
 *
 * The store may write late: it names what changed since count_flushed().  A
 * record is stored under its seq, and what is evicted is always the oldest, so
 * one bound tells all of that (delete below count_oldest()); then the records
 * cleaned up (delete) and those that are new or changed (delete under the seq
 * they were stored by, and write).  After a failed commit the caller loads
 * afresh.
 *
 * Cost: count_touch() is O(1); a scan of all records happens only when the
 * time has left the span for which the present count holds.
 * Source: doc/behaviour.md b1 to b3.
 */
#ifndef MUSTER_COUNT_H
#define MUSTER_COUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"

#define COUNT_CMID_LEN 16
#define COUNT_WINDOW_S (30 * 24 * 3600) /* b2: 2,592,000 s */
#define COUNT_KEEP_S (60 * 24 * 3600)   /* b2: a further 30 days */
#define COUNT_FUTURE_S (4 * 3600)       /* b2: further ahead is a fault */
#define COUNT_CAPACITY_MAX 200000U      /* 2 x the largest threshold */
#define COUNT_CLEANED_MAX 256U          /* a step's clean-up stays short */

struct count_row {
	uint8_t cmid[COUNT_CMID_LEN];
	uint64_t seq;        /* given by the store, rising */
	int64_t seen_unix_s; /* wall clock of the host */
};

struct count_slot; /* in count.c */

/* Embed it; read it by the functions only. */
struct count {
	struct count_slot *slots;
	uint32_t *buckets; /* open addressing, a power of two */
	uint32_t n_buckets;
	uint32_t n_slots;        /* memory for so many records */
	uint32_t capacity;       /* records kept, never above n_slots */
	uint32_t n;              /* records held */
	uint32_t oldest, newest; /* ends of the list by recency */
	uint32_t dirty;          /* first slot of the list of changes */
	uint32_t counted;        /* records that count, in the span below */
	int64_t span_from, span_to;
	bool has_evicted; /* records that are stored, below count_oldest() */
	uint32_t n_cleaned;
	uint64_t cleaned[COUNT_CLEANED_MAX]; /* seq of each that is stored */
};

/**
 * count_memory(): bytes that a cache of n_slots records needs.
 *
 * In:      n_slots  1 to COUNT_CAPACITY_MAX
 * Returns: bytes, suitably aligned memory is the caller's duty
 */
size_t count_memory(uint32_t n_slots);

/**
 * count_init(): an empty cache.
 *
 * In:      mem      count_memory(n_slots) bytes, kept until the last use
 *          capacity records to keep, 1 to n_slots
 */
void
count_init(struct count *c, void *mem, uint32_t n_slots, uint32_t capacity);

/**
 * count_move(): the same cache in more memory; the old memory is then free.
 *
 * In:      mem      count_memory(n_slots) bytes
 *          n_slots  more than there were
 */
void count_move(struct count *c, void *mem, uint32_t n_slots);

/**
 * count_raise(): a larger capacity; a smaller one changes nothing (b3).
 *
 * Returns: 0
 *          MUSTER_E_FULL  more than the memory holds; nothing was changed
 */
MUSTER_NODISCARD int count_raise(struct count *c, uint32_t capacity);

/**
 * count_load(): add a record as it is stored, in rising order of seq.
 *
 * Returns: 0
 *          MUSTER_E_FULL   the capacity is reached
 *          MUSTER_E_EXIST  the CMID is there already, or seq does not rise
 */
MUSTER_NODISCARD int count_load(struct count *c, const struct count_row *row);

/**
 * count_drop_below(): drop records that another host has evicted.
 *
 * In:      seq      those below it go, and are not to be deleted by us
 */
void count_drop_below(struct count *c, uint64_t seq);

/**
 * count_merge(): take in a record as another host has stored it.
 *
 * In:      row      in rising order of seq, above all that are held; its CMID
 *                   may be held under an older seq
 * Returns: 0
 *          MUSTER_E_FULL   the capacity is reached
 *          MUSTER_E_EXIST  seq does not rise; nothing was changed
 */
MUSTER_NODISCARD int count_merge(struct count *c, const struct count_row *row);

/**
 * count_value(): the count at a time; repairs records from the future (b2).
 *
 * In:      now_unix_s  wall clock
 * Returns: records that count
 */
uint32_t count_value(struct count *c, int64_t now_unix_s);

/**
 * count_touch(): count one CMID in, or start its 30 days again.
 *
 * In:      row      row->seq is above every earlier one; seen is now
 * Out:     count_out  the count, this record included
 * Returns: 0; MUSTER_E_INVAL seq does not rise, nothing was changed
 */
MUSTER_NODISCARD int
count_touch(struct count *c, const struct count_row *row, uint32_t *count_out);

/**
 * count_clean(): drop records seen COUNT_KEEP_S ago or earlier.
 *
 * In:      max      at most so many, so that a call stays short; and as many
 *                   as the list of the cleaned takes
 * Returns: records dropped
 */
uint32_t count_clean(struct count *c, int64_t now_unix_s, uint32_t max);

/**
 * count_is_old(): is it time to clean the record up?
 *
 * Returns: true COUNT_KEEP_S after it was seen
 */
bool count_is_old(const struct count_row *row, int64_t now_unix_s);

/**
 * count_oldest(): below it there is no record.
 *
 * Returns: seq of the oldest record; UINT64_MAX when there is none
 */
uint64_t count_oldest(const struct count *c);

/**
 * count_is_dirty(): is there anything to be written?
 *
 * Returns: true when records were changed, evicted or cleaned up
 */
bool count_is_dirty(const struct count *c);

/**
 * count_next_dirty(): walk over the records to be written.
 *
 * In:      iter     0 at first, then as left by the last call
 * Out:     row_out  a record
 *          stored_out  the seq under which it is stored; 0: it is not
 * Returns: false at the end; the outputs are then untouched
 */
bool count_next_dirty(const struct count *c, uint32_t *iter,
    struct count_row *row_out, uint64_t *stored_out);

/**
 * count_next(): walk over all records, the newest first.
 *
 * Returns: false at the end, as count_next_dirty()
 */
bool
count_next(const struct count *c, uint32_t *iter, struct count_row *row_out);

/**
 * count_flushed(): the changes are on disk; forget them.
 */
void count_flushed(struct count *c);

#endif /* MUSTER_COUNT_H */
