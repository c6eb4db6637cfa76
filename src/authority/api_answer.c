/* SPDX-License-Identifier: MIT */
/*
 * api_answer.c -- problems (RFC 9457), and what an item has come to.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authority/api.h"
#include "base/hex.h"

#define DETAIL_MAX 512

static const struct {
	unsigned status;
	const char *code, *title, *next;
} problems[] = {
    [API_BAD_REQUEST] = {400, "bad_request", "The request breaks the format",
        "make a new request on the host, with the muster of this version"},
    [API_TOO_LARGE] = {413, "too_large", "The request is too large",
        "send the request that `muster host activate` makes"},
    [API_NOT_FOUND] = {404, "not_found", "No such path",
        "check the authority's URL; paths begin with /v1/hosts"},
    [API_METHOD_NOT_ALLOWED] = {405, "method_not_allowed",
        "No such method here", "use a method that Allow names"},
    [API_UNSUPPORTED_MEDIA_TYPE] = {415, "unsupported_media_type",
        "The body is of another type", "send it as application/json"},
    [API_PUBLISHER] = {421, "publisher", "For another publisher",
        "send it to the authority of the publisher that it is for"},
    [API_KEY_UNKNOWN] = {403, "key_unknown", "The host key is not known here",
        "install the host key again, and try once more"},
    [API_KEY_REVOKED] = {403, "key_revoked", "The host key is revoked",
        "ask the publisher for another host key, and install it"},
    [API_HOSTS_USED_UP] = {409, "hosts_used_up", "All hosts are used",
        "replace a host (--replaces SLOT), release a slot (`muster host "
        "release SLOT`), or ask the publisher for more"},
    [API_REACTIVATIONS_USED_UP] = {409, "reactivations_used_up",
        "All reactivations are used",
        "ask the publisher for more reactivations"},
    [API_COUNTER_OLD] = {409, "counter_old",
        "A later request was answered already",
        "make a new request on the host"},
    [API_SLOT_NOT_HELD] = {409, "slot_not_held",
        "No such certificate holds the slot",
        "look at the slots with `muster host slots`"},
    [API_SLOT_CLOSED] = {409, "slot_closed", "The slot is closed",
        "take another slot, or ask the publisher"},
    [API_HOST_REVOKED] = {409, "host_revoked", "This host is revoked",
        "ask the publisher; the key's other hosts are as before"},
    [API_SLOT_REVOKED] = {409, "slot_revoked", "The slot is revoked",
        "take another slot, or ask the publisher"},
    [API_RELEASES_USED_UP] = {409, "releases_used_up", "All releases are used",
        "ask the publisher for more releases"},
    [API_CLOCK] = {400, "clock", "The clocks are too far apart",
        "set this machine's clock, and try again"},
    [API_RATE_LIMITED] = {429, "rate_limited", "Too many requests",
        "wait as long as Retry-After says, and try again"},
    [API_BUSY] = {503, "busy", "The authority is busy",
        "wait as long as Retry-After says, and send the same request again"},
    [API_NO_ISSUER] = {503, "no_issuer", "No issuing key is in its time",
        "tell the publisher; the same request can be sent later"},
    [API_FAILED] = {500, "failed", "The authority could not do it",
        "send the same request later; tell the publisher if it stays so"},
};

static void
set_text(struct api_answer *answer, json_t *o)
{
	answer->text =
	    o == NULL ? NULL : json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(o);
}

void
api_refuse(struct api_answer *answer_out, enum api_problem problem,
    json_t *more, unsigned retry_s, const char *format, ...)
{
	char detail[DETAIL_MAX];
	va_list ap;
	json_t *o;

	va_start(ap, format);
	(void)vsnprintf(detail, sizeof(detail), format, ap);
	va_end(ap);
	*answer_out = (struct api_answer){
	    .status = problems[problem].status,
	    .outcome = problems[problem].code,
	    .type = API_TYPE_PROBLEM,
	    .retry_s = retry_s,
	};
	o = json_pack("{s:s,s:s,s:i,s:s,s:s,s:s}", "type", "about:blank",
	    "title", problems[problem].title, "status",
	    (int)problems[problem].status, "code", problems[problem].code,
	    "detail", detail, "next_step", problems[problem].next);
	if (o != NULL && more != NULL && json_object_update(o, more) != 0) {
		json_decref(o);
		o = NULL;
	}
	json_decref(more);
	set_text(answer_out, o);
}

/* The codes of an item that failed before it was judged. */
static void
refuse_err(const struct batch_item *item, struct api_answer *answer)
{
	if (item->fault != FAULT_NONE) {
		api_refuse(answer, API_FAILED, NULL, 0, "%s",
		    fault_detail(item->fault));
		return;
	}
	switch (item->err) {
	case MUSTER_E_PUBLISHER:
		api_refuse(answer, API_PUBLISHER, NULL, 0,
		    "this authority is another publisher's");
		break;
	case MUSTER_E_SIG:
		api_refuse(answer, API_KEY_UNKNOWN, NULL, 0,
		    "no host key of this number and secret was issued here");
		break;
	case MUSTER_E_REVOKED:
		api_refuse(answer, API_KEY_REVOKED, NULL, 0,
		    "host key %u is revoked", item->key.number);
		break;
	case MUSTER_E_ISSUER:
		api_refuse(answer, API_NO_ISSUER, NULL, 0,
		    "no issuing key of this authority is in its time");
		break;
	case MUSTER_E_LOCKED:
		api_refuse(answer, API_BUSY, NULL, API_BUSY_S,
		    "the database is in use; nothing was changed");
		break;
	case MUSTER_E_CLOCK:
		api_refuse(answer, API_CLOCK,
		    json_pack("{s:I}", "unix_s", (json_int_t)item->now_unix_s),
		    0,
		    "the request was made at a time more than 4 hours from "
		    "the authority's");
		break;
	case MUSTER_E_NOENT:
		api_refuse(answer, API_SLOT_NOT_HELD,
		    json_pack("{s:i}", "slot", (int)item->ask.slot), 0,
		    "slot %u is not held by activation %u of host key %u",
		    item->ask.slot, item->ask.activation, item->key.number);
		break;
	default:
		api_refuse(answer, API_FAILED, NULL, 0, "%s",
		    fault_detail(FAULT_DATABASE));
		break;
	}
}

static void
refuse_grant(struct batch_item *item, const char *contact,
    struct api_answer *answer)
{
	const struct enrolment *e = &item->enrol;
	const struct grant_answer *a = &e->answer;
	const struct grant_key *k = &e->key.limits;

	switch (a->kind) {
	case GRANT_KEY_REVOKED:
		api_refuse(answer, API_KEY_REVOKED, NULL, 0,
		    "host key %u is revoked", e->key.number);
		break;
	case GRANT_COUNTER_OLD:
		api_refuse(answer, API_COUNTER_OLD, NULL, 0,
		    "this host's request %u is not its latest",
		    e->request.counter);
		break;
	case GRANT_HOSTS_USED_UP:
		api_refuse(answer, API_HOSTS_USED_UP,
		    json_pack("{s:I,s:I,s:O,s:s}", "hosts",
		        (json_int_t)k->hosts, "hosts_used",
		        (json_int_t)a->hosts_used, "slots", item->slots,
		        "contact", contact),
		    0, "%u of %u hosts of host key %u are used", a->hosts_used,
		    k->hosts, e->key.number);
		break;
	case GRANT_REACTIVATIONS_USED_UP:
		api_refuse(answer, API_REACTIVATIONS_USED_UP,
		    json_pack("{s:i,s:I,s:s}", "slot", (int)a->slot,
		        "reactivations", (json_int_t)k->reactivations,
		        "contact", contact),
		    0, "%u of %u reactivations of slot %u are used",
		    a->reactivations, k->reactivations, a->slot);
		break;
	case GRANT_SLOT_NOT_HELD:
	case GRANT_SLOT_CLOSED:
		api_refuse(answer,
		    a->kind == GRANT_SLOT_CLOSED ? API_SLOT_CLOSED
		                                 : API_SLOT_NOT_HELD,
		    json_pack("{s:i}", "slot", (int)a->slot), 0,
		    "slot %u of host key %u cannot be replaced by this host",
		    a->slot, e->key.number);
		break;
	case GRANT_HOST_REVOKED:
	case GRANT_SLOT_REVOKED:
		api_refuse(answer,
		    a->kind == GRANT_HOST_REVOKED ? API_HOST_REVOKED
		                                  : API_SLOT_REVOKED,
		    json_pack("{s:i}", "slot", (int)a->slot), 0,
		    "slot %u of host key %u is revoked%s", a->slot,
		    e->key.number,
		    a->kind == GRANT_HOST_REVOKED ? " for this host" : "");
		break;
	case GRANT_NEW:
	case GRANT_SAME:
	case GRANT_REACTIVATION:
	case GRANT_REPLACEMENT:
		api_refuse(answer, API_FAILED, NULL, 0, "no refusal");
		break;
	}
}

static void
finish_enrol(struct batch_item *item, const char *contact,
    struct api_answer *answer)
{
	const struct enrolment *e = &item->enrol;
	const struct grant_answer *a = &e->answer;
	char hex[2 * CERT_LEN + 1];

	if (grant_is_refusal(a->kind)) {
		refuse_grant(item, contact, answer);
		return;
	}
	hex_encode(e->certificate, CERT_LEN, hex);
	answer->status = a->kind == GRANT_NEW ? 201 : 200;
	answer->outcome = grant_code(a->kind);
	set_text(answer,
	    json_pack("{s:s,s:s,s:i,s:i,s:I,s:I,s:I,s:I}", "certificate", hex,
	        "outcome", grant_code(a->kind), "slot", (int)a->slot,
	        "activation", (int)a->activation, "reactivations_used",
	        (json_int_t)a->reactivations, "reactivations",
	        (json_int_t)e->key.limits.reactivations, "hosts_used",
	        (json_int_t)a->hosts_used, "hosts",
	        (json_int_t)e->key.limits.hosts));
}

static void
finish_list(struct batch_item *item, struct api_answer *answer)
{
	const struct keys_row *k = &item->key;
	json_t *lines = json_array();

	for (int i = 0; i < 8; i++) {
		if ((k->lines >> i & 1) != 0)
			(void)json_array_append_new(lines, json_integer(i));
	}
	answer->outcome = "slots";
	set_text(answer,
	    json_pack("{s:I,s:i,s:o,s:s,s:b,s:I,s:I,s:I,s:I,s:I,s:O}", "key",
	        (json_int_t)k->number, "level", (int)k->level, "lines", lines,
	        "customer", k->customer, "revoked", (int)k->limits.is_revoked,
	        "hosts", (json_int_t)k->limits.hosts, "hosts_used",
	        (json_int_t)item->hosts_used, "reactivations",
	        (json_int_t)k->limits.reactivations, "releases",
	        (json_int_t)k->releases, "releases_used",
	        (json_int_t)k->releases_used, "slots", item->slots));
}

static void
finish_release(const struct batch_item *item, struct api_answer *answer)
{
	answer->outcome = "released";
	set_text(answer,
	    json_pack("{s:i,s:i,s:b,s:I,s:I,s:s}", "slot", (int)item->ask.slot,
	        "activation", (int)item->ask.activation, "released", 1,
	        "releases_used", (json_int_t)item->key.releases_used,
	        "releases", (json_int_t)item->key.releases, "free_after",
	        "the next catalogue"));
}

void
api_finish(struct batch_item *item, const char *contact,
    struct api_answer *answer_out)
{
	*answer_out = (struct api_answer){.status = 200, .type = API_TYPE_JSON};
	if (item->err == MUSTER_E_AGAIN && item->kind == BATCH_RELEASE) {
		api_refuse(answer_out, API_RELEASES_USED_UP,
		    json_pack("{s:I,s:s}", "releases",
		        (json_int_t)item->key.releases, "contact", contact),
		    0, "%u of %u releases of host key %u are used",
		    item->key.releases_used, item->key.releases,
		    item->key.number);
	} else if (item->err != 0) {
		refuse_err(item, answer_out);
	} else if (item->kind == BATCH_ENROL) {
		finish_enrol(item, contact, answer_out);
	} else if (item->kind == BATCH_LIST) {
		finish_list(item, answer_out);
	} else if (item->kind == BATCH_RELEASE) {
		finish_release(item, answer_out);
	} else {
		answer_out->outcome = "healthy";
		answer_out->type = "text/plain; charset=utf-8";
		answer_out->text = strdup("ok\n");
	}
	json_decref(item->slots);
	item->slots = NULL;
}
