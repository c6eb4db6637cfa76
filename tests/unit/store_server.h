/* SPDX-License-Identifier: MIT */
/*
 * store_server.h -- a PostgreSQL server whose tables and clock are a test's
 * own, and hosts on it.
 */
#ifndef STORE_SERVER_H
#define STORE_SERVER_H

#include "store_kit.h"

#include "store/pg.h"

extern const struct module muster_store_postgresql;

static const char *address;
static PGconn *owner;

static void
sql(const char *text)
{
	PGresult *res = PQexec(owner, text);

	if (PQresultStatus(res) != PGRES_COMMAND_OK &&
	    PQresultStatus(res) != PGRES_TUPLES_OK) {
		(void)fprintf(stderr, "%s: %s\n", text, PQerrorMessage(owner));
		abort();
	}
	PQclear(res);
}

static long long
number(const char *text)
{
	PGresult *res = PQexec(owner, text);
	long long n = PQntuples(res) == 1 ? atoll(PQgetvalue(res, 0, 0)) : -1;

	PQclear(res);
	return n;
}

/* Beside what does not ask the server meanwhile. */
static void
set_clock_begin(int64_t now)
{
	char text[80];

	(void)snprintf(text, sizeof(text), "UPDATE now SET at = %lld",
	    (long long)now);
	if (PQsendQuery(owner, text) == 0)
		abort();
}

static void
set_clock_end(void)
{
	PGresult *res;

	while ((res = PQgetResult(owner)) != NULL) {
		if (PQresultStatus(res) != PGRES_COMMAND_OK)
			abort();
		PQclear(res);
	}
}

static void
set_clock(int64_t now)
{
	set_clock_begin(now);
	set_clock_end();
}

static void
fresh_server(void)
{
	sql("TRUNCATE grp, cache, client");
}

static void
own_clock(void)
{
	sql("SET search_path TO muster");
	sql("SET synchronous_commit TO off");
	sql("CREATE TABLE IF NOT EXISTS now (at bigint)");
	sql("TRUNCATE now");
	sql("INSERT INTO now VALUES (0)");
	sql("GRANT SELECT ON now TO muster_host");
	sql("CREATE OR REPLACE FUNCTION clock() RETURNS bigint LANGUAGE sql"
	    " VOLATILE AS 'SELECT at FROM now'");
}

/* Those of the hosts, to the last of them. */
static void
end_sessions(void)
{
	sql("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
	    " WHERE usename = 'muster_host'");
}

static struct store *
open_host(uint32_t capacity)
{
	struct store_diag diag = {{0}};
	struct store *s = NULL;
	int err = muster_store_postgresql.open(address, "muster", &s, &diag);

	if (err != 0 || diag.text[0] != '\0') {
		(void)fprintf(stderr, "open: %s: %s\n", muster_errname(err),
		    diag.text);
		abort();
	}
	for (uint32_t pub = 0; pub < 2; pub++) {
		for (uint32_t g = 1; g <= 2; g++) {
			if (store_reserve(s, kit_publisher[pub], g, capacity) !=
			    0)
				abort();
		}
	}
	return s;
}

#endif /* STORE_SERVER_H */
