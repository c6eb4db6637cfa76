/* SPDX-License-Identifier: MIT */
/*
 * transfer.h -- HTTP, for the commands that ask musterd or an authority.
 *
 * libcurl brings some thirty libraries, which take longer to load than most
 * commands take: it is in a module, loaded by the first transfer.
 */
#ifndef MUSTER_CLI_TRANSFER_H
#define MUSTER_CLI_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/module.h"

#define TRANSFER_FILE "/lib/muster/http.so"
#define TRANSFER_SYMBOL "muster_http"

struct transfer;

/* Takes a piece of an answer, whose status is known; false: no more is
 * wanted. */
typedef bool transfer_sink(struct transfer *t, const char *p, size_t len);

/* One request and its answer; all is borrowed. */
struct transfer {
	const char *url;         /* of a socket: "http://localhost/PATH" */
	const char *socket_path; /* or NULL: "https" by TLS 1.3, verified */
	const char *ca;     /* a file of certificates trusted alone, or NULL */
	const char *method; /* or NULL: GET, POST where there is a body */
	const char *header; /* one more, "NAME: VALUE", or NULL */
	const char *body;   /* JSON, or NULL */
	/* "NAME=VALUE" for the URL's query, VALUE any text; ends with NULL */
	const char *const *query;
	long connect_s; /* 0: as libcurl has it */
	long total_s;   /* 0: no bound */
	long silence_s; /* 0: no bound */
	transfer_sink *sink;
	void *arg; /* of the sink */
	/* what became of it */
	CURLcode code;
	const char *name;          /* of the code */
	char why[CURL_ERROR_SIZE]; /* more of it, or "" */
	long status;               /* 0: none came */
	int64_t retry_s;           /* of Retry-After; 0: none */
	bool has_shaken_hands;     /* TLS stood: something may have been sent */
	bool is_missing; /* there is no module of this version: why says more */
};

/* What TRANSFER_SYMBOL names. */
struct transfer_module {
	struct module_head head; /* its len is that of struct transfer */
	void (*run)(struct transfer *t);
};

/**
 * transfer_run(): ask, and hand the answer to the sink.
 *
 * Out:     t->code to the end; with t->is_missing it is CURLE_FAILED_INIT, and
 *          nothing was asked
 * Blocks:  as t's bounds say
 */
void transfer_run(struct transfer *t);

#endif /* MUSTER_CLI_TRANSFER_H */
