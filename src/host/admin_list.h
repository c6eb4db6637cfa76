/* SPDX-License-Identifier: MIT */
/*
 * admin_list.h -- the inventory as JSON or CSV, into a file without a name, so
 * that it costs no memory for each row.
 */
#ifndef MUSTER_HOST_ADMIN_LIST_H
#define MUSTER_HOST_ADMIN_LIST_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "host/problem.h"
#include "host/products.h"
#include "host/state.h"
#include "muster/err.h"
#include "store/store.h"
#include "trust/catalogue.h"

/* RFC 4180; no field has a comma, a quote or a line end in it. */
#define ADMIN_LIST_COLUMNS                                     \
	"publisher,product,cmid,machine,name,state,threshold," \
	"first_unix_s,last_unix_s,count,contacts,address,"     \
	"duplicate,other_machine,other_name,host"

#define ADMIN_ADDRESS_MAX INET6_ADDRSTRLEN

#define PAGE_LIMIT 100
#define PAGE_LIMIT_MAX 1000 /* 600 KB while it is made */
#define PAGE_SEARCH_MAX 64
#define PAGE_DIGITS_MIN 4
#define PAGE_VALUE_LEN (WIRE_NAME_MAX + 1)
#define PAGE_KEY_LEN (PAGE_VALUE_LEN + PUBLISHER_LEN + 2 * WIRE_ID_LEN)

enum page_sort {
	PAGE_LAST,
	PAGE_FIRST,
	PAGE_NAME,
	PAGE_STATE,
	PAGE_PRODUCT,
	PAGE_COUNT,
	PAGE_CONTACTS,
	PAGE_ADDRESS,
	PAGE_LEASE_END
};

/* Which page of the rows. */
struct page_ask {
	enum page_sort sort;
	bool is_desc;
	uint32_t limit;
	char search[PAGE_SEARCH_MAX + 1]; /* in small letters; or empty */
	char digits[PAGE_SEARCH_MAX + 1]; /* the same as part of an id */
	bool has_after;
	uint8_t after[PAGE_KEY_LEN]; /* the last row of the page before */
};

/* Which rows, and how. */
struct admin_filter {
	bool has_product;
	uint8_t product[PRODUCT_LEN];
	bool has_state;
	enum wire_state state;
	bool
	    is_duplicate; /* those alone whose CMID more than one machine uses (b5) */
	int64_t now_unix_s; /* by which those are judged */
	bool is_csv;        /* else JSON */
	bool is_page;       /* page_list(), else admin_list() */
	const char *host;   /* that served what has no other name; borrowed */
	struct page_ask ask;
	struct products *products; /* owned; of a page alone */
	bool is_backup;            /* not rows at all: the database */
};

/* What was asked for, as texts; NULL: nothing. */
struct admin_query {
	const char *product; /* name or id */
	const char *state, *duplicate, *format;
	const char *search, *sort, *order, *limit, *after; /* of a page */
	const char *resolution;                            /* of the history */
	const char *level;                                 /* of the events */
	const char *unknown; /* the name of anything else */
};

/**
 * admin_list_filter(): what a query means.
 *
 * In:      state    whose catalogues know names of products
 * Out:     filter_out, or the problem
 * Returns: 0; MUSTER_E_NOENT no such product; MUSTER_E_PROTO no such state,
 *          format or truth
 */
MUSTER_NODISCARD int
admin_list_filter(const struct state *state, const struct admin_query *query,
    struct admin_filter *filter_out, struct problem *problem);

/**
 * admin_list_is_wanted(): does a row pass the filter?
 *
 * Returns: by product, state and duplicate
 */
bool admin_list_is_wanted(const struct admin_filter *f,
    const struct store_client *client);

/**
 * admin_list_state(): the name of a state.
 *
 * Returns: static
 */
const char *admin_list_state(enum wire_state state);

/**
 * admin_list_row(): a row as a JSON object and a line end.
 *
 * In:      comma    what stands before it
 *          filter   its products for the product's name and the lease's end,
 *                   where it has them; its host
 */
void admin_list_row(FILE *file, const char *comma,
    const struct store_client *client, const struct admin_filter *filter);

/**
 * admin_address_text(): text for people, IPv4 where it is mapped into IPv6.
 *
 * Out:     out      ADMIN_ADDRESS_MAX bytes
 */
void admin_address_text(const uint8_t *address, char *out);

/**
 * admin_list(): write it; on any thread.
 *
 * In:      folder   on a disk with room for it
 * Out:     fd_out, len_out  for the caller to close
 * Returns: 0; MUSTER_E_IO, MUSTER_E_FULL, or an outcome of the store
 */
MUSTER_NODISCARD int admin_list(const struct store *store, const char *folder,
    const struct admin_filter *filter, int *fd_out, uint64_t *len_out);

#endif /* MUSTER_HOST_ADMIN_LIST_H */
