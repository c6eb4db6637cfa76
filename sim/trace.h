/* SPDX-License-Identifier: MIT */
/*
 * trace.h -- what happened, as lines, and the last ones of them; a hash over the
 * lines, and one over the bytes that were sent.
 *
 * The lines of a seed are the same whatever stands for Ed25519; the bytes are
 * not, for a signature is among them.
 */
#ifndef MUSTER_SIM_TRACE_H
#define MUSTER_SIM_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TRACE_LINES 20
#define TRACE_LINE_MAX 160

struct trace {
	bool is_loud;          /* print each line */
	uint64_t lines, bytes; /* hashes */
	uint64_t n;
	char line[TRACE_LINES][TRACE_LINE_MAX]; /* a ring */
};

/**
 * trace_init(): nothing happened yet.
 */
void trace_init(struct trace *t, bool is_loud);

/**
 * trace_line(): one line, cut where it is too long.
 */
void trace_line(struct trace *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/**
 * trace_bytes(): what was sent.
 */
void trace_bytes(struct trace *t, const uint8_t *p, size_t len);

/**
 * trace_print_tail(): the last lines.
 */
void trace_print_tail(const struct trace *t, FILE *out);

#endif /* MUSTER_SIM_TRACE_H */
