/* SPDX-License-Identifier: MIT */
#include "authority/copy.h"

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"

#define ALL_PAGES (-1)
#define WAIT_MS 50 /* while a writer merges its journal into the file */
#define TRIES 200  /* 10 s in all, as DB_BUSY_MS */

/* 0 once path holds a copy that is synced. */
static int
copy(sqlite3 *from, const char *path)
{
	sqlite3 *to = NULL;
	sqlite3_backup *b = NULL;
	int rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE, NULL);

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
	return db_err(rc);
}

/* The caller unlinks it after a failure. */
static int
copy_to(sqlite3 *db, const char *path, char *temp, size_t cap)
{
	int n = snprintf(temp, cap, "%s.new.%ld", path, (long)getpid());
	int err;

	if (n < 0 || (size_t)n >= cap) {
		temp[0] = '\0';
		return MUSTER_E_TOOBIG;
	}
	err = file_replace(temp, "", 0, 0600);
	return err == 0 ? copy(db, temp) : err;
}

int
copy_new(sqlite3 *db, const char *path)
{
	char temp[FILE_PATH_MAX];
	int err;

	if (access(path, F_OK) == 0)
		return MUSTER_E_EXIST;
	err = copy_to(db, path, temp, sizeof(temp));
	if (err == 0)
		return file_publish(temp, path);
	(void)unlink(temp);
	return err;
}

/* SQLite copies nothing from a connection that may write. */
int
copy_old(sqlite3 *db, int version)
{
	const char *file = sqlite3_db_filename(db, "main");
	char path[FILE_PATH_MAX], temp[FILE_PATH_MAX] = "";
	int n = snprintf(path, sizeof(path), "%s.schema-%d", file, version);
	sqlite3 *reader = NULL;
	int err;

	if (n < 0 || (size_t)n >= sizeof(path))
		return MUSTER_E_TOOBIG;
	err =
	    db_err(sqlite3_open_v2(file, &reader, SQLITE_OPEN_READONLY, NULL));
	if (err == 0)
		err = copy_to(reader, path, temp, sizeof(temp));
	(void)sqlite3_close(reader);
	if (err == 0) {
		/* the database itself is still of that version */
		(void)unlink(path);
		return file_publish(temp, path);
	}
	(void)unlink(temp);
	return err;
}
