/* SPDX-License-Identifier: MIT */
#include "host/summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "host/admin_list.h"

#define DAY_S 86400

static const int within_days[SUMMARY_WITHINS] = {7, 30, 60};

/* Rows come by product, so that a CMID may have been seen long before. */
static bool
is_new_twin(struct summary *out, const uint8_t *cmid)
{
	for (size_t i = 0; i < out->n_twins; i++) {
		if (memcmp(out->twins[i], cmid, WIRE_ID_LEN) == 0)
			return false;
	}
	if (out->n_twins < SUMMARY_TWINS_MAX)
		memcpy(out->twins[out->n_twins++], cmid, WIRE_ID_LEN);
	return true;
}

void
summary_count(void *summary, const struct store_client *client)
{
	struct summary *out = summary;
	const struct product_line *line = products_of(out->products, client);
	int64_t left_s = products_lease_end(out->products, client);

	out->clients++;
	if (store_client_is_duplicate(client, out->as_of_unix_s) &&
	    is_new_twin(out, client->cmid))
		out->duplicates++;
	if ((size_t)client->state < SUMMARY_STATES)
		out->by_state[client->state]++;
	if (line != NULL) {
		out->by_product[line - out->products->lines]++;
		out->asking[line - out->products->lines] +=
		    out->as_of_unix_s - client->last_unix_s < COUNT_WINDOW_S;
	}
	if (left_s == 0)
		return;
	left_s -= out->as_of_unix_s;
	if (left_s <= 0) {
		out->ended++;
		return;
	}
	out->leases++;
	for (int i = 0; i < SUMMARY_WITHINS; i++)
		out->within[i] += left_s <= (int64_t)within_days[i] * DAY_S;
}

int
summary_begin(const struct products *products, int64_t now_unix_s,
    struct summary *out)
{
	struct summary summary = {.as_of_unix_s = now_unix_s,
	    .products = products};

	summary.by_product =
	    calloc(products->n + 1, sizeof(*summary.by_product));
	summary.asking = calloc(products->n + 1, sizeof(*summary.asking));
	summary.twins = calloc(SUMMARY_TWINS_MAX, sizeof(*summary.twins));
	if (summary.by_product == NULL || summary.asking == NULL ||
	    summary.twins == NULL) {
		summary_clear(&summary);
		return MUSTER_E_NOMEM;
	}
	*out = summary;
	return 0;
}

int64_t
summary_asking(const struct summary *summary, const uint8_t *publisher,
    const uint8_t *id)
{
	struct store_client key = {0};
	const struct product_line *line;

	if (summary->as_of_unix_s == 0)
		return -1;
	memcpy(key.publisher, publisher, PUBLISHER_LEN);
	memcpy(key.product, id, PRODUCT_LEN);
	line = products_of(summary->products, &key);
	return line == NULL
	    ? -1
	    : (int64_t)summary->asking[line - summary->products->lines];
}

void
summary_clear(struct summary *summary)
{
	free(summary->by_product);
	free(summary->asking);
	free(summary->twins);
	memset(summary, 0, sizeof(*summary));
}

static json_t *
number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *
by_product(const struct summary *summary)
{
	json_t *list = json_array();

	for (size_t i = 0; i < summary->products->n; i++) {
		const struct product_line *line = &summary->products->lines[i];
		char id[UUID_TEXT_LEN + 1];

		if (summary->by_product[i] == 0)
			continue;
		uuid_format(line->id, id);
		(void)json_array_append_new(list,
		    json_pack("{s:s, s:s, s:o}", "product", id, "name",
		        line->name, "clients", number(summary->by_product[i])));
	}
	return list;
}

json_t *
summary_json(const struct summary *summary)
{
	json_t *states = json_object(), *leases = json_object();
	char name[32];

	if (summary->as_of_unix_s == 0) {
		json_decref(states);
		json_decref(leases);
		return json_null();
	}
	for (int i = 0; i < SUMMARY_STATES; i++)
		(void)json_object_set_new(states,
		    admin_list_state((enum wire_state)i),
		    number(summary->by_state[i]));
	(void)json_object_set_new(leases, "current", number(summary->leases));
	(void)json_object_set_new(leases, "ended", number(summary->ended));
	for (int i = 0; i < SUMMARY_WITHINS; i++) {
		(void)snprintf(name, sizeof(name), "within_%d_days",
		    within_days[i]);
		(void)json_object_set_new(leases, name,
		    number(summary->within[i]));
	}
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "as_of_unix_s",
	    (json_int_t)summary->as_of_unix_s, "batches",
	    number(summary->batches), "clients", number(summary->clients),
	    "duplicates", number(summary->duplicates), "by_state", states,
	    "leases", leases, "by_product", by_product(summary));
}
