/* SPDX-License-Identifier: MIT */
/*
 * pg_keys.c -- the keys that our statements rely on; see pg.h.
 *
 * A restore that failed at its constraints leaves tables without them.  A group
 * or a client is found by its key (ON CONFLICT), so that the server refuses
 * there; but of a cache without one it keeps a place twice, and says nothing.
 */
#include "store/pg.h"

#define GRP_KEY "publisher, grp"
#define CACHE_KEY GRP_KEY ", seq"

int
pg_ask_keys(struct pg_link *link)
{
	/* a table that is missing altogether is found when it is asked */
	static const char text[] =
	    "SELECT name, wanted FROM (VALUES ('grp', '" GRP_KEY "'),"
	    " ('cache', '" CACHE_KEY "'), ('client', '" PG_CLIENT_KEY "'))"
	    " AS keys (name, wanted)"
	    " WHERE to_regclass(name) IS NOT NULL AND NOT EXISTS ("
	    "SELECT FROM pg_index i WHERE i.indrelid = to_regclass(name)"
	    " AND i.indisunique AND i.indisvalid AND i.indimmediate"
	    " AND i.indpred IS NULL"
	    " AND i.indexprs IS NULL AND wanted = ("
	    "SELECT string_agg(a.attname, ', ' ORDER BY place)"
	    " FROM unnest(i.indkey) WITH ORDINALITY AS k (number, place)"
	    " JOIN pg_attribute a"
	    " ON a.attrelid = i.indrelid AND a.attnum = k.number"
	    " WHERE place <= i.indnkeyatts))";

	return pg_send_text(link, text);
}

int
pg_judge_keys(struct pg_link *link, const char *schema)
{
	PGresult *res = NULL;
	int err = pg_take(link, &res);

	if (err == 0 && PQntuples(res) > 0) {
		pg_say(link->diag,
		    "PostgreSQL: table %.63s.%s has lost its key; take out "
		    "what is there twice, then ALTER TABLE ... ADD PRIMARY KEY "
		    "(%s)",
		    schema, PQgetvalue(res, 0, 0), PQgetvalue(res, 0, 1));
		err = MUSTER_E_SCHEMA;
	}
	PQclear(res);
	return err;
}
