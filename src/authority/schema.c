/* SPDX-License-Identifier: MIT */
#include "authority/schema.h"

#include <stdio.h>

#include "authority/copy.h"
#include "trust/cert.h"

#define PRAGMA_MAX 64

/* A certificate that was given by telephone has zeros for its public key,
 * which is not known then. */
#define TABLE_SLOT                                                     \
	"CREATE TABLE slot("                                           \
	" key_number INTEGER NOT NULL REFERENCES host_key(number),"    \
	" slot INTEGER NOT NULL CHECK(slot BETWEEN 1 AND 255),"        \
	" activation INTEGER NOT NULL CHECK(activation BETWEEN 1 AND " \
	"255),"                                                        \
	" hold INTEGER NOT NULL CHECK(hold BETWEEN 0 AND 2),"          \
	" reactivations INTEGER NOT NULL,"                             \
	" fingerprint BLOB NOT NULL CHECK(length(fingerprint) = 16),"  \
	" PRIMARY KEY(key_number, slot)) STRICT, WITHOUT ROWID"
#define TABLE_HOST                                                     \
	"CREATE TABLE host("                                           \
	" key_number INTEGER NOT NULL REFERENCES host_key(number),"    \
	" fingerprint BLOB NOT NULL CHECK(length(fingerprint) = 16),"  \
	" name TEXT NOT NULL, counter INTEGER NOT NULL,"               \
	" body BLOB NOT NULL CHECK(length(body) = 32),"                \
	" issuer INTEGER NOT NULL, issued_day INTEGER NOT NULL,"       \
	" certificate BLOB NOT NULL CHECK(length(certificate) = 120)," \
	" PRIMARY KEY(key_number, fingerprint)) STRICT, WITHOUT ROWID"
#define COLUMN_WRONG \
	"codes_wrong INTEGER NOT NULL DEFAULT 0 CHECK(codes_wrong >= 0)"

#define COLUMN_PUBLISHED                                                     \
	"is_published INTEGER NOT NULL DEFAULT 0 CHECK(is_published IN (0, " \
	"1))"
#define COLUMN_DROPPED \
	"is_dropped INTEGER NOT NULL DEFAULT 0 CHECK(is_dropped IN (0, 1))"

static const char *const tables[] = {
    "CREATE TABLE self("
    " id INTEGER PRIMARY KEY CHECK(id = 1), name TEXT NOT NULL,"
    " url TEXT NOT NULL, contact TEXT NOT NULL,"
    " root_pk BLOB NOT NULL CHECK(length(root_pk) = 32),"
    " publisher BLOB NOT NULL CHECK(length(publisher) = 16),"
    " next_serial INTEGER NOT NULL CHECK(next_serial BETWEEN 1 AND "
    "4294967295)) STRICT",
    "CREATE TABLE issuer("
    " number INTEGER PRIMARY KEY CHECK(number BETWEEN 1 AND 255),"
    " pk BLOB NOT NULL CHECK(length(pk) = 32),"
    " not_before INTEGER NOT NULL, not_after INTEGER NOT NULL,"
    " " COLUMN_PUBLISHED ", " COLUMN_DROPPED ") STRICT",
    "CREATE TABLE host_key("
    " number INTEGER PRIMARY KEY CHECK(number BETWEEN 1 AND 4294967295),"
    " sealed BLOB NOT NULL CHECK(length(sealed) = 76),"
    " level INTEGER NOT NULL CHECK(level BETWEEN 1 AND 255),"
    " lines INTEGER NOT NULL CHECK(lines BETWEEN 1 AND 255),"
    " customer TEXT NOT NULL,"
    " hosts INTEGER NOT NULL CHECK(hosts BETWEEN 1 AND 255),"
    " reactivations INTEGER NOT NULL CHECK(reactivations >= 0),"
    " releases INTEGER NOT NULL CHECK(releases >= 0),"
    " releases_used INTEGER NOT NULL DEFAULT 0,"
    " issued INTEGER NOT NULL, is_revoked INTEGER NOT NULL DEFAULT 0,"
    " " COLUMN_WRONG ") STRICT",
    TABLE_SLOT,
    TABLE_HOST,
    "CREATE TABLE revocation("
    " key_number INTEGER NOT NULL, slot INTEGER NOT NULL,"
    " activation INTEGER NOT NULL,"
    " day INTEGER NOT NULL CHECK(day BETWEEN 0 AND 65535),"
    " PRIMARY KEY(key_number, slot, activation)) STRICT, WITHOUT ROWID",
    "CREATE TABLE catalogue("
    " serial INTEGER PRIMARY KEY, imported INTEGER NOT NULL,"
    " file BLOB NOT NULL) STRICT",
    "CREATE TABLE audit("
    " number INTEGER PRIMARY KEY CHECK(number > 0), at INTEGER NOT NULL,"
    " act TEXT NOT NULL, detail TEXT NOT NULL,"
    " previous BLOB NOT NULL CHECK(length(previous) = 32),"
    " hash BLOB NOT NULL CHECK(length(hash) = 32)) STRICT",
    "CREATE TRIGGER audit_stays BEFORE DELETE ON audit"
    " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER audit_holds BEFORE UPDATE ON audit"
    " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    NULL,
};

static const char *const from_1[] = {
    "ALTER TABLE host_key ADD COLUMN " COLUMN_WRONG,
    "ALTER TABLE slot RENAME TO slot_1",
    "ALTER TABLE host RENAME TO host_1",
    TABLE_SLOT,
    TABLE_HOST,
    "INSERT INTO slot SELECT key_number, slot, activation, hold, "
    "reactivations, fingerprint_of(host_pk) FROM slot_1",
    "INSERT INTO host SELECT key_number, fingerprint_of(host_pk), name, "
    "counter, body, issuer, issued_day, certificate FROM host_1",
    "DROP TABLE slot_1",
    "DROP TABLE host_1",
    NULL,
};

/* There was one issuing key, and every catalogue has it. */
static const char *const from_2[] = {
    "ALTER TABLE issuer ADD COLUMN " COLUMN_PUBLISHED,
    "ALTER TABLE issuer ADD COLUMN " COLUMN_DROPPED,
    "UPDATE issuer SET is_published = 1",
    NULL,
};

static int
run(sqlite3 *db, const char *const *statements)
{
	int err = 0;

	for (size_t i = 0; statements[i] != NULL && err == 0; i++)
		err = db_exec(db, statements[i], "");
	return err;
}

static int
set_pragma(sqlite3 *db, const char *name, int value)
{
	char text[PRAGMA_MAX];

	(void)snprintf(text, sizeof(text), "PRAGMA %s = %d", name, value);
	return db_exec(db, text, "");
}

int
schema_create(sqlite3 *db, int application_id)
{
	int err = set_pragma(db, "application_id", application_id);

	if (err == 0)
		err = set_pragma(db, "user_version", SCHEMA_VERSION);
	return err == 0 ? run(db, tables) : err;
}

static void
fingerprint_of(sqlite3_context *context, int n, sqlite3_value **values)
{
	uint8_t print[CERT_FINGERPRINT_LEN];
	const void *pk = sqlite3_value_blob(values[0]);

	(void)n;
	if (pk == NULL || sqlite3_value_bytes(values[0]) != PUBKEY_LEN) {
		sqlite3_result_error(context, "no public key", -1);
		return;
	}
	cert_fingerprint(pk, print);
	sqlite3_result_blob(context, print, sizeof(print), SQLITE_TRANSIENT);
}

static int
version_of(sqlite3 *db, int *version_out)
{
	sqlite3_stmt *st = NULL;
	int err = db_query(db, &st, "PRAGMA user_version", "");

	if (err == 0)
		err = db_row(st);
	if (err == 1) {
		*version_out = sqlite3_column_int(st, 0);
		err = 0;
	}
	db_done(st);
	return err;
}

int
schema_upgrade(sqlite3 *db)
{
	int version = 0;
	int err;

	err = sqlite3_create_function(db, "fingerprint_of", 1,
	          SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, fingerprint_of,
	          NULL, NULL) == SQLITE_OK
	    ? db_begin(db)
	    : MUSTER_E_NOMEM;
	if (err == 0)
		err = version_of(db, &version);
	if (err == 0 && (version < 1 || version > SCHEMA_VERSION))
		err = MUSTER_E_SCHEMA;
	if (err == 0 && version < SCHEMA_VERSION)
		err = copy_old(db, version);
	if (err == 0 && version < 2)
		err = run(db, from_1);
	if (err == 0 && version < 3)
		err = run(db, from_2);
	if (err == 0)
		err = set_pragma(db, "user_version", SCHEMA_VERSION);
	if (err == 0)
		err = db_commit(db);
	if (err != 0)
		db_rollback(db);
	return err;
}
