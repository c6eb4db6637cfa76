/* SPDX-License-Identifier: MIT */
/*
 * transfer_curl.c -- the module of transfer.h: the only code with libcurl.
 */
#include <string.h>

#include "cli/transfer.h"

/* What is made for one transfer. */
struct job {
	struct transfer *t;
	CURL *h;
	CURLU *url;
	struct curl_slist *headers;
};

static size_t
hand_on(char *p, size_t size, size_t n, void *arg)
{
	struct job *job = arg;

	(void)curl_easy_getinfo(job->h, CURLINFO_RESPONSE_CODE,
	    &job->t->status);
	return job->t->sink(job->t, p, size * n) ? size * n : 0;
}

static CURLcode
set_url(struct job *job)
{
	const struct transfer *t = job->t;
	CURLUcode code;

	job->url = curl_url();
	if (job->url == NULL)
		return CURLE_OUT_OF_MEMORY;
	code = curl_url_set(job->url, CURLUPART_URL, t->url, 0);
	for (size_t i = 0;
	     code == CURLUE_OK && t->query != NULL && t->query[i] != NULL; i++)
		code = curl_url_set(job->url, CURLUPART_QUERY, t->query[i],
		    CURLU_APPENDQUERY | CURLU_URLENCODE);
	if (code != CURLUE_OK)
		return code == CURLUE_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY
		                                    : CURLE_URL_MALFORMAT;
	return curl_easy_setopt(job->h, CURLOPT_CURLU, job->url);
}

static CURLcode
add_header(struct job *job, const char *header)
{
	struct curl_slist *more = curl_slist_append(job->headers, header);

	if (more == NULL)
		return CURLE_OUT_OF_MEMORY;
	job->headers = more;
	return curl_easy_setopt(job->h, CURLOPT_HTTPHEADER, more);
}

/* One that was not taken is in *code: nothing goes to another place, or less
 * verified, for want of memory. */
#define SET(code, h, option, value)                                   \
	do {                                                          \
		if (*(code) == CURLE_OK)                              \
			*(code) = curl_easy_setopt(h, option, value); \
	} while (0)

static void
set_up_socket(CURL *h, const struct transfer *t, CURLcode *code)
{
	SET(code, h, CURLOPT_UNIX_SOCKET_PATH, t->socket_path);
	SET(code, h, CURLOPT_PROTOCOLS_STR, "http");
	SET(code, h, CURLOPT_NOPROXY, "*");
}

static void
set_up_tls(CURL *h, const struct transfer *t, CURLcode *code)
{
	SET(code, h, CURLOPT_PROTOCOLS_STR, "https");
	SET(code, h, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_3);
	SET(code, h, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(code, h, CURLOPT_SSL_VERIFYHOST, 2L);
	if (t->ca != NULL) {
		SET(code, h, CURLOPT_CAINFO, t->ca);
		SET(code, h, CURLOPT_CAPATH, NULL);
	}
}

static CURLcode
set_up(struct job *job)
{
	struct transfer *t = job->t;
	CURL *h = job->h;
	CURLcode code = set_url(job);

	if (t->socket_path != NULL)
		set_up_socket(h, t, &code);
	else
		set_up_tls(h, t, &code);
	SET(&code, h, CURLOPT_FOLLOWLOCATION, 0L);
	SET(&code, h, CURLOPT_NOSIGNAL, 1L);
	SET(&code, h, CURLOPT_CONNECTTIMEOUT, t->connect_s);
	SET(&code, h, CURLOPT_TIMEOUT, t->total_s);
	SET(&code, h, CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(&code, h, CURLOPT_LOW_SPEED_TIME, t->silence_s);
	SET(&code, h, CURLOPT_WRITEFUNCTION, hand_on);
	SET(&code, h, CURLOPT_WRITEDATA, job);
	SET(&code, h, CURLOPT_ERRORBUFFER, t->why);
	if (t->method != NULL)
		SET(&code, h, CURLOPT_CUSTOMREQUEST, t->method);
	if (code == CURLE_OK && t->header != NULL)
		code = add_header(job, t->header);
	if (code == CURLE_OK && t->body != NULL) {
		code = add_header(job, "Content-Type: application/json");
		SET(&code, h, CURLOPT_POSTFIELDS, t->body);
		SET(&code, h, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)strlen(t->body));
	}
	return code;
}

static void
ask(struct job *job)
{
	struct transfer *t = job->t;
	curl_off_t handshake_us = 0, retry_s = 0;

	t->code = curl_easy_perform(job->h);
	(void)curl_easy_getinfo(job->h, CURLINFO_RESPONSE_CODE, &t->status);
	(void)curl_easy_getinfo(job->h, CURLINFO_RETRY_AFTER, &retry_s);
	(void)curl_easy_getinfo(job->h, CURLINFO_APPCONNECT_TIME_T,
	    &handshake_us);
	t->retry_s = retry_s;
	t->has_shaken_hands = handshake_us > 0;
}

static void
run(struct transfer *t)
{
	struct job job = {.t = t, .h = curl_easy_init()};

	t->code = CURLE_OUT_OF_MEMORY;
	t->status = 0;
	t->retry_s = 0;
	t->has_shaken_hands = false;
	t->why[0] = '\0';
	if (job.h != NULL)
		t->code = set_up(&job);
	if (t->code == CURLE_OK)
		ask(&job);
	t->name = curl_easy_strerror(t->code);
	curl_slist_free_all(job.headers);
	curl_easy_cleanup(job.h);
	curl_url_cleanup(job.url);
}

extern const struct transfer_module muster_http;

const struct transfer_module muster_http = {
    .head = {.version = MUSTER_VERSION, .len = sizeof(struct transfer)},
    .run = run,
};
