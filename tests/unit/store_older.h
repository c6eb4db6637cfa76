/* SPDX-License-Identifier: MIT */
/*
 * store_older.h -- what a host makes of rows that one of an earlier migration
 * has written beside it.
 */
#ifndef STORE_OLDER_H
#define STORE_OLDER_H

#include "store_server.h"

static struct kit_image by_older;

/* A host of migration 2 beside ours tells two machines apart, and has no place
 * for the time. */
static void
test_b5_two_machines_that_an_older_host_saw_are_told(void)
{
	struct store *a;

	fresh_server();
	set_clock(T0);
	a = open_host(10);
	is(kit_touch(a, 1, 1, 5, T0), 1);
	is(kit_touch(a, 1, 2, 5, T0), 2);
	sql("UPDATE client SET last = last + 60, contacts = contacts + 1,"
	    " is_duplicate = get_byte(uuid_send(cmid), 0) = 1");
	is(number("SELECT count(*) FROM client WHERE is_duplicate"), 1);
	is(kit_image(a, T0, &by_older), 0);
	is(by_older.clients[0].twin_unix_s, T0 + 60);
	is(by_older.clients[1].twin_unix_s, 0);
	/* it is kept by whoever serves the machine next */
	set_clock(T0 + 3600);
	is(kit_touch(a, 1, 1, 5, T0 + 3600), 2);
	is(number("SELECT twin FROM client WHERE is_duplicate"), T0 + 60);
	/* a time that is there is the time */
	sql("UPDATE client SET twin = 7 WHERE is_duplicate");
	is(kit_image(a, T0, &by_older), 0);
	is(by_older.clients[0].twin_unix_s, 7);
	store_close(a);
}

/* Nor for the last answer that reached the threshold; where theirs did, it is
 * that one. */
static void
test_b5_a_lease_that_an_older_host_gave_is_told(void)
{
	struct store *a;

	fresh_server();
	set_clock(T0);
	a = open_host(10);
	is(kit_touch(a, 1, 1, 2, T0), 1);
	is(kit_touch(a, 1, 2, 2, T0), 2);
	is(number("SELECT granted FROM client WHERE count = 1"), 0);
	is(number("SELECT granted FROM client WHERE count = 2"), T0);
	sql("UPDATE client SET last = last + 60, count = 2");
	is(kit_image(a, T0, &by_older), 0);
	is((long long)by_older.clients[0].granted_unix_s, T0 + 60);
	is((long long)by_older.clients[1].granted_unix_s, T0 + 60);
	sql("UPDATE client SET last = last + 60, count = 1");
	is(kit_image(a, T0, &by_older), 0);
	is((long long)by_older.clients[0].granted_unix_s, 0);
	is((long long)by_older.clients[1].granted_unix_s, T0);
	store_close(a);
}

#endif /* STORE_OLDER_H */
