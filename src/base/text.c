/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <string.h>

size_t
text_char(const uint8_t *p, size_t left)
{
	static const uint32_t least[] = {0, 0x20, 0xa0, 0x800, 0x10000};
	size_t n = 0;
	uint32_t c = p[0];

	if (c < 0x80) {
		n = 1;
	} else if (c >= 0xc2 && c < 0xe0) {
		n = 2;
		c &= 0x1f;
	} else if (c >= 0xe0 && c < 0xf0) {
		n = 3;
		c &= 0x0f;
	} else if (c >= 0xf0 && c < 0xf5) {
		n = 4;
		c &= 0x07;
	}
	if (n > left)
		n = 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c == 0x7f || (c >= 0xd800 && c < 0xe000) ||
	    c > 0x10ffff)
		n = 0;
	return n;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Eight characters at p are from 0x20 to 0x7e.  No byte carries into the
 * next: those from 0x80 are out before the sums count. */
static bool
is_plain(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return (v & EACH(0x80U)) == 0 &&
	    ((v + EACH(0x60U)) & EACH(0x80U)) == EACH(0x80U) &&
	    ((v + EACH(0x01U)) & EACH(0x80U)) == 0;
}

bool
text_is_utf8(const uint8_t *p, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		if (len - i >= 8 && is_plain(p + i)) {
			n = 8;
			continue;
		}
		n = text_char(p + i, len - i);
		if (n == 0)
			return false;
	}
	return true;
}

static bool
is_within(const uint8_t *p, size_t len, uint8_t min, uint8_t max)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] < min || p[i] > max)
			return false;
	}
	return true;
}

bool
text_is_word(const uint8_t *p, size_t len)
{
	return is_within(p, len, '!', '~');
}

bool
text_is_line(const uint8_t *p, size_t len)
{
	return is_within(p, len, ' ', '~');
}
