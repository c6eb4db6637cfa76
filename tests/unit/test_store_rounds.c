/* SPDX-License-Identifier: MIT */
/*
 * test_store_rounds.c -- the journal of a busy host: rounds of merging while
 * clients come again, and an end at any moment.
 */
#define KIT_CLIENTS 9000
#include "store_kit.h"

#include <inttypes.h>

#define BATCHES 120

static struct kit_image image_a, image_b;
static uint64_t rng;

static uint32_t
draw(uint32_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng % below);
}

/* What a power loss or kill -9 leaves, all that was committed. */
static void
copy_files(const char *from, const char *to)
{
	char command[900];

	kit_forget(to);
	(void)snprintf(command, sizeof(command),
	    "cp '%s' '%s' && cp '%s-wal' '%s-wal'", from, to, from, to);
	if (system(command) != 0)
		abort();
}

/* Some who come all the time, and many who come seldom. */
static void
make_batch(struct turn_item *items, size_t n, int64_t now)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t who = 1 + (draw(2) == 0 ? draw(500) : draw(8000));

		items[i] = kit_item(0, 1 + who % 2, who, 5 + who % 2 * 20, now);
	}
}

static bool
is_same_as(struct store *s, const struct kit_image *want, int64_t now)
{
	return kit_image(s, now, &image_b) == 0 && kit_same(want, &image_b);
}

static void
test_b4_an_end_in_any_round_loses_nothing(uint64_t seed)
{
	static struct turn_item items[TURN_MAX], same[TURN_MAX];
	const char *path = kit_path("rounds.db"), *copy = kit_path("copy.db");
	struct store *s = kit_open(path), *model = kit_open(NULL);
	unsigned bad = 0;

	rng = seed;
	for (uint32_t i = 1; i <= BATCHES; i++) {
		size_t n = draw(4) == 0 ? 1 + draw(9) : 1 + draw(TURN_MAX);
		int64_t now = T0 + i * 60;
		struct store *after;

		make_batch(items, n, now);
		memcpy(same, items, sizeof(same));
		bad += store_batch(s, items, n, now) != 0;
		bad += store_batch(model, same, n, now) != 0;
		for (size_t k = 0; k < n; k++)
			bad += items[k].grant.count != same[k].grant.count;
		if (draw(12) == 0)
			(void)!store_idle(s, now);
		else if (draw(8) != 0)
			(void)!store_busy(s, now);
		if (i % 6 != 0)
			continue;
		copy_files(path, copy);
		bad += kit_image(model, now, &image_a) != 0;
		bad += !is_same_as(s, &image_a, now);
		after = kit_open(copy);
		bad += after == NULL || !is_same_as(after, &image_a, now);
		store_close(after);
	}
	store_close(s);
	s = kit_open(path);
	bad += !is_same_as(s, &image_a, T0 + BATCHES * 60);
	if (!is(bad, 0))
		printf("# rerun with seed %" PRIu64 "\n", seed);
	store_close(s);
	store_close(model);
}

/* Rows leave the table while their clients' newer ones wait in the journal. */
static void
test_b5_the_limit_is_kept_while_clients_come_again(uint64_t seed)
{
	static struct turn_item items[TURN_MAX];
	struct store *s = kit_open(kit_path("limit.db"));
	unsigned bad = 0;

	rng = seed;
	store_set_limits(s, 900, 400);
	for (uint32_t i = 1; i <= BATCHES; i++) {
		make_batch(items, TURN_MAX, T0 + i * 60);
		bad += store_batch(s, items, TURN_MAX, T0 + i * 60) != 0;
		(void)!store_busy(s, T0 + i * 60);
	}
	while (store_idle(s, T0 + BATCHES * 60) == MUSTER_E_AGAIN)
		continue;
	bad += kit_image(s, T0 + BATCHES * 60, &image_a) != 0;
	is((long long)image_a.n_clients, 900);
	if (!is(bad, 0))
		printf("# rerun with seed %" PRIu64 "\n", seed);
	store_close(s);
}

/* More old records than go at once: the next step is due at once, too. */
static void
test_store_old_records_go_in_pieces(const char *path)
{
	const uint32_t n = COUNT_CLEANED_MAX + 9;
	struct store *s = kit_open(path);
	int64_t now = T0 + COUNT_KEEP_S;
	unsigned bad = 0;

	is(store_reserve(s, kit_publisher[0], 1, 2 * n), 0);
	for (uint32_t i = 1; i <= n; i++)
		bad += kit_touch(s, 1, i, n, T0) != (long long)i;
	is(bad, 0);
	while (store_idle(s, T0) == MUSTER_E_AGAIN)
		;
	is(store_idle(s, now), MUSTER_E_AGAIN);
	is(kit_image(s, now, &image_a), 0);
	is((long long)image_a.n_cached[0], 9);
	is(store_idle(s, now), 0);
	is(kit_image(s, now, &image_a), 0);
	is((long long)image_a.n_cached[0], 0);
	store_close(s);
}

int
main(int argc, char *argv[])
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;

	printf("# seed %" PRIu64 "\n", seed);
	kit_dir_make();
	test_b4_an_end_in_any_round_loses_nothing(seed);
	test_b5_the_limit_is_kept_while_clients_come_again(seed);
	test_store_old_records_go_in_pieces(NULL);
	test_store_old_records_go_in_pieces(kit_path("old.db"));
	kit_dir_remove();
	return tap_done();
}
