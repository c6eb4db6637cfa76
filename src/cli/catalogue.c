/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
		exit_code = cli_fail(c, err, c->arg[0], "is it a catalogue?");
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
	char id[2 * PUBLISHER_LEN + 1], code[32];
	json_t *object;

	cli_code(e->err, code);
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
		exit_code = cli_fail(c, err, NULL, "");
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

/* May this catalogue take its place among those that are there? */
static int
admit(const struct catalogues *all, const struct catalogue *cat,
    const uint8_t *hash, bool is_trusted, struct catalogue *work)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct catalogues_entry *e = &all->entry[i];

		if (!e->is_in_force)
			continue;
		if (memcmp(e->head.publisher, cat->head.publisher,
		        PUBLISHER_LEN) == 0) {
			is_trusted = true;
			if (cat->head.serial < e->head.serial)
				return MUSTER_E_SERIAL;
			if (cat->head.serial == e->head.serial &&
			    memcmp(e->hash, hash, HASH_LEN) != 0)
				return MUSTER_E_EXIST;
			continue;
		}
		if (catalogues_load(e->path, work, NULL) != 0)
			continue;
		for (uint32_t k = 0; k < cat->n_products; k++) {
			if (cat_product(work, cat->products[k].id) != NULL)
				return MUSTER_E_PRODUCT;
		}
	}
	return is_trusted ? 0 : MUSTER_E_PUBLISHER;
}

static int
store(const struct cli *c, const char *file, const char *id, bool with_trust)
{
	char rel[FILE_PATH_MAX], path[FILE_PATH_MAX];
	uint8_t *buf = malloc(CAT_FILE_MAX);
	size_t len = 0;
	int err = MUSTER_E_NOMEM;

	if (buf == NULL)
		goto out;
	err = file_read(file, buf, CAT_FILE_MAX, &len);
	if (err == 0)
		err = file_join(c->root, PATH_CATALOGUES, path, sizeof(path));
	if (err == 0)
		err = file_mkdirs(path, 0755);
	(void)snprintf(rel, sizeof(rel), PATH_CATALOGUES "/%s.trust", id);
	if (err == 0 && with_trust)
		err = file_join(c->root, rel, path, sizeof(path));
	if (err == 0 && with_trust)
		err = file_replace(path, "", 0, 0644);
	(void)snprintf(rel, sizeof(rel), PATH_CATALOGUES "/%s.muster", id);
	if (err == 0)
		err = file_join(c->root, rel, path, sizeof(path));
	if (err == 0)
		err = file_replace(path, buf, len, 0644);
out:
	free(buf);
	return err;
}

static int
install(const struct cli *c, const char *trust, struct catalogue *cat,
    char *id_out)
{
	struct catalogue *work = calloc(1, sizeof(*work));
	struct catalogues *all = calloc(1, sizeof(*all));
	uint8_t hash[HASH_LEN];
	bool is_trusted;
	int err = MUSTER_E_NOMEM;

	if (work == NULL || all == NULL)
		goto out;
	err = catalogues_load(c->arg[0], cat, hash);
	if (err == 0)
		err = catalogues_scan(c->root, NULL, all);
	if (err != 0)
		goto out;
	hex_encode(cat->head.publisher, PUBLISHER_LEN, id_out);
	is_trusted = trust != NULL && strcmp(trust, id_out) == 0;
	err = admit(all, cat, hash, is_trusted, work);
	if (err == 0)
		err = store(c, c->arg[0], id_out, is_trusted);
out:
	free(all);
	free(work);
	return err;
}

static const char *
next_step(int err)
{
	switch (err) {
	case MUSTER_E_PUBLISHER:
		return "its publisher is not trusted here: --trust ID, with "
		       "the id that the publisher names";
	case MUSTER_E_SERIAL:
		return "a newer one is in force";
	case MUSTER_E_EXIST:
		return "another catalogue of this serial is in force: ask the "
		       "publisher";
	case MUSTER_E_PRODUCT:
		return "it names a product of another publisher that is "
		       "installed";
	default:
		return "";
	}
}

int
cmd_catalogue_install(struct cli *c, int argc, char **argv)
{
	const char *trust = NULL;
	const struct cli_option options[] = {{"trust", NULL, &trust, NULL},
	    {NULL, NULL, NULL, NULL}};
	char id[2 * PUBLISHER_LEN + 1] = "";
	struct catalogue *cat = NULL;
	int exit_code, err = MUSTER_E_NOMEM;

	if (!cli_parse(c, argc, argv, options, 1, 1, &exit_code))
		return exit_code;
	cat = calloc(1, sizeof(*cat));
	if (cat != NULL)
		err = install(c, trust, cat, id);
	if (err != 0) {
		exit_code = cli_fail(c, err, c->arg[0], next_step(err));
	} else if (c->is_json) {
		exit_code = cli_print(json_pack("{s:s,s:s,s:I}", "schema",
		    "muster.catalogue-install/1", "publisher", id, "serial",
		    (json_int_t)cat->head.serial));
	} else {
		(void)printf("catalogue %u of %s is in force\n",
		    cat->head.serial, cat->head.name);
		exit_code = CLI_DONE;
	}
	free(cat);
	return exit_code;
}
