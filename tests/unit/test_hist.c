/* SPDX-License-Identifier: MIT */
/* test_hist.c -- the bench's histogram says what a sorted list would say. */
#include "../../bench/hist.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define N 20000

static struct hist h;

static int
order(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
test_hist_edges(void)
{
	hist_clear(&h);
	is((long long)hist_at(&h, 0.5), 0);
	hist_add(&h, -7);
	is((long long)hist_at(&h, 1), 0);
	hist_add(&h, INT64_MAX);
	ok(hist_at(&h, 1) == INT64_MAX);
	is((long long)hist_at(&h, 0.5), 0);
	hist_clear(&h);
	hist_add(&h, 100001); /* never above the longest */
	is((long long)hist_at(&h, 0.5), 100001);
	hist_clear(&h);
	for (int64_t ns = 0; ns < 2 * HIST_STEPS; ns++)
		hist_add(&h, ns);
	/* small ones are exact */
	is((long long)hist_at(&h, 0.5), HIST_STEPS - 1);
	is((long long)hist_at(&h, 1), 2 * HIST_STEPS - 1);
}

/* Within one part in HIST_STEPS, over ten decades. */
static void
test_hist_random_equals_a_sorted_list(void)
{
	static int64_t times[N];
	static const double shares[] = {0.01, 0.5, 0.9, 0.99, 0.999, 1};
	uint64_t rng = 1;
	unsigned bad = 0;

	hist_clear(&h);
	for (size_t i = 0; i < N; i++) {
		rng ^= rng << 13;
		rng ^= rng >> 7;
		rng ^= rng << 17;
		times[i] = (int64_t)(rng >> (30 + rng % 34));
		hist_add(&h, times[i]);
	}
	qsort(times, N, sizeof(times[0]), order);
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		size_t at = (size_t)(shares[i] * N + 0.999999) - 1;
		int64_t want = times[at];
		int64_t got = (int64_t)hist_at(&h, shares[i]);

		bad += got < want || got - want > want / HIST_STEPS + 1;
	}
	is(bad, 0);
	is((long long)h.n, N);
	ok(h.max_ns == (uint64_t)times[N - 1]);
}

int
main(void)
{
	test_hist_edges();
	test_hist_random_equals_a_sorted_list();
	return tap_done();
}
