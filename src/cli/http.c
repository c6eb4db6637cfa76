/* SPDX-License-Identifier: MIT */
#include "cli/http.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/paths.h"
#include "cli/transfer.h"

struct answer {
	char *text;
	size_t len;
	size_t cap;
	/* of http_stream(): who gets what is no error */
	http_sink *sink;
	void *arg;
};

static bool
collect(struct transfer *t, const char *p, size_t more)
{
	struct answer *a = t->arg;

	if (a->sink != NULL && t->status == 200)
		return a->sink(a->arg, p, more);
	if (more > HTTP_REPLY_MAX - a->len)
		return false;
	if (a->len + more > a->cap) {
		size_t cap = 2 * (a->len + more);
		char *text = realloc(a->text, cap);

		if (text == NULL)
			return false;
		a->text = text;
		a->cap = cap;
	}
	memcpy(a->text + a->len, p, more);
	a->len += more;
	return true;
}

/* One request; a list has no bound but between its pieces. */
static void
perform(struct transfer *t, const char *path)
{
	const struct answer *a = t->arg;
	char url[HTTP_PATH_MAX + 32];

	(void)snprintf(url, sizeof(url), "http://localhost%s", path);
	t->url = url;
	t->sink = collect;
	if (a->sink == NULL)
		t->total_s = HTTP_TIMEOUT_S;
	else
		t->silence_s = HTTP_TIMEOUT_S;
	transfer_run(t);
	t->url = NULL;
}

/* A socket that is there and takes no connection: rights, or nobody there? */
static enum http_result
why_not(const char *socket_path)
{
	return access(socket_path, R_OK | W_OK) != 0 && errno == EACCES
	    ? HTTP_NO_RIGHT
	    : HTTP_NO_DAEMON;
}

static enum http_result
judge(const struct transfer *t, const json_t *reply)
{
	if (t->is_missing)
		return HTTP_NO_MODULE;
	if (t->code == CURLE_COULDNT_CONNECT)
		return why_not(t->socket_path);
	if (t->code == CURLE_OUT_OF_MEMORY)
		return HTTP_NO_MEMORY;
	if (t->code != CURLE_OK || !json_is_object(reply))
		return HTTP_BROKEN;
	if (t->status >= 200 && t->status <= 299)
		return HTTP_OK;
	return t->status == 403 ? HTTP_NO_RIGHT : HTTP_REFUSED;
}

/* The answer of a module that is not there; NULL: no memory. */
static json_t *
missing(const struct transfer *t)
{
	return json_pack("{s:{s:s,s:s,s:s}}", "error", "code", "no_module",
	    "message", t->why, "next_step",
	    "install the package muster-cli again");
}

static int
find_socket(const struct cli *c, char *out, size_t cap)
{
	int err = file_join(c->root, PATH_HOST_SOCKET, out, cap);

	if (err == 0 && strlen(out) > PATH_SOCKET_MAX)
		err = MUSTER_E_TOOBIG;
	return err;
}

enum http_result
http_ask(const struct cli *c, const char *path, json_t *body,
    json_t **reply_out)
{
	enum http_result result = HTTP_TOO_LONG;
	char socket_path[FILE_PATH_MAX];
	struct answer a = {0};
	struct transfer t = {.socket_path = socket_path,
	    .arg = &a,
	    .code = CURLE_OUT_OF_MEMORY};
	char *text = NULL;

	*reply_out = NULL;
	if (find_socket(c, socket_path, sizeof(socket_path)) != 0)
		goto out;
	if (body != NULL)
		text = json_dumps(body, JSON_COMPACT);
	t.body = text;
	if (body == NULL || text != NULL)
		perform(&t, path);
	if (t.code == CURLE_OK)
		*reply_out = json_loadb(a.text != NULL ? a.text : "", a.len,
		    JSON_REJECT_DUPLICATES, NULL);
	else if (t.is_missing)
		*reply_out = missing(&t);
	result = judge(&t, *reply_out);
out:
	if (text != NULL)
		sodium_memzero(text, strlen(text)); /* it may hold a key */
	free(text);
	free(a.text);
	json_decref(body);
	return result;
}

/* What musterd says is wrong; parts that it leaves out are filled in. */
static int
report_answer(const struct cli *c, int exit_code, const json_t *reply)
{
	const json_t *error = json_object_get(reply, "error");
	const char *next =
	    json_string_value(json_object_get(error, "next_step"));
	struct cli_error e = {json_string_value(json_object_get(error, "code")),
	    json_string_value(json_object_get(error, "message")), next};

	if (e.code == NULL)
		e.code = "bad_answer";
	if (e.message == NULL)
		e.message = "the daemon's answer is not understood";
	if (next == NULL || next[0] == '\0')
		e.next_step = "see its log: journalctl -u musterd";
	return cli_error(c, exit_code, &e);
}

int
http_report(const struct cli *c, enum http_result result, json_t *reply)
{
	const char *root = c->root != NULL ? c->root : "";
	int exit_code = CLI_FAILED;

	switch (result) {
	case HTTP_NO_DAEMON:
		exit_code = cli_errorf(c, CLI_UNREACHABLE, "no_daemon",
		    "start it: systemctl start musterd; or name its folder by "
		    "--root",
		    "musterd does not answer on %s" PATH_HOST_SOCKET, root);
		break;
	case HTTP_NO_RIGHT:
		if (reply != NULL)
			exit_code = report_answer(c, CLI_REFUSED, reply);
		else
			exit_code = cli_errorf(c, CLI_REFUSED, "denied",
			    "run it as root, or join the group muster to read",
			    "%s" PATH_HOST_SOCKET ": right missing", root);
		break;
	case HTTP_TOO_LONG:
		exit_code = cli_errorf(c, CLI_FAILED, "socket_path_too_long",
		    "choose a shorter --root",
		    "the path %s" PATH_HOST_SOCKET " is over %d bytes", root,
		    PATH_SOCKET_MAX);
		break;
	case HTTP_NO_MEMORY:
		exit_code = cli_fail(c, MUSTER_E_NOMEM, NULL, NULL);
		break;
	case HTTP_OK:
	case HTTP_REFUSED:
	case HTTP_NO_MODULE:
	case HTTP_BROKEN:
		if (reply != NULL)
			exit_code = report_answer(c, CLI_FAILED, reply);
		else
			exit_code = cli_errorf(c, CLI_FAILED, "no_answer",
			    "see its log: journalctl -u musterd",
			    "musterd broke off or answered too late");
		break;
	}
	json_decref(reply);
	return exit_code;
}

int
http_call(const struct cli *c, const char *path, json_t *body,
    json_t **reply_out)
{
	enum http_result result = http_ask(c, path, body, reply_out);
	json_t *reply = *reply_out;

	if (result == HTTP_OK)
		return CLI_DONE;
	*reply_out = NULL;
	return http_report(c, result, reply);
}

int
http_stream(const struct cli *c, const char *path, const char *const *query,
    http_sink *sink, void *arg)
{
	struct answer a = {.sink = sink, .arg = arg};
	char socket_path[FILE_PATH_MAX];
	struct transfer t = {.socket_path = socket_path,
	    .query = query,
	    .arg = &a};
	json_t *reply = NULL;

	if (find_socket(c, socket_path, sizeof(socket_path)) != 0)
		return http_report(c, HTTP_TOO_LONG, NULL);
	perform(&t, path);
	if (t.code == CURLE_OK && t.status == 200)
		return CLI_DONE;
	if (t.code == CURLE_WRITE_ERROR && t.status == 200)
		return cli_errorf(c, CLI_FAILED, "output",
		    "write it where there is room",
		    "what musterd answers cannot be written, and is not all "
		    "there");
	if (t.code == CURLE_OK && a.text != NULL)
		reply = json_loadb(a.text, a.len, JSON_REJECT_DUPLICATES, NULL);
	else if (t.is_missing)
		reply = missing(&t);
	free(a.text);
	return http_report(c, judge(&t, reply), reply);
}
