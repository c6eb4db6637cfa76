/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/errcode.h"
#include "base/hex.h"
#include "cli/client.h"
#include "client/direct.h"
#include "client/recover.h"

static json_t *
lookups_json(const struct direct_result *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->round.n_outcomes; i++) {
		const struct round_outcome *o = &r->round.outcome[i];

		if (o->is_lookup)
			(void)json_array_append_new(list,
			    client_lookup_json(o->text, o->err));
	}
	return list;
}

static json_t *
targets_json(const struct direct_result *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->round.n_outcomes; i++) {
		const struct round_outcome *o = &r->round.outcome[i];
		char word[ERRCODE_MAX];
		json_t *t;

		if (o->is_lookup)
			continue;
		client_outcome(o->err, o->status, word);
		t = json_pack("{s:s,s:s}", "host", o->text, "outcome", word);
		client_request_json(t, o->request);
		if (o->err == MUSTER_E_REFUSED && o->status == WIRE_CLOCK) {
			(void)json_object_set_new(t, "host_time",
			    json_integer(o->host_unix_s));
		}
		if (o->err == MUSTER_E_REFUSED && o->status == WIRE_BUSY) {
			(void)json_object_set_new(t, "seconds",
			    json_integer((json_int_t)o->busy_s));
		}
		(void)json_array_append_new(list, t);
	}
	return list;
}

static const char *
damage_text(const struct keep_damage *d)
{
	if (d->is_recovered)
		return "what counts was taken from a lease";
	switch (d->file) {
	case KEEP_PUBLISHER:
		return "the machine has a new CMID";
	case KEEP_PRODUCT:
		return "the product has no initial grace any more";
	case KEEP_LEASE:
		return "the product needs a new lease";
	}
	return "";
}

/* On the object where there is one, and for people in any case. */
static void
report_damages(const struct direct_result *r, json_t *object)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->found.n_damages; i++) {
		const struct keep_damage *d = &r->found.damage[i];
		char kept[FILE_PATH_MAX + sizeof(RECOVER_SUFFIX)];

		(void)snprintf(kept, sizeof(kept), "%s" RECOVER_SUFFIX,
		    d->path);
		(void)json_array_append_new(list,
		    json_pack("{s:s,s:s,s:b}", "file", d->path, "kept_as", kept,
		        "recovered", (int)d->is_recovered));
		if (object == NULL)
			(void)fprintf(stderr,
			    "muster: %s was damaged; it is kept as %s; %s\n",
			    d->path, kept, damage_text(d));
	}
	if (object != NULL)
		(void)json_object_set(object, "damaged", list);
	json_decref(list);
}

static void
show_outcomes(const struct direct_result *r)
{
	for (size_t i = 0; i < r->round.n_outcomes; i++) {
		const struct round_outcome *o = &r->round.outcome[i];
		char text[CLIENT_OUTCOME_MAX];

		if (o->is_lookup)
			client_lookup_text(o->text, o->err, text);
		else
			client_outcome_text(o->text, o->err, o->status, text);
		(void)fprintf(stderr, "muster: %s\n", text);
	}
}

/* No host responded: one cause for each target. */
static int
report_failure(const struct cli *c, const struct direct_result *r)
{
	struct cli_error e = {"no_host", "no host could be reached",
	    "check the name, the port and the host's `muster host status`"};
	int exit_code = CLI_UNREACHABLE;
	size_t n_hosts = 0;
	json_t *object;

	for (size_t i = 0; i < r->round.n_outcomes; i++) {
		if (r->round.outcome[i].is_lookup)
			continue;
		n_hosts++;
		if (client_is_unreached(r->round.outcome[i].err))
			continue;
		e.code = "not_answered";
		e.message = "no host answered with a reply that counts";
		e.next_step = "see what each host said, and its "
		              "`muster host status`";
		exit_code = CLI_FAILED;
	}
	if (n_hosts == 0)
		client_no_host(r->round.n_outcomes > 0, &e);
	if (c->is_json) {
		object = json_pack("{s:{s:s,s:s,s:s},s:o,s:o}", "error", "code",
		    e.code, "message", e.message, "next_step", e.next_step,
		    "targets", targets_json(r), "lookups", lookups_json(r));
		report_damages(r, object);
		(void)cli_print(object);
		return exit_code;
	}
	show_outcomes(r);
	return cli_error(c, exit_code, &e);
}

static int
report(const struct cli *c, const struct direct_result *r)
{
	const struct wire_grant *grant = &r->round.asking.reply.lease.grant;
	const char *host = r->round.host;
	char product[UUID_TEXT_LEN + 1];
	json_t *object;

	uuid_format(r->product.id, product);
	if (!c->is_json) {
		char from[CLIENT_SOURCE_MAX];

		client_source_text((enum agent_source)r->round.source,
		    r->round.domain, from);
		(void)printf("%s: %s; count %u of %u at %s%s\n",
		    r->product.name,
		    r->round.asking.reply.is_activated ? "activated"
		                                       : "not activated yet",
		    r->round.asking.reply.count,
		    r->round.asking.reply.threshold, host, from);
		return r->round.asking.reply.is_activated ? CLI_DONE
		                                          : CLI_NOT_ACTIVATED;
	}
	object = json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:b,s:s,s:s}", "schema",
	    "muster.activate/1", "product", product, "name", r->product.name,
	    "class", r->product.class == CAT_SERVER ? "server" : "desktop",
	    "count", (json_int_t)r->round.asking.reply.count, "threshold",
	    (json_int_t)r->round.asking.reply.threshold, "activated",
	    (int)r->round.asking.reply.is_activated, "state",
	    client_state(r->state), "host", host);
	if (object == NULL ||
	    json_object_update_new(object,
	        json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:b,s:s,s:o,s:o,s:s?,s:s}",
	            "renewal_minutes", (json_int_t)grant->renewal_min,
	            "retry_minutes", (json_int_t)grant->retry_min, "issued",
	            (json_int_t)grant->issued_unix_s, "minutes_left",
	            (json_int_t)r->minutes_left, "catalogue",
	            (json_int_t)r->serial, "host_catalogue",
	            (json_int_t)grant->catalogue, "stored", (int)r->is_stored,
	            "lease", r->lease_path, "targets", targets_json(r),
	            "lookups", lookups_json(r), "host_source",
	            client_source((enum agent_source)r->round.source),
	            "host_domain", r->round.domain)) != 0)
		return CLI_FAILED;
	report_damages(r, object);
	if (cli_print(object) != CLI_DONE)
		return CLI_FAILED;
	return r->round.asking.reply.is_activated ? CLI_DONE
	                                          : CLI_NOT_ACTIVATED;
}

static const char *
next_step(int err)
{
	switch (err) {
	case MUSTER_E_NOMACHINE:
		return "write 32 hex digits into /etc/machine-id "
		       "(systemd-machine-id-setup); nothing was sent";
	case MUSTER_E_NOENT:
		return "name a catalogue by --catalogue, or install the "
		       "product's package";
	case MUSTER_E_PRODUCT:
		return "check the id against `muster catalogue show FILE`";
	case MUSTER_E_SERIAL:
		return "install the newer catalogue, which was in force here";
	case MUSTER_E_DENIED:
		return "run as a user who may write the state folder, or "
		       "name another by --root";
	default:
		return NULL;
	}
}

/* What the command line names besides the product. */
static int
check_options(const struct cli *c, const struct cli_list *hosts,
    const char *resolver)
{
	struct exchange_target target;
	union resolvconf_addr addr;
	int err = 0;

	for (size_t i = 0; i < hosts->n && err == 0; i++)
		err = exchange_parse(hosts->item[i], &target);
	if (err != 0) {
		(void)cli_fail(c, err, "--host", "NAME[:PORT] or [IPV6]:PORT");
		return CLI_USAGE;
	}
	if (resolver != NULL)
		err = resolvconf_server(resolver, &addr);
	if (err != 0) {
		(void)cli_fail(c, err, "--resolver",
		    "the address of a name server: ADDR[:PORT] or "
		    "[IPV6]:PORT");
		return CLI_USAGE;
	}
	return 0;
}

int
cmd_activate(struct cli *c, int argc, char **argv)
{
	static struct direct_result result;
	const struct cli_error agent = {"usage",
	    "--host, --resolver and --catalogue are for --direct",
	    "the agent's hosts are set by muster set-host"};
	const struct cli_error id = {"usage", "--product is not a UUID",
	    "muster catalogue show FILE lists the ids"};
	struct direct_options opt = {.n_hosts = 0};
	struct cli_list hosts = {.n = 0};
	const char *product = NULL;
	bool is_direct = false;
	const struct cli_option options[] = {{"direct", &is_direct, NULL, NULL},
	    {"host", NULL, NULL, &hosts},
	    {"resolver", NULL, &opt.resolver, NULL},
	    {"catalogue", NULL, &opt.catalogue, NULL},
	    {"product", NULL, &product, NULL}, {NULL, NULL, NULL, NULL}};
	int err;

	if (!cli_parse(c, argc, argv, options, 0, 1, &err))
		return err;
	if (product == NULL && c->n_args == 1)
		product = c->arg[0];
	if (!is_direct &&
	    (hosts.n > 0 || opt.catalogue != NULL || opt.resolver != NULL))
		return cli_error(c, CLI_USAGE, &agent);
	if (!is_direct)
		return client_activate(c, product);
	if (product == NULL || uuid_parse(product, opt.product) != 0)
		return cli_error(c, CLI_USAGE, &id);
	err = check_options(c, &hosts, opt.resolver);
	if (err != 0)
		return err;
	opt.n_hosts = hosts.n;
	memcpy(opt.host, hosts.item, hosts.n * sizeof(hosts.item[0]));
	opt.root = c->root;
	err = direct_run(&opt, &result);
	if (err != 0 || !c->is_json)
		report_damages(&result, NULL);
	if (err != 0)
		return cli_fail(c, err, result.path, next_step(err));
	if (!result.round.asking.has_reply)
		return report_failure(c, &result);
	return report(c, &result);
}
