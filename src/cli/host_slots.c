/* SPDX-License-Identifier: MIT */
/*
 * host_slots.c -- muster host slots and release: what the host key is used
 * for, at the authority.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/authority.h"
#include "cli/client.h"
#include "cli/http.h"

#define PATH_MAX_SLOT 32

/* Options that both commands have. */
struct where {
	const char *publisher, *url, *ca;
};

/* Is it the answer to a list (slot 0), or to the release of that slot? */
static bool
says_it(const json_t *reply, long slot)
{
	if (slot == 0)
		return json_is_array(json_object_get(reply, "slots"));
	return json_is_true(json_object_get(reply, "released")) &&
	    authority_number(reply, "slot") == slot;
}

/* Have musterd prove a question, and carry it. */
static int
ask(const struct cli *c, const struct where *w, long slot, long activation,
    json_t **reply_out)
{
	char path[PATH_MAX_SLOT] = "/v1/hosts";
	json_t *body = json_object(), *proof = NULL, *problem = NULL;
	struct authority a = {.ca = w->ca};
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
	a.url = authority_url(w->url, proof);
	exit_code = authority_call(c, &a, slot == 0 ? "GET" : "DELETE", path,
	    NULL, reply_out, &problem);
	json_decref(proof);
	if (problem != NULL)
		return authority_report(c, problem);
	if (exit_code == CLI_DONE && !says_it(*reply_out, slot)) {
		exit_code = authority_bad_answer(c, *reply_out);
		*reply_out = NULL;
	}
	return exit_code;
}

static void
show(const json_t *reply)
{
	(void)printf("host key %" PRId64 "%s: %" PRId64 " of %" PRId64
	             " hosts, %" PRId64 " of %" PRId64 " releases used\n",
	    authority_number(reply, "key"),
	    json_is_true(json_object_get(reply, "revoked")) ? " (revoked)" : "",
	    authority_number(reply, "hosts_used"),
	    authority_number(reply, "hosts"),
	    authority_number(reply, "releases_used"),
	    authority_number(reply, "releases"));
	authority_show_slots(stdout, reply);
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
		return cli_facts("muster.host.slots/1", reply);
	show(reply);
	json_decref(reply);
	return CLI_DONE;
}

/* The activation that holds the slot now: a release names it, so that it does
 * nothing once the slot has changed hands. */
static int
find(const struct cli *c, const struct where *w, long slot,
    long *activation_out, char *name_out)
{
	json_t *reply, *item, *found = NULL;
	char state[AUTHORITY_WORD_MAX] = "";
	size_t i;
	int exit_code = ask(c, w, 0, 0, &reply);

	if (exit_code != CLI_DONE)
		return exit_code;
	json_array_foreach(json_object_get(reply, "slots"), i, item)
	{
		if (authority_number(item, "slot") == slot)
			found = item;
	}
	if (found != NULL) {
		(void)authority_word(found, "state", "", state);
		(void)authority_word(found, "name", "without a name", name_out);
		*activation_out = (long)authority_number(found, "activation");
	}
	json_decref(reply);
	if (strcmp(state, "held") == 0)
		return CLI_DONE;
	if (strcmp(state, "released") == 0)
		return cli_errorf(c, CLI_FAILED, "slot_not_held",
		    "nothing is left to do: it is free with the publisher's "
		    "next catalogue",
		    "slot %ld is released already", slot);
	return cli_errorf(c, CLI_FAILED, "slot_not_held",
	    "muster host slots lists those that are",
	    "no host holds slot %ld of this key", slot);
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
	char name[AUTHORITY_WORD_MAX] = "", after[AUTHORITY_WORD_MAX], *end;
	char what[AUTHORITY_WORD_MAX + 128];
	long slot, activation = 0;
	json_t *reply;
	int exit_code;

	if (!cli_parse(c, argc, argv, options, 1, 1, &exit_code))
		return exit_code;
	slot = strtol(c->arg[0], &end, 10);
	if (*end != '\0' || slot < 1 || slot > 255)
		return cli_errorf(c, CLI_USAGE, "range",
		    "muster host slots lists them", "a slot is 1 to 255");
	exit_code = find(c, &w, slot, &activation, name);
	if (exit_code != CLI_DONE)
		return exit_code;
	(void)snprintf(what, sizeof(what),
	    "This gives up slot %ld: the host %s there ends as a KMS host.",
	    slot, name);
	exit_code = client_ask(c, what, is_yes);
	if (exit_code != CLI_DONE)
		return exit_code;
	exit_code = ask(c, &w, slot, activation, &reply);
	if (exit_code != CLI_DONE)
		return exit_code;
	if (c->is_json)
		return cli_facts("muster.host.release/1", reply);
	(void)printf("slot %ld is released, and free again with %s; %" PRId64
	             " of %" PRId64 " releases used\n",
	    slot,
	    authority_word(reply, "free_after", "the next catalogue", after),
	    authority_number(reply, "releases_used"),
	    authority_number(reply, "releases"));
	json_decref(reply);
	return CLI_DONE;
}
