/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"

/* One product: to the list, or at once as text. */
static int
show_one(const struct cli *c, const uint8_t *product, json_t *list,
    bool *all_good)
{
	struct agent_info info;
	int exit_code = client_info(c, AGENT_INFO, product, &info);

	if (exit_code != CLI_DONE)
		return exit_code;
	*all_good = *all_good && info.state == WIRE_LICENSED;
	if (!c->is_json)
		client_info_show(&info);
	else if (json_array_append_new(list, client_info_json(&info)) != 0)
		return cli_fail(c, MUSTER_E_NOMEM, NULL, NULL);
	return CLI_DONE;
}

int
cmd_status(struct cli *c, int argc, char **argv)
{
	const struct agent_request ask = {.op = AGENT_SETTINGS};
	struct agent_reply reply;
	struct agent_ids ids;
	bool all_good = true;
	json_t *list = NULL;
	int exit_code;

	if (!cli_parse(c, argc, argv, NULL, 0, 1, &exit_code))
		return exit_code;
	exit_code = client_find(c, c->n_args == 1 ? c->arg[0] : NULL, &ids);
	if (exit_code == CLI_DONE)
		exit_code = client_call(c, &ask, &reply);
	if (exit_code != CLI_DONE)
		return exit_code;
	list = json_array();
	for (uint32_t i = 0; exit_code == CLI_DONE && i < ids.n; i++)
		exit_code = show_one(c, ids.id[i], list, &all_good);
	if (exit_code == CLI_DONE && c->is_json) {
		exit_code = cli_print(json_pack("{s:s,s:O,s:o}", "schema",
		    "muster.status/1", "products", list, "settings",
		    client_settings_json(&reply.settings)));
	} else if (exit_code == CLI_DONE && ids.n == 0) {
		(void)printf("no product is installed here\n");
	}
	json_decref(list);
	if (exit_code == CLI_DONE && !all_good)
		exit_code = CLI_NOT_ACTIVATED;
	return exit_code;
}
