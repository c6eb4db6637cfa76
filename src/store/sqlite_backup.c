/* SPDX-License-Identifier: MIT */
/*
 * sqlite_backup.c -- the database as it stands, as a file of its own.
 *
 * It is copied in one read transaction: in WAL mode that waits for no batch
 * and no batch for it, and what is committed after its begin is not in the
 * copy.  The log is: a copy is one file.
 */
#include "store/sqlite.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"

#define ALL_PAGES (-1)
#define WAIT_MS 50 /* while a merge of the log holds the file */
#define TRIES 200  /* 10 s in all */

/* SQLite's code; path is an empty file. */
static int
copy(sqlite3 *from, const char *path)
{
	sqlite3 *to = NULL;
	sqlite3_backup *b = NULL;
	int rc = sqlite3_open_v2(path, &to,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc == SQLITE_OK) {
		b = sqlite3_backup_init(to, "main", from, "main");
		rc = b == NULL ? sqlite3_errcode(to) : SQLITE_BUSY;
	}
	for (unsigned n = 0; b != NULL && n < TRIES; n++) {
		rc = sqlite3_backup_step(b, ALL_PAGES);
		if (rc != SQLITE_BUSY && rc != SQLITE_LOCKED)
			break;
		(void)sqlite3_sleep(WAIT_MS);
	}
	if (b != NULL)
		(void)sqlite3_backup_finish(b);
	(void)sqlite3_close(to);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
outcome(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
		return 0;
	case SQLITE_FULL:
		return MUSTER_E_FULL;
	case SQLITE_NOMEM:
		return MUSTER_E_NOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return MUSTER_E_AGAIN;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return MUSTER_E_DAMAGED;
	default:
		return MUSTER_E_IO;
	}
}

static int
name_of(const char *path, char *out)
{
	int n = snprintf(out, FILE_PATH_MAX, "%s.backup", path);

	assert(n > 0);
	return n < FILE_PATH_MAX ? 0 : MUSTER_E_TOOBIG;
}

void
sqlite_sweep_backup(const char *path)
{
	char name[FILE_PATH_MAX];

	if (name_of(path, name) == 0)
		(void)unlink(name);
}

/* One at a time: its name is the lock. */
int
sqlite_backup(const struct store *s, int *fd_out)
{
	static const int flags =
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	const struct sqlite_store *q = (const struct sqlite_store *)s;
	char name[FILE_PATH_MAX];
	sqlite3 *db = NULL;
	int fd, rc, err = name_of(q->path, name);

	if (err != 0)
		return err;
	fd = open(name, flags, 0600);
	if (fd < 0)
		return errno == EEXIST ? MUSTER_E_EXIST
		    : errno == ENOSPC  ? MUSTER_E_FULL
		                       : MUSTER_E_IO;
	rc = sqlite3_open_v2(q->path, &db,
	    SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		rc = copy(db, name);
	(void)sqlite3_close(db);
	(void)unlink(name);
	err = outcome(rc);
	if (err == 0)
		*fd_out = fd;
	else
		(void)close(fd);
	return err;
}

int
sqlite_keep_old(sqlite3 *db, const char *path, const char *version,
    struct store_diag *diag)
{
	char name[FILE_PATH_MAX], temp[FILE_PATH_MAX];
	int n = snprintf(name, sizeof(name), "%s.schema-%s", path, version);
	int m = snprintf(temp, sizeof(temp), "%s.schema-%s.new", path, version);
	int err = MUSTER_E_TOOBIG;

	assert(n > 0 && n < m);
	if ((size_t)m < sizeof(temp))
		err = file_replace(temp, "", 0, 0600);
	if (err == 0) {
		err = outcome(copy(db, temp));
		if (err == 0)
			err = sqlite_file_move(temp, name);
		if (err != 0)
			(void)unlink(temp);
	}
	if (err != 0)
		sqlite_say(diag,
		    "%.80s: of schema %s, to be brought up to date, but no "
		    "copy of it can be made first: %s; make room in its "
		    "folder",
		    path, version, muster_strerror(err));
	return err == 0 || err == MUSTER_E_NOMEM ? err : MUSTER_E_IO;
}
