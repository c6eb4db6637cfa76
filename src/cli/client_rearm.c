/* SPDX-License-Identifier: MIT */
/*
 * client_rearm.c -- starting anew: muster rearm and muster generalize.
 */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"

/* What became of the products. */
static int
report(const struct cli *c, const struct agent_ids *ids)
{
	json_t *list = json_array();
	struct agent_info info;
	int exit_code = CLI_DONE;

	for (uint32_t i = 0; exit_code == CLI_DONE && i < ids->n; i++) {
		exit_code = client_info(c, AGENT_INFO, ids->id[i], &info);
		if (exit_code != CLI_DONE)
			break;
		if (c->is_json)
			(void)json_array_append_new(list,
			    client_info_json(&info));
		else
			(void)printf("%s: rearmed, %u times more\n", info.name,
			    info.rearms_left);
	}
	if (exit_code == CLI_DONE && c->is_json)
		exit_code = cli_print(json_pack("{s:s,s:O}", "schema",
		    "muster.rearm/1", "products", list));
	json_decref(list);
	return exit_code;
}

int
cmd_rearm(struct cli *c, int argc, char **argv)
{
	const struct cli_error none = {"no_product",
	    "no product is installed here", "there is nothing to rearm"};
	struct agent_request req = {.op = AGENT_REARM};
	bool yes = false;
	const struct cli_option options[] = {{"yes", &yes, NULL, NULL},
	    {NULL, NULL, NULL, NULL}};
	struct agent_reply reply;
	char what[AGENT_NAME_LEN + 160], name[AGENT_NAME_LEN + 1];
	struct agent_info info;
	int exit_code;

	if (!cli_parse(c, argc, argv, options, 0, 1, &exit_code))
		return exit_code;
	exit_code =
	    client_find(c, c->n_args == 1 ? c->arg[0] : NULL, &req.products);
	if (exit_code != CLI_DONE)
		return exit_code;
	if (req.products.n == 0)
		return cli_error(c, CLI_FAILED, &none);
	(void)snprintf(name, sizeof(name), "all products");
	if (req.products.n == 1) {
		exit_code =
		    client_info(c, AGENT_INFO, req.products.id[0], &info);
		if (exit_code != CLI_DONE)
			return exit_code;
		memcpy(name, info.name, sizeof(name));
	}
	(void)snprintf(what, sizeof(what),
	    "This gives up the activation of %s and begins the initial grace "
	    "again, which the catalogue allows a few times only.",
	    name);
	exit_code = client_ask(c, what, yes);
	if (exit_code == CLI_DONE)
		exit_code = client_call(c, &req, &reply);
	if (exit_code == CLI_DONE)
		exit_code = report(c, &req.products);
	return exit_code;
}

int
cmd_generalize(struct cli *c, int argc, char **argv)
{
	const struct agent_request req = {.op = AGENT_GENERALIZE};
	bool yes = false;
	const struct cli_option options[] = {{"yes", &yes, NULL, NULL},
	    {NULL, NULL, NULL, NULL}};
	struct agent_reply reply;
	int exit_code;

	if (!cli_parse(c, argc, argv, options, 0, 0, &exit_code))
		return exit_code;
	exit_code = client_ask(c,
	    "This makes the machine an image for cloning: it gives up its "
	    "identification and all its activations.",
	    yes);
	if (exit_code == CLI_DONE)
		exit_code = client_call(c, &req, &reply);
	if (exit_code != CLI_DONE)
		return exit_code;
	if (c->is_json)
		return cli_print(json_pack("{s:s,s:b}", "schema",
		    "muster.generalize/1", "generalized", 1));
	(void)printf("generalized: shut down and copy; every copy starts "
	             "afresh\n");
	return CLI_DONE;
}
