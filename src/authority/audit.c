/* SPDX-License-Identifier: MIT */
/*
 * audit.c -- see audit.h for what is hashed.
 */
#include "authority/audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define LABEL_AUDIT "muster/audit/1"
#define ACT_MAX 64
#define ENTRY_MAX (AUDIT_DETAIL_MAX + ACT_MAX + 128)

static int
entry_hash(uint64_t number, int64_t at, const uint8_t *previous,
    const char *act, const char *detail, uint8_t *out)
{
	uint8_t buf[ENTRY_MAX];
	struct wr w = wr_init(buf, sizeof(buf));
	struct bytes part = {.p = buf};
	int err;

	wr_u64(&w, number);
	wr_i64(&w, at);
	wr_bytes(&w, previous, HASH_LEN);
	wr_opaque(&w, act, strlen(act));
	wr_opaque(&w, detail, strlen(detail));
	err = wr_end(&w, &part.len);
	if (err == 0)
		label_hash(LABEL_AUDIT, &part, 1, out);
	return err;
}

int
audit_last(sqlite3 *db, struct audit_anchor *last_out)
{
	struct audit_anchor last = {0};
	sqlite3_stmt *st = NULL;
	int err;

	err = db_query(db, &st,
	    "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1", "");
	if (err == 0)
		err = db_row(st);
	if (err == 1) {
		last.number = (uint64_t)sqlite3_column_int64(st, 0);
		err = db_blob(st, 1, last.hash, HASH_LEN);
	}
	if (err == 0)
		*last_out = last;
	db_done(st);
	return err;
}

int
audit_add(sqlite3 *db, const char *act, json_t *detail)
{
	char *text = detail == NULL
	    ? NULL
	    : json_dumps(detail, JSON_COMPACT | JSON_SORT_KEYS);
	struct audit_anchor last;
	uint8_t hash[HASH_LEN];
	int64_t at = clock_unix_s();
	int err = text == NULL ? MUSTER_E_NOMEM : 0;

	if (err == 0 && strlen(text) > AUDIT_DETAIL_MAX)
		err = MUSTER_E_TOOBIG;
	if (err == 0)
		err = audit_last(db, &last);
	if (err == 0)
		err =
		    entry_hash(last.number + 1, at, last.hash, act, text, hash);
	if (err == 0)
		err = db_exec(db,
		    "INSERT INTO audit(number, at, act, detail, previous, hash)"
		    " VALUES(?, ?, ?, ?, ?, ?)",
		    "iittbb", (int64_t)last.number + 1, at, act, text,
		    last.hash, HASH_LEN, hash, HASH_LEN);
	free(text);
	json_decref(detail);
	return err;
}

static int
take_row(sqlite3_stmt *st, audit_entry_fn *fn, void *arg)
{
	char act[ACT_MAX + 1], detail[AUDIT_DETAIL_MAX + 1];
	struct audit_entry e = {
	    .number = (uint64_t)sqlite3_column_int64(st, 0),
	    .at_unix_s = sqlite3_column_int64(st, 1),
	    .act = act,
	    .detail = detail,
	};

	if (db_text(st, 2, act, sizeof(act)) != 0 ||
	    db_text(st, 3, detail, sizeof(detail)) != 0 ||
	    db_blob(st, 4, e.previous, HASH_LEN) != 0 ||
	    db_blob(st, 5, e.hash, HASH_LEN) != 0)
		return MUSTER_E_MISMATCH;
	return fn(arg, &e);
}

int
audit_each(sqlite3 *db, audit_entry_fn *fn, void *arg)
{
	sqlite3_stmt *st = NULL;
	int err;

	err = db_query(db, &st,
	    "SELECT number, at, act, detail, previous, hash FROM audit "
	    "ORDER BY number",
	    "");
	while (err == 0 && (err = db_row(st)) == 1)
		err = take_row(st, fn, arg);
	db_done(st);
	return err;
}

/* One entry against the one before it. */
static int
check_entry(void *arg, const struct audit_entry *e)
{
	struct audit_anchor *last = arg;
	uint8_t hash[HASH_LEN];

	if (e->number != last->number + 1 ||
	    memcmp(e->previous, last->hash, HASH_LEN) != 0 ||
	    entry_hash(e->number, e->at_unix_s, e->previous, e->act, e->detail,
	        hash) != 0 ||
	    memcmp(hash, e->hash, HASH_LEN) != 0)
		return MUSTER_E_MISMATCH;
	last->number = e->number;
	memcpy(last->hash, hash, HASH_LEN);
	return 0;
}

int
audit_verify(sqlite3 *db, struct audit_anchor *last_out)
{
	*last_out = (struct audit_anchor){0};
	return audit_each(db, check_entry, last_out);
}

int
audit_holds(sqlite3 *db, const struct audit_anchor *anchor)
{
	uint8_t hash[HASH_LEN];
	sqlite3_stmt *st = NULL;
	int err;

	err = db_query(db, &st, "SELECT hash FROM audit WHERE number = ?", "i",
	    (int64_t)anchor->number);
	if (err == 0)
		err = db_row(st);
	if (err == 0)
		err = MUSTER_E_NOENT;
	if (err == 1)
		err = db_blob(st, 0, hash, HASH_LEN);
	if (err == 0 && memcmp(hash, anchor->hash, HASH_LEN) != 0)
		err = MUSTER_E_MISMATCH;
	db_done(st);
	return err;
}
