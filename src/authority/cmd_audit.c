/* SPDX-License-Identifier: MIT */
/*
 * cmd_audit.c -- audit verify and export.
 */
#include "authority/cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authority/audit.h"
#include "authority/db.h"
#include "base/hex.h"

static int
broken(const struct ctx *ctx, const struct audit_anchor *last)
{
	return ctx_fail(ctx, EXIT_FAILED, "audit_broken",
	    "keep the database for an inquiry, restore a backup",
	    "the chain breaks after entry %llu",
	    (unsigned long long)last->number);
}

/* An anchor that verifies cannot have been made up by who holds the log. */
static int
check_anchor(const struct ctx *ctx, sqlite3 *db, const struct bytes *file,
    const char *name)
{
	struct cat_source src = cat_memory_source(file);
	struct audit_anchor anchor;
	struct cat_head head;
	struct db_self self;
	int err;

	err = db_self(db, &self);
	if (err == 0)
		err = cat_read(&src, self.publisher, NULL, &head);
	if (err != 0)
		return ctx_fail_err(ctx, err, name);
	anchor.number = head.audit_number;
	memcpy(anchor.hash, head.audit_hash, HASH_LEN);
	err = audit_holds(db, &anchor);
	if (err == 0)
		return EXIT_DONE;
	return ctx_fail(ctx, EXIT_FAILED,
	    err == MUSTER_E_NOENT ? "audit_cut" : "audit_rewritten",
	    "keep the database for an inquiry, restore a backup",
	    "entry %llu, which %s names, is not in the log as it was",
	    (unsigned long long)anchor.number, name);
}

static int
check_catalogue(const struct ctx *ctx, sqlite3 *db, const char *path)
{
	uint8_t *buf = malloc(CAT_FILE_MAX);
	struct bytes file = {.p = buf};
	int err, rc;

	err = buf == NULL ? MUSTER_E_NOMEM
	                  : file_read(path, buf, CAT_FILE_MAX, &file.len);
	rc = err == 0 ? check_anchor(ctx, db, &file, path)
	              : ctx_fail_err(ctx, err, path);
	free(buf);
	return rc;
}

/* Those that were imported stand beside the log. */
static int
check_imported(const struct ctx *ctx, sqlite3 *db, uint32_t *n_out)
{
	char name[64];
	sqlite3_stmt *st = NULL;
	struct bytes file;
	int err, rc = EXIT_DONE;

	*n_out = 0;
	err = db_query(db, &st,
	    "SELECT serial, file FROM catalogue ORDER BY serial", "");
	while (err == 0 && rc == EXIT_DONE && (err = db_row(st)) == 1) {
		file.p = sqlite3_column_blob(st, 1);
		file.len = (size_t)sqlite3_column_bytes(st, 1);
		(void)snprintf(name, sizeof(name),
		    "the imported catalogue of serial %lld",
		    (long long)sqlite3_column_int64(st, 0));
		rc = check_anchor(ctx, db, &file, name);
		(*n_out)++;
		err = 0;
	}
	db_done(st);
	return err == 0 ? rc : ctx_fail_err(ctx, err, ctx->dir);
}

/* One line; the detail stands there as it was hashed. */
static int
print_entry(void *arg, const struct audit_entry *e)
{
	char previous[2 * HASH_LEN + 1], hash[2 * HASH_LEN + 1];
	FILE *f = arg;

	hex_encode(e->previous, HASH_LEN, previous);
	hex_encode(e->hash, HASH_LEN, hash);
	return fprintf(f,
	           "{\"number\":%" PRIu64 ",\"at_unix_s\":%" PRId64
	           ",\"act\":\"%s\",\"detail\":%s,\"previous\":\"%s\","
	           "\"hash\":\"%s\"}\n",
	           e->number, e->at_unix_s, e->act, e->detail, previous,
	           hash) < 0
	    ? MUSTER_E_IO
	    : 0;
}

/* What is broken is exported as well: an inquiry needs it. */
int
cmd_audit_export(struct ctx *ctx)
{
	struct audit_anchor last;
	sqlite3 *db = NULL;
	int err, rc = EXIT_DONE;

	err = db_open(ctx->dir, &db);
	if (err == 0)
		err = audit_each(db, print_entry, stdout);
	if (err == 0 && fflush(stdout) != 0)
		err = MUSTER_E_IO;
	if (err == 0 || err == MUSTER_E_MISMATCH)
		err = audit_verify(db, &last);
	if (err == MUSTER_E_MISMATCH)
		rc = broken(ctx, &last);
	else if (err != 0)
		rc = ctx_fail_err(ctx, err, "audit log");
	db_close(db);
	return rc;
}

int
cmd_audit_verify(struct ctx *ctx)
{
	const char *first = ctx->value[OPT_CATALOGUE];
	struct audit_anchor last;
	char hex[2 * HASH_LEN + 1];
	sqlite3 *db = NULL;
	uint32_t n = 0;
	int err, rc = EXIT_DONE;

	err = db_open(ctx->dir, &db);
	if (err == 0)
		err = audit_verify(db, &last);
	if (err == MUSTER_E_MISMATCH)
		rc = broken(ctx, &last);
	else if (err != 0)
		rc = ctx_fail_err(ctx, err, ctx->dir);
	if (rc == EXIT_DONE)
		rc = check_imported(ctx, db, &n);
	if (rc == EXIT_DONE && first != NULL)
		rc = check_catalogue(ctx, db, first);
	for (int i = 0; rc == EXIT_DONE && i < ctx->n_operands; i++)
		rc = check_catalogue(ctx, db, ctx->operands[i]);
	if (rc == EXIT_DONE) {
		hex_encode(last.hash, HASH_LEN, hex);
		if (!ctx_facts(ctx, "muster.authority.audit/1",
		        json_pack("{s:I,s:s,s:I}", "entries",
		            (json_int_t)last.number, "last_hash", hex,
		            "imported_catalogues", (json_int_t)n)))
			printf("%llu entries, the chain holds; so do the "
			       "anchors of %u imported catalogues\n",
			    (unsigned long long)last.number, n);
	}
	db_close(db);
	return rc;
}
