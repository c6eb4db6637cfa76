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

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TRACE_LINES 20
#define TRACE_LINE_MAX 160

/* Printed with the day and time in front, and the step. */
struct trace_line {
	uint64_t step;
	int64_t ms; /* since the beginning */
	char text[TRACE_LINE_MAX];
};

struct trace {
	bool is_loud;          /* print each line */
	uint64_t lines, bytes; /* hashes */
	uint64_t n;
	struct trace_line line[TRACE_LINES]; /* a ring */
};

/**
 * trace_init(): nothing happened yet.
 */
void trace_init(struct trace *t, bool is_loud);

/**
 * trace_line(): one line, cut where it is too long.
 */
void trace_line(struct trace *t, uint64_t step, int64_t ms, const char *fmt,
    va_list args) __attribute__((format(printf, 4, 0)));

/**
 * trace_bytes(): what was sent.
 */
void trace_bytes(struct trace *t, const uint8_t *p, size_t len);

/**
 * trace_print_tail(): the last lines.
 */
void trace_print_tail(const struct trace *t, FILE *out);

#endif /* MUSTER_SIM_TRACE_H */
