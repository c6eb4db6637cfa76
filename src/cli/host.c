/* SPDX-License-Identifier: MIT */
/*
 * host.c -- muster host: everything goes through musterd's socket.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/host_offline.h"
#include "cli/host_online.h"
#include "cli/host_show.h"
#include "cli/http.h"

/* 3, as of every status command, unless each publisher is activated. */
static int
judge_status(const json_t *status)
{
	const json_t *list = json_object_get(status, "publishers"), *item;
	size_t i, n_activated = 0;

	json_array_foreach(list, i, item)
	{
		n_activated += json_is_true(json_object_get(item, "activated"));
	}
	return n_activated > 0 && n_activated == json_array_size(list)
	    ? CLI_DONE
	    : CLI_NOT_ACTIVATED;
}

/* Facts that musterd tells, as JSON or by a view for people; judge gives the
 * exit code of what was told, NULL: done. */
static int
get(struct cli *c, int argc, char **argv, const char *path,
    void (*view)(const json_t *), int (*judge)(const json_t *))
{
	json_t *reply = NULL;
	int exit_code, verdict;

	if (!cli_parse(c, argc, argv, NULL, 0, 0, &exit_code))
		return exit_code;
	exit_code = http_call(c, path, NULL, &reply);
	if (exit_code != CLI_DONE)
		return exit_code;
	verdict = judge == NULL ? CLI_DONE : judge(reply);
	if (c->is_json)
		return cli_print(reply) == CLI_DONE ? verdict : CLI_FAILED;
	view(reply);
	json_decref(reply);
	return verdict;
}

int
cmd_host_status(struct cli *c, int argc, char **argv)
{
	return get(c, argc, argv, "/v1/status", host_show_status, judge_status);
}

static json_t *
with_publisher(const char *publisher)
{
	json_t *body = json_object();

	if (publisher != NULL)
		(void)json_object_set_new(body, "publisher",
		    json_string(publisher));
	return body;
}

int
cmd_host_remove_key(struct cli *c, int argc, char **argv)
{
	const char *publisher = NULL;
	const struct cli_option options[] = {{"publisher", NULL, &publisher,
	                                         NULL},
	    {NULL, NULL, NULL, NULL}};
	json_t *reply = NULL;
	int exit_code;

	if (!cli_parse(c, argc, argv, options, 0, 0, &exit_code))
		return exit_code;
	exit_code =
	    http_call(c, "/v1/remove-key", with_publisher(publisher), &reply);
	if (exit_code != CLI_DONE)
		return exit_code;
	if (c->is_json)
		return cli_facts("muster.host.remove-key/1", reply);
	(void)printf("host key removed\n");
	json_decref(reply);
	return CLI_DONE;
}

static int
parse_slot(const char *text, long *slot_out)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end != '\0' || n < 1 || n > 255)
		return MUSTER_E_RANGE;
	*slot_out = n;
	return 0;
}

int
cmd_host_activate(struct cli *c, int argc, char **argv)
{
	const struct cli_error usage = {"usage",
	    "host activate needs --online or --offline",
	    "--offline takes --qr or --file F, or nothing for the telephone"};
	const char *publisher = NULL, *replaces = NULL;
	struct host_offline how = {0};
	struct host_online online = {0};
	bool is_offline = false, is_online = false;
	const struct cli_option options[] = {{"offline", &is_offline, NULL,
	                                         NULL},
	    {"online", &is_online, NULL, NULL},
	    {"authority", NULL, &online.url, NULL},
	    {"ca", NULL, &online.ca, NULL}, {"qr", &how.is_qr, NULL, NULL},
	    {"file", NULL, &how.file, NULL},
	    {"publisher", NULL, &publisher, NULL},
	    {"replaces", NULL, &replaces, NULL}, {NULL, NULL, NULL, NULL}};
	json_t *reply = NULL, *body;
	int exit_code;

	if (!cli_parse(c, argc, argv, options, 0, 0, &exit_code))
		return exit_code;
	if (is_offline == is_online ||
	    (is_online && (how.is_qr || how.file != NULL)) ||
	    (is_offline && (online.url != NULL || online.ca != NULL)))
		return cli_error(c, CLI_USAGE, &usage);
	if (replaces != NULL && parse_slot(replaces, &how.replaces) != 0) {
		(void)cli_fail(c, MUSTER_E_RANGE, "--replaces",
		    "a slot is 1 to 255");
		return CLI_USAGE;
	}
	body = with_publisher(publisher);
	if (how.replaces != 0)
		(void)json_object_set_new(body, "replaces",
		    json_integer(how.replaces));
	if (is_online) {
		online.what = body;
		exit_code = host_online(c, &online);
		json_decref(body);
		return exit_code;
	}
	exit_code = http_call(c, "/v1/enrolment", body, &reply);
	return exit_code == CLI_DONE ? host_offline(c, &how, reply) : exit_code;
}
