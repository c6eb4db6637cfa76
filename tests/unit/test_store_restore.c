/* SPDX-License-Identifier: MIT */
/*
 * test_store_restore.c -- calls of a restore that fail, each by itself: what
 * is said of it, and which files and descriptors it leaves.
 *
 * test_store_calls.c fails every call of a restore, and looks at the databases
 * alone.
 */
#include "store_kit.h"

#include <sqlite3.h>

#include "base/file.h"
#include "store/sqlite.h"
#include "store_wrap.h"

static char aside[FILE_PATH_MAX];
static struct store_diag diag;
static struct kit_image image;

static bool
is_there(const char *name)
{
	return access(kit_path(name), F_OK) == 0;
}

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(kit_path(name), "w");

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
}

static void
clean(void)
{
	kit_dir_remove();
	if (mkdir(kit_dir, 0700) != 0)
		abort();
}

/* A database with n clients, closed. */
static void
make(const char *name, uint32_t n)
{
	struct store *s = kit_open(kit_path(name));

	kit_history(s, n);
	store_close(s);
}

/* How many clients it shows; -1: it does not open. */
static long long
n_clients(const char *name)
{
	struct store *s = kit_open(kit_path(name));
	long long n = -1;

	if (s != NULL && kit_image(s, T0, &image) == 0)
		n = (long long)image.n_clients;
	store_close(s);
	return n;
}

/* Whether the file has this text. */
static bool
says(const char *name, const char *text)
{
	char got[8] = "";
	FILE *f = fopen(kit_path(name), "r");

	if (f == NULL)
		return false;
	(void)!fread(got, 1, sizeof(got) - 1, f);
	(void)fclose(f);
	return strcmp(got, text) == 0;
}

/* Files of a name that no restore gives. */
static unsigned
n_foreign(void)
{
	static const char *const names[] = {".", "..", "backup", "backup.lock",
	    "host.db", "host.db-wal", "host.db.lock", "host.db.restored",
	    "host.db.previous-98", "host.db.previous-99"};
	DIR *dir = opendir(kit_dir);
	struct dirent *e;
	unsigned n = 0;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		bool is_known = false;

		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			is_known |= strcmp(e->d_name, names[i]) == 0;
		if (!is_known)
			printf("# %s\n", e->d_name);
		n += !is_known;
	}
	if (dir != NULL)
		(void)closedir(dir);
	return n;
}

/* The number that the next open file gets. */
static int
next_fd(void)
{
	int fd = __real_open64("/dev/null", O_RDONLY);

	(void)__real_close(fd);
	return fd;
}

static int
restore(void)
{
	int fd = __real_open64(kit_path("backup"), O_RDONLY);
	int err;

	diag.text[0] = '\0';
	err = store_restore_sqlite(kit_path("host.db"), fd, aside, &diag);
	(void)__real_close(fd);
	return err;
}

/* Each cause is told by its own name, and no descriptor stays open. */
static void
test_store_a_move_says_what_failed(void)
{
	static const struct {
		enum call call;
		int code, err;
	} cases[] = {
	    {C_RENAME, ENOENT, MUSTER_E_NOENT},
	    {C_RENAME, EACCES, MUSTER_E_DENIED},
	    {C_RENAME, EPERM, MUSTER_E_DENIED},
	    {C_RENAME, EROFS, MUSTER_E_DENIED},
	    {C_RENAME, ENOSPC, MUSTER_E_FULL},
	    {C_RENAME, EDQUOT, MUSTER_E_FULL},
	    {C_RENAME, EFBIG, MUSTER_E_FULL},
	    {C_RENAME, EIO, MUSTER_E_IO},
	    {C_OPEN, EIO, MUSTER_E_UNSURE},
	    {C_FSYNC, EIO, MUSTER_E_UNSURE},
	    {C_N, 0, 0},
	};
	int fd = next_fd();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		clean();
		put("one", "1");
		arm(cases[i].call, 0, cases[i].code, 0);
		is(sqlite_file_move(kit_path("one"), kit_path("two")),
		    cases[i].err);
		disarm();
		is(is_there("one"), cases[i].call == C_RENAME);
		is(is_there("two"), cases[i].call != C_RENAME);
		is(next_fd(), fd);
	}
	clean();
}

static void
test_store_a_good_restore_says_nothing(void)
{
	int fd = next_fd();

	make("host.db", 3);
	make("backup", 9);
	is(restore(), 0);
	is_str(diag.text, "");
	is(next_fd(), fd);
	is(n_clients("host.db"), 9);
	clean();
}

/* Until the copy holds, what fails is told and changes nothing. */
static void
test_store_a_copy_that_fails_changes_nothing(void)
{
	static const struct {
		enum call call;
		int after, code, err;
		const char *text;
	} cases[] = {
	    {C_LSTAT, 1, EIO, MUSTER_E_IO, "folder of the database"},
	    {C_OPEN, 1, EACCES, MUSTER_E_DENIED, "cannot be copied"},
	    {C_READ, 0, EIO, MUSTER_E_IO, "cannot be copied"},
	    {C_WRITE, 0, ENOSPC, MUSTER_E_FULL, "cannot be copied"},
	    {C_FSYNC, 0, ENOSPC, MUSTER_E_FULL, "cannot be copied"},
	    {C_CLOSE, 0, EDQUOT, MUSTER_E_FULL, "cannot be copied"},
	    {C_CLOSE_DB, 0, SQLITE_BUSY, MUSTER_E_IO, ""},
	    {C_RENAME, 0, ENOSPC, MUSTER_E_FULL, "cannot be renamed"},
	};
	int fd = next_fd();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		make("host.db", 3);
		make("backup", 9);
		arm(cases[i].call, cases[i].after, cases[i].code, 0);
		is(restore(), cases[i].err);
		ok(fault.was_hit);
		disarm();
		ok(diag.text[0] != '\0');
		ok(strstr(diag.text, cases[i].text) != NULL);
		is(n_foreign(), 0);
		is(is_there("host.db.restored"), false);
		is(next_fd(), fd);
		is(n_clients("host.db"), 3);
		clean();
	}
}

/* A name that cannot be looked at: nobody knows, so nothing builds on it. */
static void
test_store_a_restore_ends_where_it_cannot_look(void)
{
	unsigned n_ignored = 0, bad = 0;
	bool was_hit = true;
	int k = 0, fd = next_fd();

	for (; was_hit; k++) {
		int err;

		make("host.db", 3);
		put("host.db.previous-98", "98");
		make("backup", 9);
		arm(C_LSTAT, k, EIO, 0);
		err = restore();
		was_hit = fault.was_hit;
		disarm();
		n_ignored += was_hit && err == 0;
		bad += (err == 0) != (diag.text[0] == '\0');
		bad += n_foreign() + (next_fd() != fd);
		/* the end of it, if it holds; what was there is kept */
		if (n_clients("host.db") == 9)
			bad += n_clients("host.db.previous-99") != 3;
		else
			bad += err == 0 || n_clients("host.db") != 3 ||
			    is_there("host.db.previous-99");
		bad += !says("host.db.previous-98", "98");
		clean();
	}
	is(bad, 0);
	/* one only asks how long checking will take */
	is(n_ignored, 1);
	ok(k > 15);
}

/* A log without its database has the number of that, or one of its own. */
static void
test_store_the_end_of_a_restore_numbers_a_log(void)
{
	make("host.db.restored", 9);
	put("host.db-wal", "log");
	is(n_clients("host.db"), 9);
	ok(says("host.db.previous-1-wal", "log"));
	clean();
	make("host.db.restored", 9);
	put("host.db.previous-1", "1");
	put("host.db-wal", "log");
	is(n_clients("host.db"), 9);
	ok(says("host.db.previous-1-wal", "log"));
	clean();
}

/* What a crash left beside the copy is no part of the next. */
static void
test_store_a_restore_begins_without_the_last(void)
{
	char bytes[65536];
	struct store *s;
	size_t n;
	FILE *f;

	make("host.db", 3);
	make("backup", 9);
	s = kit_open(kit_path("live.db"));
	kit_history(s, 40);
	f = fopen(kit_path("live.db-wal"), "rb");
	n = f == NULL ? 0 : fread(bytes, 1, sizeof(bytes), f);
	if (n == 0 || fclose(f) != 0)
		abort();
	f = fopen(kit_path("host.db.restore-wal"), "wb");
	if (f == NULL || fwrite(bytes, 1, n, f) != n || fclose(f) != 0)
		abort();
	store_close(s);
	put("host.db.restore", "cut");
	is(restore(), 0);
	is_str(diag.text, "");
	is(n_clients("host.db"), 9);
	clean();
}

int
main(void)
{
	kit_dir_make();
	test_store_a_move_says_what_failed();
	test_store_a_good_restore_says_nothing();
	test_store_a_copy_that_fails_changes_nothing();
	test_store_a_restore_ends_where_it_cannot_look();
	test_store_the_end_of_a_restore_numbers_a_log();
	test_store_a_restore_begins_without_the_last();
	kit_dir_remove();
	return tap_done();
}
