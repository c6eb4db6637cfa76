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

/* Reading a whole table costs more than anything where indexes are preferred,
 * and must not have the server make machine code for it. */
static inline void
test_b11_no_code_is_made_for_a_connection(void)
{
	struct store_diag diag = {{0}};
	struct pg_link link = {.diag = &diag};
	PGresult *res = NULL;

	sql("ALTER ROLE muster_host SET jit TO on");
	is(pg_link_open(&link, address, "muster"), 0);
	is(PQsendQueryParams(link.conn, "SHOW jit", 0, NULL, NULL, NULL, NULL,
	       0),
	    1);
	is(pg_sync(&link), 0);
	is(pg_take(&link, &res), 0);
	ok(res != NULL && strcmp(PQgetvalue(res, 0, 0), "off") == 0);
	PQclear(res);
	pg_link_close(&link);
	sql("ALTER ROLE muster_host RESET jit");
}

#endif /* STORE_SERVER_H */
