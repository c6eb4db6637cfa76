/* SPDX-License-Identifier: MIT */
/* pg_commit.c -- how the transaction of a batch ends; see pg.h. */
#include "store/pg.h"

#include <string.h>

#include "base/clock.h"

int
pg_outcome(int err)
{
	return err == MUSTER_E_CONNECT || err == MUSTER_E_SCHEMA
	    ? MUSTER_E_AGAIN
	    : err;
}

/* Its place in the log is behind the batch's, so its commit waits for both. */
static int
send_flush(struct pg_store *p)
{
	return pg_send_text(&p->link,
	    "SELECT pg_catalog.pg_logical_emit_message(true, 'muster', '')");
}

static int
take_flush(struct pg_store *p)
{
	if (pg_done(&p->link) != 0) {
		/* no right to it, or nothing of the kind: then the plain way */
		p->session.is_early =
		    strstr(p->base.diag.text, "(42") == NULL &&
		    strstr(p->base.diag.text, "(0A") == NULL;
		return MUSTER_E_UNSURE;
	}
	/* the server commits it at the end of the pipeline */
	return pg_drain(&p->link) == 0 && !p->link.has_failed ? 0
	                                                      : MUSTER_E_UNSURE;
}

/* From the moment that COMMIT may have left, no answer means not knowing. */
static int
commit_answers(struct pg_store *p)
{
	PGresult *res = NULL;
	int err = 0;

	for (; p->n_sent > 0 && err == 0; p->n_sent--)
		err = pg_done(&p->link);
	if (err == 0)
		err = pg_done(&p->link); /* PG_EARLY or PG_PATIENCE */
	if (err != 0)
		return err == MUSTER_E_CONNECT ? MUSTER_E_UNSURE : err;
	err = pg_take(&p->link, &res);
	if (err != 0)
		return p->link.conn == NULL ? MUSTER_E_UNSURE : err;
	if (strcmp(PQcmdStatus(res), "COMMIT") != 0) {
		pg_say(&p->base.diag, "PostgreSQL: rolled back instead");
		err = MUSTER_E_AGAIN;
	}
	PQclear(res);
	if (err == 0 && p->session.is_early)
		err = take_flush(p);
	else if (err == 0)
		(void)!pg_drain(&p->link); /* it is committed all the same */
	if (err == 0 && p->link.is_warned) {
		pg_say(&p->base.diag,
		    "PostgreSQL: committed here, and perhaps not on the "
		    "synchronous standby; see to it");
		err = MUSTER_E_UNSURE;
	}
	return err;
}

static void
close_transaction(struct pg_store *p)
{
	p->is_open = p->is_writing = false;
	p->n_sent = 0;
	for (uint32_t i = 0; i < p->base.n_caches; i++)
		p->groups[i].is_locked = p->groups[i].is_written = false;
}

int
pg_commit(struct store *s)
{
	struct pg_store *p = pg_of(s);
	int err;

	if (!p->is_open)
		return 0;
	p->link.is_warned = p->link.has_failed = false;
	err = pg_send(&p->link, p->session.is_early ? PG_EARLY : PG_PATIENCE, 0,
	    NULL, NULL);
	if (err == 0)
		err = pg_send(&p->link, PG_COMMIT, 0, NULL, NULL);
	if (err == 0 && p->session.is_early)
		err = send_flush(p);
	if (err == 0)
		err = pg_sync(&p->link);
	err = err == 0 ? commit_answers(p) : MUSTER_E_UNSURE;
	if (err != 0)
		return err;
	p->write_err = 0;
	for (uint32_t i = 0; i < s->n_caches; i++) {
		if (!p->groups[i].is_written)
			continue;
		p->groups[i].proved = s->caches[i]->seq;
		p->groups[i].proved_epoch = p->groups[i].epoch;
		count_flushed(&s->caches[i]->count);
		s->caches[i]->is_changed = false;
	}
	close_transaction(p);
	return 0;
}

/* End the transaction on the server, or the connection. */
static void
roll_back(struct pg_store *p)
{
	int err = 0;

	p->link.deadline_ms = clock_mono_ms() + PG_ROLLBACK_MS;
	if (p->link.is_unsynced)
		err = pg_sync(&p->link);
	while (err == 0 && p->link.n_syncs > 0)
		err = pg_drain(&p->link);
	if (err == 0)
		err = pg_run(&p->link, PG_ROLLBACK);
	if (err != 0)
		pg_link_close(&p->link);
}

int
pg_rollback(struct store *s, int err)
{
	struct pg_store *p = pg_of(s);
	const struct store_diag cause = s->diag;

	if (p->is_writing) {
		p->write_err = pg_outcome(err);
		p->write_ms = clock_mono_ms();
		p->write_diag = cause;
	}
	/* none is open where a look says only how the last write ended */
	if (p->is_open && (err == MUSTER_E_UNSURE || err == MUSTER_E_CONNECT))
		pg_link_close(&p->link);
	if (p->link.conn != NULL && p->is_open)
		roll_back(p);
	for (uint32_t i = 0; i < s->n_caches; i++) {
		struct cache *c = s->caches[i];

		/* its row may have been this transaction's own */
		if (p->groups[i].is_locked)
			p->groups[i].is_known = false;
		if (!c->is_changed && !count_is_dirty(&c->count))
			continue;
		count_flushed(&c->count);
		c->is_changed = false;
		p->groups[i].is_current = false;
	}
	close_transaction(p);
	s->diag = cause;
	return pg_outcome(err);
}
