/* SPDX-License-Identifier: MIT */
#include "authority/issuers.h"

#include <string.h>

#include "authority/db.h"
#include "trust/catalogue.h"

#define COLUMNS                                                         \
	"number, pk, not_before, not_after, is_published, is_dropped, " \
	"(SELECT count(*) FROM host WHERE issuer = issuer.number)"

static int
read_row(sqlite3_stmt *st, struct issuer *out)
{
	*out = (struct issuer){
	    .number = (uint32_t)sqlite3_column_int64(st, 0),
	    .not_before_day = (uint32_t)sqlite3_column_int64(st, 2),
	    .not_after_day = (uint32_t)sqlite3_column_int64(st, 3),
	    .is_published = sqlite3_column_int(st, 4) != 0,
	    .is_dropped = sqlite3_column_int(st, 5) != 0,
	    .n_hosts = (uint32_t)sqlite3_column_int64(st, 6),
	};
	return db_blob(st, 1, out->pk, PUBKEY_LEN);
}

int
issuers_all(sqlite3 *db, struct issuer *all_out, size_t *n_out)
{
	sqlite3_stmt *st = NULL;
	size_t n = 0;
	int err;

	err = db_query(db, &st,
	    "SELECT " COLUMNS " FROM issuer ORDER BY number", "");
	while (err == 0 && (err = db_row(st)) == 1)
		err = n == ISSUERS_MAX ? MUSTER_E_DAMAGED
		                       : read_row(st, &all_out[n++]);
	db_done(st);
	*n_out = n;
	return err;
}

/* Without counting what hangs on it: this is asked for every certificate. */
int
issuers_find(sqlite3 *db, uint32_t today, struct issuer *out)
{
	sqlite3_stmt *st = NULL;
	int err;

	err = db_query(db, &st,
	    "SELECT number, pk, not_before, not_after, 1, 0, 0 FROM issuer "
	    "WHERE ?1 BETWEEN not_before AND not_after AND is_published AND "
	    "NOT is_dropped ORDER BY not_before DESC, number DESC LIMIT 1",
	    "i", (int64_t)today);
	if (err == 0)
		err = db_row(st);
	if (err == 0)
		err = MUSTER_E_ISSUER;
	if (err == 1)
		err = read_row(st, out);
	db_done(st);
	return err;
}

static int
next_number(sqlite3 *db, uint32_t *number_out)
{
	sqlite3_stmt *st = NULL;
	int err;

	err = db_query(db, &st,
	    "SELECT max(number) + 1, sum(NOT is_dropped) FROM issuer", "");
	if (err == 0)
		err = db_row(st);
	if (err == 1) {
		*number_out = (uint32_t)sqlite3_column_int64(st, 0);
		err = *number_out > ISSUERS_MAX ||
		        sqlite3_column_int64(st, 1) >= CAT_ISSUERS_MAX
		    ? MUSTER_E_TOOBIG
		    : 0;
	}
	db_done(st);
	return err;
}

int
issuers_add(sqlite3 *db, struct issuer *is)
{
	int err;

	if (is->not_after_day > UINT16_MAX)
		return MUSTER_E_RANGE;
	err = next_number(db, &is->number);
	if (err == 0)
		err = db_exec(db, "INSERT INTO issuer VALUES(?, ?, ?, ?, 0, 0)",
		    "ibii", (int64_t)is->number, is->pk, PUBKEY_LEN,
		    (int64_t)is->not_before_day, (int64_t)is->not_after_day);
	return err;
}

int
issuers_drop(sqlite3 *db, uint32_t number, struct issuer *out)
{
	sqlite3_stmt *st = NULL;
	int err;

	err = db_query(db, &st,
	    "SELECT " COLUMNS " FROM issuer WHERE number = ? AND NOT "
	    "is_dropped",
	    "i", (int64_t)number);
	if (err == 0)
		err = db_row(st);
	if (err == 0)
		err = MUSTER_E_NOENT;
	if (err == 1)
		err = read_row(st, out);
	db_done(st);
	out->is_dropped = true;
	if (err == 0)
		err = db_exec(db,
		    "UPDATE issuer SET is_dropped = 1 WHERE number = ?", "i",
		    (int64_t)number);
	return err;
}

int
issuers_publish(sqlite3 *db, const struct catalogue *cat)
{
	int err = db_exec(db, "UPDATE issuer SET is_published = 0", "");

	for (uint32_t i = 0; err == 0 && i < cat->n_issuers; i++)
		err = db_exec(db,
		    "UPDATE issuer SET is_published = 1 WHERE number = ? AND "
		    "pk = ?",
		    "ib", (int64_t)cat->issuers[i].number, cat->issuers[i].pk,
		    PUBKEY_LEN);
	return err;
}
