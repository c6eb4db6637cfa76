/* SPDX-License-Identifier: MIT */
#include "host/status.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "host/assets.h"
#include "host/http.h"
#include "host/metrics.h"

#define STATUS_BACKLOG 32

struct status {
	struct admin_host host;
	struct http_service service;
	struct http *http;
};

/* What a page of ours may do, and others may not do with it. */
static const struct http_header headers[] = {
    {"Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {NULL, NULL},
};

/* false: not a GET, or not to us; the answer says which. */
static bool
is_welcome(const struct status *status, struct MHD_Connection *connection,
    const struct admin_request *req, struct admin_answer *answer_out)
{
	const char *host = MHD_lookup_connection_value(connection,
	    MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
	struct problem problem;

	if (!status_is_our_host(host, status->host.config->status.address)) {
		(void)problem_set(&problem, MUSTER_E_DENIED, 421, "host",
		    "open the page by its address or as localhost",
		    "the Host header names another host");
	} else if (strcmp(req->method, "GET") != 0 &&
	    strcmp(req->method, "HEAD") != 0) {
		(void)problem_set(&problem, MUSTER_E_INVAL, 405, "method",
		    "change this host by `muster host`",
		    "this listener is read-only: it takes GET and HEAD");
	} else {
		return true;
	}
	admin_problem(&problem, answer_out);
	return false;
}

static void
send_asset(const struct asset *asset, struct MHD_Connection *connection,
    struct admin_answer *answer_out)
{
	const char *have = MHD_lookup_connection_value(connection,
	    MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);

	answer_out->type = asset->type;
	answer_out->etag = asset->etag;
	answer_out->fixed = asset->bytes;
	answer_out->fixed_len = asset->len;
	if (have == NULL || asset->etag == NULL ||
	    strcmp(have, asset->etag) != 0)
		return;
	answer_out->http = 304;
	answer_out->fixed_len = 0;
}

static bool
answer(void *arg, struct MHD_Connection *connection, struct admin_request *req,
    struct admin_answer *answer_out, struct admin_filter *filter_out)
{
	const struct status *status = arg;
	const struct asset *asset;

	*answer_out = (struct admin_answer){.http = 200, .fd = -1};
	if (!is_welcome(status, connection, req, answer_out))
		return true;
	if (metrics_answer(&status->host, req->path, answer_out))
		return true;
	asset = asset_find(req->path);
	if (asset != NULL) {
		send_asset(asset, connection, answer_out);
		return true;
	}
	req->method = "GET"; /* of a HEAD the library leaves the body out */
	req->is_public = true;
	return admin_api(&status->host, req, answer_out, filter_out);
}

/* A socket that listens, or -1; at_out is where. */
static int
bind_socket(const struct config_server *want, struct config_server *at_out)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} at = {.any = {.sa_family = AF_INET}};
	socklen_t len = sizeof(at.in);
	const int one = 1;
	int fd, saved;

	if (inet_pton(AF_INET, want->address, &at.in.sin_addr) == 1) {
		at.in.sin_port = htons(want->port);
	} else {
		memset(&at, 0, sizeof(at));
		at.in6.sin6_family = AF_INET6;
		at.in6.sin6_port = htons(want->port);
		(void)inet_pton(AF_INET6, want->address, &at.in6.sin6_addr);
		len = sizeof(at.in6);
	}
	fd = socket(at.any.sa_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &at.any, len) == 0 && listen(fd, STATUS_BACKLOG) == 0 &&
	    getsockname(fd, &at.any, &len) == 0) {
		*at_out = *want;
		at_out->port =
		    ntohs(at.any.sa_family == AF_INET ? at.in.sin_port
		                                      : at.in6.sin6_port);
		return fd;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static struct status *
failed(struct status *status, const struct config_server *want, const char *why)
{
	log_event(LOG_WARN, "status",
	    LOG_FIELDS(LOG_TEXT(ADDRESS, want->address),
	        LOG_NUMBER(PORT, want->port)),
	    "no page, no metrics: %s port %u cannot be listened on: %s; set "
	    "`status_listen` in musterd.conf to a free one, or to \"off\"",
	    want->address, want->port, why);
	free(status);
	return NULL;
}

struct status *
status_listen(uv_loop_t *loop, struct admin_host *host)
{
	const struct config_server *want = &host->config->status;
	bool is_v6 = strchr(want->address, ':') != NULL;
	struct status *status;
	int fd;

	if (want->address[0] == '\0')
		return NULL;
	status = calloc(1, sizeof(*status));
	if (status == NULL)
		return failed(NULL, want, "out of memory");
	fd = bind_socket(want, &host->status_at);
	if (fd < 0)
		return failed(status, want, strerror(errno));
	status->host = *host;
	status->service = (struct http_service){.host = &status->host,
	    .arg = status,
	    .answer = answer,
	    .headers = headers,
	    .queues = true};
	if (http_serve(loop, &status->service, fd, &status->http) != 0) {
		host->status_at = (struct config_server){.port = 0};
		return failed(status, want, "the event loop does not take it");
	}
	log_event(LOG_NOTE, "status",
	    LOG_FIELDS(LOG_TEXT(ADDRESS, want->address),
	        LOG_NUMBER(PORT, host->status_at.port)),
	    "http://%s%s%s:%u/ shows this host", is_v6 ? "[" : "",
	    want->address, is_v6 ? "]" : "", host->status_at.port);
	return status;
}

void
status_close(struct status *status)
{
	if (status != NULL)
		http_close(status->http);
}

void
status_free(struct status *status)
{
	if (status == NULL)
		return;
	http_free(status->http);
	free(status);
}
