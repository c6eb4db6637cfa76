/* SPDX-License-Identifier: MIT */
/*
 * cmd_host.c -- slots: list, release, revoke.
 */
#include "authority/cmd.h"

#include <stdio.h>
#include <string.h>

#include "authority/hosts.h"
#include "authority/keys.h"
#include "authority/slots.h"
#include "base/clock.h"

static const char *
hold_text(int hold)
{
	return hold == GRANT_HELD ? "held"
	    : hold == GRANT_FREE  ? "free"
	                          : "released";
}

int
hosts_list(const struct ctx *ctx, sqlite3 *db, uint32_t key_number,
    void (*take)(void *arg, json_t *slot), void *arg)
{
	sqlite3_stmt *st = NULL;
	char name[256];
	int err;

	err = db_query(db, &st,
	    "SELECT s.key_number, s.slot, s.activation, s.hold, "
	    "s.reactivations, h.name, h.issued_day, s.hold = 1 "
	    "AND " KEYS_SLOT_REVOKED " FROM slot s LEFT JOIN host h"
	    " USING(key_number, fingerprint) WHERE ?1 = 0 OR s.key_number = ?1 "
	    "ORDER BY s.key_number, s.slot",
	    "ii", (int64_t)key_number, clock_unix_s() / S_PER_DAY);
	while (err == 0 && (err = db_row(st)) == 1) {
		json_int_t key = sqlite3_column_int64(st, 0);
		int slot = sqlite3_column_int(st, 1);
		int activation = sqlite3_column_int(st, 2);
		int used = sqlite3_column_int(st, 4);
		json_int_t day = sqlite3_column_int64(st, 6);
		const char *hold = sqlite3_column_int(st, 7) != 0
		    ? "revoked"
		    : hold_text(sqlite3_column_int(st, 3));

		err = db_text(st, 5, name, sizeof(name));
		if (err != 0)
			break;
		if (ctx->value[OPT_JSON] != NULL)
			take(arg,
			    json_pack("{s:I,s:i,s:i,s:s,s:i,s:s,s:I}",
			        "key_number", key, "slot", slot, "activation",
			        activation, "state", hold, "reactivations_used",
			        used, "host", name, "issued_day", day));
		else
			printf("key %lld slot %d activation %d  %s  %s  "
			       "reactivations used %d\n",
			    (long long)key, slot, activation, hold, name, used);
	}
	db_done(st);
	return err;
}

int
hosts_revocation_day(const struct ctx *ctx, uint16_t *day_out)
{
	uint32_t day = 0;
	int rc = ctx_confirmed(ctx);

	if (rc == EXIT_DONE)
		rc = ctx_day(ctx, OPT_AS_OF, 0, &day);
	*day_out = (uint16_t)day;
	return rc;
}

static void
add(void *arg, json_t *slot)
{
	ctx_list_add(arg, slot);
}

int
cmd_host_list(struct ctx *ctx)
{
	struct ctx_list list = {.ctx = ctx,
	    .schema = "muster.authority.slots/1",
	    .name = "slots"};
	uint32_t key = 0;
	sqlite3 *db = NULL;
	int err, rc;

	rc = ctx_u32(ctx, OPT_KEY, 1, UINT32_MAX, 0, &key);
	if (rc != EXIT_DONE)
		return rc;
	err = db_open(ctx->dir, &db);
	if (err == 0)
		err = hosts_list(ctx, db, key, add, &list);
	db_close(db);
	return ctx_list_end(&list, err, ctx->dir);
}

/* A slot that any host ever had, or one that a host holds now. */
static int
load_slot(sqlite3 *db, uint32_t key, uint32_t slot, bool is_any,
    struct grant_slot *out)
{
	struct grant_slot slots[GRANT_SLOTS_MAX];
	size_t n = 0;
	int err;

	err = keys_slots(db, key, 0, slots, &n);
	if (err != 0)
		return err;
	for (size_t i = 0; i < n; i++) {
		if (slots[i].slot == slot &&
		    (is_any || slots[i].hold == GRANT_HELD)) {
			*out = slots[i];
			return 0;
		}
	}
	return MUSTER_E_NOENT;
}

enum end {
	END_RELEASE, /* ends its host's certificate and gives it back */
	END_HOST,    /* ends its host's certificate */
	END_SLOT /* ends every certificate of the slot, also those to come */
};

static int
end_slot(sqlite3 *db, uint32_t key, uint32_t slot, enum end end, uint16_t day)
{
	struct grant_slot s;
	struct keys_row row;
	int err;

	err = db_begin(db);
	if (err == 0)
		err = keys_load(db, key, &row);
	if (err == 0)
		err = load_slot(db, key, slot, end == END_SLOT, &s);
	if (err == 0 && end == END_RELEASE && row.releases_used >= row.releases)
		err = MUSTER_E_FULL;
	if (err == 0)
		err = end == END_SLOT
		    ? slots_close(db, key, (uint8_t)slot, day)
		    : slots_end(db, key, &s, end == END_RELEASE, day);
	if (err == 0)
		err = db_commit(db);
	return err;
}

static int
run_end(struct ctx *ctx, enum end end)
{
	bool is_release = end == END_RELEASE;
	uint32_t key = 0, slot = 0;
	uint16_t day = 0;
	sqlite3 *db = NULL;
	int err, rc;

	rc = ctx_number(ctx, 0, "KEYNO", 1, UINT32_MAX, &key);
	if (rc == EXIT_DONE)
		rc = ctx_number(ctx, 1, "SLOT", 1, GRANT_SLOTS_MAX, &slot);
	if (rc == EXIT_DONE)
		rc = hosts_revocation_day(ctx, &day);
	if (rc != EXIT_DONE)
		return rc;
	if (is_release)
		day = (uint16_t)(clock_unix_s() / S_PER_DAY);
	err = db_open(ctx->dir, &db);
	if (err == 0)
		err = end_slot(db, key, slot, end, day);
	if (err == MUSTER_E_NOENT && db != NULL)
		rc = ctx_fail(ctx, EXIT_FAILED, "slot_not_held",
		    "see `muster-authority host list`",
		    end == END_SLOT ? "no host ever held slot %u of host key %u"
		                    : "no host holds slot %u of host key %u",
		    slot, key);
	else if (err == MUSTER_E_FULL && is_release)
		rc = ctx_fail(ctx, EXIT_FAILED, "releases_used_up",
		    "`muster-authority key grant KEYNO --releases N`",
		    "all releases of host key %u are used", key);
	else if (err != 0)
		rc = ctx_fail_err(ctx, err, ctx->dir);
	else if (!ctx_facts(ctx, "muster.authority.revocation/1",
	             json_pack("{s:I,s:I,s:i}", "key_number", (json_int_t)key,
	                 "slot", (json_int_t)slot, "day", (int)day)))
		printf("slot %u of host key %u %s; sign a catalogue and import "
		       "it\n",
		    slot, key, is_release ? "released" : "revoked");
	db_close(db);
	return rc;
}

int
cmd_host_release(struct ctx *ctx)
{
	return run_end(ctx, END_RELEASE);
}

int
cmd_host_revoke(struct ctx *ctx)
{
	return run_end(ctx,
	    ctx->value[OPT_FOR_GOOD] != NULL ? END_SLOT : END_HOST);
}
