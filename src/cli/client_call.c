/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/errcode.h"
#include "base/hex.h"
#include "cli/client.h"
#include "client/agentcall.h"

static int
report(const struct cli *c, int err)
{
	const struct cli_error none = {"no_agent",
	    "no agent answers on its socket",
	    "start it: systemctl start muster-agent; or ask a host without "
	    "it: muster activate --direct"};
	char code[32], message[128];
	const struct cli_error broken = {code, message,
	    "see its log: journalctl -u muster-agent"};

	if (err == MUSTER_E_NOENT || err == MUSTER_E_CONNECT)
		return cli_error(c, CLI_UNREACHABLE, &none);
	errcode(err, code);
	(void)snprintf(message, sizeof(message),
	    "the agent gave no answer that counts: %s", muster_strerror(err));
	return cli_error(c, err == MUSTER_E_DENIED ? CLI_REFUSED : CLI_FAILED,
	    &broken);
}

int
client_call(const struct cli *c, const struct agent_request *req,
    struct agent_reply *reply_out)
{
	const struct cli_error too_long = {"socket_path_too_long",
	    "the path of agent.sock is over 107 bytes",
	    "choose a shorter --root"};
	char path[PATH_SOCKET_MAX + 1], code[32];
	struct cli_error refusal = {code, reply_out->message,
	    reply_out->next_step};
	int err;

	if (agentcall_path(c->root, path) != 0)
		return cli_error(c, CLI_FAILED, &too_long);
	err = agentcall_run(c->root, req,
	    req->op == AGENT_ACTIVATE ? AGENTCALL_ACTIVATE_MS : AGENTCALL_MS,
	    reply_out);
	if (err != 0)
		return report(c, err);
	if (reply_out->err == 0)
		return CLI_DONE;
	errcode(reply_out->err, code);
	if (reply_out->message[0] == '\0')
		refusal.message = muster_strerror(reply_out->err);
	if (reply_out->next_step[0] == '\0')
		refusal.next_step = cli_next_step(reply_out->err);
	return cli_error(c,
	    reply_out->err == MUSTER_E_DENIED ? CLI_REFUSED : CLI_FAILED,
	    &refusal);
}

int
client_info(const struct cli *c, enum agent_op op, const uint8_t *product,
    struct agent_info *info_out)
{
	struct agent_request req;
	struct agent_reply reply;
	int exit_code;

	memset(&req, 0, sizeof(req));
	req.op = op;
	memcpy(req.product, product, WIRE_ID_LEN);
	exit_code = client_call(c, &req, &reply);
	if (exit_code == CLI_DONE)
		*info_out = reply.info;
	return exit_code;
}

/* Those of a list that have this name. */
static int
pick(const struct cli *c, const char *name, struct agent_ids *ids)
{
	const struct cli_error none = {"no_product",
	    "no product of this name is installed here",
	    "`muster status` lists what is there"};
	const struct cli_error several = {"ambiguous",
	    "several publishers have a product of this name",
	    "give its id; `muster status --json` lists them"};
	struct agent_info info;
	uint32_t n = 0;

	for (uint32_t i = 0; i < ids->n; i++) {
		int exit_code = client_info(c, AGENT_INFO, ids->id[i], &info);

		if (exit_code != CLI_DONE)
			return exit_code;
		if (strcmp(info.name, name) == 0)
			memmove(ids->id[n++], ids->id[i], WIRE_ID_LEN);
	}
	ids->n = n;
	if (n != 1)
		return cli_error(c, CLI_FAILED, n == 0 ? &none : &several);
	return CLI_DONE;
}

int
client_find(const struct cli *c, const char *text, struct agent_ids *ids_out)
{
	const struct agent_request list = {.op = AGENT_LIST};
	struct agent_reply reply;
	int exit_code;

	if (text != NULL && uuid_parse(text, ids_out->id[0]) == 0) {
		ids_out->n = 1;
		return CLI_DONE;
	}
	exit_code = client_call(c, &list, &reply);
	if (exit_code != CLI_DONE)
		return exit_code;
	*ids_out = reply.products;
	return text == NULL ? CLI_DONE : pick(c, text, ids_out);
}

int
client_graver(int a, int b)
{
	static const int order[] = {CLI_REFUSED, CLI_FAILED, CLI_UNREACHABLE,
	    CLI_NOT_ACTIVATED};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (a == order[i] || b == order[i])
			return order[i];
	}
	return CLI_DONE;
}

int
client_ask(const struct cli *c, const char *what, bool yes)
{
	const struct cli_error nobody = {"usage",
	    "this needs a yes, and there is no terminal to ask",
	    "add --yes to do it"};
	const struct cli_error no = {"not_confirmed", "nothing was changed",
	    "answer y, or add --yes"};
	char line[16] = "";

	if (yes)
		return CLI_DONE;
	if (c->is_json || !isatty(STDIN_FILENO))
		return cli_error(c, CLI_USAGE, &nobody);
	(void)fprintf(stderr, "%s\nGo on? [y/N] ", what);
	if (fgets(line, sizeof(line), stdin) == NULL ||
	    (strcmp(line, "y\n") != 0 && strcmp(line, "yes\n") != 0))
		return cli_error(c, CLI_FAILED, &no);
	return CLI_DONE;
}
