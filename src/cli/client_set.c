/* SPDX-License-Identifier: MIT */
/*
 * client_set.c -- where the agent looks for hosts.
 */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "client/exchange.h"
#include "client/settings.h"

static int
usage(const struct cli *c, const char *message, const char *next_step)
{
	const struct cli_error e = {"usage", message, next_step};

	return cli_error(c, CLI_USAGE, &e);
}

static void
show(const struct agent_settings *s)
{
	(void)printf("hosts    ");
	for (uint32_t i = 0; i < s->n_hosts; i++)
		(void)printf("%s%s", i == 0 ? "" : ", ", s->host[i]);
	(void)printf("%s\n", s->n_hosts == 0 ? "by DNS" : "");
	(void)printf("domain   %s\n",
	    s->domain[0] != '\0' ? s->domain : "the machine's own");
	(void)printf("caching  %s\n", s->is_caching ? "on" : "off");
}

/* Change them, then show what is in force. */
static int
set(const struct cli *c, const struct agent_request *req)
{
	const struct agent_request ask = {.op = AGENT_SETTINGS};
	struct agent_reply reply;
	json_t *object;
	int exit_code;

	exit_code = client_call(c, req, &reply);
	if (exit_code == CLI_DONE)
		exit_code = client_call(c, &ask, &reply);
	if (exit_code != CLI_DONE)
		return exit_code;
	if (!c->is_json) {
		show(&reply.settings);
		return CLI_DONE;
	}
	object = client_settings_json(&reply.settings);
	(void)json_object_set_new(object, "schema",
	    json_string("muster.settings/1"));
	return cli_print(object);
}

int
cmd_set_host(struct cli *c, int argc, char **argv)
{
	struct agent_request req = {.op = AGENT_SET_HOSTS};
	struct exchange_target t;
	int exit_code;

	if (!cli_parse(c, argc, argv, NULL, 1, AGENT_HOSTS_MAX, &exit_code))
		return exit_code;
	for (size_t i = 0; i < c->n_args; i++) {
		int err = exchange_parse(c->arg[i], &t);

		if (err != 0) {
			(void)cli_fail(c, err, c->arg[i],
			    "NAME[:PORT] or [IPV6]:PORT");
			return CLI_USAGE;
		}
		memcpy(req.settings.host[i], t.text, sizeof(t.text));
		req.settings.n_hosts++;
	}
	return set(c, &req);
}

int
cmd_clear_host(struct cli *c, int argc, char **argv)
{
	const struct agent_request req = {.op = AGENT_SET_HOSTS};
	int exit_code;

	if (!cli_parse(c, argc, argv, NULL, 0, 0, &exit_code))
		return exit_code;
	return set(c, &req);
}

int
cmd_set_domain(struct cli *c, int argc, char **argv)
{
	struct agent_request req = {.op = AGENT_SET_DOMAIN};
	uint32_t which;
	size_t len;
	int exit_code;

	if (!cli_parse(c, argc, argv, NULL, 1, 1, &exit_code))
		return exit_code;
	len = strlen(c->arg[0]);
	if (len <= AGENT_DOMAIN_LEN)
		memcpy(req.settings.domain, c->arg[0], len);
	if (len > AGENT_DOMAIN_LEN ||
	    settings_check(&req.settings, &which) != 0)
		return usage(c, "this is not the name of a domain",
		    "such as example.org; \"\" for the machine's own");
	return set(c, &req);
}

int
cmd_set_caching(struct cli *c, int argc, char **argv)
{
	struct agent_request req = {.op = AGENT_SET_CACHING};
	int exit_code;

	if (!cli_parse(c, argc, argv, NULL, 1, 1, &exit_code))
		return exit_code;
	req.settings.is_caching = strcmp(c->arg[0], "on") == 0;
	if (!req.settings.is_caching && strcmp(c->arg[0], "off") != 0)
		return usage(c, "set-caching takes on or off",
		    "muster set-caching on");
	return set(c, &req);
}
