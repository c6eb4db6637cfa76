/* SPDX-License-Identifier: MIT */
/*
 * tool.h -- what the programs of the bench share.
 *
 * Header only, on libc alone: two of them are products, which link libmuster
 * and nothing else of ours.
 */
#ifndef MUSTER_BENCH_TOOL_H
#define MUSTER_BENCH_TOOL_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/**
 * tool_now_ns(): a clock that never steps.
 *
 * Returns: nanoseconds since some moment
 */
static inline int64_t
tool_now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/**
 * tool_hex(): exactly 2 * len hex digits.
 *
 * Returns: false for anything else
 */
static inline bool
tool_hex(const char *text, uint8_t *out, size_t len)
{
	if (strlen(text) != 2 * len ||
	    strspn(text, "0123456789abcdefABCDEF") != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		char two[3] = {text[2 * i], text[2 * i + 1], '\0'};

		out[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	return true;
}

/**
 * tool_number(): a decimal number from 1 to max.
 *
 * Returns: it, or 0
 */
static inline uint32_t
tool_number(const char *text, uint32_t max)
{
	unsigned long long n = strtoull(text, NULL, 10);

	if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0')
		return 0;
	return n <= max ? (uint32_t)n : 0;
}

/**
 * tool_address(): an IPv4 address.
 *
 * Out:     out  in the order of the machine
 * Returns: false for anything else
 */
static inline bool
tool_address(const char *text, uint32_t *out)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		return false;
	*out = ntohl(address.s_addr);
	return true;
}

/**
 * tool_order(): for qsort() over times.
 *
 * Returns: below, equal to or above 0
 */
static inline int
tool_order(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/**
 * tool_tell_times(): median, p99 and worst as three members of an object.
 *
 * In:      took_ns  at least one; sorted by the call
 */
static inline void
tool_tell_times(int64_t *took_ns, size_t n)
{
	qsort(took_ns, n, sizeof(*took_ns), tool_order);
	(void)printf("\"median_us\":%.3f,\"p99_us\":%.3f,\"max_us\":%.3f",
	    (double)took_ns[n / 2] / 1e3, (double)took_ns[n * 99 / 100] / 1e3,
	    (double)took_ns[n - 1] / 1e3);
}

#endif /* MUSTER_BENCH_TOOL_H */
