/* SPDX-License-Identifier: MIT */
/*
 * stray.c -- clocks and chance of the real world end a simulation.
 *
 * What is decided in pure code gets time and chance as arguments; the program
 * is linked with --wrap for each of these, so that a call that strays in
 * aborts instead of making a seed mean something else each time.
 */
#include <stdlib.h>

#define STRAY(name)               \
	void __wrap_##name(void); \
	void __wrap_##name(void)  \
	{                         \
		abort();          \
	}

/* clang-format off */
STRAY(clock_unix_s)
STRAY(clock_boot_s)
STRAY(clock_mono_ms)
STRAY(clock_gettime)
STRAY(gettimeofday)
STRAY(time)
STRAY(rand)
STRAY(random)
STRAY(randombytes_buf)
STRAY(randombytes_random)
STRAY(randombytes_uniform)
/* clang-format on */
