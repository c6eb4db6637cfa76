/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/errcode.h"
#include "base/hex.h"
#include "host/admin_api.h"

static const char *const status_names[TURNLOOP_STATUSES] = {
    [WIRE_OK] = "ok",
    [WIRE_UNKNOWN_PRODUCT] = "unknown_product",
    [WIRE_NOT_COVERED] = "not_covered",
    [WIRE_HOST_NOT_ACTIVATED] = "host_not_activated",
    [WIRE_CLOCK] = "clock",
    [WIRE_BUSY] = "busy",
    [WIRE_REFUSED] = "refused",
};

static const char *
state_name(enum wire_state state)
{
	switch (state) {
	case WIRE_UNLICENSED:
		return "unlicensed";
	case WIRE_INITIAL_GRACE:
		return "initial_grace";
	case WIRE_LICENSED:
		return "licensed";
	case WIRE_TOLERANCE_GRACE:
		return "out_of_tolerance_grace";
	case WIRE_NOTIFICATION:
		return "notification";
	}
	return "unknown";
}

static json_t *
number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *
certificate(const struct publisher *pub)
{
	const struct cert *cert = &pub->cert;
	json_t *out;

	if (!pub->has_cert)
		return json_null();
	out = json_object();
	(void)json_object_set_new(out, "good", json_boolean(pub->is_cert_good));
	(void)json_object_set_new(out, "key_number", number(cert->key_number));
	(void)json_object_set_new(out, "slot", number(cert->slot));
	(void)json_object_set_new(out, "activation", number(cert->activation));
	(void)json_object_set_new(out, "lines", number(cert->lines));
	(void)json_object_set_new(out, "level", number(cert->level));
	(void)json_object_set_new(out, "issued_day", number(cert->issued_day));
	(void)json_object_set_new(out, "expires_day",
	    cert->expires_day == 0 ? json_null() : number(cert->expires_day));
	(void)json_object_set_new(out, "issuer", number(cert->issuer));
	return out;
}

static uint32_t
largest_threshold(const struct catalogue *cat, uint32_t group)
{
	uint32_t largest = 0;

	for (uint32_t i = 0; i < cat->n_products; i++) {
		const struct cat_product *p = &cat->products[i];

		if (p->group == group && p->threshold > largest)
			largest = p->threshold;
	}
	return largest;
}

static json_t *
groups(const struct catalogue *cat, const struct store_group *in_store,
    size_t n)
{
	json_t *list = json_array();

	for (uint32_t g = 0; g < cat->n_groups; g++) {
		const struct cat_group *group = &cat->groups[g];
		struct store_group at = {.group = group->number};
		json_t *out = json_object();

		for (size_t i = 0; i < n; i++) {
			if (in_store[i].group == group->number &&
			    memcmp(in_store[i].publisher, cat->head.publisher,
			        PUBLISHER_LEN) == 0)
				at = in_store[i];
		}
		(void)json_object_set_new(out, "group", number(at.group));
		(void)json_object_set_new(out, "name",
		    json_string(group->name));
		(void)json_object_set_new(out, "count", number(at.count));
		(void)json_object_set_new(out, "held", number(at.held));
		(void)json_object_set_new(out, "capacity", number(at.capacity));
		(void)json_object_set_new(out, "largest_threshold",
		    number(largest_threshold(cat, group->number)));
		(void)json_array_append_new(list, out);
	}
	return list;
}

static json_t *
products(const struct publisher *pub)
{
	const struct catalogue *cat = pub->catalogue;
	json_t *list = json_array();

	for (uint32_t i = 0; i < cat->n_products; i++) {
		const struct cat_product *p = &cat->products[i];
		char id[UUID_TEXT_LEN + 1];
		json_t *out = json_object();

		uuid_format(p->id, id);
		(void)json_object_set_new(out, "id", json_string(id));
		(void)json_object_set_new(out, "name", json_string(p->name));
		(void)json_object_set_new(out, "class",
		    json_string(p->class == CAT_SERVER ? "server" : "desktop"));
		(void)json_object_set_new(out, "group", number(p->group));
		(void)json_object_set_new(out, "threshold",
		    number(p->threshold));
		(void)json_object_set_new(out, "covered",
		    json_boolean(pub->is_cert_good &&
		        cert_covers(&pub->cert, p->line, p->level)));
		(void)json_array_append_new(list, out);
	}
	return list;
}

static json_t *
publisher(const struct publisher *pub, const struct store_group *in_store,
    size_t n)
{
	const struct cat_head *head = &pub->catalogue->head;
	json_t *out = json_object();

	(void)json_object_set_new(out, "id", json_string(pub->hex));
	(void)json_object_set_new(out, "name", json_string(head->name));
	(void)json_object_set_new(out, "authority", json_string(head->url));
	(void)json_object_set_new(out, "contact", json_string(head->contact));
	(void)json_object_set_new(out, "catalogue_serial",
	    number(head->serial));
	(void)json_object_set_new(out, "activated",
	    json_boolean(pub->is_cert_good));
	(void)json_object_set_new(out, "reason",
	    pub->is_cert_good ? json_null() : json_string(pub->reason));
	(void)json_object_set_new(out, "host_key_number",
	    pub->has_hostkey ? number(pub->key_number) : json_null());
	(void)json_object_set_new(out, "certificate", certificate(pub));
	(void)json_object_set_new(out, "groups",
	    groups(pub->catalogue, in_store, n));
	(void)json_object_set_new(out, "products", products(pub));
	return out;
}

static json_t *
publishers(const struct admin_host *host)
{
	struct store_group *in_store =
	    calloc(STORE_GROUPS_MAX, sizeof(*in_store));
	json_t *list = json_array();
	struct store *store;
	size_t n = 0;

	if (in_store != NULL) {
		store = turnloop_lock(host->turnloop);
		/* what fails here is told by the next batch */
		if (store_groups(store, clock_unix_s(), in_store,
		        STORE_GROUPS_MAX, &n) != 0)
			n = 0;
		turnloop_unlock(host->turnloop);
	}
	for (uint32_t i = 0; i < host->state->n; i++)
		(void)json_array_append_new(list,
		    publisher(&host->state->publishers[i], in_store, n));
	free(in_store);
	return list;
}

static json_t *
listeners(const struct admin_host *host)
{
	json_t *list = json_array();
	uint32_t n;
	const struct conn_listener *at =
	    conn_server_listeners(host->server, &n);

	for (uint32_t i = 0; i < n; i++)
		(void)json_array_append_new(list,
		    json_pack("{s:s, s:i}", "address", at[i].address, "port",
		        (int)at[i].port));
	return list;
}

static json_t *
requests(const struct admin_host *host)
{
	const struct turnloop_stats *stats = turnloop_stats(host->turnloop);
	json_t *out = json_object();

	for (int i = 0; i < TURNLOOP_STATUSES; i++)
		(void)json_object_set_new(out, status_names[i],
		    number(stats->by_status[i]));
	return out;
}

static json_t *
connections(const struct admin_host *host)
{
	const struct conn_stats *stats = conn_server_stats(host->server);
	json_t *out = json_object();

	(void)json_object_set_new(out, "open", number(stats->open));
	(void)json_object_set_new(out, "most_open", number(stats->open_max));
	(void)json_object_set_new(out, "limit",
	    number(host->config->connections));
	(void)json_object_set_new(out, "accepted", number(stats->accepted));
	(void)json_object_set_new(out, "calls", number(stats->calls));
	(void)json_object_set_new(out, "no_calls", number(stats->closed_bad));
	(void)json_object_set_new(out, "timed_out", number(stats->timed_out));
	(void)json_object_set_new(out, "evicted", number(stats->evicted));
	return out;
}

static json_t *
storage(const struct admin_host *host)
{
	const struct turnloop_stats *stats = turnloop_stats(host->turnloop);
	json_t *out = json_object();
	char outcome[ERRCODE_MAX];

	errcode(stats->outcome, outcome);
	(void)json_object_set_new(out, "kind", json_string("sqlite"));
	(void)json_object_set_new(out, "batches", number(stats->batches));
	(void)json_object_set_new(out, "batches_failed",
	    number(stats->batches_failed));
	(void)json_object_set_new(out, "largest_batch", number(stats->largest));
	(void)json_object_set_new(out, "last_outcome", json_string(outcome));
	return out;
}

json_t *
admin_status(const struct admin_host *host)
{
	int64_t now_unix_s = clock_unix_s();
	json_t *out = json_object();

	(void)json_object_set_new(out, "schema",
	    json_string("muster.host-status/1"));
	(void)json_object_set_new(out, "version", json_string(MUSTER_VERSION));
	(void)json_object_set_new(out, "pid", number((uint64_t)getpid()));
	(void)json_object_set_new(out, "now_unix_s", json_integer(now_unix_s));
	(void)json_object_set_new(out, "started_unix_s",
	    json_integer(host->started_unix_s));
	(void)json_object_set_new(out, "listeners", listeners(host));
	(void)json_object_set_new(out, "renewal_minutes",
	    number(host->config->renewal_min));
	(void)json_object_set_new(out, "retry_minutes",
	    number(host->config->retry_min));
	(void)json_object_set_new(out, "publishers", publishers(host));
	(void)json_object_set_new(out, "requests", requests(host));
	(void)json_object_set_new(out, "connections", connections(host));
	(void)json_object_set_new(out, "store", storage(host));
	(void)json_object_set_new(out, "dns", publish_json(host->publish));
	return out;
}

struct listing {
	FILE *file;
	const char *comma;
};

/* Text for people: IPv4 where it is mapped into IPv6. */
static void
address_text(const uint8_t *address, char *out, size_t cap)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const char *text;

	if (memcmp(address, mapped, sizeof(mapped)) == 0)
		text = inet_ntop(AF_INET, address + sizeof(mapped), out,
		    (socklen_t)cap);
	else
		text = inet_ntop(AF_INET6, address, out, (socklen_t)cap);
	if (text == NULL)
		out[0] = '\0';
}

/* Every string here is hex, or a name of [A-Za-z0-9._-]*: none needs quoting
 * (a row is checked when it is read from the store). */
static void
list_client(void *arg, const struct store_client *client)
{
	struct listing *listing = arg;
	char id[2 * PUBLISHER_LEN + 1], product[UUID_TEXT_LEN + 1];
	char cmid[2 * WIRE_ID_LEN + 1], machine[2 * WIRE_ID_LEN + 1];
	char other[2 * WIRE_ID_LEN + 1], address[INET6_ADDRSTRLEN];

	hex_encode(client->publisher, PUBLISHER_LEN, id);
	uuid_format(client->product, product);
	hex_encode(client->cmid, WIRE_ID_LEN, cmid);
	hex_encode(client->machine, WIRE_ID_LEN, machine);
	hex_encode(client->other_machine, WIRE_ID_LEN, other);
	address_text(client->address, address, sizeof(address));
	(void)fprintf(listing->file,
	    "%s{\"publisher\":\"%s\",\"product\":\"%s\",\"cmid\":\"%s\","
	    "\"machine\":\"%s\",\"name\":\"%s\",\"state\":\"%s\","
	    "\"threshold\":%u,\"first_unix_s\":%lld,\"last_unix_s\":%lld,"
	    "\"count\":%u,\"contacts\":%llu,\"address\":\"%s\","
	    "\"duplicate\":%s",
	    listing->comma, id, product, cmid, machine, client->name,
	    state_name(client->state), client->threshold,
	    (long long)client->first_unix_s, (long long)client->last_unix_s,
	    client->count, (unsigned long long)client->contacts, address,
	    client->is_duplicate ? "true" : "false");
	if (client->is_duplicate)
		(void)fprintf(listing->file,
		    ",\"other_machine\":\"%s\",\"other_name\":\"%s\"", other,
		    client->other_name);
	(void)fputs("}\n", listing->file);
	listing->comma = ",";
}

int
admin_clients(const struct store *store, const char *folder, int *fd_out,
    uint64_t *len_out)
{
	struct listing listing = {.file = NULL, .comma = ""};
	int fd, copy = -1, err = MUSTER_E_IO;
	off_t len;

	/* on disk: an inventory may be larger than memory should be */
	fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = memfd_create("clients", MFD_CLOEXEC);
	if (fd >= 0)
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy >= 0)
		listing.file = fdopen(copy, "w");
	if (listing.file == NULL)
		goto out;
	copy = -1; /* the stream's */
	(void)fputs("{\"schema\":\"muster.host-clients/1\",\"clients\":[\n",
	    listing.file);
	err = store_clients_aside(store, list_client, &listing);
	(void)fputs("]}\n", listing.file);
	if (ferror(listing.file) != 0 && err == 0)
		err = MUSTER_E_FULL;
	if (fclose(listing.file) != 0 && err == 0)
		err = MUSTER_E_FULL;
	len = lseek(fd, 0, SEEK_END);
	if (err != 0 || len < 0)
		goto out;
	*len_out = (uint64_t)len;
	*fd_out = fd;
	fd = -1;
out:
	if (copy >= 0)
		close(copy);
	if (fd >= 0)
		close(fd);
	return err;
}
