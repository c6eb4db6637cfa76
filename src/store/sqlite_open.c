/* SPDX-License-Identifier: MIT */
/*
 * sqlite_open.c -- opening the database file, or saying why not.
 *
 * Another daemon is kept out by flock() on FILE.lock, which ends with its
 * holder; a person with sqlite3(1) may read meanwhile.
 */
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

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
	"chain BLOB NOT NULL CHECK(length(chain) = 50)"

#define CLIENT_KEY "publisher, product, cmid"
#define CLIENT_COLUMNS                                                      \
	CLIENT_KEY ", machine, name, state, threshold, first, last, count," \
	           "contacts, address, is_duplicate, other_machine,"        \
	           "other_name, chain"

static const char schema[] =
    "CREATE TABLE grp (publisher BLOB NOT NULL CHECK(length(publisher) = 16),"
    "grp INTEGER NOT NULL, capacity INTEGER NOT NULL, seq INTEGER NOT NULL,"
    "PRIMARY KEY (publisher, grp)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE cache (publisher BLOB NOT NULL, grp INTEGER NOT NULL,"
    "cmid BLOB NOT NULL CHECK(length(cmid) = 16), seq INTEGER NOT NULL,"
    "seen INTEGER NOT NULL,"
    "PRIMARY KEY (publisher, grp, cmid)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE client (" CLIENT_TYPES ", PRIMARY KEY (" CLIENT_KEY
    ")) STRICT, WITHOUT ROWID;"
    "CREATE INDEX client_last ON client (contacts > 1, last);"
    "CREATE TABLE journal (seq INTEGER PRIMARY KEY, " CLIENT_TYPES ") STRICT;"
    "PRAGMA application_id = " STR(
        STORE_APPLICATION_ID) ";"
                              "PRAGMA user_version = " STR(STORE_SCHEMA) ";";

static const char *const statements[ST_N] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
    [ST_GRP_ALL] = "SELECT publisher, grp, capacity, seq FROM grp",
    [ST_GRP_PUT] =
        "INSERT INTO grp (publisher, grp, capacity, seq)"
        " VALUES (?1, ?2, ?3, ?4) ON CONFLICT (publisher, grp)"
        " DO UPDATE SET capacity = excluded.capacity, seq = excluded.seq",
    [ST_CACHE_ALL] = "SELECT publisher, grp, cmid, seq, seen FROM cache"
                     " ORDER BY seq",
    [ST_CACHE_PUT] =
        "INSERT INTO cache (publisher, grp, cmid, seq, seen)"
        " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (publisher, grp, cmid)"
        " DO UPDATE SET seq = excluded.seq, seen = excluded.seen",
    [ST_CACHE_DELETE] = "DELETE FROM cache"
                        " WHERE publisher = ?1 AND grp = ?2 AND cmid = ?3",
    [ST_CLIENT_GET] = "SELECT " CLIENT_COLUMNS " FROM client"
                      " WHERE publisher = ?1 AND product = ?2 AND cmid = ?3",
    [ST_CLIENT_ALL] = "SELECT " CLIENT_COLUMNS " FROM client",
    [ST_CLIENT_COUNT] = "SELECT count(*) FROM client",
    [ST_CLIENT_EXPIRE] =
        "DELETE FROM client WHERE (" CLIENT_KEY ") IN"
        " (SELECT " CLIENT_KEY " FROM client WHERE (contacts > 1) IN (0, 1)"
        " AND last <= ?1 LIMIT ?2)",
    [ST_CLIENT_EVICT] =
        "DELETE FROM client WHERE (" CLIENT_KEY ") IN"
        " (SELECT " CLIENT_KEY " FROM client"
        " ORDER BY contacts > 1, last, " CLIENT_KEY " LIMIT ?1)",
    [ST_JOURNAL_ALL] = "SELECT " CLIENT_COLUMNS ", seq FROM journal"
                       " ORDER BY seq",
    [ST_JOURNAL_PUT] =
        "INSERT INTO journal (" CLIENT_COLUMNS ", seq) VALUES"
        " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,"
        " ?16, ?17)",
    [ST_JOURNAL_MERGE] =
        "INSERT INTO client (" CLIENT_COLUMNS ")"
        " SELECT " CLIENT_COLUMNS " FROM journal WHERE seq < ?1 ORDER BY seq"
        " ON CONFLICT (" CLIENT_KEY ") DO UPDATE SET"
        " machine = excluded.machine, name = excluded.name,"
        " state = excluded.state, threshold = excluded.threshold,"
        " first = excluded.first, last = excluded.last,"
        " count = excluded.count, contacts = excluded.contacts,"
        " address = excluded.address, is_duplicate = excluded.is_duplicate,"
        " other_machine = excluded.other_machine,"
        " other_name = excluded.other_name, chain = excluded.chain",
    [ST_JOURNAL_CUT] = "DELETE FROM journal WHERE seq < ?1",
};

static __attribute__((format(printf, 2, 3))) void
say(struct store_diag *diag, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(diag->text, sizeof(diag->text), format, ap);
	va_end(ap);
}

static int
lock_file(struct sqlite_store *q, const char *path, struct store_diag *diag)
{
	char name[FILE_PATH_MAX];
	int n = snprintf(name, sizeof(name), "%s.lock", path);

	/* SQLite gives names that begin with a colon meanings of its own */
	if (n < 0 || (size_t)n >= sizeof(name) || path[0] == ':' ||
	    path[0] == '\0') {
		say(diag, "%.100s: not a usable name for a database", path);
		return MUSTER_E_IO;
	}
	q->lock_fd = open(name,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (q->lock_fd < 0) {
		say(diag, "%s: %s; is its folder there and ours to write?",
		    name, strerror(errno));
		return MUSTER_E_IO;
	}
	if (flock(q->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	/* any other reason, such as a file system without locks, is the same */
	say(diag, "%s: another musterd has it (%s); stop that one first", path,
	    strerror(errno));
	return MUSTER_E_LOCKED;
}

/* A regular file that is ours and that only we can read; made if need be. */
static int
check_file(const char *path, struct store_diag *diag)
{
	struct stat st;
	int fd;
	int err = 0;

	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		say(diag, "%s: not a regular file; move it away", path);
		return MUSTER_E_IO;
	}
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    0600);
	if (fd < 0) {
		say(diag, "%s: cannot be opened or made: %s", path,
		    strerror(errno));
		return MUSTER_E_IO;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_uid != geteuid() || fchmod(fd, 0600) != 0) {
		say(diag,
		    "%s: must be a regular file of the user %lu with mode "
		    "0600; chown it, or start musterd as its owner",
		    path, (unsigned long)geteuid());
		err = MUSTER_E_IO;
	}
	(void)close(fd);
	return err;
}

/* Does the header look like one of ours?  For SQLite refuses it. */
static bool
was_ours(const char *path)
{
	static const uint8_t id[4] = {0x4d, 0x55, 0x53, 0x54};
	static const uint8_t magic[16] = "SQLite format 3";
	uint8_t head[100] = {0};
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head));

	if (fd >= 0)
		(void)close(fd);
	return n > 0 &&
	    (memcmp(head + 68, id, sizeof(id)) == 0 ||
	        memcmp(head, magic, n < 16 ? (size_t)n : 16) == 0);
}

static bool
is_out_of_memory(const struct sqlite_store *q)
{
	return (sqlite3_errcode(q->db) & 0xff) == SQLITE_NOMEM;
}

/* What opening returns for what SQLite says of a file. */
static int
open_fail(struct sqlite_store *q, const char *path, const char *what,
    struct store_diag *diag)
{
	bool is_nomem = is_out_of_memory(q);
	int err = sqlite_fail(q, what);

	switch (err) {
	case MUSTER_E_AGAIN:
		err = is_nomem ? MUSTER_E_NOMEM : MUSTER_E_LOCKED;
		say(diag, "%.80s: %.160s", path, q->base.diag.text);
		break;
	case MUSTER_E_DAMAGED:
		if (was_ours(path)) {
			say(diag, "%.80s: damaged; restore a backup: %.120s",
			    path, q->base.diag.text);
		} else {
			say(diag, "%.80s: not a database of Muster: %.120s",
			    path, q->base.diag.text);
			err = MUSTER_E_SCHEMA;
		}
		break;
	default:
		say(diag, "%.80s: %.160s", path, q->base.diag.text);
		err = MUSTER_E_IO;
		break;
	}
	return err;
}

/* The first column of the first row, as text; false on failure. */
static bool
ask(sqlite3 *db, const char *sql, char *out, size_t cap)
{
	sqlite3_stmt *st = NULL;
	bool is_good = false;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW) {
		const unsigned char *text = sqlite3_column_text(st, 0);

		/* none of what is asked is NULL, but memory may run out */
		is_good = text != NULL;
		(void)snprintf(out, cap, "%s",
		    is_good ? (const char *)text : "");
	}
	/* gives the step's error again, so errmsg stays what it was */
	(void)sqlite3_finalize(st);
	return is_good;
}

/*
 * SQLite takes what is missing of the last page for zeros.  A copy that was
 * cut there shows once the log is in the file; `size` is then the whole.
 */
static int
check_size(struct sqlite_store *q, const char *path, struct store_diag *diag)
{
	char busy[32], pages[32], page_size[32];
	struct stat st;

	if (!ask(q->db, "PRAGMA wal_checkpoint(TRUNCATE)", busy,
	        sizeof(busy)) ||
	    !ask(q->db, "PRAGMA page_count", pages, sizeof(pages)) ||
	    !ask(q->db, "PRAGMA page_size", page_size, sizeof(page_size)))
		return open_fail(q, path, "merging the log", diag);
	if (strcmp(busy, "0") != 0) /* a reader holds it: no harm */
		return 0;
	if (lstat(path, &st) != 0 ||
	    st.st_size <
	        strtoll(pages, NULL, 10) * strtoll(page_size, NULL, 10)) {
		say(diag, "%.120s: cut short; restore a backup", path);
		return MUSTER_E_DAMAGED;
	}
	return 0;
}

static int
check_schema(struct sqlite_store *q, const char *path, struct store_diag *diag)
{
	char id[32], version[32], tables[32], verdict[128];

	if (!ask(q->db, "PRAGMA application_id", id, sizeof(id)) ||
	    !ask(q->db, "PRAGMA user_version", version, sizeof(version)) ||
	    !ask(q->db, "SELECT count(*) FROM sqlite_schema", tables,
	        sizeof(tables)))
		return open_fail(q, path, "reading the header", diag);
	if (strcmp(id, "0") == 0 && strcmp(version, "0") == 0 &&
	    strcmp(tables, "0") == 0) {
		/* new, or its making was interrupted */
		if (sqlite3_exec(q->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) !=
		        SQLITE_OK ||
		    sqlite3_exec(q->db, schema, NULL, NULL, NULL) !=
		        SQLITE_OK ||
		    sqlite3_exec(q->db, "COMMIT", NULL, NULL, NULL) !=
		        SQLITE_OK ||
		    sqlite3_exec(q->db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL,
		        NULL, NULL) != SQLITE_OK)
			return open_fail(q, path, "making the tables", diag);
		return 0;
	}
	if (strtoll(id, NULL, 10) != STORE_APPLICATION_ID) {
		say(diag, "%s: a database of another program (id %s)", path,
		    id);
		return MUSTER_E_SCHEMA;
	}
	if (strtoll(version, NULL, 10) != STORE_SCHEMA) {
		say(diag, "%s: schema %s, this musterd has %d; use its own",
		    path, version, STORE_SCHEMA);
		return MUSTER_E_SCHEMA;
	}
	if (!ask(q->db, "PRAGMA quick_check(1)", verdict, sizeof(verdict)))
		return open_fail(q, path, "checking the database", diag);
	if (strcmp(verdict, "ok") != 0) {
		say(diag, "%.80s: damaged; restore a backup: %.100s", path,
		    verdict);
		return MUSTER_E_DAMAGED;
	}
	return check_size(q, path, diag);
}

static int
open_database(struct sqlite_store *q, const char *path, struct store_diag *diag)
{
	char mode[16];
	int err = 0;

	if (sqlite3_open_v2(path, &q->db,
	        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return q->db == NULL ? MUSTER_E_NOMEM
		                     : open_fail(q, path, "opening", diag);
	(void)sqlite3_extended_result_codes(q->db, 1);
	(void)sqlite3_busy_timeout(q->db, STORE_BUSY_MS);
	(void)sqlite3_db_config(q->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(q->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	if (sqlite3_exec(q->db, "PRAGMA cell_size_check = ON", NULL, NULL,
	        NULL) != SQLITE_OK ||
	    !ask(q->db, "PRAGMA journal_mode = WAL", mode, sizeof(mode)) ||
	    sqlite3_exec(q->db, "PRAGMA synchronous = FULL", NULL, NULL,
	        NULL) != SQLITE_OK)
		return open_fail(q, path, "opening", diag);
	if (strcmp(mode, "wal") != 0) {
		say(diag, "%s: no write-ahead log here (mode %s)", path, mode);
		return MUSTER_E_IO;
	}
	err = check_schema(q, path, diag);
	for (int i = 0; i < ST_N && err == 0; i++) {
		if (sqlite3_prepare_v3(q->db, statements[i], -1,
		        SQLITE_PREPARE_PERSISTENT, &q->st[i],
		        NULL) != SQLITE_OK) {
			err = open_fail(q, path, "preparing", diag);
			/* ours by its id, yet without our tables */
			if (err == MUSTER_E_IO)
				err = MUSTER_E_SCHEMA;
		}
	}
	return err;
}

/* Load everything, and merge what the last run has left in the journal. */
static int
open_rows(struct sqlite_store *q, const char *path, struct store_diag *diag)
{
	struct store *s = &q->base;
	int err = clients_grow(&q->overlay, STORE_JOURNAL_MAX);

	if (err == 0)
		err = sqlite_load(q);
	if (err == 0)
		err = s->ops->begin(s);
	if (err == 0)
		err = inventory_merge(q, STORE_JOURNAL_MAX);
	if (err == 0)
		err = s->ops->commit(s);
	switch (err) {
	case 0:
	case MUSTER_E_NOMEM:
	case MUSTER_E_DAMAGED:
		break;
	case MUSTER_E_AGAIN:
		err = is_out_of_memory(q) ? MUSTER_E_NOMEM : MUSTER_E_LOCKED;
		break;
	default:
		err = MUSTER_E_IO;
		break;
	}
	if (err != 0)
		say(diag, "%.80s: %.160s", path,
		    err == MUSTER_E_NOMEM ? muster_strerror(err)
		                          : s->diag.text);
	return err;
}

int
store_open_sqlite(const char *path, struct store **store_out,
    struct store_diag *diag)
{
	struct sqlite_store *q = calloc(1, sizeof(*q));
	int err = 0;

	diag->text[0] = '\0';
	if (q == NULL)
		return MUSTER_E_NOMEM;
	q->base.ops = &sqlite_ops;
	q->lock_fd = -1;
	store_set_limits(&q->base, STORE_INVENTORY_MAX, STORE_RETENTION_DAYS);
	err = lock_file(q, path, diag);
	if (err == 0)
		err = check_file(path, diag);
	if (err == 0)
		err = open_database(q, path, diag);
	if (err == 0)
		err = open_rows(q, path, diag);
	if (err != 0) {
		/* store_close() must not try to write any more */
		q->base.failed = err;
		store_close(&q->base);
		return err;
	}
	*store_out = &q->base;
	return 0;
}
