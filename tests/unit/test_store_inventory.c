/* SPDX-License-Identifier: MIT */
/* What a row of the inventory tells, on both backends of one host. */
#include "store_kit.h"

static struct kit_image image_a;

static const struct store_client *
client_of(uint32_t who)
{
	for (size_t i = 0; i < image_a.n_clients; i++) {
		if (memcmp(image_a.clients[i].cmid, &who, sizeof(who)) == 0)
			return &image_a.clients[i];
	}
	return NULL;
}

static void
test_b5_the_inventory_tells_of_each_client(bool is_sqlite)
{
	struct store *s = kit_fresh(is_sqlite);
	struct turn_item it = kit_item(0, 1, 7, 5, T0 + 50);
	const struct store_client *c;

	(void)kit_touch(s, 1, 6, 5, T0);
	(void)kit_touch(s, 1, 7, 5, T0);
	is(kit_idle_all(s, T0), 0);
	it.args.state = WIRE_NOTIFICATION;
	it.args.threshold = 77;
	(void)snprintf(it.args.name, sizeof(it.args.name), "renamed");
	it.address[15] = 2;
	is(store_batch(s, &it, 1, T0 + 50), 0);
	/* one row in the journal and one in the table are one client */
	is(kit_image(s, T0, &image_a), 0);
	is((long long)image_a.n_clients, 2);
	c = client_of(7);
	is_str(c->name, "renamed");
	is(c->state, WIRE_NOTIFICATION);
	is(c->threshold, 77);
	is(c->first_unix_s, T0);
	is(c->last_unix_s, T0 + 50);
	is((long long)c->contacts, 2);
	is(c->count, 2);
	is(c->address[15], 2);
	ok(memcmp(c->chain.newest, it.leaf, WIRE_TAG_LEN) == 0);
	ok(!store_client_is_duplicate(c, T0 + 50));
	store_close(s);
}

static void
test_b5_two_machines_under_one_cmid_are_named(bool is_sqlite)
{
	struct store *s = kit_fresh(is_sqlite);
	struct turn_item first = kit_item(0, 1, 7, 5, T0), second, third;
	const struct store_client *c;

	is(store_batch(s, &first, 1, T0), 0);
	second = kit_item(0, 1, 7, 5, T0);
	second.args.machine[3] = 0xee;
	(void)snprintf(second.args.name, sizeof(second.args.name), "copy");
	memcpy(second.args.previous, first.leaf, WIRE_TAG_LEN);
	is(store_batch(s, &second, 1, T0), 0);
	ok(!second.is_clone);
	is(kit_image(s, T0, &image_a), 0);
	c = client_of(7);
	ok(store_client_is_duplicate(c, T0));
	is_str(c->name, "copy");
	is_str(c->other_name, "pc7");
	ok(memcmp(c->other_machine, first.args.machine, WIRE_ID_LEN) == 0);

	/* a perfect clone: same fingerprint, told by the chain */
	first = kit_item(0, 1, 8, 5, T0);
	is(store_batch(s, &first, 1, T0), 0);
	for (int i = 0; i < 2; i++) {
		second = kit_item(0, 1, 8, 5, T0);
		memcpy(second.args.previous, first.leaf, WIRE_TAG_LEN);
		is(store_batch(s, &second, 1, T0), 0);
		ok(!second.is_clone);
	}
	third = kit_item(0, 1, 8, 5, T0);
	memcpy(third.args.previous, second.leaf, WIRE_TAG_LEN);
	is(store_batch(s, &third, 1, T0), 0);
	third = kit_item(0, 1, 8, 5, T0);
	third.args.previous[0] = 1; /* elsewhere: supersedes */
	is(store_batch(s, &third, 1, T0), 0);
	first = kit_item(0, 1, 8, 5, T0);
	memcpy(first.args.previous, second.leaf, WIRE_TAG_LEN);
	is(store_batch(s, &first, 1, T0), 0);
	second = kit_item(0, 1, 8, 5, T0);
	memcpy(second.args.previous, third.leaf, WIRE_TAG_LEN);
	is(store_batch(s, &second, 1, T0), 0);
	ok(second.is_clone);
	is(kit_image(s, T0, &image_a), 0);
	ok(store_client_is_duplicate(client_of(8), T0));
	is_str(client_of(8)->other_name, "pc8");
	store_close(s);
}

/* The copy took a CMID of its own, as the warning advises: it goes. */
static void
test_b5_a_copy_that_comes_no_more_is_no_duplicate(bool is_sqlite)
{
	struct store *s = kit_fresh(is_sqlite);
	struct turn_item it = kit_item(0, 1, 7, 5, T0);
	int64_t told = T0 + 2 * DAY;

	is(store_batch(s, &it, 1, T0), 0);
	it = kit_item(0, 1, 7, 5, T0 + DAY);
	it.args.machine[3] = 0xee;
	is(store_batch(s, &it, 1, T0 + DAY), 0);
	it = kit_item(0, 1, 7, 5, told);
	is(store_batch(s, &it, 1, told), 0); /* the first one again */
	for (int64_t day = 9; day < 60; day += 7) {
		it = kit_item(0, 1, 7, 5, T0 + day * DAY);
		is(kit_image(s, T0, &image_a), 0);
		memcpy(it.args.previous, client_of(7)->chain.newest,
		    WIRE_TAG_LEN);
		is(store_batch(s, &it, 1, T0 + day * DAY), 0);
	}
	is(kit_idle_all(s, T0 + 60 * DAY), 0);
	is(kit_image(s, T0, &image_a), 0);
	is((long long)client_of(7)->twin_unix_s, told);
	ok(store_client_is_duplicate(client_of(7), told + STORE_TWIN_S - 1));
	ok(!store_client_is_duplicate(client_of(7), told + STORE_TWIN_S));
	ok(store_client_is_duplicate(client_of(7), T0)); /* a clock set back */

	/* and comes back when the copy does */
	it = kit_item(0, 1, 7, 5, T0 + 60 * DAY);
	it.args.machine[3] = 0xee;
	is(store_batch(s, &it, 1, T0 + 60 * DAY), 0);
	is(kit_image(s, T0, &image_a), 0);
	ok(store_client_is_duplicate(client_of(7), T0 + 61 * DAY));
	store_close(s);
}

static int64_t
granted_of(struct store *s, uint32_t who, int64_t now)
{
	is(kit_image(s, now, &image_a), 0);
	return client_of(who)->granted_unix_s;
}

/* b31: the lease in force is not taken away by a later answer below it. */
static void
test_b5_what_was_granted_stays_when_a_later_answer_is_below(bool is_sqlite)
{
	struct store *s = kit_fresh(is_sqlite);
	const int64_t alone = T0 + 40 * DAY; /* the others are gone by then */

	for (uint32_t i = 1; i <= 5; i++)
		is(kit_touch(s, 1, i, 5, T0 + i), i);
	is((long long)granted_of(s, 4, T0 + 5), 0);
	is((long long)granted_of(s, 5, T0 + 5), T0 + 5);
	is(kit_touch(s, 1, 5, 5, alone), 1);
	is((long long)granted_of(s, 5, alone), T0 + 5);
	is((long long)client_of(5)->last_unix_s, alone);
	is(kit_idle_all(s, alone), 0); /* from the table, too */
	is(kit_touch(s, 1, 5, 5, alone + DAY), 1);
	is(kit_idle_all(s, alone + DAY), 0);
	is((long long)granted_of(s, 5, alone + DAY), T0 + 5);
	for (uint32_t i = 1; i <= 4; i++)
		is(kit_touch(s, 1, i, 5, alone + 2 * DAY), i + 1);
	is((long long)granted_of(s, 4, alone + 2 * DAY), alone + 2 * DAY);
	is((long long)granted_of(s, 3, alone + 2 * DAY), 0);
	is(kit_touch(s, 1, 5, 5, alone + 3 * DAY), 5);
	is((long long)granted_of(s, 5, alone + 3 * DAY), alone + 3 * DAY);
	store_close(s);
}

/* Times that 32 bits do not hold are marks all the same. */
static void
test_b5_a_mark_of_any_time_is_one(bool is_sqlite)
{
	static const struct {
		int64_t now, want;
	} cases[] = {{-5, 1}, {0, 1}, {1, 1}, {UINT32_MAX, UINT32_MAX},
	    {INT64_C(1) << 33, UINT32_MAX}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct store *s = kit_fresh(is_sqlite);
		struct turn_item it = kit_item(0, 1, 7, 5, cases[i].now);

		is(store_batch(s, &it, 1, cases[i].now), 0);
		it = kit_item(0, 1, 7, 5, cases[i].now);
		it.args.machine[3] = 0xee;
		is(store_batch(s, &it, 1, cases[i].now), 0);
		is(kit_image(s, T0, &image_a), 0);
		is((long long)client_of(7)->twin_unix_s, cases[i].want);
		store_close(s);
	}
}

static void
test_b5_the_inventory_is_bounded(bool is_sqlite)
{
	struct store *s = kit_fresh(is_sqlite);

	for (uint32_t i = 1; i <= 9; i++)
		(void)kit_touch(s, 1, i, 5, T0 + 10 - i);
	(void)kit_touch(s, 1, 9, 5, T0 + 1); /* oldest, yet renewed */
	store_set_limits(s, 5, 400);
	is(kit_idle_all(s, T0), 0);
	is(kit_image(s, T0, &image_a), 0);
	is((long long)image_a.n_clients, 5);
	for (uint32_t i = 5; i <= 8; i++)
		ok(client_of(i) == NULL);
	ok(client_of(9) != NULL);
	/* the count is not the inventory's business */
	is(image_a.groups[0].held, 9);

	/* 1 to 4 were seen at T0 + 9 down to T0 + 6, 9 at T0 + 1 */
	is(kit_idle_all(s, T0 + 7 + 400 * DAY), 0);
	is(kit_image(s, T0, &image_a), 0);
	is((long long)image_a.n_clients, 2);
	ok(client_of(9) == NULL && client_of(3) == NULL);
	store_close(s);
}

int
main(void)
{
	kit_dir_make();
	for (int is_sqlite = 0; is_sqlite < 2; is_sqlite++) {
		test_b5_the_inventory_tells_of_each_client(is_sqlite != 0);
		test_b5_two_machines_under_one_cmid_are_named(is_sqlite != 0);
		test_b5_a_copy_that_comes_no_more_is_no_duplicate(
		    is_sqlite != 0);
		test_b5_a_mark_of_any_time_is_one(is_sqlite != 0);
		test_b5_what_was_granted_stays_when_a_later_answer_is_below(
		    is_sqlite != 0);
		test_b5_the_inventory_is_bounded(is_sqlite != 0);
	}
	kit_dir_remove();
	return tap_done();
}
