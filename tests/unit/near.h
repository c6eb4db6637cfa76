/* SPDX-License-Identifier: MIT */
/*
 * near.h -- everything that lies beside a message, and who may pass.
 *
 * A format has a predicate, is_right(), written from doc/protocol.md alone,
 * without a cursor: it lists what may be accepted.  near_around() gives the
 * decoder every truncation, every extension, every one-byte mutant and every
 * pair of boundary values in the fields of length and type; whatever decoder
 * and predicate judge differently, and whatever is accepted and does not
 * encode to the same bytes, is a failure.
 */
#ifndef MUSTER_NEAR_H
#define MUSTER_NEAR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "tap.h"

#define NEAR_LEN_MAX 65535U /* extensions go on to here */
#define NEAR_FIELDS_MAX 12
#define NEAR_MESSAGE_MAX 1024

/* What a decoder made of some bytes. */
enum near_verdict {
	NEAR_REFUSED = 0,
	NEAR_ACCEPTED = 1,
	NEAR_OTHER = 2 /* accepted, but it encodes to other bytes */
};

struct near_format {
	const char *name;
	enum near_verdict (*decode)(const uint8_t *p, size_t len);
	bool (*is_right)(const uint8_t *p, size_t len);
	/* offsets of its 32-bit fields of length and type, in this message */
	size_t (*fields)(const uint8_t *p, size_t len, size_t *out);
	unsigned step; /* of one-byte mutants: 1: all of them */
};

struct near_sum {
	unsigned long n_inputs, n_accepted, n_wrong;
};

static struct near_sum near_sum;

static inline uint32_t
near_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

static inline void
near_put(uint8_t *p, uint32_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

static inline bool
near_zero(const uint8_t *p, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= p[i];
	return any == 0;
}

/* p lies in memory of exactly len bytes where that can be had. */
static inline void
near_one(const struct near_format *f, const uint8_t *p, size_t len,
    const char *what, unsigned long at)
{
	enum near_verdict v = f->decode(p, len);
	bool is_right = f->is_right(p, len);

	near_sum.n_inputs++;
	near_sum.n_accepted += v != NEAR_REFUSED;
	if (v == NEAR_OTHER || (v == NEAR_ACCEPTED) != is_right) {
		if (near_sum.n_wrong++ < 8)
			printf("# %s: %s at %lu: verdict %d, by the protocol "
			       "%d\n",
			    f->name, what, at, (int)v, is_right);
	}
}

static inline void
near_lengths(const struct near_format *f, const uint8_t *msg, size_t len)
{
	static uint8_t large[NEAR_LEN_MAX];

	for (size_t n = 0; n < len; n++) {
		uint8_t *exact = malloc(n == 0 ? 1 : n);

		if (exact == NULL)
			abort();
		memcpy(exact, msg, n);
		near_one(f, exact, n, "cut", n);
		free(exact);
	}
	memset(large, 0, sizeof(large));
	memcpy(large, msg, len);
	for (size_t n = len + 1; n <= NEAR_LEN_MAX; n++)
		near_one(f, large, n, "extended", n);
	memset(large + len, 0xff, 300);
	for (size_t n = len + 1; n <= len + 300; n++)
		near_one(f, large, n, "extended by ones", n);
}

static inline void
near_bytes(const struct near_format *f, uint8_t *exact, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t was = exact[i];

		for (unsigned x = 1; x < 256; x += f->step) {
			exact[i] = (uint8_t)(was ^ x);
			near_one(f, exact, len, "mutant", i * 256 + x);
		}
		exact[i] = was;
	}
}

/* The boundary set, n being what the field holds. */
static inline uint32_t
near_edge(unsigned i, uint32_t n)
{
	const uint32_t set[] = {0, 1, n - 1, n, n + 1, 127, 128, 250, 251, 255,
	    256, 65535, 0x7fffffff, 0x80000000, 0xffffffff};

	return set[i];
}
#define NEAR_EDGES 15

static inline void
near_pairs(const struct near_format *f, uint8_t *exact, size_t len)
{
	size_t at[NEAR_FIELDS_MAX], n = f->fields(exact, len, at);

	for (size_t i = 0; i < n; i++) {
		for (size_t k = i; k < n; k++) {
			uint32_t a = near_u32(exact + at[i]);
			uint32_t b = near_u32(exact + at[k]);

			for (unsigned e = 0; e < NEAR_EDGES * NEAR_EDGES; e++) {
				near_put(exact + at[k],
				    near_edge(e % NEAR_EDGES, b));
				near_put(exact + at[i],
				    near_edge(e / NEAR_EDGES, a));
				near_one(f, exact, len, "pair", i * 100 + k);
			}
			near_put(exact + at[k], b);
			near_put(exact + at[i], a);
		}
	}
}

/* Everything around one message that is good. */
static inline void
near_around(const struct near_format *f, const uint8_t *msg, size_t len)
{
	uint8_t *exact = malloc(len);

	if (exact == NULL || len > NEAR_MESSAGE_MAX)
		abort();
	memcpy(exact, msg, len);
	near_one(f, exact, len, "itself", 0);
	if (f->decode(exact, len) != NEAR_ACCEPTED)
		near_sum.n_wrong++;
	near_lengths(f, exact, len);
	near_bytes(f, exact, len);
	near_pairs(f, exact, len);
	free(exact);
}

/* Say what was seen of a format; n_seeds is at least 50. */
static inline void
near_done(const struct near_format *f, unsigned n_seeds)
{
	printf("# %s: %u messages, %lu inputs around them, %lu accepted, each "
	       "listed\n",
	    f->name, n_seeds, near_sum.n_inputs, near_sum.n_accepted);
	ok(n_seeds >= 50);
	is((long long)near_sum.n_wrong, 0);
	near_sum = (struct near_sum){0};
}

#endif /* MUSTER_NEAR_H */
