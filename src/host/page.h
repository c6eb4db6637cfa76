/* SPDX-License-Identifier: MIT */
/*
 * page.h -- a page of the inventory: searched, sorted, and cut.
 *
 * In the order of the last contact, with nothing looked for, the store reads
 * only the page, by its index: so the status page begins.  Else the inventory
 * is read once, beside all other work, and of what matches only the rows of the
 * page are kept: memory is the page's, whatever there is.  There is no index
 * for each order: it would cost every activation something, and a search reads
 * all rows anyway.
 */
#ifndef MUSTER_HOST_PAGE_H
#define MUSTER_HOST_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "host/admin_list.h"

/**
 * page_ask(): what a query means as a page.
 *
 * In:      query    its texts for a page; product, state and duplicate are
 *                   admin_list_filter()'s
 * Out:     ask_out  or the problem
 * Returns: 0; MUSTER_E_PROTO
 */
MUSTER_NODISCARD int page_ask(const struct admin_query *query,
    struct page_ask *ask_out, struct problem *problem);

/**
 * page_filter(): what a query of clients means, as a page or as a list.
 *
 * In:      is_paged always as a page; else when there is a limit
 * Out:     filter_out  with products for a page, which are the caller's
 * Returns: as admin_list_filter() and page_ask(); MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int
page_filter(const struct state *state, const struct admin_query *query,
    bool is_paged, struct admin_filter *filter_out, struct problem *problem);

/**
 * page_list(): the page as JSON; on any thread.
 *
 * In:      filter   with ask and products
 * Out:     text_out for the caller to free()
 * Returns: 0; MUSTER_E_NOMEM, or an outcome of the store
 */
MUSTER_NODISCARD int page_list(const struct store *store,
    const struct admin_filter *filter, char **text_out);

#endif /* MUSTER_HOST_PAGE_H */
