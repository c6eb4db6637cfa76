/* SPDX-License-Identifier: MIT */
/*
 * The shared store against the others: random operations on the model, on
 * SQLite and on two hosts of one PostgreSQL group, whose sessions are ended and
 * whose commits fail in between.  A test starts the server and says its address;
 * its clock is ours, by a function of its own.
 *
 * usage: store_shared HOST-ADDRESS OWNER-ADDRESS [OPERATIONS [SEED]]
 */
#define KIT_CLIENTS 400
#include "store_breaks.h"
#include "store_older.h"
#include "store_outages.h"
#include "store_reads.h"
#include "store_server.h"

static struct kit_image images[4];
static uint64_t rng_state;

static uint32_t
rnd(uint32_t n)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (uint32_t)(rng_state >> 33) % n;
}

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
is_same_answer(const struct turn_item *x, const struct turn_item *y, size_t k)
{
	bool is_same = x->grant.count == y->grant.count &&
	    x->is_clone == y->is_clone &&
	    memcmp(x->leaf, y->leaf, HASH_LEN) == 0;

	if (!is_same)
		printf("# store %zu: machine %u, group %u: count %u, not %u; "
		       "clone %d, not %d\n",
		    k, x->args.cmid[0], x->group, y->grant.count,
		    x->grant.count, y->is_clone, x->is_clone);
	return is_same;
}

/* So few items that those behind them have no group of their own. */
static size_t
begin_of(const struct turn_item *items, size_t n)
{
	bool seen[2][3] = {{false}};
	size_t begin = 1;

	for (size_t i = 0; i < n; i++) {
		bool *is_seen = &seen[items[i].publisher_id[0] ==
		    kit_publisher[1][0]][items[i].group];

		begin = *is_seen ? begin : i + 1;
		*is_seen = true;
	}
	return begin;
}

static size_t
seal(void *arg)
{
	return *(const size_t *)arg;
}

/* Those who were answered know their last two leaves. */
static void
note_leaves(const struct turn_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t who = items[i].args.cmid[0];

		memcpy(leaves[who][1], leaves[who][0], WIRE_TAG_LEN);
		memcpy(leaves[who][0], items[i].leaf, WIRE_TAG_LEN);
	}
}

/* A batch on whichever host has its turn, and the same one on model and SQLite
 * unless nothing became of it.  The server's clock is being set, beside which
 * these two go on where the batch is sure to stand. */
static bool
same_batch(struct store **s, struct store **hosts, int64_t now, size_t *n_out)
{
	struct turn_item items[3][20];
	size_t n = 1 + rnd(rnd(10) == 0 ? 20 : 3);
	struct store *host = hosts[rnd(2)], *other = hosts[rnd(2)];
	enum breaks how = rnd(8) == 0 ? breaks_next() : SOUND;
	enum breaks_end end = ANSWERED;
	size_t begin, n_said;
	bool is_same = true;
	int err[3] = {0};

	for (size_t i = 0; i < n; i++)
		items[0][i] = items[1][i] = items[2][i] = random_item(now);
	begin = begin_of(items[0], n);
	other = rnd(2) == 0 ? NULL : other;
	for (int k = 2; k >= 0; k--) {
		const int store = how == SOUND ? 2 - k : k;

		if (store == 2) {
			set_clock_end();
			err[2] = breaks_batch(host, other, how, items[2], begin,
			    n, now, &end);
		} else if (end != GONE) {
			err[store] = store_batch_growing(s[store], items[store],
			    begin, now, seal, &n);
		}
	}
	for (int k = 0; k < 3; k++) {
		is_same &= err[k] == 0;
		if (err[k] != 0)
			printf("# store %d: %s: %s\n", k,
			    muster_errname(err[k]),
			    store_last_diag(k == 2 ? host : s[k])->text);
	}
	n_said = end == GONE ? 0 : end == UNHEARD ? 2 : 3;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 1; k < n_said; k++)
			is_same &=
			    is_same_answer(&items[0][i], &items[k][i], k);
	}
	if (end == ANSWERED)
		note_leaves(items[0], n);
	*n_out = end == GONE ? 0 : n;
	return is_same;
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

/* To list is to connect anew, for which a busy machine may have no time. */
static int
look(struct store *s, int64_t now, struct kit_image *image)
{
	int err = MUSTER_E_AGAIN;

	for (int i = 0; i < 20 && err == MUSTER_E_AGAIN; i++)
		err = kit_image(s, now, image);
	if (err != 0)
		printf("# image: %s\n", muster_errname(err));
	return err;
}

static bool
same_images(struct store **s, size_t n, int64_t now)
{
	/* the hosts have one inventory, and each piece of it is a connection,
	 * for which a busy machine takes long: one reads it, in one way */
	const size_t reader = n - 1 - rnd(2);
	const unsigned way = rnd(READS_WAYS);
	const uint32_t piece = 5 + rnd(100);
	bool is_same = true;

	/* who inserted beyond the limit of rows thins out, another need not;
	 * and a host whose last batch failed writes, as after a while */
	for (size_t k = 0; k < n; k++) {
		if (k >= 2)
			pg_of(s[k])->write_ms -= PG_PROVE_MS;
		is_same &= kit_idle_all(s[k], now) == 0;
	}
	for (size_t k = 0; k < n; k++)
		is_same &= look(s[k], now, &images[k]) == 0;
	/* a look repairs what is from the future: to be written before a host
	 * is closed, as one does that is idle, for the model forgets nothing */
	for (size_t k = 0; k < n; k++)
		is_same &= kit_idle_all(s[k], now) == 0;
	if (!reads_are_whole(s[1], piece) ||
	    !reads_one_way(s[reader], way, piece)) {
		printf("# not the same in pieces of %u, way %u\n", piece, way);
		is_same = false;
	}
	for (size_t k = 1; k < n && is_same; k++) {
		is_same &= kit_same(&images[0], &images[k]);
		if (!is_same)
			printf("# store %zu\n", k);
	}
	return is_same;
}

/* Of the two hosts one has its turn at random; the other reads what changed.
 * What becomes of a batch that is broken is asked of either. */
static void
test_b11_all_stores_do_what_the_model_does(unsigned long n_ops, uint64_t seed)
{
	struct store *hosts[2],
	    *s[4] = {kit_open(NULL), kit_open(kit_path("model.db")), NULL,
	        NULL};
	int64_t now = T0;
	unsigned long done = 0;
	unsigned bad = 0, n_images = 0;

	printf("# seed %llu\n", (unsigned long long)seed);
	rng_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1; /* 0 stays 0 */
	fresh_server();
	set_clock(now);
	hosts[0] = open_host(100);
	hosts[1] = open_host(30); /* of an older catalogue, and grows */
	for (unsigned k = 0; k < 2; k++) {
		store_set_limits(s[k], 150, 100);
		store_set_limits(hosts[k], 150, 100);
	}
	while (done < n_ops && bad == 0) {
		size_t n = 0;

		set_clock_begin(now = step(now));
		bad += !same_batch(s, hosts, now, &n);
		done += n;
		if (rnd(60) == 0) {
			s[2] = hosts[0];
			s[3] = hosts[1];
			bad += !same_images(s, 4, now);
			n_images++;
		}
		if (rnd(300) == 0) {
			unsigned k = rnd(2);

			store_close(hosts[k]);
			hosts[k] = open_host(k == 0 ? 100 : 30);
			store_set_limits(hosts[k], 150, 100);
		}
	}
	is(bad, 0);
	if (bad != 0)
		printf("# after %lu operations\n", done);
	printf("# %lu operations, %u images\n", done, n_images);
	ok(n_images > 0);
	printf("# sessions ended: %u idle, %u with locks; refused: %u "
	       "statements, %u commits; %u unknown\n",
	    breaks.done[IDLE], breaks.done[LOCKED], breaks.done[STATEMENT],
	    breaks.done[COMMIT], breaks.done[UNSURE]);
	for (int how = IDLE; how < BREAKS; how++)
		ok(breaks.done[how] > 0);
	for (unsigned k = 0; k < 2; k++) {
		store_close(s[k]);
		store_close(hosts[k]);
	}
}

/* b3: T is the larger of two catalogues, and it stays. */
static void
test_b11_the_larger_threshold_holds(void)
{
	struct store *a, *b;
	size_t n;

	fresh_server();
	set_clock(T0);
	a = open_host(10);
	b = open_host(50);
	for (uint32_t i = 1; i <= 30; i++)
		is(kit_touch(a, 1, i, 5, T0), i < 10 ? i : 10);
	is(kit_touch(b, 1, 31, 25, T0), 11);
	for (uint32_t i = 1; i <= 30; i++)
		(void)kit_touch(a, 1, i, 5, T0);
	is(kit_touch(b, 1, 31, 5, T0), 31);
	is(kit_idle_all(a, T0), 0);
	is(store_groups(a, T0, images[0].groups, 8, &n), 0);
	is(images[0].groups[0].capacity, 50);
	is(images[0].groups[0].held, 31);
	store_close(a);
	store_close(b);
}

/* Whatever is wrong with what came later, nothing of the batch is kept. */
static void
test_b11_a_batch_grows_until_it_has_its_rows(void)
{
	struct turn_item items[3];
	size_t n = 3;
	struct store *a;

	fresh_server();
	set_clock(T0 + 7);
	a = open_host(50);
	for (uint32_t i = 0; i < 3; i++)
		items[i] = kit_item(0, 1, i + 1, 5, T0);
	items[2].group = 2; /* which is not locked */
	is(store_batch_growing(a, items, 1, T0, seal, &n), MUSTER_E_INVAL);
	items[2].group = 9; /* there is none */
	is(store_batch_growing(a, items, 1, T0, seal, &n), MUSTER_E_INVAL);
	is(number("SELECT count(*) FROM client"), 0);
	for (uint32_t i = 0; i < 3; i++)
		items[i] = kit_item(0, 1, i + 1, 5, T0);
	is(store_batch_growing(a, items, 1, T0, seal, &n), 0);
	is(items[2].grant.count, 3);
	is(items[2].grant.issued_unix_s, T0 + 7);
	/* what is known of them is read, whenever they came */
	is(store_batch_growing(a, items, 1, T0, seal, &n), 0);
	is(number("SELECT count(*) FROM client WHERE contacts = 2"), 3);
	store_close(a);
}

/* A probe is answered by the count of all, and a server's clock serves all. */
static void
test_b11_clock_and_probes_are_the_servers(void)
{
	struct store *a, *b;
	struct turn_item it;

	fresh_server();
	set_clock(T0 + 1000);
	a = open_host(50);
	b = open_host(50);
	it = kit_item(0, 1, 7, 5, T0);
	is(store_batch(a, &it, 1, T0), 0);
	is(it.grant.issued_unix_s, T0 + 1000);
	is(kit_touch(b, 1, 0, 5, T0), 1);
	set_clock(T0 + 4 * 3600 + 1);
	is(kit_touch(a, 1, 8, 5, T0), MUSTER_E_AGAIN);
	ok(strstr(store_last_diag(a)->text, "clock is 14401 s ahead") != NULL);
	is(kit_touch(a, 1, 8, 5, T0 + 1), 2);
	store_close(a);
	store_close(b);
}

/* The first batch of a group adds its row, and takes it back when it fails. */
static void
test_b11_a_group_that_was_rolled_back_is_added_again(void)
{
	struct store *a;

	fresh_server();
	set_clock(T0 + 5 * 3600);
	a = open_host(50);
	is(kit_touch(a, 1, 1, 5, T0), MUSTER_E_AGAIN);
	ok(strstr(store_last_diag(a)->text, "clock is") != NULL);
	set_clock(T0);
	is(kit_touch(a, 1, 1, 5, T0), 1);
	is(kit_touch(a, 1, 2, 5, T0), 2);
	store_close(a);
}

/* b2: what one host repairs, the other's copy has not. */
static void
test_b11_repairs_reach_the_other(void)
{
	struct store *a, *b;
	int64_t late = T0 + 10 * DAY;

	fresh_server();
	set_clock(late);
	a = open_host(100);
	b = open_host(100);
	is(kit_touch(a, 1, 1, 5, late), 1);
	is(kit_touch(b, 1, 0, 5, late), 1);
	set_clock(T0); /* the clock is put right: 1 was seen at T0 */
	is(kit_touch(a, 1, 2, 5, T0), 2);
	set_clock(late);
	is(kit_touch(a, 1, 3, 5, late), 3);
	set_clock(T0 + 31 * DAY);
	is(kit_touch(b, 1, 0, 5, T0 + 31 * DAY), 1);
	store_close(a);
	store_close(b);
}

/* b2: what a host repairs while it is only looked at, the next one finds. */
static void
test_b11_what_a_look_repairs_is_written_when_idle(void)
{
	int64_t late = T0 + 10 * DAY;
	struct store *a;

	fresh_server();
	set_clock(late);
	a = open_host(100);
	is(kit_touch(a, 1, 1, 5, late), 1);
	set_clock(T0); /* the clock is put right: 1 was seen at T0 */
	is(kit_idle_all(a, T0), 0);
	is(kit_image(a, T0, &images[0]), 0);
	is(kit_idle_all(a, T0), 0);
	store_close(a);
	a = open_host(100);
	set_clock(T0 + 5 * DAY);
	is(kit_touch(a, 1, 2, 5, T0 + 5 * DAY), 2);
	set_clock(T0 + 31 * DAY);
	is(kit_touch(a, 1, 2, 5, T0 + 31 * DAY), 1);
	store_close(a);
}

/* 1 is older by its number, 2 by its time: 2 goes, and b must hear of it. */
static void
test_b11_clean_up_reaches_the_other(void)
{
	struct store *a, *b;
	int64_t end = T0 + 60 * DAY + 3600;

	fresh_server();
	set_clock(T0 + 3 * 3600);
	a = open_host(100);
	b = open_host(100);
	is(kit_touch(a, 1, 1, 5, T0), 1);
	set_clock(T0);
	is(kit_touch(a, 1, 2, 5, T0), 2);
	is(kit_touch(b, 1, 3, 5, T0), 3);
	set_clock(end);
	is(kit_touch(b, 1, 3, 5, end), 1);
	is(kit_idle_all(a, end), 0);
	is(kit_touch(b, 1, 4, 5, end), 2);
	is(kit_image(b, end, &images[1]), 0);
	is((long long)images[1].n_cached[0], 3);
	is(kit_idle_all(a, end), 0);
	is(kit_image(a, end, &images[0]), 0);
	ok(kit_same(&images[0], &images[1]));
	store_close(a);
	store_close(b);
}

/* Who reads it needs nothing of what a batch has prepared: each page has a
 * connection of its own. */
static void
test_b5_the_inventory_is_read_by_itself(void)
{
	struct store_diag diag;
	struct store *a;

	fresh_server();
	set_clock(T0);
	a = open_host(10);
	for (uint32_t i = 0; i < 60; i++)
		ok(kit_touch(a, 1, 1 + i % 40, 5, T0) > 0);
	sql("ALTER TABLE cache RENAME TO away");
	is(kit_image(a, T0, &images[0]), 0);
	is((long long)images[0].n_clients, 40);
	ok(reads_are_whole(a, 7));
	sql("ALTER TABLE away RENAME TO cache");
	sql("ALTER TABLE client RENAME chain TO links");
	is(kit_image(a, T0, &images[0]), MUSTER_E_AGAIN);
	store_aside_diag(a, &diag);
	ok(strstr(diag.text, "is not what this host knows") != NULL);
	sql("ALTER TABLE client RENAME links TO chain");
	store_close(a);
}

/* The first byte of the CMID that a host holds under a seq. */
static int
held_at(struct store *s, uint64_t seq)
{
	static struct count_row rows[COUNT_CAPACITY_MAX];
	size_t n = 0;

	if (store_cached(s, kit_publisher[0], 1, rows, COUNT_CAPACITY_MAX,
	        &n) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (rows[i].seq == seq)
			return rows[i].cmid[0];
	}
	return -2;
}

/*
 * The largest group allowed is read whole once, by its differences after that:
 * what is changed behind the version's back is not seen, until the epoch says
 * that all is to be read.
 */
static void
test_b11_a_large_group_is_read_by_its_differences(void)
{
	struct store *a;
	int was;

	fresh_server();
	sql("INSERT INTO grp SELECT '01010000-0000-0000-0000-000000000000', 1,"
	    " 200000, 200000, 1, 0, 0");
	sql("INSERT INTO cache SELECT '01010000-0000-0000-0000-000000000000',"
	    " 1, md5(i::text)::uuid, i, 1800000000"
	    " FROM generate_series(1, 200000) i");
	set_clock(T0);
	a = open_host(10);
	is(kit_touch(a, 1, 0, 5, T0), 200000);
	was = held_at(a, 5);
	sql("UPDATE cache SET cmid = 'eeeeeeee-0000-0000-0000-000000000000'"
	    " WHERE seq = 5");
	sql("INSERT INTO cache VALUES ('01010000-0000-0000-0000-000000000000',"
	    " 1, 'ffffffff-0000-0000-0000-000000000000', 200001, 1800000000)");
	sql("DELETE FROM cache WHERE seq = 1");
	sql("UPDATE grp SET seq = 200001, floor = 2 WHERE capacity > 0");
	is(kit_touch(a, 1, 0, 5, T0), 200000);
	is(held_at(a, 1), -2);
	is(held_at(a, 200001), 0xff);
	is(held_at(a, 5), was);
	is(kit_touch(a, 1, 9, 5, T0), 200000);
	is(number("SELECT count(*) FROM cache"), 200000);
	is(number("SELECT floor FROM grp WHERE capacity > 0"), 3);
	/* so it is over a new connection, but not to another run of a server */
	end_sessions();
	is(kit_touch(a, 1, 0, 5, T0), 200000);
	is(held_at(a, 5), was);
	end_sessions();
	pg_of(a)->session.run--;
	is(kit_touch(a, 1, 0, 5, T0), 200000);
	is(held_at(a, 5), 0xee);
	sql("UPDATE cache SET cmid = 'dddddddd-0000-0000-0000-000000000000'"
	    " WHERE seq = 5");
	sql("UPDATE grp SET epoch = epoch + 1");
	is(kit_touch(a, 1, 0, 5, T0), 200000);
	is(held_at(a, 5), 0xdd);
	store_close(a);
}

/* A process of the server dies: sessions end, what was not on disk is gone, and
 * the server says that it runs since when it did. */
static void
test_b11_what_was_only_read_is_read_anew(void)
{
	struct store *a, *b;

	fresh_server();
	set_clock(T0);
	a = open_host(10);
	b = open_host(10);
	is(kit_touch(a, 1, 1, 5, T0), 1);
	is(kit_touch(b, 1, 2, 5, T0), 2);
	is(kit_touch(a, 1, 3, 5, T0), 3);
	is(kit_idle_all(b, T0), 0);
	is(held_at(b, 3), 3);
	/* a's last was lost, and its place is another machine's since */
	sql("UPDATE cache SET cmid = 'ee000000-0000-0000-0000-000000000000'"
	    " WHERE seq = 3");
	end_sessions();
	is(kit_idle_all(b, T0), 0);
	is(held_at(b, 3), 0xee);
	store_close(a);
	store_close(b);
}

int
main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	address = argv[1];
	owner = PQconnectdb(argv[2]);
	if (PQstatus(owner) != CONNECTION_OK) {
		printf("# %s\n", PQerrorMessage(owner));
		return 2;
	}
	kit_dir_make();
	own_clock();
	breaks_prepare();
	test_b11_the_larger_threshold_holds();
	test_b11_a_batch_grows_until_it_has_its_rows();
	test_b11_clock_and_probes_are_the_servers();
	test_b11_a_group_that_was_rolled_back_is_added_again();
	test_b11_repairs_reach_the_other();
	test_b11_what_a_look_repairs_is_written_when_idle();
	test_b11_clean_up_reaches_the_other();
	test_b5_two_machines_that_an_older_host_saw_are_told();
	test_b5_a_lease_that_an_older_host_gave_is_told();
	test_b5_the_inventory_is_read_by_itself();
	test_b11_no_code_is_made_for_a_connection();
	test_b11_what_was_only_read_is_read_anew();
	test_b11_a_server_that_is_behind_is_asked_ever_later();
	test_b11_a_look_proves_no_write();
	test_b11_upkeep_writes_where_no_batch_comes();
	test_b11_a_large_group_is_read_by_its_differences();
	test_b11_all_stores_do_what_the_model_does(argc > 3
	        ? strtoul(argv[3], NULL, 10)
	        : 2000,
	    argc > 4 ? strtoull(argv[4], NULL, 10) : 2);
	kit_dir_remove();
	PQfinish(owner);
	return tap_done();
}
