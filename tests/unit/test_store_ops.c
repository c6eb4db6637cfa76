/* SPDX-License-Identifier: MIT */
/*
 * test_store_ops.c -- the way of a batch, whatever the backend: here the
 * model's with members in between, which note that they were called and fail
 * when they are told to.
 */
#include "store_kit.h"

#include "store/backend.h"

/* In the order of a batch. */
enum member {
	M_BEGIN,
	M_ROOM,
	M_MORE,
	M_CLIENT,
	M_PUT,
	M_BATCH,
	M_COMMIT,
	M_N
};

static const struct store_ops *model;
static struct store_ops ops;
static char calls[64];     /* a letter for each call */
static int fails[M_N];     /* what each returns */
static int rolled_back_by; /* the outcome that rollback() was given */
static const struct turn_item *more_items;
static size_t n_more;

static int
note(enum member member)
{
	size_t len = strlen(calls);

	if (len + 1 < sizeof(calls))
		calls[len] = "brmcpBC"[member];
	return fails[member];
}

static int
do_begin(struct store *s)
{
	(void)s;
	return note(M_BEGIN);
}

static int
do_room(struct store *s, struct turn_item *items, size_t n, int64_t *now_unix_s)
{
	int err = note(M_ROOM);

	return err != 0 ? err : model->room(s, items, n, now_unix_s);
}

static int
do_more(struct store *s, struct turn_item *items, size_t n)
{
	int64_t now = T0;
	int err = note(M_MORE);

	more_items = items;
	n_more = n;
	return err != 0 ? err : model->room(s, items, n, &now);
}

static int
do_client(struct store *s, const struct turn_item *item,
    struct store_client **row_out)
{
	int err = note(M_CLIENT);

	return err != 0 ? err : model->client(s, item, row_out);
}

static int
do_put(struct store *s, const struct store_client *row, const struct cache *c,
    const struct turn_item *item)
{
	int err = note(M_PUT);

	return err != 0 ? err : model->put(s, row, c, item);
}

static int
do_batch(struct store *s)
{
	(void)s;
	return note(M_BATCH);
}

static int
do_commit(struct store *s)
{
	(void)s;
	return note(M_COMMIT);
}

static int
do_rollback(struct store *s, int err)
{
	(void)s;
	rolled_back_by = err;
	return MUSTER_E_AGAIN;
}

static struct store *
open_noted(bool is_shared)
{
	struct store *s = kit_open(NULL);

	model = s->ops;
	ops = *model;
	ops.is_shared = is_shared;
	ops.begin = do_begin;
	ops.room = do_room;
	ops.more = do_more;
	ops.client = do_client;
	ops.put = do_put;
	ops.batch = do_batch;
	ops.commit = do_commit;
	ops.rollback = do_rollback;
	s->ops = &ops;
	memset(calls, 0, sizeof(calls));
	memset(fails, 0, sizeof(fails));
	rolled_back_by = 0;
	more_items = NULL;
	n_more = 0;
	return s;
}

static size_t sealed_n; /* how many there are when the batch is sealed */

static size_t
seal(void *arg)
{
	++*(unsigned *)arg;
	return sealed_n;
}

/* Three of a group, of which so many came before begin(). */
static int
grow(struct store *s, size_t n, size_t sealed, struct turn_item *items,
    unsigned *n_seals)
{
	for (uint32_t i = 0; i < 3; i++)
		items[i] = kit_item(0, 1, i + 1, 5, T0);
	*n_seals = 0;
	sealed_n = sealed;
	return store_batch_growing(s, items, n, T0, seal, n_seals);
}

/* What came while it waited for the rows is counted in the same commit. */
static void
test_b11_a_shared_batch_grows_until_its_rows_are_had(void)
{
	struct store *s = open_noted(true);
	struct turn_item items[3];
	unsigned n_seals;

	is(grow(s, 1, 3, items, &n_seals), 0);
	is(n_seals, 1);
	is_str(calls, "brmcpcpcpBC");
	ok(more_items == &items[1] && n_more == 2);
	is(items[2].grant.count, 3);
	memset(calls, 0, sizeof(calls));
	is(grow(s, 2, 2, items, &n_seals), 0);
	is_str(calls, "brcpcpBC"); /* nobody came */
	store_close(s);
	/* one that is not shared waits for nothing: sealed before it begins */
	s = open_noted(false);
	is(grow(s, 1, 3, items, &n_seals), 0);
	is(n_seals, 1);
	is_str(calls, "brcpcpcpBC");
	is(items[2].grant.count, 3);
	store_close(s);
}

/* One that may not be counted, among those that came later, undoes it all. */
static void
test_b11_what_came_later_is_checked_too(void)
{
	struct store *s = open_noted(true);
	struct turn_item items[3];
	unsigned n_seals;

	is(store_batch_growing(s, items, 0, T0, seal, &n_seals),
	    MUSTER_E_INVAL);
	is_str(calls, "");
	for (uint32_t i = 0; i < 3; i++)
		items[i] = kit_item(0, i == 2 ? 77 : 1, i + 1, 5, T0);
	sealed_n = 3;
	is(store_batch_growing(s, items, 1, T0, seal, &n_seals),
	    MUSTER_E_AGAIN);
	is(rolled_back_by, MUSTER_E_INVAL);
	is_str(calls, "br");
	fails[M_MORE] = MUSTER_E_FULL;
	memset(calls, 0, sizeof(calls));
	is(grow(s, 1, 2, items, &n_seals), MUSTER_E_AGAIN);
	is(rolled_back_by, MUSTER_E_FULL);
	is_str(calls, "brm");
	store_close(s);
}

/* Whatever member fails ends the batch, is undone once, and by that cause. */
static void
test_store_each_member_that_fails_is_undone(void)
{
	static const char *const until[M_N] = {"b", "br", "brm", "brmc",
	    "brmcp", "brmcpcpcpB", "brmcpcpcpBC"};
	struct turn_item items[3];
	unsigned n_seals;

	for (int member = 0; member < M_N; member++) {
		struct store *s = open_noted(true);

		fails[member] = MUSTER_E_FULL;
		is(grow(s, 1, 3, items, &n_seals),
		    member == M_BEGIN ? MUSTER_E_FULL : MUSTER_E_AGAIN);
		is_str(calls, until[member]);
		is(rolled_back_by, member == M_BEGIN ? 0 : MUSTER_E_FULL);
		store_close(s);
	}
}

/* A count that others write as well is not told from memory. */
static void
test_b11_a_probe_of_a_shared_count_asks_the_store(void)
{
	struct turn_item probe = kit_item(0, 1, 0, 5, T0);
	struct store *s = open_noted(true);

	is(store_batch(s, &probe, 1, T0), 0);
	is_str(calls, "brBC");
	store_close(s);
	s = open_noted(false);
	is(store_batch(s, &probe, 1, T0), 0);
	is_str(calls, "");
	store_close(s);
}

/* What is shared is as old as its own clock says. */
static void
test_b2_a_shared_count_is_told_by_its_clock(void)
{
	struct store *s = kit_open(NULL);
	struct store_group g[8];
	size_t n = 0;

	is(kit_touch(s, 1, 1, 5, T0), 1);
	is(store_groups(s, T0 + 400 * DAY, g, 8, &n), 0);
	is(g[0].count, 0);
	ops = *s->ops;
	ops.is_shared = true;
	s->ops = &ops;
	s->shared_unix_s = T0 + 1;
	is(store_groups(s, T0 + 400 * DAY, g, 8, &n), 0);
	ok(n == 4 && g[0].count == 1);
	is(store_groups(s, T0, g, 1, &n), MUSTER_E_TOOBIG);
	is((long long)n, 1);
	/* after an outcome that stays nothing is told */
	s->failed = MUSTER_E_UNSURE;
	is(store_groups(s, T0, g, 8, &n), MUSTER_E_UNSURE);
	is((long long)n, 0);
	store_close(s);
}

/* All groups that there may be, most of one number: each is its own. */
static void
test_store_groups_of_one_number_are_told_apart(void)
{
	struct store *s = NULL;
	uint8_t id[PUBLISHER_LEN] = {0};
	unsigned bad = 0;

	is(store_open_memory(&s), 0);
	for (uint32_t i = 0; i < STORE_GROUPS_MAX; i++) {
		memcpy(id, &i, sizeof(i));
		bad += store_reserve(s, id, 1, 10) != 0;
	}
	for (uint32_t i = 0; i < STORE_GROUPS_MAX; i++) {
		const struct cache *c;

		memcpy(id, &i, sizeof(i));
		c = store_cache(s, id, 1);
		bad += c == NULL || memcmp(c->publisher, id, sizeof(id)) != 0;
		bad += store_cache(s, id, 2) != NULL;
	}
	is(bad, 0);
	id[PUBLISHER_LEN - 1] = 1;
	is(store_reserve(s, id, 1, 10), MUSTER_E_FULL);
	store_close(s);
}

static void
aside_words(const struct store *s, struct store_diag *out)
{
	(void)s;
	(void)snprintf(out->text, sizeof(out->text), "the server is gone");
}

static void
named_server(const struct store *s, char *out)
{
	(void)s;
	(void)snprintf(out, STORE_SERVER_MAX, "db2:5432");
}

static void
test_store_says_who_it_is_and_what_went_wrong(void)
{
	struct store *s = kit_open(NULL);
	struct store_diag diag = {"of before"};
	char server[STORE_SERVER_MAX] = "of before";

	is_str(store_kind(s), "memory");
	store_server(s, server);
	is_str(server, "");
	store_aside_diag(s, &diag);
	is_str(diag.text, "");
	ops = *s->ops;
	ops.aside_diag = aside_words;
	ops.server = named_server;
	s->ops = &ops;
	store_server(s, server);
	is_str(server, "db2:5432");
	store_aside_diag(s, &diag);
	is_str(diag.text, "the server is gone");
	store_close(s);
}

static void
last_host(void *arg, const struct store_client *client)
{
	(void)snprintf(arg, WIRE_NAME_MAX + 1, "%s", client->host);
}

/* A row names the host that counted it; a name that is none is left out. */
static void
test_store_a_row_names_its_host(void)
{
	static const char *const bad[] = {"", "a b", "h\xc3\xa9",
	    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"
	    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"};
	struct store *s = kit_open(NULL);
	char host[WIRE_NAME_MAX + 1] = "";

	ok(strlen(bad[3]) > WIRE_NAME_MAX);
	store_set_host(s, "kms-1.lab_A");
	is(kit_touch(s, 1, 1, 5, T0), 1);
	is(store_clients(s, last_host, host), 0);
	is_str(host, "kms-1.lab_A");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		store_set_host(s, "before");
		store_set_host(s, bad[i]);
		is(kit_touch(s, 1, 1, 5, T0), 1);
		is(store_clients(s, last_host, host), 0);
		is_str(host, "");
	}
	store_close(s);
}

/* The model forgives want of memory alone, which room() sees before all. */
static void
test_store_the_model_ends_at_a_defect(void)
{
	struct turn_item it = kit_item(0, 1, 1, 5, T0);
	struct store *s = kit_open(NULL);
	char host[WIRE_NAME_MAX + 1];

	model = s->ops;
	ops = *model;
	ops.put = do_put;
	s->ops = &ops;
	fails[M_PUT] = MUSTER_E_FULL;
	is(store_batch(s, &it, 1, T0), MUSTER_E_UNSURE);
	ok(store_is_over(s));
	fails[M_PUT] = 0;
	is(store_batch(s, &it, 1, T0), MUSTER_E_UNSURE);
	is(store_busy(s, T0), MUSTER_E_UNSURE);
	is(store_clients(s, last_host, host), MUSTER_E_UNSURE);
	store_close(s);
}

/* A table of clients may be told to drop more than it has. */
static void
test_store_a_table_drops_what_it_has(void)
{
	struct clients t = {0};
	const struct turn_item a = kit_item(0, 1, 1, 5, T0);
	const struct store_client row = client_key(&a);

	clients_evict(&t, 5);
	is(t.n, 0);
	is(clients_grow(&t, 4), 0);
	ok(clients_add(&t, &row) != NULL && t.n == 1);
	clients_evict(&t, 5);
	is(t.n, 0);
	ok(clients_find(&t, &row) == NULL);
	ok(clients_add(&t, &row) != NULL && clients_find(&t, &row) != NULL);
	clients_free(&t);
}

int
main(void)
{
	test_b11_a_shared_batch_grows_until_its_rows_are_had();
	test_b11_what_came_later_is_checked_too();
	test_store_each_member_that_fails_is_undone();
	test_b11_a_probe_of_a_shared_count_asks_the_store();
	test_b2_a_shared_count_is_told_by_its_clock();
	test_store_groups_of_one_number_are_told_apart();
	test_store_says_who_it_is_and_what_went_wrong();
	test_store_a_row_names_its_host();
	test_store_the_model_ends_at_a_defect();
	test_store_a_table_drops_what_it_has();
	return tap_done();
}
