/* SPDX-License-Identifier: MIT */
#include "host/admin_list.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"

#define TEXT_SHOWN_MAX 40 /* characters of what was asked for */

/* Of a listing that finds no room on the disk: some 100,000 clients. */
#define LISTING_MEMORY_MAX (64U << 20)

struct listing {
	FILE *file;
	const char *comma;
	const struct admin_filter *filter;
	uint64_t max; /* bytes */
	bool is_over; /* there would be more */
};

static const char *const state_names[] = {[WIRE_UNLICENSED] = "unlicensed",
    [WIRE_INITIAL_GRACE] = "initial_grace",
    [WIRE_LICENSED] = "licensed",
    [WIRE_TOLERANCE_GRACE] = "out_of_tolerance_grace",
    [WIRE_NOTIFICATION] = "notification"};

#define N_STATES (sizeof(state_names) / sizeof(state_names[0]))

const char *
admin_list_state(enum wire_state state)
{
	return (size_t)state < N_STATES ? state_names[state] : "unknown";
}

static bool
find_state(const char *text, enum wire_state *out)
{
	for (size_t i = 0; i < N_STATES; i++) {
		if (strcmp(text, state_names[i]) == 0) {
			*out = (enum wire_state)i;
			return true;
		}
	}
	return false;
}

/* ---- which rows ---- */

static int
find_product(const struct state *state, const char *text, uint8_t *out,
    struct problem *problem)
{
	if (uuid_parse(text, out) == 0)
		return 0;
	for (uint32_t i = 0; i < state->n; i++) {
		const struct catalogue *cat = state->publishers[i].catalogue;

		for (uint32_t p = 0; cat != NULL && p < cat->n_products; p++) {
			if (strcmp(cat->products[p].name, text) == 0) {
				memcpy(out, cat->products[p].id, PRODUCT_LEN);
				return 0;
			}
		}
	}
	return problem_set(problem, MUSTER_E_NOENT, 404, "product_unknown",
	    "name it as `muster host status` does, or by its id",
	    "no catalogue of this host has a product %.*s", TEXT_SHOWN_MAX,
	    text);
}

int
admin_list_filter(const struct state *state, const struct admin_query *query,
    struct admin_filter *f, struct problem *problem)
{
	const char *yes = query->duplicate, *format = query->format;

	*f = (struct admin_filter){.host = state->host,
	    .now_unix_s = clock_unix_s()};
	if (query->unknown != NULL)
		return problem_set(problem, MUSTER_E_PROTO, 400, "bad_request",
		    "a list takes product, state, duplicate and format; a "
		    "page of it limit, search, sort, order and after too",
		    "%.*s is nothing by which a list is chosen", TEXT_SHOWN_MAX,
		    query->unknown);
	if (query->product != NULL) {
		int err =
		    find_product(state, query->product, f->product, problem);

		if (err != 0)
			return err;
		f->has_product = true;
	}
	if (query->state != NULL && !find_state(query->state, &f->state))
		return problem_set(problem, MUSTER_E_PROTO, 400, "bad_state",
		    "a state is unlicensed, initial_grace, licensed, "
		    "out_of_tolerance_grace or notification",
		    "%.*s is no state of a client", TEXT_SHOWN_MAX,
		    query->state);
	f->has_state = query->state != NULL;
	f->is_duplicate = yes != NULL && strcmp(yes, "true") == 0;
	f->is_csv = format != NULL && strcmp(format, "csv") == 0;
	if ((yes != NULL && !f->is_duplicate && strcmp(yes, "false") != 0) ||
	    (format != NULL && !f->is_csv && strcmp(format, "json") != 0))
		return problem_set(problem, MUSTER_E_PROTO, 400, "bad_request",
		    "see the manual of musterd for the paths",
		    "duplicate is true or false, and format json or csv");
	return 0;
}

/* ---- the rows ---- */

bool
admin_list_is_wanted(const struct admin_filter *f,
    const struct store_client *client)
{
	return (!f->has_product ||
	           memcmp(f->product, client->product, PRODUCT_LEN) == 0) &&
	    (!f->has_state || f->state == client->state) &&
	    (!f->is_duplicate ||
	        store_client_is_duplicate(client, f->now_unix_s));
}

/* A row's columns; every string is hex, or a name of [A-Za-z0-9._-]* (a row is
 * checked when it is read from the store): none needs quoting. */
struct texts {
	char publisher[2 * PUBLISHER_LEN + 1], product[UUID_TEXT_LEN + 1];
	char cmid[2 * WIRE_ID_LEN + 1], machine[2 * WIRE_ID_LEN + 1];
	char other[2 * WIRE_ID_LEN + 1], address[ADMIN_ADDRESS_MAX];
};

static void
make_texts(const struct store_client *client, struct texts *t)
{
	hex_encode(client->publisher, PUBLISHER_LEN, t->publisher);
	uuid_format(client->product, t->product);
	hex_encode(client->cmid, WIRE_ID_LEN, t->cmid);
	hex_encode(client->machine, WIRE_ID_LEN, t->machine);
	hex_encode(client->other_machine, WIRE_ID_LEN, t->other);
	admin_address_text(client->address, t->address);
}

/* A name of a catalogue may hold anything. */
static void
write_product(FILE *file, const struct products *products,
    const struct store_client *client)
{
	const struct product_line *line = products_of(products, client);
	int64_t end_unix_s = products_lease_end(products, client);
	json_t *name = line == NULL ? NULL : json_string(line->name);

	(void)fputs(",\"product_name\":", file);
	if (name == NULL || json_dumpf(name, file, JSON_ENCODE_ANY) != 0)
		(void)fputs("null", file);
	json_decref(name);
	if (end_unix_s == 0)
		(void)fputs(",\"lease_end_unix_s\":null", file);
	else
		(void)fprintf(file, ",\"lease_end_unix_s\":%lld",
		    (long long)end_unix_s);
}

/* Where no other shares the store, this host served all. */
static const char *
host_of(const struct admin_filter *filter, const struct store_client *client)
{
	return client->host[0] != '\0' ? client->host : filter->host;
}

void
admin_list_row(FILE *file, const char *comma, const struct store_client *client,
    const struct admin_filter *filter)
{
	bool is_twin = store_client_is_duplicate(client, filter->now_unix_s);
	struct texts t;

	make_texts(client, &t);
	(void)fprintf(file,
	    "%s{\"publisher\":\"%s\",\"product\":\"%s\",\"cmid\":\"%s\","
	    "\"machine\":\"%s\",\"name\":\"%s\",\"state\":\"%s\","
	    "\"threshold\":%u,\"first_unix_s\":%lld,\"last_unix_s\":%lld,"
	    "\"count\":%u,\"contacts\":%llu,\"address\":\"%s\","
	    "\"host\":\"%s\",\"duplicate\":%s",
	    comma, t.publisher, t.product, t.cmid, t.machine, client->name,
	    admin_list_state(client->state), client->threshold,
	    (long long)client->first_unix_s, (long long)client->last_unix_s,
	    client->count, (unsigned long long)client->contacts, t.address,
	    host_of(filter, client), is_twin ? "true" : "false");
	if (is_twin)
		(void)fprintf(file,
		    ",\"other_machine\":\"%s\",\"other_name\":\"%s\"", t.other,
		    client->other_name);
	if (filter->products != NULL)
		write_product(file, filter->products, client);
	(void)fputs("}\n", file);
}

static void
write_csv(struct listing *listing, const struct store_client *client)
{
	bool is_twin =
	    store_client_is_duplicate(client, listing->filter->now_unix_s);
	struct texts texts, *t = &texts;

	make_texts(client, t);
	(void)fprintf(listing->file,
	    "%s,%s,%s,%s,%s,%s,%u,%lld,%lld,%u,%llu,%s,%d,%s,%s,%s\r\n",
	    t->publisher, t->product, t->cmid, t->machine, client->name,
	    admin_list_state(client->state), client->threshold,
	    (long long)client->first_unix_s, (long long)client->last_unix_s,
	    client->count, (unsigned long long)client->contacts, t->address,
	    (int)is_twin, is_twin ? t->other : "",
	    is_twin ? client->other_name : "",
	    host_of(listing->filter, client));
}

static void
list_client(void *arg, const struct store_client *client)
{
	struct listing *listing = arg;

	if (!admin_list_is_wanted(listing->filter, client))
		return;
	listing->is_over =
	    listing->is_over || (uint64_t)ftello(listing->file) > listing->max;
	if (listing->is_over)
		return;
	if (listing->filter->is_csv) {
		write_csv(listing, client);
	} else {
		admin_list_row(listing->file, listing->comma, client,
		    listing->filter);
		listing->comma = ",";
	}
}

static int
write_list(struct listing *listing, const struct store *store)
{
	bool is_csv = listing->filter->is_csv;
	int err;

	(void)fputs(is_csv
	        ? ADMIN_LIST_COLUMNS "\r\n"
	        : "{\"schema\":\"muster.host-clients/1\",\"clients\":[\n",
	    listing->file);
	err = store_clients_aside(store, list_client, listing);
	(void)fputs(is_csv ? "" : "]}\n", listing->file);
	return err;
}

/* 0, or MUSTER_E_FULL where the file takes no more; fd stays the caller's. */
static int
list_into(struct listing *listing, const struct store *store, int fd,
    uint64_t *len_out)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	off_t len;
	int err;

	listing->file = copy < 0 ? NULL : fdopen(copy, "w");
	if (listing->file == NULL) {
		if (copy >= 0)
			close(copy);
		return MUSTER_E_IO;
	}
	err = write_list(listing, store);
	if ((ferror(listing->file) != 0 || listing->is_over) && err == 0)
		err = MUSTER_E_FULL;
	if (fclose(listing->file) != 0 && err == 0)
		err = MUSTER_E_FULL;
	len = lseek(fd, 0, SEEK_END);
	if (len < 0 && err == 0)
		err = MUSTER_E_IO;
	if (err == 0)
		*len_out = (uint64_t)len;
	return err;
}

int
admin_list(const struct store *store, const char *folder,
    const struct admin_filter *filter, int *fd_out, uint64_t *len_out)
{
	struct listing on_disk = {.comma = "",
	    .filter = filter,
	    .max = UINT64_MAX};
	struct listing in_memory = {.comma = "",
	    .filter = filter,
	    .max = LISTING_MEMORY_MAX};
	/* on disk: an inventory may be larger than memory should be */
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int err = MUSTER_E_FULL;

	if (fd >= 0)
		err = list_into(&on_disk, store, fd, len_out);
	/* a full disk hides nothing */
	if (err == MUSTER_E_FULL) {
		if (fd >= 0)
			close(fd);
		fd = memfd_create("clients", MFD_CLOEXEC);
		err = fd < 0 ? MUSTER_E_IO
		             : list_into(&in_memory, store, fd, len_out);
	}
	if (err == 0)
		*fd_out = fd;
	else if (fd >= 0)
		close(fd);
	return err;
}
