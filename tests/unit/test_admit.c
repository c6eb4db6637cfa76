/* SPDX-License-Identifier: MIT */
#include "turn/admit.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define NOW 1000
#define STORM 50000
#define HOSTS 4
#define OUT 60000 /* machines that they do not answer */
#define RATE 8000 /* answers a second of the host in test_admit_storm */

static struct admit a;
static uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t
draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * UINT64_C(0x2545f4914f6cdd1d);
}

static void
show_rate(uint32_t rate)
{
	for (int i = 0; i < 100; i++)
		admit_seen(&a, TURN_MAX, (int64_t)TURN_MAX * 1000000 / rate);
}

static void
test_admit_queue_is_bounded_in_time_and_number(void)
{
	admit_init(&a);
	is(admit_queue_max(&a), ADMIT_QUEUE_MAX);
	show_rate(500);
	ok(admit_queue_max(&a) <= 500 * ADMIT_WAIT_S);
	ok(admit_queue_max(&a) >= 490 * ADMIT_WAIT_S);
	show_rate(1); /* a store that stands still */
	is(admit_queue_max(&a), ADMIT_QUEUE_MIN);
	admit_seen(&a, TURN_MAX, 0);
	show_rate(100000);
	is(admit_queue_max(&a), ADMIT_QUEUE_MAX);
}

static void
test_admit_small_batches_tell_nothing(void)
{
	admit_init(&a);
	admit_seen(&a, ADMIT_BATCH_MIN - 1, 10000000);
	is(a.rate, ADMIT_RATE_START);
	admit_seen(&a, ADMIT_BATCH_MIN, 10000000);
	is(a.rate, (ADMIT_RATE_START + ADMIT_RATE_MIN) / 2);
}

/* A batch that stood still costs half; who stays slow is soon known. */
static void
test_admit_rate_follows(void)
{
	admit_init(&a);
	show_rate(10000);
	admit_seen(&a, TURN_MAX, 2000000);
	ok(a.rate > 4900 && a.rate < 5100);
	admit_seen(&a, TURN_MAX, (int64_t)TURN_MAX * 100);
	ok(a.rate > 7400);
	for (int i = 0; i < 7; i++)
		admit_seen(&a, 100, 1000000);
	ok(a.rate < 200);
}

static void
test_admit_few_wait_for_moments(void)
{
	admit_init(&a);
	for (int i = 0; i < 400; i++) {
		uint32_t s = admit_busy_s(&a, NOW, ADMIT_OVERLOAD_S, draw());

		ok(s >= 1 && s <= ADMIT_OVERLOAD_S);
	}
	/* the emptier of two: more even than by one lot */
	for (uint32_t k = 1; k <= ADMIT_OVERLOAD_S; k++)
		ok(a.due[NOW + k] >= 96 && a.due[NOW + k] <= 104);
}

static void
test_admit_trouble_spreads_wider(void)
{
	uint32_t most = 0;

	admit_init(&a);
	for (int i = 0; i < 200; i++) {
		uint32_t s = admit_busy_s(&a, NOW, ADMIT_TROUBLE_S, draw());

		ok(s >= 1 && s <= ADMIT_TROUBLE_S);
		most = s > most ? s : most;
	}
	ok(most > ADMIT_TROUBLE_S * 3 / 4);
}

/* 50,000 in one second: none of the next gets over half of what it can. */
static void
test_admit_no_second_is_overbooked(void)
{
	uint32_t most_s = 0, most = 0;

	admit_init(&a);
	show_rate(RATE);
	for (int i = 0; i < STORM; i++) {
		uint32_t s = admit_busy_s(&a, NOW, ADMIT_OVERLOAD_S, draw());

		most_s = s > most_s ? s : most_s;
	}
	for (uint32_t k = 1; k <= most_s; k++)
		most = a.due[NOW + k] > most ? a.due[NOW + k] : most;
	printf("# %d sent away: up to %u s, at most %u in one of them\n", STORM,
	    most_s, most);
	ok(most <= a.rate / 2);
	ok(most_s <= STORM / (a.rate / 2) + 1);
}

static void
test_admit_the_diary_has_an_end(void)
{
	uint32_t n = 0, most = 0;

	admit_init(&a);
	show_rate(ADMIT_RATE_MIN);
	for (int i = 0; i < STORM; i++)
		most = admit_busy_s(&a, NOW, ADMIT_OVERLOAD_S, draw());
	ok(most <= STORM / ADMIT_RETURN_MIN + 1); /* not for an hour */
	for (uint32_t k = 0; k < ADMIT_AHEAD_S; k++)
		a.due[k] = ADMIT_RATE_MAX; /* all of it is full */
	for (int i = 0; i < 1000; i++) {
		uint32_t s = admit_busy_s(&a, NOW, ADMIT_OVERLOAD_S, draw());

		n += s >= 1 && s <= WIRE_BUSY_MAX_S;
	}
	is(n, 1000);
}

/* What was due is over when its second has come; an hour empties all. */
static void
test_admit_pages_are_turned(void)
{
	uint64_t sum = 0;

	admit_init(&a);
	for (int i = 0; i < 1000; i++)
		(void)admit_busy_s(&a, NOW, ADMIT_OVERLOAD_S, draw());
	(void)admit_busy_s(&a, NOW + 2, ADMIT_TROUBLE_S, draw());
	is(a.due[NOW + 1] + a.due[NOW + 2], 0);
	ok(a.due[NOW + 3] > 0 && a.due[NOW + 4] > 0);
	/* a step back is none */
	(void)admit_busy_s(&a, NOW - 5, ADMIT_TROUBLE_S, draw());
	is(a.now_s, NOW + 2);
	(void)admit_busy_s(&a, NOW + 2 + ADMIT_AHEAD_S, 1, draw());
	for (uint32_t k = 0; k < ADMIT_AHEAD_S; k++)
		sum += a.due[k];
	is(sum, 1);
}

/*
 * doc/cluster.md: hosts of one count that have lost their database.  A machine
 * hears BUSY from each of them in one round, and comes back to all after the
 * least of their waits; so each is asked by all, and no faster than it has
 * written into its diary.
 */
static void
test_admit_hosts_of_one_count_are_asked_as_one_is(void)
{
	static struct admit host[HOSTS];
	static uint32_t due[OUT];
	uint32_t n_asked = 0, longest_s = 0;

	for (int h = 0; h < HOSTS; h++)
		admit_init(&host[h]);
	for (uint32_t i = 0; i < OUT; i++)
		due[i] = NOW + i / ADMIT_RETURN_MIN;
	for (uint32_t now_s = NOW; now_s < NOW + 400; now_s++) {
		for (uint32_t i = 0; i < OUT; i++) {
			uint32_t least_s = UINT32_MAX;

			for (int h = 0; h < HOSTS && due[i] == now_s; h++) {
				uint32_t wait_s = admit_busy_s(&host[h], now_s,
				    ADMIT_TROUBLE_S, draw());

				if (wait_s < least_s)
					least_s = wait_s;
			}
			if (least_s == UINT32_MAX)
				continue;
			due[i] = now_s + least_s;
			n_asked += now_s >= NOW + 200;
			if (now_s >= NOW + 200 && least_s > longest_s)
				longest_s = least_s;
		}
	}
	printf("# %u a second, at most %u s\n", n_asked / 200, longest_s);
	ok(n_asked / 200 <= ADMIT_RETURN_MIN);
	is(longest_s, OUT / ADMIT_RETURN_MIN);
}

/* A source that is refused takes no second from the others. */
static void
test_admit_refused_are_not_in_the_diary(void)
{
	uint32_t least = UINT32_MAX, most = 0;

	for (int i = 0; i < 10000; i++) {
		uint32_t s = admit_refused_s(draw());

		least = s < least ? s : least;
		most = s > most ? s : most;
	}
	is(least, 1);
	is(most, ADMIT_REFUSED_S);
}

static void
test_admit_same_draw_same_wait(void)
{
	static struct admit b;

	admit_init(&a);
	b = a;
	for (int i = 0; i < 1000; i++) {
		uint64_t x = draw();

		is(admit_busy_s(&a, NOW, 4, x), admit_busy_s(&b, NOW, 4, x));
	}
	ok(admit_busy_s(&a, NOW, 4, 0) >= 1);
}

/* The whole of it: a second's arrivals, a queue, and those who come back to a
 * host that works `rate` a second, and has shown it before or not. */
static void
test_admit_storm_ends(uint32_t rate, bool is_known, uint32_t most_s)
{
	static uint32_t back[ADMIT_AHEAD_S + 1];
	uint32_t queue = 0, done = 0, peak = 0, n_busy = 0, s = 0, told = 0;

	memset(back, 0, sizeof(back));
	admit_init(&a);
	if (is_known)
		show_rate(rate);
	back[0] = STORM;
	for (; done < STORM && s < ADMIT_AHEAD_S; s++) {
		uint32_t come = back[s];

		/* within a second they come evenly, ten times */
		for (int part = 0; part < 10; part++) {
			uint32_t n = come / 10 + (part < (int)(come % 10));
			uint32_t worked = queue < rate / 10 ? queue : rate / 10;

			queue -= worked;
			done += worked;
			for (; told + TURN_MAX <= done; told += TURN_MAX)
				admit_seen(&a, TURN_MAX,
				    (int64_t)TURN_MAX * 1000000 / rate);
			while (n-- > 0) {
				if (queue < admit_queue_max(&a)) {
					queue++;
					continue;
				}
				n_busy++;
				back[s +
				    admit_busy_s(&a, NOW + s, ADMIT_OVERLOAD_S,
				        draw())]++;
			}
			peak = queue > peak ? queue : peak;
		}
	}
	printf("# %u a second: %u s, BUSY %u times, queue at most %u\n", rate,
	    s, n_busy, peak);
	is(done, STORM);
	ok(peak <= ADMIT_QUEUE_MAX);
	ok(s <= most_s);
	/* who was sent away once finds room, where the host is no slower than
	 * ADMIT_RETURN_MIN */
	ok(n_busy < STORM || rate < ADMIT_RETURN_MIN);
}

int
main(void)
{
	test_admit_queue_is_bounded_in_time_and_number();
	test_admit_small_batches_tell_nothing();
	test_admit_rate_follows();
	test_admit_few_wait_for_moments();
	test_admit_trouble_spreads_wider();
	test_admit_no_second_is_overbooked();
	test_admit_the_diary_has_an_end();
	test_admit_pages_are_turned();
	test_admit_hosts_of_one_count_are_asked_as_one_is();
	test_admit_refused_are_not_in_the_diary();
	test_admit_same_draw_same_wait();
	test_admit_storm_ends(RATE, true, 30);
	/* what it has not seen yet it learns from the first full batches */
	test_admit_storm_ends(RATE, false, 60);
	test_admit_storm_ends(600, false, 200);
	return tap_done();
}
