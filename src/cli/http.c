/* SPDX-License-Identifier: MIT */
#include "cli/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/paths.h"

struct answer {
	char *text;
	size_t len;
	size_t cap;
	/* of http_stream(): who gets what is no error */
	CURL *h;
	http_sink *sink;
	void *arg;
};

static size_t
collect(char *p, size_t size, size_t n, void *arg)
{
	struct answer *a = arg;
	size_t more = size * n;
	long status = 0;

	if (a->sink != NULL)
		(void)curl_easy_getinfo(a->h, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200)
		return a->sink(a->arg, p, more) ? more : 0;
	if (more > HTTP_REPLY_MAX - a->len)
		return 0;
	if (a->len + more > a->cap) {
		size_t cap = 2 * (a->len + more);
		char *text = realloc(a->text, cap);

		if (text == NULL)
			return 0;
		a->text = text;
		a->cap = cap;
	}
	memcpy(a->text + a->len, p, more);
	a->len += more;
	return more;
}

static CURLcode
perform(const char *socket_path, const char *path, const char *text,
    struct answer *a, long *status_out)
{
	char url[HTTP_PATH_MAX + 32];
	struct curl_slist *headers = NULL;
	CURLcode code = CURLE_OUT_OF_MEMORY;
	CURL *h = curl_easy_init();

	if (h == NULL)
		goto out;
	(void)snprintf(url, sizeof(url), "http://localhost%s", path);
	(void)curl_easy_setopt(h, CURLOPT_URL, url);
	(void)curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	(void)curl_easy_setopt(h, CURLOPT_NOPROXY, "*");
	(void)curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	a->h = h;
	if (a->sink == NULL) {
		(void)curl_easy_setopt(h, CURLOPT_TIMEOUT, HTTP_TIMEOUT_S);
	} else {
		(void)curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
		(void)curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME,
		    HTTP_TIMEOUT_S);
	}
	(void)curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, collect);
	(void)curl_easy_setopt(h, CURLOPT_WRITEDATA, a);
	if (text != NULL) {
		headers =
		    curl_slist_append(NULL, "Content-Type: application/json");
		if (headers == NULL)
			goto out;
		(void)curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
		(void)curl_easy_setopt(h, CURLOPT_POSTFIELDS, text);
		(void)curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)strlen(text));
	}
	code = curl_easy_perform(h);
	(void)curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, status_out);
out:
	curl_slist_free_all(headers);
	curl_easy_cleanup(h);
	return code;
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
judge(CURLcode code, long status, const json_t *reply, const char *socket_path)
{
	if (code == CURLE_COULDNT_CONNECT)
		return why_not(socket_path);
	if (code == CURLE_OUT_OF_MEMORY)
		return HTTP_NO_MEMORY;
	if (code != CURLE_OK || !json_is_object(reply))
		return HTTP_BROKEN;
	if (status >= 200 && status <= 299)
		return HTTP_OK;
	return status == 403 ? HTTP_NO_RIGHT : HTTP_REFUSED;
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
	char *text = NULL;
	long status = 0;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	*reply_out = NULL;
	if (find_socket(c, socket_path, sizeof(socket_path)) != 0)
		goto out;
	if (body != NULL)
		text = json_dumps(body, JSON_COMPACT);
	if (body == NULL || text != NULL)
		code = perform(socket_path, path, text, &a, &status);
	if (code == CURLE_OK)
		*reply_out = json_loadb(a.text != NULL ? a.text : "", a.len,
		    JSON_REJECT_DUPLICATES, NULL);
	result = judge(code, status, *reply_out, socket_path);
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
http_stream(const struct cli *c, const char *path, http_sink *sink, void *arg)
{
	struct answer a = {.sink = sink, .arg = arg};
	char socket_path[FILE_PATH_MAX];
	json_t *reply = NULL;
	long status = 0;
	CURLcode code;

	if (find_socket(c, socket_path, sizeof(socket_path)) != 0)
		return http_report(c, HTTP_TOO_LONG, NULL);
	code = perform(socket_path, path, NULL, &a, &status);
	if (code == CURLE_OK && status == 200)
		return CLI_DONE;
	if (code == CURLE_WRITE_ERROR && status == 200)
		return cli_errorf(c, CLI_FAILED, "output",
		    "write it where there is room",
		    "what musterd answers cannot be written, and is not all "
		    "there");
	if (code == CURLE_OK && a.text != NULL)
		reply = json_loadb(a.text, a.len, JSON_REJECT_DUPLICATES, NULL);
	free(a.text);
	return http_report(c, judge(code, status, reply, socket_path), reply);
}
