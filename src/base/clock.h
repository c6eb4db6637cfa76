/* SPDX-License-Identifier: MIT */
/*
 * clock.h -- the edge to clocks and the random device.
 */
#ifndef MUSTER_BASE_CLOCK_H
#define MUSTER_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/**
 * clock_unix_s(): wall clock.
 *
 * Returns: seconds since 1970
 */
int64_t clock_unix_s(void);

/**
 * clock_mono_ms(): a clock that never steps.
 *
 * Returns: milliseconds since some point
 */
int64_t clock_mono_ms(void);

#endif /* MUSTER_BASE_CLOCK_H */
