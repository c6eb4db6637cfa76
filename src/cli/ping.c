/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/errcode.h"
#include "base/hex.h"
#include "cli/cli.h"
#include "client/catalogues.h"
#include "client/exchange.h"
#include "trust/cert.h"
#include "wire/msg.h"

static int
call(const struct exchange_target *t, enum rpc_proc proc, const uint8_t *args,
    size_t args_len, uint8_t *res, size_t *len_out)
{
	uint8_t rec[RPC_RECORD_MAX], body[RPC_BODY_MAX];
	uint32_t xid = randombytes_random();
	const uint8_t *p = NULL;
	size_t len = 0, n = 0;
	int err;

	err =
	    rpc_call_encode(xid, proc, args, args_len, rec, sizeof(rec), &len);
	if (err == 0)
		err = exchange_run(t, false, rec, len, body, &n);
	if (err == 0)
		err = rpc_reply_decode(body, n, xid, &p, &len);
	if (err == 0) {
		memcpy(res, p, len);
		*len_out = len;
	}
	return err;
}

/* Does the certificate prove itself by this catalogue? */
static int
judge_cover(const struct catalogue *cat, const struct wire_cover *cover,
    struct cert *cert_out)
{
	const struct cat_issuer *issuer;
	int err = cert_decode(cover->certificate, cert_out);

	if (err != 0)
		return err;
	issuer = cat_issuer(cat, cert_out->issuer);
	if (issuer == NULL)
		return MUSTER_E_ISSUER;
	return cert_verify(cert_out, cat->head.publisher, issuer->pk);
}

static json_t *
cover(const struct exchange_target *t, const struct catalogue *cat)
{
	static const char *const names[] = {"ok", "unknown_product",
	    "not_covered", "host_not_activated", "clock", "busy", "refused"};
	uint8_t res[RPC_BODY_MAX];
	char id[2 * PUBLISHER_LEN + 1], code[ERRCODE_MAX];
	struct wire_cover c = {0};
	struct cert cert = {0};
	json_t *object, *list = json_array();
	size_t len = 0;
	int err;

	err = call(t, RPC_COVER, cat->head.publisher, PUBLISHER_LEN, res, &len);
	if (err == 0)
		err = wire_cover_decode(res, len, &c);
	if (err == 0 && c.status == WIRE_OK)
		err = judge_cover(cat, &c, &cert);
	hex_encode(cat->head.publisher, PUBLISHER_LEN, id);
	errcode(err, code);
	object = json_pack("{s:s,s:s,s:s}", "publisher", id, "name",
	    cat->head.name, "status", err == 0 ? names[c.status] : code);
	for (uint32_t i = 0; i < cat->n_products && err == 0; i++) {
		const struct cat_product *p = &cat->products[i];

		if (cert_covers(&cert, p->line, p->level))
			(void)json_array_append_new(list, json_string(p->name));
	}
	if (err == 0 && c.status == WIRE_OK) {
		(void)json_object_update_new(object,
		    json_pack("{s:I,s:I,s:I,s:I,s:I}", "host_time",
		        (json_int_t)c.host_unix_s, "clock_difference",
		        (json_int_t)(c.host_unix_s - clock_unix_s()),
		        "catalogue", (json_int_t)c.catalogue, "key_number",
		        (json_int_t)cert.key_number, "slot",
		        (json_int_t)cert.slot));
	}
	(void)json_object_set_new(object, "covers", list);
	return object;
}

static int
cover_all(const struct cli *c, const char *file,
    const struct exchange_target *t, json_t *list)
{
	struct catalogues *all = calloc(1, sizeof(*all));
	struct catalogue *cat = calloc(1, sizeof(*cat));
	int err = MUSTER_E_NOMEM;

	if (all == NULL || cat == NULL)
		goto out;
	err = catalogues_scan(c->root, file, all);
	if (err == 0 && file != NULL)
		err = all->entry[0].err;
	for (size_t i = 0; err == 0 && i < all->n; i++) {
		if (!all->entry[i].is_in_force)
			continue;
		err = catalogues_load(all->entry[i].path, cat, NULL);
		if (err == 0)
			(void)json_array_append_new(list, cover(t, cat));
	}
out:
	free(cat);
	free(all);
	return err;
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
	uint8_t res[RPC_BODY_MAX];
	json_t *list;
	int64_t begin_ms, ms;
	size_t len = 0;
	int exit_code, err;

	if (!cli_parse(c, argc, argv, options, 1, 1, &exit_code))
		return exit_code;
	err = exchange_parse(c->arg[0], &target);
	if (err != 0) {
		(void)cli_fail(c, err, "host", "NAME[:PORT] or [IPV6]:PORT");
		return CLI_USAGE;
	}
	begin_ms = clock_mono_ms();
	err = call(&target, RPC_NULL, NULL, 0, res, &len);
	ms = clock_mono_ms() - begin_ms;
	if (err != 0) {
		(void)cli_fail(c, err, target.text,
		    "is musterd running there, and the port open?");
		return CLI_UNREACHABLE;
	}
	list = json_array();
	err = cover_all(c, file, &target, list);
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
