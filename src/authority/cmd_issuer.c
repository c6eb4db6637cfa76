/* SPDX-License-Identifier: MIT */
/*
 * cmd_issuer.c -- issuing keys: list, add, drop.
 *
 * A new key is used once two things are so: its first day has come, and a
 * catalogue with it was imported.  Whoever verifies must have met it by then,
 * so it begins with time to spread, beside the old one.
 */
#include "authority/cmd.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "authority/audit.h"
#include "authority/db.h"
#include "authority/issuers.h"
#include "authority/vault.h"
#include "base/clock.h"
#include "base/hex.h"
#include "trust/catalogue.h"

#define DAY_TEXT 11 /* YYYY-MM-DD and its end */

static void
day_text(uint32_t day, char *out)
{
	time_t t = (time_t)day * S_PER_DAY;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(out, DAY_TEXT, "%Y-%m-%d", &tm) == 0)
		(void)snprintf(out, DAY_TEXT, "?");
}

static json_t *
facts_of(const struct issuer *is)
{
	char first[DAY_TEXT], last[DAY_TEXT], pk[2 * PUBKEY_LEN + 1];

	day_text(is->not_before_day, first);
	day_text(is->not_after_day, last);
	hex_encode(is->pk, PUBKEY_LEN, pk);
	return json_pack("{s:I,s:s,s:s,s:s,s:I,s:b,s:b}", "issuer",
	    (json_int_t)is->number, "public_key", pk, "first_day", first,
	    "last_day", last, "hosts", (json_int_t)is->n_hosts, "published",
	    is->is_published, "dropped", is->is_dropped);
}

static const char *
state_text(const struct issuer *is, uint32_t today, bool is_used)
{
	return is->is_dropped             ? "dropped"
	    : is_used                     ? "signs certificates"
	    : is->not_after_day < today   ? "ended; its certificates hold"
	    : !is->is_published           ? "waits for a catalogue"
	    : is->not_before_day <= today ? "superseded; its certificates hold"
	                                  : "waits for its first day";
}

static int
show(const struct ctx *ctx, sqlite3 *db, json_t *list)
{
	static struct issuer all[ISSUERS_MAX];
	uint32_t today = (uint32_t)(clock_unix_s() / S_PER_DAY);
	struct issuer used = {0};
	size_t n = 0;
	int err = issuers_all(db, all, &n);

	if (err == 0)
		err = issuers_find(db, today, &used);
	if (err == MUSTER_E_ISSUER)
		err = 0;
	for (size_t i = 0; err == 0 && i < n; i++) {
		const char *state =
		    state_text(&all[i], today, all[i].number == used.number);
		char first[DAY_TEXT], last[DAY_TEXT];
		json_t *facts = facts_of(&all[i]);

		day_text(all[i].not_before_day, first);
		day_text(all[i].not_after_day, last);
		(void)json_object_set_new(facts, "state", json_string(state));
		(void)json_array_append_new(list, facts);
		if (ctx->value[OPT_JSON] == NULL)
			printf("issuing key %u  %s to %s  hosts %u  %s\n",
			    all[i].number, first, last, all[i].n_hosts, state);
	}
	return err;
}

int
cmd_issuer_list(struct ctx *ctx)
{
	json_t *list = json_array();
	sqlite3 *db = NULL;
	int err, rc = EXIT_DONE;

	err = list == NULL ? MUSTER_E_NOMEM : db_open(ctx->dir, &db);
	if (err == 0)
		err = show(ctx, db, list);
	if (err != 0)
		rc = ctx_fail_err(ctx, err, ctx->dir);
	else
		(void)ctx_facts(ctx, "muster.authority.issuers/1",
		    json_pack("{s:O}", "issuers", list));
	json_decref(list);
	db_close(db);
	return rc;
}

/* The file comes before the commit: a number that it alone has is free. */
static int
add(const struct ctx *ctx, sqlite3 *db, struct issuer *is)
{
	uint8_t sk[SECKEY_LEN];
	int err;

	(void)crypto_sign_keypair(is->pk, sk);
	err = db_begin(db);
	if (err == 0)
		err = issuers_add(db, is);
	if (err == 0)
		err = audit_add(db, "issuer.add", facts_of(is));
	if (err == 0)
		err = vault_issuing_save(ctx->dir, is->number, sk);
	if (err == 0)
		err = db_commit(db);
	sodium_memzero(sk, sizeof(sk));
	return err;
}

int
cmd_issuer_add(struct ctx *ctx)
{
	uint32_t today = (uint32_t)(clock_unix_s() / S_PER_DAY);
	struct issuer is = {0};
	uint32_t days = 0;
	sqlite3 *db = NULL;
	char first[DAY_TEXT];
	int err, rc;

	rc = ctx_day(ctx, OPT_AS_OF, today + ISSUERS_SPREAD_DAYS,
	    &is.not_before_day);
	if (rc == EXIT_DONE)
		rc = ctx_u32(ctx, OPT_DAYS, 1, ISSUERS_DAYS_MAX, ISSUERS_DAYS,
		    &days);
	if (rc != EXIT_DONE)
		return rc;
	is.not_after_day = is.not_before_day + days;
	err = db_open(ctx->dir, &db);
	if (err == 0)
		err = add(ctx, db, &is);
	db_close(db);
	if (err == MUSTER_E_TOOBIG)
		return ctx_fail(ctx, EXIT_FAILED, "issuers_full",
		    "drop one that no host hangs on: muster-authority issuer "
		    "list",
		    "a catalogue holds %d issuing keys, and numbers end with "
		    "%d",
		    CAT_ISSUERS_MAX, ISSUERS_MAX);
	if (err != 0)
		return ctx_fail_err(ctx, err, ctx->dir);
	day_text(is.not_before_day, first);
	if (!ctx_facts(ctx, "muster.authority.issuer.add/1", facts_of(&is)))
		printf("issuing key %u signs certificates from %s on, once a "
		       "catalogue with it is imported.\nKeep a copy of %s; "
		       "prepare, sign and import a catalogue, and give it to "
		       "customers before that day.\n",
		    is.number, first, VAULT_ISSUING_FILE);
	return EXIT_DONE;
}

static int
drop(sqlite3 *db, uint32_t number, struct issuer *is_out, bool *is_left_out)
{
	uint32_t today = (uint32_t)(clock_unix_s() / S_PER_DAY);
	struct issuer used;
	int err = db_begin(db);

	if (err == 0)
		err = issuers_drop(db, number, is_out);
	if (err == 0)
		err = audit_add(db, "issuer.drop", facts_of(is_out));
	if (err == 0) {
		err = issuers_find(db, today, &used);
		*is_left_out = err == 0;
		err = err == MUSTER_E_ISSUER ? 0 : err;
	}
	return err == 0 ? db_commit(db) : err;
}

int
cmd_issuer_drop(struct ctx *ctx)
{
	struct issuer is;
	uint32_t number;
	bool is_left = false;
	sqlite3 *db = NULL;
	int err, rc;

	rc = ctx_number(ctx, 0, "NUMBER", 1, ISSUERS_MAX, &number);
	if (rc == EXIT_DONE)
		rc = ctx_confirmed(ctx);
	if (rc != EXIT_DONE)
		return rc;
	err = db_open(ctx->dir, &db);
	if (err == 0)
		err = drop(db, number, &is, &is_left);
	db_close(db);
	if (err == MUSTER_E_NOENT)
		return ctx_fail(ctx, EXIT_FAILED, "no_such_issuer",
		    "muster-authority issuer list",
		    "there is no issuing key %u to be dropped", number);
	if (err != 0)
		return ctx_fail_err(ctx, err, ctx->dir);
	if (ctx_facts(ctx, "muster.authority.issuer.drop/1", facts_of(&is)))
		return EXIT_DONE;
	printf("issuing key %u signs nothing any more; the next catalogue, "
	       "signed with --drop, ends what hangs on it: the certificates "
	       "of %u hosts, which are activated again.\n",
	    number, is.n_hosts);
	if (!is_left)
		printf("No issuing key is left: no host can be activated. Run "
		       "muster-authority issuer add --as-of TODAY, then "
		       "prepare, sign and import a catalogue.\n");
	return EXIT_DONE;
}
