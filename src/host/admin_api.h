/* SPDX-License-Identifier: MIT */
/*
 * admin_api.h -- what is behind the paths of admin.h; knows no HTTP library.
 */
#ifndef MUSTER_HOST_ADMIN_API_H
#define MUSTER_HOST_ADMIN_API_H

#include <jansson.h>

#include "host/admin.h"
#include "host/admin_list.h"

#define ADMIN_BODY_MAX (2 * CAT_FILE_MAX + 4096) /* a catalogue in hex */

struct admin_request {
	const char *method;
	const char *path;
	char *body; /* body_len bytes; wiped by the caller */
	size_t body_len;
	bool may_change;
	bool
	    is_public; /* by the status listener: pages of clients, no backup */
	struct admin_query query; /* of a list */
};

#define ADMIN_TYPE_JSON "application/json"
#define ADMIN_TYPE_CSV "text/csv"
#define ADMIN_TYPE_BACKUP "application/vnd.sqlite3"

/* A text, a file from its beginning, fixed bytes, or none of them (out of
 * memory). */
struct admin_answer {
	unsigned http;
	char *text; /* for the caller to free() */
	int fd;     /* for the caller to close; -1 */
	uint64_t fd_len;
	const void *fixed; /* static */
	size_t fixed_len;
	const char *type; /* static; NULL: JSON */
	const char *etag; /* static; of what may be kept; NULL: nothing may */
};

/**
 * admin_api(): answer one request.
 *
 * Out:     filter_out  for admin_api_list()
 * Returns: true, but when the answer takes long and is admin_api_list()'s
 * Blocks:  a change waits for the batch in flight
 */
bool admin_api(const struct admin_host *host, const struct admin_request *req,
    struct admin_answer *answer_out, struct admin_filter *filter_out);

/**
 * admin_problem(): a problem as the answer.
 */
void
admin_problem(const struct problem *problem, struct admin_answer *answer_out);

/**
 * admin_api_list(): the answer to GET /v1/clients or /v1/backup; on any
 * thread.
 *
 * Blocks:  while the inventory is read and written, seconds for a large one
 */
void admin_api_list(const struct admin_host *host,
    const struct admin_filter *filter, struct admin_answer *answer_out);

/**
 * admin_history(): GET /v1/history.
 *
 * Returns: 0; MUSTER_E_PROTO the query makes no sense
 */
MUSTER_NODISCARD int admin_history(const struct admin_host *host,
    const struct admin_query *query, json_t **out_out, struct problem *problem);

/**
 * admin_events(): GET /v1/events.
 *
 * Returns: as admin_history()
 */
MUSTER_NODISCARD int admin_events(const struct admin_host *host,
    const struct admin_query *query, json_t **out_out, struct problem *problem);

/**
 * admin_status_name(): what an answer is called where it is counted.
 *
 * Returns: static
 */
const char *admin_status_name(enum wire_status status);

/**
 * admin_status(): GET /v1/status.
 *
 * Returns: an object, or NULL out of memory
 */
json_t *admin_status(const struct admin_host *host);

/**
 * admin_names(): no name of a body but these, NULL at their end: a typing
 * error must not be taken for absence.
 *
 * Returns: 0; MUSTER_E_PROTO, with the problem
 */
MUSTER_NODISCARD int
admin_names(json_t *in, const char *const *names, struct problem *problem);

/**
 * admin_dns(): GET /v1/dns.
 *
 * Returns: 0
 */
MUSTER_NODISCARD int admin_dns(const struct admin_host *host,
    const struct admin_query *query, json_t **out_out, struct problem *problem);

/**
 * admin_dns_publish(): POST /v1/dns/publish; the updates go out afterwards.
 *
 * Returns: 0; as admin_names(); why this host is not published
 */
MUSTER_NODISCARD int admin_dns_publish(const struct admin_host *host,
    json_t *in, json_t **out_out, struct problem *problem);

/**
 * admin_dns_withdraw(): POST /v1/dns/withdraw; likewise.
 *
 * Returns: 0; as admin_names()
 */
MUSTER_NODISCARD int admin_dns_withdraw(const struct admin_host *host,
    json_t *in, json_t **out_out, struct problem *problem);

/**
 * admin_backup(): the database as a file.
 *
 * Out:     fd_out, len_out  for the caller to close
 *          problem  on failure
 * Returns: 0, or as store_backup()
 * Blocks:  while it is copied
 */
MUSTER_NODISCARD int admin_backup(const struct store *store, int *fd_out,
    uint64_t *len_out, struct problem *problem);

#endif /* MUSTER_HOST_ADMIN_API_H */
