/* SPDX-License-Identifier: MIT */
#include "agent/told.h"

#include <stdio.h>

#include "tap.h"

static void
test_told_once(void)
{
	struct told t = {.n = 0};

	told_begin(&t);
	ok(told_is_new(&t, "/a", 0, -1));
	ok(!told_is_new(&t, "/a", 0, -1));
	ok(told_is_new(&t, "/a", 0, -2));
	ok(told_is_new(&t, "/a", 1, -1));
	ok(told_is_new(&t, "/b", 0, -1));
	told_begin(&t);
	ok(!told_is_new(&t, "/b", 0, -1));
	/* what a scan finds in order is told when it comes again */
	told_begin(&t);
	ok(told_is_new(&t, "/a", 0, -1));
	ok(!told_is_new(&t, "/b", 0, -1));
}

static void
test_told_room(void)
{
	struct told t = {.n = 0};
	unsigned told = 0;
	char path[16];

	for (unsigned scan = 0; scan < 3; scan++) {
		told_begin(&t);
		for (unsigned i = 0; i < 2 * TOLD_MAX; i++) {
			(void)snprintf(path, sizeof(path), "/%u", i);
			told += told_is_new(&t, path, 0, -1);
		}
	}
	is(told, TOLD_MAX);
}

int
main(void)
{
	test_told_once();
	test_told_room();
	return tap_done();
}
