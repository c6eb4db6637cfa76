/* SPDX-License-Identifier: MIT */
/* store_reads.h -- readers of a piece at a time against the whole list. */
#ifndef MUSTER_STORE_READS_H
#define MUSTER_STORE_READS_H

#include "store_kit.h"

static struct kit_image reads_all, reads_some;

static inline int
reads_oldest(const void *a, const void *b)
{
	const struct store_client *x = a, *y = b;

	if (x->last_unix_s != y->last_unix_s)
		return x->last_unix_s < y->last_unix_s ? -1 : 1;
	return kit_client_order(a, b);
}

static inline int
reads_newest(const void *a, const void *b)
{
	return reads_oldest(b, a);
}

/* A read connects anew where the store is a server's, for which a busy machine
 * may have no time: so often is it tried. */
#define READS_TRIES 20

/* The whole list, for the others to be held against. */
static inline int
reads_list(struct store *s, bool is_desc, uint32_t max)
{
	int err;

	(void)is_desc;
	(void)max;
	reads_all.n_groups = reads_some.n_groups = 0;
	reads_all.n_clients = 0;
	err = store_clients(s, kit_collect, &reads_all);
	if (err == 0 && reads_all.n_clients > KIT_CLIENTS)
		err = MUSTER_E_DAMAGED;
	return err;
}

/* One page after another, of `max` rows, is the whole in its order?  0, how a
 * read ended, or MUSTER_E_DAMAGED where it is not. */
static inline int
reads_recent(struct store *s, bool is_desc, uint32_t max)
{
	struct store_recent ask = {.is_desc = is_desc, .max = max};
	size_t before;
	int err;

	reads_some.n_clients = 0;
	qsort(reads_all.clients, reads_all.n_clients,
	    sizeof(reads_all.clients[0]),
	    is_desc ? reads_newest : reads_oldest);
	do {
		uint64_t total = 0;

		before = reads_some.n_clients;
		err = store_recent_aside(s, &ask, kit_collect, &reads_some,
		    &total);
		if (err != 0)
			return err;
		if (total != reads_all.n_clients ||
		    reads_some.n_clients > reads_all.n_clients)
			return MUSTER_E_DAMAGED;
		ask.has_after = true;
		if (reads_some.n_clients > 0)
			ask.after =
			    reads_some.clients[reads_some.n_clients - 1];
	} while (reads_some.n_clients == before + max);
	return kit_same(&reads_all, &reads_some) ? 0 : MUSTER_E_DAMAGED;
}

/* A scan of `max` rows at a time: every row, once?  As reads_recent(). */
static inline int
reads_scan(struct store *s, bool is_desc, uint32_t max)
{
	struct store_scan *scan = NULL;
	bool is_over = false;
	int err = store_scan_open(s, &scan);

	(void)is_desc; /* it has no order */
	reads_some.n_clients = 0;
	while (err == 0 && !is_over)
		err = store_scan_next(scan, max, kit_collect, &reads_some,
		    &is_over);
	store_scan_close(scan);
	if (err != 0 || reads_some.n_clients > KIT_CLIENTS)
		return err != 0 ? err : MUSTER_E_DAMAGED;
	qsort(reads_all.clients, reads_all.n_clients,
	    sizeof(reads_all.clients[0]), kit_client_order);
	qsort(reads_some.clients, reads_some.n_clients,
	    sizeof(reads_some.clients[0]), kit_client_order);
	return kit_same(&reads_all, &reads_some) ? 0 : MUSTER_E_DAMAGED;
}

static inline bool
reads_try(int (*read)(struct store *, bool, uint32_t), struct store *s,
    bool is_desc, uint32_t max)
{
	int err = MUSTER_E_AGAIN;

	for (int i = 0; i < READS_TRIES && err == MUSTER_E_AGAIN; i++)
		err = read(s, is_desc, max);
	if (err != 0)
		printf("# in pieces of %u: %s\n", max, muster_errname(err));
	return err == 0;
}

#define READS_WAYS 4

/* The whole list against one of the ways to read it. */
static inline bool
reads_one_way(struct store *s, unsigned way, uint32_t max)
{
	return reads_try(reads_list, s, true, 0) &&
	    reads_try(way < 2 ? reads_recent : reads_scan, s, way % 2 == 0,
	        way == 3 ? 1000 : max);
}

/* In pieces of `max` rows, and in one. */
static inline bool
reads_are_whole(struct store *s, uint32_t max)
{
	return reads_one_way(s, 0, max) && reads_one_way(s, 1, max) &&
	    reads_one_way(s, 2, max) && reads_one_way(s, 3, max) &&
	    reads_one_way(s, 0, 1000);
}

#endif /* MUSTER_STORE_READS_H */
