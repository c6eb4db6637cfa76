/* SPDX-License-Identifier: MIT */
/*
 * host_slots.c -- muster host slots and release: what the host key is used
 * for, at the authority.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/authority.h"
#include "cli/cli.h"
#include "cli/http.h"

#define PATH_MAX_SLOT 32

/* Options that both commands have. */
struct where {
	const char *publisher, *url, *ca;
};

/* Have musterd prove a question, and carry it. */
static int
ask(const struct cli *c, const struct where *w, long slot, long activation,
    json_t **reply_out)
{
	char path[PATH_MAX_SLOT] = "/v1/hosts";
	json_t *body = json_object(), *proof = NULL, *problem = NULL;
	struct authority a = {.url = w->url, .ca = w->ca};
	const char *url;
	int exit_code;

	*reply_out = NULL;
	if (w->publisher != NULL)
		(void)json_object_set_new(body, "publisher",
		    json_string(w->publisher));
	if (slot != 0) {
		(void)json_object_set_new(body, "slot", json_integer(slot));
		(void)json_object_set_new(body, "activation",
		    json_integer(activation));
		(void)snprintf(path, sizeof(path), "/v1/hosts/%ld", slot);
	}
	exit_code = http_call(c, "/v1/slots-ask", body, &proof);
	if (exit_code != CLI_DONE)
		return exit_code;
	a.ask = json_string_value(json_object_get(proof, "ask"));
	url = json_string_value(json_object_get(proof, "url"));
	if (a.url == NULL)
		a.url = url != NULL ? url : "";
	exit_code = authority_call(c, &a, slot == 0 ? "GET" : "DELETE", path,
	    NULL, reply_out, &problem);
	json_decref(proof);
	return problem != NULL ? authority_report(c, problem) : exit_code;
}

static int64_t
number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static const char *
text(const json_t *object, const char *name)
{
	const char *s = json_string_value(json_object_get(object, name));

	return s != NULL ? s : "-";
}

static void
show(const json_t *reply)
{
	const json_t *list = json_object_get(reply, "slots"), *item;
	size_t i;

	(void)printf("host key %" PRId64 "%s: %" PRId64 " of %" PRId64
	             " hosts, %" PRId64 " of %" PRId64 " releases used\n",
	    number(reply, "key"),
	    json_is_true(json_object_get(reply, "revoked")) ? " (revoked)" : "",
	    number(reply, "hosts_used"), number(reply, "hosts"),
	    number(reply, "releases_used"), number(reply, "releases"));
	json_array_foreach(list, i, item)
	{
		(void)printf("  slot %3" PRId64 "  %-8.16s  %-10.10s  %" PRId64
		             " reactivations  %.64s\n",
		    number(item, "slot"), text(item, "state"),
		    text(item, "activated_day"),
		    number(item, "reactivations_used"), text(item, "name"));
	}
}

int
cmd_host_slots(struct cli *c, int argc, char **argv)
{
	struct where w = {0};
	const struct cli_option options[] = {{"publisher", NULL, &w.publisher,
	                                         NULL},
	    {"authority", NULL, &w.url, NULL}, {"ca", NULL, &w.ca, NULL},
	    {NULL, NULL, NULL, NULL}};
	json_t *reply;
	int exit_code;

	if (!cli_parse(c, argc, argv, options, 0, 0, &exit_code))
		return exit_code;
	exit_code = ask(c, &w, 0, 0, &reply);
	if (exit_code != CLI_DONE)
		return exit_code;
	if (c->is_json)
		return cli_print(reply);
	show(reply);
	json_decref(reply);
	return CLI_DONE;
}

/* The activation that holds the slot now: a release names it, so that it does
 * nothing once the slot has changed hands. */
static int
find(const struct cli *c, const struct where *w, long slot,
    long *activation_out, char *name_out, size_t cap)
{
	json_t *reply, *item;
	size_t i;
	int exit_code = ask(c, w, 0, 0, &reply);

	if (exit_code != CLI_DONE)
		return exit_code;
	*activation_out = 0;
	json_array_foreach(json_object_get(reply, "slots"), i, item)
	{
		if (number(item, "slot") != slot ||
		    strcmp(text(item, "state"), "held") != 0)
			continue;
		*activation_out = (long)number(item, "activation");
		(void)snprintf(name_out, cap, "%s", text(item, "name"));
	}
	json_decref(reply);
	if (*activation_out == 0)
		return cli_errorf(c, CLI_FAILED, "slot_not_held",
		    "muster host slots lists those that are",
		    "no host holds slot %ld of this key", slot);
	return CLI_DONE;
}

static bool
is_confirmed(long slot, const char *name)
{
	char line[16] = "";

	if (!isatty(STDIN_FILENO))
		return false;
	(void)fprintf(stderr,
	    "The host %.64s in slot %ld ends as a KMS host. Release it? [y/N] ",
	    name, slot);
	return fgets(line, sizeof(line), stdin) != NULL &&
	    (line[0] == 'y' || line[0] == 'Y');
}

int
cmd_host_release(struct cli *c, int argc, char **argv)
{
	struct where w = {0};
	bool is_yes = false;
	const struct cli_option options[] = {{"publisher", NULL, &w.publisher,
	                                         NULL},
	    {"authority", NULL, &w.url, NULL}, {"ca", NULL, &w.ca, NULL},
	    {"yes", &is_yes, NULL, NULL}, {NULL, NULL, NULL, NULL}};
	char name[64] = "", *end;
	long slot, activation = 0;
	json_t *reply;
	int exit_code;

	if (!cli_parse(c, argc, argv, options, 1, 1, &exit_code))
		return exit_code;
	slot = strtol(c->arg[0], &end, 10);
	if (*end != '\0' || slot < 1 || slot > 255)
		return cli_errorf(c, CLI_USAGE, "range",
		    "muster host slots lists them", "a slot is 1 to 255");
	exit_code = find(c, &w, slot, &activation, name, sizeof(name));
	if (exit_code != CLI_DONE)
		return exit_code;
	if (!is_yes && !is_confirmed(slot, name))
		return cli_errorf(c, CLI_USAGE, "not_confirmed",
		    "add --yes to release it", "nothing was released");
	exit_code = ask(c, &w, slot, activation, &reply);
	if (exit_code != CLI_DONE)
		return exit_code;
	if (c->is_json)
		return cli_print(reply);
	(void)printf("slot %ld is released, and free again with %s; %" PRId64
	             " of %" PRId64 " releases used\n",
	    slot, text(reply, "free_after"), number(reply, "releases_used"),
	    number(reply, "releases"));
	json_decref(reply);
	return CLI_DONE;
}
