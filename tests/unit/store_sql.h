/* SPDX-License-Identifier: MIT */
/* store_sql.h -- a database of SQLite changed by hand, past the store. */
#ifndef MUSTER_STORE_SQL_H
#define MUSTER_STORE_SQL_H

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static inline void
sql_run(sqlite3 *db, const char *sql)
{
	char *text = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK) {
		printf("# %s: %s\n", sql, text);
		abort();
	}
}

static inline sqlite3 *
sql_open(const char *path)
{
	sqlite3 *db = NULL;

	if (sqlite3_open(path, &db) != SQLITE_OK)
		abort();
	return db;
}

/* The file is opened for this alone. */
static inline void
sql_at(const char *path, const char *sql)
{
	sqlite3 *db = sql_open(path);

	sql_run(db, sql);
	(void)sqlite3_close(db);
}

#endif /* MUSTER_STORE_SQL_H */
