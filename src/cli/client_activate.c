/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/client.h"

/* Of one product: what the command ends with, and why. */
static int
judge(const struct agent_info *info, struct cli_error *e)
{
	bool is_unreached = true;
	const char *domain;
	uint32_t n_hosts = 0;

	if (info->round == 0)
		return info->state == WIRE_LICENSED ? CLI_DONE
		                                    : CLI_NOT_ACTIVATED;
	for (uint32_t i = 0; i < info->n_outcomes; i++) {
		if (client_is_lookup(info->outcome[i].target, &domain))
			continue;
		n_hosts++;
		is_unreached =
		    is_unreached && client_is_unreached(info->outcome[i].err);
	}
	if (client_is_answered(info)) {
		*e = (struct cli_error){"not_stored",
		    muster_strerror(info->round),
		    "make room or restore the rights below "
		    "/var/lib/muster/agent; the agent tries again by itself, "
		    "and at the next `muster activate`"};
		return CLI_FAILED;
	}
	if (n_hosts == 0 &&
	    (info->n_outcomes > 0 || info->round == MUSTER_E_NOENT)) {
		client_no_host(info->n_outcomes > 0, e);
		return CLI_UNREACHABLE;
	}
	if (info->n_outcomes == 0) {
		*e = (struct cli_error){"not_asked",
		    muster_strerror(info->round),
		    "see its log: journalctl -u muster-agent"};
		return CLI_FAILED;
	}
	if (is_unreached) {
		*e = (struct cli_error){"no_host", "no host could be reached",
		    "check the name, the port and the host's `muster host "
		    "status`"};
		return CLI_UNREACHABLE;
	}
	*e = (struct cli_error){"not_answered",
	    "no host answered with a reply that counts",
	    "see what each host said, and its `muster host status`"};
	return CLI_FAILED;
}

static void
show(const struct agent_info *info, int exit_code)
{
	char text[CLIENT_OUTCOME_MAX];

	if (exit_code == CLI_DONE || exit_code == CLI_NOT_ACTIVATED) {
		client_source_text(info->source, info->domain, text);
		(void)printf("%s: %s; count %" PRIu32 " of %" PRIu32
		             " at %s%s%s\n",
		    info->name,
		    exit_code == CLI_DONE ? "activated" : "not activated yet",
		    info->count, info->threshold,
		    info->host[0] != '\0' ? info->host : "no host",
		    info->host[0] != '\0' ? text : "",
		    info->is_early ? " (asked less than 10 seconds ago)" : "");
		return;
	}
	for (uint32_t i = 0; i < info->n_outcomes; i++) {
		client_agent_outcome_text(&info->outcome[i], text);
		(void)fprintf(stderr, "muster: %s: %s\n", info->name, text);
	}
}

static int
finish(const struct cli *c, int exit_code, const struct cli_error *e,
    json_t *list)
{
	json_t *object;

	if (!c->is_json)
		return e->code == NULL ? exit_code : cli_error(c, exit_code, e);
	object = json_pack("{s:s,s:O}", "schema", "muster.activate-agent/1",
	    "products", list);
	if (e->code != NULL) {
		(void)json_object_set_new(object, "error",
		    json_pack("{s:s,s:s,s:s}", "code", e->code, "message",
		        e->message, "next_step", e->next_step));
	}
	return cli_print(object) == CLI_DONE ? exit_code : CLI_FAILED;
}

int
client_activate(const struct cli *c, const char *product)
{
	const struct cli_error none = {"no_product",
	    "no product is installed here",
	    "install the product's package, or ask without an agent: muster "
	    "activate --direct"};
	struct cli_error e = {NULL, NULL, NULL};
	struct agent_ids ids;
	json_t *list;
	int exit_code, worst = CLI_DONE;

	exit_code = client_find(c, product, &ids);
	if (exit_code != CLI_DONE)
		return exit_code;
	if (ids.n == 0)
		return cli_error(c, CLI_FAILED, &none);
	list = json_array();
	for (uint32_t i = 0; i < ids.n; i++) {
		struct agent_info info;

		exit_code = client_info(c, AGENT_ACTIVATE, ids.id[i], &info);
		if (exit_code != CLI_DONE)
			goto out;
		exit_code = judge(&info, &e);
		worst = client_graver(worst, exit_code);
		if (c->is_json)
			(void)json_array_append_new(list,
			    client_info_json(&info));
		else
			show(&info, exit_code);
	}
	exit_code = finish(c, worst, &e, list);
out:
	json_decref(list);
	return exit_code;
}
