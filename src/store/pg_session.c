/* SPDX-License-Identifier: MIT */
/* pg_session.c -- the session that batches have, and its server; see pg.h. */
#include "store/pg.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

int64_t
pg_wait_ms(int64_t wait_ms, uint32_t draw)
{
	return wait_ms - draw % (wait_ms / PG_WAIT_CHANCE + 1);
}

void
pg_back_off(struct pg_store *p)
{
	p->retry_ms =
	    clock_mono_ms() + pg_wait_ms(p->wait_ms, randombytes_random());
	p->wait_ms *= 2;
	if (p->wait_ms > PG_WAIT_MAX_MS)
		p->wait_ms = PG_WAIT_MAX_MS;
}

/*
 * Microseconds when the server was started, of which no two runs have the
 * same; which session this is, and when it began, since a number comes again;
 * and whether one may write into the log what is no change.
 */
static int
ask_session(struct pg_store *p, struct pg_session *out)
{
	static const char text[] =
	    "SELECT (extract(epoch FROM pg_postmaster_start_time())"
	    " * 1000000)::bigint, pid::bigint,"
	    " (extract(epoch FROM backend_start) * 1000000)::bigint,"
	    " (SELECT count(*) FROM pg_catalog.pg_proc WHERE proname"
	    " = 'pg_logical_emit_message'"
	    " AND oidvectortypes(proargtypes) LIKE 'boolean, text, text%'"
	    " AND has_function_privilege(oid, 'EXECUTE'))"
	    " FROM pg_stat_activity WHERE pid = pg_backend_pid()";
	PGresult *res = NULL;
	int64_t n = 0;
	int err = pg_ask_text(&p->link, text, &res);

	if (err == 0 &&
	    (!pg_number(res, 0, 0, INT64_MAX, &out->run) ||
	        !pg_number(res, 0, 1, INT64_MAX, &out->pid) ||
	        !pg_number(res, 0, 2, INT64_MAX, &out->begun_us) ||
	        !pg_number(res, 0, 3, INT64_MAX, &n)))
		err = pg_damaged(p, "the server's start");
	out->is_early = n > 0;
	PQclear(res);
	return err == 0 ? pg_drain(&p->link) : err;
}

/*
 * A session that this host has given up may be waiting still: for a standby, or
 * with its locks for a network that is gone.  Others of it would follow, until
 * the server has no connection left.
 */
static int
end_earlier(struct pg_store *p)
{
	PGresult *res = NULL;
	char text[320];
	int err;

	(void)snprintf(text, sizeof(text),
	    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
	    " WHERE pid = %lld AND pid <> pg_backend_pid()"
	    " AND usename = current_user AND"
	    " (extract(epoch FROM backend_start) * 1000000)::bigint = %lld",
	    (long long)p->session.pid, (long long)p->session.begun_us);
	err = pg_ask_text(&p->link, text, &res);
	PQclear(res);
	/* who may not do so goes on all the same */
	return p->link.conn != NULL ? pg_drain(&p->link) : err;
}

/*
 * What is new of it.  Copies of another server, or of another run, are none; and
 * where a process of a server dies, all sessions end and what was not on disk is
 * gone, in what it calls the same run: a copy is good as far as our own last
 * commit has proved it, and what was only read since may be somebody else's now.
 */
static void
note_session(struct pg_store *p, const struct pg_session *now)
{
	bool is_same = now->run == p->session.run;
	/* what this server has refused once it would refuse again */
	bool is_early = is_same ? p->session.is_early : now->is_early;

	for (uint32_t i = 0; i < p->base.n_caches; i++) {
		struct pg_group *g = &p->groups[i];

		g->is_known = false;
		if (!is_same || g->proved != p->base.caches[i]->seq ||
		    g->proved_epoch != g->epoch)
			g->is_current = false;
	}
	p->session = *now;
	p->session.is_early = is_early;
}

/* Which server the batches go to; none while there is no connection. */
static void
note_server(struct pg_store *p)
{
	char server[STORE_SERVER_MAX] = "";

	if (p->link.conn != NULL)
		(void)snprintf(server, sizeof(server), "%.255s:%.31s",
		    PQhost(p->link.conn), PQport(p->link.conn));
	(void)pthread_mutex_lock(&p->aside->lock);
	memcpy(p->aside->server, server, sizeof(server));
	(void)pthread_mutex_unlock(&p->aside->lock);
}

void
pg_server(const struct store *s, char *out)
{
	struct pg_aside *aside = ((const struct pg_store *)s)->aside;

	(void)pthread_mutex_lock(&aside->lock);
	memcpy(out, aside->server, sizeof(aside->server));
	(void)pthread_mutex_unlock(&aside->lock);
}

int
pg_connect(struct pg_store *p)
{
	struct pg_session now = {.run = 0};
	int64_t now_ms = clock_mono_ms();
	int err;

	if (pg_link_is_alive(&p->link))
		return 0;
	note_server(p);
	if (now_ms < p->retry_ms)
		return MUSTER_E_AGAIN; /* the diag of the last attempt holds */
	err = pg_link_open(&p->link, p->address, p->schema);
	if (err == 0)
		err = pg_link_prepare(&p->link, p->schema);
	if (err == 0)
		err = ask_session(p, &now);
	if (err == 0 && now.run == p->session.run)
		err = end_earlier(p);
	if (err != 0) {
		pg_link_close(&p->link);
		pg_back_off(p);
		return err;
	}
	note_server(p);
	note_session(p, &now);
	return 0;
}
