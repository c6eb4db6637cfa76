/* SPDX-License-Identifier: MIT */
#include "base/hex.h"

#include <string.h>

void
hex_encode(const uint8_t *p, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * len] = '\0';
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
hex_decode(const char *text, size_t text_len, uint8_t *out, size_t len)
{
	if (text_len != 2 * len)
		return MUSTER_E_PROTO;
	for (size_t i = 0; i < text_len; i++) {
		if (digit(text[i]) < 0)
			return MUSTER_E_PROTO;
	}
	for (size_t i = 0; i < len; i++)
		out[i] =
		    (uint8_t)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
	return 0;
}

void
uuid_format(const uint8_t *id, char *out)
{
	static const uint8_t groups[] = {4, 2, 2, 2, 6};

	for (size_t g = 0; g < sizeof(groups); g++) {
		hex_encode(id, groups[g], out);
		id += groups[g];
		out += 2 * groups[g];
		if (g + 1 < sizeof(groups))
			*out++ = '-';
	}
}

int
uuid_parse(const char *text, uint8_t *id_out)
{
	char digits[2 * UUID_LEN];
	size_t n = 0;

	if (strlen(text) != UUID_TEXT_LEN)
		return MUSTER_E_PROTO;
	for (size_t i = 0; i < UUID_TEXT_LEN; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (text[i] != '-')
				return MUSTER_E_PROTO;
		} else {
			digits[n++] = text[i];
		}
	}
	return hex_decode(digits, n, id_out, UUID_LEN);
}
