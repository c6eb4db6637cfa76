/* SPDX-License-Identifier: MIT */
/* The contract, on every backend; and SQLite's against the model. */
#include "store_kit.h"

#include <sqlite3.h>

static struct kit_image image_a, image_b;

static void
test_store_counts_in_order_of_arrival(bool is_sqlite)
{
	struct store *s = kit_fresh(is_sqlite);
	struct turn_item items[4];
	static const uint8_t none[HASH_LEN];

	for (uint32_t i = 0; i < 4; i++)
		items[i] = kit_item(0, 1, i % 3 + 1, 5, T0);
	is(store_batch(s, items, 4, T0), 0);
	is(items[0].grant.count, 1);
	is(items[1].grant.count, 2);
	is(items[2].grant.count, 3);
	is(items[3].grant.count, 3);
	ok(memcmp(items[0].leaf, none, HASH_LEN) != 0);
	/* another group and another publisher count for themselves */
	is(kit_touch(s, 2, 1, 5, T0), 1);
	items[0] = kit_item(1, 1, 1, 5, T0);
	is(store_batch(s, items, 1, T0), 0);
	is(items[0].grant.count, 1);
	store_close(s);
}

static void
test_store_refuses_what_it_has_no_memory_for(bool is_sqlite)
{
	struct store *s = kit_fresh(is_sqlite);
	struct turn_item items[2] = {kit_item(0, 1, 1, 5, T0),
	    kit_item(0, 9, 2, 5, T0)};

	is(store_batch(s, items, 0, T0), MUSTER_E_INVAL);
	is(store_batch(s, items, TURN_MAX + 1, T0), MUSTER_E_INVAL);
	is(store_batch(s, items, 2, T0), MUSTER_E_INVAL);
	items[1] = kit_item(0, 1, 2, 51, T0);
	is(store_batch(s, items, 2, T0), MUSTER_E_INVAL);
	items[1] = kit_item(0, 1, 2, 0, T0);
	is(store_batch(s, items, 2, T0), MUSTER_E_INVAL);
	is(kit_image(s, T0, &image_a), 0);
	is((long long)image_a.n_clients, 0);
	is(image_a.groups[0].held, 0);
	/* all or nothing, and none of it has hurt */
	items[1] = kit_item(0, 1, 2, 50, T0);
	is(store_batch(s, items, 2, T0), 0);
	is(items[1].grant.count, 2);
	is(store_reserve(s, kit_publisher[0], 1, 0), MUSTER_E_INVAL);
	is(store_reserve(s, kit_publisher[0], 1, COUNT_CAPACITY_MAX + 1),
	    MUSTER_E_INVAL);
	store_close(s);
}

static void
test_store_probe_changes_nothing(bool is_sqlite)
{
	struct store *s = kit_fresh(is_sqlite);
	struct turn_item items[3] = {kit_item(0, 1, 0, 50, T0),
	    kit_item(0, 1, 4, 5, T0), kit_item(0, 1, 0, 50, T0)};

	is(kit_touch(s, 1, 0, 50, T0), 0);
	is(store_batch(s, items, 3, T0), 0);
	is(items[0].grant.count, 0);
	is(items[2].grant.count, 1);
	is(kit_image(s, T0, &image_a), 0);
	is((long long)image_a.n_clients, 1);
	is(image_a.groups[0].capacity, 10);
	is(image_a.groups[0].held, 1);
	store_close(s);
}

static void
test_store_reserve_keeps_what_is_there(bool is_sqlite)
{
	struct store *s = kit_fresh(is_sqlite);
	struct count_row rows[4];
	size_t n;

	for (uint32_t i = 1; i <= 3; i++)
		(void)kit_touch(s, 1, i, 5, T0);
	is(store_reserve(s, kit_publisher[0], 1, 400), 0);
	is(store_reserve(s, kit_publisher[0], 1, 10), 0);
	is(store_cached(s, kit_publisher[0], 1, rows, 4, &n), 0);
	is((long long)n, 3);
	is(rows[0].cmid[0], 3);
	is(store_cached(s, kit_publisher[0], 1, rows, 2, &n), MUSTER_E_TOOBIG);
	is((long long)n, 2);
	is(store_cached(s, kit_publisher[0], 7, rows, 2, &n), MUSTER_E_NOENT);
	is(kit_touch(s, 1, 9, 200, T0), 4);
	store_close(s);
}

static void
test_b3_the_cache_keeps_the_newest(bool is_sqlite)
{
	struct store *s = kit_fresh(is_sqlite);
	struct count_row rows[60];
	size_t n;

	for (uint32_t i = 1; i <= 12; i++)
		is(kit_touch(s, 1, i, 5, T0 - i), i < 10 ? i : 10);
	is(store_cached(s, kit_publisher[0], 1, rows, 60, &n), 0);
	is((long long)n, 10);
	is(rows[0].cmid[0], 12);
	is(rows[9].cmid[0], 3);
	/* the first product with a larger threshold raises it, for good */
	is(kit_touch(s, 1, 13, 25, T0), 11);
	is(kit_touch(s, 1, 14, 5, T0), 12);
	is(kit_image(s, T0, &image_a), 0);
	is(image_a.groups[0].capacity, 50);
	store_close(s);
}

static void
test_b2_the_old_are_cleaned_up(bool is_sqlite)
{
	struct store *s = kit_fresh(is_sqlite);

	for (uint32_t i = 1; i <= 9; i++)
		(void)kit_touch(s, 1, i, 5, T0 + i);
	is(kit_idle_all(s, T0 + 60 * DAY), 0);
	is(kit_image(s, T0 + 9, &image_a), 0);
	is(image_a.groups[0].count, 9);
	is(kit_idle_all(s, T0 + 4 + 60 * DAY), 0);
	is(kit_image(s, T0 + 9, &image_a), 0);
	is(image_a.groups[0].count, 5);
	is(kit_touch(s, 1, 1, 5, T0 + 9), 6);
	store_close(s);
}

static void
test_store_a_full_journal_is_merged(bool is_sqlite)
{
	static struct turn_item items[TURN_MAX];
	struct store *s = kit_fresh(is_sqlite);

	for (uint32_t b = 0; b < 20; b++) {
		for (uint32_t i = 0; i < TURN_MAX; i++)
			items[i] = kit_item(0, 1, 1 + (b * TURN_MAX + i) % 4090,
			    5, T0);
		if (store_batch(s, items, TURN_MAX, T0) != 0)
			ok(!"a batch failed");
		if (b == 9)
			is(store_idle(s, T0), is_sqlite ? MUSTER_E_AGAIN : 0);
	}
	is(kit_image(s, T0, &image_a), 0);
	is((long long)image_a.n_clients, 4090);
	is(kit_idle_all(s, T0), 0);
	is(kit_image(s, T0, &image_b), 0);
	ok(kit_same(&image_a, &image_b));
	store_close(s);
}

/* The first and the last number of a group are numbers as others. */
static void
test_store_keeps_the_groups_on_the_edge(void)
{
	const char *path = kit_path("edge.db");
	struct store *s = kit_open(path);

	is(store_reserve(s, kit_publisher[0], 0, 100), 0);
	is(store_reserve(s, kit_publisher[0], UINT32_MAX, 100), 0);
	is(kit_touch(s, 0, 7, 5, T0), 1);
	is(kit_touch(s, UINT32_MAX, 8, 5, T0), 1);
	is(kit_idle_all(s, T0), 0);
	is(kit_image(s, T0, &image_a), 0);
	store_close(s);
	s = kit_open(path);
	is(kit_image(s, T0, &image_b), 0);
	ok(kit_same(&image_a, &image_b));
	is((long long)image_b.n_cached[0], 1);
	store_close(s);
}

static void
test_b4_nothing_answered_is_lost(void)
{
	const char *path = kit_path("b4.db");
	struct store *s = kit_open(path);

	for (uint32_t i = 1; i <= 12; i++)
		(void)kit_touch(s, 1, i, 5, T0 + i);
	(void)kit_touch(s, 2, 3, 25, T0);
	is(kit_image(s, T0, &image_a), 0);
	store_close(s);
	s = kit_open(path);
	is(kit_image(s, T0, &image_b), 0);
	ok(kit_same(&image_a, &image_b));
	is(image_b.groups[1].capacity, 50);
	/* seq goes on, so the newest stays the newest */
	is(kit_touch(s, 1, 99, 5, T0 - DAY), 10);
	is(kit_image(s, T0, &image_b), 0);
	is(image_b.cached[0][0].cmid[0], 99);
	is((long long)image_b.cached[0][0].seq, 13);
	store_close(s);
}

/* A group that the catalogue has lost keeps its memory by its capacity. */
static void
test_b3_capacity_outlives_the_reservation(void)
{
	const char *path = kit_path("b3.db");
	struct store *s = kit_open(path);
	struct store_diag diag;
	size_t n;

	is(store_reserve(s, kit_publisher[0], 3, 600), 0);
	for (uint32_t i = 1; i <= 40; i++)
		(void)kit_touch(s, 3, i, 300, T0);
	store_close(s);
	is(store_open_sqlite(path, STORE_MAKE_IF_EMPTY, &s, &diag), 0);
	is(store_reserve(s, kit_publisher[0], 3, 10), 0);
	is(store_groups(s, T0, image_a.groups, 8, &n), 0);
	is((long long)n, 1);
	is(image_a.groups[0].capacity, 600);
	is(image_a.groups[0].count, 40);
	is(kit_touch(s, 3, 41, 300, T0), 41);
	store_close(s);
}

/* Where SQLite is a person's or a backup's for long, nothing is changed. */
static void
test_store_locked_database_is_again(void)
{
	const char *path = kit_path("busy.db");
	struct store *s = kit_open(path);
	sqlite3 *db = NULL;

	is(kit_touch(s, 1, 1, 5, T0), 1);
	is(sqlite3_open(path, &db), SQLITE_OK);
	is(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	is(kit_touch(s, 1, 2, 5, T0), MUSTER_E_AGAIN);
	ok(strstr(store_last_diag(s)->text, "locked") != NULL);
	is(kit_touch(s, 1, 0, 5, T0), 1);
	(void)sqlite3_close(db);
	is(kit_touch(s, 1, 2, 5, T0), 2);
	store_close(s);
}

static uint64_t rng_state;

static uint32_t
rnd(uint32_t n)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (uint32_t)(rng_state >> 33) % n;
}

/* Latest leaf and one before, per client: what its `previous` may be. */
static uint8_t leaves[64][2][WIRE_TAG_LEN];

static struct turn_item
random_item(int64_t now)
{
	static const uint32_t thresholds[] = {2, 3, 5, 12};
	uint32_t who = rnd(8) == 0 ? 0 : 1 + rnd(60);
	struct turn_item it = kit_item(rnd(2), 1 + rnd(2), who,
	    thresholds[rnd(4) * rnd(4) / 3], now);

	if (rnd(8) != 0)
		memcpy(it.args.previous, leaves[who][rnd(4) == 0],
		    WIRE_TAG_LEN);
	if (rnd(40) == 0)
		it.args.machine[5] = (uint8_t)rnd(3);
	it.args.state = (enum wire_state)rnd(5);
	it.address[0] = (uint8_t)rnd(4);
	return it;
}

static bool
same_batch(struct store *a, struct store *b, int64_t now)
{
	struct turn_item x[20], y[20];
	size_t n = 1 + rnd(rnd(10) == 0 ? 20 : 3);
	bool is_same = true;
	int err_a, err_b;

	for (size_t i = 0; i < n; i++)
		x[i] = y[i] = random_item(now);
	err_a = store_batch(a, x, n, now);
	err_b = store_batch(b, y, n, now);
	for (size_t i = 0; i < n; i++) {
		uint32_t who = x[i].args.cmid[0];

		is_same &= x[i].grant.count == y[i].grant.count &&
		    x[i].is_clone == y[i].is_clone &&
		    memcmp(x[i].leaf, y[i].leaf, HASH_LEN) == 0;
		memcpy(leaves[who][1], leaves[who][0], WIRE_TAG_LEN);
		memcpy(leaves[who][0], x[i].leaf, WIRE_TAG_LEN);
	}
	return is_same && err_a == 0 && err_b == 0;
}

static int64_t
step(int64_t now)
{
	switch (rnd(40)) {
	case 0:
		return now - (int64_t)rnd(40 * 86400);
	case 1:
		return now + (int64_t)rnd(70 * 86400);
	default:
		return now + rnd(7200);
	}
}

static void
test_store_sqlite_does_what_the_model_does(uint64_t seed)
{
	const char *path = kit_path("model.db");
	struct store *a = kit_open(NULL), *b = kit_open(path);
	int64_t now = T0;
	unsigned bad = 0;

	printf("# seed %llu\n", (unsigned long long)seed);
	rng_state = seed;
	store_set_limits(a, 150, 100);
	store_set_limits(b, 150, 100);
	for (unsigned i = 0; i < 10000 && bad == 0 && b != NULL; i++) {
		now = step(now);
		if (!same_batch(a, b, now)) {
			printf("# batch %u differs\n", i);
			bad++;
		}
		if (rnd(50) == 0)
			bad += kit_idle_all(a, now) != 0 ||
			    kit_idle_all(b, now) != 0;
		if (rnd(400) == 0) {
			store_close(b);
			b = kit_open(path);
			store_set_limits(b, 150, 100);
		}
		if (rnd(50) == 0) {
			bad += kit_image(a, now, &image_a) != 0 ||
			    kit_image(b, now, &image_b) != 0 ||
			    !kit_same(&image_a, &image_b);
			if (bad > 0)
				printf("# image %u differs\n", i);
		}
	}
	is(bad, 0);
	store_close(a);
	store_close(b);
}

static void
contract(bool is_sqlite)
{
	printf("# %s\n", is_sqlite ? "sqlite" : "memory");
	test_store_counts_in_order_of_arrival(is_sqlite);
	test_store_refuses_what_it_has_no_memory_for(is_sqlite);
	test_store_probe_changes_nothing(is_sqlite);
	test_store_reserve_keeps_what_is_there(is_sqlite);
	test_b2_the_old_are_cleaned_up(is_sqlite);
	test_b3_the_cache_keeps_the_newest(is_sqlite);
	test_store_a_full_journal_is_merged(is_sqlite);
}

int
main(int argc, char **argv)
{
	kit_dir_make();
	contract(false);
	contract(true);
	test_store_keeps_the_groups_on_the_edge();
	test_b4_nothing_answered_is_lost();
	test_b3_capacity_outlives_the_reservation();
	test_store_locked_database_is_again();
	test_store_sqlite_does_what_the_model_does(
	    argc > 1 ? strtoull(argv[1], NULL, 10) : 20240229);
	kit_dir_remove();
	return tap_done();
}
