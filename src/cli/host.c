/* SPDX-License-Identifier: MIT */
/*
 * host.c -- muster host: everything goes through musterd's socket.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hex.h"
#include "cli/cli.h"
#include "cli/host_show.h"
#include "cli/http.h"
#include "trust/cert.h"
#include "trust/enrol.h"

/* Show a reply and give it up. */
static int
finish(const struct cli *c, int exit_code, json_t *reply, const char *done)
{
	if (exit_code != CLI_DONE)
		return exit_code;
	if (c->is_json)
		return cli_print(reply);
	(void)printf("%s\n", done);
	json_decref(reply);
	return CLI_DONE;
}

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

int
cmd_host_clients(struct cli *c, int argc, char **argv)
{
	return get(c, argc, argv, "/v1/clients", host_show_clients, NULL);
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
	return finish(c, exit_code, reply, "host key removed");
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

/* The request of a reply into a file. */
static int
write_request(const struct cli *c, const json_t *reply, const char *path)
{
	const char *hex = json_string_value(json_object_get(reply, "request"));
	uint8_t buf[ENROL_MAX];
	size_t len = hex != NULL ? strlen(hex) / 2 : 0;
	int err = MUSTER_E_PROTO;

	if (len > 0 && len <= sizeof(buf))
		err = hex_decode(hex, strlen(hex), buf, len);
	if (err == 0)
		err = file_replace(path, buf, len, 0644);
	return err == 0 ? CLI_DONE : cli_fail(c, err, path, NULL);
}

int
cmd_host_activate(struct cli *c, int argc, char **argv)
{
	const struct cli_error how = {"usage",
	    "host activate needs --offline and --file F",
	    "the file goes to the publisher's operator"};
	const char *publisher = NULL, *file = NULL, *replaces = NULL;
	bool offline = false;
	const struct cli_option options[] = {{"offline", &offline, NULL, NULL},
	    {"file", NULL, &file, NULL}, {"publisher", NULL, &publisher, NULL},
	    {"replaces", NULL, &replaces, NULL}, {NULL, NULL, NULL, NULL}};
	json_t *reply = NULL, *body;
	long slot = 0;
	int exit_code;

	if (!cli_parse(c, argc, argv, options, 0, 0, &exit_code))
		return exit_code;
	if (!offline || file == NULL)
		return cli_error(c, CLI_USAGE, &how);
	if (replaces != NULL && parse_slot(replaces, &slot) != 0) {
		(void)cli_fail(c, MUSTER_E_RANGE, "--replaces",
		    "a slot is 1 to 255");
		return CLI_USAGE;
	}
	body = with_publisher(publisher);
	if (slot != 0)
		(void)json_object_set_new(body, "replaces", json_integer(slot));
	exit_code = http_call(c, "/v1/enrolment", body, &reply);
	if (exit_code == CLI_DONE) {
		exit_code = write_request(c, reply, file);
		if (exit_code != CLI_DONE)
			json_decref(reply);
	}
	return finish(c, exit_code, reply,
	    "request written; the certificate that comes back goes to "
	    "`muster host confirm --file F`");
}

int
cmd_host_confirm(struct cli *c, int argc, char **argv)
{
	const struct cli_error how = {"usage", "host confirm needs --file F",
	    "the file that the publisher's operator sent back"};
	const char *file = NULL;
	const struct cli_option options[] = {{"file", NULL, &file, NULL},
	    {NULL, NULL, NULL, NULL}};
	char hex[2 * CERT_LEN + 1];
	uint8_t buf[CERT_LEN + 1];
	json_t *reply = NULL;
	size_t len = 0;
	int exit_code, err;

	if (!cli_parse(c, argc, argv, options, 0, 0, &exit_code))
		return exit_code;
	if (file == NULL)
		return cli_error(c, CLI_USAGE, &how);
	err = cli_read(file, buf, sizeof(buf), &len);
	if (err == 0 && len != CERT_LEN)
		err = MUSTER_E_PROTO;
	if (err != 0)
		return cli_fail_file(c, err, file,
		    "hand over the certificate as it came; it has 120 bytes");
	hex_encode(buf, len, hex);
	exit_code = http_call(c, "/v1/certificate",
	    json_pack("{s:s}", "certificate", hex), &reply);
	return finish(c, exit_code, reply, "the host is activated");
}
