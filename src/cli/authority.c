/* SPDX-License-Identifier: MIT */
#include "cli/authority.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "cli/transfer.h"

#define HEADER_MAX 256

struct answer {
	struct transfer t;
	char text[AUTHORITY_REPLY_MAX];
	size_t len;
	bool is_lost; /* it may have been acted on, and nobody said so */
};

static bool
collect(struct transfer *t, const char *p, size_t more)
{
	struct answer *a = t->arg;

	if (more > sizeof(a->text) - a->len)
		return false;
	memcpy(a->text + a->len, p, more);
	a->len += more;
	return true;
}

static void
attempt(const struct authority *a, const char *method, const char *url,
    const char *body, struct answer *out)
{
	char ask[HEADER_MAX];

	out->len = 0;
	out->t = (struct transfer){.url = url,
	    .ca = a->ca,
	    .method = method,
	    .body = body,
	    .connect_s = AUTHORITY_CONNECT_S,
	    .total_s = AUTHORITY_TOTAL_S,
	    .sink = collect,
	    .arg = out};
	if (a->ask != NULL) {
		(void)snprintf(ask, sizeof(ask), "Muster-Ask: %s", a->ask);
		out->t.header = ask;
	}
	transfer_run(&out->t);
	out->t.header = NULL;
	/* nothing is sent before the handshake; a list changes none */
	out->is_lost = out->t.code != CURLE_OK && out->t.has_shaken_hands &&
	    strcmp(method, "GET") != 0;
}

/* Would the same again, a little later, help? */
static bool
is_passing(const struct answer *a)
{
	static const CURLcode passing[] = {CURLE_COULDNT_RESOLVE_HOST,
	    CURLE_COULDNT_CONNECT, CURLE_OPERATION_TIMEDOUT, CURLE_SEND_ERROR,
	    CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE,
	    CURLE_SSL_CONNECT_ERROR};

	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		if (a->t.code == passing[i])
			return true;
	}
	return a->t.code == CURLE_OK &&
	    (a->t.status == 429 || a->t.status == 503);
}

static int64_t
wait_s(const struct answer *a, unsigned n_tried)
{
	int64_t s = (int64_t)AUTHORITY_WAIT_S << (n_tried - 1);

	if (a->t.code == CURLE_OK && a->t.retry_s > s)
		s = a->t.retry_s;
	return s < AUTHORITY_WAIT_MAX_S ? s : AUTHORITY_WAIT_MAX_S;
}

static void
ask_patiently(const struct cli *c, const struct authority *a,
    const char *method, const char *url, const char *body, struct answer *out)
{
	bool was_lost = false;

	for (unsigned n = 1;; n++) {
		int64_t s = 0;

		attempt(a, method, url, body, out);
		was_lost |= out->is_lost;
		if (n == AUTHORITY_TRIES || !is_passing(out))
			break;
		s = wait_s(out, n);
		if (!c->is_json && isatty(STDERR_FILENO))
			(void)fprintf(stderr,
			    "muster: %s: %s; asked again in %d s\n", a->url,
			    out->t.code == CURLE_OK ? "busy" : out->t.name,
			    (int)s);
		(void)nanosleep(&(struct timespec){.tv_sec = (time_t)s}, NULL);
	}
	/* "busy" says nothing of what went before; any other answer does */
	out->is_lost |= was_lost && is_passing(out);
}

static int
report_silence(const struct cli *c, const struct authority *a,
    const struct answer *out)
{
	const char *why =
	    out->t.code == CURLE_OK ? "busy in the end" : out->t.name;

	if (out->t.is_missing)
		return cli_errorf(c, CLI_FAILED, "no_module",
		    "install the package muster-cli again", "%s", out->t.why);
	if (out->t.code == CURLE_PEER_FAILED_VERIFICATION ||
	    out->t.code == CURLE_SSL_CACERT_BADFILE)
		return cli_errorf(c, CLI_UNREACHABLE, "not_trusted",
		    "name the file of the authority's CA by --ca FILE; do not "
		    "go on with a server that cannot prove its name",
		    "%s: %s", a->url, why);
	if (out->t.code == CURLE_WRITE_ERROR)
		return cli_errorf(c, CLI_FAILED, "bad_answer",
		    "check the URL, and what is between this machine and it",
		    "%s answers with more than %u bytes", a->url,
		    AUTHORITY_REPLY_MAX);
	if (out->t.code == CURLE_SSL_CONNECT_ERROR && !out->is_lost)
		return cli_errorf(c, CLI_UNREACHABLE, "no_authority",
		    "check the URL; where a proxy or a balancer stands before "
		    "the authority, it must speak TLS 1.3 as well; without: "
		    "muster host activate --offline",
		    "%s: no connection by TLS 1.3, and nothing less will do: "
		    "%s",
		    a->url, out->t.why[0] != '\0' ? out->t.why : why);
	if (out->is_lost)
		return cli_errorf(c, CLI_UNREACHABLE, "outcome_unknown",
		    "run the same command again: the same request is asked, "
		    "and counted once",
		    "%s: %s; whether the request was granted is not known",
		    a->url, why);
	return cli_errorf(c, CLI_UNREACHABLE, "no_authority",
	    "check the URL, the network and the proxy (HTTPS_PROXY); without a "
	    "way out: muster host activate --offline",
	    "%s: %s", a->url, why);
}

static int
judge(const struct cli *c, const struct authority *a, const struct answer *out,
    json_t **reply_out, json_t **problem_out)
{
	json_t *reply;

	if (out->t.code != CURLE_OK || out->is_lost)
		return report_silence(c, a, out);
	reply = json_loadb(out->text, out->len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(reply) && out->t.status >= 200 &&
	    out->t.status < 300) {
		*reply_out = reply;
		return CLI_DONE;
	}
	if (json_is_string(json_object_get(reply, "code"))) {
		*problem_out = reply;
		return CLI_FAILED;
	}
	json_decref(reply);
	return cli_errorf(c, CLI_FAILED, "bad_answer",
	    "check the URL, and what is between this machine and it",
	    "%s answers by status %ld and nothing that an authority says",
	    a->url, out->t.status);
}

int
authority_call(const struct cli *c, const struct authority *a,
    const char *method, const char *path, json_t *body, json_t **reply_out,
    json_t **problem_out)
{
	struct answer *out = malloc(sizeof(*out));
	char url[AUTHORITY_URL_MAX + HEADER_MAX];
	char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
	size_t len = strlen(a->url);
	int exit_code = CLI_FAILED;

	*reply_out = *problem_out = NULL;
	while (len > 0 && a->url[len - 1] == '/')
		len--;
	if (strncasecmp(a->url, "https://", 8) != 0 || len <= 8 ||
	    len > AUTHORITY_URL_MAX) {
		exit_code = cli_errorf(c, CLI_USAGE, "url",
		    "name the authority by --authority https://NAME, or "
		    "activate by telephone: muster host activate --offline",
		    a->url[0] == '\0' ? "the catalogue names no authority%s"
		                      : "%.300s is no https URL",
		    a->url);
	} else if (out == NULL || (body != NULL && text == NULL)) {
		exit_code = cli_fail(c, MUSTER_E_NOMEM, NULL, NULL);
	} else {
		(void)snprintf(url, sizeof(url), "%.*s%s", (int)len, a->url,
		    path);
		ask_patiently(c, a, method, url, text, out);
		exit_code = judge(c, a, out, reply_out, problem_out);
	}
	free(text);
	free(out);
	json_decref(body);
	return exit_code;
}
