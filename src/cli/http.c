/* SPDX-License-Identifier: MIT */
#include "cli/http.h"

#include <curl/curl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/paths.h"

struct answer {
	char *text;
	size_t len;
	size_t cap;
};

static size_t
collect(char *p, size_t size, size_t n, void *arg)
{
	struct answer *a = arg;
	size_t more = size * n;

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
	char url[128];
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
	(void)curl_easy_setopt(h, CURLOPT_TIMEOUT, HTTP_TIMEOUT_S);
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

static int
report(const struct cli *c, long status, const json_t *reply)
{
	const json_t *error = json_object_get(reply, "error");
	struct cli_error e = {json_string_value(json_object_get(error, "code")),
	    json_string_value(json_object_get(error, "message")),
	    json_string_value(json_object_get(error, "next_step"))};

	if (e.code == NULL)
		e.code = "bad_answer";
	if (e.message == NULL)
		e.message = "the daemon's answer is not understood";
	if (e.next_step == NULL)
		e.next_step = "";
	return cli_error(c, status == 403 ? CLI_REFUSED : CLI_FAILED, &e);
}

static int
finish(const struct cli *c, CURLcode code, long status, const struct answer *a,
    json_t **reply_out)
{
	const struct cli_error down = {"no_daemon",
	    "musterd does not answer on its socket",
	    "start it: systemctl start musterd; or name its folder by --root"};
	const struct cli_error broken = {"no_answer",
	    "musterd broke off or answered too late",
	    "see its log: journalctl -u musterd"};
	json_t *reply;

	if (code == CURLE_COULDNT_CONNECT)
		return cli_error(c, CLI_UNREACHABLE, &down);
	if (code != CURLE_OK)
		return cli_error(c, CLI_FAILED, &broken);
	reply = json_loadb(a->text != NULL ? a->text : "", a->len,
	    JSON_REJECT_DUPLICATES, NULL);
	if (status < 200 || status > 299 || !json_is_object(reply)) {
		int exit_code = report(c, status, reply);

		json_decref(reply);
		return exit_code;
	}
	*reply_out = reply;
	return CLI_DONE;
}

int
http_call(const struct cli *c, const char *path, json_t *body,
    json_t **reply_out)
{
	const struct cli_error too_long = {"socket_path_too_long",
	    "the path of host.sock is over 107 bytes",
	    "choose a shorter --root"};
	char socket_path[FILE_PATH_MAX];
	struct answer a = {0};
	char *text = NULL;
	long status = 0;
	CURLcode code;
	int exit_code = CLI_FAILED;

	*reply_out = NULL;
	if (file_join(c->root, PATH_HOST_SOCKET, socket_path,
	        sizeof(socket_path)) != 0 ||
	    strlen(socket_path) > PATH_SOCKET_MAX) {
		exit_code = cli_error(c, CLI_FAILED, &too_long);
		goto out;
	}
	if (body != NULL) {
		text = json_dumps(body, JSON_COMPACT);
		if (text == NULL) {
			exit_code = cli_fail(c, MUSTER_E_NOMEM, NULL, "");
			goto out;
		}
	}
	code = perform(socket_path, path, text, &a, &status);
	exit_code = finish(c, code, status, &a, reply_out);
out:
	if (text != NULL)
		sodium_memzero(text, strlen(text)); /* it may hold a key */
	free(text);
	free(a.text);
	json_decref(body);
	return exit_code;
}
