/* SPDX-License-Identifier: MIT */
/*
 * test_store_alloc.c -- every allocation of a store's life fails, SQLite's own
 * included: once, and from there on for good.
 *
 * Ours are caught by the linker (--wrap), SQLite's by its own table.
 */
#include "store_kit.h"

#include <sqlite3.h>

#include "store/backend.h"
#include "store/worker.h"

static struct kit_image image_a, image_b, image_c;

static int fail_after = -1; /* allocations that still go well */
static bool is_for_good;
static bool is_ours_alone; /* SQLite has all it wants */
static bool was_hit;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);

/* Each of the first, then ever fewer: late ones are SQLite's, and alike. */
static int
after(int k)
{
	return is_ours_alone ? k + 1 : k + 1 + k / 16;
}

static bool
is_failing(void)
{
	if (fail_after < 0)
		return false;
	if (fail_after > 0) {
		fail_after--;
		return false;
	}
	was_hit = true;
	if (!is_for_good)
		fail_after = -1;
	return true;
}

void *
__wrap_malloc(size_t n)
{
	return is_failing() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return is_failing() ? NULL : __real_calloc(n, size);
}

static sqlite3_mem_methods sqlite_real;

static void *
sqlite_malloc(int n)
{
	return !is_ours_alone && is_failing() ? NULL : sqlite_real.xMalloc(n);
}

static void *
sqlite_realloc(void *p, int n)
{
	return !is_ours_alone && is_failing() ? NULL
	                                      : sqlite_real.xRealloc(p, n);
}

static void
install(void)
{
	sqlite3_mem_methods mem;

	(void)sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_real);
	mem = sqlite_real;
	mem.xMalloc = sqlite_malloc;
	mem.xRealloc = sqlite_realloc;
	is(sqlite3_config(SQLITE_CONFIG_MALLOC, &mem), SQLITE_OK);
}

static void
arm(int after, bool for_good)
{
	fail_after = after;
	is_for_good = for_good;
	was_hit = false;
}

static void
disarm(void)
{
	fail_after = -1;
}

/* What is left on disk is what was there, or that and the batch. */
static unsigned
check_after(const char *path, bool is_done)
{
	struct store *s = kit_open(path);
	unsigned bad = s == NULL || kit_image(s, T0, &image_a) != 0;

	if (is_done || (bad == 0 && image_a.n_clients != image_b.n_clients))
		bad += !kit_same(&image_a, &image_c);
	else
		bad += !kit_same(&image_a, &image_b);
	store_close(s);
	return bad;
}

static struct turn_item
next_item(void)
{
	kit_nonce = 1000000;
	return kit_item(0, 1, 5000, 6, T0);
}

/* Opening: NOMEM, nothing else, and nothing on disk has changed. */
static bool
fail_open(const char *path, int k, bool for_good, unsigned *bad)
{
	struct store_diag diag = {{0}};
	struct store *s = NULL;
	int err;

	arm(k, for_good);
	err = store_open_sqlite(path, STORE_MAKE_IF_EMPTY, &s, &diag);
	disarm();
	if (err != 0 && err != MUSTER_E_NOMEM) {
		printf("# allocation %d: %s: %s\n", k, muster_errname(err),
		    diag.text);
		++*bad;
	}
	if (err == 0)
		store_close(s);
	*bad += check_after(path, false);
	return was_hit;
}

static void
test_store_opens_or_is_out_of_memory(void)
{
	const char *path = kit_path("open.db");
	struct store *s = kit_open(path);
	unsigned bad = 0;
	int n = 0;

	kit_history(s, 40);
	is(kit_image(s, T0, &image_b), 0);
	store_close(s);
	for (int for_good = 0; for_good < 2; for_good++) {
		for (int k = 0; bad == 0; k = after(k), n++) {
			if (!fail_open(path, k, for_good != 0, &bad))
				break;
		}
	}
	is(bad, 0);
	ok(n > 100);
	printf("# %d failures\n", n);
}

/* A first start that runs out of memory does not spoil the second. */
static void
test_store_is_made_or_out_of_memory(void)
{
	const char *path = kit_path("made.db");
	unsigned bad = 0;
	int k = 0;

	do {
		struct store_diag diag;
		struct store *s = NULL;
		int err;

		kit_forget(path);
		arm(k, false);
		err = store_open_sqlite(path, STORE_MAKE_IF_EMPTY, &s, &diag);
		disarm();
		bad += err != 0 && err != MUSTER_E_NOMEM;
		if (bad > 0)
			printf("# allocation %d: %s: %s\n", k,
			    muster_errname(err), diag.text);
		if (err == 0)
			store_close(s);
		s = kit_open(path);
		bad += s == NULL || kit_touch(s, 1, 1, 5, T0) != 1;
		store_close(s);
		k = after(k);
	} while (was_hit && bad == 0);
	is(bad, 0);
}

/* A batch, the upkeep, or a group more; then all that is shown. */
static int
work(struct store *s, int which)
{
	const struct store_recent ask = {.max = 7};
	struct turn_item it = next_item();
	struct store_scan *scan = NULL;
	bool is_over = false;
	uint64_t total;
	int err = 0;

	switch (which) {
	case 0:
		err = store_batch(s, &it, 1, T0);
		break;
	case 1:
		err = store_idle(s, T0);
		break;
	case 2:
		err = store_reserve(s, kit_publisher[1], 7, 90);
		break;
	case 3:
		err = store_reserve(s, kit_publisher[0], 1, 900);
		break;
	case 4:
		err = store_clients(s, kit_collect, &image_a);
		break;
	case 5:
		err = store_clients_aside(s, kit_collect, &image_a);
		break;
	case 6:
		err =
		    store_recent_aside(s, &ask, kit_collect, &image_a, &total);
		break;
	default:
		err = store_scan_open(s, &scan);
		if (err == 0)
			err = store_scan_next(scan, 7, kit_collect, &image_a,
			    &is_over);
		store_scan_close(scan);
		break;
	}
	if (which >= 5 && err == MUSTER_E_INVAL) /* the model has none */
		err = 0;
	return err == MUSTER_E_AGAIN && which == 1 ? 0 : err;
}

static bool
fail_work(const char *path, int which, int k, bool for_good, unsigned *bad)
{
	struct turn_item it;
	struct store *s;
	bool is_done;
	int err;

	if (path != NULL)
		kit_forget(path);
	s = kit_open(path);
	kit_history(s, 40);
	it = next_item();
	arm(k, for_good);
	err = work(s, which);
	disarm();
	if (err != 0 && err != MUSTER_E_NOMEM && err != MUSTER_E_AGAIN &&
	    err != MUSTER_E_UNSURE && err != MUSTER_E_IO)
		++*bad;
	is_done = err == 0 && which == 0;
	/* nothing was changed, or the store knows that it knows nothing */
	if (s->failed == 0 && !(err == 0 && which == 2)) {
		*bad += kit_image(s, T0, &image_a) != 0;
		*bad += !kit_same(&image_a, is_done ? &image_c : &image_b);
	}
	if (s->failed == 0 && !is_done) {
		*bad += store_batch(s, &it, 1, T0) != 0;
		is_done = true;
	}
	store_close(s);
	if (path != NULL)
		*bad += check_after(path, is_done);
	if (*bad > 0)
		printf("# work %d, allocation %d%s: %s\n", which, k,
		    for_good ? " on" : "", muster_errname(err));
	return was_hit;
}

static void
test_store_out_of_memory_changes_nothing(const char *path)
{
	struct store *model = kit_open(NULL);
	struct turn_item it;
	unsigned bad = 0;
	int n = 0;

	kit_history(model, 40);
	is(kit_image(model, T0, &image_b), 0);
	it = next_item();
	is(store_batch(model, &it, 1, T0), 0);
	is(kit_image(model, T0, &image_c), 0);
	store_close(model);
	for (int which = 0; which < 8; which++) {
		for (int g = 0; g < 2; g++) {
			for (int k = 0; bad == 0; k = after(k), n++) {
				if (!fail_work(path, which, k, g != 0, &bad))
					break;
			}
		}
	}
	is(bad, 0);
	ok(n >= 4);
	printf("# %d failures\n", n);
}

static void
copy(const char *from, const char *to)
{
	static char bytes[1 << 20];
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	size_t n = in == NULL ? 0 : fread(bytes, 1, sizeof(bytes), in);

	if (n == 0 || n == sizeof(bytes) || out == NULL ||
	    fwrite(bytes, 1, n, out) != n || fclose(out) != 0)
		abort();
	(void)fclose(in);
}

/* Each of ours, where SQLite's are too many for that: as kill -9 leaves it. */
static void
test_store_opens_without_each_of_our_own(void)
{
	const char *path = kit_path("killed.db");
	char wal[2][400];
	struct store *s = kit_open(kit_path("living.db"));
	unsigned bad = 0;
	bool was_failed = true;

	(void)snprintf(wal[0], sizeof(wal[0]), "%s-wal", kit_path("living.db"));
	(void)snprintf(wal[1], sizeof(wal[1]), "%s-wal", path);
	kit_history(s, 20);
	is(kit_idle_all(s, T0), 0); /* groups in their table, too */
	kit_history(s, 40);
	is(kit_image(s, T0, &image_b), 0);
	is_ours_alone = true;
	for (int k = 0; was_failed && bad == 0; k++) {
		kit_forget(path);
		copy(kit_path("living.db"), path);
		copy(wal[0], wal[1]);
		was_failed = fail_open(path, k, false, &bad);
		ok(was_failed || k > 5);
	}
	is_ours_alone = false;
	is(bad, 0);
	store_close(s);
}

/* The model's table grows by halves; without memory the batch waits. */
static void
test_store_memory_grows_or_says_again(void)
{
	struct store *s = kit_open(NULL);
	struct turn_item it = kit_item(0, 1, 257, 5, T0);

	kit_history(s, 256);
	for (int k = 0; k < 2; k++) {
		arm(k, false);
		is(store_batch(s, &it, 1, T0), MUSTER_E_AGAIN);
		disarm();
	}
	is(store_batch(s, &it, 1, T0), 0);
	is(kit_image(s, T0, &image_a), 0);
	is((long long)image_a.n_clients, 257);
	store_close(s);
	arm(0, false);
	is(store_open_memory(&s), MUSTER_E_NOMEM);
	disarm();
}

static void
never(void *arg)
{
	(void)arg;
}

static void
test_worker_needs_memory(void)
{
	struct store *s = kit_open(NULL);
	struct worker *w = NULL;

	arm(0, false);
	is(worker_new(s, never, NULL, &w), MUSTER_E_NOMEM);
	disarm();
	ok(w == NULL);
	store_close(s);
}

int
main(void)
{
	install();
	kit_dir_make();
	test_store_opens_or_is_out_of_memory();
	test_store_is_made_or_out_of_memory();
	test_store_out_of_memory_changes_nothing(NULL);
	test_store_out_of_memory_changes_nothing(kit_path("work.db"));
	test_store_opens_without_each_of_our_own();
	is_ours_alone = true;
	test_store_out_of_memory_changes_nothing(kit_path("work.db"));
	is_ours_alone = false;
	test_store_memory_grows_or_says_again();
	test_worker_needs_memory();
	kit_dir_remove();
	return tap_done();
}
