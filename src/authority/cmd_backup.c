/* SPDX-License-Identifier: MIT */
/*
 * cmd_backup.c -- backup: the database as it stands, while others use it.
 */
#include "authority/cmd.h"

#include <stdio.h>
#include <unistd.h>

#include "authority/copy.h"
#include "authority/db.h"

int
cmd_backup(struct ctx *ctx)
{
	const char *path = ctx->operands[0];
	sqlite3 *db = NULL;
	int err;

	if (access(path, F_OK) == 0)
		return ctx_fail_err(ctx, MUSTER_E_EXIST, path);
	err = db_open(ctx->dir, &db);
	if (err != 0)
		return ctx_fail_err(ctx, err, ctx->dir);
	err = copy_new(db, path);
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
