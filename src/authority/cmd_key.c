/* SPDX-License-Identifier: MIT */
/*
 * cmd_key.c -- host keys: issue, list, show, grant, revoke.
 */
#include "authority/cmd.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>

#include "authority/audit.h"
#include "authority/hosts.h"
#include "authority/keys.h"
#include "base/clock.h"

#define SECRET_TOP_BITS 0x03 /* 74 bits in 10 bytes */
#define RELEASES_MAX 100000

static int
parse_lines(const struct ctx *ctx, uint8_t *lines_out)
{
	const char *text = ctx->value[OPT_LINES];
	uint8_t lines = 0;

	if (text == NULL)
		text = "0";
	for (const char *p = text;; p += 2) {
		if (p[0] < '0' || p[0] > '7' || (p[1] != ',' && p[1] != '\0'))
			return ctx_fail(ctx, EXIT_USAGE, "bad_lines",
			    "give them as 0,1",
			    "--lines must be numbers from 0 to 7 with commas, "
			    "not \"%s\"",
			    text);
		lines |= (uint8_t)(1U << (p[0] - '0'));
		if (p[1] == '\0')
			break;
	}
	*lines_out = lines;
	return EXIT_DONE;
}

static int
read_options(const struct ctx *ctx, struct keys_row *row)
{
	const char *customer = ctx->value[OPT_CUSTOMER];
	uint32_t level = 0;
	int rc;

	rc = ctx_text(ctx, OPT_CUSTOMER, 1, KEYS_CUSTOMER_MAX);
	if (rc != EXIT_DONE)
		return rc;
	(void)snprintf(row->customer, sizeof(row->customer), "%s", customer);
	rc = ctx_u32(ctx, OPT_LEVEL, 1, 255, 1, &level);
	row->level = (uint8_t)level;
	if (rc == EXIT_DONE)
		rc = parse_lines(ctx, &row->lines);
	if (rc == EXIT_DONE)
		rc = ctx_u32(ctx, OPT_HOSTS, 1, GRANT_SLOTS_MAX, GRANT_HOSTS,
		    &row->limits.hosts);
	if (rc == EXIT_DONE)
		rc = ctx_u32(ctx, OPT_REACTIVATIONS, 0, GRANT_REACTIVATIONS_MAX,
		    GRANT_REACTIVATIONS, &row->limits.reactivations);
	if (rc == EXIT_DONE)
		rc = ctx_u32(ctx, OPT_RELEASES, 0, RELEASES_MAX, GRANT_RELEASES,
		    &row->releases);
	return rc;
}

static int
next_number(sqlite3 *db, uint32_t *number_out)
{
	sqlite3_stmt *st = NULL;
	int err;

	err = db_query(db, &st,
	    "SELECT coalesce(max(number), 0) + 1 FROM host_key", "");
	if (err == 0)
		err = db_row(st);
	if (err == 1) {
		int64_t n = sqlite3_column_int64(st, 0);

		err = n > UINT32_MAX ? MUSTER_E_FULL : 0;
		*number_out = (uint32_t)n;
	}
	db_done(st);
	return err;
}

static int
issue(sqlite3 *db, const struct ctx *ctx, struct keys_row *row, char *text)
{
	uint8_t pk[HOSTKEY_PK_LEN];
	struct hostkey key = {.kind = HOSTKEY_HOST};
	struct db_self self;
	int err;

	row->issued_unix_s = clock_unix_s();
	err = db_begin(db);
	if (err == 0)
		err = db_self(db, &self);
	if (err == 0)
		err = next_number(db, &row->number);
	if (err != 0)
		return err;
	key.number = row->number;
	randombytes_buf(key.secret, sizeof(key.secret));
	key.secret[0] &= SECRET_TOP_BITS;
	hostkey_proof_key(&key, self.publisher, pk);
	err = vault_seal(ctx->dir, row->number, pk, row->sealed);
	if (err == 0)
		err = db_exec(db,
		    "INSERT INTO host_key(number, sealed, level, lines, "
		    "customer, hosts, reactivations, releases, issued) "
		    "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
		    "ibiitiiii", (int64_t)row->number, row->sealed,
		    VAULT_SEALED_LEN, (int64_t)row->level, (int64_t)row->lines,
		    row->customer, (int64_t)row->limits.hosts,
		    (int64_t)row->limits.reactivations, (int64_t)row->releases,
		    row->issued_unix_s);
	if (err == 0)
		err = audit_add(db, "key.issue", keys_json(row));
	if (err == 0)
		err = db_commit(db);
	if (err == 0)
		hostkey_format(&key, text);
	sodium_memzero(&key, sizeof(key));
	sodium_memzero(pk, sizeof(pk));
	return err;
}

/* What was printed is a secret that is nowhere else: is it out? */
static int
check_shown(const struct keys_row *row)
{
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return EXIT_DONE;
	/* part of it may be out, and the rest must not follow */
	__fpurge(stdout);
	clearerr(stdout);
	/* by --json too, for standard output takes nothing */
	(void)fprintf(stderr,
	    "muster-authority: host key %u was issued but not shown: standard "
	    "output cannot be written\n"
	    "  next: revoke it (`muster-authority key revoke %u --yes`) and "
	    "issue another\n",
	    row->number, row->number);
	return EXIT_FAILED;
}

int
cmd_key_issue(struct ctx *ctx)
{
	char text[HOSTKEY_TEXT_LEN + 1] = "", lines[16];
	struct keys_row row = {0};
	sqlite3 *db = NULL;
	json_t *facts;
	int err, rc;

	rc = read_options(ctx, &row);
	if (rc != EXIT_DONE)
		return rc;
	err = db_open(ctx->dir, &db);
	if (err == 0)
		err = issue(db, ctx, &row, text);
	db_close(db);
	if (err != 0)
		return ctx_fail_err(ctx, err, ctx->dir);
	(void)signal(SIGPIPE, SIG_IGN); /* an error, as of a full disk */
	facts = keys_json(&row);
	(void)json_object_set_new(facts, "key", json_string(text));
	keys_lines_text(row.lines, lines);
	if (!ctx_facts(ctx, "muster.authority.key/1", facts))
		printf("%s\n"
		       "host key %u for %s: lines %s up to level %u, %u hosts, "
		       "%u reactivations of each\n"
		       "This key is not kept and cannot be shown again.\n",
		    text, row.number, row.customer, lines, row.level,
		    row.limits.hosts, row.limits.reactivations);
	sodium_memzero(text, sizeof(text));
	return check_shown(&row);
}

static void
print_row(const struct keys_row *r)
{
	char lines[16];

	keys_lines_text(r->lines, lines);
	printf("%6u  %s  lines %s level %u  hosts %u of %u  reactivations %u  "
	       "releases %u of %u%s\n",
	    r->number, r->customer, lines, r->level, r->hosts_used,
	    r->limits.hosts, r->limits.reactivations, r->releases_used,
	    r->releases, r->limits.is_revoked ? "  revoked" : "");
}

int
cmd_key_list(struct ctx *ctx)
{
	struct ctx_list list = {.ctx = ctx,
	    .schema = "muster.authority.keys/1",
	    .name = "keys"};
	struct keys_row row = {0};
	sqlite3 *db = NULL;
	int err;

	err = db_open(ctx->dir, &db);
	while (err == 0) {
		err = keys_next(db, row.number, &row);
		if (err == 0 && ctx->value[OPT_JSON] != NULL)
			ctx_list_add(&list, keys_json(&row));
		else if (err == 0)
			print_row(&row);
	}
	if (db != NULL && err == MUSTER_E_NOENT)
		err = 0; /* there are no more */
	db_close(db);
	return ctx_list_end(&list, err, ctx->dir);
}

static int
no_key(const struct ctx *ctx, int err, uint32_t number)
{
	if (err != MUSTER_E_NOENT)
		return ctx_fail_err(ctx, err, ctx->dir);
	return ctx_fail(ctx, EXIT_FAILED, "key_not_found",
	    "see `muster-authority key list`", "no host key has number %u",
	    number);
}

static void
append(void *arg, json_t *slot)
{
	(void)json_array_append_new(arg, slot);
}

int
cmd_key_show(struct ctx *ctx)
{
	json_t *hosts = json_array(), *facts;
	struct keys_row row;
	uint32_t number = 0;
	sqlite3 *db = NULL;
	int err, rc;

	rc = ctx_number(ctx, 0, "KEYNO", 1, UINT32_MAX, &number);
	if (rc != EXIT_DONE)
		goto out;
	err = db_open(ctx->dir, &db);
	if (err != 0) {
		rc = ctx_fail_err(ctx, err, ctx->dir);
		goto out;
	}
	err = keys_load(db, number, &row);
	if (err == 0 && ctx->value[OPT_JSON] == NULL)
		print_row(&row);
	if (err == 0)
		err = hosts_list(ctx, db, number, append, hosts);
	if (err != 0) {
		rc = no_key(ctx, err, number);
		goto out;
	}
	facts = keys_json(&row);
	(void)json_object_set(facts, "slots", hosts);
	(void)ctx_facts(ctx, "muster.authority.key/1", facts);
out:
	json_decref(hosts);
	db_close(db);
	return rc;
}

static int
grant(sqlite3 *db, const struct keys_row *row)
{
	int err;

	err = db_exec(db,
	    "UPDATE host_key SET hosts = ?, reactivations = ?, releases = ? "
	    "WHERE number = ?",
	    "iiii", (int64_t)row->limits.hosts,
	    (int64_t)row->limits.reactivations, (int64_t)row->releases,
	    (int64_t)row->number);
	if (err == 0)
		err = audit_add(db, "key.grant", keys_json(row));
	if (err == 0)
		err = db_commit(db);
	return err;
}

int
cmd_key_grant(struct ctx *ctx)
{
	struct keys_row row = {0};
	uint32_t number = 0;
	sqlite3 *db = NULL;
	int err, rc;

	rc = ctx_number(ctx, 0, "KEYNO", 1, UINT32_MAX, &number);
	if (rc != EXIT_DONE)
		return rc;
	err = db_open(ctx->dir, &db);
	if (err != 0)
		return ctx_fail_err(ctx, err, ctx->dir);
	err = db_begin(db);
	if (err == 0)
		err = keys_load(db, number, &row);
	if (err != 0) {
		rc = no_key(ctx, err, number);
		goto out;
	}
	rc = ctx_u32(ctx, OPT_HOSTS, 1, GRANT_SLOTS_MAX, row.limits.hosts,
	    &row.limits.hosts);
	if (rc == EXIT_DONE)
		rc = ctx_u32(ctx, OPT_REACTIVATIONS, 0, GRANT_REACTIVATIONS_MAX,
		    row.limits.reactivations, &row.limits.reactivations);
	if (rc == EXIT_DONE)
		rc = ctx_u32(ctx, OPT_RELEASES, 0, RELEASES_MAX, row.releases,
		    &row.releases);
	if (rc != EXIT_DONE)
		goto out;
	err = grant(db, &row);
	if (err != 0)
		rc = ctx_fail_err(ctx, err, ctx->dir);
	else if (!ctx_facts(ctx, "muster.authority.key/1", keys_json(&row)))
		print_row(&row);
out:
	db_close(db);
	return rc;
}

int
cmd_key_revoke(struct ctx *ctx)
{
	struct keys_row row;
	uint32_t number = 0;
	uint16_t day = 0;
	sqlite3 *db = NULL;
	int err, rc;

	rc = ctx_number(ctx, 0, "KEYNO", 1, UINT32_MAX, &number);
	if (rc == EXIT_DONE)
		rc = hosts_revocation_day(ctx, &day);
	if (rc != EXIT_DONE)
		return rc;
	err = db_open(ctx->dir, &db);
	if (err == 0)
		err = db_begin(db);
	if (err == 0)
		err = keys_load(db, number, &row);
	/* as of a day to come, it is used until then */
	if (err == 0 && day <= clock_unix_s() / S_PER_DAY)
		err = db_exec(db,
		    "UPDATE host_key SET is_revoked = 1 WHERE number = ?", "i",
		    (int64_t)number);
	if (err == 0)
		err = keys_revoke(db, number, 0, 0, day);
	if (err == 0)
		err = audit_add(db, "key.revoke",
		    json_pack("{s:I,s:i}", "key_number", (json_int_t)number,
		        "day", (int)day));
	if (err == 0)
		err = db_commit(db);
	if (err == 0 &&
	    !ctx_facts(ctx, "muster.authority.revocation/1",
	        json_pack("{s:I,s:i}", "key_number", (json_int_t)number, "day",
	            (int)day)))
		printf("host key %u revoked; sign a catalogue to tell the "
		       "clients\n",
		    number);
	rc = err == 0    ? EXIT_DONE
	    : db == NULL ? ctx_fail_err(ctx, err, ctx->dir)
	                 : no_key(ctx, err, number);
	db_close(db);
	return rc;
}
