/* SPDX-License-Identifier: MIT */
#include "sim/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PRIME UINT64_C(0x100000001b3)
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
		hash = (hash ^ p[i]) * PRIME;
	return hash;
}

void
trace_bytes(struct trace *t, const uint8_t *p, size_t len)
{
	t->bytes = add(t->bytes, p, len);
}

static void
print(const struct trace_line *line, FILE *out)
{
	int64_t ms = line->ms;

	(void)fprintf(out, "%6llu day %3lld %02lld:%02lld:%02lld.%03lld %s\n",
	    (unsigned long long)line->step, (long long)(ms / 86400000),
	    (long long)(ms / 3600000 % 24), (long long)(ms / 60000 % 60),
	    (long long)(ms / 1000 % 60), (long long)(ms % 1000), line->text);
}

void
trace_line(struct trace *t, uint64_t step, int64_t ms, const char *fmt,
    va_list args)
{
	struct trace_line *line = &t->line[t->n % TRACE_LINES];
	const uint64_t head[2] = {step, (uint64_t)ms};
	int len = vsnprintf(line->text, TRACE_LINE_MAX, fmt, args);

	line->step = step;
	line->ms = ms;
	t->n++;
	for (int i = 0; i < 2; i++)
		t->lines = (t->lines ^ head[i]) * PRIME;
	if (len > 0)
		t->lines = add(t->lines, (const uint8_t *)line->text,
		    len < TRACE_LINE_MAX ? (size_t)len : TRACE_LINE_MAX - 1);
	if (t->is_loud)
		print(line, stdout);
}

void
trace_print_tail(const struct trace *t, FILE *out)
{
	uint64_t from = t->n > TRACE_LINES ? t->n - TRACE_LINES : 0;

	for (uint64_t i = from; i < t->n; i++) {
		(void)fputs("  ", out);
		print(&t->line[i % TRACE_LINES], out);
	}
}
