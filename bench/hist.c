/* SPDX-License-Identifier: MIT */
#include "hist.h"

#include <stdio.h>
#include <string.h>

/* Times below 2 * HIST_STEPS have a bucket each; above, the highest bits. */
static uint32_t
bucket_of(uint64_t ns)
{
	uint32_t shift = 0;

	while (ns >> shift >= 2 * HIST_STEPS)
		shift++;
	return shift * HIST_STEPS + (uint32_t)(ns >> shift);
}

/* The longest time of a bucket. */
static uint64_t
end_of(uint32_t bucket)
{
	uint32_t shift = bucket < 2 * HIST_STEPS ? 0 : bucket / HIST_STEPS - 1;
	uint64_t high = bucket - shift * HIST_STEPS;

	return ((high + 1) << shift) - 1;
}

void
hist_clear(struct hist *h)
{
	memset(h, 0, sizeof(*h));
}

void
hist_add(struct hist *h, int64_t ns)
{
	uint64_t t = ns < 0 ? 0 : (uint64_t)ns;

	h->n++;
	h->buckets[bucket_of(t)]++;
	if (t > h->max_ns)
		h->max_ns = t;
}

uint64_t
hist_at(const struct hist *h, double share)
{
	uint64_t want = (uint64_t)(share * (double)h->n);
	uint64_t seen = 0;

	if ((double)want < share * (double)h->n)
		want++;
	if (want == 0)
		want = 1;
	for (uint32_t b = 0; b < HIST_BUCKETS; b++) {
		seen += h->buckets[b];
		if (seen >= want)
			return end_of(b) < h->max_ns ? end_of(b) : h->max_ns;
	}
	return h->max_ns;
}

void
hist_tell(const struct hist *h)
{
	(void)printf("\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,"
	             "\"max_us\":%.1f",
	    (double)hist_at(h, 0.5) / 1e3, (double)hist_at(h, 0.99) / 1e3,
	    (double)hist_at(h, 0.999) / 1e3, (double)h->max_ns / 1e3);
}

void
hist_tell_curve(const struct hist *h)
{
	static const double shares[] = {0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95,
	    0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999, 1};
	const size_t n = sizeof(shares) / sizeof(shares[0]);

	(void)printf("\"curve\":[");
	for (size_t i = 0; i < n; i++)
		(void)printf("%s[%g,%.1f]", i == 0 ? "" : ",", shares[i],
		    (double)hist_at(h, shares[i]) / 1e3);
	(void)printf("]");
}
