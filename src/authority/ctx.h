/* SPDX-License-Identifier: MIT */
/*
 * ctx.h -- what a command of muster-authority gets, and how it reports.
 *
 * A command returns its exit code.  Where it fails it has said so once, by
 * ctx_fail() or ctx_fail_err(), with the cause and the next step.
 */
#ifndef MUSTER_AUTHORITY_CTX_H
#define MUSTER_AUTHORITY_CTX_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"
#include "muster/err.h"

#define EXIT_DONE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2
#define EXIT_CONFIG 78     /* of the service, so that nobody starts it again */
#define TEXT_NUMBER_MAX 10 /* digits of a 32-bit number */
#define S_PER_DAY 86400

enum opt {
	OPT_HELP,
	OPT_VERSION,
	OPT_JSON,
	OPT_CONFIG,
	OPT_DIR,
	OPT_NAME,
	OPT_URL,
	OPT_CONTACT,
	OPT_ROOT_KEY,
	OPT_PASSPHRASE,
	OPT_OUT,
	OPT_PREPARED,
	OPT_PREVIOUS,
	OPT_DROP,
	OPT_LEVEL,
	OPT_LINES,
	OPT_CUSTOMER,
	OPT_HOSTS,
	OPT_REACTIVATIONS,
	OPT_RELEASES,
	OPT_FILE,
	OPT_AS_OF,
	OPT_KEY,
	OPT_CATALOGUE,
	OPT_YES,
	OPT_LISTEN,
	OPT_TLS_CERT,
	OPT_TLS_KEY,
	OPT_CHECK,
	OPT_INSTALLATION_ID,
	OPT_QR,
	OPT_REPLACES,
	OPT_DAYS,
	OPT_FOR_GOOD,
	OPT_SEAL_COST,
	OPT_N
};

struct ctx {
	const char *value[OPT_N]; /* NULL: not given; "" for a plain flag */
	char **operands;
	int n_operands;
	char dir[FILE_PATH_MAX];
	const char
	    *config; /* the file that holds, whether or not it is there */
};

/**
 * ctx_fail(): print one error, for people or as JSON.
 *
 * In:      exit     EXIT_FAILED or EXIT_USAGE
 *          code     stable name
 *          next     what to do now, never empty
 *          format   printf's: the cause
 * Returns: exit
 */
__attribute__((format(printf, 5, 6))) int ctx_fail(const struct ctx *ctx,
    int exit, const char *code, const char *next, const char *format, ...);

/**
 * ctx_fail_err(): the same for a code of the error list.
 *
 * In:      what     the file or thing that it befell
 * Returns: EXIT_FAILED
 */
int ctx_fail_err(const struct ctx *ctx, int err, const char *what);

/**
 * ctx_facts(): print facts as JSON when --json was given.
 *
 * In:      schema   name and version of the object
 *          facts    an object; its reference is taken
 * Returns: true when they were printed: the command prints no text then
 */
bool ctx_facts(const struct ctx *ctx, const char *schema, json_t *facts);

/* Facts that may be too many for memory: one at a time. */
struct ctx_list {
	const struct ctx *ctx;
	const char *schema;
	const char *name; /* of the array */
	size_t n;         /* printed so far */
	int err;          /* the first failure of ctx_list_add() */
};

/**
 * ctx_list_add(): print one more fact as JSON; the first one opens the object.
 *
 * In:      list     ctx, schema and name are set, the rest is 0; --json was
 *                   given
 *          fact     its reference is taken; NULL: out of memory
 */
void ctx_list_add(struct ctx_list *list, json_t *fact);

/**
 * ctx_list_end(): close the object, with an `error` in it where something
 * failed after it was opened; without --json only report what failed.
 *
 * In:      err      of the caller, 0: none
 *          what     as ctx_fail_err()
 * Returns: EXIT_DONE, or EXIT_FAILED with the error printed
 */
MUSTER_NODISCARD int
ctx_list_end(struct ctx_list *list, int err, const char *what);

/**
 * ctx_u32(): a number given as an option.
 *
 * In:      fallback used when the option is not there
 * Returns: EXIT_DONE, or EXIT_USAGE with the error printed
 */
MUSTER_NODISCARD int ctx_u32(const struct ctx *ctx, enum opt opt, uint32_t min,
    uint32_t max, uint32_t fallback, uint32_t *out);

/**
 * ctx_number(): a number given as an operand.
 *
 * In:      what     what it is, for the message
 * Returns: EXIT_DONE, or EXIT_USAGE with the error printed
 */
MUSTER_NODISCARD int ctx_number(const struct ctx *ctx, int operand,
    const char *what, uint32_t min, uint32_t max, uint32_t *out);

/**
 * ctx_text(): is a text given as an option one that can be kept and shown?
 *
 * UTF-8 without control characters, which would forge lines of a list.
 *
 * In:      min, max bytes; an option that is not given has 0
 * Returns: EXIT_DONE, or EXIT_USAGE with the error printed
 */
MUSTER_NODISCARD int
ctx_text(const struct ctx *ctx, enum opt opt, size_t min, size_t max);

/**
 * ctx_day(): a day given as an option, as YYYY-MM-DD.
 *
 * In:      fallback used when the option is not there
 * Out:     day_out  days since 1970, 1 to 65535
 * Returns: EXIT_DONE, or EXIT_USAGE with the error printed
 */
MUSTER_NODISCARD int ctx_day(const struct ctx *ctx, enum opt opt,
    uint32_t fallback, uint32_t *day_out);

/**
 * ctx_confirmed(): is --yes there?
 *
 * Returns: EXIT_DONE, or EXIT_USAGE with the error printed
 */
MUSTER_NODISCARD int ctx_confirmed(const struct ctx *ctx);

/**
 * ctx_path(): a file in the authority's folder.
 *
 * Returns: 0; MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int
ctx_path(const char *dir, const char *name, char *out, size_t cap);

/**
 * ctx_option_name(): long name of an option, without dashes.
 *
 * Returns: static text
 */
const char *ctx_option_name(enum opt opt);

#endif /* MUSTER_AUTHORITY_CTX_H */
