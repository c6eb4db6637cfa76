/* SPDX-License-Identifier: MIT */
/*
 * http.h -- the administration interface of musterd on its Unix socket.
 */
#ifndef MUSTER_CLI_HTTP_H
#define MUSTER_CLI_HTTP_H

#include <jansson.h>

#include "cli/cli.h"

#define HTTP_REPLY_MAX (64U * 1024 * 1024) /* a list is streamed instead */
#define HTTP_TIMEOUT_S 60L
#define HTTP_PATH_MAX 256 /* its query included */

enum http_result {
	HTTP_OK,
	HTTP_NO_DAEMON, /* nobody answers at the socket, or it is not there */
	HTTP_NO_RIGHT,  /* the socket may not be used, or not for this */
	HTTP_REFUSED,   /* the answer is an error */
	HTTP_BROKEN,    /* broken off, or not understood */
	HTTP_TOO_LONG,  /* the socket's path */
	HTTP_NO_MODULE, /* that knows HTTP, beside this program; the reply says why */
	HTTP_NO_MEMORY
};

/**
 * http_ask(): one request to PATH_HOST_SOCKET; reports nothing.
 *
 * In:      path       such as "/v1/status"
 *          body       NULL: GET; else POST; its reference is taken
 * Out:     reply_out  the object answered, of an error too, for the caller to
 *                     json_decref(); NULL where none came
 * Returns: how it went
 */
enum http_result http_ask(const struct cli *c, const char *path, json_t *body,
    json_t **reply_out);

/**
 * http_report(): tell what http_ask() did not.
 *
 * In:      result   not HTTP_OK
 *          reply    the error's object, or NULL; its reference is taken
 * Returns: CLI_UNREACHABLE: no daemon; CLI_REFUSED: right missing; CLI_FAILED
 */
int http_report(const struct cli *c, enum http_result result, json_t *reply);

/**
 * http_call(): http_ask() and, where it fails, http_report().
 *
 * Out:     reply_out  the object answered, for the caller to json_decref();
 *                     NULL unless CLI_DONE
 * Returns: CLI_DONE, or as http_report()
 */
int http_call(const struct cli *c, const char *path, json_t *body,
    json_t **reply_out);

/* Takes a piece of an answer; false: no more is wanted. */
typedef bool http_sink(void *arg, const char *p, size_t len);

/**
 * http_stream(): an answer that may be longer than memory should be, piece by
 * piece; reports what fails, as http_call() does.
 *
 * In:      path       such as "/v1/clients"
 *          query      "NAME=VALUE", VALUE any text; ends with NULL; or NULL
 *          sink       gets the answer, unless that is an error
 * Returns: CLI_DONE, or as http_report(); CLI_FAILED as well where the sink
 *          wants no more
 * Blocks:  as long as pieces come, HTTP_TIMEOUT_S apart at most
 */
int http_stream(const struct cli *c, const char *path, const char *const *query,
    http_sink *sink, void *arg);

#endif /* MUSTER_CLI_HTTP_H */
