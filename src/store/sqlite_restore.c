/* SPDX-License-Identifier: MIT */
/*
 * sqlite_restore.c -- a backup in the place of the database.
 *
 * Two files cannot change their names at once, and a database beside the log
 * of another is lost.  So a restore is done at one moment, when the judged
 * copy gets the name that says so; what is left of it is done again by whoever
 * opens the database next:
 *
 *   1. host.db.restore          the copy, judged, synced
 *   2. host.db.restored         the same, renamed: it holds from here on
 *   3. host.db.previous-N       what host.db was, N after the last one kept;
 *      host.db.previous-N-wal   and its log, if one was left
 *   4. host.db                  host.db.restored, renamed
 *
 * Until 2 nothing has changed but the copy, and a log without a database, which
 * has a number of its own by then.
 */
#include "store/sqlite.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define PREVIOUS_MAX 99 /* kept aside; then a person has to look */
#define COPY_LEN 65536

static int
from_errno(void)
{
	switch (errno) {
	case ENOENT:
		return MUSTER_E_NOENT;
	case EACCES:
	case EPERM:
	case EROFS:
		return MUSTER_E_DENIED;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return MUSTER_E_FULL;
	default:
		return MUSTER_E_IO;
	}
}

/* Durable when it returns 0. */
int
sqlite_file_move(const char *from, const char *to)
{
	char copy_of_to[FILE_PATH_MAX + 32]; /* with what a name here ends on */
	int fd, err = 0;

	if (rename(from, to) != 0)
		return from_errno();
	(void)snprintf(copy_of_to, sizeof(copy_of_to), "%s", to);
	fd = open(dirname(copy_of_to), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		err = MUSTER_E_UNSURE;
	if (fd >= 0)
		(void)close(fd);
	return err;
}

static int
name_of(char *out, const char *path, const char *end)
{
	int n = snprintf(out, FILE_PATH_MAX, "%s%s", path, end);

	assert(n > 0);
	return n < FILE_PATH_MAX ? 0 : MUSTER_E_TOOBIG;
}

/* 1 or 0; negative, an error: nobody knows, and nothing may build on it. */
static int
is_there(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		return 1;
	return errno == ENOENT ? 0 : from_errno();
}

/* The highest number under which a database or a log alone was put aside; 0:
 * none; or an error. */
static int
n_previous(const char *path)
{
	static const char *const ends[] = {"", "-wal"};
	char name[FILE_PATH_MAX + 32];
	int found;

	for (int n = PREVIOUS_MAX; n > 0; n--) {
		for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
			(void)snprintf(name, sizeof(name), "%s.previous-%d%s",
			    path, n, ends[i]);
			found = is_there(name);
			if (found != 0)
				return found < 0 ? found : n;
		}
	}
	return 0;
}

/* The file with this end, if there is one, under number n. */
static int
put_one_aside(const char *path, const char *end, int n)
{
	char from[FILE_PATH_MAX + 32], to[FILE_PATH_MAX + 32];
	int found;

	(void)snprintf(from, sizeof(from), "%s%s", path, end);
	(void)snprintf(to, sizeof(to), "%s.previous-%d%s", path, n, end);
	found = is_there(from);
	if (found <= 0)
		return found;
	return n > PREVIOUS_MAX ? MUSTER_E_FULL : sqlite_file_move(from, to);
}

/* A log beside no database, before a restore: of none that was put aside. */
static int
put_lone_log_aside(const char *path)
{
	int n = n_previous(path), found = is_there(path);

	if (n < 0 || found < 0)
		return MUSTER_E_IO;
	return found > 0 ? 0 : put_one_aside(path, "-wal", n + 1);
}

static int
put_aside(const char *path)
{
	char log[FILE_PATH_MAX + 32];
	int n = n_previous(path), found = is_there(path), err;

	if (n < 0 || found < 0)
		return MUSTER_E_IO;
	/* without a database the log is that of the last, unless that has one:
	 * this was cut off between the two */
	(void)snprintf(log, sizeof(log), "%s.previous-%d-wal", path, n);
	if (found > 0 || n == 0 || is_there(log) != 0)
		n++;
	err = put_one_aside(path, "", n);
	if (err == 0)
		err = put_one_aside(path, "-wal", n);
	(void)snprintf(log, sizeof(log), "%s-shm", path);
	(void)unlink(log);
	return err;
}

int
sqlite_restore_finish(const char *path, struct store_diag *diag)
{
	char restored[FILE_PATH_MAX];
	int found, err = name_of(restored, path, ".restored");

	if (err == 0) {
		found = is_there(restored);
		if (found == 0)
			return 0;
		err = found < 0 ? found : put_aside(path);
	}
	if (err == 0)
		err = sqlite_file_move(restored, path);
	if (err != 0)
		sqlite_say(diag,
		    "%.100s: a restore that was begun cannot be ended: %s; "
		    "see to its folder, and start musterd again",
		    path, muster_strerror(err));
	return err == 0 ? 0 : MUSTER_E_IO;
}

static int
write_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return from_errno();
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* All that `from` has, into a new file, synced. */
static int
copy(int from, const char *path)
{
	static const int flags =
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	char buf[COPY_LEN];
	ssize_t n = 1;
	int fd, err = 0;

	(void)unlink(path);
	fd = open(path, flags, 0600);
	if (fd < 0)
		return from_errno();
	while (err == 0 && n > 0) {
		n = read(from, buf, sizeof(buf));
		if (n > 0)
			err = write_all(fd, buf, (size_t)n);
		else if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			err = MUSTER_E_IO;
	}
	if (err == 0 && fsync(fd) != 0)
		err = from_errno();
	if (close(fd) != 0 && err == 0)
		err = from_errno();
	return err;
}

/* What a database that was opened under this name leaves beside it. */
static void
sweep(const char *path)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".lock",
	    ".schema-1", ".schema-1.new", ".schema-2", ".schema-2.new",
	    ".schema-3", ".schema-3.new"};
	_Static_assert(STORE_SCHEMA <= 4, "two names for each earlier schema");
	char name[FILE_PATH_MAX + 32];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		(void)unlink(name);
	}
}

/* Judged as at a start, and brought to the present schema. */
static int
judge(const char *temp, struct store_diag *diag)
{
	char log[FILE_PATH_MAX + 32];
	struct store_diag said = {""};
	struct store *s = NULL;
	const char *text = said.text;
	int err = store_open_sqlite(temp, STORE_MAKE_NEVER, &s, &said);

	store_close(s);
	(void)snprintf(log, sizeof(log), "%s-wal", temp);
	if (err == 0 && is_there(log) != 0)
		err = MUSTER_E_IO; /* not all of it is in the one file */
	/* the copy's own name says nothing to whoever reads it */
	if (strncmp(text, temp, strlen(temp)) == 0 &&
	    strncmp(text + strlen(temp), ": ", 2) == 0)
		text += strlen(temp) + 2;
	if (err != 0)
		sqlite_say(diag, "%.200s",
		    text[0] != '\0' ? text : muster_strerror(err));
	return err;
}

static int
restore(const char *path, int from, struct store_diag *diag)
{
	char temp[FILE_PATH_MAX], restored[FILE_PATH_MAX] = "";
	int err = name_of(temp, path, ".restore");

	if (err == 0)
		err = name_of(restored, path, ".restored");
	assert(err == 0); /* sqlite_restore_finish() had room for the longer */
	sweep(temp);
	err = copy(from, temp);
	if (err != 0)
		sqlite_say(diag, "it cannot be copied beside the database: %s",
		    muster_strerror(err));
	if (err == 0)
		err = judge(temp, diag);
	if (err == 0) {
		err = put_lone_log_aside(path);
		if (err == 0)
			err = sqlite_file_move(temp, restored);
		if (err != 0)
			sqlite_say(diag, "it cannot be renamed: %s",
			    muster_strerror(err));
	}
	sweep(temp);
	return err;
}

/* The number under which the database will be kept; 0: there is none. */
static int
next_aside(const char *path, int *n_out, struct store_diag *diag)
{
	int n = n_previous(path), found = is_there(path);

	if (n < 0 || found < 0) {
		sqlite_say(diag, "the folder of the database cannot be read");
		return MUSTER_E_IO;
	}
	*n_out = found > 0 ? n + 1 : 0;
	if (*n_out <= PREVIOUS_MAX)
		return 0;
	sqlite_say(diag,
	    "%d earlier databases are kept beside this one; move "
	    "host.db.previous-* away",
	    PREVIOUS_MAX);
	return MUSTER_E_FULL;
}

int
store_restore_sqlite(const char *path, int from, char *aside_out,
    struct store_diag *diag)
{
	int lock = -1, n = 0;
	int err = sqlite_file_lock(path, &lock, diag);

	aside_out[0] = '\0';
	if (err == 0)
		err = sqlite_restore_finish(path, diag);
	if (err == 0)
		err = next_aside(path, &n, diag);
	if (err == 0 && n > 0)
		(void)snprintf(aside_out, FILE_PATH_MAX, "%.990s.previous-%d",
		    path, n);
	if (err == 0)
		err = restore(path, from, diag);
	if (err == 0)
		err = sqlite_restore_finish(path, diag);
	if (lock >= 0)
		(void)close(lock);
	return err;
}
