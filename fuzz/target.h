/* SPDX-License-Identifier: MIT */
/*
 * target.h -- what a target offers and what it may assume.
 *
 * A target takes any bytes.  Beside what a sanitizer sees, it holds a
 * property: what decodes, encodes to the same bytes.  It aborts where that
 * does not hold.  One target a program; either libFuzzer calls it, or
 * replay.c.
 */
#ifndef MUSTER_FUZZ_TARGET_H
#define MUSTER_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What libFuzzer calls; 0 always. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

#define HOLDS(condition)                                                   \
	do {                                                               \
		if (!(condition)) {                                        \
			(void)fprintf(stderr, "%s:%d: %s does not hold\n", \
			    __FILE__, __LINE__, #condition);               \
			abort();                                           \
		}                                                          \
	} while (0)

#define SAME(a, a_len, b, b_len) \
	HOLDS((a_len) == (b_len) && memcmp((a), (b), (b_len)) == 0)

#endif /* MUSTER_FUZZ_TARGET_H */
