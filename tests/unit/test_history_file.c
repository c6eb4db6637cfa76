/* SPDX-License-Identifier: MIT */
/* test_history_file.c -- a history that was written is read as it was, and what
 * was not written so is refused. */
#include <sodium.h>
#include <string.h>

#include "host/history_file.h"
#include "tap.h"

#define T0 INT64_C(1800000000) /* at the beginning of an hour */

static struct history h, back;
static uint8_t file[HISTORY_FILE_MAX], bad[HISTORY_FILE_MAX];

/* So many minutes of as many groups, with a gap of three. */
static void
make(uint32_t n_groups, int64_t minutes)
{
	struct history_totals totals = {.activated = 0};

	memset(&h, 0, sizeof(h));
	for (int64_t i = 0; i < minutes; i++) {
		totals.activated += 3;
		totals.below_threshold += 2;
		totals.refused += i % 2;
		for (uint32_t g = 0; g < n_groups; g++) {
			const struct store_group at = {.publisher = {7},
			    .group = g + 1,
			    .count = (uint32_t)i + g};

			history_note(&h,
			    T0 + 60 * (i < minutes / 2 ? i : i + 3), &totals,
			    &at, 1);
		}
	}
}

static bool
is_same(void)
{
	bool is_good = back.n_groups == h.n_groups;

	for (uint32_t g = 0; g < h.n_groups; g++)
		is_good = is_good &&
		    back.groups[g].group == h.groups[g].group &&
		    memcmp(back.groups[g].publisher, h.groups[g].publisher,
		        PUBLISHER_LEN) == 0;
	for (int r = 0; r < HISTORY_STEPS; r++) {
		const struct history_ring *x = &h.rings[r], *y = &back.rings[r];

		is_good = is_good && x->n == y->n && x->newest == y->newest;
		for (uint32_t i = 0; is_good && i < x->n; i++) {
			uint32_t k = history_place(x, i),
			         m = history_place(y, i);
			const struct history_point *p = &x->points[k],
			                           *q = &y->points[m];

			is_good = p->is_known == q->is_known &&
			    p->activated == q->activated &&
			    p->below_threshold == q->below_threshold &&
			    p->refused == q->refused;
			for (uint32_t g = 0; g < h.n_groups; g++)
				is_good = is_good &&
				    x->counts[g][k] == y->counts[g][m];
		}
	}
	return is_good;
}

static void
test_what_was_written_is_read(void)
{
	static const struct {
		uint32_t n_groups;
		int64_t minutes;
	} cases[] = {{0, 0}, {1, 1}, {1, 200}, {3, HISTORY_POINTS + 50},
	    {HISTORY_GROUPS_MAX, HISTORY_POINTS + 1}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len;

		make(cases[i].n_groups, cases[i].minutes);
		len = history_encode(&h, file, HISTORY_LEN(h.n_groups));
		ok(len > 0);
		is((long long)history_encode(&h, bad, len - 1), 0);
		memset(&back, 0xee, sizeof(back));
		is(history_decode(file, len, &back), 0);
		ok(is_same());
	}
	is((long long)history_encode(&h, file, sizeof(file)),
	    (long long)sizeof(file) -
	        (long long)(HISTORY_POINTS - h.rings[HISTORY_HOUR].n) *
	            (long long)HISTORY_POINT_LEN(HISTORY_GROUPS_MAX));
}

/* Another process counts from 0, and time has gone on. */
static void
test_it_goes_on_with_a_gap(void)
{
	const struct store_group at = {.publisher = {7},
	    .group = 1,
	    .count = 9};
	struct history_totals totals = {.activated = 5};
	const struct history_ring *ring = &back.rings[HISTORY_MINUTE];
	size_t len;

	make(1, 10);
	len = history_encode(&h, file, sizeof(file));
	is(history_decode(file, len, &back), 0);
	history_note(&back, T0 + 60 * 20, &totals, &at, 1);
	is(ring->n, 21);
	is(ring->points[history_place(ring, 20)].activated, 5);
	ok(ring->points[history_place(ring, 20)].is_known);
	ok(!ring->points[history_place(ring, 15)].is_known);
	is(ring->counts[0][history_place(ring, 15)], HISTORY_UNKNOWN);
	is(ring->counts[0][history_place(ring, 12)], 9);
	is(ring->points[history_place(ring, 12)].activated, 3);
}

/* What it says; one that fails leaves nothing behind. */
static int
decoded(size_t len)
{
	static const struct history none;
	int err = history_decode(bad, len, &back);

	if (err != 0 && memcmp(&back, &none, sizeof(none)) != 0)
		return 1;
	return err;
}

static void
sign(size_t len)
{
	(void)crypto_generichash(bad + len - HISTORY_SUM_LEN, HISTORY_SUM_LEN,
	    bad, len - HISTORY_SUM_LEN, NULL, 0);
}

static void
test_what_is_damaged_is_refused(void)
{
	/* number of groups, of a ring's points */
	static const size_t counts[] = {8, 12 + 20 + 8};
	size_t len, missed = 0;

	make(1, 6);
	len = history_encode(&h, file, sizeof(file));
	for (size_t i = 0; i < 8 * len; i++) {
		memcpy(bad, file, len);
		bad[i / 8] ^= (uint8_t)(1 << i % 8);
		missed += decoded(len) != MUSTER_E_DAMAGED;
	}
	memcpy(bad, file, len);
	for (size_t i = 0; i < len; i++)
		missed += decoded(i) != MUSTER_E_DAMAGED;
	is((long long)missed, 0);
	is(decoded(len), 0);

	/* under a sum that is right */
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		static const uint8_t more[][4] = {{0, 0, 0, 2}, {0, 0, 0, 65},
		    {0, 0, 5, 161}, {0xff, 0xff, 0xff, 0xff}};

		for (size_t k = 0; k < sizeof(more) / sizeof(more[0]); k++) {
			memcpy(bad, file, len);
			memcpy(bad + counts[i], more[k], 4);
			sign(len);
			is(decoded(len), MUSTER_E_DAMAGED);
		}
	}
	memcpy(bad, file, len);
	bad[7]++;
	sign(len);
	is(decoded(len), MUSTER_E_DAMAGED);
	memcpy(bad, file, len);
	memset(bad + len - HISTORY_SUM_LEN, 0, 4);
	sign(len + 4);
	is(decoded(len + 4), MUSTER_E_DAMAGED);
}

int
main(void)
{
	test_what_was_written_is_read();
	test_it_goes_on_with_a_gap();
	test_what_is_damaged_is_refused();
	return tap_done();
}
