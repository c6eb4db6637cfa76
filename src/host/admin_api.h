/* SPDX-License-Identifier: MIT */
/*
 * admin_api.h -- what is behind the paths of admin.h; knows no HTTP library.
 */
#ifndef MUSTER_HOST_ADMIN_API_H
#define MUSTER_HOST_ADMIN_API_H

#include <jansson.h>

#include "host/admin.h"

#define ADMIN_BODY_MAX (2 * CAT_FILE_MAX + 4096) /* a catalogue in hex */

struct admin_request {
	const char *method;
	const char *path;
	char *body; /* body_len bytes; wiped by the caller */
	size_t body_len;
	bool may_change;
};

/* Either a text, or a file from its beginning, or neither (out of memory). */
struct admin_answer {
	unsigned http;
	char *text; /* for the caller to free() */
	int fd;     /* for the caller to close; -1 */
	uint64_t fd_len;
};

/**
 * admin_api(): answer one request.
 *
 * Returns: true, but when the answer takes long and is admin_api_list()'s
 * Blocks:  a change waits for the batch in flight
 */
bool admin_api(const struct admin_host *host, const struct admin_request *req,
    struct admin_answer *answer_out);

/**
 * admin_api_list(): the answer to GET /v1/clients; on any thread.
 *
 * Blocks:  while the inventory is read and written, seconds for a large one
 */
void
admin_api_list(const struct admin_host *host, struct admin_answer *answer_out);

/**
 * admin_status(): GET /v1/status.
 *
 * Returns: an object, or NULL out of memory
 */
json_t *admin_status(const struct admin_host *host);

/**
 * admin_clients(): GET /v1/clients, into a file without a name.
 *
 * In:      folder   on a disk with room for it
 * Out:     fd_out, len_out  for the caller to close
 * Returns: 0; MUSTER_E_IO, MUSTER_E_FULL, or an outcome of the store
 */
MUSTER_NODISCARD int admin_clients(const struct store *store,
    const char *folder, int *fd_out, uint64_t *len_out);

#endif /* MUSTER_HOST_ADMIN_API_H */
