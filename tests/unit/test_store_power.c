/* SPDX-License-Identifier: MIT */
/*
 * test_store_power.c -- the power goes while the store works: at each point of
 * what it did to its files a disk is made of what had been synced and of some
 * of what had not (power_image.h), and opened.  It opens, shows what had been
 * answered to the last machine and count, or that and the one batch that was
 * under way, whole, and goes on counting from there.
 *
 * A store lives twice: it is made, and it starts from one of the disks that its
 * first life left, so that the power goes while it recovers, too.
 *
 * usage: test_store_power [N [SEED]]
 */
#define KIT_CLIENTS 300

#include "power_image.h"
#include "store_kit.h"

#include <inttypes.h>

#include "store/sqlite.h"

#define FEW 400
#define STORES_MIN 4
#define PER_STORE 2000 /* disks: two or more for each point, of two lives */
#define BATCHES_MAX 40
#define STEPS 30
#define MACHINES 30 /* for each of four groups, with two thresholds */
#define STRANGER 1000

/* What a store has answered, and when, by operations of the log. */
struct life {
	size_t opened_at; /* from here on it may not be missing */
	size_t n;         /* batches; the first is what was there */
	size_t begun[BATCHES_MAX + 1], answered[BATCHES_MAX + 1];
	struct kit_image *shown[BATCHES_MAX + 1];
};

static struct life life;
static struct power_disk disk;
static struct power_image base, image;
static struct kit_image seen;
static const struct power_image nothing;

static struct {
	unsigned long disks, points, moved, under_way, left_out, warned;
	unsigned long kinds[CUT_KINDS], wrong;
} sum;

/* ---- a life ---- */

static bool
reserve_all(struct store *s)
{
	for (uint32_t pub = 0; pub < 2; pub++) {
		for (uint32_t g = 1; g <= 2; g++) {
			if (store_reserve(s, kit_publisher[pub], g, 100) != 0)
				return false;
		}
	}
	return true;
}

static int
show(struct store *s)
{
	struct kit_image *k = malloc(sizeof(*k));

	if (k == NULL)
		abort();
	life.answered[life.n] = power_log.n;
	life.shown[life.n++] = k;
	return kit_image(s, T0, k);
}

/* Logs of a few pages, and transactions that do not fit into memory. */
static struct store *
start(const char *path, enum store_make make, bool is_small)
{
	struct store_diag diag = {""};
	struct store *s = NULL;
	char sql[80];
	int err = store_open_sqlite(path, make, &s, &diag);

	if (err != 0) {
		printf("# a life's start: %s: %s\n", muster_errname(err),
		    diag.text);
		return NULL;
	}
	(void)snprintf(sql, sizeof(sql),
	    "PRAGMA wal_autocheckpoint = %u; PRAGMA cache_size = %d",
	    8 + below(40), is_small ? 4 : -2000);
	if (!reserve_all(s) ||
	    sqlite3_exec(sqlite_of(s)->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		abort();
	return s;
}

static int
batch(struct store *s, int64_t now)
{
	static struct turn_item items[TURN_MAX];
	size_t n = below(6) == 0 ? 10 + below(20) : 1 + below(4);
	int err;

	for (size_t i = 0; i < n; i++) {
		uint32_t who = below(12) == 0 ? 0 : 1 + below(MACHINES);

		items[i] = kit_item(below(2), 1 + below(2), who,
		    below(4) == 0 ? 5 : 25, now);
	}
	life.begun[life.n] = power_log.n;
	err = store_batch(s, items, n, now);
	return err != 0 ? err : show(s);
}

/* A batch, a piece of the upkeep, or an end and a start; the store may be
 * another one after it. */
static int
step(struct store **s, const char *path, int64_t now, bool is_small)
{
	uint32_t what = below(10);
	int err;

	if (what == 0 && power_log.n_inodes < POWER_INODES - 2) {
		store_close(*s);
		*s = start(path, STORE_MAKE_NEVER, is_small);
		return *s == NULL ? MUSTER_E_IO : 0;
	}
	if (what > 2)
		return batch(*s, now);
	err = store_idle(*s, now);
	return err == MUSTER_E_AGAIN ? 0 : err;
}

/* False when something of it fails, which is a fault by itself. */
static bool
live(const char *path, const struct power_image *from)
{
	bool is_new = !from->is_there[NAME_DB], is_small = below(2) == 0;
	struct store *s;
	int err;

	life.n = 0;
	kit_forget(path);
	power_image_put(from, path);
	power_record(path, from->is_there);
	s = start(path, is_new ? STORE_MAKE_ONLY : STORE_MAKE_NEVER, is_small);
	life.opened_at = is_new ? power_log.n : 0;
	err = s == NULL ? MUSTER_E_IO : show(s);
	if (!is_new) /* all of it had been answered */
		life.answered[0] = 0;
	for (int i = 1; i <= STEPS && err == 0; i++)
		err = step(&s, path, T0 + i, is_small);
	store_close(s);
	power_stop();
	if (err != 0)
		printf("# a life: %s\n", muster_errname(err));
	return err == 0;
}

static void
end_life(void)
{
	for (size_t i = 0; i < life.n; i++)
		free(life.shown[i]);
	power_forget();
	power_disk_end(&disk);
}

/* ---- what is left of it ---- */

/* NULL, or what is wrong with what the store shows after operation `at`. */
static const char *
judge_shown(size_t at, size_t *now_out)
{
	const char *what;
	size_t k = 0;

	while (k + 1 < life.n && life.answered[k + 1] <= at)
		k++;
	*now_out = k;
	what = kit_difference(&seen, life.shown[k]);
	if (k + 1 == life.n || life.begun[k + 1] >= at)
		return what;
	/* a batch was under way: whole or not at all */
	if (what != NULL) {
		what = kit_difference(&seen, life.shown[k + 1]);
		*now_out = k + 1;
		sum.under_way++;
	} else {
		sum.left_out++;
	}
	return what;
}

/* It goes on: one that it has never seen is one more. */
static const char *
judge_next(struct store *s, const struct kit_image *k)
{
	long long count = 1;

	for (size_t i = 0; i < k->n_groups; i++) {
		const struct store_group *g = &k->groups[i];

		if (g->group == 1 &&
		    memcmp(g->publisher, kit_publisher[0], PUBLISHER_LEN) == 0)
			count = g->count < 50 ? g->count + 1 : 50;
	}
	return kit_touch(s, 1, STRANGER, 25, T0 + STEPS) == count
	    ? NULL
	    : "the next count";
}

static bool
is_pending(size_t at)
{
	for (size_t i = 0; i < at; i++) {
		const struct power_op *op = &power_log.op[i];

		if (op->kind <= OP_CUT && i >= disk.from[op->inode])
			return true;
	}
	return false;
}

static const char *
judge_again(const char *path)
{
	struct store_diag diag = {""};
	struct store *s = NULL;
	size_t n = seen.n_clients + 1;
	int err = store_open_sqlite(path, STORE_MAKE_NEVER, &s, &diag);

	if (err == 0 && !reserve_all(s))
		err = MUSTER_E_NOMEM;
	if (err == 0)
		err = kit_image(s, T0, &seen);
	store_close(s);
	return err == 0 && diag.text[0] == '\0' && seen.n_clients == n
	    ? NULL
	    : "the start after it";
}

/* NULL, or what is wrong with a disk of the power cut before operation `at`;
 * diag has what the store says. */
static const char *
judge(const char *path, size_t at, struct store_diag *diag)
{
	struct store *s = NULL;
	const char *what = NULL;
	size_t k = 0;

	if (store_open_sqlite(path,
	        at < life.opened_at ? STORE_MAKE_IF_EMPTY : STORE_MAKE_NEVER,
	        &s, diag) != 0)
		return "it does not open";
	/* that the last transaction is torn, where something can be */
	sum.warned += diag->text[0] != '\0';
	if (diag->text[0] != '\0' && !is_pending(at))
		what = "a warning";
	if (!reserve_all(s) || kit_image(s, T0, &seen) != 0)
		what = "it does not answer";
	if (what == NULL)
		what = judge_shown(at, &k);
	if (what == NULL)
		what = judge_next(s, life.shown[k]);
	store_close(s);
	return what == NULL && below(8) == 0 ? judge_again(path) : what;
}

/* n disks, at points from the first to the last. */
static void
cut_power(const char *path, size_t n, uint64_t seed, const char *which)
{
	size_t points = power_log.n + 1;

	sum.points += points;
	power_disk_begin(&disk, &base);
	for (size_t i = 0; i < n; i++) {
		struct store_diag diag = {""};
		enum power_kind kind = (enum power_kind)below(CUT_KINDS);
		size_t at = i * points / n;
		const char *what;

		power_disk_advance(&disk, at);
		power_image(&disk, kind, &image);
		kit_forget(path);
		power_image_put(&image, path);
		what = judge(path, at, &diag);
		sum.disks++;
		sum.kinds[kind]++;
		if (what == NULL)
			continue;
		sum.wrong++;
		printf("# %s: seed %" PRIu64 ", %s life, operation %zu of %zu, "
		       "%s: %s\n",
		    what, seed, which, at, points, power_kinds[kind],
		    diag.text);
	}
}

/* A disk of the first life is what the second one begins with. */
static void
choose_base(void)
{
	size_t span = power_log.n - life.opened_at;
	struct power_image was = base;

	power_disk_end(&disk);
	power_disk_begin(&disk, &nothing);
	power_disk_advance(&disk, life.opened_at + below(span));
	power_image(&disk, (enum power_kind)below(CUT_KINDS), &image);
	base = image;
	image = was;
}

static void
count_checkpoints(void)
{
	int db = base.is_there[NAME_DB] ? 0 : NAME_N;

	for (size_t i = life.opened_at; i < life.answered[life.n - 1]; i++)
		sum.moved += power_log.op[i].kind == OP_SYNC &&
		    power_log.op[i].inode == db;
}

static bool
run_store(size_t n, uint64_t seed)
{
	const char *path = kit_path("live.db"), *cut = kit_path("cut.db");
	bool is_good = true;

	power_state = seed * UINT64_C(0x9e3779b97f4a7c15);
	kit_nonce = 0;
	memset(base.is_there, 0, sizeof(base.is_there));
	for (int i = 0; i < 2 && is_good; i++) {
		is_good = live(path, &base);
		if (is_good) {
			count_checkpoints();
			cut_power(cut, n / 2, seed,
			    i == 0 ? "first" : "second");
		}
		if (is_good && i == 0)
			choose_base();
		end_life();
	}
	return is_good;
}

int
main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : FEW;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	unsigned long stores = n / PER_STORE, bad = 0;

	stores = stores < STORES_MIN ? STORES_MIN : stores;
	kit_dir_make();
	power_install();
	for (unsigned long i = 0; i < stores; i++)
		bad += !run_store(n / stores, seed * 1000000 + i);
	kit_dir_remove();
	for (int i = 0; i < NAME_N; i++) {
		free(base.file[i].p);
		free(image.file[i].p);
	}
	is((long long)bad, 0);
	is((long long)sum.wrong, 0);
	/* that all of it was there to be lost */
	ok(sum.moved >= stores);
	ok(sum.under_way > 0 && sum.left_out > 0 && sum.warned > 0);
	for (int k = 0; k < CUT_KINDS; k++) {
		ok(sum.kinds[k] > n / 100);
		printf("# %s: %lu\n", power_kinds[k], sum.kinds[k]);
	}
	printf(
	    "1..%u\n# %lu disks after a power cut at %lu points of %lu stores,"
	    " seed %" PRIu64 ": %lu wrong; of a batch under way %lu had it,"
	    " %lu not; %lu warned, %lu checkpoints\n",
	    tap_run, sum.disks, sum.points, stores, seed, sum.wrong,
	    sum.under_way, sum.left_out, sum.warned, sum.moved);
	return tap_failed != 0;
}
