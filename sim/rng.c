/* SPDX-License-Identifier: MIT */
#include "sim/rng.h"

uint64_t
rng_u64(struct rng *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint32_t
rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)((rng_u64(r) >> 32) * n >> 32);
}

int64_t
rng_between(struct rng *r, int64_t lo, int64_t hi)
{
	uint64_t span = (uint64_t)(hi - lo) + 1;

	return lo + (int64_t)(rng_u64(r) % span);
}

int64_t
rng_octave(struct rng *r, int64_t lo, int64_t hi)
{
	uint32_t n = 1;
	int64_t from, to;

	while (lo << n <= hi)
		n++;
	from = lo << rng_below(r, n);
	to = 2 * from - 1;
	return rng_between(r, from, to < hi ? to : hi);
}

bool
rng_chance(struct rng *r, uint32_t ppm)
{
	return rng_below(r, 1000000) < ppm;
}

void
rng_fill(struct rng *r, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(rng_u64(r) >> 40);
	if (out[0] == 0)
		out[0] = 1;
}
