/* SPDX-License-Identifier: MIT */
/*
 * summary.h -- the inventory in a few numbers, made beside the service, a row
 * at a time.
 */
#ifndef MUSTER_HOST_SUMMARY_H
#define MUSTER_HOST_SUMMARY_H

#include <jansson.h>

#include "host/products.h"

#define SUMMARY_STATES 5  /* of enum wire_state */
#define SUMMARY_WITHINS 3 /* 7, 30 and 60 days */
#define SUMMARY_TWINS_MAX \
	1024 /* 16 KB; beyond them a CMID counts once a product */

struct summary {
	int64_t as_of_unix_s; /* 0: there is none */
	uint64_t batches;     /* of the store, that it has at least */
	uint64_t clients;     /* rows: a machine and a product */
	uint64_t duplicates;  /* CMIDs, whatever the products they ask for */
	uint64_t by_state[SUMMARY_STATES];
	uint64_t leases, ended; /* that hold now, and that do no more */
	uint64_t within[SUMMARY_WITHINS];
	const struct products *products; /* borrowed */
	uint64_t *by_product;            /* of each of them; owned */
	uint64_t
	    *asking; /* ... of those that came in the last 30 days; owned */
	size_t n_twins;
	uint8_t (*twins)[WIRE_ID_LEN]; /* CMIDs that were counted; owned */
};

/**
 * summary_begin(): nothing counted yet.
 *
 * In:      products kept until summary_clear()
 *          now_unix_s  by which leases are judged, and the summary's time
 * Out:     out      for summary_clear(), when 0 is returned
 * Returns: 0; MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int summary_begin(const struct products *products,
    int64_t now_unix_s, struct summary *out);

/**
 * summary_count(): one row into it; a store_client_fn of a struct summary.
 */
void summary_count(void *summary, const struct store_client *client);

/**
 * summary_asking(): clients of a product that came within COUNT_WINDOW_S.
 *
 * In:      id       PRODUCT_LEN bytes
 * Returns: their number; -1: there is no summary, or not of this product
 */
int64_t summary_asking(const struct summary *summary, const uint8_t *publisher,
    const uint8_t *id);

/**
 * summary_clear(): free what it owns; an empty one is fine.
 */
void summary_clear(struct summary *summary);

/**
 * summary_json(): the member "inventory" of GET /v1/status.
 *
 * Returns: an object; null: there is none yet
 */
json_t *summary_json(const struct summary *summary);

#endif /* MUSTER_HOST_SUMMARY_H */
