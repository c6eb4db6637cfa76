/* SPDX-License-Identifier: MIT */
/*
 * authority.h -- a publisher's HTTPS service, as doc/openapi.yaml has it.
 *
 * The only code on a host's machine that connects to an authority (b7).  The
 * server's certificate and name are always verified, by TLS 1.3 and nothing
 * older, as the authority speaks it; proxies of the
 * environment (HTTPS_PROXY, NO_PROXY) are honoured; nothing is followed
 * elsewhere.  What may be lost is asked again, byte for byte the same, which
 * the authority answers as before and counts once.
 */
#ifndef MUSTER_CLI_AUTHORITY_H
#define MUSTER_CLI_AUTHORITY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/cli.h"

#define AUTHORITY_CONNECT_S 10L /* through a proxy as well */
#define AUTHORITY_TOTAL_S 30L   /* of one attempt; an answer takes a commit */
#define AUTHORITY_TRIES 4
#define AUTHORITY_WAIT_S 1      /* doubled at each attempt */
#define AUTHORITY_WAIT_MAX_S 30 /* of a Retry-After that is respected */
#define AUTHORITY_REPLY_MAX (64U * 1024) /* 255 slots take half of it */
#define AUTHORITY_URL_MAX 256
#define AUTHORITY_WORD_MAX \
	1024 /* a contact has 500 bytes; longer is not shown */

/* One call; borrowed for it. */
struct authority {
	const char *url; /* "https://NAME[:PORT][/PATH]" */
	const char *ca;  /* a file of certificates trusted alone, or NULL */
	const char *ask; /* hex of a slots ask, or NULL */
};

/**
 * authority_call(): ask, and try again where that may help.
 *
 * In:      method   "GET", "POST" or "DELETE"
 *          path     such as "/v1/hosts"
 *          body     of a POST, or NULL; its reference is taken
 * Out:     reply_out  the object answered, for json_decref(); NULL unless
 *                     CLI_DONE
 *          problem_out  with CLI_FAILED the problem that was answered, not yet
 *                     told, for authority_report(); else NULL
 * Returns: CLI_DONE; CLI_FAILED: *problem_out, or told; CLI_USAGE (url), told;
 *          CLI_UNREACHABLE, told
 * Blocks:  AUTHORITY_TRIES times AUTHORITY_TOTAL_S, and the waits between
 */
int authority_call(const struct cli *c, const struct authority *a,
    const char *method, const char *path, json_t *body, json_t **reply_out,
    json_t **problem_out);

/**
 * authority_problem_is(): has the problem this code?
 *
 * Returns: false also for NULL
 */
bool authority_problem_is(const json_t *problem, const char *code);

/**
 * authority_word(): a text of an answer, for a terminal.
 *
 * Out:     out      AUTHORITY_WORD_MAX bytes; the fallback where the text is
 *                   missing, empty, too long, or has control codes
 * Returns: out
 */
const char *authority_word(const json_t *object, const char *name,
    const char *fallback, char *out);

/**
 * authority_url(): the URL that was given, else the catalogue's, which musterd
 * says beside a request; empty where it has none.
 *
 * Returns: given, or a text of the reply
 */
const char *authority_url(const char *given, const json_t *reply);

/**
 * authority_number(): a number of an answer.
 *
 * Returns: 0 also where there is none
 */
int64_t authority_number(const json_t *object, const char *name);

/**
 * authority_show_slots(): a line for each slot that an answer names.
 */
void authority_show_slots(FILE *to, const json_t *answer);

/**
 * authority_report(): tell a problem that was answered, with what to do on
 * this host.
 *
 * By --json the authority's own object stands beside the error as "problem";
 * otherwise the slots that it names are listed.
 *
 * In:      problem  its reference is taken
 * Returns: CLI_FAILED
 */
int authority_report(const struct cli *c, json_t *problem);

/**
 * authority_bad_answer(): tell that an answer lacks what it must say.
 *
 * In:      answer   its reference is taken
 * Returns: CLI_FAILED
 */
int authority_bad_answer(const struct cli *c, json_t *answer);

#endif /* MUSTER_CLI_AUTHORITY_H */
