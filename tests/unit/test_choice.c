/* SPDX-License-Identifier: MIT */
/* Goal: targets are tried by priority and weight as RFC 2782 says. */
#include "discovery/choice.h"

#include <stdlib.h>

#include "tap.h"

#define DRAWS 100000
#define N_MAX 4

static struct choice choice;
static const uint64_t seed = 20782; /* printed below */

/* splitmix64, without the bias of a remainder */
static uint32_t
draw(void *arg, uint32_t below)
{
	uint64_t *state = arg;
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(((z ^ z >> 31) >> 32) * below >> 32);
}

static struct dns_srv
srv(const char *target, unsigned priority, unsigned weight, unsigned port)
{
	struct dns_srv s = {.priority = (uint16_t)priority,
	    .weight = (uint16_t)weight,
	    .port = (uint16_t)port};

	is(dns_name_parse(target, &s.target), 0);
	return s;
}

static void
add(const char *target, unsigned priority, unsigned weight, unsigned port)
{
	const struct dns_srv s = srv(target, priority, weight, port);

	choice_add(&choice, &s);
}

/* Position of a target whose name is one letter. */
static char
letter(size_t i)
{
	char text[DNS_TEXT_MAX + 1];

	dns_name_text(&choice.srv[i].target, text);
	return text[0];
}

static const struct {
	const char *what;
	unsigned weight[N_MAX];
	unsigned n;
	double share[N_MAX]; /* of being first, in per cent */
} rows[] = {
    {"three to one", {75, 25}, 2, {75, 25}},
    {"small weights", {1, 2, 3}, 3, {100 / 6.0, 200 / 6.0, 50}},
    {"the RFC's example", {1, 3}, 2, {25, 75}},
    {"equal", {7, 7, 7, 7}, 4, {25, 25, 25, 25}},
    {"equal and smallest", {1, 1}, 2, {50, 50}},
    {"all without weight", {0, 0, 0}, 3, {100 / 3.0, 100 / 3.0, 100 / 3.0}},
    {"one without weight", {0, 9, 10}, 3, {5, 45, 50}},
    {"two without weight", {9, 0, 10, 0}, 4, {45, 2.5, 50, 2.5}},
    {"largest", {65535, 65535, 0}, 3, {50, 50, 0}},
};

static void
test_b23_choice_has_the_shares_of_rfc2782(void)
{
	uint64_t state = seed;

	printf("# seed %llu\n", (unsigned long long)seed);
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		unsigned first[N_MAX] = {0};

		printf("# %s:", rows[row].what);
		for (unsigned i = 0; i < DRAWS; i++) {
			choice_init(&choice);
			for (unsigned k = 0; k < rows[row].n; k++) {
				struct dns_srv s = {.port = 1688,
				    .weight = (uint16_t)rows[row].weight[k],
				    .target = {.len = 3,
				        .wire = {1, (uint8_t)('a' + k), 0}}};

				choice_add(&choice, &s);
			}
			choice_order(&choice, draw, &state);
			first[letter(0) - 'a']++;
		}
		for (unsigned k = 0; k < rows[row].n; k++)
			printf(" %.2f", 100.0 * first[k] / DRAWS);
		printf(" per cent\n");
		for (unsigned k = 0; k < rows[row].n; k++) {
			double off =
			    100.0 * first[k] / DRAWS - rows[row].share[k];

			ok(off < 1 && off > -1);
		}
		if (row == 6) /* a small share, and not none */
			ok(first[0] > 0);
	}
}

/* The second is drawn by weight among those that are left. */
static void
test_b23_choice_goes_on_by_weight(void)
{
	unsigned second = 0, n = 0;
	uint64_t state = seed;

	for (unsigned i = 0; i < DRAWS; i++) {
		choice_init(&choice);
		for (unsigned k = 0; k < 3; k++) {
			struct dns_srv s = {.port = 1688,
			    .weight = (uint16_t)(k == 0 ? 60 : 10 * k),
			    .target = {.len = 3,
			        .wire = {1, (uint8_t)('a' + k), 0}}};

			choice_add(&choice, &s);
		}
		choice_order(&choice, draw, &state);
		if (letter(0) != 'a')
			continue;
		n++;
		second += letter(1) == 'c' ? 1 : 0;
	}
	/* 10 and 20 are left: two thirds */
	printf("# %u of %u\n", second, n);
	ok(second * 100.0 / n > 65.7 && second * 100.0 / n < 67.7);
}

static void
test_b23_choice_takes_the_lowest_priority_first(void)
{
	uint64_t state = seed;

	for (unsigned i = 0; i < 1000; i++) {
		bool is_sorted = true, is_whole = true;
		unsigned seen = 0;

		choice_init(&choice);
		for (unsigned k = 0; k < 12; k++) {
			struct dns_srv s = {.port = 1688,
			    .priority = (uint16_t)draw(&state, 4),
			    .weight = (uint16_t)draw(&state, 3),
			    .target = {.len = 3,
			        .wire = {1, (uint8_t)('a' + k), 0}}};

			choice_add(&choice, &s);
		}
		choice_order(&choice, draw, &state);
		for (unsigned k = 0; k < 12; k++) {
			is_sorted = is_sorted &&
			    (k == 0 ||
			        choice.srv[k - 1].priority <=
			            choice.srv[k].priority);
			seen |= 1U << (letter(k) - 'a');
		}
		is_whole = seen == (1U << 12) - 1;
		if (!is_sorted || !is_whole) {
			ok(is_sorted);
			ok(is_whole);
			return;
		}
	}
	ok(true);
}

static void
test_choice_drops_what_is_of_no_use(void)
{
	choice_init(&choice);
	add("a.example", 10, 0, 1688);
	add("b.example", 0, 0, 0); /* port 0 */
	add("A.Example", 10, 5, 1688);
	is(choice.n, 1);
	is(choice.srv[0].weight, 0); /* of equals the first stays */
	is(choice.n_dropped, 2);
	ok(!choice.is_refused);
	add("a.example", 10, 0, 1689); /* another host */
	is(choice.n, 2);
	add("a.example", 5, 1, 1688); /* the better of two */
	is(choice.n, 2);
	is(choice.srv[0].priority, 5);
	add("a.example", 7, 1, 1688);
	is(choice.srv[0].priority, 5);
	add(".", 0, 0, 0);
	ok(choice.is_refused);
	is(choice.n, 2);
}

static void
test_choice_has_a_limit(void)
{
	uint64_t state = seed;
	char text[32];

	choice_init(&choice);
	for (unsigned i = 0; i < 300; i++) {
		(void)snprintf(text, sizeof(text), "k%u.example", i);
		add(text, i % 3, i, 1688);
	}
	is(choice.n, 300);
	is(choice.n_dropped, 0);
	choice_order(&choice, draw, &state);
	is(choice.srv[0].priority, 0);
	is(choice.srv[299].priority, 2);
	for (unsigned i = 300; i < CHOICE_MAX + 7; i++) {
		(void)snprintf(text, sizeof(text), "k%u.example", i);
		add(text, i % 3, 65535, 1688);
	}
	is(choice.n, CHOICE_MAX);
	is(choice.n_dropped, 7);
	choice_order(&choice, draw, &state);
	is(choice.srv[CHOICE_MAX - 1].priority, 2);
}

static void
test_choice_of_none_and_of_one(void)
{
	choice_init(&choice);
	choice_order(&choice, NULL, NULL);
	is(choice.n, 0);
	add("a", 1, 1, 1);
	choice_order(&choice, NULL, NULL); /* no draw is needed */
	is(choice.n, 1);
}

int
main(void)
{
	test_b23_choice_has_the_shares_of_rfc2782();
	test_b23_choice_goes_on_by_weight();
	test_b23_choice_takes_the_lowest_priority_first();
	test_choice_drops_what_is_of_no_use();
	test_choice_has_a_limit();
	test_choice_of_none_and_of_one();
	return tap_done();
}
