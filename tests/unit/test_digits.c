/* SPDX-License-Identifier: MIT */
/*
 * test_digits.c -- codes of digits: what people mistype is found, and where.
 */
#include "trust/digits.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tap.h"

#define VECTORS "tests/vectors/digits.txt"
#define N_CODES 40
#define N_ROUNDS 2000

static uint64_t seed;

/* splitmix64 */
static uint64_t
next(void)
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15U);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

static void
random_code(size_t len, uint8_t *p, char *text)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)next();
	digits_format(p, len, text);
}

static int
parse(const char *text, size_t len, uint8_t *out, unsigned *group)
{
	struct digits_slip slip;
	int err = digits_parse(text, strlen(text), out, len, &slip);

	*group = slip.group;
	return err;
}

/* Both lengths of code, and the number of their groups. */
static const size_t lengths[] = {24, 73};

/* The published example of the table: 572 has the check digit 4, and with it
 * 5724 gives 0.  Group 5 of "72...": n is the first digit that is folded. */
static void
test_digits_table_is_the_published_one(void)
{
	const char *text = "0000000";
	size_t len = 7;
	uint32_t bare = 1;
	struct digits_slip slip;

	/* n mod 10 = 0 leaves the state 0, and so do zeros */
	is(digits_group(&text, &len, 10, &bare, &slip), 0);
	is(bare, 0);
	text = "0005724";
	len = 7;
	is(digits_group(&text, &len, 20, &bare, &slip), 0);
	is(bare, 572);
	for (char c = '0'; c <= '9'; c++) {
		char wrong[] = "0005724";
		const char *p = wrong;

		wrong[6] = c;
		len = 7;
		is(digits_group(&p, &len, 10, &bare, &slip),
		    c == '4' ? 0 : MUSTER_E_TYPO);
	}
}

static void
test_digits_vectors(void)
{
	char line[512], hex[2 * DIGITS_LEN_MAX + 1], want[256], got[256];
	uint8_t p[DIGITS_LEN_MAX], back[DIGITS_LEN_MAX];
	FILE *f = fopen(VECTORS, "r");
	unsigned group;
	size_t len;
	int n = 0;

	ok(f != NULL);
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%146[0-9a-f] %255[0-9-]", hex, want) != 2)
			continue;
		ok(sodium_hex2bin(p, sizeof(p), hex, strlen(hex), NULL, &len,
		       NULL) == 0);
		digits_format(p, len, got);
		is_str(got, want);
		is(parse(want, len, back, &group), 0);
		ok(memcmp(p, back, len) == 0);
		n++;
	}
	is(n, 42);
	if (f != NULL)
		(void)fclose(f);
}

static void
test_digits_round_trips(void)
{
	char text[DIGITS_TEXT_LEN(DIGITS_LEN_MAX)];
	uint8_t p[DIGITS_LEN_MAX], back[DIGITS_LEN_MAX];
	unsigned group, bad = 0;

	for (unsigned i = 0; i < N_ROUNDS; i++) {
		size_t len = 1 + next() % DIGITS_LEN_MAX;

		random_code(len, p, text);
		bad += strlen(text) != DIGITS_GROUPS(len) * 8 - 1 ||
		    parse(text, len, back, &group) != 0 ||
		    memcmp(p, back, len) != 0;
	}
	is(bad, 0);
}

static void
test_b40_every_wrong_digit_is_found_in_its_group(void)
{
	char text[DIGITS_TEXT_LEN(DIGITS_LEN_MAX)];
	uint8_t p[DIGITS_LEN_MAX], back[DIGITS_LEN_MAX];
	unsigned group, bad = 0, tried = 0;

	for (unsigned i = 0; i < N_CODES; i++) {
		size_t len = lengths[i % 2];

		random_code(len, p, text);
		for (size_t at = 0; text[at] != '\0'; at++) {
			char right = text[at];

			for (char c = '0'; right != '-' && c <= '9'; c++) {
				text[at] = c;
				if (c == right)
					continue;
				tried++;
				bad += parse(text, len, back, &group) !=
				        MUSTER_E_TYPO ||
				    group != at / 8 + 1;
			}
			text[at] = right;
		}
	}
	is(bad, 0);
	is(tried, N_CODES / 2 * (70 + 210) * 9);
}

static void
test_b40_every_swap_of_neighbours_is_found_in_its_group(void)
{
	char text[DIGITS_TEXT_LEN(DIGITS_LEN_MAX)];
	uint8_t p[DIGITS_LEN_MAX], back[DIGITS_LEN_MAX];
	unsigned group, bad = 0, tried = 0;

	for (unsigned i = 0; i < N_CODES; i++) {
		size_t len = lengths[i % 2];

		random_code(len, p, text);
		for (size_t a = 0; text[a + 1] != '\0'; a++) {
			/* over the dash, too: the last of one group and the
			 * first of the next */
			size_t b = text[a + 1] == '-' ? a + 2 : a + 1;
			char c = text[a];

			if (c == '-' || c == text[b])
				continue;
			text[a] = text[b];
			text[b] = c;
			tried++;
			bad +=
			    parse(text, len, back, &group) != MUSTER_E_TYPO ||
			    group != a / 8 + 1;
			text[b] = text[a];
			text[a] = c;
		}
	}
	is(bad, 0);
	ok(tried > N_CODES * 100);
}

static void
test_b40_a_displaced_group_is_found(void)
{
	char text[DIGITS_TEXT_LEN(DIGITS_LEN_MAX)], moved[sizeof(text)];
	uint8_t p[DIGITS_LEN_MAX], back[DIGITS_LEN_MAX];
	unsigned group, bad = 0, tried = 0;

	for (unsigned i = 0; i < N_CODES; i++) {
		size_t len = lengths[i % 2], n = DIGITS_GROUPS(len);

		random_code(len, p, text);
		for (size_t a = 0; a < n; a++) {
			for (size_t b = a + 1; b < n; b++) {
				memcpy(moved, text, sizeof(text));
				memcpy(moved + a * 8, text + b * 8, 7);
				memcpy(moved + b * 8, text + a * 8, 7);
				if ((b - a) % 10 == 0)
					continue;
				tried++;
				bad += parse(moved, len, back, &group) !=
				        MUSTER_E_TYPO ||
				    group != a + 1;
			}
		}
	}
	is(bad, 0);
	ok(tried > N_CODES * 200);
}

/* Is this text wrong in that group, for a number of digits that is not seven? */
static bool
is_found(const char *text, size_t len, unsigned group, const char *why)
{
	uint8_t back[DIGITS_LEN_MAX];
	char said[DIGITS_WHY_MAX];
	struct digits_slip slip;
	int err = digits_parse(text, strlen(text), back, len, &slip);

	return (err == MUSTER_E_TOOBIG || err == MUSTER_E_TRUNC) &&
	    slip.err == err && slip.group == group &&
	    strcmp(digits_why(&slip, said), why) == 0;
}

static void
test_b40_every_digit_too_many_is_found_in_its_group(void)
{
	char text[DIGITS_TEXT_LEN(DIGITS_LEN_MAX)], more[sizeof(text) + 1];
	uint8_t p[DIGITS_LEN_MAX];
	unsigned bad = 0, tried = 0;

	for (unsigned i = 0; i < N_CODES; i++) {
		size_t len = lengths[i % 2], n;

		random_code(len, p, text);
		n = strlen(text);
		/* at 7 it ends group 1, at 8 it begins group 2 */
		for (size_t at = 0; at <= n; at++) {
			for (char c = '0'; c <= '9'; c++) {
				memcpy(more, text, at);
				more[at] = c;
				memcpy(more + at + 1, text + at, n - at + 1);
				tried++;
				bad +=
				    !is_found(more, len, (unsigned)at / 8 + 1,
				        "8 digits instead of 7");
			}
		}
	}
	is(bad, 0);
	is(tried, N_CODES / 2 * (80 + 240) * 10);
}

static void
test_b40_every_digit_too_few_is_found_in_its_group(void)
{
	char text[DIGITS_TEXT_LEN(DIGITS_LEN_MAX)], less[sizeof(text)];
	uint8_t p[DIGITS_LEN_MAX];
	unsigned bad = 0, tried = 0;

	for (unsigned i = 0; i < N_CODES; i++) {
		size_t len = lengths[i % 2];

		random_code(len, p, text);
		for (size_t at = 0; text[at] != '\0'; at++) {
			if (text[at] == '-')
				continue;
			memcpy(less, text, at);
			memcpy(less + at, text + at + 1, strlen(text) - at);
			tried++;
			bad += !is_found(less, len, (unsigned)at / 8 + 1,
			    "6 digits instead of 7");
		}
	}
	is(bad, 0);
	is(tried, N_CODES / 2 * (70 + 210));
}

/* Without separators no group ends; with spaces in it one still does. */
static void
test_b40_digits_in_a_row_and_split_groups(void)
{
	char text[DIGITS_TEXT_LEN(24)], row[96];
	uint8_t p[24], back[24];
	struct digits_slip slip;
	size_t n = 0;

	random_code(sizeof(p), p, text);
	for (size_t i = 0; text[i] != '\0'; i++) {
		if (text[i] != '-')
			row[n++] = text[i];
	}
	is(digits_parse(row, 70, back, 24, &slip), 0);
	ok(memcmp(p, back, sizeof(p)) == 0);
	row[69] = '\0';
	ok(is_found(row, 24, 1, "69 digits stand together, and a group has 7"));
	memmove(text + 7, text + 8, strlen(text + 8) + 1); /* 14 in a row */
	is(digits_parse(text, strlen(text), back, 24, &slip), 0);
	digits_format(p, 24, text);
	(void)snprintf(row, sizeof(row), "%.3s %s", text, text + 3);
	is(digits_parse(row, strlen(row), back, 24, &slip), 0);
	/* 3 + 3, and the group after it */
	(void)snprintf(row, sizeof(row), "%.3s %.3s%s", text, text + 3,
	    text + 7);
	ok(is_found(row, 24, 1, "6 digits instead of 7"));
	(void)snprintf(row, sizeof(row), "%.3s %.4s0%s", text, text + 3,
	    text + 7);
	ok(is_found(row, 24, 1, "8 digits instead of 7"));
}

static void
test_digits_forgives_how_it_is_written(void)
{
	char text[DIGITS_TEXT_LEN(24)], odd[256] = " \t-";
	uint8_t p[24], back[24];
	struct digits_slip slip;
	size_t n = 3;

	random_code(sizeof(p), p, text);
	for (size_t i = 0; text[i] != '\0'; i++) {
		if (text[i] == '-') {
			memcpy(odd + n, i % 3 == 0 ? ".\r\n" : "  \n", 3);
			n += 3;
		} else {
			odd[n++] = text[i];
			if (i % 4 == 0)
				odd[n++] = ' ';
		}
	}
	odd[n++] = '\n';
	is(digits_parse(odd, n, back, sizeof(back), &slip), 0);
	ok(memcmp(p, back, sizeof(p)) == 0);
}

static void
test_digits_refuses(void)
{
	static char huge[DIGITS_INPUT_MAX + 1];
	char text[DIGITS_TEXT_LEN(24) + 8];
	uint8_t p[24] = {0}, back[24] = {7};
	uint32_t bare[10] = {199999, 999999, 999999, 999999, 999999, 999999,
	    999999, 999999, 999999, 999999};
	struct digits_slip slip;
	unsigned group;

	digits_format(p, sizeof(p), text);
	is(digits_parse(text, 78, back, 24, &slip), MUSTER_E_TRUNC);
	is(slip.group, 10);
	is(digits_parse(text, 48, back, 24, &slip), MUSTER_E_TRUNC);
	is(slip.group, 7);
	is(digits_parse("", 0, back, 24, &slip), MUSTER_E_TRUNC);
	is(slip.group, 1);
	text[18] = 'O';
	is(parse(text, 24, back, &group), MUSTER_E_PROTO);
	is(group, 3);
	digits_format(p, sizeof(p), text);
	memcpy(text + 79, " 1", 3);
	is(parse(text, 24, back, &group), MUSTER_E_TOOBIG);
	is(group, 0);
	text[79] = '\0';
	is(digits_parse(text, 80, back, 24, &slip), MUSTER_E_TOOBIG);
	memset(huge, ' ', sizeof(huge));
	is(digits_parse(huge, sizeof(huge), back, 24, &slip), MUSTER_E_TOOBIG);
	is(digits_join(bare, 24, back), MUSTER_E_RANGE);
	bare[0] = 99999;
	is(digits_join(bare, 24, back), MUSTER_E_PROTO);
	bare[0] = 200000;
	is(digits_join(bare, 24, back), MUSTER_E_PROTO);
	is(back[0], 7);
}

static void
test_b40_why_a_group_is_wrong(void)
{
	static const struct {
		struct digits_slip slip;
		const char *why;
	} cases[] = {
	    {{MUSTER_E_TYPO, 1, 0},
	        "a digit is wrong, two are swapped, or it is another group"},
	    {{MUSTER_E_TYPO, 1, DIGITS_TYPED},
	        "a digit is wrong, two are swapped, or it is another group"},
	    {{MUSTER_E_PROTO, 1, 0},
	        "it has something other than digits, or the code is of "
	        "another version"},
	    {{MUSTER_E_TRUNC, 1, 0}, "digits are missing"},
	    {{MUSTER_E_NOENT, 1, 0}, "digits are missing"},
	    {{MUSTER_E_RANGE, 1, 0}, "it does not fit"},
	    {{MUSTER_E_TYPO, 1, 8}, "8 digits instead of 7"},
	    {{MUSTER_E_TRUNC, 1, 6}, "6 digits instead of 7"},
	    {{MUSTER_E_TYPO, 1, 14}, "14 digits instead of 7"},
	    {{MUSTER_E_TYPO, 1, 15},
	        "15 digits stand together, and a group has 7"},
	};
	char out[DIGITS_WHY_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_str(digits_why(&cases[i].slip, out), cases[i].why);
}

int
main(void)
{
	const char *text = getenv("MUSTER_SEED");

	seed = text != NULL ? strtoull(text, NULL, 0) : 1;
	printf("# MUSTER_SEED=%llu\n", (unsigned long long)seed);
	if (sodium_init() < 0)
		return 1;
	test_digits_table_is_the_published_one();
	test_digits_vectors();
	test_digits_round_trips();
	test_b40_every_wrong_digit_is_found_in_its_group();
	test_b40_every_swap_of_neighbours_is_found_in_its_group();
	test_b40_a_displaced_group_is_found();
	test_b40_every_digit_too_many_is_found_in_its_group();
	test_b40_every_digit_too_few_is_found_in_its_group();
	test_b40_digits_in_a_row_and_split_groups();
	test_digits_forgives_how_it_is_written();
	test_digits_refuses();
	test_b40_why_a_group_is_wrong();
	return tap_done();
}
