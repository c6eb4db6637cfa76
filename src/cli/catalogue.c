/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/errcode.h"
#include "base/hex.h"
#include "base/paths.h"
#include "cli/cli.h"
#include "client/catalogues.h"
#include "trust/hostkey.h"

static json_t *
product_json(const struct cat_product *p)
{
	char id[UUID_TEXT_LEN + 1], text[HOSTKEY_TEXT_LEN + 1] = "";
	struct hostkey key;

	uuid_format(p->id, id);
	if (hostkey_unpack(p->setup_key, &key) == 0)
		hostkey_format(&key, text);
	return json_pack("{s:s,s:s,s:I,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:s}",
	    "id", id, "name", p->name, "group", (json_int_t)p->group, "class",
	    p->class == CAT_SERVER ? "server" : "desktop", "threshold",
	    (json_int_t)p->threshold, "line", (json_int_t)p->line, "level",
	    (json_int_t)p->level, "validity_days", (json_int_t)p->validity_days,
	    "initial_grace_days", (json_int_t)p->initial_grace_days,
	    "lapse_grace_days", (json_int_t)p->lapse_grace_days, "rearms",
	    (json_int_t)p->rearms, "setup_key", text);
}

static int
print_catalogue(const struct catalogue *cat)
{
	char id[2 * PUBLISHER_LEN + 1], pk[2 * PUBKEY_LEN + 1];
	json_t *products = json_array(), *issuers = json_array();

	hex_encode(cat->head.publisher, PUBLISHER_LEN, id);
	hex_encode(cat->head.root_pk, PUBKEY_LEN, pk);
	for (uint32_t i = 0; i < cat->n_products; i++) {
		(void)json_array_append_new(products,
		    product_json(&cat->products[i]));
	}
	for (uint32_t i = 0; i < cat->n_issuers; i++) {
		(void)json_array_append_new(issuers,
		    json_pack("{s:I,s:I,s:I}", "number",
		        (json_int_t)cat->issuers[i].number, "not_before_day",
		        (json_int_t)cat->issuers[i].not_before_day,
		        "not_after_day",
		        (json_int_t)cat->issuers[i].not_after_day));
	}
	return cli_print(
	    json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:o,s:o}", "schema",
	        "muster.catalogue/1", "publisher", id, "root_public_key", pk,
	        "name", cat->head.name, "url", cat->head.url, "contact",
	        cat->head.contact, "serial", (json_int_t)cat->head.serial,
	        "signed", (json_int_t)cat->head.signed_unix_s, "revocations",
	        (json_int_t)cat->n_revocations, "issuing_keys", issuers,
	        "products", products));
}

int
cmd_catalogue_show(struct cli *c, int argc, char **argv)
{
	struct catalogue *cat = NULL;
	char id[2 * PUBLISHER_LEN + 1], uuid[UUID_TEXT_LEN + 1];
	int exit_code, err;

	if (!cli_parse(c, argc, argv, NULL, 1, 1, &exit_code))
		return exit_code;
	cat = calloc(1, sizeof(*cat));
	err = cat == NULL ? MUSTER_E_NOMEM
	                  : catalogues_load(c->arg[0], cat, NULL);
	if (err != 0) {
		exit_code = cli_fail_file(c, err, c->arg[0],
		    "get the file from the publisher again");
	} else if (c->is_json) {
		exit_code = print_catalogue(cat);
	} else {
		hex_encode(cat->head.publisher, PUBLISHER_LEN, id);
		(void)printf("%s, publisher %s, serial %u\n%s\n",
		    cat->head.name, id, cat->head.serial, cat->head.contact);
		for (uint32_t i = 0; i < cat->n_products; i++) {
			const struct cat_product *p = &cat->products[i];

			uuid_format(p->id, uuid);
			(void)printf("  %s  from %u, line %u level %u  %s\n",
			    uuid, p->threshold, p->line, p->level, p->name);
		}
		exit_code = CLI_DONE;
	}
	free(cat);
	return exit_code;
}

static json_t *
entry_json(const struct catalogues_entry *e)
{
	char id[2 * PUBLISHER_LEN + 1], code[ERRCODE_MAX];
	json_t *object;

	errcode(e->err, code);
	object = json_pack("{s:s,s:b,s:b,s:s}", "path", e->path, "in_force",
	    (int)e->is_in_force, "shipped", (int)e->is_shipped, "state", code);
	if (e->head.publisher[0] != 0 || e->err == 0) {
		hex_encode(e->head.publisher, PUBLISHER_LEN, id);
		(void)json_object_set_new(object, "publisher", json_string(id));
		(void)json_object_set_new(object, "name",
		    json_string(e->head.name));
		(void)json_object_set_new(object, "serial",
		    json_integer(e->head.serial));
	}
	return object;
}

int
cmd_catalogue_list(struct cli *c, int argc, char **argv)
{
	struct catalogues *all = NULL;
	json_t *list;
	int exit_code, err;

	if (!cli_parse(c, argc, argv, NULL, 0, 0, &exit_code))
		return exit_code;
	all = calloc(1, sizeof(*all));
	err =
	    all == NULL ? MUSTER_E_NOMEM : catalogues_scan(c->root, NULL, all);
	if (err != 0) {
		exit_code = cli_fail(c, err, "the catalogue folders", NULL);
		goto out;
	}
	list = json_array();
	for (size_t i = 0; i < all->n; i++) {
		const struct catalogues_entry *e = &all->entry[i];

		(void)json_array_append_new(list, entry_json(e));
		if (!c->is_json) {
			(void)printf("%s %s: %s, serial %u%s%s\n",
			    e->is_in_force ? "*" : " ", e->path, e->head.name,
			    e->head.serial, e->err != 0 ? "; " : "",
			    e->err != 0 ? muster_strerror(e->err) : "");
		}
	}
	if (c->is_json) {
		exit_code = cli_print(json_pack("{s:s,s:o}", "schema",
		    "muster.catalogues/1", "catalogues", list));
	} else {
		json_decref(list);
		exit_code = CLI_DONE;
	}
out:
	free(all);
	return exit_code;
}
