/* SPDX-License-Identifier: MIT */
#include "host/page.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/hex.h"
#include "host/products.h"

#define ID_TEXT_LEN (2 * WIRE_ID_LEN)

/* A row of the page, and where it stands in the order. */
struct entry {
	uint8_t key[PAGE_KEY_LEN];
	struct store_client client;
};

struct page {
	const struct admin_filter *filter;
	uint64_t n_total, n_matched, n_behind; /* behind: after the cursor */
	uint32_t n; /* kept, a heap: the last first */
	struct entry *kept;
};

static const struct {
	const char *name;
	enum page_sort sort;
	bool is_desc; /* unless an order is given */
} sorts[] = {
    {"last", PAGE_LAST, true},
    {"first", PAGE_FIRST, true},
    {"name", PAGE_NAME, false},
    {"state", PAGE_STATE, false},
    {"product", PAGE_PRODUCT, false},
    {"count", PAGE_COUNT, true},
    {"contacts", PAGE_CONTACTS, true},
    {"address", PAGE_ADDRESS, false},
    {"lease_end", PAGE_LEASE_END, false},
};

#define N_SORTS (sizeof(sorts) / sizeof(sorts[0]))

/* ---- the question ---- */

static int
bad(struct problem *problem, const char *what)
{
	return problem_set(problem, MUSTER_E_PROTO, 400, "bad_request",
	    "see the manual of musterd for the paths", "%s", what);
}

static int
ask_order(const struct admin_query *query, struct page_ask *ask,
    struct problem *problem)
{
	const char *sort = query->sort != NULL ? query->sort : sorts[0].name;
	size_t i = 0;

	while (i < N_SORTS && strcmp(sorts[i].name, sort) != 0)
		i++;
	if (i == N_SORTS)
		return bad(problem,
		    "sort is last, first, name, state, product, count, "
		    "contacts, address or lease_end");
	ask->sort = sorts[i].sort;
	ask->is_desc = sorts[i].is_desc;
	if (query->order == NULL)
		return 0;
	ask->is_desc = strcmp(query->order, "desc") == 0;
	if (!ask->is_desc && strcmp(query->order, "asc") != 0)
		return bad(problem, "order is asc or desc");
	return 0;
}

static int
ask_limit(const char *text, struct page_ask *ask, struct problem *problem)
{
	char *end;
	unsigned long v;

	ask->limit = PAGE_LIMIT;
	if (text == NULL)
		return 0;
	v = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end != '\0' || v < 1 ||
	    v > PAGE_LIMIT_MAX)
		return bad(problem, "limit is a number from 1 to 1000");
	ask->limit = (uint32_t)v;
	return 0;
}

/* In small letters; an id is found with its dashes and without. */
static int
ask_search(const char *text, struct page_ask *ask, struct problem *problem)
{
	size_t n = 0;

	if (text == NULL)
		return 0;
	if (strlen(text) > PAGE_SEARCH_MAX)
		return bad(problem, "search takes 64 characters");
	for (size_t i = 0; text[i] != '\0'; i++) {
		ask->search[i] = (char)tolower((unsigned char)text[i]);
		if (text[i] != '-')
			ask->digits[n++] = ask->search[i];
	}
	/* few digits are in every id */
	if (n < PAGE_DIGITS_MIN || strspn(ask->digits, "0123456789abcdef") != n)
		ask->digits[0] = '\0';
	return 0;
}

int
page_ask(const struct admin_query *query, struct page_ask *ask,
    struct problem *problem)
{
	int err;

	memset(ask, 0, sizeof(*ask));
	err = ask_order(query, ask, problem);
	if (err == 0)
		err = ask_limit(query->limit, ask, problem);
	if (err == 0)
		err = ask_search(query->search, ask, problem);
	if (err != 0 || query->after == NULL)
		return err;
	ask->has_after = true;
	if (strlen(query->after) != (size_t)2 * PAGE_KEY_LEN ||
	    hex_decode(query->after, (size_t)2 * PAGE_KEY_LEN, ask->after,
	        PAGE_KEY_LEN) != 0)
		return bad(problem, "after is the `next` of the page before");
	return 0;
}

int
page_filter(const struct state *state, const struct admin_query *query,
    bool is_paged, struct admin_filter *filter, struct problem *problem)
{
	int err = admin_list_filter(state, query, filter, problem);

	filter->is_page = is_paged || query->limit != NULL;
	if (err == 0)
		err = page_ask(query, &filter->ask, problem);
	if (err != 0 || !filter->is_page)
		return err;
	filter->products = products_new(state);
	if (filter->products == NULL)
		return problem_set(problem, MUSTER_E_NOMEM, 500, "no_memory",
		    "free memory on this machine", "out of memory");
	return 0;
}

/* ---- the rows ---- */

static void
put_number(uint8_t *out, uint64_t v)
{
	for (int i = 7; i >= 0; i--) {
		out[i] = (uint8_t)v;
		v >>= 8;
	}
}

/* Bytes whose order is that of the rows; who is equal stands by its id. */
static void
make_key(const struct admin_filter *f, const struct store_client *c,
    uint8_t *key)
{
	const struct product_line *line;
	uint8_t *id = key + PAGE_VALUE_LEN;

	memset(key, 0, PAGE_VALUE_LEN);
	switch (f->ask.sort) {
	case PAGE_LAST:
		put_number(key, (uint64_t)c->last_unix_s);
		break;
	case PAGE_FIRST:
		put_number(key, (uint64_t)c->first_unix_s);
		break;
	case PAGE_NAME:
		for (size_t i = 0; c->name[i] != '\0'; i++)
			key[i] = (uint8_t)tolower((unsigned char)c->name[i]);
		break;
	case PAGE_STATE:
		put_number(key, (uint64_t)c->state);
		break;
	case PAGE_PRODUCT:
		line = products_of(f->products, c);
		if (line != NULL)
			memcpy(key, line->name, strlen(line->name));
		break;
	case PAGE_COUNT:
		put_number(key, c->count);
		break;
	case PAGE_CONTACTS:
		put_number(key, c->contacts);
		break;
	case PAGE_ADDRESS:
		memcpy(key, c->address, TURN_ADDRESS_LEN);
		break;
	case PAGE_LEASE_END:
		put_number(key, (uint64_t)products_lease_end(f->products, c));
		break;
	}
	memcpy(id, c->publisher, PUBLISHER_LEN);
	memcpy(id + PUBLISHER_LEN, c->product, WIRE_ID_LEN);
	memcpy(id + PUBLISHER_LEN + WIRE_ID_LEN, c->cmid, WIRE_ID_LEN);
}

static bool
has_digits(const uint8_t *id, const char *digits)
{
	char text[ID_TEXT_LEN + 1];

	hex_encode(id, WIRE_ID_LEN, text);
	return strstr(text, digits) != NULL;
}

static bool
is_found(const struct admin_filter *f, const struct store_client *c)
{
	const struct page_ask *ask = &f->ask;
	bool is_twin = store_client_is_duplicate(c, f->now_unix_s);
	char address[ADMIN_ADDRESS_MAX];

	if (ask->search[0] == '\0' ||
	    strcasestr(c->name, ask->search) != NULL ||
	    (is_twin && strcasestr(c->other_name, ask->search) != NULL))
		return true;
	admin_address_text(c->address, address);
	if (strstr(address, ask->search) != NULL)
		return true;
	return ask->digits[0] != '\0' &&
	    (has_digits(c->cmid, ask->digits) ||
	        has_digits(c->machine, ask->digits) ||
	        (is_twin && has_digits(c->other_machine, ask->digits)));
}

/* Below 0: a stands before b on the page. */
static int
compare(const struct page_ask *ask, const uint8_t *a, const uint8_t *b)
{
	int c = memcmp(a, b, PAGE_KEY_LEN);

	return ask->is_desc ? -c : c;
}

static void
swap(struct entry *a, struct entry *b)
{
	struct entry t = *a;

	*a = *b;
	*b = t;
}

static void
sift_down(struct page *page, uint32_t i)
{
	const struct page_ask *ask = &page->filter->ask;

	for (;;) {
		uint32_t last = i;

		for (uint32_t k = 2 * i + 1; k <= 2 * i + 2; k++) {
			if (k < page->n &&
			    compare(ask, page->kept[k].key,
			        page->kept[last].key) > 0)
				last = k;
		}
		if (last == i)
			return;
		swap(&page->kept[i], &page->kept[last]);
		i = last;
	}
}

static void
keep(struct page *page, const uint8_t *key, const struct store_client *client)
{
	const struct page_ask *ask = &page->filter->ask;
	uint32_t i = page->n;

	if (page->n == ask->limit) {
		if (compare(ask, key, page->kept[0].key) >= 0)
			return;
		memcpy(page->kept[0].key, key, PAGE_KEY_LEN);
		page->kept[0].client = *client;
		sift_down(page, 0);
		return;
	}
	memcpy(page->kept[i].key, key, PAGE_KEY_LEN);
	page->kept[i].client = *client;
	page->n++;
	for (; i > 0 &&
	     compare(ask, page->kept[i].key, page->kept[(i - 1) / 2].key) > 0;
	     i = (i - 1) / 2)
		swap(&page->kept[i], &page->kept[(i - 1) / 2]);
}

static void
take_client(void *arg, const struct store_client *client)
{
	struct page *page = arg;
	const struct admin_filter *f = page->filter;
	uint8_t key[PAGE_KEY_LEN];

	page->n_total++;
	if (!admin_list_is_wanted(f, client) || !is_found(f, client))
		return;
	page->n_matched++;
	make_key(f, client, key);
	if (f->ask.has_after && compare(&f->ask, key, f->ask.after) <= 0)
		return;
	page->n_behind++;
	keep(page, key, client);
}

/* The heap gives its last one first: in place, until it is in order. */
static void
put_in_order(struct page *page)
{
	uint32_t n = page->n;

	while (page->n > 1) {
		swap(&page->kept[0], &page->kept[--page->n]);
		sift_down(page, 0);
	}
	page->n = n;
}

static int
write_page(const struct page *page, int64_t as_of_unix_s, char **text_out)
{
	char next[2 * PAGE_KEY_LEN + 1];
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	bool is_whole;

	if (file == NULL)
		return MUSTER_E_NOMEM;
	(void)fprintf(file,
	    "{\"schema\":\"muster.host-clients-page/1\","
	    "\"as_of_unix_s\":%lld,\"total\":%llu,\"matched\":%llu,"
	    "\"clients\":[\n",
	    (long long)as_of_unix_s, (unsigned long long)page->n_total,
	    (unsigned long long)page->n_matched);
	for (uint32_t i = 0; i < page->n; i++)
		admin_list_row(file, i == 0 ? "" : ",", &page->kept[i].client,
		    page->filter);
	if (page->n_behind > page->n) {
		hex_encode(page->kept[page->n - 1].key, PAGE_KEY_LEN, next);
		(void)fprintf(file, "],\"next\":\"%s\"}\n", next);
	} else {
		(void)fputs("],\"next\":null}\n", file);
	}
	is_whole = ferror(file) == 0;
	/* the text is whole, and its own, once the stream is closed */
	if (fclose(file) != 0 || !is_whole) {
		free(text);
		return MUSTER_E_NOMEM;
	}
	*text_out = text;
	return 0;
}

/* ---- by an index ---- */

/* Nothing is looked for, and the order is one that the store has. */
static bool
is_indexed(const struct admin_filter *f)
{
	return f->ask.sort == PAGE_LAST && f->ask.search[0] == '\0' &&
	    !f->has_product && !f->has_state && !f->is_duplicate;
}

/* They come in order; one more than the page has tells that there is more. */
static void
take_next(void *arg, const struct store_client *client)
{
	struct page *page = arg;
	struct entry *entry;

	page->n_behind++;
	if (page->n == page->filter->ask.limit)
		return;
	entry = &page->kept[page->n++];
	make_key(page->filter, client, entry->key);
	entry->client = *client;
}

static int64_t
get_number(const uint8_t *in)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | in[i];
	return (int64_t)v;
}

static int
read_recent(const struct store *store, struct page *page)
{
	const struct page_ask *ask = &page->filter->ask;
	const uint8_t *id = ask->after + PAGE_VALUE_LEN;
	struct store_recent recent = {.is_desc = ask->is_desc,
	    .has_after = ask->has_after,
	    .max = ask->limit + 1};
	int err;

	recent.after.last_unix_s = get_number(ask->after);
	memcpy(recent.after.publisher, id, PUBLISHER_LEN);
	memcpy(recent.after.product, id + PUBLISHER_LEN, WIRE_ID_LEN);
	memcpy(recent.after.cmid, id + PUBLISHER_LEN + WIRE_ID_LEN,
	    WIRE_ID_LEN);
	err =
	    store_recent_aside(store, &recent, take_next, page, &page->n_total);
	page->n_matched = page->n_total;
	return err;
}

static int
read_all(const struct store *store, struct page *page)
{
	int err = store_clients_aside(store, take_client, page);

	if (err == 0)
		put_in_order(page);
	return err;
}

int
page_list(const struct store *store, const struct admin_filter *filter,
    char **text_out)
{
	struct page page = {.filter = filter};
	int64_t now_unix_s = clock_unix_s();
	int err;

	page.kept = calloc(filter->ask.limit, sizeof(*page.kept));
	if (page.kept == NULL)
		return MUSTER_E_NOMEM;
	err = is_indexed(filter) ? read_recent(store, &page)
	                         : read_all(store, &page);
	if (err == 0)
		err = write_page(&page, now_unix_s, text_out);
	free(page.kept);
	return err;
}
