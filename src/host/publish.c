/* SPDX-License-Identifier: MIT */
#include "host/publish.h"

#include <assert.h>
#include <string.h>

#define LABELS "_muster._tcp"

void
publish_init(struct publish *p, uint32_t ttl_s)
{
	memset(p, 0, sizeof(*p));
	p->ttl_s = ttl_s;
}

int
publish_owner(const struct dns_name *domain, struct dns_name *owner_out)
{
	char text[DNS_TEXT_MAX + 1];

	dns_name_text(domain, text);
	return dns_name_join(LABELS, text, owner_out);
}

static bool
is_same_srv(const struct dns_srv *a, const struct dns_srv *b)
{
	return a->priority == b->priority && a->weight == b->weight &&
	    a->port == b->port && dns_name_equal(&a->target, &b->target);
}

static bool
is_same_server(const struct config_server *a, const struct config_server *b)
{
	return strcmp(a->address, b->address) == 0 && a->port == b->port;
}

static bool
stands(const struct publish_item *item, const struct dns_srv *srv)
{
	for (size_t i = 0; i < item->n_standing; i++) {
		if (is_same_srv(&item->standing[i], srv))
			return true;
	}
	return false;
}

/* The item of a domain, made where there is none; NULL: no room. */
static struct publish_item *
item_of(struct publish *p, const struct publish_want *want)
{
	struct publish_item *spare = NULL;

	for (size_t i = 0; i < PUBLISH_ITEMS_MAX; i++) {
		struct publish_item *item = &p->items[i];

		if (!item->is_used)
			spare = spare == NULL ? item : spare;
		else if (dns_name_equal(&item->want.domain, &want->domain))
			return item;
	}
	if (spare == NULL)
		return NULL;
	memset(spare, 0, sizeof(*spare));
	spare->is_used = true;
	spare->want = *want;
	spare->next_ms = PUBLISH_NEVER;
	return spare;
}

/* At once, and as if nothing had failed before. */
static void
make_due(struct publish_item *item, uint64_t now_ms)
{
	item->next_ms = now_ms;
	item->retry_ms = 0;
}

int
publish_standing(struct publish *p, const struct publish_want *known,
    uint64_t now_ms)
{
	struct publish_item *item = item_of(p, known);

	if (item == NULL)
		return MUSTER_E_FULL;
	if (stands(item, &known->srv))
		return 0;
	if (item->n_standing == PUBLISH_STANDING_MAX)
		return MUSTER_E_FULL;
	item->standing[item->n_standing++] = known->srv;
	make_due(item, now_ms);
	return 0;
}

static void
unwant(struct publish_item *item, uint64_t now_ms)
{
	item->is_wanted = false;
	item->is_current = false;
	if (item->n_standing > 0)
		make_due(item, now_ms);
	else if (!item->is_busy)
		item->is_used = false;
}

static void
want(struct publish_item *item, const struct publish_want *w, uint64_t now_ms)
{
	if (item->is_wanted && is_same_srv(&item->want.srv, &w->srv) &&
	    is_same_server(&item->want.server, &w->server))
		return;
	item->want = *w;
	item->is_wanted = true;
	item->is_current = false;
	make_due(item, now_ms);
}

int
publish_set(struct publish *p, const struct publish_want *wants, size_t n,
    uint64_t now_ms)
{
	int err = 0;

	assert(n <= PUBLISH_WANTED_MAX);
	for (size_t i = 0; i < PUBLISH_ITEMS_MAX; i++) {
		struct publish_item *item = &p->items[i];
		bool is_wanted = false;

		for (size_t k = 0; k < n; k++)
			is_wanted = is_wanted ||
			    dns_name_equal(&item->want.domain,
			        &wants[k].domain);
		if (item->is_used && item->is_wanted && !is_wanted)
			unwant(item, now_ms);
	}
	for (size_t k = 0; k < n; k++) {
		struct publish_item *item = item_of(p, &wants[k]);

		if (item == NULL)
			err = MUSTER_E_FULL;
		else
			want(item, &wants[k], now_ms);
	}
	return err;
}

void
publish_force(struct publish *p, uint64_t now_ms)
{
	for (size_t i = 0; i < PUBLISH_ITEMS_MAX; i++) {
		if (p->items[i].is_used)
			make_due(&p->items[i], now_ms);
	}
}

/* What goes is all that may stand and is not wanted; what is wanted comes,
 * but not before there is room to note it. */
static bool
make_update(struct publish_item *item, struct update *out)
{
	bool is_noted = false;

	if (item->is_wanted) {
		out->addition = item->want.srv;
		out->has_addition = stands(item, &item->want.srv);
		if (!out->has_addition &&
		    item->n_standing < PUBLISH_STANDING_MAX) {
			item->standing[item->n_standing++] = item->want.srv;
			out->has_addition = is_noted = true;
		}
	}
	for (size_t i = 0; i < item->n_standing; i++) {
		if (!out->has_addition ||
		    !is_same_srv(&item->standing[i], &out->addition))
			out->deletions[out->n_deletions++] = item->standing[i];
	}
	return is_noted;
}

int
publish_next(struct publish *p, uint64_t now_ms, struct update *update_out,
    bool *is_noted_out)
{
	unsigned n_busy = 0;

	for (int i = 0; i < PUBLISH_ITEMS_MAX; i++)
		n_busy += p->items[i].is_used && p->items[i].is_busy;
	if (n_busy >= PUBLISH_BUSY_MAX)
		return -1;
	for (int i = 0; i < PUBLISH_ITEMS_MAX; i++) {
		struct publish_item *item = &p->items[i];

		if (!item->is_used || item->is_busy || item->next_ms > now_ms)
			continue;
		memset(update_out, 0, sizeof(*update_out));
		update_out->ttl_s = p->ttl_s;
		item->next_ms = PUBLISH_NEVER;
		/* the configuration and publish_read() have checked it */
		if (publish_owner(&item->want.domain, &update_out->owner) != 0)
			continue;
		*is_noted_out = make_update(item, update_out);
		item->is_busy = true;
		return i;
	}
	return -1;
}

/* Cross out what the server has taken away. */
static void
cross_out(struct publish_item *item, const struct update *update)
{
	size_t n = 0;

	for (size_t i = 0; i < item->n_standing; i++) {
		bool is_gone = false;

		for (size_t k = 0; k < update->n_deletions; k++)
			is_gone = is_gone ||
			    is_same_srv(&item->standing[i],
			        &update->deletions[k]);
		if (!is_gone)
			item->standing[n++] = item->standing[i];
	}
	item->n_standing = n;
}

static void
succeed(struct publish_item *item, const struct update *update, uint64_t now_ms)
{
	cross_out(item, update);
	item->retry_ms = 0;
	item->is_current = item->is_wanted
	    ? item->n_standing == 1 && stands(item, &item->want.srv)
	    : item->n_standing == 0;
	if (!item->is_wanted && item->is_current)
		item->is_used = false;
	else if (!item->is_current)
		item->next_ms = now_ms; /* it was wanted otherwise meanwhile */
	else if (item->next_ms == PUBLISH_NEVER)
		item->next_ms = now_ms + PUBLISH_AGAIN_MS;
}

static void
fail(struct publish_item *item, uint64_t now_ms)
{
	item->is_current = false;
	if (item->next_ms != PUBLISH_NEVER)
		return; /* made due meanwhile */
	item->retry_ms =
	    item->retry_ms == 0 ? PUBLISH_RETRY_FIRST_MS : 2 * item->retry_ms;
	if (item->retry_ms > PUBLISH_RETRY_LAST_MS)
		item->retry_ms = PUBLISH_RETRY_LAST_MS;
	item->next_ms = now_ms + item->retry_ms;
}

bool
publish_done(struct publish *p, int index, const struct update *update,
    const struct publish_result *result, uint64_t now_ms, bool *is_told_out)
{
	struct publish_item *item = &p->items[index];
	bool was_current = item->is_current;

	assert(item->is_used && item->is_busy);
	item->is_busy = false;
	if (result->outcome == UPDATE_DONE)
		succeed(item, update, now_ms);
	else
		fail(item, now_ms);
	*is_told_out = result->outcome != UPDATE_DONE
	    ? !item->has_outcome || item->outcome != result->outcome
	    : !was_current;
	item->has_outcome = true;
	item->outcome = result->outcome;
	item->skew_s = result->skew_s;
	item->ended_unix_s = result->now_unix_s;
	return result->outcome == UPDATE_DONE && update->n_deletions > 0;
}

uint64_t
publish_wake_ms(const struct publish *p)
{
	uint64_t wake_ms = PUBLISH_NEVER;

	for (size_t i = 0; i < PUBLISH_ITEMS_MAX; i++) {
		const struct publish_item *item = &p->items[i];

		if (item->is_used && !item->is_busy && item->next_ms < wake_ms)
			wake_ms = item->next_ms;
	}
	return wake_ms;
}

size_t
publish_n_pending(const struct publish *p, uint64_t now_ms)
{
	size_t n = 0;

	for (size_t i = 0; i < PUBLISH_ITEMS_MAX; i++) {
		const struct publish_item *item = &p->items[i];

		n +=
		    item->is_used && (item->is_busy || item->next_ms <= now_ms);
	}
	return n;
}
