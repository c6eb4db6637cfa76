/* SPDX-License-Identifier: MIT */
#include "base/widen.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WORD_CHARS                                                       \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" \
	"-_*"

/* Behind a string or a comment that begins at p, or p when none does. */
static const char *
skip_quiet(const char *p)
{
	const char *end = p;

	if (*p == '#' || strncmp(p, "//", 2) == 0) {
		end = p + strcspn(p, "\n");
	} else if (strncmp(p, "/*", 2) == 0) {
		end = strstr(p + 2, "*/");
		end = end == NULL ? p + strlen(p) : end + 2;
	} else if (*p == '"') {
		for (end = p + 1; *end != '\0' && *end != '"'; end++) {
			if (*end == '\\' && end[1] != '\0')
				end++;
		}
		end += *end == '"';
	}
	return end;
}

/*
 * libconfig keeps 32 bits of a number without L: 4294968984 would be a port of
 * 1688.  So each that needs more gets its L; of one of more than 64 bits
 * libconfig makes the largest, which is out of every range as well.
 */
static size_t
widen_number(const char **p, char *out)
{
	bool is_hex = (*p)[0] == '0' && ((*p)[1] | 32) == 'x';
	const char *start = *p;
	char *end;
	unsigned long long v = strtoull(start, &end, is_hex ? 16 : 10);
	const char *digits_end = end;
	size_t len;

	while (isalnum((unsigned char)*end) || *end == '.')
		end++; /* L, a fraction, an exponent: and no second number */
	*p = end;
	len = (size_t)(end - start);
	memcpy(out, start, len);
	if (v > INT_MAX && end == digits_end)
		out[len++] = 'L';
	return len;
}

char *
widen_numbers(const char *text)
{
	char *copy = malloc(2 * strlen(text) + 2);
	char *out = copy;
	const char *p = text;

	while (copy != NULL && *p != '\0') {
		const char *end = skip_quiet(p);

		if (end == p && (isalpha((unsigned char)*p) || *p == '_'))
			end = p + strspn(p, WORD_CHARS);
		if (end == p && isdigit((unsigned char)*p)) {
			out += widen_number(&p, out);
			continue;
		}
		end += end == p;
		memcpy(out, p, (size_t)(end - p));
		out += end - p;
		p = end;
	}
	/* libconfig wants an end even to a comment on the last line */
	if (copy != NULL)
		memcpy(out, "\n", 2);
	return copy;
}
