/* SPDX-License-Identifier: MIT */
/*
 * products.h -- the products of all catalogues in force, copied: for threads
 * that read the inventory while the loop may put a newer catalogue in force.
 */
#ifndef MUSTER_HOST_PRODUCTS_H
#define MUSTER_HOST_PRODUCTS_H

#include <stdbool.h>
#include <stddef.h>

#include "host/state.h"
#include "store/store.h"

struct product_line {
	uint8_t publisher[PUBLISHER_LEN];
	uint8_t id[PRODUCT_LEN];
	char name[CAT_NAME_MAX + 1];
	uint32_t validity_days;
};

struct products {
	size_t n;
	struct product_line lines[]; /* by publisher and id */
};

/**
 * products_new(): copy them; on the loop.
 *
 * Returns: for the caller to free(); NULL out of memory
 */
struct products *products_new(const struct state *state);

/**
 * products_of(): the product of a row.
 *
 * Returns: borrowed, or NULL: no catalogue has it any more
 */
const struct product_line *
products_of(const struct products *products, const struct store_client *client);

/**
 * products_lease_end(): when the lease in force ends: that of the last
 * answer whose count reached the client's threshold; a later one below it takes
 * no lease away (b31).
 *
 * Returns: seconds since 1970; 0: there was no such answer, or the product is
 *          not known
 */
int64_t products_lease_end(const struct products *products,
    const struct store_client *client);

#endif /* MUSTER_HOST_PRODUCTS_H */
