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
 * clock_unix_ms(): wall clock.
 *
 * Returns: milliseconds since 1970
 */
int64_t clock_unix_ms(void);

/**
 * clock_mono_ms(): a clock that never steps.
 *
 * Returns: milliseconds since some point
 */
int64_t clock_mono_ms(void);

/**
 * clock_boot_s(): time since the machine started, suspend included.
 *
 * Returns: seconds
 */
int64_t clock_boot_s(void);

/**
 * clock_boot_id(): which start of the machine this is.
 *
 * Out:     out      16 bytes; zeros where the kernel does not tell
 */
void clock_boot_id(uint8_t *out);

#endif /* MUSTER_BASE_CLOCK_H */
