/* SPDX-License-Identifier: MIT */
/*
 * fill.c -- an inventory of so many clients, as if each had asked once.
 *
 * usage: bench_fill DATABASE CATALOGUE PRODUCT FIRST N
 * Clients FIRST to N - 1 of the load generator's, of PRODUCT (hex), are
 * written by the store itself; the daemon must not run.
 */
#include <sodium.h>
#include <stdio.h>

#include "base/clock.h"
#include "crowd.h"
#include "store/store.h"
#include "tool.h"

#define SEED UINT64_C(0x6d7573746572) /* as load.c's */
#define CLIENTS_MAX 10000000

static int
fill(struct crowd *w, struct store *s, uint32_t first, uint32_t n)
{
	static struct turn_item items[TURN_MAX];
	const struct catalogue *cat = &w->publishers[0]->cat;
	int64_t now_unix_s = clock_unix_s();
	int err = 0;

	for (uint32_t i = first; i < n && err == 0;) {
		size_t k = 0;

		for (; k < TURN_MAX && i < n && err == 0; k++, i++) {
			struct turn_item *it = &items[k];
			struct request req;

			err = crowd_request(w, i, i, now_unix_s, &req);
			memset(it, 0, sizeof(*it));
			it->args = req.args;
			memcpy(it->raw, req.args_bytes, req.args_len);
			it->raw_len = req.args_len;
			memcpy(it->publisher_id, cat->head.publisher,
			    PUBLISHER_LEN);
			it->group = w->products[0].product->group;
			it->threshold = w->products[0].product->threshold;
			it->grant.issued_unix_s = now_unix_s;
		}
		if (err == 0)
			err = store_batch(s, items, k, now_unix_s);
		if (err == 0)
			(void)!store_busy(s, now_unix_s);
	}
	return err;
}

int
main(int argc, char **argv)
{
	static struct crowd crowd = {.seed = SEED};
	struct store_diag diag = {""};
	struct store *s = NULL;
	uint8_t product[WIRE_ID_LEN];
	uint32_t first, n;
	int err;

	if (argc != 6 || !tool_hex(argv[3], product, sizeof(product)))
		return 2;
	first = tool_number(argv[4], CLIENTS_MAX);
	n = tool_number(argv[5], CLIENTS_MAX);
	if (sodium_init() < 0 || !crowd_add(&crowd, argv[2], NULL, product) ||
	    !crowd_size(&crowd, n, 1))
		return 1;
	err = store_open_sqlite(argv[1], STORE_MAKE_IF_EMPTY, &s, &diag);
	if (err == 0)
		err = store_reserve(s, crowd.publishers[0]->cat.head.publisher,
		    crowd.products[0].product->group,
		    2 * crowd.products[0].product->threshold);
	if (err == 0)
		err = fill(&crowd, s, first, n);
	store_close(s);
	crowd_free(&crowd);
	if (err != 0)
		(void)fprintf(stderr, "%s: %s %s\n", argv[1],
		    muster_strerror(err), diag.text);
	return err == 0 ? 0 : 1;
}
