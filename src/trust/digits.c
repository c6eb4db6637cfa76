/* SPDX-License-Identifier: MIT */
#include "trust/digits.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BASE 1000000U /* of one group: 10^DIGITS_BARE */
#define LEAD 100000U  /* of the version digit in group 1 */

_Static_assert(DIGITS_GROUPS(24) == 10, "192 bits are read out in 10 groups");
_Static_assert(DIGITS_GROUPS(73) == 30, "584 bits are read back in 30");

/* A totally anti-symmetric quasigroup of order 10 with zeros on its diagonal,
 * as Damm's thesis has it. */
static const uint8_t damm[10][10] = {
    {0, 3, 1, 7, 5, 9, 8, 6, 4, 2},
    {7, 0, 9, 2, 1, 5, 4, 8, 6, 3},
    {4, 2, 0, 6, 8, 7, 1, 3, 5, 9},
    {1, 7, 5, 0, 9, 8, 3, 4, 2, 6},
    {6, 1, 2, 3, 0, 4, 5, 9, 7, 8},
    {3, 6, 7, 4, 2, 0, 9, 5, 8, 1},
    {5, 8, 6, 9, 7, 2, 0, 1, 3, 4},
    {8, 9, 4, 5, 3, 6, 2, 0, 1, 7},
    {9, 4, 3, 8, 6, 1, 7, 2, 0, 5},
    {2, 5, 8, 1, 4, 3, 6, 7, 9, 0},
};

/* The check digit of a group; over a group and its check digit: 0. */
static unsigned
check_of(unsigned number, const uint8_t *digits, size_t n)
{
	unsigned state = damm[0][number % 10];

	for (size_t i = 0; i < n; i++)
		state = damm[state][digits[i]];
	return state;
}

static void
put_group(unsigned number, uint32_t bare, char *out)
{
	uint8_t digits[DIGITS_BARE];

	for (size_t i = DIGITS_BARE; i-- > 0; bare /= 10)
		digits[i] = (uint8_t)(bare % 10);
	for (size_t i = 0; i < DIGITS_BARE; i++)
		out[i] = (char)('0' + digits[i]);
	out[DIGITS_BARE] = (char)('0' + check_of(number, digits, DIGITS_BARE));
}

/* Divide in place; what remains. */
static uint32_t
divide(uint8_t *p, size_t len)
{
	uint32_t rest = 0;

	for (size_t i = 0; i < len; i++) {
		uint32_t v = rest << 8 | p[i]; /* under 2^28 */

		p[i] = (uint8_t)(v / BASE);
		rest = v % BASE;
	}
	return rest;
}

/* p = p * BASE + bare, in place; what does not fit any more. */
static uint32_t
multiply(uint8_t *p, size_t len, uint32_t bare)
{
	uint32_t carry = bare;

	for (size_t i = len; i-- > 0;) {
		uint32_t v = p[i] * BASE + carry; /* under 2^29 */

		p[i] = (uint8_t)v;
		carry = v >> 8;
	}
	return carry;
}

void
digits_format(const uint8_t *p, size_t len, char *out)
{
	size_t n = DIGITS_GROUPS(len);
	uint8_t number[DIGITS_LEN_MAX];

	assert(len > 0 && len <= DIGITS_LEN_MAX);
	memcpy(number, p, len);
	for (size_t i = n; i-- > 0;) {
		uint32_t bare = divide(number, len);

		if (i == 0) {
			assert(bare < LEAD);
			bare += LEAD * DIGITS_VERSION;
		}
		put_group((unsigned)i + 1, bare, out + i * (DIGITS_TYPED + 1));
		out[i * (DIGITS_TYPED + 1) + DIGITS_TYPED] =
		    i + 1 == n ? '\0' : '-';
	}
}

/* Digits that stand together. */
static size_t
run_of(const char *p, size_t left)
{
	size_t n = 0;

	while (n < left && p[n] >= '0' && p[n] <= '9')
		n++;
	return n;
}

/* The digits of one group, and where it ends; how many there are, else. */
static int
collect(const char **p_io, size_t *left_io, uint8_t *digits, unsigned *n_out)
{
	const char *p = *p_io;
	size_t left = *left_io, n = 0;

	while (left > 0 && n < DIGITS_TYPED) {
		size_t run = run_of(p, left);
		bool is_whole = run % DIGITS_TYPED == 0;

		if (run == 0) {
			if (*p == '\0' || strchr(" \t-.\r\n", *p) == NULL)
				return MUSTER_E_PROTO;
			p++;
			left--;
			continue;
		}
		if (n > 0 && is_whole) /* those are the next group's */
			break;
		if (n + run > DIGITS_TYPED && (n > 0 || !is_whole)) {
			*n_out = (unsigned)(n + run);
			return MUSTER_E_TOOBIG;
		}
		for (; run > 0 && n < DIGITS_TYPED; run--, left--)
			digits[n++] = (uint8_t)(*p++ - '0');
	}
	*n_out = (unsigned)n;
	*p_io = p;
	*left_io = left;
	return n == 0 ? MUSTER_E_NOENT : n < DIGITS_TYPED ? MUSTER_E_TRUNC : 0;
}

/* Its value, of digits that are as many as they should be. */
static int
judge(unsigned number, const uint8_t *digits, uint32_t *bare_out)
{
	uint32_t bare = 0;

	if (check_of(number, digits, DIGITS_TYPED) != 0)
		return MUSTER_E_TYPO;
	if (number == 1 && digits[0] != DIGITS_VERSION)
		return MUSTER_E_PROTO;
	for (size_t i = 0; i < DIGITS_BARE; i++)
		bare = bare * 10 + digits[i];
	*bare_out = bare;
	return 0;
}

int
digits_group(const char **text, size_t *len_io, unsigned number,
    uint32_t *bare_out, struct digits_slip *slip_out)
{
	uint8_t digits[DIGITS_TYPED];
	const char *p = *text;
	size_t left = *len_io;
	unsigned n = 0;
	int err;

	err = collect(&p, &left, digits, &n);
	if (err == 0)
		err = judge(number, digits, bare_out);
	if (err != 0) {
		*slip_out = (struct digits_slip){err, number, n};
		return err;
	}
	*text = p;
	*len_io = left;
	return 0;
}

int
digits_join(const uint32_t *bare, size_t len, uint8_t *out)
{
	uint8_t number[DIGITS_LEN_MAX] = {0};
	uint32_t over = 0;

	assert(len > 0 && len <= DIGITS_LEN_MAX);
	if (bare[0] / LEAD != DIGITS_VERSION)
		return MUSTER_E_PROTO;
	for (size_t i = 0; i < DIGITS_GROUPS(len); i++) {
		uint32_t group = i == 0 ? bare[i] % LEAD : bare[i];

		over |= multiply(number, len, group);
	}
	if (over != 0)
		return MUSTER_E_RANGE;
	memcpy(out, number, len);
	return 0;
}

int
digits_parse(const char *text, size_t text_len, uint8_t *out, size_t len,
    struct digits_slip *slip_out)
{
	uint32_t bare[DIGITS_GROUPS_MAX], more;
	struct digits_slip after;
	unsigned n = DIGITS_GROUPS(len);
	int err = 0;

	assert(len > 0 && len <= DIGITS_LEN_MAX);
	*slip_out = (struct digits_slip){MUSTER_E_TOOBIG, 0, 0};
	if (text_len > DIGITS_INPUT_MAX)
		return MUSTER_E_TOOBIG;
	for (unsigned i = 1; i <= n && err == 0; i++)
		err = digits_group(&text, &text_len, i, &bare[i - 1], slip_out);
	if (err == MUSTER_E_NOENT)
		err = slip_out->err = MUSTER_E_TRUNC;
	if (err != 0)
		return err;
	err = digits_group(&text, &text_len, n + 1, &more, &after);
	if (err != MUSTER_E_NOENT)
		return MUSTER_E_TOOBIG;
	err = slip_out->err = digits_join(bare, len, out);
	return err;
}

const char *
digits_why(const struct digits_slip *slip, char *out)
{
	const char *why = "it does not fit";

	switch (slip->err) {
	case MUSTER_E_TYPO:
		why = "a digit is wrong, two are swapped, or it is another "
		      "group";
		break;
	case MUSTER_E_PROTO:
		why = "it has something other than digits, or the code is of "
		      "another version";
		break;
	case MUSTER_E_TRUNC:
	case MUSTER_E_NOENT:
		why = "digits are missing";
		break;
	default:
		break;
	}
	(void)snprintf(out, DIGITS_WHY_MAX, "%s", why);
	if (slip->n_digits > 2 * DIGITS_TYPED)
		(void)snprintf(out, DIGITS_WHY_MAX,
		    "%u digits stand together, and a group has %d",
		    slip->n_digits, DIGITS_TYPED);
	else if (slip->n_digits > 0 && slip->n_digits != DIGITS_TYPED)
		(void)snprintf(out, DIGITS_WHY_MAX, "%u digits instead of %d",
		    slip->n_digits, DIGITS_TYPED);
	return out;
}
