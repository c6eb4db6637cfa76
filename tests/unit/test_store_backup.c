/* SPDX-License-Identifier: MIT */
/*
 * test_store_backup.c -- a copy of the database, and a copy in its place.
 *
 * Which files stand in the folder afterwards is part of it: what was there is
 * kept, and of what was refused or cut off nothing is left over.
 */
#include "store_kit.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/file.h"
#include "store/sqlite.h"

static struct kit_image image_a, image_b, image_c;
static char aside[FILE_PATH_MAX];
static struct store_diag diag;

static bool
is_there(const char *name)
{
	struct stat st;

	return lstat(kit_path(name), &st) == 0;
}

static void
put(const char *name, const void *p, size_t len)
{
	FILE *f = fopen(kit_path(name), "wb");

	if (f == NULL || fwrite(p, 1, len, f) != len || fclose(f) != 0)
		abort();
}

/* A file as a file, by its bytes. */
static void
copy_file(int from, const char *name)
{
	static uint8_t bytes[1 << 20];
	ssize_t n = pread(from, bytes, sizeof(bytes), 0);

	if (n <= 0 || n == (ssize_t)sizeof(bytes))
		abort();
	put(name, bytes, (size_t)n);
}

static void
copy_named(const char *from, const char *to)
{
	int fd = open(kit_path(from), O_RDONLY);

	copy_file(fd, to);
	(void)close(fd);
}

static void
forget_all(void)
{
	kit_dir_remove();
	if (mkdir(kit_dir, 0700) != 0)
		abort();
}

/* A database with n clients, closed; what it shows is in the image. */
static void
make(const char *name, uint32_t n, struct kit_image *image)
{
	struct store *s = kit_open(kit_path(name));

	kit_history(s, n);
	is(kit_image(s, T0, image), 0);
	store_close(s);
}

static bool
shows(const char *name, const struct kit_image *image)
{
	struct store *s = kit_open(kit_path(name));
	bool is_same = s != NULL && kit_image(s, T0, &image_c) == 0 &&
	    kit_same(&image_c, image);

	store_close(s);
	return is_same;
}

static int
restore(const char *backup)
{
	int fd = open(kit_path(backup), O_RDONLY);
	int err = store_restore_sqlite(kit_path("host.db"), fd, aside, &diag);

	(void)close(fd);
	return err;
}

static void
nothing_but(const char *what)
{
	is(is_there("host.db.restore"), false);
	is(is_there("host.db.restore-wal"), false);
	is(is_there("host.db.restore-shm"), false);
	is(is_there("host.db.restore.lock"), false);
	is(is_there("host.db.restored"), false);
	is(is_there("host.db.backup"), false);
	if (tap_failed > 0)
		printf("# after: %s\n", what);
}

/* Batches that no merge has moved are in it; it is one file, and no name. */
static void
test_store_backup_is_whole_and_has_no_name(void)
{
	struct store *s = kit_open(kit_path("host.db"));
	struct stat st = {0};
	int fd = -1, other = -1;

	kit_history(s, 300);
	is(store_idle(s, T0), 0);
	is(kit_touch(s, 1, 7000, 6, T0), 11);
	is(kit_image(s, T0, &image_a), 0);
	is(store_backup(s, &fd), 0);
	ok(fd >= 0);
	is(fstat(fd, &st), 0);
	is((long long)st.st_nlink, 0);
	is(st.st_mode & 0777, 0600);
	is(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	is(is_there("host.db.backup"), false);
	/* what comes after it is not in it, and a second is another file */
	is(kit_touch(s, 1, 7001, 6, T0), 12);
	is(store_backup(s, &other), 0);
	store_close(s);
	copy_file(fd, "copy.db");
	ok(shows("copy.db", &image_a));
	copy_file(other, "other.db");
	is(shows("other.db", &image_a), false);
	ok(shows("host.db", &image_c));
	(void)close(fd);
	(void)close(other);
	nothing_but("a backup");
	forget_all();
}

static void
test_store_one_backup_at_a_time(void)
{
	struct store *s = kit_open(kit_path("host.db"));
	int fd = -2;

	put("host.db.backup", "x", 1);
	is(store_backup(s, &fd), MUSTER_E_EXIST);
	is(fd, -2);
	ok(is_there("host.db.backup"));
	store_close(s);
	/* what a crash has left does not forbid backups for ever */
	s = kit_open(kit_path("host.db"));
	is(is_there("host.db.backup"), false);
	is(mkdir(kit_path("host.db.backup"), 0700), 0);
	is(store_backup(s, &fd), MUSTER_E_EXIST);
	is(rmdir(kit_path("host.db.backup")), 0);
	is(unlink(kit_path("host.db")), 0);
	is(store_backup(s, &fd), MUSTER_E_IO);
	is(fd, -2);
	nothing_but("a refused backup");
	store_close(s);
	s = kit_open(NULL);
	is(store_backup(s, &fd), MUSTER_E_INVAL);
	store_close(s);
	forget_all();
}

/* Names that are too long by what is put behind them. */
static void
test_store_names_that_are_too_long(void)
{
	char path[FILE_PATH_MAX + 1];
	struct sqlite_store q = {.path = path};
	struct store *s = NULL;
	size_t len;
	int fd = -1;

	for (size_t end = 5; end < 10; end++) {
		len = (size_t)snprintf(path, sizeof(path), "%s/", kit_dir);
		while (len + 2 < FILE_PATH_MAX - end)
			len += (size_t)snprintf(path + len, 3, "./");
		while (len < FILE_PATH_MAX - end)
			path[len++] = 'd';
		path[len] = '\0';
		/* 1023 bytes hold the name with ".lock", or not with what
		 * is longer */
		is(store_open_sqlite(path, STORE_MAKE_IF_EMPTY, &s, &diag),
		    MUSTER_E_IO);
		is(store_restore_sqlite(path, 0, aside, &diag), MUSTER_E_IO);
		is(aside[0], 0);
		if (end <= 7)
			is(sqlite_backup(&q.base, &fd), MUSTER_E_TOOBIG);
		is(strstr(diag.text, "not a usable name") != NULL, end == 5);
		if (end > 5)
			ok(strstr(diag.text, "cannot be ended") != NULL);
		/* where no copy has a name, nothing is changed either */
		is(sqlite_keep_old(NULL, path, "1", &diag), MUSTER_E_IO);
		ok(strstr(diag.text, "no copy") != NULL);
	}
	is(fd, -1);
	forget_all();
}

static void
test_store_restore_keeps_what_was_there(void)
{
	make("host.db", 3, &image_a);
	make("a.backup", 60, &image_b);
	is(restore("a.backup"), 0);
	is_str(aside, kit_path("host.db.previous-1"));
	nothing_but("a restore");
	ok(shows("host.db", &image_b));
	ok(shows("host.db.previous-1", &image_a));
	/* again: the next number, and the first stays */
	make("b.backup", 5, &image_c);
	is(restore("b.backup"), 0);
	is_str(aside, kit_path("host.db.previous-2"));
	ok(shows("host.db.previous-2", &image_b));
	ok(shows("host.db.previous-1", &image_a));
	forget_all();
	/* where there was none, nothing is put aside */
	make("a.backup", 60, &image_b);
	is(restore("a.backup"), 0);
	is(aside[0], 0);
	is(is_there("host.db.previous-1"), false);
	ok(shows("host.db", &image_b));
	forget_all();
}

/* The log of a database that a crash has left goes with it. */
static void
test_store_restore_parts_no_database_from_its_log(void)
{
	struct store *s;

	make("a.backup", 9, &image_b);
	s = kit_open(kit_path("live.db"));
	kit_history(s, 40);
	is(kit_image(s, T0, &image_a), 0);
	copy_named("live.db", "host.db");
	copy_named("live.db-wal", "host.db-wal");
	put("host.db-shm", "x", 1);
	store_close(s);
	is(restore("a.backup"), 0);
	ok(is_there("host.db.previous-1-wal"));
	is(is_there("host.db-shm"), false);
	ok(shows("host.db", &image_b));
	ok(shows("host.db.previous-1", &image_a));
	forget_all();
	/* a log alone belongs to no database of ours */
	make("a.backup", 9, &image_b);
	put("host.db-wal", "log", 3);
	is(restore("a.backup"), 0);
	is(aside[0], 0);
	is(is_there("host.db.previous-1"), false);
	ok(is_there("host.db.previous-1-wal"));
	ok(shows("host.db", &image_b));
	forget_all();
}

/* A log alone takes no place of another, nor stands beside another database,
 * which would lose what it has. */
static void
test_store_restore_gives_a_lone_log_its_own_number(void)
{
	char got[4] = "";
	int fd;

	make("a.backup", 9, &image_b);
	make("host.db.previous-1", 3, &image_a);
	put("host.db-wal", "two", 3);
	is(restore("a.backup"), 0);
	is(aside[0], 0);
	ok(is_there("host.db.previous-2-wal"));
	is(is_there("host.db.previous-1-wal"), false);
	ok(shows("host.db.previous-1", &image_a));
	/* a log counts as kept, also alone */
	make("b.backup", 5, &image_c);
	is(restore("b.backup"), 0);
	is_str(aside, kit_path("host.db.previous-3"));
	ok(shows("host.db.previous-3", &image_b));
	/* refused: it stays where it was */
	kit_forget(kit_path("host.db"));
	put("host.db-wal", "4th", 3);
	put("text", "x", 1);
	ok(restore("text") != 0);
	ok(is_there("host.db-wal"));
	/* after the last number there is no place, and nothing has changed */
	put("host.db.previous-99-wal", "x", 1);
	is(restore("a.backup"), MUSTER_E_FULL);
	ok(is_there("host.db-wal"));
	nothing_but("a log too many");
	/* what was cut off puts no log in the place of another */
	(void)unlink(kit_path("host.db.previous-99-wal"));
	make("host.db.restored", 9, &image_b);
	put("host.db.previous-3-wal", "old", 3);
	ok(shows("host.db", &image_b));
	ok(is_there("host.db.previous-4-wal"));
	fd = open(kit_path("host.db.previous-3-wal"), O_RDONLY);
	is(read(fd, got, 3), 3);
	(void)close(fd);
	is_str(got, "old");
	forget_all();
}

/* Cut off once it held: whoever opens the database next ends it. */
static void
test_store_open_ends_a_restore(void)
{
	struct store *s;

	for (int is_moved = 0; is_moved < 2; is_moved++) {
		make("host.db.restored", 9, &image_b);
		s = kit_open(kit_path("live.db"));
		kit_history(s, 40);
		is(kit_image(s, T0, &image_a), 0);
		copy_named("live.db",
		    is_moved ? "host.db.previous-4" : "host.db");
		copy_named("live.db-wal", "host.db-wal");
		store_close(s);
		ok(shows("host.db", &image_b));
		nothing_but("the end of a restore");
		ok(is_there(is_moved ? "host.db.previous-4-wal"
		                     : "host.db.previous-1-wal"));
		ok(shows(is_moved ? "host.db.previous-4" : "host.db.previous-1",
		    &image_a));
		forget_all();
	}
	/* it cannot be ended: nothing is opened in its stead */
	make("host.db", 3, &image_a);
	make("host.db.restored", 9, &image_b);
	put("host.db.previous-99", "x", 1);
	s = NULL;
	is(store_open_sqlite(kit_path("host.db"), STORE_MAKE_IF_EMPTY, &s,
	       &diag),
	    MUSTER_E_IO);
	ok(strstr(diag.text, "cannot be ended") != NULL);
	ok(s == NULL && is_there("host.db.restored"));
	is(unlink(kit_path("host.db.previous-99")), 0);
	put("host.db.previous-98", "x", 1);
	ok(shows("host.db", &image_b));
	ok(shows("host.db.previous-99", &image_a));
	forget_all();
}

/* Ninety-nine are kept; then a person has to look. */
static void
test_store_restore_overwrites_no_earlier_one(void)
{
	make("host.db", 3, &image_a);
	make("a.backup", 9, &image_b);
	put("host.db.previous-99", "x", 1);
	is(restore("a.backup"), MUSTER_E_FULL);
	is(aside[0], 0);
	ok(strstr(diag.text, "99 earlier databases") != NULL);
	ok(shows("host.db", &image_a));
	nothing_but("too many");
	/* the last number is one, too */
	is(rename(kit_path("host.db.previous-99"),
	       kit_path("host.db.previous-98")),
	    0);
	is(restore("a.backup"), 0);
	is_str(aside, kit_path("host.db.previous-99"));
	ok(shows("host.db.previous-99", &image_a));
	ok(shows("host.db", &image_b));
	/* without a database there is nothing to keep */
	kit_forget(kit_path("host.db"));
	is(restore("a.backup"), 0);
	ok(shows("host.db", &image_b));
	is(is_there("host.db.previous-100"), false);
	forget_all();
}

/* What is refused changes nothing, and is told by its own fault. */
static void
test_store_restore_refuses_what_is_no_backup(void)
{
	static const char text[] = "Dear diary, this is no database at all.\n";
	struct store *s;
	sqlite3 *raw = NULL;
	int fd;

	make("host.db", 3, &image_a);
	make("a.backup", 60, &image_b);
	put("text", text, sizeof(text));
	is(restore("text"), MUSTER_E_SCHEMA);
	ok(strstr(diag.text, "not a database of Muster") == diag.text);
	put("empty", "", 0);
	is(restore("empty"), MUSTER_E_NOENT);
	ok(strstr(diag.text, "empty or gone") == diag.text);
	copy_named("a.backup", "cut");
	is(truncate(kit_path("cut"), 8192), 0);
	is(restore("cut"), MUSTER_E_DAMAGED);
	ok(strstr(diag.text, "cut short") == diag.text);
	is(sqlite3_open(kit_path("theirs"), &raw), SQLITE_OK);
	is(sqlite3_exec(raw, "CREATE TABLE t (x)", NULL, NULL, NULL),
	    SQLITE_OK);
	(void)sqlite3_close(raw);
	is(restore("theirs"), MUSTER_E_SCHEMA);
	/* not to be read at all */
	fd = open(kit_path("a.backup"), O_WRONLY);
	is(store_restore_sqlite(kit_path("host.db"), fd, aside, &diag),
	    MUSTER_E_IO);
	ok(strstr(diag.text, "cannot be copied") != NULL);
	(void)close(fd);
	nothing_but("what was refused");
	/* something stands where the copy would be made */
	is(mkdir(kit_path("host.db.restore"), 0700), 0);
	is(restore("a.backup"), MUSTER_E_IO);
	ok(strstr(diag.text, "cannot be copied") != NULL);
	is(rmdir(kit_path("host.db.restore")), 0);
	is(is_there("host.db.previous-1"), false);
	ok(shows("host.db", &image_a));
	/* a musterd has it */
	s = kit_open(kit_path("host.db"));
	is(restore("a.backup"), MUSTER_E_LOCKED);
	store_close(s);
	ok(shows("host.db", &image_a));
	forget_all();
}

static void
test_store_a_file_moves_durably(void)
{
	int here = open(".", O_RDONLY | O_DIRECTORY);

	put("one", "1", 1);
	is(sqlite_file_move(kit_path("none"), kit_path("two")), MUSTER_E_NOENT);
	is(sqlite_file_move(kit_path("one"), kit_path("no/two")),
	    MUSTER_E_NOENT);
	is(sqlite_file_move(kit_path("one"), kit_path("two")), 0);
	ok(is_there("two") && !is_there("one"));
	is(mkdir(kit_path("full"), 0700), 0);
	is(sqlite_file_move(kit_path("two"), kit_path("full")), MUSTER_E_IO);
	is(rmdir(kit_path("full")), 0);
	/* a name alone is in the present folder */
	is(chdir(kit_dir), 0);
	is(sqlite_file_move("two", "three"), 0);
	is(fchdir(here), 0);
	(void)close(here);
	ok(is_there("three"));
	forget_all();
}

int
main(void)
{
	kit_dir_make();
	test_store_backup_is_whole_and_has_no_name();
	test_store_one_backup_at_a_time();
	test_store_names_that_are_too_long();
	test_store_restore_keeps_what_was_there();
	test_store_restore_parts_no_database_from_its_log();
	test_store_restore_gives_a_lone_log_its_own_number();
	test_store_open_ends_a_restore();
	test_store_restore_overwrites_no_earlier_one();
	test_store_restore_refuses_what_is_no_backup();
	test_store_a_file_moves_durably();
	kit_dir_remove();
	return tap_done();
}
