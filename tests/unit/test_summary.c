/* SPDX-License-Identifier: MIT */
/* test_summary.c -- the inventory's numbers: what a row counts as, and from
 * which second on. */
#include "host/summary.h"

#include <stdlib.h>

#include "tap.h"

#define NOW INT64_C(1800000000)
#define DAY_S INT64_C(86400)
#define VALIDITY_DAYS 180
#define THRESHOLD 25
#define N_PRODUCTS 2

static struct products *products;
static struct summary sum;

static void
begin(void)
{
	products = calloc(1,
	    sizeof(*products) + N_PRODUCTS * sizeof(struct product_line));
	if (products == NULL)
		abort();
	products->n = N_PRODUCTS;
	for (uint8_t i = 0; i < N_PRODUCTS; i++) {
		products->lines[i].id[0] = (uint8_t)(i + 1);
		products->lines[i].validity_days = VALIDITY_DAYS;
		(void)snprintf(products->lines[i].name,
		    sizeof(products->lines[i].name), "product %u", i + 1);
	}
	is(summary_begin(products, NOW, &sum), 0);
}

static void
end(void)
{
	summary_clear(&sum);
	free(products);
}

/* A client of a product whose lease ends so long after NOW. */
static struct store_client
client(uint8_t product, int64_t left_s)
{
	struct store_client c = {.state = WIRE_LICENSED,
	    .threshold = THRESHOLD,
	    .count = THRESHOLD,
	    .last_unix_s = NOW,
	    .granted_unix_s = NOW + left_s - VALIDITY_DAYS * DAY_S};

	c.product[0] = product;
	return c;
}

static void
take(struct store_client c)
{
	summary_count(&sum, &c);
}

static void
test_a_lease_ends_within_so_many_days_to_the_second(void)
{
	static const struct {
		int64_t left_s;
		int within_7, within_30, within_60, current, ended;
	} rows[] = {
	    {-400 * DAY_S, 0, 0, 0, 0, 1},
	    {-1, 0, 0, 0, 0, 1},
	    {0, 0, 0, 0, 0, 1},
	    {1, 1, 1, 1, 1, 0},
	    {7 * DAY_S, 1, 1, 1, 1, 0},
	    {7 * DAY_S + 1, 0, 1, 1, 1, 0},
	    {30 * DAY_S, 0, 1, 1, 1, 0},
	    {30 * DAY_S + 1, 0, 0, 1, 1, 0},
	    {60 * DAY_S, 0, 0, 1, 1, 0},
	    {60 * DAY_S + 1, 0, 0, 0, 1, 0},
	    {VALIDITY_DAYS * DAY_S, 0, 0, 0, 1, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin();
		take(client(1, rows[i].left_s));
		is((long long)sum.within[0], rows[i].within_7);
		is((long long)sum.within[1], rows[i].within_30);
		is((long long)sum.within[2], rows[i].within_60);
		is((long long)sum.leases, rows[i].current);
		is((long long)sum.ended, rows[i].ended);
		is((long long)sum.clients, 1);
		end();
	}
}

static void
test_who_was_never_told_enough_has_no_lease(void)
{
	struct store_client c = client(1, DAY_S);

	begin();
	c.granted_unix_s = 0;
	take(c);
	take(client(N_PRODUCTS + 1, DAY_S)); /* in no catalogue any more */
	is((long long)sum.clients, 2);
	is((long long)(sum.leases + sum.ended + sum.within[2]), 0);
	is((long long)sum.by_product[0], 1);
	is((long long)sum.by_product[1], 0);
	end();
}

/* Who has not come for 30 days does not wait for an activation. */
static void
test_who_asks_is_who_came_within_the_window(void)
{
	static const struct {
		int64_t ago_s;
		int64_t want;
	} rows[] = {{0, 1}, {-DAY_S, 1}, {30 * DAY_S - 1, 1}, {30 * DAY_S, 0}};
	const uint8_t none[PUBLISHER_LEN] = {0}, other[PUBLISHER_LEN] = {9};
	struct store_client c = client(1, DAY_S);

	is(summary_asking(&(struct summary){0}, none, c.product), -1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin();
		c.last_unix_s = NOW - rows[i].ago_s;
		take(c);
		is(summary_asking(&sum, none, c.product), rows[i].want);
		is((long long)sum.by_product[0], 1);
		is(summary_asking(&sum, none, products->lines[1].id), 0);
		is(summary_asking(&sum, other, c.product), -1);
		end();
	}
}

static void
test_the_json_has_each_number_under_its_name(void)
{
	static const char want[] =
	    "{\"as_of_unix_s\": 1800000000, \"batches\": 9, \"clients\": 21, "
	    "\"duplicates\": 2, \"by_state\": {\"unlicensed\": 1, "
	    "\"initial_grace\": 2, \"licensed\": 12, "
	    "\"out_of_tolerance_grace\": 3, \"notification\": 3}, "
	    "\"leases\": {\"current\": 20, \"ended\": 1, \"within_7_days\": 4, "
	    "\"within_30_days\": 6, \"within_60_days\": 9}}";
	static const struct {
		int64_t left_days;
		int n;
		enum wire_state state;
	} rows[] = {{-3, 1, WIRE_UNLICENSED}, {2, 2, WIRE_INITIAL_GRACE},
	    {6, 2, WIRE_LICENSED}, {20, 2, WIRE_LICENSED},
	    {40, 3, WIRE_TOLERANCE_GRACE}, {90, 8, WIRE_LICENSED},
	    {100, 3, WIRE_NOTIFICATION}};
	json_t *told, *list;
	char *text;

	begin();
	is_str(json_is_null(list = summary_json(&(struct summary){0})) ? "null"
	                                                               : "",
	    "null");
	json_decref(list);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int k = 0; k < rows[i].n; k++) {
			struct store_client c =
			    client(1, rows[i].left_days * DAY_S);

			c.state = rows[i].state;
			c.cmid[0] = (uint8_t)(k + 1);
			c.twin_unix_s =
			    rows[i].left_days == 2 ? (uint32_t)NOW : 0;
			take(c);
		}
	}
	sum.batches = 9;
	told = summary_json(&sum);
	list = json_object_get(told, "by_product");
	is((long long)json_array_size(list), 1); /* those that have clients */
	list = json_array_get(list, 0);
	is_str(json_string_value(json_object_get(list, "name")), "product 1");
	is(json_integer_value(json_object_get(list, "clients")), 21);
	(void)json_object_del(told, "by_product");
	text = json_dumps(told, 0);
	is_str(text, want);
	free(text);
	json_decref(told);
	end();
}

int
main(void)
{
	test_a_lease_ends_within_so_many_days_to_the_second();
	test_who_was_never_told_enough_has_no_lease();
	test_who_asks_is_who_came_within_the_window();
	test_the_json_has_each_number_under_its_name();
	return tap_done();
}
