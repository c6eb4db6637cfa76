/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "host/publish_run.h"

static json_t *
number(int64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *
name(const struct dns_name *name)
{
	char text[DNS_TEXT_MAX + 1];

	dns_name_text(name, text);
	return json_string(text);
}

static json_t *
line(const struct publish_run *run, const struct dns_name *domain,
    const struct dns_srv *srv)
{
	char text[UPDATE_LINE_MAX] = "";
	struct dns_name owner;

	if (publish_owner(domain, &owner) == 0)
		update_line(&owner, srv, run->config->publish_ttl_s, text,
		    sizeof(text));
	return json_string(text);
}

static int
item_of(const struct publish_run *run, const struct dns_name *domain)
{
	for (int i = 0; i < PUBLISH_ITEMS_MAX; i++) {
		const struct publish_item *item = &run->life->items[i];

		if (item->is_used && dns_name_equal(&item->want.domain, domain))
			return i;
	}
	return -1;
}

static const char *
state_of(const struct publish_run *run, const struct publish_item *item)
{
	if (item == NULL)
		return "none";
	if (item->is_busy ||
	    (item->next_ms <= uv_now(run->loop) && run->reason != PUBLISH_OFF &&
	        run->reason != PUBLISH_NO_NAME))
		return "asking";
	if (item->is_current)
		return "published";
	if (item->has_outcome && item->outcome != UPDATE_DONE)
		return "failed";
	return "none";
}

/* The last update of an item, and the next. */
static void
add_outcome(const struct publish_run *run, int i, json_t *out)
{
	const struct publish_item *item = &run->life->items[i];
	uint64_t now_ms = uv_now(run->loop);
	json_t *standing = json_array();

	for (size_t k = 0; k < item->n_standing; k++)
		(void)json_array_append_new(standing,
		    line(run, &item->want.domain, &item->standing[k]));
	(void)json_object_set_new(out, "may_stand", standing);
	(void)json_object_set_new(out, "next_in_s",
	    item->next_ms == PUBLISH_NEVER || item->is_busy
	        ? json_null()
	        : number(item->next_ms <= now_ms
	                  ? 0
	                  : (int64_t)((item->next_ms - now_ms) / 1000)));
	if (!item->has_outcome)
		return;
	(void)json_object_set_new(out, "server",
	    run->at[i][0] == '\0' ? json_null() : json_string(run->at[i]));
	(void)json_object_set_new(out, "result",
	    json_string(update_name(item->outcome)));
	(void)json_object_set_new(out, "message",
	    json_string(update_words(item->outcome)));
	if (run->why[i] != NULL)
		(void)json_object_set_new(out, "key_file",
		    json_string(run->why[i]));
	if (item->outcome == UPDATE_BADTIME)
		(void)json_object_set_new(out, "clock_ahead_s",
		    number(item->skew_s));
	(void)json_object_set_new(out, "last_unix_s",
	    number(item->ended_unix_s));
}

static json_t *
domain(const struct publish_run *run, const struct publish_want *want, int i,
    bool is_configured)
{
	json_t *out = json_object();

	(void)json_object_set_new(out, "domain", name(&want->domain));
	(void)json_object_set_new(out, "configured",
	    json_boolean(is_configured));
	(void)json_object_set_new(out, "state",
	    json_string(state_of(run, i < 0 ? NULL : &run->life->items[i])));
	if (is_configured)
		(void)json_object_set_new(out, "zone_line",
		    line(run, &want->domain, &want->srv));
	if (i >= 0)
		add_outcome(run, i, out);
	return out;
}

static json_t *
domains(const struct publish_run *run)
{
	bool is_listed[PUBLISH_ITEMS_MAX] = {false};
	json_t *list = json_array();

	for (size_t k = 0; k < run->n_candidates; k++) {
		const struct publish_want *want = &run->candidates[k];
		int i = item_of(run, &want->domain);

		if (i >= 0)
			is_listed[i] = true;
		(void)json_array_append_new(list, domain(run, want, i, true));
	}
	for (int i = 0; i < PUBLISH_ITEMS_MAX; i++) {
		const struct publish_item *item = &run->life->items[i];

		if (item->is_used && !is_listed[i])
			(void)json_array_append_new(list,
			    domain(run, &item->want, i, false));
	}
	return list;
}

json_t *
publish_json(const struct publish_run *run)
{
	const char *why = publish_reason_words(run->reason);
	bool may_send =
	    run->reason != PUBLISH_OFF && run->reason != PUBLISH_NO_NAME;
	json_t *out = json_object();

	(void)json_object_set_new(out, "schema",
	    json_string("muster.host-dns/1"));
	(void)json_object_set_new(out, "publishing",
	    json_boolean(run->reason == PUBLISH_ON));
	(void)json_object_set_new(out, "reason",
	    why == NULL ? json_null() : json_string(why));
	(void)json_object_set_new(out, "name",
	    run->has_name ? name(&run->name) : json_null());
	(void)json_object_set_new(out, "signed",
	    json_boolean(run->config->publish_key_file[0] != '\0'));
	(void)json_object_set_new(out, "pending",
	    number(may_send
	            ? (int64_t)publish_n_pending(run->life, uv_now(run->loop))
	            : 0));
	(void)json_object_set_new(out, "domains", domains(run));
	return out;
}
