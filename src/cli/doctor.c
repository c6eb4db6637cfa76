/* SPDX-License-Identifier: MIT */
/*
 * doctor.c -- muster doctor: works without the agent as well, and says so.
 */
#include "cli/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "client/agentcall.h"
#include "client/catalogues.h"

/* One run of the command. */
struct run {
	struct cli *c;
	const char *product; /* named, or NULL */
	bool has_agent;
	struct agent_ids ids; /* the agent's products */
	struct machine machine;
	struct doctor doctor;
	json_t *list;
	int exit_code; /* the gravest so far */
	size_t n;      /* products looked at */
};

/* What the agent goes by; without one, what a fresh machine would do. */
static void
ask_agent(struct run *r, struct agent_settings *settings_out)
{
	const struct agent_request list = {.op = AGENT_LIST};
	const struct agent_request set = {.op = AGENT_SETTINGS};
	struct agent_reply reply;

	*settings_out = (struct agent_settings){.is_caching = true};
	if (agentcall_run(r->c->root, &list, AGENTCALL_MS, &reply) != 0 ||
	    reply.err != 0)
		return;
	r->ids = reply.products;
	if (agentcall_run(r->c->root, &set, AGENTCALL_MS, &reply) != 0 ||
	    reply.err != 0)
		return;
	*settings_out = reply.settings;
	r->has_agent = true;
}

static bool
is_wanted(const struct run *r, const struct cat_product *p)
{
	uint8_t id[UUID_LEN];

	if (r->product != NULL && uuid_parse(r->product, id) == 0)
		return memcmp(id, p->id, UUID_LEN) == 0;
	if (r->product != NULL)
		return strcmp(r->product, p->name) == 0;
	for (uint32_t i = 0; i < r->ids.n; i++) {
		if (memcmp(r->ids.id[i], p->id, UUID_LEN) == 0)
			return true;
	}
	return false;
}

/* The host that the agent would ask first. */
static void
ask_known(struct run *r)
{
	struct agent_request info = {.op = AGENT_INFO};
	struct agent_reply reply;

	r->doctor.known[0] = '\0';
	memcpy(info.product, r->doctor.product->id, WIRE_ID_LEN);
	if (r->has_agent &&
	    agentcall_run(r->c->root, &info, AGENTCALL_MS, &reply) == 0 &&
	    reply.err == 0)
		memcpy(r->doctor.known, reply.info.host,
		    sizeof(r->doctor.known));
}

static int
one_catalogue(void *arg, const struct catalogue *cat)
{
	struct run *r = arg;
	int err = 0;

	for (uint32_t i = 0; i < cat->n_products && err == 0; i++) {
		if (!is_wanted(r, &cat->products[i]))
			continue;
		r->n++;
		r->doctor.cat = cat;
		r->doctor.product = &cat->products[i];
		ask_known(r);
		err = doctor_run(&r->doctor);
		if (err != 0)
			break;
		r->exit_code =
		    client_graver(r->exit_code, doctor_exit(&r->doctor));
		if (!r->c->is_json)
			doctor_show(&r->doctor);
		else
			(void)json_array_append_new(r->list,
			    doctor_json(&r->doctor));
	}
	return err;
}

static int
no_product(const struct run *r)
{
	if (r->product != NULL)
		return cli_errorf(r->c, CLI_FAILED, "product",
		    "check the name; muster catalogue list, muster catalogue "
		    "show FILE",
		    "no catalogue in force here has the product %.80s",
		    r->product);
	if (!r->has_agent)
		return cli_errorf(r->c, CLI_UNREACHABLE, "no_agent",
		    "start it: systemctl start muster-agent; or name a "
		    "product: muster doctor PRODUCT",
		    "no agent answers, and no product is named");
	return cli_errorf(r->c, CLI_FAILED, "no_product",
	    "install the product's package, or its key by muster install-key",
	    "no product is installed here");
}

static int
finish(struct run *r)
{
	if (r->n == 0)
		return no_product(r);
	if (r->c->is_json) {
		int exit_code = cli_print(json_pack("{s:s,s:s,s:O}", "schema",
		    "muster.doctor/1", "agent",
		    r->has_agent ? "ok" : "no_agent", "products", r->list));

		return exit_code != CLI_DONE ? exit_code : r->exit_code;
	}
	if (!r->has_agent)
		(void)printf("no agent answers: nobody keeps these products "
		             "activated\n    next: systemctl start "
		             "muster-agent\n");
	return r->exit_code;
}

/* Hosts that are named go before what is set. */
static int
take_hosts(struct run *r, const struct cli_list *hosts)
{
	struct round_where *where = &r->doctor.where;
	struct exchange_target target;

	if (hosts->n > 0)
		where->n_hosts = 0;
	for (size_t i = 0; i < hosts->n && i < WALK_HOSTS_MAX; i++) {
		int err = exchange_parse(hosts->item[i], &target);

		if (err != 0) {
			(void)cli_fail(r->c, err, hosts->item[i],
			    "NAME[:PORT] or [IPV6]:PORT");
			return CLI_USAGE;
		}
		memcpy(where->host[where->n_hosts++], target.text,
		    sizeof(target.text));
	}
	return CLI_DONE;
}

int
cmd_doctor(struct cli *c, int argc, char **argv)
{
	struct cli_list hosts = {.n = 0};
	const char *file = NULL, *resolver = NULL;
	const struct cli_option options[] = {{"catalogue", NULL, &file, NULL},
	    {"resolver", NULL, &resolver, NULL}, {"host", NULL, NULL, &hosts},
	    {NULL, NULL, NULL, NULL}};
	struct agent_settings settings;
	struct run *r;
	int exit_code, err;

	if (!cli_parse(c, argc, argv, options, 0, 1, &exit_code))
		return exit_code;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return cli_fail(c, MUSTER_E_NOMEM, NULL, NULL);
	r->c = c;
	r->product = c->n_args == 1 ? c->arg[0] : NULL;
	r->list = json_array();
	ask_agent(r, &settings);
	round_where(&r->doctor.where, &settings, c->root, resolver);
	r->doctor.machine = &r->machine;
	exit_code = take_hosts(r, &hosts);
	if (exit_code == CLI_DONE) {
		err = machine_read(c->root, &r->machine);
		if (err == 0)
			err = catalogues_each(c->root, file, one_catalogue, r);
		exit_code = err == 0 ? finish(r)
		    : resolver != NULL && err != MUSTER_E_NOMACHINE
		    ? cli_fail(c, err, resolver, NULL)
		    : cli_fail_file(c, err, file, NULL);
	}
	json_decref(r->list);
	free(r);
	return exit_code;
}
