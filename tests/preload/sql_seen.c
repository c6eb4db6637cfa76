/* SPDX-License-Identifier: MIT */
/*
 * sql_seen.c -- preloaded into a program: the file that MUSTER_SQL_SEEN names
 * gets a line for each SQL statement that begins, and for each row of it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#define ROW 100

struct sqlite3_stmt;

typedef int (*on_stmt)(struct sqlite3_stmt *);
typedef const char *(*on_text)(struct sqlite3_stmt *);

static void
note(const char *line)
{
	const char *name = getenv("MUSTER_SQL_SEEN");
	FILE *f = name == NULL ? NULL : fopen(name, "a");

	if (f == NULL)
		return;
	(void)fprintf(f, "%s\n", line);
	(void)fclose(f);
}

int
sqlite3_step(struct sqlite3_stmt *st)
{
	on_stmt next = (on_stmt)dlsym(RTLD_NEXT, "sqlite3_step");
	on_stmt is_busy = (on_stmt)dlsym(RTLD_NEXT, "sqlite3_stmt_busy");
	on_text sql = (on_text)dlsym(RTLD_NEXT, "sqlite3_sql");
	int rc;

	if (!is_busy(st))
		note(sql(st));
	rc = next(st);
	if (rc == ROW)
		note("row");
	return rc;
}
