/* SPDX-License-Identifier: MIT */
/*
 * http.h -- an HTTP server on the loop: libmicrohttpd, polled from outside.
 *
 * Two hang on the loop of musterd: the administration's on a Unix socket
 * (admin.h) and the status listener's (status.h).  What takes long is made on
 * a thread of libuv's pool, HTTP_WORK_MAX at a time, while its connection is
 * suspended; the loop serves on.
 */
#ifndef MUSTER_HOST_HTTP_H
#define MUSTER_HOST_HTTP_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "host/admin_api.h"

#define HTTP_CONNECTIONS_MAX 32U
#define HTTP_TIMEOUT_S 10U
#define HTTP_MEMORY 32768U /* a connection: its head, and what is sent of it */
#define HTTP_WORK_MAX 2U   /* at a time; of the four threads libuv has */

/* A line of every answer's head. */
struct http_header {
	const char *name, *value;
};

struct http_service {
	const struct admin_host *host; /* of admin_api_list() */
	void *arg;
	/*
	 * Judge and answer a request that is whole; as admin_api().  The
	 * method, path, body and query are set, may_change is not.
	 */
	bool (*answer)(void *arg, struct MHD_Connection *connection,
	    struct admin_request *req, struct admin_answer *answer_out,
	    struct admin_filter *filter_out);
	const struct http_header *headers; /* ends in NULL; or NULL */
	size_t body_max;                   /* beyond it 413 */
	bool queues; /* a long answer waits for its thread; else 503 */
};

struct http;

/**
 * http_serve(): serve what connects to a listening socket.
 *
 * In:      service  borrowed until http_free()
 *          fd       taken; closed on failure too
 * Returns: 0; MUSTER_E_NOMEM, MUSTER_E_IO
 */
MUSTER_NODISCARD int http_serve(uv_loop_t *loop,
    const struct http_service *service, int fd, struct http **http_out);

/**
 * http_close(): accept and answer no more; NULL is fine.
 *
 * The memory is freed by http_free(), after the loop has ended.
 */
void http_close(struct http *http);

/**
 * http_free(): after the loop has run out; NULL is fine.
 */
void http_free(struct http *http);

#endif /* MUSTER_HOST_HTTP_H */
