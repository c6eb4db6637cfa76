/* SPDX-License-Identifier: MIT */
/*
 * keys.c -- see keys.h.
 */
#include "authority/keys.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS                                                               \
	"SELECT number, sealed, level, lines, customer, hosts, "              \
	"reactivations, releases, releases_used, issued, is_revoked, "        \
	"(SELECT count(*) FROM slot WHERE key_number = number AND hold <> 0)" \
	", codes_wrong FROM host_key "

static int
load(sqlite3 *db, const char *sql, uint32_t number, struct keys_row *row_out)
{
	struct keys_row r = {0};
	sqlite3_stmt *st = NULL;
	int err;

	err = db_query(db, &st, sql, "i", (int64_t)number);
	if (err == 0)
		err = db_row(st);
	if (err == 0)
		err = MUSTER_E_NOENT;
	if (err == 1)
		err = db_blob(st, 1, r.sealed, sizeof(r.sealed));
	if (err == 0)
		err = db_text(st, 4, r.customer, sizeof(r.customer));
	if (err == 0) {
		r.number = (uint32_t)sqlite3_column_int64(st, 0);
		r.level = (uint8_t)sqlite3_column_int(st, 2);
		r.lines = (uint8_t)sqlite3_column_int(st, 3);
		r.limits.hosts = (uint32_t)sqlite3_column_int64(st, 5);
		r.limits.reactivations = (uint32_t)sqlite3_column_int64(st, 6);
		r.releases = (uint32_t)sqlite3_column_int64(st, 7);
		r.releases_used = (uint32_t)sqlite3_column_int64(st, 8);
		r.issued_unix_s = sqlite3_column_int64(st, 9);
		r.limits.is_revoked = sqlite3_column_int(st, 10) != 0;
		r.hosts_used = (uint32_t)sqlite3_column_int64(st, 11);
		r.codes_wrong = (uint32_t)sqlite3_column_int64(st, 12);
		*row_out = r;
	}
	db_done(st);
	return err;
}

int
keys_load(sqlite3 *db, uint32_t number, struct keys_row *row_out)
{
	return load(db, COLUMNS "WHERE number = ?", number, row_out);
}

int
keys_sealed(sqlite3 *db, uint32_t number, const uint8_t *decoy,
    uint32_t *for_out, uint8_t *sealed_out)
{
	sqlite3_stmt *st = NULL;
	int err;

	err = db_query(db, &st,
	    "SELECT ifnull(k.number, 0), ifnull(k.sealed, ?) FROM "
	    "(SELECT ? AS asked) LEFT JOIN host_key AS k ON k.number = asked",
	    "bi", decoy, VAULT_SEALED_LEN, (int64_t)number);
	if (err == 0)
		err = db_row(st);
	if (err == 0)
		err = MUSTER_E_DAMAGED;
	if (err == 1)
		err = db_blob(st, 1, sealed_out, VAULT_SEALED_LEN);
	if (err == 0)
		*for_out = (uint32_t)sqlite3_column_int64(st, 0);
	db_done(st);
	return err;
}

int
keys_next(sqlite3 *db, uint32_t after, struct keys_row *row_out)
{
	return load(db, COLUMNS "WHERE number > ? ORDER BY number LIMIT 1",
	    after, row_out);
}

int
keys_slots(sqlite3 *db, uint32_t number, uint32_t today,
    struct grant_slot *slots_out, size_t *n_out)
{
	sqlite3_stmt *st = NULL;
	size_t n = 0;
	int err;

	err = db_query(db, &st,
	    "SELECT slot, activation, hold, reactivations, fingerprint, "
	    "EXISTS(SELECT 1 FROM revocation r WHERE r.key_number = "
	    "s.key_number AND r.slot = s.slot AND r.activation = "
	    "s.activation AND r.day <= ?2), "
	    "EXISTS(SELECT 1 FROM revocation r WHERE r.key_number = "
	    "s.key_number AND r.slot = s.slot AND r.activation = 0 AND "
	    "r.day <= ?2) "
	    "FROM slot s WHERE key_number = ?1 ORDER BY slot",
	    "ii", (int64_t)number, (int64_t)today);
	while (err == 0 && (err = db_row(st)) == 1) {
		struct grant_slot *s = &slots_out[n];

		if (n == GRANT_SLOTS_MAX) {
			err = MUSTER_E_DAMAGED;
			break;
		}
		s->slot = (uint8_t)sqlite3_column_int(st, 0);
		s->activation = (uint8_t)sqlite3_column_int(st, 1);
		s->hold = (enum grant_hold)sqlite3_column_int(st, 2);
		s->reactivations = (uint32_t)sqlite3_column_int64(st, 3);
		s->revoked = sqlite3_column_int(st, 6) != 0 ? GRANT_SLOT_ENDED
		    : sqlite3_column_int(st, 5) != 0        ? GRANT_HOST_ENDED
		                                            : GRANT_STANDS;
		err = db_blob(st, 4, s->fingerprint, CERT_FINGERPRINT_LEN);
		n++;
	}
	if (err == 0)
		*n_out = n;
	db_done(st);
	return err;
}

int
keys_is_revoked(sqlite3 *db, struct keys_row *row, uint32_t today)
{
	sqlite3_stmt *st = NULL;
	int err;

	err = db_query(db, &st,
	    "SELECT 1 FROM revocation WHERE key_number = ? AND slot = 0 AND "
	    "activation = 0 AND day <= ?",
	    "ii", (int64_t)row->number, (int64_t)today);
	if (err == 0)
		err = db_row(st);
	if (err == 1)
		row->limits.is_revoked = true;
	db_done(st);
	return err == 1 ? 0 : err;
}

int
keys_revoke(sqlite3 *db, uint32_t number, uint8_t slot, uint8_t activation,
    uint16_t day)
{
	return db_exec(db,
	    "INSERT INTO revocation VALUES(?, ?, ?, ?) ON CONFLICT DO UPDATE "
	    "SET day = min(day, excluded.day)",
	    "iiii", (int64_t)number, (int64_t)slot, (int64_t)activation,
	    (int64_t)day);
}

void
keys_lines_text(uint8_t lines, char *out)
{
	size_t at = 0;

	for (int i = 0; i < 8; i++) {
		if ((lines >> i & 1) == 0)
			continue;
		if (at != 0)
			out[at++] = ',';
		out[at++] = (char)('0' + i);
	}
	out[at] = '\0';
}

json_t *
keys_json(const struct keys_row *row)
{
	json_t *lines = json_array();

	for (int i = 0; i < 8; i++) {
		if ((row->lines >> i & 1) != 0)
			(void)json_array_append_new(lines, json_integer(i));
	}
	return json_pack("{s:I,s:i,s:o,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:b,s:I}",
	    "key_number", (json_int_t)row->number, "level", (int)row->level,
	    "lines", lines, "customer", row->customer, "hosts",
	    (json_int_t)row->limits.hosts, "hosts_used",
	    (json_int_t)row->hosts_used, "reactivations",
	    (json_int_t)row->limits.reactivations, "releases",
	    (json_int_t)row->releases, "releases_used",
	    (json_int_t)row->releases_used, "issued_at",
	    (json_int_t)row->issued_unix_s, "revoked",
	    (int)row->limits.is_revoked, "codes_wrong",
	    (json_int_t)row->codes_wrong);
}
