/* SPDX-License-Identifier: MIT */
/*
 * rng.h -- the one source of chance of a simulation: splitmix64.
 *
 * Integers only, so that a seed means the same on every machine.
 */
#ifndef MUSTER_SIM_RNG_H
#define MUSTER_SIM_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

/**
 * rng_u64(): 64 bits.
 *
 * Returns: any value
 */
uint64_t rng_u64(struct rng *r);

/**
 * rng_below(): a number under n, which is at least 1.
 *
 * Returns: 0 to n - 1
 */
uint32_t rng_below(struct rng *r, uint32_t n);

/**
 * rng_between(): a number of a span.
 *
 * Returns: lo to hi, both included; the span is shorter than 2^63
 */
int64_t rng_between(struct rng *r, int64_t lo, int64_t hi);

/**
 * rng_octave(): log-uniform: first which doubling of lo, then where in it.
 *
 * In:      lo       at least 1; hi under 2^62
 * Returns: lo to hi, both included
 */
int64_t rng_octave(struct rng *r, int64_t lo, int64_t hi);

/**
 * rng_chance(): true so many times in a million.
 *
 * Returns: true or false
 */
bool rng_chance(struct rng *r, uint32_t ppm);

/**
 * rng_fill(): len random bytes, the first of them not zero.
 */
void rng_fill(struct rng *r, uint8_t *out, size_t len);

#endif /* MUSTER_SIM_RNG_H */
