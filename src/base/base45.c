/* SPDX-License-Identifier: MIT */
#include "base/base45.h"

#include <string.h>

#define N 45U

/* RFC 9285, table 1. */
static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

void
base45_encode(const uint8_t *p, size_t len, char *out)
{
	size_t i = 0;

	for (; i + 1 < len; i += 2) {
		unsigned v = (unsigned)p[i] << 8 | p[i + 1];

		*out++ = alphabet[v % N];
		*out++ = alphabet[v / N % N];
		*out++ = alphabet[v / (N * N)];
	}
	if (i < len) {
		*out++ = alphabet[p[i] % N];
		*out++ = alphabet[p[i] / N];
	}
	*out = '\0';
}

/* n characters, the least significant first, or -1. */
static long
value_of(const char *text, size_t n)
{
	long v = 0;

	while (n-- > 0) {
		const char *at =
		    text[n] == '\0' ? NULL : strchr(alphabet, text[n]);

		if (at == NULL)
			return -1;
		v = v * (long)N + (at - alphabet);
	}
	return v;
}

int
base45_decode(const char *text, size_t text_len, uint8_t *out, size_t cap,
    size_t *len_out)
{
	size_t len = text_len / 3 * 2 + text_len % 3 / 2;
	size_t at = 0;

	if (text_len % 3 == 1)
		return MUSTER_E_TRUNC;
	if (len > cap)
		return MUSTER_E_TOOBIG;
	for (size_t i = 0; i < text_len; i += 3) {
		size_t n = text_len - i >= 3 ? 3 : 2;
		long v = value_of(text + i, n);

		if (v < 0)
			return MUSTER_E_PROTO;
		if (v > (n == 3 ? UINT16_MAX : UINT8_MAX))
			return MUSTER_E_RANGE;
		if (n == 3)
			out[at++] = (uint8_t)(v >> 8);
		out[at++] = (uint8_t)v;
	}
	*len_out = at;
	return 0;
}
