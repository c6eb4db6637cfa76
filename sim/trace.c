/* SPDX-License-Identifier: MIT */
#include "sim/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BASIS UINT64_C(0xcbf29ce484222325)

void
trace_init(struct trace *t, bool is_loud)
{
	memset(t, 0, sizeof(*t));
	t->is_loud = is_loud;
	t->lines = t->bytes = BASIS;
}

/* FNV-1a: the hash must tell runs apart, not resist anybody. */
static uint64_t
add(uint64_t hash, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

void
trace_bytes(struct trace *t, const uint8_t *p, size_t len)
{
	t->bytes = add(t->bytes, p, len);
}

void
trace_line(struct trace *t, const char *fmt, ...)
{
	char *line = t->line[t->n % TRACE_LINES];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(line, TRACE_LINE_MAX, fmt, args);
	va_end(args);
	t->n++;
	t->lines = add(t->lines, (const uint8_t *)line, strlen(line) + 1);
	if (t->is_loud)
		(void)puts(line);
}

void
trace_print_tail(const struct trace *t, FILE *out)
{
	uint64_t from = t->n > TRACE_LINES ? t->n - TRACE_LINES : 0;

	for (uint64_t i = from; i < t->n; i++)
		(void)fprintf(out, "  %s\n", t->line[i % TRACE_LINES]);
}
