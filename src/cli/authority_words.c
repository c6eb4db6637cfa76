/* SPDX-License-Identifier: MIT */
/*
 * authority_words.c -- what an authority said, as people and scripts read it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/authority.h"

#define CODE_MAX 40
#define NEXT_MAX (AUTHORITY_WORD_MAX + 256)

/* What to do on this host; an authority's own advice is for other codes. */
static const struct {
	const char *code, *next;
} steps[] = {
    {"not_found", "check the URL: that of the authority, without a path"},
    {"publisher", "check the URL: another publisher's authority answers there"},
    {"key_unknown",
        "the key, or the publisher that it was installed for, may be wrong: "
        "install it again (muster host install-key [--publisher NAME])"},
    {"key_revoked", "ask the publisher for another host key, and install it"},
    {"hosts_used_up",
        "take over one of these slots (--replaces SLOT), release one (muster "
        "host release SLOT), or ask the publisher for more hosts"},
    {"reactivations_used_up", "ask the publisher for more reactivations"},
    {"releases_used_up", "ask the publisher for more releases"},
    {"counter_old",
        "the state of this host is far behind, or a copy of it is in use "
        "elsewhere: run the same command again, or activate as a replacement "
        "(--replaces SLOT)"},
    {"slot_not_held", "muster host slots lists the slots that are held"},
    {"slot_closed", "take another slot, or ask the publisher"},
    {"host_revoked",
        "the publisher ended this host: ask the publisher; a host of another "
        "machine can take its place (--replaces SLOT)"},
    {"slot_revoked", "take another slot, or ask the publisher"},
    {"clock", "set this machine's clock; if it is right, tell the publisher"},
    {"rate_limited", "wait a minute, then run the same command again"},
    {"busy", "wait a minute, then run the same command again"},
};

const char *
authority_word(const json_t *object, const char *name, const char *fallback,
    char *out)
{
	const json_t *value = json_object_get(object, name);
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	if (text == NULL || len == 0 || len >= AUTHORITY_WORD_MAX ||
	    !text_is_utf8((const uint8_t *)text, len))
		text = fallback;
	(void)snprintf(out, AUTHORITY_WORD_MAX, "%s", text);
	return out;
}

const char *
authority_url(const char *given, const json_t *reply)
{
	const char *url = json_string_value(json_object_get(reply, "url"));

	if (given != NULL)
		return given;
	return url != NULL ? url : "";
}

int64_t
authority_number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

bool
authority_problem_is(const json_t *problem, const char *code)
{
	const char *text = json_string_value(json_object_get(problem, "code"));

	return text != NULL && strcmp(text, code) == 0;
}

void
authority_show_slots(FILE *to, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "slots"), *item;
	char state[AUTHORITY_WORD_MAX], day[AUTHORITY_WORD_MAX];
	char name[AUTHORITY_WORD_MAX];
	size_t i;

	json_array_foreach(list, i, item)
	{
		(void)fprintf(to,
		    "  slot %3" PRId64 "  %-8s  %-10s  %" PRId64
		    " reactivations  %s\n",
		    authority_number(item, "slot"),
		    authority_word(item, "state", "-", state),
		    authority_word(item, "activated_day", "-", day),
		    authority_number(item, "reactivations_used"),
		    authority_word(item, "name", "-", name));
	}
}

/* A code is for scripts: none that could be mistaken for words. */
static const char *
code_of(const json_t *problem)
{
	const char *code = json_string_value(json_object_get(problem, "code"));
	size_t len = code == NULL ? 0 : strlen(code);

	if (len == 0 || len > CODE_MAX ||
	    strspn(code, "abcdefghijklmnopqrstuvwxyz_") != len)
		return "refused";
	return code;
}

static void
next_of(const json_t *problem, const char *code, char *out)
{
	char word[AUTHORITY_WORD_MAX], contact[AUTHORITY_WORD_MAX];
	const char *next = NULL;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (strcmp(steps[i].code, code) == 0)
			next = steps[i].next;
	}
	if (next == NULL)
		next = authority_word(problem, "next_step", "ask the publisher",
		    word);
	(void)authority_word(problem, "contact", "", contact);
	(void)snprintf(out, NEXT_MAX, "%s%s%s", next,
	    contact[0] != '\0' ? "; its contact: " : "", contact);
}

/* How far apart, and which of the two is ahead. */
static void
add_clocks(const json_t *problem, char *detail)
{
	size_t len = strlen(detail);
	const json_t *theirs = json_object_get(problem, "unix_s");
	int64_t apart_s = 0, min;

	if (!json_is_integer(theirs) || json_integer_value(theirs) < 0)
		return;
	apart_s = clock_unix_s() - json_integer_value(theirs);
	min = (apart_s < 0 ? -apart_s : apart_s) / 60;
	(void)snprintf(detail + len, AUTHORITY_WORD_MAX - len,
	    "; this machine's clock is %" PRId64 " h %" PRId64 " min %s it",
	    min / 60, min % 60, apart_s < 0 ? "behind" : "ahead of");
}

int
authority_report(const struct cli *c, json_t *problem)
{
	char detail[AUTHORITY_WORD_MAX], next[NEXT_MAX];
	const struct cli_error e = {code_of(problem),
	    authority_word(problem, "detail", "the authority refused", detail),
	    next};

	if (strcmp(e.code, "clock") == 0)
		add_clocks(problem, detail);
	next_of(problem, e.code, next);
	if (c->is_json) {
		(void)cli_print(json_pack("{s:{s:s,s:s,s:s},s:O}", "error",
		    "code", e.code, "message", e.message, "next_step",
		    e.next_step, "problem", problem));
	} else {
		(void)cli_error(c, CLI_FAILED, &e);
		authority_show_slots(stderr, problem);
	}
	json_decref(problem);
	return CLI_FAILED;
}

int
authority_bad_answer(const struct cli *c, json_t *answer)
{
	json_decref(answer);
	return cli_errorf(c, CLI_FAILED, "bad_answer",
	    "check the URL, and what is between this machine and it",
	    "what answers there does not say what an authority says");
}
