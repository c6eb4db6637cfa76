/* SPDX-License-Identifier: MIT */
/*
 * http.h -- the administration interface of musterd on its Unix socket.
 */
#ifndef MUSTER_CLI_HTTP_H
#define MUSTER_CLI_HTTP_H

#include <jansson.h>

#include "cli/cli.h"

#define HTTP_REPLY_MAX \
	(64U * 1024 * 1024) /* an inventory of a million rows
					      is asked for in parts */
#define HTTP_TIMEOUT_S 60L

enum http_result {
	HTTP_OK,
	HTTP_NO_DAEMON, /* nobody answers at the socket, or it is not there */
	HTTP_NO_RIGHT,  /* the socket may not be used, or not for this */
	HTTP_REFUSED,   /* the answer is an error */
	HTTP_BROKEN,    /* broken off, or not understood */
	HTTP_TOO_LONG,  /* the socket's path */
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

#endif /* MUSTER_CLI_HTTP_H */
