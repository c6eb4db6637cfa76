/* SPDX-License-Identifier: MIT */
/*
 * ctx.c -- reports and numbers.
 */
#include "authority/ctx.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "authority/db.h"
#include "base/errcode.h"
#include "base/text.h"

#define MESSAGE_MAX 1024
#define REFUSED_MAX 64

/* A message may have what was typed in it, which no JSON holds nor a terminal
 * should see. */
static void
make_plain(char *message)
{
	if (text_is_utf8((const uint8_t *)message, strlen(message)))
		return;
	for (char *p = message; *p != '\0'; p++) {
		if (!text_is_line((const uint8_t *)p, 1))
			*p = '?';
	}
}

static json_t *
error_of(const char *code, const char *message, const char *next)
{
	return json_pack("{s:s,s:s,s:s}", "code", code, "message", message,
	    "next_step", next);
}

int
ctx_fail(const struct ctx *ctx, int exit, const char *code, const char *next,
    const char *format, ...)
{
	char message[MESSAGE_MAX];
	json_t *error;
	va_list ap;

	/* whoever reads it must learn what to do now */
	assert(next != NULL && next[0] != '\0');

	va_start(ap, format);
	(void)vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	make_plain(message);
	if (ctx->value[OPT_JSON] != NULL) {
		error =
		    json_pack("{s:o}", "error", error_of(code, message, next));
		if (error != NULL)
			(void)json_dumpf(error, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(error);
	} else {
		(void)fprintf(stderr, "muster-authority: %s\n", message);
		(void)fprintf(stderr, "  next: %s\n", next);
	}
	return exit;
}

static const char *
next_of(int err)
{
	switch (err) {
	case MUSTER_E_NOMEM:
		return "free memory on this machine, or use one that has more";
	case MUSTER_E_NOENT:
		return "check the path";
	case MUSTER_E_DENIED:
		return "run as the owner of the file and its folder";
	case MUSTER_E_EXIST:
		return "choose another path, or move the old one away";
	case MUSTER_E_AGAIN:
	case MUSTER_E_LOCKED:
		return "try again; nothing was changed";
	case MUSTER_E_UNSURE:
		return "see to the disk (journalctl -k), and look whether it "
		       "was done before you try again";
	case MUSTER_E_SCHEMA:
		return "use the version of muster-authority that wrote it";
	case MUSTER_E_FULL:
		return "make room and try again";
	case MUSTER_E_PUBLISHER:
		return "use the file of this publisher";
	case MUSTER_E_DAMAGED:
		return "restore the latest backup";
	default:
		return "check the file, or get it again from its source";
	}
}

int
ctx_fail_err(const struct ctx *ctx, int err, const char *what)
{
	char code[ERRCODE_MAX], why[REFUSED_MAX];

	errcode(err, code);
	if (err == MUSTER_E_SCHEMA && what == ctx->dir) {
		db_refused(ctx->dir, why, sizeof(why));
		return ctx_fail(ctx, EXIT_FAILED, code, next_of(err),
		    "%s/" DB_FILE ": %s: %s", what, muster_strerror(err), why);
	}
	return ctx_fail(ctx, EXIT_FAILED, code, next_of(err), "%s: %s", what,
	    muster_strerror(err));
}

bool
ctx_facts(const struct ctx *ctx, const char *schema, json_t *facts)
{
	bool is_json = ctx->value[OPT_JSON] != NULL;

	if (is_json && facts != NULL) {
		(void)json_object_set_new(facts, "schema", json_string(schema));
		(void)json_dumpf(facts, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(facts);
	return is_json;
}

/* The object, up to its first fact. */
static void
open_list(const struct ctx_list *list)
{
	(void)printf("{\n\"schema\": \"%s\",\n\"%s\": [", list->schema,
	    list->name);
}

void
ctx_list_add(struct ctx_list *list, json_t *fact)
{
	if (fact == NULL) {
		list->err = list->err == 0 ? MUSTER_E_NOMEM : list->err;
		return;
	}
	if (list->n == 0)
		open_list(list);
	(void)printf("%s", list->n == 0 ? "\n" : ",\n");
	(void)json_dumpf(fact, stdout, 0);
	list->n++;
	json_decref(fact);
}

int
ctx_list_end(struct ctx_list *list, int err, const char *what)
{
	char code[ERRCODE_MAX], message[MESSAGE_MAX];
	json_t *error;

	if (err == 0)
		err = list->err;
	if (err != 0 && list->n == 0)
		return ctx_fail_err(list->ctx, err, what);
	if (list->ctx->value[OPT_JSON] == NULL)
		return err == 0 ? EXIT_DONE
		                : ctx_fail_err(list->ctx, err, what);
	if (list->n == 0)
		open_list(list);
	(void)printf("\n]");
	if (err != 0) {
		errcode(err, code);
		(void)snprintf(message, sizeof(message), "%s: %s", what,
		    muster_strerror(err));
		error = error_of(code, message, next_of(err));
		(void)printf(",\n\"error\": ");
		(void)json_dumpf(error, stdout, 0);
		json_decref(error);
	}
	(void)printf("\n}\n");
	return err == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int
parse_u32(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long long v;

	if (digits == 0 || digits > TEXT_NUMBER_MAX || text[digits] != '\0')
		return MUSTER_E_PROTO;
	v = strtoull(text, NULL, 10);
	if (v < min || v > max)
		return MUSTER_E_RANGE;
	*out = (uint32_t)v;
	return 0;
}

int
ctx_u32(const struct ctx *ctx, enum opt opt, uint32_t min, uint32_t max,
    uint32_t fallback, uint32_t *out)
{
	const char *text = ctx->value[opt];

	if (text == NULL) {
		*out = fallback;
		return EXIT_DONE;
	}
	if (parse_u32(text, min, max, out) != 0)
		return ctx_fail(ctx, EXIT_USAGE, "bad_number",
		    "give a number in this range",
		    "--%s must be a number from %u to %u, not \"%s\"",
		    ctx_option_name(opt), min, max, text);
	return EXIT_DONE;
}

int
ctx_number(const struct ctx *ctx, int operand, const char *what, uint32_t min,
    uint32_t max, uint32_t *out)
{
	const char *text = ctx->operands[operand];

	if (parse_u32(text, min, max, out) != 0)
		return ctx_fail(ctx, EXIT_USAGE, "bad_number",
		    "give a number in this range",
		    "%s must be a number from %u to %u, not \"%s\"", what, min,
		    max, text);
	return EXIT_DONE;
}

/* The byte, from 1, at which a control character begins; 0: none does. */
static size_t
control_at(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool is_c1 = p[i] == 0xc2 && i + 1 < len && p[i + 1] >= 0x80 &&
		    p[i + 1] < 0xa0;

		if (p[i] < 0x20 || p[i] == 0x7f || is_c1)
			return i + 1;
	}
	return 0;
}

int
ctx_text(const struct ctx *ctx, enum opt opt, size_t min, size_t max)
{
	const char *text = ctx->value[opt] == NULL ? "" : ctx->value[opt];
	const char *name = ctx_option_name(opt);
	size_t len = strlen(text), at;

	if (len < min || len > max)
		return ctx_fail(ctx, EXIT_USAGE, "bad_text",
		    "give a text of this length",
		    "--%s must have %zu to %zu bytes, not %zu", name, min, max,
		    len);
	if (text_is_utf8((const uint8_t *)text, len))
		return EXIT_DONE;
	at = control_at((const uint8_t *)text, len);
	if (at != 0)
		return ctx_fail(ctx, EXIT_USAGE, "bad_text",
		    "give it on one line, without tabs and escape sequences",
		    "--%s has a control character at byte %zu", name, at);
	return ctx_fail(ctx, EXIT_USAGE, "bad_text",
	    "use a terminal and a locale of UTF-8 (locale charmap)",
	    "--%s is not UTF-8", name);
}

int
ctx_day(const struct ctx *ctx, enum opt opt, uint32_t fallback,
    uint32_t *day_out)
{
	const char *text = ctx->value[opt];
	struct tm tm = {0};
	const char *end;
	int64_t day;

	*day_out = fallback;
	if (text == NULL)
		return EXIT_DONE;
	end = strptime(text, "%Y-%m-%d", &tm);
	day = end == NULL || *end != '\0' ? -1 : timegm(&tm) / S_PER_DAY;
	if (day < 1 || day > UINT16_MAX)
		return ctx_fail(ctx, EXIT_USAGE, "bad_date",
		    "give the day as 2031-05-17",
		    "--%s must be a date as YYYY-MM-DD, not \"%s\"",
		    ctx_option_name(opt), text);
	*day_out = (uint32_t)day;
	return EXIT_DONE;
}

int
ctx_confirmed(const struct ctx *ctx)
{
	if (ctx->value[OPT_YES] == NULL)
		return ctx_fail(ctx, EXIT_USAGE, "not_confirmed",
		    "give --yes if you mean it",
		    "this cannot be undone once a catalogue is signed");
	return EXIT_DONE;
}

int
ctx_path(const char *dir, const char *name, char *out, size_t cap)
{
	int n = snprintf(out, cap, "%s/%s", dir, name);

	return n < 0 || (size_t)n >= cap ? MUSTER_E_TOOBIG : 0;
}
