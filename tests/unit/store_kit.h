/* SPDX-License-Identifier: MIT */
/* store_kit.h -- what the tests of the stores share. */
#ifndef MUSTER_STORE_KIT_H
#define MUSTER_STORE_KIT_H

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/store.h"
#include "tap.h"

#define DAY INT64_C(86400)
#define T0 INT64_C(1800000000)
#ifndef KIT_CLIENTS
#define KIT_CLIENTS 4200
#endif

static const uint8_t kit_publisher[2][PUBLISHER_LEN] = {{1, 1}, {2, 2}};
static char kit_dir[256];
static uint32_t kit_nonce;

/* All that a store shows, in an order that does not depend on it. */
struct kit_image {
	size_t n_groups, n_clients;
	struct store_group groups[8];
	struct store_client clients[KIT_CLIENTS];
	size_t n_cached[8];
	struct count_row cached[8][512];
};

static inline void
kit_dir_make(void)
{
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(kit_dir, sizeof(kit_dir), "%.200s/muster-XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	if (mkdtemp(kit_dir) == NULL)
		abort();
}

static inline void
kit_dir_remove(void)
{
	DIR *dir = opendir(kit_dir);
	struct dirent *e;
	char path[600];

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		(void)snprintf(path, sizeof(path), "%s/%s", kit_dir, e->d_name);
		if (e->d_name[0] != '.')
			(void)remove(path);
	}
	if (dir != NULL)
		(void)closedir(dir);
	(void)rmdir(kit_dir);
}

static inline const char *
kit_path(const char *name)
{
	static char path[16][320];
	static unsigned next;
	char *p = path[next++ % 16];

	(void)snprintf(p, sizeof(path[0]), "%s/%s", kit_dir, name);
	return p;
}

/* One request as turn_judge() leaves it; who 0 is a probe. */
static inline struct turn_item
kit_item(uint32_t pub, uint32_t group, uint32_t who, uint32_t threshold,
    int64_t now)
{
	struct turn_item it = {0};

	memcpy(it.args.cmid, &who, sizeof(who));
	if (who != 0)
		it.args.cmid[15] = 1;
	memcpy(it.args.product, &group, sizeof(group));
	it.args.product[15] = (uint8_t)(threshold % 251);
	memcpy(it.args.machine, &who, sizeof(who));
	it.args.machine[15] = 9;
	it.args.state = WIRE_LICENSED;
	it.args.threshold = threshold;
	(void)snprintf(it.args.name, sizeof(it.args.name), "pc%u", who);
	kit_nonce++;
	memcpy(it.raw, &kit_nonce, sizeof(kit_nonce));
	it.raw_len = 100;
	it.address[15] = 1;
	memcpy(it.publisher_id, kit_publisher[pub], PUBLISHER_LEN);
	it.group = group;
	it.threshold = threshold;
	it.is_probe = who == 0;
	it.grant.issued_unix_s = now;
	it.grant.renewal_min = 10080;
	it.grant.retry_min = 120;
	return it;
}

static inline struct store *
kit_open(const char *path)
{
	struct store_diag diag = {{0}};
	struct store *s = NULL;
	int err = path == NULL
	    ? store_open_memory(&s)
	    : store_open_sqlite(path, STORE_MAKE_IF_EMPTY, &s, &diag);

	if (err != 0) {
		printf("# open: %s: %s\n", muster_errname(err), diag.text);
		return NULL;
	}
	for (uint32_t pub = 0; pub < 2; pub++) {
		for (uint32_t g = 1; g <= 2; g++) {
			if (store_reserve(s, kit_publisher[pub], g, 100) != 0)
				abort();
		}
	}
	return s;
}

/* The count that a batch of one gets; the error, negative, on failure. */
static inline long long
kit_touch(struct store *s, uint32_t group, uint32_t who, uint32_t threshold,
    int64_t now)
{
	struct turn_item it = kit_item(0, group, who, threshold, now);
	int err = store_batch(s, &it, 1, now);

	return err != 0 ? err : (long long)it.grant.count;
}

static inline void
kit_collect(void *arg, const struct store_client *client)
{
	struct kit_image *image = arg;

	if (image->n_clients < KIT_CLIENTS)
		image->clients[image->n_clients] = *client;
	image->n_clients++;
}

static inline int
kit_client_order(const void *a, const void *b)
{
	const struct store_client *x = a, *y = b;
	int c = memcmp(x->publisher, y->publisher, PUBLISHER_LEN);

	if (c == 0)
		c = memcmp(x->product, y->product, WIRE_ID_LEN);
	return c != 0 ? c : memcmp(x->cmid, y->cmid, WIRE_ID_LEN);
}

static inline int
kit_group_order(const void *a, const void *b)
{
	const struct store_group *x = a, *y = b;
	int c = memcmp(x->publisher, y->publisher, PUBLISHER_LEN);

	return c != 0 ? c : (int)x->group - (int)y->group;
}

static inline int
kit_image(struct store *s, int64_t now, struct kit_image *image)
{
	int err;

	memset(image, 0, sizeof(*image));
	err = store_groups(s, now, image->groups, 8, &image->n_groups);
	if (err == 0)
		err = store_clients(s, kit_collect, image);
	if (err != 0)
		return err;
	qsort(image->groups, image->n_groups, sizeof(image->groups[0]),
	    kit_group_order);
	qsort(image->clients, image->n_clients, sizeof(image->clients[0]),
	    kit_client_order);
	for (size_t i = 0; i < image->n_groups && err == 0; i++)
		err = store_cached(s, image->groups[i].publisher,
		    image->groups[i].group, image->cached[i], 512,
		    &image->n_cached[i]);
	return err;
}

/* By field, for padding may differ: what differs first; NULL: nothing. */
static inline const char *
kit_difference(const struct kit_image *a, const struct kit_image *b)
{
	const char *what = NULL;

	if (a->n_groups != b->n_groups || a->n_clients != b->n_clients)
		what = "numbers";
	for (size_t i = 0; i < a->n_groups && what == NULL; i++) {
		const struct store_group *x = &a->groups[i], *y = &b->groups[i];

		if (kit_group_order(x, y) != 0 || x->count != y->count ||
		    x->held != y->held || x->capacity != y->capacity)
			what = "a group";
		for (size_t k = 0; k < a->n_cached[i] && what == NULL; k++) {
			const struct count_row *r = &a->cached[i][k],
			                       *q = &b->cached[i][k];

			if (memcmp(r->cmid, q->cmid, COUNT_CMID_LEN) != 0 ||
			    r->seq != q->seq ||
			    r->seen_unix_s != q->seen_unix_s)
				what = "a count record";
		}
	}
	for (size_t i = 0; i < a->n_clients && what == NULL; i++) {
		const struct store_client *x = &a->clients[i],
		                          *y = &b->clients[i];

		if (kit_client_order(x, y) != 0 ||
		    memcmp(x->machine, y->machine, WIRE_ID_LEN) != 0 ||
		    strcmp(x->name, y->name) != 0 || x->state != y->state ||
		    x->threshold != y->threshold || x->count != y->count ||
		    x->first_unix_s != y->first_unix_s ||
		    x->last_unix_s != y->last_unix_s ||
		    x->contacts != y->contacts ||
		    memcmp(x->address, y->address, TURN_ADDRESS_LEN) != 0 ||
		    x->granted_unix_s != y->granted_unix_s ||
		    x->twin_unix_s != y->twin_unix_s ||
		    memcmp(x->other_machine, y->other_machine, WIRE_ID_LEN) !=
		        0 ||
		    strcmp(x->other_name, y->other_name) != 0 ||
		    memcmp(&x->chain, &y->chain, sizeof(x->chain)) != 0)
			what = "a client";
	}
	return what;
}

/* Says what differs first. */
static inline bool
kit_same(const struct kit_image *a, const struct kit_image *b)
{
	const char *what = kit_difference(a, b);

	if (what != NULL)
		printf("# %s differ: groups %zu %zu, clients %zu %zu\n", what,
		    a->n_groups, b->n_groups, a->n_clients, b->n_clients);
	return what == NULL;
}

/* A fresh store of either backend. */
static inline struct store *
kit_fresh(bool is_sqlite)
{
	static unsigned n;
	char name[32];

	(void)snprintf(name, sizeof(name), "fresh%u.db", n++);
	return kit_open(is_sqlite ? kit_path(name) : NULL);
}

/* Until nothing is left to merge or to drop. */
static inline int
kit_idle_all(struct store *s, int64_t now)
{
	int err = MUSTER_E_AGAIN;

	for (int i = 0; i < 100 && err == MUSTER_E_AGAIN; i++)
		err = store_idle(s, now);
	if (err != 0)
		printf("# idle: %s\n", store_last_diag(s)->text);
	return err;
}

/* A store that n clients of one product asked before. */
static inline void
kit_history(struct store *s, uint32_t n)
{
	static struct turn_item items[TURN_MAX];

	kit_nonce = 0;
	for (uint32_t i = 1; i <= n;) {
		size_t k = 0;

		while (i <= n && k < TURN_MAX)
			items[k++] = kit_item(0, 1, i++, 5, T0);
		if (store_batch(s, items, k, T0) != 0)
			abort();
	}
}

static inline void
kit_forget(const char *path)
{
	static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
	char name[400];

	for (size_t i = 0; i < 4; i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		(void)remove(name);
	}
}

#endif /* MUSTER_STORE_KIT_H */
