/* SPDX-License-Identifier: MIT */
/* test_store_reads.c -- the inventory read a piece at a time. */
#include "store_reads.h"

#include <sqlite3.h>

#define CLIENTS 300

static uint64_t seed = 7;

static uint32_t
rnd(uint32_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(seed >> 33) % n;
}

/* A few at one second, some again and again, others once; in one batch. */
static void
some_come(struct store *s, uint32_t n, int64_t now)
{
	static struct turn_item items[TURN_MAX];

	for (uint32_t i = 0; i < n; i++) {
		uint32_t who = 1 + rnd(rnd(2) == 0 ? CLIENTS : 20);

		items[i] = kit_item(rnd(2), 1 + rnd(2), who, 5, now + rnd(4));
	}
	if (store_batch(s, items, n, now + 4) != 0)
		abort();
}

/* Rows in the table, in the journal, in both, and old ones gone. */
static void
test_pieces_together_are_the_whole(void)
{
	struct store *s = kit_open(kit_path("pieces.db"));
	unsigned bad = 0;

	store_set_limits(s, 500, 30);
	bad += !reads_are_whole(s, 7);
	for (int i = 0; i < 40; i++) {
		some_come(s, 20, T0 + i * DAY);
		bad += !reads_are_whole(s, 7);
		for (uint32_t k = rnd(3); k > 0; k--)
			bad += store_idle(s, T0 + i * DAY) == MUSTER_E_IO;
		bad += !reads_are_whole(s, 7);
	}
	is(bad, 0);
	ok(reads_all.n_clients > 100);
	store_close(s);
	s = kit_open(kit_path("pieces.db"));
	ok(reads_are_whole(s, 7));
	store_close(s);
}

struct seen {
	unsigned times[CLIENTS + 1];
};

static void
see(void *arg, const struct store_client *client)
{
	struct seen *seen = arg;
	uint32_t who;

	memcpy(&who, client->cmid, sizeof(who));
	seen->times[who <= CLIENTS ? who : 0]++;
}

/* Between two pieces all come back, and are merged into the table. */
static void
test_a_scan_goes_on_beside_batches_and_merges(void)
{
	struct store *s = kit_open(kit_path("beside.db"));
	struct store_scan *scan = NULL;
	struct seen seen = {{0}};
	bool is_over = false;
	unsigned bad = 0, pieces = 0;

	kit_history(s, CLIENTS / 2);
	while (store_idle(s, T0) == MUSTER_E_AGAIN)
		;
	kit_history(s, CLIENTS / 3); /* these wait in the journal */
	is(store_scan_open(s, &scan), 0);
	for (; !is_over && bad == 0; pieces++) {
		bad += store_scan_next(scan, 20, see, &seen, &is_over) != 0;
		kit_history(s, CLIENTS);
		while (store_idle(s, T0) == MUSTER_E_AGAIN)
			;
	}
	store_scan_close(scan);
	ok(pieces > 5);
	for (uint32_t who = 1; who <= CLIENTS; who++)
		bad += who <= CLIENTS / 2 ? seen.times[who] != 1
		                          : seen.times[who] > 1;
	is(bad, 0);
	is(seen.times[0], 0);
	store_close(s);
}

/* SQLite's own word: whether every page of the log could be moved. */
static bool
log_can_be_emptied(const char *path)
{
	sqlite3 *db = NULL;
	int in_log = -1, moved = -2;
	int rc = sqlite3_open(path, &db);

	if (rc == SQLITE_OK)
		rc = sqlite3_wal_checkpoint_v2(db, NULL,
		    SQLITE_CHECKPOINT_TRUNCATE, &in_log, &moved);
	(void)sqlite3_close(db);
	return rc == SQLITE_OK && in_log == moved;
}

static void
test_the_log_is_not_held_by_a_scan_that_rests(void)
{
	const char *path = kit_path("rests.db");
	struct store *s = kit_open(path);
	struct store_scan *scan = NULL;
	bool is_over = false;
	struct kit_image *image = &reads_some;

	kit_history(s, CLIENTS);
	while (store_idle(s, T0) == MUSTER_E_AGAIN)
		;
	image->n_clients = 0;
	is(store_scan_open(s, &scan), 0);
	is(store_scan_next(scan, 20, kit_collect, image, &is_over), 0);
	ok(!is_over && image->n_clients == 20);
	/* with a transaction open the log could not be emptied */
	ok(log_can_be_emptied(path));
	store_scan_close(scan);
	store_scan_close(NULL);
	store_close(s);
}

/* Open descriptors. */
static int
n_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (dir != NULL && readdir(dir) != NULL)
		n++;
	if (dir != NULL)
		(void)closedir(dir);
	return n;
}

/* SQLite may keep a descriptor until the last of a file is closed, no
 * longer. */
static void
test_a_read_leaves_nothing_open(void)
{
	const struct store_recent ask = {.max = 10};
	int before = n_open();
	struct store *s = kit_open(kit_path("open.db"));
	struct store_scan *scan = NULL;
	uint64_t total = 0;

	kit_history(s, 5);
	is(store_recent_aside(s, &ask, kit_collect, &reads_some, &total), 0);
	is((long long)total, 5);
	store_close(s);
	is(n_open(), before);
	s = kit_open(kit_path("open.db"));
	is(store_scan_open(s, &scan), 0);
	store_scan_close(scan);
	store_close(s);
	is(n_open(), before);
}

/* The place of who was asked in an order. */
static void
in_turn(void *arg, const struct store_client *client)
{
	char *text = arg;
	uint32_t who;

	memcpy(&who, client->cmid, sizeof(who));
	text[strlen(text)] = (char)('0' + who % 10);
}

/* Two that wait, two of the table; those that came last have other keys than
 * an order by key would have first. */
static void
test_two_that_wait_are_in_order(void)
{
	static const char *const wanted[2][5] = {
	    {"", "4", "43", "432", "4321"},
	    {"", "1", "12", "123", "1234"},
	};
	struct store *s = kit_open(kit_path("two.db"));

	is(kit_touch(s, 1, 4, 5, T0), 1);
	is(kit_touch(s, 1, 3, 5, T0 + 1), 2);
	is(kit_idle_all(s, T0), 0);
	is(kit_touch(s, 1, 2, 5, T0 + 2), 3);
	is(kit_touch(s, 1, 1, 5, T0 + 3), 4);
	for (uint32_t i = 0; i < 10; i++) {
		struct store_recent ask = {.is_desc = i >= 5, .max = i % 5};
		char text[8] = "";
		uint64_t total = 0;

		is(store_recent_aside(s, &ask, in_turn, text, &total), 0);
		is((long long)total, 4);
		ok(strcmp(text, wanted[i / 5][i % 5]) == 0);
	}
	store_close(s);
}

static void
test_the_model_has_none(void)
{
	struct store *s = kit_open(NULL);
	const struct store_recent ask = {.max = 1};
	struct store_scan *scan = NULL;
	uint64_t total = 9;

	is(store_recent_aside(s, &ask, kit_collect, &reads_some, &total),
	    MUSTER_E_INVAL);
	is(store_scan_open(s, &scan), MUSTER_E_INVAL);
	ok(total == 9 && scan == NULL);
	store_close(s);
}

int
main(void)
{
	kit_dir_make();
	test_pieces_together_are_the_whole();
	test_a_scan_goes_on_beside_batches_and_merges();
	test_the_log_is_not_held_by_a_scan_that_rests();
	test_a_read_leaves_nothing_open();
	test_two_that_wait_are_in_order();
	test_the_model_has_none();
	kit_dir_remove();
	return tap_done();
}
