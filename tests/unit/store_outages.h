/* SPDX-License-Identifier: MIT */
/*
 * store_outages.h -- what a host makes of a PostgreSQL server that is behind,
 * or takes no writes.
 */
#ifndef STORE_OUTAGES_H
#define STORE_OUTAGES_H

#include "store_server.h"

/* A server that is behind is tried ever later, like one that is away. */
static void
test_b11_a_server_that_is_behind_is_asked_ever_later(void)
{
	struct store *a;
	struct pg_store *p;
	int64_t wait_ms = PG_WAIT_MIN_MS;

	fresh_server();
	set_clock(T0);
	a = open_host(100);
	p = pg_of(a);
	is(kit_touch(a, 1, 1, 5, T0), 1);
	is(kit_touch(a, 1, 2, 5, T0), 2);
	sql("UPDATE grp SET seq = 1, epoch = 1 WHERE seq = 2");
	sql("DELETE FROM cache WHERE seq = 2");
	for (int i = 0; i < 8; i++) {
		is(p->wait_ms, wait_ms);
		is(kit_touch(a, 1, 3, 5, T0), MUSTER_E_AGAIN);
		ok(strstr(store_last_diag(a)->text, "1 of 2 commits") != NULL);
		ok(p->retry_ms > 0);
		wait_ms =
		    2 * wait_ms < PG_WAIT_MAX_MS ? 2 * wait_ms : PG_WAIT_MAX_MS;
		p->retry_ms = 0; /* the while is over */
	}
	is(wait_ms, PG_WAIT_MAX_MS);
	sql("UPDATE grp SET seq = 2 WHERE seq = 1");
	is(kit_touch(a, 1, 3, 5, T0), 2);
	is(p->wait_ms, PG_WAIT_MIN_MS);
	store_close(a);
}

/* What a batch could not write, no look makes good. */
static void
test_b11_a_look_proves_no_write(void)
{
	struct store *a;

	fresh_server();
	set_clock(T0);
	a = open_host(10);
	is(kit_touch(a, 1, 1, 5, T0), 1);
	sql("REVOKE INSERT ON client FROM muster_host");
	is(kit_touch(a, 1, 2, 5, T0), MUSTER_E_AGAIN);
	sql("GRANT INSERT ON client TO muster_host");
	for (int i = 0; i < 2; i++) {
		is(store_idle(a, T0), MUSTER_E_AGAIN);
		ok(strstr(store_last_diag(a)->text, "42501") != NULL);
	}
	is(kit_touch(a, 1, 2, 5, T0), 2);
	is(store_idle(a, T0), 0);
	store_close(a);
}

/* Where nobody comes to find out, upkeep writes; not before, and not more often
 * than those who were told BUSY would come. */
static void
test_b11_upkeep_writes_where_no_batch_comes(void)
{
	struct store *a;
	struct pg_store *p;

	fresh_server();
	set_clock(T0);
	a = open_host(10);
	p = pg_of(a);
	is(kit_touch(a, 1, 1, 5, T0), 1);
	sql("BEGIN");
	sql("SELECT 1 FROM grp FOR UPDATE");
	is(kit_touch(a, 1, 2, 5, T0), MUSTER_E_AGAIN);
	p->write_ms -= PG_PROVE_MS;
	is(store_idle(a, T0), MUSTER_E_AGAIN);
	ok(strstr(store_last_diag(a)->text, "55P03") != NULL);
	sql("ROLLBACK");
	is(store_idle(a, T0), MUSTER_E_AGAIN);
	p->write_ms -= PG_PROVE_MS;
	is(store_idle(a, T0), 0);
	/* a batch's clock is looked at as well */
	is(kit_touch(a, 1, 2, 5, T0 + 5 * 3600), MUSTER_E_AGAIN);
	p->write_ms -= PG_PROVE_MS;
	is(store_idle(a, T0 + 5 * 3600), MUSTER_E_AGAIN);
	p->write_ms -= PG_PROVE_MS;
	is(store_idle(a, T0), 0);
	/* a look that failed is made good by a look */
	sql("REVOKE SELECT ON cache FROM muster_host");
	is(store_idle(a, T0), MUSTER_E_AGAIN);
	sql("GRANT SELECT ON cache TO muster_host");
	is(store_idle(a, T0), 0);
	store_close(a);
}

#endif /* STORE_OUTAGES_H */
