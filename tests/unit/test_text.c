/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include "tap.h"

static bool
utf8(const char *text)
{
	return text_is_utf8((const uint8_t *)text, strlen(text));
}

static void
test_text_ascii(void)
{
	unsigned wrong = 0;

	for (unsigned c = 0; c < 256; c++) {
		const uint8_t one[2] = {'a', (uint8_t)c};

		wrong += text_is_word(one, 2) != (c > 0x20 && c < 0x7f);
		wrong += text_is_line(one, 2) != (c >= 0x20 && c < 0x7f);
		wrong += text_is_utf8(one, 2) != (c >= 0x20 && c < 0x7f);
	}
	is(wrong, 0);
	ok(text_is_word(NULL, 0) && text_is_line(NULL, 0));
	ok(text_is_utf8(NULL, 0));
}

/* Each byte at each place of a text that is looked at eight at a time. */
static void
test_text_each_place(void)
{
	unsigned wrong = 0;

	for (size_t at = 0; at < 19; at++) {
		for (unsigned c = 0; c < 256; c++) {
			uint8_t text[19];

			memset(text, c % 2 == 0 ? ' ' : '~', sizeof(text));
			text[at] = (uint8_t)c;
			wrong += text_is_utf8(text, sizeof(text)) !=
			    (c >= 0x20 && c < 0x7f);
		}
	}
	is(wrong, 0);
}

/* Both ends of each length, and what lies beyond them. */
static void
test_text_utf8_ends(void)
{
	static const char *const good[] = {"\xc2\xa0", "\xdf\xbf",
	    "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
	    "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\xc0\x80", "\xc1\xbf", "\xc2\x80",
	    "\xc2\x9f", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
	    "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x80",
	    "\xff", "\xc2", "\xe2\x82", "\xf0\x9f\x94", "\xc3(", "\xe2\x82(",
	    "\xf0\x9f\x94("};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ok(utf8(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!utf8(bad[i]));
	ok(utf8("Caf\xc3\xa9 \xe2\x82\xac\xf0\x9f\x94\x91!"));
	ok(!utf8("Caf\xc3\xa9\n"));
}

int
main(void)
{
	test_text_ascii();
	test_text_each_place();
	test_text_utf8_ends();
	return tap_done();
}
