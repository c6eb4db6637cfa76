/* SPDX-License-Identifier: MIT */
/* sqlite_schema.c -- the tables and the statements; see sqlite.h. */
#include "store/sqlite.h"

#define STR_(x) #x
#define STR(x) STR_(x)

#define CLIENT_TYPES                                                     \
	"publisher BLOB NOT NULL CHECK(length(publisher) = 16),"         \
	"product BLOB NOT NULL CHECK(length(product) = 16),"             \
	"cmid BLOB NOT NULL CHECK(length(cmid) = 16),"                   \
	"machine BLOB NOT NULL CHECK(length(machine) = 16),"             \
	"name TEXT NOT NULL, state INTEGER NOT NULL,"                    \
	"threshold INTEGER NOT NULL, first INTEGER NOT NULL,"            \
	"last INTEGER NOT NULL, count INTEGER NOT NULL,"                 \
	"contacts INTEGER NOT NULL CHECK(contacts > 0),"                 \
	"address BLOB NOT NULL CHECK(length(address) = 16),"             \
	"is_duplicate INTEGER NOT NULL,"                                 \
	"other_machine BLOB NOT NULL CHECK(length(other_machine) = 16)," \
	"other_name TEXT NOT NULL,"                                      \
	"chain BLOB NOT NULL CHECK(length(chain) = 50),"                 \
	"chk INTEGER NOT NULL"

#define GRANTED "granted INTEGER NOT NULL DEFAULT 0"

#define CLIENT_KEY "publisher, product, cmid"
#define COLUMNS_3                                                           \
	CLIENT_KEY ", machine, name, state, threshold, first, last, count," \
	           "contacts, address, is_duplicate, other_machine,"        \
	           "other_name, chain, chk"
#define CLIENT_COLUMNS COLUMNS_3 ", granted"

#define GRP_TABLE                                          \
	"CREATE TABLE grp (publisher BLOB NOT NULL"        \
	" CHECK(length(publisher) = 16),"                  \
	"grp INTEGER NOT NULL, capacity INTEGER NOT NULL," \
	"seq INTEGER NOT NULL, chk INTEGER NOT NULL,"      \
	"PRIMARY KEY (publisher, grp)) STRICT, WITHOUT ROWID;"

/* A record's place follows from its seq: what is newest stands at the end. */
#define CACHE_TABLE                                                          \
	"CREATE TABLE cache (publisher BLOB NOT NULL, grp INTEGER NOT NULL," \
	"cmid BLOB NOT NULL CHECK(length(cmid) = 16), seq INTEGER NOT NULL," \
	"seen INTEGER NOT NULL, chk INTEGER NOT NULL,"                       \
	"PRIMARY KEY (publisher, grp, seq)) STRICT, WITHOUT ROWID;"

#define JOURNAL_TABLE                                                        \
	"CREATE TABLE journal (seq INTEGER PRIMARY KEY, n INTEGER NOT NULL," \
	"batch BLOB NOT NULL, chk INTEGER NOT NULL) STRICT;"

#define MARK                                                    \
	"PRAGMA application_id = " STR(                         \
	    STORE_APPLICATION_ID) ";"                           \
	                          "PRAGMA user_version = " STR( \
	                              STORE_SCHEMA) ";"

static const char schema[] = GRP_TABLE CACHE_TABLE
    "CREATE TABLE client (" CLIENT_TYPES "," GRANTED
    ", PRIMARY KEY (" CLIENT_KEY ")) STRICT, WITHOUT ROWID;"
    "CREATE INDEX client_last ON client (contacts > 1, last);" JOURNAL_TABLE
        MARK;

/* Those seen once and those seen again stand apart in the index: SQLite walks
 * both and merges.  ?1 to ?4: behind this row. */
#define BEHIND(again, than)                                                   \
	"SELECT " CLIENT_COLUMNS " FROM client WHERE (contacts > 1) = " again \
	" AND last " than "= ?1 AND (last, " CLIENT_KEY ") " than             \
	" (?1, ?2, ?3, ?4)"
#define IN_ORDER(way) " ORDER BY last " way ", 1 " way ", 2 " way ", 3 " way

#define UPSERT_3                                                             \
	" ON CONFLICT (" CLIENT_KEY ") DO UPDATE SET"                        \
	" machine = excluded.machine, name = excluded.name,"                 \
	" state = excluded.state, threshold = excluded.threshold,"           \
	" first = excluded.first, last = excluded.last,"                     \
	" count = excluded.count, contacts = excluded.contacts,"             \
	" address = excluded.address, is_duplicate = excluded.is_duplicate," \
	" other_machine = excluded.other_machine,"                           \
	" other_name = excluded.other_name, chain = excluded.chain,"         \
	" chk = excluded.chk"
#define CLIENT_UPSERT UPSERT_3 ", granted = excluded.granted"

/* Schema 4 has the time of the answer that is in force; what it is in a row of
 * an earlier one, client_see_granted() says.  In schema 2 `is_duplicate` was 0
 * or 1; from 3 on it is the time at which two machines were told apart last, so
 * that a mark of schema 2 is one of long ago.
 * In schema 1 the journal had a row for each request, and a record of the
 * cache stood under its CMID. */
static const char to_4[] = "ALTER TABLE client ADD COLUMN " GRANTED ";" MARK;
static const char from_1[] =
    "INSERT INTO client (" COLUMNS_3 ")"
    " SELECT " COLUMNS_3 " FROM journal WHERE 1 ORDER BY seq" UPSERT_3 ";"
    "DROP TABLE journal;"
    "ALTER TABLE cache RENAME TO cache_1;" CACHE_TABLE
    "INSERT INTO cache SELECT * FROM cache_1;"
    "DROP TABLE cache_1;" JOURNAL_TABLE "ALTER TABLE client ADD COLUMN " GRANTED
    ";" MARK;

const char *const sqlite_statements[ST_N] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_GRP_ALL] = "SELECT publisher, grp, capacity, seq, chk FROM grp",
    [ST_GRP_PUT] =
        "INSERT INTO grp (publisher, grp, capacity, seq, chk)"
        " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (publisher, grp)"
        " DO UPDATE SET capacity = excluded.capacity, seq = excluded.seq,"
        " chk = excluded.chk",
    [ST_CACHE_ALL] = "SELECT publisher, grp, cmid, seq, seen, chk FROM cache"
                     " ORDER BY seq",
    [ST_CACHE_PUT] =
        "INSERT INTO cache (publisher, grp, cmid, seq, seen, chk)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (publisher, grp, seq)"
        " DO UPDATE SET seen = excluded.seen, chk = excluded.chk",
    [ST_CACHE_DELETE] = "DELETE FROM cache"
                        " WHERE publisher = ?1 AND grp = ?2 AND seq = ?3",
    [ST_CACHE_BELOW] = "DELETE FROM cache"
                       " WHERE publisher = ?1 AND grp = ?2 AND seq < ?3",
    [ST_CLIENT_GET] = "SELECT " CLIENT_COLUMNS " FROM client"
                      " WHERE publisher = ?1 AND product = ?2 AND cmid = ?3",
    [ST_CLIENT_ALL] = "SELECT " CLIENT_COLUMNS " FROM client",
    [ST_CLIENT_PUT] =
        "INSERT INTO client (" CLIENT_COLUMNS ") VALUES"
        " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,"
        " ?16, ?17, ?18)" CLIENT_UPSERT,
    [ST_CLIENT_NEWEST] =
        BEHIND("0", "<") " UNION ALL " BEHIND("1", "<") IN_ORDER("DESC"),
    [ST_CLIENT_OLDEST] =
        BEHIND("0", ">") " UNION ALL " BEHIND("1", ">") IN_ORDER("ASC"),
    [ST_CLIENT_NEXT] = "SELECT " CLIENT_COLUMNS " FROM client"
                       " WHERE (" CLIENT_KEY ") > (?2, ?3, ?4)"
                       " ORDER BY " CLIENT_KEY " LIMIT ?1",
    [ST_CLIENT_COUNT] = "SELECT count(*) FROM client",
    [ST_CLIENT_EXPIRE] =
        "DELETE FROM client WHERE (" CLIENT_KEY ") IN"
        " (SELECT " CLIENT_KEY " FROM client WHERE (contacts > 1) IN (0, 1)"
        " AND last <= ?1 LIMIT ?2) RETURNING " CLIENT_KEY,
    [ST_CLIENT_EVICT] = "DELETE FROM client WHERE (" CLIENT_KEY ") IN"
                        " (SELECT " CLIENT_KEY " FROM client"
                        " ORDER BY contacts > 1, last, " CLIENT_KEY " LIMIT ?1)"
                        " RETURNING " CLIENT_KEY,
    [ST_JOURNAL_ALL] = "SELECT seq, n, batch, chk FROM journal ORDER BY seq",
    [ST_JOURNAL_PUT] = "INSERT INTO journal (seq, n, batch, chk)"
                       " VALUES (?1, ?2, ?3, ?4)",
    [ST_JOURNAL_CUT] = "DELETE FROM journal WHERE seq <= ?1",
};

static bool
in_transaction(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return false;
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		return true;
	/* closing undoes it; what failed is still said by the handle */
	return false;
}

bool
sqlite_make_tables(sqlite3 *db)
{
	return in_transaction(db, schema);
}

bool
sqlite_upgrade(sqlite3 *db, int from)
{
	return in_transaction(db, from == 1 ? from_1 : to_4);
}
