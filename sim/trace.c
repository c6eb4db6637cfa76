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

/* ---- what a line says: a tenth of a campaign's time by vsnprintf() ---- */

struct text {
	char *at;
	const char *end; /* of the room for characters; the NUL comes behind */
};

static void
put(struct text *t, const char *p, size_t len)
{
	size_t room = (size_t)(t->end - t->at);

	if (len > room)
		len = room;
	memcpy(t->at, p, len);
	t->at += len;
}

static void
put_number(struct text *t, bool is_negative, uint64_t v)
{
	char digits[21];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	if (is_negative)
		digits[--n] = '-';
	put(t, digits + n, sizeof(digits) - n);
}

/* %u, %d, %zu, %llu, %lld and %s, of which lines are made; a line with
 * anything else says what that is. */
static void
format(struct text *t, const char *fmt, va_list args)
{
	for (size_t len; *fmt != '\0'; fmt += len) {
		int64_t v = 0;
		const char *s;

		len = strcspn(fmt, "%");
		put(t, fmt, len);
		fmt += len;
		if (*fmt == '\0')
			return;
		len = 2;
		if (fmt[1] == 's') {
			s = va_arg(args, const char *);
			put(t, s, strlen(s));
		} else if (fmt[1] == 'u') {
			put_number(t, false, va_arg(args, unsigned));
		} else if (fmt[1] == 'z' && fmt[2] == 'u') {
			len = 3;
			put_number(t, false, va_arg(args, size_t));
		} else if (strncmp(fmt, "%llu", 4) == 0) {
			len = 4;
			put_number(t, false, va_arg(args, unsigned long long));
		} else if (fmt[1] == 'd' || strncmp(fmt, "%lld", 4) == 0) {
			len = fmt[1] == 'd' ? 2 : 4;
			v = len == 2 ? va_arg(args, int)
			             : va_arg(args, long long);
			put_number(t, v < 0,
			    v < 0 ? -(uint64_t)v : (uint64_t)v);
		} else {
			put(t, fmt, strlen(fmt));
			return;
		}
	}
}

void
trace_line(struct trace *t, uint64_t step, int64_t ms, const char *fmt,
    va_list args)
{
	struct trace_line *line = &t->line[t->n % TRACE_LINES];
	const uint64_t head[2] = {step, (uint64_t)ms};
	struct text text = {.at = line->text,
	    .end = line->text + TRACE_LINE_MAX - 1};

	format(&text, fmt, args);
	*text.at = '\0';
	line->step = step;
	line->ms = ms;
	t->n++;
	for (int i = 0; i < 2; i++)
		t->lines = (t->lines ^ head[i]) * PRIME;
	t->lines = add(t->lines, (const uint8_t *)line->text,
	    (size_t)(text.at - line->text));
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
