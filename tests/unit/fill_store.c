/* SPDX-License-Identifier: MIT */
/*
 * fill_store.c -- a database with many clients, for the end-to-end tests.
 *
 * usage: fill_store DATABASE PUBLISHER GROUP PRODUCT N [UNIX_S THRESHOLD
 *        [FIRST]]
 * PUBLISHER and PRODUCT are 32 hex digits each; UNIX_S is when all of them
 * asked, and begins their CMIDs, so that those of several times differ, unless
 * FIRST does.
 */
#include <stdlib.h>

#include "base/hex.h"
#include "store_kit.h"

#define THRESHOLD 25

int
main(int argc, char **argv)
{
	static struct turn_item items[TURN_MAX];
	struct store_diag diag;
	struct store *s = NULL;
	uint8_t publisher[PUBLISHER_LEN], product[WIRE_ID_LEN];
	uint32_t group, n, first = 0, threshold = THRESHOLD;
	int64_t at = T0;

	if ((argc != 6 && argc != 8 && argc != 9) ||
	    hex_decode(argv[2], strlen(argv[2]), publisher, PUBLISHER_LEN) !=
	        0 ||
	    hex_decode(argv[4], strlen(argv[4]), product, WIRE_ID_LEN) != 0)
		return 2;
	group = (uint32_t)strtoul(argv[3], NULL, 10);
	n = (uint32_t)strtoul(argv[5], NULL, 10);
	if (argc >= 8) {
		at = strtoll(argv[6], NULL, 10);
		first = (uint32_t)at;
		threshold = (uint32_t)strtoul(argv[7], NULL, 10);
	}
	if (argc == 9)
		first = (uint32_t)strtoul(argv[8], NULL, 10);
	if (store_open_sqlite(argv[1], STORE_MAKE_IF_EMPTY, &s, &diag) != 0 ||
	    store_reserve(s, publisher, group, 2 * THRESHOLD) != 0) {
		(void)fprintf(stderr, "%s\n", diag.text);
		return 1;
	}
	for (uint32_t i = 0; i < n;) {
		size_t k = 0;

		for (; k < TURN_MAX && i < n; k++) {
			items[k] =
			    kit_item(0, group, first + ++i, threshold, at);
			memcpy(items[k].publisher_id, publisher, PUBLISHER_LEN);
			memcpy(items[k].args.product, product, WIRE_ID_LEN);
		}
		if (store_batch(s, items, k, at) != 0)
			return 1;
	}
	store_close(s);
	return 0;
}
