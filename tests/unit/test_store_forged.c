/* SPDX-License-Identifier: MIT */
/*
 * test_store_forged.c -- a journal with the right checksums over what no host
 * writes: each field of a record outside its range, and each limit of all of
 * them.
 */
#include "store_kit.h"

#include <sqlite3.h>

#include "store/sqlite.h"

#define RECORD_LEN 228   /* with names of two and of no letters */
#define RECORD_LEN_3 220 /* of schema 3, whose answer is not known */

static struct kit_image image_a;
static uint8_t batch[SQLITE_BATCH_MAX];

static struct sqlite_record
good(uint32_t who, uint64_t seq)
{
	struct sqlite_record r = {.group = 1,
	    .capacity = 10,
	    .seq = seq,
	    .seen_unix_s = T0,
	    .client = {.state = WIRE_LICENSED,
	        .threshold = 5,
	        .first_unix_s = T0,
	        .last_unix_s = T0,
	        .granted_unix_s = T0 - 9,
	        .count = 1,
	        .contacts = 1,
	        .name = "pc"}};

	memcpy(r.client.publisher, kit_publisher[0], PUBLISHER_LEN);
	memcpy(r.client.cmid, &who, sizeof(who));
	r.client.cmid[15] = 1;
	return r;
}

static sqlite3 *
fresh(const char *path)
{
	struct store_diag diag;
	struct store *s = NULL;
	sqlite3 *db = NULL;

	kit_forget(path);
	if (store_open_sqlite(path, STORE_MAKE_IF_EMPTY, &s, &diag) != 0)
		abort();
	store_close(s);
	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		abort();
	return db;
}

static void
insert(sqlite3 *db, int64_t seq, int64_t n, const uint8_t *p, size_t len)
{
	sqlite3_stmt *st = NULL;

	if (sqlite3_prepare_v2(db, sqlite_statements[ST_JOURNAL_PUT], -1, &st,
	        NULL) != SQLITE_OK)
		abort();
	(void)sqlite3_bind_int64(st, 1, seq);
	(void)sqlite3_bind_int64(st, 2, n);
	(void)sqlite3_bind_blob(st, 3, p, (int)len, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 4, sqlite_batch_sum(p, len));
	if (sqlite3_step(st) != SQLITE_DONE)
		abort();
	(void)sqlite3_finalize(st);
}

static void
done(sqlite3 *db)
{
	if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		abort();
	(void)sqlite3_close(db);
}

static size_t
write_record(const struct sqlite_record *r, uint8_t *out, size_t cap)
{
	struct wr w = wr_init(out, cap);
	size_t len = 0;

	sqlite_record_write(&w, r);
	is(wr_end(&w, &len), 0);
	return len;
}

/* What opening says; n_clients of the image when it is 0. */
static int
opens(const char *path, const char *word)
{
	struct store_diag diag;
	struct store *s = NULL;
	int err = store_open_sqlite(path, STORE_MAKE_NEVER, &s, &diag);

	if (err == 0) {
		err = kit_image(s, T0, &image_a);
		store_close(s);
	} else if (word != NULL && !ok(strstr(diag.text, word) != NULL)) {
		printf("# %s\n", diag.text);
	}
	return err;
}

static int
one_batch(int64_t seq, int64_t n, size_t len, const char *word)
{
	const char *path = kit_path("one.db");
	sqlite3 *db = fresh(path);

	insert(db, seq, n, batch, len);
	done(db);
	return opens(path, word);
}

static void
test_store_each_field_of_a_record(void)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t value;
		int want;
	} cases[] = {
	    {"as it should be", 0, 1, 0},
	    {"the last state", 123, WIRE_NOTIFICATION, 0},
	    {"a state more", 123, WIRE_NOTIFICATION + 1, MUSTER_E_DAMAGED},
	    {"a mark of schema 2", 159, 1, 0},
	    {"a mark of any time", 156, 0xff, 0},
	    {"no contact", 155, 0, MUSTER_E_DAMAGED},
	    {"fewer contacts than none", 148, 0x80, MUSTER_E_DAMAGED},
	    {"no capacity", 55, 0, MUSTER_E_DAMAGED},
	    {"more capacity than there is", 52, 1, MUSTER_E_DAMAGED},
	    {"a chain too long", 160 + CLIENT_CHAIN_LEN - 2, 99,
	        MUSTER_E_DAMAGED},
	    {"a chain's place too far", 160 + CLIENT_CHAIN_LEN - 1, 99,
	        MUSTER_E_DAMAGED},
	    {"a chain's padding", 160 + CLIENT_CHAIN_LEN, 1, MUSTER_E_DAMAGED},
	    {"a chain's last padding", 160 + CLIENT_CHAIN_LEN + 1, 1,
	        MUSTER_E_DAMAGED},
	    {"a name that ends early", 217, 0, MUSTER_E_DAMAGED},
	    {"a name's length", 215, 200, MUSTER_E_DAMAGED},
	    {"a name's padding", 219, 1, MUSTER_E_DAMAGED},
	    {"a sequence with a gap", 63, 2, MUSTER_E_DAMAGED},
	};
	const struct sqlite_record r = good(7, 1);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = write_record(&r, batch, sizeof(batch));

		is((long long)len, RECORD_LEN + 4);
		printf("# %s\n", cases[i].what);
		batch[cases[i].at] = cases[i].value;
		is(one_batch(1, 1, len, "of the journal"), cases[i].want);
		if (cases[i].want == 0)
			is((long long)image_a.n_clients, 1);
	}
}

static void
test_store_the_frame_of_a_batch(void)
{
	struct sqlite_record r = good(7, 1);
	size_t len = write_record(&r, batch, sizeof(batch));
	size_t two;

	is(one_batch(1, 1, len, NULL), 0);
	is((long long)image_a.clients[0].granted_unix_s, T0 - 9);
	/* one that schema 3 has left says nothing of what was granted */
	batch[122] = 0;
	is(one_batch(1, 1, RECORD_LEN_3 + 4, NULL), 0);
	is((long long)image_a.clients[0].granted_unix_s, 0);
	is(one_batch(1, 1, len, "a batch of"), MUSTER_E_DAMAGED);
	batch[122] = 2;
	is(one_batch(1, 1, len, "a record of"), MUSTER_E_DAMAGED);
	batch[122] = 1;
	is(one_batch(INT64_MAX - 1, 1, len, NULL), 0);
	is(one_batch(INT64_MAX, 1, len, "number in"), MUSTER_E_DAMAGED);
	is(one_batch(0, 1, len, "number in"), MUSTER_E_DAMAGED);
	is(one_batch(1, 0, len, "number in"), MUSTER_E_DAMAGED);
	is(one_batch(1, TURN_MAX + 1, len, "number in"), MUSTER_E_DAMAGED);
	is(one_batch(1, 1, 0, "number in"), MUSTER_E_DAMAGED);
	is(one_batch(1, 1, len - 4, "a record of"), MUSTER_E_DAMAGED);
	is(one_batch(1, 2, len, "a record of"), MUSTER_E_DAMAGED);
	memset(batch + len, 0, 4);
	is(one_batch(1, 1, len + 4, "a batch of"), MUSTER_E_DAMAGED);
	/* the second may raise the capacity, and may not lower it */
	r = good(8, 2);
	r.capacity = 12;
	two = len + write_record(&r, batch + len, sizeof(batch) - len);
	is(one_batch(1, 2, two, NULL), 0);
	is((long long)image_a.n_clients, 2);
	is(image_a.groups[0].capacity, 12);
	r.capacity = 8;
	(void)write_record(&r, batch + len, sizeof(batch) - len);
	is(one_batch(1, 2, two, "a record of"), MUSTER_E_DAMAGED);
}

/* Fills the journal with batches; the last may have less. */
static void
fill(sqlite3 *db, uint32_t n, bool is_one, bool is_group)
{
	uint32_t at = 0;

	for (int64_t seq = 1; at < n; seq++) {
		size_t len = 0;
		int64_t k = 0;

		for (; k < TURN_MAX && at < n; k++, at++) {
			struct sqlite_record r =
			    good(is_one ? 1 : at + 1, is_group ? 1 : at + 1);
			struct wr w = wr_init(batch + len, sizeof(batch) - len);
			size_t n_written = 0;

			if (is_group)
				r.group = at + 1;
			sqlite_record_write(&w, &r);
			if (wr_end(&w, &n_written) != 0)
				abort();
			len += n_written;
		}
		insert(db, seq, k, batch, len);
	}
}

static void
test_store_the_limits_of_a_journal(void)
{
	static const struct {
		const char *word;
		uint32_t n;
		bool is_one, is_group;
		int want;
	} cases[] = {
	    {NULL, STORE_OVERLAY_MAX, false, false, 0},
	    {"a record of", STORE_OVERLAY_MAX + 1, false, false,
	        MUSTER_E_DAMAGED},
	    {NULL, STORE_JOURNAL_MAX, true, false, 0},
	    {"number in", STORE_JOURNAL_MAX + 1, true, false, MUSTER_E_DAMAGED},
	    {NULL, STORE_GROUPS_MAX, false, true, MUSTER_E_TOOBIG},
	    {"", STORE_GROUPS_MAX + 1, false, true, MUSTER_E_IO},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *path = kit_path("many.db");
		sqlite3 *db = fresh(path);

		fill(db, cases[i].n, cases[i].is_one, cases[i].is_group);
		done(db);
		/* of so many groups the image holds the first eight */
		is(opens(path, cases[i].word), cases[i].want);
		if (cases[i].want == 0)
			is((long long)image_a.n_clients,
			    cases[i].is_one ? 1 : cases[i].n);
	}
}

int
main(void)
{
	kit_dir_make();
	test_store_each_field_of_a_record();
	test_store_the_frame_of_a_batch();
	test_store_the_limits_of_a_journal();
	kit_dir_remove();
	return tap_done();
}
