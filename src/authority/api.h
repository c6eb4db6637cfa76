/* SPDX-License-Identifier: MIT */
/*
 * api.h -- the HTTP interface without HTTP: a request becomes an item for the
 * database or an answer, and an item that was done becomes an answer.  No
 * socket, clock or file; doc/openapi.yaml describes it.
 */
#ifndef MUSTER_AUTHORITY_API_H
#define MUSTER_AUTHORITY_API_H

#include <stdbool.h>
#include <stddef.h>

#include "authority/batch.h"

#define API_TYPE_JSON "application/json"
#define API_TYPE_PROBLEM "application/problem+json"
#define API_BUSY_S 1    /* until the next attempt of who met a full queue */
#define API_DEPTH_MAX 4 /* of a body; ours has 1 */

enum api_problem {
	API_OK,
	API_BAD_REQUEST,
	API_TOO_LARGE,
	API_NOT_FOUND,
	API_METHOD_NOT_ALLOWED,
	API_UNSUPPORTED_MEDIA_TYPE,
	API_PUBLISHER,
	API_KEY_UNKNOWN,
	API_KEY_REVOKED,
	API_HOSTS_USED_UP,
	API_REACTIVATIONS_USED_UP,
	API_COUNTER_OLD,
	API_SLOT_NOT_HELD,
	API_SLOT_CLOSED,
	API_HOST_REVOKED,
	API_SLOT_REVOKED,
	API_RELEASES_USED_UP,
	API_CLOCK,
	API_RATE_LIMITED,
	API_BUSY,
	API_NO_ISSUER,
	API_FAILED
};

enum api_route {
	API_ROUTE_NONE,
	API_ROUTE_HOSTS,
	API_ROUTE_SLOT,
	API_ROUTE_HEALTH,
	API_ROUTE_METRICS
};

struct api_request {
	const char *method;
	const char *path;
	const char *content_type; /* or NULL */
	const char *ask;          /* Muster-Ask, or NULL */
	const char *body;
	size_t body_len;
};

struct api_answer {
	unsigned status;
	const char *outcome; /* for metrics_outcome() */
	const char *type;
	const char *allow; /* or NULL */
	unsigned retry_s;  /* or 0 */
	char *text;        /* for free(); NULL: there was no memory for it */
};

/**
 * api_check(): what can be said when the head of a request is there.
 *
 * Returns: true when it may go on; false with the answer
 */
bool api_check(const struct api_request *req, struct api_answer *answer_out);

/**
 * api_begin(): make an item of a whole request that api_check() let pass.
 *
 * Out:     item     zeroed by the caller before
 * Returns: true when the item is for the database; false with the answer
 */
bool api_begin(const struct api_request *req, const struct metrics *metrics,
    struct batch_item *item, struct api_answer *answer_out);

/**
 * api_finish(): the answer to an item that was done; its slots are taken.
 *
 * In:      contact  the publisher's words on how to ask for more
 */
void api_finish(struct batch_item *item, const char *contact,
    struct api_answer *answer_out);

/**
 * api_refuse(): an answer that is a problem.
 *
 * In:      more     further members, whose reference is taken; or NULL
 *          retry_s  when to try again; 0: it is not told
 *          format   printf's: the detail
 */
__attribute__((format(printf, 5, 6))) void
api_refuse(struct api_answer *answer_out, enum api_problem problem,
    json_t *more, unsigned retry_s, const char *format, ...);

#endif /* MUSTER_AUTHORITY_API_H */
