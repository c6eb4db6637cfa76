/* SPDX-License-Identifier: MIT */
/* test_page.c -- the pages of the inventory, each order, cut anywhere, against
 * all rows sorted at once. */
#include "host/page.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/hex.h"
#include "store_kit.h"

#define ROWS 96 /* even: each asks for one product */
#define THRESHOLD 5
#define N_SORTS (sizeof(sorts) / sizeof(sorts[0]))

static const struct {
	const char *name, *key; /* of the row's JSON */
	bool is_number;
} sorts[] = {{"last", "last_unix_s", true}, {"first", "first_unix_s", true},
    {"name", "name", false}, {"product", "product_name", false},
    {"count", "count", true}, {"contacts", "contacts", true},
    {"lease_end", "lease_end_unix_s", true}};

static struct store *store;
static struct products *products;

/* Few values, so that many rows are equal in each order. */
static void
fill(void)
{
	for (uint32_t i = 0; i < ROWS + ROWS / 3; i++) {
		struct turn_item it =
		    kit_item(0, 1, i % ROWS + 1, THRESHOLD, T0 + i / 10);

		it.args.product[0] = (uint8_t)(i % 2 + 1);
		it.args.state = (enum wire_state)(i % 5);
		(void)snprintf(it.args.name, sizeof(it.args.name), "%s-%u",
		    i % 3 == 0 ? "PC" : "pc", i % 7);
		if (store_batch(store, &it, 1, T0 + i / 10) != 0)
			abort();
	}
}

static void
begin(void)
{
	struct turn_item it = kit_item(0, 1, 1, THRESHOLD, T0);

	kit_dir_make();
	store = kit_open(kit_path("page.db"));
	products =
	    calloc(1, sizeof(*products) + 2 * sizeof(struct product_line));
	if (store == NULL || products == NULL)
		abort();
	products->n = 2;
	for (uint8_t i = 0; i < 2; i++) {
		struct product_line *line = &products->lines[i];

		memcpy(line->publisher, kit_publisher[0], PUBLISHER_LEN);
		memcpy(line->id, it.args.product, PRODUCT_LEN);
		line->id[0] = (uint8_t)(i + 1);
		line->validity_days = 180;
		(void)snprintf(line->name, sizeof(line->name), "%c", 'B' - i);
	}
	fill();
}

static void
end(void)
{
	store_close(store);
	free(products);
	kit_dir_remove();
}

/* A page as scripts ask for it. */
static json_t *
page(const char *sort, const char *order, const char *limit, const char *search,
    const char *after)
{
	struct admin_query query = {.sort = sort,
	    .order = order,
	    .limit = limit,
	    .search = search,
	    .after = after};
	struct admin_filter filter = {.is_page = true,
	    .host = "",
	    .products = products};
	struct problem problem;
	char *text = NULL;
	json_t *told;

	if (page_ask(&query, &filter.ask, &problem) != 0 ||
	    page_list(store, &filter, &text) != 0)
		abort();
	told = json_loads(text, 0, NULL);
	free(text);
	if (told == NULL)
		abort();
	return told;
}

static json_int_t
number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

/* By the JSON alone: which of two rows stands first, going up. */
static int
order_of(const json_t *a, const json_t *b, size_t sort)
{
	const char *key = sorts[sort].key;
	int c;

	if (sorts[sort].is_number)
		c = (number(a, key) > number(b, key)) -
		    (number(a, key) < number(b, key));
	else
		c = strcasecmp(text_of(a, key), text_of(b, key));
	if (c == 0)
		c = strcmp(text_of(a, "product"), text_of(b, "product"));
	return c != 0 ? c : strcmp(text_of(a, "cmid"), text_of(b, "cmid"));
}

/* Page by page: all rows, each once, in order; the last has no next. */
static void
walk(size_t sort, const char *order, const char *limit)
{
	json_t *last = NULL, *row, *told = NULL;
	char *after = NULL;
	int n = 0, n_wrong = 0, sign = strcmp(order, "asc") == 0 ? 1 : -1;
	size_t i;

	do {
		told = page(sorts[sort].name, order, limit, NULL, after);
		n_wrong += number(told, "total") != ROWS;
		n_wrong += number(told, "matched") != ROWS;
		json_array_foreach(json_object_get(told, "clients"), i, row)
		{
			n++;
			n_wrong += last != NULL &&
			    sign * order_of(last, row, sort) >= 0;
			json_decref(last);
			last = json_incref(row);
		}
		free(after);
		after = strdup(text_of(told, "next"));
		n_wrong += after[0] != '\0' && i != strtoul(limit, NULL, 10);
		json_decref(told);
	} while (after[0] != '\0' && n <= ROWS);
	free(after);
	json_decref(last);
	is(n, ROWS);
	if (!ok(n_wrong == 0))
		printf("# %s %s %s\n", sorts[sort].name, order, limit);
}

static void
test_pages_of_any_size_are_all_rows_in_order(void)
{
	static const char *const limits[] = {"1", "2", "7", "32", "95", "96",
	    "97", "1000"};

	for (size_t s = 0; s < N_SORTS; s++) {
		for (size_t l = 0; l < sizeof(limits) / sizeof(limits[0]);
		     l++) {
			walk(s, "asc", limits[l]);
			walk(s, "desc", limits[l]);
		}
	}
}

/* What is looked for is read past the index; the order stays. */
static void
test_a_search_cuts_its_own_rows_alone(void)
{
	json_t *all = page("last", "desc", "1000", "pc-3", NULL), *first, *rest;
	json_int_t n = number(all, "matched");
	json_t *list = json_object_get(all, "clients"), *row;
	size_t i;

	ok(n > 4 && n < ROWS);
	is(number(all, "total"), ROWS);
	is((long long)json_array_size(list), n);
	json_array_foreach(list, i, row)
	    ok(strcasecmp(text_of(row, "name"), "pc-3") == 0);
	first = page("last", "desc", "3", "PC-3", NULL);
	rest = page("last", "desc", "1000", "PC-3", text_of(first, "next"));
	is(number(rest, "matched"), n);
	is((long long)json_array_size(json_object_get(rest, "clients")), n - 3);
	(void)json_array_extend(json_object_get(first, "clients"),
	    json_object_get(rest, "clients"));
	ok(json_equal(json_object_get(first, "clients"), list));
	json_decref(all);
	json_decref(first);
	json_decref(rest);
}

/* A row that went, or a place that never was one, is no end. */
static void
test_a_cursor_need_not_be_a_row(void)
{
	char lowest[2 * PAGE_KEY_LEN + 1], highest[2 * PAGE_KEY_LEN + 1];
	json_t *told;

	memset(lowest, '0', sizeof(lowest) - 1);
	memset(highest, 'f', sizeof(highest) - 1);
	lowest[sizeof(lowest) - 1] = highest[sizeof(highest) - 1] = '\0';
	for (size_t i = 0; i < N_SORTS; i++) {
		/* the order of the last contact is the store's own; its times
		 * are not below 0 */
		const char *high = i == 0 ? lowest : highest;

		told = page(sorts[i].name, i == 0 ? "desc" : "asc", "9", NULL,
		    high);
		is((long long)json_array_size(json_object_get(told, "clients")),
		    0);
		ok(json_is_null(json_object_get(told, "next")));
		json_decref(told);
		told = page(sorts[i].name, "asc", "9", NULL, lowest);
		is((long long)json_array_size(json_object_get(told, "clients")),
		    9);
		json_decref(told);
	}
}

int
main(void)
{
	begin();
	test_pages_of_any_size_are_all_rows_in_order();
	test_a_search_cuts_its_own_rows_alone();
	test_a_cursor_need_not_be_a_row();
	end();
	return tap_done();
}
