/* SPDX-License-Identifier: MIT */
#include "authority/api.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"

#define HOSTS_PATH "/v1/hosts"
#define SLOT_DIGITS_MAX 3

static const struct {
	enum api_route route;
	const char *methods; /* as in Allow */
} allowed[] = {
    {API_ROUTE_HOSTS, "GET, POST"},
    {API_ROUTE_SLOT, "DELETE"},
    {API_ROUTE_HEALTH, "GET"},
    {API_ROUTE_METRICS, "GET"},
};

static enum api_route
route_of(const char *path, uint8_t *slot_out)
{
	size_t len = sizeof(HOSTS_PATH) - 1;
	size_t digits;
	unsigned long slot;

	if (strcmp(path, HOSTS_PATH) == 0)
		return API_ROUTE_HOSTS;
	if (strcmp(path, "/healthz") == 0)
		return API_ROUTE_HEALTH;
	if (strcmp(path, "/metrics") == 0)
		return API_ROUTE_METRICS;
	if (strncmp(path, HOSTS_PATH "/", len + 1) != 0)
		return API_ROUTE_NONE;
	path += len + 1;
	digits = strspn(path, "0123456789");
	if (digits < 1 || digits > SLOT_DIGITS_MAX || path[digits] != '\0' ||
	    path[0] == '0')
		return API_ROUTE_NONE;
	slot = strtoul(path, NULL, 10);
	if (slot > GRANT_SLOTS_MAX)
		return API_ROUTE_NONE;
	*slot_out = (uint8_t)slot;
	return API_ROUTE_SLOT;
}

static const char *
methods_of(enum api_route route)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		if (allowed[i].route == route)
			return allowed[i].methods;
	}
	return "";
}

/* A whole word of the list. */
static bool
is_allowed(const char *methods, const char *method)
{
	size_t len = strlen(method);

	for (const char *p = methods; *p != '\0';) {
		size_t word = strcspn(p, ", ");

		if (word == len && strncmp(p, method, len) == 0)
			return true;
		p += word;
		p += strspn(p, ", ");
	}
	return false;
}

/* Parameters such as a character set are let be: JSON has one. */
static bool
is_json(const char *type)
{
	size_t len = sizeof(API_TYPE_JSON) - 1;

	return type != NULL && strncasecmp(type, API_TYPE_JSON, len) == 0 &&
	    strchr("; \t", type[len]) != NULL;
}

bool
api_check(const struct api_request *req, struct api_answer *answer_out)
{
	uint8_t slot = 0;
	enum api_route route = route_of(req->path, &slot);
	const char *methods = methods_of(route);

	if (route == API_ROUTE_NONE) {
		api_refuse(answer_out, API_NOT_FOUND, NULL, 0,
		    "there is no such path here");
	} else if (!is_allowed(methods, req->method)) {
		api_refuse(answer_out, API_METHOD_NOT_ALLOWED, NULL, 0,
		    "this path takes %s", methods);
		answer_out->allow = methods;
	} else if (strcmp(req->method, "POST") == 0 &&
	    !is_json(req->content_type)) {
		api_refuse(answer_out, API_UNSUPPORTED_MEDIA_TYPE, NULL, 0,
		    "the body must be application/json");
	} else {
		return true;
	}
	return false;
}

/* Brackets outside of strings, before a parser sees them. */
static bool
is_shallow(const char *p, size_t len)
{
	bool in_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (in_string && p[i] == '\\')
			i++;
		else if (p[i] == '"')
			in_string = !in_string;
		else if (!in_string && (p[i] == '[' || p[i] == '{'))
			depth++;
		else if (!in_string && (p[i] == ']' || p[i] == '}'))
			depth -= depth > 0;
		if (depth > API_DEPTH_MAX)
			return false;
	}
	return true;
}

static bool
is_hex(const char *text, size_t len)
{
	return len % 2 == 0 && strspn(text, "0123456789abcdef") == len;
}

/* {"request": HEX} and nothing else. */
static int
read_enrol(const struct api_request *req, struct batch_item *item)
{
	uint8_t bytes[ENROL_MAX];
	const char *hex;
	size_t len;
	json_t *root, *member;
	int err = MUSTER_E_PROTO;

	if (req->body_len == 0 || !is_shallow(req->body, req->body_len))
		return err;
	root =
	    json_loadb(req->body, req->body_len, JSON_REJECT_DUPLICATES, NULL);
	member = json_object_get(root, "request");
	hex = json_string_value(member);
	len = json_string_length(member);
	if (json_object_size(root) == 1 && hex != NULL && is_hex(hex, len)) {
		err = len > 2 * ENROL_MAX
		    ? MUSTER_E_TOOBIG
		    : hex_decode(hex, len, bytes, len / 2);
		if (err == 0)
			err = enrolment_read(bytes, len / 2, &item->enrol);
	}
	json_decref(root);
	return err;
}

static bool
begin_enrol(const struct api_request *req, struct batch_item *item,
    struct api_answer *answer_out)
{
	int err = read_enrol(req, item);

	item->kind = BATCH_ENROL;
	if (err == 0)
		return true;
	api_refuse(answer_out, API_BAD_REQUEST, NULL, 0,
	    "the body must be {\"request\": HEX} with an enrolment request: %s",
	    muster_strerror(err));
	return false;
}

static bool
begin_ask(const struct api_request *req, uint8_t slot, struct batch_item *item,
    struct api_answer *answer_out)
{
	const char *hex = req->ask == NULL ? "" : req->ask;
	enum slotask_act act = slot == 0 ? SLOTASK_LIST : SLOTASK_RELEASE;
	size_t len = strlen(hex);
	int err = MUSTER_E_PROTO;

	item->kind = slot == 0 ? BATCH_LIST : BATCH_RELEASE;
	if (len == 2 * SLOTASK_LEN && is_hex(hex, len))
		err = hex_decode(hex, len, item->ask_bytes, SLOTASK_LEN);
	if (err == 0)
		err = slotask_decode(item->ask_bytes, SLOTASK_LEN, &item->ask);
	if (err == 0 && (item->ask.act != act || item->ask.slot != slot))
		err = MUSTER_E_MISMATCH;
	if (err == 0)
		return true;
	if (err == MUSTER_E_MISMATCH)
		api_refuse(answer_out, API_BAD_REQUEST, NULL, 0,
		    "Muster-Ask is for another act or slot than this method "
		    "and path");
	else
		api_refuse(answer_out, API_BAD_REQUEST, NULL, 0,
		    "the header Muster-Ask must be a slots ask of %d hex "
		    "digits",
		    2 * SLOTASK_LEN);
	return false;
}

bool
api_begin(const struct api_request *req, const struct metrics *metrics,
    struct batch_item *item, struct api_answer *answer_out)
{
	uint8_t slot = 0;

	switch (route_of(req->path, &slot)) {
	case API_ROUTE_HOSTS:
		if (strcmp(req->method, "POST") == 0)
			return begin_enrol(req, item, answer_out);
		return begin_ask(req, 0, item, answer_out);
	case API_ROUTE_SLOT:
		return begin_ask(req, slot, item, answer_out);
	case API_ROUTE_HEALTH:
		item->kind = BATCH_HEALTH;
		return true;
	case API_ROUTE_METRICS:
		*answer_out = (struct api_answer){
		    .status = 200,
		    .outcome = "metrics",
		    .type = "text/plain; version=0.0.4; charset=utf-8",
		    .text = metrics_text(metrics),
		};
		return false;
	case API_ROUTE_NONE:
		break;
	}
	api_refuse(answer_out, API_NOT_FOUND, NULL, 0,
	    "there is no such path here");
	return false;
}
