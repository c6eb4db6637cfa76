/* SPDX-License-Identifier: MIT */
/*
 * store_breaks.h -- a batch of a shared store that is made to fail: its session
 * ended by another one while it is idle or has its locks, a statement refused,
 * COMMIT refused, or COMMIT done with a warning, which is an unknown outcome.
 */
#ifndef STORE_BREAKS_H
#define STORE_BREAKS_H

#include "store_server.h"

/* To be tried again is to connect anew, for which a busy machine may have no
 * time. */
#define BREAKS_TRIES 20

enum breaks { SOUND, IDLE, LOCKED, STATEMENT, COMMIT, UNSURE, BREAKS };

static struct {
	enum breaks how;
	struct store *host; /* whose batch it is */
	size_t n;           /* items of it */
	unsigned done[BREAKS];
} breaks;

/* What a commit of a group runs into is said in the table `now`. */
static void
breaks_prepare(void)
{
	sql("SET client_min_messages TO warning");
	sql("ALTER TABLE now ADD COLUMN IF NOT EXISTS fails int DEFAULT 0");
	sql("CREATE OR REPLACE FUNCTION at_commit() RETURNS trigger"
	    " LANGUAGE plpgsql AS $$"
	    " DECLARE how int := (SELECT fails FROM now);"
	    " BEGIN"
	    "  IF how = 1 THEN RAISE EXCEPTION 'told to fail'; END IF;"
	    "  IF how = 2 THEN RAISE WARNING 'told to warn'; END IF;"
	    "  RETURN NULL;"
	    " END $$");
	sql("DROP TRIGGER IF EXISTS at_commit ON grp");
	sql("CREATE CONSTRAINT TRIGGER at_commit AFTER UPDATE ON grp"
	    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
	    " EXECUTE FUNCTION at_commit()");
}

/* The session of a host, to its end. */
static void
breaks_kill(struct store *host)
{
	PGconn *conn = pg_of(host)->link.conn;
	char text[80];

	(void)snprintf(text, sizeof(text),
	    "SELECT pg_terminate_backend(%d, 10000)",
	    conn == NULL ? 0 : PQbackendPID(conn));
	sql(text);
}

/* One way after the other. */
static enum breaks
breaks_next(void)
{
	static unsigned n;

	return (enum breaks)(1 + n++ % (BREAKS - 1));
}

static void
breaks_begin(struct store *host, enum breaks how, size_t n)
{
	breaks.how = how;
	breaks.host = host;
	breaks.n = n;
	pg_of(host)->retry_ms = 0; /* the while is over */
	if (how == IDLE)
		breaks_kill(host);
	else if (how == STATEMENT)
		sql("REVOKE INSERT ON client FROM muster_host");
	else if (how == COMMIT || how == UNSURE)
		sql(how == COMMIT ? "UPDATE now SET fails = 1"
		                  : "UPDATE now SET fails = 2");
}

/* The batch has its locks, and has written nothing. */
static size_t
breaks_seal(void *arg)
{
	(void)arg;
	if (breaks.how == LOCKED)
		breaks_kill(breaks.host);
	return breaks.n;
}

static void
breaks_end(void)
{
	if (breaks.how == STATEMENT)
		sql("GRANT INSERT ON client TO muster_host");
	else if (breaks.how == COMMIT || breaks.how == UNSURE)
		sql("UPDATE now SET fails = 0");
}

/* How a batch that was broken so may end; a probe alone writes nothing. */
static bool
breaks_as_told(int err)
{
	bool is_told = err == 0;

	if (breaks.how == LOCKED)
		is_told = err == MUSTER_E_AGAIN || err == MUSTER_E_UNSURE;
	else if (breaks.how == STATEMENT || breaks.how == COMMIT)
		is_told = err == 0 || err == MUSTER_E_AGAIN;
	else if (breaks.how == UNSURE)
		is_told = err == 0 || err == MUSTER_E_UNSURE;
	breaks.done[breaks.how] += breaks.how == IDLE || err != 0;
	if (!is_told)
		printf("# broken in way %d: %s: %s\n", (int)breaks.how,
		    muster_errname(err), store_last_diag(breaks.host)->text);
	return is_told;
}

/*
 * A batch of one host, broken as `how` says; 0: it came to an end.
 * ANSWERED: it stands there, asked of `other` again as if it had never been
 *           where it was not committed
 * UNHEARD:  it stands there, and nobody was answered
 * GONE:     it does not, and without `other` nobody asks again
 */
enum breaks_end { ANSWERED, UNHEARD, GONE };

static int
breaks_batch(struct store *host, struct store *other, enum breaks how,
    struct turn_item *items, size_t begin, size_t n, int64_t now,
    enum breaks_end *end_out)
{
	struct turn_item again[TURN_MAX];
	int err;

	memcpy(again, items, n * sizeof(items[0]));
	breaks_begin(host, how, n);
	err = store_batch_growing(host, items, begin, now, breaks_seal, &n);
	breaks_end();
	*end_out = err == 0 ? ANSWERED : how == UNSURE ? UNHEARD : GONE;
	if (!breaks_as_told(err))
		return MUSTER_E_INVAL;
	if (*end_out != GONE || other == NULL)
		return 0;
	*end_out = ANSWERED;
	err = MUSTER_E_AGAIN;
	for (int i = 0; i < BREAKS_TRIES && err == MUSTER_E_AGAIN; i++) {
		memcpy(items, again, n * sizeof(items[0]));
		breaks_begin(other, SOUND, n);
		err = store_batch_growing(other, items, begin, now, breaks_seal,
		    &n);
	}
	return err;
}

#endif /* STORE_BREAKS_H */
