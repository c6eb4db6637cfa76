/* SPDX-License-Identifier: MIT */
/*
 * test_store_calls.c -- every call of a store's life into SQLite and the
 * system fails: once or from there on, without effect or after it.
 *
 * The calls are caught by the linker (--wrap), so SQLite's own are not among
 * them: test_store_fault.c fails those.  What is looked at each time is that
 * the failure has an outcome that may be, and that what is on disk afterwards
 * is what was there before the work, or after it.
 */
#include "store_kit.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "base/file.h"
#include "store/backend.h"
#include "store/worker.h"
#include "store_wrap.h"

#define CLIENTS 30U /* more than the capacity, so that records are evicted */

static struct kit_image image_a, image_b, image_c, image_d;
static bool is_each; /* every call, by every code */

struct copy {
	uint8_t p[1 << 18];
	size_t len;
};

static struct copy live, wal; /* of a daemon that was killed */
static struct copy db, old_db, backup;

static void
take(const char *name, struct copy *c)
{
	FILE *f = fopen(kit_path(name), "rb");

	c->len = f == NULL ? 0 : fread(c->p, 1, sizeof(c->p), f);
	if (f == NULL || c->len == sizeof(c->p) || fclose(f) != 0)
		abort();
}

static void
put(const char *name, const struct copy *c)
{
	FILE *f = fopen(kit_path(name), "wb");

	if (f == NULL || fwrite(c->p, 1, c->len, f) != c->len || fclose(f) != 0)
		abort();
}

static void
run_sql(const char *name, const char *sql)
{
	sqlite3 *raw = NULL;

	if (sqlite3_open(kit_path(name), &raw) != SQLITE_OK ||
	    sqlite3_exec(raw, sql, NULL, NULL, NULL) != SQLITE_OK)
		abort();
	(void)sqlite3_close(raw);
}

/* ---- what is done ---- */

enum work {
	W_OPEN,
	W_MAKE,
	W_UPGRADE,
	W_RESTORE,
	W_TURN,
	W_READ,
	W_CLOSE,
	W_N
};

static void
clean(void)
{
	kit_dir_remove();
	if (mkdir(kit_dir, 0700) != 0)
		abort();
}

static void
lay_out(enum work work)
{
	clean();
	if (work == W_UPGRADE)
		put("c.db", &old_db);
	else if (work == W_TURN || work == W_READ || work == W_CLOSE)
		put("c.db", &db);
	else if (work != W_MAKE) {
		put("c.db", &live);
		put("c.db-wal", &wal);
	}
	put("backup", &backup);
}

static struct turn_item
next_item(void)
{
	kit_nonce = 1000000;
	return kit_item(0, 1, 5000, 6, T0);
}

static void
see(void *arg, const struct store_client *client)
{
	(void)client;
	++*(unsigned *)arg;
}

/* The worst of the outcomes; has_answered when a batch was. */
static int
turns(struct store *s, bool *has_answered)
{
	struct turn_item it = next_item();
	unsigned n = 0;
	int fd = -1;
	int err = store_batch(s, &it, 1, T0);
	int idle = 0, seen;

	*has_answered = err == 0;
	store_set_limits(s, 10, 400);
	for (int i = 0; i < 4 && (idle == 0 || idle == MUSTER_E_AGAIN); i++)
		idle = store_idle(s, T0);
	if (err == 0 && idle != MUSTER_E_AGAIN)
		err = idle;
	seen = store_clients(s, see, &n);
	err = err == 0 ? seen : err;
	seen = store_clients_aside(s, see, &n);
	err = err == 0 ? seen : err;
	seen = store_backup(s, &fd);
	if (seen == 0)
		(void)close(fd);
	return err == 0 ? seen : err;
}

/* Whoever is told that it went well has seen each client, and once. */
static int
all_were_seen(int err, unsigned n)
{
	return err == 0 && n != CLIENTS ? MUSTER_E_PROTO : err;
}

/* The inventory in pieces and by the last contact, both ways. */
static int
reads(const struct store *s)
{
	struct store_recent ask = {.max = 2 * CLIENTS};
	struct store_scan *scan = NULL;
	uint64_t total = 0;
	unsigned n = 0;
	bool is_over = false;
	int err = 0;

	for (int way = 0; way < 2 && err == 0; way++, n = 0) {
		ask.is_desc = way != 0;
		err = store_recent_aside(s, &ask, see, &n, &total);
		err = all_were_seen(err, n);
		if (err == 0 && total != CLIENTS)
			err = MUSTER_E_PROTO;
	}
	if (err == 0)
		err = store_scan_open(s, &scan);
	while (err == 0 && !is_over)
		err = store_scan_next(scan, 7, see, &n, &is_over);
	store_scan_close(scan);
	return all_were_seen(err, n);
}

/* What the work says; diag's text says why. */
static int
do_work(enum work work, struct store *s, bool *is_done, struct store_diag *diag)
{
	char aside[FILE_PATH_MAX];
	const char *path = kit_path("c.db");
	int fd, err;

	*is_done = false;
	switch (work) {
	case W_TURN:
		return turns(s, is_done);
	case W_READ:
		return reads(s);
	case W_CLOSE:
		store_close(s);
		return 0;
	case W_RESTORE:
		fd = __real_open64(kit_path("backup"), O_RDONLY);
		err = store_restore_sqlite(path, fd, aside, diag);
		(void)__real_close(fd);
		*is_done = err == 0;
		return err;
	case W_OPEN:
	case W_MAKE:
	case W_UPGRADE:
	case W_N:
	default:
		s = NULL;
		err = store_open_sqlite(path, STORE_MAKE_IF_EMPTY, &s, diag);
		if (err == 0)
			store_close(s);
		return err;
	}
}

static bool
may_be(int err)
{
	switch (err) {
	case 0:
	case MUSTER_E_NOMEM:
	case MUSTER_E_IO:
	case MUSTER_E_FULL:
	case MUSTER_E_AGAIN:
	case MUSTER_E_UNSURE:
	case MUSTER_E_LOCKED:
	case MUSTER_E_DENIED:
	case MUSTER_E_DAMAGED:
	case MUSTER_E_SCHEMA:
	case MUSTER_E_NOENT: /* lstat() says so of what is there */
	case MUSTER_E_EXIST:
		return true;
	default:
		return false;
	}
}

/* Of whole images: b as it was, c with the work done, d before it closed. */
static unsigned
check_after(enum work work, bool is_done)
{
	struct store *s = kit_open(kit_path("c.db"));
	unsigned bad = s == NULL || kit_image(s, T0, &image_a) != 0;

	if (bad == 0 && work == W_MAKE)
		bad += kit_touch(s, 1, 1, 5, T0) != 1;
	else if (bad == 0 && work == W_TURN)
		/* rows may have been dropped; a count that was told is there */
		bad += is_done &&
		    (image_a.n_cached[0] == 0 ||
		        image_a.cached[0][0].cmid[0] != 5000 % 256);
	else if (bad == 0 && (work == W_READ || work == W_CLOSE))
		bad += !kit_same(&image_a, &image_d);
	else if (bad == 0 && work != W_RESTORE)
		bad += !kit_same(&image_a, &image_b);
	else if (bad == 0 && (is_done || image_a.n_clients == 3))
		bad += !kit_same(&image_a, &image_c);
	else if (bad == 0)
		bad += !kit_same(&image_a, &image_b);
	store_close(s);
	return bad;
}

/* Descriptors that are open, of the first 64. */
static uint64_t
descriptors(void)
{
	uint64_t open = 0;

	for (int fd = 0; fd < 64; fd++)
		open |= (uint64_t)(fcntl(fd, F_GETFD) >= 0) << fd;
	return open;
}

static bool
fail(enum work work, enum call call, int after, int code, int how,
    unsigned *bad)
{
	struct store_diag diag = {""};
	struct store *s = NULL;
	const uint64_t open = descriptors();
	bool is_done;
	int err;

	lay_out(work);
	if (work == W_TURN || work == W_READ || work == W_CLOSE) {
		s = kit_open(kit_path("c.db"));
		if (work != W_TURN &&
		    (kit_touch(s, 1, 1, 5, T0) < 0 ||
		        kit_image(s, T0, &image_d) != 0))
			abort();
	}
	arm(call, after, code, how);
	err = do_work(work, s, &is_done, &diag);
	disarm();
	*bad += !may_be(err);
	if (work < W_RESTORE && err != 0 && err != MUSTER_E_NOMEM)
		*bad += diag.text[0] == '\0';
	if (work == W_TURN || work == W_READ)
		store_close(s);
	*bad += check_after(work, is_done);
	*bad += descriptors() != open;
	if (*bad > 0)
		printf("# work %d: call %d, number %d, code %d, way %d: %s: "
		       "%s\n",
		    work, call, after, code, how, muster_errname(err),
		    diag.text);
	return fault.was_hit;
}

/* All of the first, then ever fewer; each one when that was asked for. */
static int
next(int k)
{
	return is_each || k < 4 ? k + 1 : 2 * k;
}

static unsigned
fail_each(enum work work, enum call call, int code, unsigned *bad)
{
	unsigned n = 0;

	for (int how = 0; how < 4; how++) {
		if ((how & 2) != 0 && call != C_STEP && call != C_EXEC &&
		    call != C_RENAME && call != C_FSYNC)
			continue;
		for (int k = 0; *bad == 0; k = next(k), n++) {
			if (!fail(work, call, k, code, how, bad))
				break;
		}
	}
	return n;
}

static void
test_store_whatever_call_fails_nothing_is_lost(enum work work)
{
	static const int sqlite[] = {SQLITE_IOERR, SQLITE_BUSY, SQLITE_NOMEM,
	    SQLITE_FULL, SQLITE_CORRUPT};
	static const int system[] = {EIO, EACCES, ENOSPC, EINTR};
	unsigned bad = 0, n = 0;

	for (int call = 0; call < C_N; call++) {
		bool is_sqlite = call < C_SYSTEM;
		size_t n_codes = call == C_STEP || call == C_EXEC ||
		        call == C_BACKUP_STEP || call == C_OPEN_DB
		    ? 5
		    : call == C_OPEN || call == C_RENAME || call == C_WRITE ? 3
		                                                            : 1;

		if (!is_each && n_codes > 2)
			n_codes = 2;
		for (size_t i = 0; i < n_codes && bad == 0; i++)
			n += fail_each(work, (enum call)call,
			    is_sqlite ? sqlite[i] : system[i], &bad);
	}
	is(bad, 0);
	printf("# work %d: %u failures\n", work, n);
	ok(n > 20);
}

/* What SQLite says of a copy is what the caller is told. */
static void
test_store_a_backup_says_why_it_failed(void)
{
	static const int codes[][2] = {{SQLITE_FULL, MUSTER_E_FULL},
	    {SQLITE_NOMEM, MUSTER_E_NOMEM}, {SQLITE_BUSY, MUSTER_E_AGAIN},
	    {SQLITE_LOCKED, MUSTER_E_AGAIN}, {SQLITE_CORRUPT, MUSTER_E_DAMAGED},
	    {SQLITE_NOTADB, MUSTER_E_DAMAGED}, {SQLITE_IOERR, MUSTER_E_IO}};
	struct store *s;
	int fd = -1;

	lay_out(W_TURN);
	s = kit_open(kit_path("c.db"));
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		slept_ms = 0;
		arm(C_BACKUP_STEP, 0, codes[i][0], 1);
		is(store_backup(s, &fd), codes[i][1]);
		disarm();
		/* who holds the file has ten seconds to be done with it */
		is(slept_ms, codes[i][1] == MUSTER_E_AGAIN ? 10000 : 0);
		is(fd, -1);
		is(access(kit_path("c.db.backup"), F_OK), -1);
	}
	arm(C_OPEN, 0, ENOSPC, 0);
	is(store_backup(s, &fd), MUSTER_E_FULL);
	arm(C_OPEN, 0, EACCES, 0);
	is(store_backup(s, &fd), MUSTER_E_IO);
	disarm();
	/* busy for a moment only */
	slept_ms = 0;
	arm(C_BACKUP_STEP, 0, SQLITE_LOCKED, 0);
	is(store_backup(s, &fd), 0);
	disarm();
	is(slept_ms, 50);
	ok(fault.was_hit);
	(void)close(fd);
	store_close(s);
}

/* Something that took the name after it had been looked at. */
static void
test_store_what_is_no_file_once_it_is_open(void)
{
	struct store_diag diag;
	struct store *s = NULL;

	clean();
	is(mkfifo(kit_path("c.db"), 0600), 0);
	arm(C_LSTAT, 0, ENOENT, 1);
	is(store_open_sqlite(kit_path("c.db"), STORE_MAKE_IF_EMPTY, &s, &diag),
	    MUSTER_E_IO);
	disarm();
	ok(fault.was_hit && s == NULL);
	ok(strstr(diag.text, "must be a regular file") != NULL);
}

/* A signal in between is no failure. */
static void
test_store_a_copy_goes_on_after_a_signal(void)
{
	static const enum call calls[] = {C_READ, C_WRITE};
	char aside[FILE_PATH_MAX];
	struct store_diag diag;

	for (size_t i = 0; i < 2; i++) {
		int fd;

		lay_out(W_RESTORE);
		arm(calls[i], 0, EINTR, 0);
		fd = __real_open64(kit_path("backup"), O_RDONLY);
		is(store_restore_sqlite(kit_path("c.db"), fd, aside, &diag), 0);
		disarm();
		ok(fault.was_hit);
		(void)__real_close(fd);
		is(check_after(W_RESTORE, true), 0);
	}
}

/* A disk that takes a part at a time gets all of it. */
static void
test_store_a_copy_is_written_in_parts(void)
{
	char aside[FILE_PATH_MAX];
	struct store_diag diag;
	int fd;

	lay_out(W_RESTORE);
	arm(C_WRITE, 0, 0, 1);
	fd = __real_open64(kit_path("backup"), O_RDONLY);
	is(store_restore_sqlite(kit_path("c.db"), fd, aside, &diag), 0);
	disarm();
	ok(fault.was_hit);
	(void)__real_close(fd);
	is(check_after(W_RESTORE, true), 0);
}

static void
never(void *arg)
{
	(void)arg;
}

static void
test_worker_needs_a_thread(void)
{
	struct store *s = kit_open(NULL);
	struct worker *w = NULL;

	arm(C_N, 0, 0, 0);
	is(worker_new(s, never, NULL, &w), MUSTER_E_IO);
	disarm();
	ok(w == NULL);
	worker_free(NULL);
	store_close(s);
}

/* As kill -9 leaves it; the same of schema 1; and a backup of another. */
static void
prepare(void)
{
	static const char to_schema_1[] =
	    "ALTER TABLE cache RENAME TO cache_2;"
	    "CREATE TABLE cache (publisher BLOB NOT NULL, grp INTEGER NOT NULL,"
	    "cmid BLOB NOT NULL CHECK(length(cmid) = 16), seq INTEGER NOT NULL,"
	    "seen INTEGER NOT NULL, chk INTEGER NOT NULL,"
	    "PRIMARY KEY (publisher, grp, cmid)) STRICT, WITHOUT ROWID;"
	    "INSERT INTO cache SELECT * FROM cache_2; DROP TABLE cache_2;"
	    "ALTER TABLE client DROP COLUMN granted; DROP TABLE journal;"
	    "CREATE TABLE journal AS SELECT 1 AS seq, * FROM client LIMIT 1;"
	    "DELETE FROM client WHERE cmid = (SELECT cmid FROM journal);"
	    "PRAGMA user_version = 1";
	struct store *s = kit_open(kit_path("new.db"));

	kit_history(s, CLIENTS / 2);
	is(store_idle(s, T0), 0);
	kit_history(s, CLIENTS);
	is(kit_image(s, T0, &image_b), 0);
	take("new.db", &live);
	take("new.db-wal", &wal);
	store_close(s);
	take("new.db", &db);
	run_sql("new.db", to_schema_1);
	take("new.db", &old_db);
	s = kit_open(kit_path("small.db"));
	kit_history(s, 3);
	is(kit_image(s, T0, &image_c), 0);
	store_close(s);
	take("small.db", &backup);
}

/* usage: test_store_calls [each] */
int
main(int argc, char **argv)
{
	is_each = argc > 1 && strcmp(argv[1], "each") == 0;
	kit_dir_make();
	prepare();
	for (int work = 0; work < W_N; work++)
		test_store_whatever_call_fails_nothing_is_lost((enum work)work);
	test_store_a_backup_says_why_it_failed();
	test_store_what_is_no_file_once_it_is_open();
	test_store_a_copy_goes_on_after_a_signal();
	test_store_a_copy_is_written_in_parts();
	test_worker_needs_a_thread();
	kit_dir_remove();
	return tap_done();
}
