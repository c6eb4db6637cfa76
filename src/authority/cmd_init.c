/* SPDX-License-Identifier: MIT */
/*
 * cmd_init.c -- a new authority.
 */
#include "authority/cmd.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authority/audit.h"
#include "authority/db.h"
#include "authority/issuers.h"
#include "authority/vault.h"
#include "base/clock.h"
#include "base/hex.h"

/* The root secret shall not lie where the service could read it. */
static int
check_apart(const struct ctx *ctx, const char *file)
{
	char dir[PATH_MAX], folder[PATH_MAX], parent[FILE_PATH_MAX];
	const char *slash = strrchr(file, '/');
	size_t len;

	if (strlen(file) >= sizeof(parent))
		return ctx_fail_err(ctx, MUSTER_E_TOOBIG, file);
	(void)snprintf(parent, sizeof(parent), "%.*s",
	    slash == NULL       ? 1
	        : slash == file ? 1
	                        : (int)(slash - file),
	    slash == NULL ? "." : file);
	if (realpath(ctx->dir, dir) == NULL)
		return ctx_fail_err(ctx, MUSTER_E_NOENT, ctx->dir);
	if (realpath(parent, folder) == NULL)
		return ctx_fail_err(ctx, MUSTER_E_NOENT, parent);
	len = strlen(dir);
	if (strncmp(folder, dir, len) == 0 &&
	    (folder[len] == '\0' || folder[len] == '/' || len == 1))
		return ctx_fail(ctx, EXIT_FAILED, "root_key_inside",
		    "give --root-key a path on another medium",
		    "the root key must not lie in %s", ctx->dir);
	return EXIT_DONE;
}

static int
check_texts(const struct ctx *ctx)
{
	int rc = ctx_text(ctx, OPT_NAME, 1, CAT_NAME_MAX);

	if (rc == EXIT_DONE)
		rc = ctx_text(ctx, OPT_URL, 0, CAT_URL_MAX);
	if (rc == EXIT_DONE)
		rc = ctx_text(ctx, OPT_CONTACT, 0, CAT_CONTACT_MAX);
	return rc;
}

static int
fill(sqlite3 *db, const struct ctx *ctx, const uint8_t *root_pk,
    const uint8_t *publisher, const uint8_t *issuer_pk)
{
	const char *url = ctx->value[OPT_URL];
	const char *contact = ctx->value[OPT_CONTACT];
	int64_t today = clock_unix_s() / S_PER_DAY;
	char hex[2 * PUBKEY_LEN + 1];
	int err;

	hex_encode(root_pk, PUBKEY_LEN, hex);
	err = db_begin(db);
	if (err == 0)
		err =
		    db_exec(db, "INSERT INTO self VALUES(1, ?, ?, ?, ?, ?, 1)",
		        "tttbb", ctx->value[OPT_NAME], url == NULL ? "" : url,
		        contact == NULL ? "" : contact, root_pk, PUBKEY_LEN,
		        publisher, PUBLISHER_LEN);
	if (err == 0)
		err = db_exec(db, "INSERT INTO issuer VALUES(?, ?, ?, ?, 1, 0)",
		    "ibii", (int64_t)ISSUERS_FIRST, issuer_pk, PUBKEY_LEN,
		    today, today + ISSUERS_DAYS);
	if (err == 0)
		err = audit_add(db, "init",
		    json_pack("{s:s,s:s,s:i}", "name", ctx->value[OPT_NAME],
		        "root_public_key", hex, "issuer", ISSUERS_FIRST));
	if (err == 0)
		err = db_commit(db);
	return err;
}

static void
undo(const struct ctx *ctx, const char *root_file)
{
	static const char *const made[] = {DB_FILE, DB_FILE "-wal",
	    DB_FILE "-shm", VAULT_ISSUING_FILE, VAULT_SEAL_FILE};
	char path[FILE_PATH_MAX];

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		if (ctx_path(ctx->dir, made[i], path, sizeof(path)) == 0)
			(void)unlink(path);
	}
	if (root_file != NULL)
		(void)unlink(root_file);
}

/* The database comes first: it is what a second init runs into. */
static int
make(const struct ctx *ctx, const char *passphrase,
    const struct vault_cost *cost, uint8_t *root_pk, uint8_t *publisher)
{
	const char *file = ctx->value[OPT_ROOT_KEY];
	uint8_t root_sk[SECKEY_LEN], issuer_pk[PUBKEY_LEN];
	uint8_t issuer_sk[SECKEY_LEN];
	const char *made_root = NULL;
	const char *what = ctx->dir;
	sqlite3 *db = NULL;
	int err;

	(void)crypto_sign_keypair(root_pk, root_sk);
	(void)crypto_sign_keypair(issuer_pk, issuer_sk);
	label_publisher(root_pk, publisher);
	err = db_create(ctx->dir, &db);
	if (err == MUSTER_E_EXIST)
		goto out;
	if (err == 0) {
		what = file;
		err = vault_root_seal(file, passphrase, cost, root_sk);
	}
	if (err == 0) {
		made_root = file;
		what = ctx->dir;
		err = vault_seal_new(ctx->dir);
	}
	if (err == 0)
		err = vault_issuing_save(ctx->dir, ISSUERS_FIRST, issuer_sk);
	if (err == 0)
		err = fill(db, ctx, root_pk, publisher, issuer_pk);
	if (err != 0)
		undo(ctx, made_root);
out:
	db_close(db);
	sodium_memzero(root_sk, sizeof(root_sk));
	sodium_memzero(issuer_sk, sizeof(issuer_sk));
	if (err == MUSTER_E_NOMEM && what == file)
		return ctx_fail(ctx, EXIT_FAILED, "nomem",
		    "free memory, run it on a machine that has more, or take a "
		    "lower --seal-cost",
		    "%s: sealing it takes %u MiB of memory", file,
		    (unsigned)(cost->memory >> 20));
	return err == 0 ? EXIT_DONE : ctx_fail_err(ctx, err, what);
}

static void
print(const struct ctx *ctx, const uint8_t *root_pk, const uint8_t *publisher)
{
	char pk[2 * PUBKEY_LEN + 1], id[2 * PUBLISHER_LEN + 1];

	hex_encode(root_pk, PUBKEY_LEN, pk);
	hex_encode(publisher, PUBLISHER_LEN, id);
	if (!ctx_facts(ctx, "muster.authority.init/1",
	        json_pack("{s:s,s:s,s:s,s:s,s:s,s:i}", "name",
	            ctx->value[OPT_NAME], "publisher_id", id, "root_public_key",
	            pk, "root_key_file", ctx->value[OPT_ROOT_KEY], "dir",
	            ctx->dir, "issuer", ISSUERS_FIRST)))
		printf("publisher id     %s\n"
		       "root public key  %s\n"
		       "Pin the root public key in your products; keep %s and "
		       "its passphrase offline.\n",
		    id, pk, ctx->value[OPT_ROOT_KEY]);
}

int
cmd_init(struct ctx *ctx)
{
	char passphrase[VAULT_PASSPHRASE_MAX + 1];
	uint8_t root_pk[PUBKEY_LEN], publisher[PUBLISHER_LEN];
	const struct vault_cost *cost =
	    vault_cost_find(ctx->value[OPT_SEAL_COST]);
	int err, rc;

	rc = check_texts(ctx);
	if (rc != EXIT_DONE)
		return rc;
	if (cost == NULL)
		return ctx_fail(ctx, EXIT_USAGE, "bad_cost",
		    "leave it out for moderate, or give one of the three",
		    "--seal-cost must be interactive, moderate or sensitive");
	err = file_mkdirs(ctx->dir, 0700);
	if (err != 0)
		return ctx_fail_err(ctx, err, ctx->dir);
	rc = check_apart(ctx, ctx->value[OPT_ROOT_KEY]);
	if (rc != EXIT_DONE)
		return rc;
	err = vault_passphrase(ctx->value[OPT_PASSPHRASE], true, passphrase);
	if (err != 0)
		rc = ctx_fail_err(ctx, err, "passphrase");
	else
		rc = make(ctx, passphrase, cost, root_pk, publisher);
	sodium_memzero(passphrase, sizeof(passphrase));
	if (rc == EXIT_DONE)
		print(ctx, root_pk, publisher);
	return rc;
}
