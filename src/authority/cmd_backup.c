/* SPDX-License-Identifier: MIT */
/*
 * cmd_backup.c -- backup: the database as it stands, while others use it.
 *
 * It is copied in one read transaction: in WAL mode that waits for no writer
 * and no writer for it, and what comes after its begin is not in the copy.
 * Until it is whole it has another name.
 */
#include "authority/cmd.h"

#include <stdio.h>
#include <unistd.h>

#include "authority/db.h"

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

int
cmd_backup(struct ctx *ctx)
{
	const char *path = ctx->operands[0];
	char temp[FILE_PATH_MAX];
	sqlite3 *db = NULL;
	int n =
	    snprintf(temp, sizeof(temp), "%s.new.%ld", path, (long)getpid());
	int err;

	if (n < 0 || (size_t)n >= sizeof(temp))
		return ctx_fail_err(ctx, MUSTER_E_TOOBIG, path);
	if (access(path, F_OK) == 0)
		return ctx_fail_err(ctx, MUSTER_E_EXIST, path);
	err = db_open(ctx->dir, &db);
	if (err != 0)
		return ctx_fail_err(ctx, err, ctx->dir);
	/* nobody else may read it: sealed keys, customers' names */
	err = file_replace(temp, "", 0, 0600);
	if (err == 0) {
		err = copy(db, temp);
		if (err == 0)
			err = file_publish(temp, path);
		else
			(void)unlink(temp);
	}
	db_close(db);
	if (err != 0)
		return ctx_fail_err(ctx, err, path);
	if (!ctx_facts(ctx, "muster.authority.backup/1",
	        json_pack("{s:s}", "file", path)))
		printf("the database is in %s; keep issuing.key and seal.key "
		       "in another place, for without them it gives no "
		       "certificate and knows no key\n",
		    path);
	return EXIT_DONE;
}
