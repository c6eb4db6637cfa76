/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/errcode.h"
#include "base/hex.h"
#include "cli/client.h"

#define DAY_S INT64_C(86400)
#define WHEN_LEN 32

const char *
client_state(enum wire_state state)
{
	switch (state) {
	case WIRE_UNLICENSED:
		return "unlicensed";
	case WIRE_INITIAL_GRACE:
		return "initial grace";
	case WIRE_LICENSED:
		return "licensed";
	case WIRE_TOLERANCE_GRACE:
		return "out-of-tolerance grace";
	case WIRE_NOTIFICATION:
		return "notification";
	}
	return "unknown";
}

void
client_outcome(int err, enum wire_status status, char *out)
{
	static const char *const names[] = {
	    [WIRE_OK] = "rpc_error",
	    [WIRE_UNKNOWN_PRODUCT] = "unknown_product",
	    [WIRE_NOT_COVERED] = "not_covered",
	    [WIRE_HOST_NOT_ACTIVATED] = "host_not_activated",
	    [WIRE_CLOCK] = "clock",
	    [WIRE_BUSY] = "busy",
	    [WIRE_REFUSED] = "refused",
	};

	if (err == 0)
		(void)snprintf(out, 32, "responded");
	else if (err == MUSTER_E_REFUSED)
		(void)snprintf(out, 32, "%s", names[status]);
	else
		errcode(err, out);
}

void
client_request_json(json_t *target, const uint8_t *request)
{
	static const uint8_t none[WIRE_REQUEST_LEN];
	char text[WIRE_REQUEST_TEXT_LEN + 1];

	if (memcmp(request, none, sizeof(none)) == 0)
		return;
	hex_encode(request, WIRE_REQUEST_LEN, text);
	(void)json_object_set_new(target, "request", json_string(text));
}

bool
client_is_unreached(int err)
{
	switch (err) {
	case MUSTER_E_RESOLVE:
	case MUSTER_E_CONNECT:
	case MUSTER_E_TIMEOUT:
	case MUSTER_E_IO:
	case MUSTER_E_TRUNC:
	case MUSTER_E_SERVFAIL:
	case MUSTER_E_DNS_REFUSED:
	case MUSTER_E_DNS_TIMEOUT:
	case MUSTER_E_ALIAS:
		return true;
	default:
		return false;
	}
}

static json_t *
lookups_json(const struct agent_info *info)
{
	json_t *list = json_array();
	const char *domain;

	for (uint32_t i = 0; i < info->n_outcomes; i++) {
		if (client_is_lookup(info->outcome[i].target, &domain))
			(void)json_array_append_new(list,
			    client_lookup_json(domain, info->outcome[i].err));
	}
	return list;
}

bool
client_is_answered(const struct agent_info *info)
{
	return info->n_outcomes > 0 &&
	    info->outcome[info->n_outcomes - 1].err == 0;
}

static json_t *
targets_json(const struct agent_info *info)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < info->n_outcomes; i++) {
		const struct agent_outcome *o = &info->outcome[i];
		const char *domain;
		char word[32];
		json_t *t;

		if (client_is_lookup(o->target, &domain))
			continue;
		client_outcome(o->err, o->status, word);
		t = json_pack("{s:s,s:s}", "host", o->target, "outcome", word);
		client_request_json(t, o->request);
		if (o->err == MUSTER_E_REFUSED && o->status == WIRE_CLOCK) {
			(void)json_object_set_new(t, "host_time",
			    json_integer(o->host_unix_s));
		}
		if (o->err == MUSTER_E_REFUSED && o->status == WIRE_BUSY) {
			(void)json_object_set_new(t, "seconds",
			    json_integer((json_int_t)o->busy_s));
		}
		(void)json_array_append_new(list, t);
	}
	return list;
}

/* NULL, which JSON shows as null, for no error. */
static const char *
code_of(int err, char *out)
{
	if (err == 0)
		return NULL;
	errcode(err, out);
	return out;
}

json_t *
client_info_json(const struct agent_info *info)
{
	char id[UUID_TEXT_LEN + 1], publisher[2 * WIRE_ID_LEN + 1];
	char reason[32], round[32];
	json_t *object;

	uuid_format(info->product, id);
	hex_encode(info->publisher, WIRE_ID_LEN, publisher);
	object = json_pack("{s:s,s:s,s:s,s:s,s:s,s:b,s:s?,s:s,s:I,s:I}",
	    "product", id, "name", info->name, "publisher", publisher,
	    "publisher_name", info->publisher_name, "state",
	    client_state(info->state), "activated",
	    (int)(info->state == WIRE_LICENSED), "reason",
	    code_of(info->reason, reason), "message",
	    muster_strerror(info->reason), "seconds_left",
	    (json_int_t)info->seconds_left, "days_left",
	    (json_int_t)(info->seconds_left / DAY_S));
	if (object == NULL ||
	    json_object_update_new(object,
	        json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s,s:s?,"
	                  "s:b,s:o,s:o,s:s?,s:s}",
	            "count", (json_int_t)info->count, "threshold",
	            (json_int_t)info->threshold, "renewal_minutes",
	            (json_int_t)info->renewal_min, "retry_minutes",
	            (json_int_t)info->retry_min, "rearms_left",
	            (json_int_t)info->rearms_left, "first_seen",
	            (json_int_t)info->first_seen_unix_s, "answered",
	            (json_int_t)info->answered_unix_s, "asked",
	            (json_int_t)info->asked_unix_s, "next_contact",
	            (json_int_t)info->due_unix_s, "host", info->host, "round",
	            code_of(info->round, round), "early", (int)info->is_early,
	            "targets", targets_json(info), "lookups",
	            lookups_json(info), "host_source",
	            client_source(info->source), "host_domain",
	            info->domain)) != 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *
client_settings_json(const struct agent_settings *s)
{
	json_t *hosts = json_array();

	for (uint32_t i = 0; i < s->n_hosts; i++)
		(void)json_array_append_new(hosts, json_string(s->host[i]));
	return json_pack("{s:o,s:s,s:b}", "hosts", hosts, "domain", s->domain,
	    "caching", (int)s->is_caching);
}

static const char *
when(int64_t unix_s, char *out)
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	if (unix_s == 0 || gmtime_r(&t, &tm) == NULL ||
	    strftime(out, WHEN_LEN, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		(void)snprintf(out, WHEN_LEN, "never");
	return out;
}

/* "12 days left", or hours and minutes where that says more. */
static void
show_left(int64_t left_s)
{
	if (left_s >= 2 * DAY_S)
		(void)printf(", %" PRId64 " days left", left_s / DAY_S);
	else if (left_s > 0)
		(void)printf(", %" PRId64 " h %02" PRId64 " min left",
		    left_s / 3600, left_s / 60 % 60);
}

void
client_info_show(const struct agent_info *info)
{
	char text[WHEN_LEN], line[CLIENT_OUTCOME_MAX];

	(void)printf("%s (%s): %s", info->name, info->publisher_name,
	    client_state(info->state));
	show_left(info->seconds_left);
	(void)printf("\n");
	if (info->reason != 0 && info->reason != MUSTER_E_NOENT)
		(void)printf("  lease         %s\n",
		    muster_strerror(info->reason));
	(void)printf("  count         %" PRIu32 " of %" PRIu32
	             ", last answer %s\n",
	    info->count, info->threshold, when(info->answered_unix_s, text));
	client_source_text(info->source, info->domain, line);
	(void)printf("  host          %s%s\n",
	    info->host[0] != '\0' ? info->host : "none has answered yet",
	    info->host[0] != '\0' ? line : "");
	(void)printf("  next contact  %s\n",
	    info->due_unix_s != 0 ? when(info->due_unix_s, text) : "none");
	if (info->round != 0 && client_is_answered(info))
		(void)printf("  not stored    %s\n",
		    muster_strerror(info->round));
	if (info->round != 0 && info->n_outcomes == 0)
		(void)printf("  last round    %s\n",
		    info->round == MUSTER_E_NOENT
		        ? "no host is known; muster set-host NAME[:PORT]"
		        : muster_strerror(info->round));
	for (uint32_t i = 0; info->round != 0 && i < info->n_outcomes; i++) {
		client_agent_outcome_text(&info->outcome[i], line);
		(void)printf("  last round    %s\n", line);
	}
}
