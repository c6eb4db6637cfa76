/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>

#include "base/hex.h"
#include "cli/client.h"
#include "client/catalogues.h"
#include "client/probe.h"

static json_t *
cover(const struct exchange_target *t, const struct catalogue *cat)
{
	char id[2 * PUBLISHER_LEN + 1], code[32];
	enum exchange_phase phase;
	struct probe_cover c;
	json_t *object, *list = json_array();
	int err = probe_cover(t, NULL, cat, &phase, &c);

	hex_encode(cat->head.publisher, PUBLISHER_LEN, id);
	client_outcome(err, c.status, code);
	object = json_pack("{s:s,s:s,s:s}", "publisher", id, "name",
	    cat->head.name, "status", err == 0 ? "ok" : code);
	for (uint32_t i = 0; i < cat->n_products && err == 0; i++) {
		const struct cat_product *p = &cat->products[i];

		if (cert_covers(&c.cert, p->line, p->level))
			(void)json_array_append_new(list, json_string(p->name));
	}
	if (err == 0 || err == MUSTER_E_CLOCK) {
		(void)json_object_update_new(object,
		    json_pack("{s:I,s:I,s:I,s:I,s:I}", "host_time",
		        (json_int_t)c.host_unix_s, "clock_difference",
		        (json_int_t)c.ahead_s, "catalogue",
		        (json_int_t)c.catalogue, "key_number",
		        (json_int_t)c.cert.key_number, "slot",
		        (json_int_t)c.cert.slot));
	}
	(void)json_object_set_new(object, "covers", list);
	return object;
}

struct pinged {
	const struct exchange_target *target;
	json_t *list;
};

static int
cover_one(void *arg, const struct catalogue *cat)
{
	const struct pinged *p = arg;

	(void)json_array_append_new(p->list, cover(p->target, cat));
	return 0;
}

static void
show(const struct exchange_target *t, int64_t ms, const json_t *list)
{
	const json_t *item, *name;
	size_t i, k;

	(void)printf("%s: answered in %" PRId64 " ms\n", t->text, ms);
	json_array_foreach(list, i, item)
	{
		(void)printf("  %s: %s",
		    json_string_value(json_object_get(item, "name")),
		    json_string_value(json_object_get(item, "status")));
		if (json_object_get(item, "host_time") != NULL) {
			(void)printf(", clock %+" PRId64 " s, catalogue "
			             "%" PRId64,
			    (int64_t)json_integer_value(
			        json_object_get(item, "clock_difference")),
			    (int64_t)json_integer_value(
			        json_object_get(item, "catalogue")));
		}
		json_array_foreach(json_object_get(item, "covers"), k, name)
		{
			(void)printf("%s%s", k == 0 ? "; covers " : ", ",
			    json_string_value(name));
		}
		(void)printf("\n");
	}
}

int
cmd_ping(struct cli *c, int argc, char **argv)
{
	const char *file = NULL;
	const struct cli_option options[] = {{"catalogue", NULL, &file, NULL},
	    {NULL, NULL, NULL, NULL}};
	struct exchange_target target;
	enum exchange_phase phase;
	json_t *list;
	int64_t ms;
	int exit_code, err;

	if (!cli_parse(c, argc, argv, options, 1, 1, &exit_code))
		return exit_code;
	err = exchange_parse(c->arg[0], &target);
	if (err != 0) {
		(void)cli_fail(c, err, "host", "NAME[:PORT] or [IPV6]:PORT");
		return CLI_USAGE;
	}
	err = probe_null(&target, NULL, &phase, &ms);
	if (err != 0) {
		(void)cli_fail(c, err, target.text,
		    "is musterd running there, and the port open?");
		return CLI_UNREACHABLE;
	}
	list = json_array();
	err = catalogues_each(c->root, file, cover_one,
	    &(struct pinged){.target = &target, .list = list});
	if (err != 0) {
		json_decref(list);
		return cli_fail_file(c, err,
		    file != NULL ? file : "the catalogue folders",
		    "name a catalogue by --catalogue");
	}
	if (c->is_json)
		return cli_print(json_pack("{s:s,s:s,s:I,s:o}", "schema",
		    "muster.ping/1", "host", target.text, "milliseconds",
		    (json_int_t)ms, "publishers", list));
	show(&target, ms, list);
	json_decref(list);
	return CLI_DONE;
}
