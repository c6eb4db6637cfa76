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

/* When the server was started, in microseconds: no two runs have the same. */
static int
ask_run(struct pg_store *p, int64_t *run_out)
{
	static const char text[] =
	    "SELECT (extract(epoch FROM pg_postmaster_start_time())"
	    " * 1000000)::bigint";
	PGresult *res = NULL;
	int err = MUSTER_E_CONNECT;

	if (PQsendQueryParams(p->link.conn, text, 0, NULL, NULL, NULL, NULL,
	        1) != 0)
		err = pg_sync(&p->link);
	if (err == 0)
		err = pg_take(&p->link, &res);
	if (err == 0 && !pg_number(res, 0, 0, INT64_MAX, run_out))
		err = pg_damaged(p, "the server's start");
	PQclear(res);
	return err == 0 ? pg_drain(&p->link) : err;
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
	int64_t run = 0;
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
		err = ask_run(p, &run);
	if (err != 0) {
		pg_link_close(&p->link);
		pg_back_off(p);
		return err;
	}
	note_server(p);
	for (uint32_t i = 0; i < p->base.n_caches; i++) {
		p->groups[i].is_known = false;
		/* it is another server, and what this one says counts */
		if (run != p->run)
			p->groups[i].is_current = false;
	}
	p->run = run;
	return 0;
}
