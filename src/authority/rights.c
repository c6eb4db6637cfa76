/* SPDX-License-Identifier: MIT */
#include "authority/rights.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authority/vault.h"

#define NEXT_MAX (FILE_PATH_MAX + 128)
#define OTHERS_WRITE (S_IWGRP | S_IWOTH)
#define OTHERS (S_IRWXG | S_IRWXO)

static int
fail_owner(const struct ctx *ctx, const char *code, const char *path,
    const struct stat *st)
{
	return ctx_fail(ctx, EXIT_FAILED, code,
	    "run it as the owner of the authority's folder, or chown the file "
	    "to that user",
	    "%s belongs to user %u, who is neither root nor the owner here",
	    path, (unsigned)st->st_uid);
}

static int
fail_mode(const struct ctx *ctx, const char *code, const char *path,
    const struct stat *st, const char *next)
{
	return ctx_fail(ctx, EXIT_FAILED, code, next,
	    "%s has mode %04o: others on this machine can %s it", path,
	    (unsigned)st->st_mode & 07777U,
	    (st->st_mode & OTHERS_WRITE) != 0 ? "change" : "read");
}

static bool
is_ours(const struct stat *st, const struct stat *folder)
{
	return st->st_uid == 0 || st->st_uid == geteuid() ||
	    (geteuid() == 0 && st->st_uid == folder->st_uid);
}

static int
check_key(const struct ctx *ctx, const char *name, const struct stat *folder)
{
	char path[FILE_PATH_MAX], next[NEXT_MAX];
	struct stat st;

	if (ctx_path(ctx->dir, name, path, sizeof(path)) != 0 ||
	    stat(path, &st) != 0)
		return EXIT_DONE;
	(void)snprintf(next, sizeof(next),
	    "chmod 0600 %s, and take its key for known to who could read it",
	    path);
	if ((st.st_mode & OTHERS) != 0)
		return fail_mode(ctx, "key_open", path, &st, next);
	if (!is_ours(&st, folder))
		return fail_owner(ctx, "key_open", path, &st);
	return EXIT_DONE;
}

int
rights_check(const struct ctx *ctx)
{
	char next[NEXT_MAX];
	struct stat st;
	int rc;

	if (stat(ctx->dir, &st) != 0)
		return EXIT_DONE;
	(void)snprintf(next, sizeof(next), "chmod 0700 %s", ctx->dir);
	if ((st.st_mode & OTHERS_WRITE) != 0)
		return fail_mode(ctx, "dir_open", ctx->dir, &st, next);
	if (!is_ours(&st, &st))
		return fail_owner(ctx, "dir_open", ctx->dir, &st);
	rc = check_key(ctx, VAULT_ISSUING_FILE, &st);
	return rc == EXIT_DONE ? check_key(ctx, VAULT_SEAL_FILE, &st) : rc;
}

int
rights_fail_config(const struct ctx *ctx, const char *path)
{
	char next[NEXT_MAX];
	struct stat st = {0};

	(void)stat(path, &st);
	(void)snprintf(next, sizeof(next), "chmod go-w %s", path);
	if ((st.st_mode & OTHERS_WRITE) != 0)
		return fail_mode(ctx, "config_open", path, &st, next);
	return fail_owner(ctx, "config_open", path, &st);
}
