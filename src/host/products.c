/* SPDX-License-Identifier: MIT */
#include "host/products.h"

#include <stdlib.h>
#include <string.h>

#define DAY_S 86400

static int
compare(const void *a, const void *b)
{
	/* publisher and id stand first, and side by side */
	return memcmp(a, b, PUBLISHER_LEN + PRODUCT_LEN);
}

struct products *
products_new(const struct state *state)
{
	struct products *all;
	size_t n = 0;

	for (uint32_t i = 0; i < state->n; i++)
		n += state->publishers[i].catalogue->n_products;
	all = calloc(1, sizeof(*all) + n * sizeof(all->lines[0]));
	if (all == NULL)
		return NULL;
	for (uint32_t i = 0; i < state->n; i++) {
		const struct catalogue *cat = state->publishers[i].catalogue;

		for (uint32_t p = 0; p < cat->n_products; p++) {
			struct product_line *line = &all->lines[all->n++];

			memcpy(line->publisher, cat->head.publisher,
			    PUBLISHER_LEN);
			memcpy(line->id, cat->products[p].id, PRODUCT_LEN);
			memcpy(line->name, cat->products[p].name,
			    sizeof(line->name));
			line->validity_days = cat->products[p].validity_days;
		}
	}
	qsort(all->lines, all->n, sizeof(all->lines[0]), compare);
	return all;
}

const struct product_line *
products_of(const struct products *products, const struct store_client *client)
{
	struct product_line key;

	memcpy(key.publisher, client->publisher, PUBLISHER_LEN);
	memcpy(key.id, client->product, PRODUCT_LEN);
	return bsearch(&key, products->lines, products->n,
	    sizeof(products->lines[0]), compare);
}

int64_t
products_lease_end(const struct products *products,
    const struct store_client *client)
{
	const struct product_line *line = products_of(products, client);

	if (line == NULL || client->granted_unix_s == 0)
		return 0;
	return client->granted_unix_s + (int64_t)line->validity_days * DAY_S;
}
