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

/**
 * http_call(): one request to PATH_HOST_SOCKET; reports what fails.
 *
 * In:      path      such as "/v1/status"
 *          body      NULL: GET; else POST; its reference is taken
 * Out:     reply_out the object answered, for the caller to json_decref();
 *                    NULL unless CLI_DONE
 * Returns: CLI_DONE; CLI_UNREACHABLE: no daemon; CLI_REFUSED: right missing;
 *          CLI_FAILED
 */
int http_call(const struct cli *c, const char *path, json_t *body,
    json_t **reply_out);

#endif /* MUSTER_CLI_HTTP_H */
