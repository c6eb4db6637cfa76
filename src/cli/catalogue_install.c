/* SPDX-License-Identifier: MIT */
/*
 * catalogue_install.c -- muster catalogue install.
 *
 * A running host is asked to take the catalogue, so that it is in force there
 * when the command returns; it leaves the same files.  Where it does not run,
 * or not for us, the files are written here, and a running musterd finds them.
 * Either way one set of codes: those of musterd.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/paths.h"
#include "cli/cli.h"
#include "cli/http.h"
#include "client/catalogues.h"
#include "client/kept.h"
#include "client/state.h"

struct install {
	const struct cli *c;
	const char *path;
	struct bytes file;
	const char *trust; /* as typed, or NULL */
	uint8_t trusted[PUBLISHER_LEN];
	char id[2 * PUBLISHER_LEN + 1];
	uint8_t hash[HASH_LEN];
	struct catalogue cat, other;
	struct catalogues all;
	uint8_t buf[CAT_FILE_MAX];
	char hex[2 * CAT_FILE_MAX + 1];
	char installed[FILE_PATH_MAX];
};

static int
load(struct install *in)
{
	const struct cli *c = in->c;
	struct cat_source src;
	int err;

	in->file.p = in->buf;
	err = file_read(in->path, in->buf, sizeof(in->buf), &in->file.len);
	if (err != 0)
		return cli_fail_file(c, err, in->path,
		    "name a catalogue; nothing was changed");
	src = cat_memory_source(&in->file);
	err = cat_load(&src, NULL, &in->cat);
	if (err != 0)
		return cli_fail(c, err, in->path,
		    "get the file from the publisher again; nothing was "
		    "changed");
	label_hash(NULL, &in->file, 1, in->hash);
	hex_encode(in->cat.head.publisher, PUBLISHER_LEN, in->id);
	if (in->trust == NULL)
		return CLI_DONE;
	if (hex_decode(in->trust, strlen(in->trust), in->trusted,
	        PUBLISHER_LEN) != 0)
		return cli_errorf(c, CLI_USAGE, "usage",
		    "copy the id that the publisher names",
		    "--trust is no publisher's id: 32 hex digits");
	if (memcmp(in->trusted, in->cat.head.publisher, PUBLISHER_LEN) != 0)
		return cli_errorf(c, CLI_FAILED, "publisher_other",
		    "compare the id with the one that the publisher gave you",
		    "%s is of publisher %s, not of the one named", in->path,
		    in->id);
	return CLI_DONE;
}

/* The newest ever in force here: by the notes, by the client's state. */
static void
find_newest(struct install *in, const char *folder, struct kept_newest *newest)
{
	char rel[FILE_PATH_MAX], path[FILE_PATH_MAX];
	uint8_t buf[STATE_FILE_MAX];
	struct state_publisher state;
	size_t len = 0;

	/* a damaged note counts as none; it is written anew below */
	(void)!kept_newest(folder, in->cat.head.publisher, newest);
	for (size_t i = 0; i < in->all.n; i++) {
		const struct catalogues_entry *e = &in->all.entry[i];

		if (!e->is_in_force || e->head.serial < newest->serial ||
		    memcmp(e->head.publisher, in->cat.head.publisher,
		        PUBLISHER_LEN) != 0)
			continue;
		newest->serial = e->head.serial;
		memcpy(newest->hash, e->hash, HASH_LEN);
	}
	(void)snprintf(rel, sizeof(rel),
	    PATH_AGENT_STATE "/publishers/%s.state", in->id);
	if (file_join(in->c->root, rel, path, sizeof(path)) != 0 ||
	    file_read(path, buf, sizeof(buf), &len) != 0 ||
	    state_publisher_decode(buf, len, &state) != 0 ||
	    state.serial <= newest->serial)
		return;
	*newest = (struct kept_newest){.serial = state.serial};
	if (state.serial == in->cat.head.serial) /* its hash is not kept */
		memcpy(newest->hash, in->hash, HASH_LEN);
}

static bool
is_trusted(const struct install *in, const char *folder)
{
	for (size_t i = 0; i < in->all.n; i++) {
		const struct catalogues_entry *e = &in->all.entry[i];

		if (e->is_shipped &&
		    memcmp(e->head.publisher, in->cat.head.publisher,
		        PUBLISHER_LEN) == 0)
			return true;
	}
	return kept_is_trusted(folder, in->cat.head.publisher);
}

static int
check_products(struct install *in)
{
	for (size_t i = 0; i < in->all.n; i++) {
		const struct catalogues_entry *e = &in->all.entry[i];
		const struct cat_product *product;

		if (!e->is_in_force ||
		    memcmp(e->head.publisher, in->cat.head.publisher,
		        PUBLISHER_LEN) == 0 ||
		    catalogues_load(e->path, &in->other, NULL) != 0)
			continue;
		product = cat_clash(&in->cat, &in->other);
		if (product != NULL)
			return cli_errorf(in->c, CLI_FAILED, "product_clash",
			    "ask both publishers",
			    "catalogue of %s refused: its product %s is also "
			    "one of %s",
			    in->cat.head.name, product->name,
			    in->other.head.name);
	}
	return CLI_DONE;
}

/* May this catalogue take its place among those that are there? */
static int
admit(struct install *in, const char *folder, bool *is_new_out)
{
	const struct cat_head *head = &in->cat.head;
	const struct cli *c = in->c;
	struct kept_newest newest;

	*is_new_out = !is_trusted(in, folder);
	if (*is_new_out && in->trust == NULL)
		return cli_errorf(c, CLI_FAILED, "publisher_untrusted",
		    "compare the id with the one that the publisher gave you; "
		    "if they are equal, install it with --trust and that id",
		    "%s is of publisher %s (%s), which is not trusted here",
		    in->path, in->id, head->name);
	find_newest(in, folder, &newest);
	if (head->serial < newest.serial)
		return cli_errorf(c, CLI_FAILED, "catalogue_old",
		    "get the newest file from the publisher",
		    "%s: serial %u is older than %u, which is or was in force "
		    "here",
		    in->path, head->serial, newest.serial);
	if (head->serial == newest.serial &&
	    memcmp(in->hash, newest.hash, HASH_LEN) != 0)
		return cli_errorf(c, CLI_FAILED, "catalogue_differs",
		    "ask the publisher which is right",
		    "%s: another catalogue of serial %u is in force", in->path,
		    head->serial);
	return check_products(in);
}

static int
install_files(struct install *in)
{
	struct kept_newest newest = {.serial = in->cat.head.serial};
	char folder[FILE_PATH_MAX] = "";
	bool is_new = false;
	int exit_code;
	int err =
	    file_join(in->c->root, PATH_CATALOGUES, folder, sizeof(folder));

	if (err == 0)
		err = catalogues_scan(in->c->root, NULL, &in->all);
	if (err != 0)
		return cli_fail(in->c, err, folder,
		    "see to the files and the rights of the catalogue folders");
	exit_code = admit(in, folder, &is_new);
	if (exit_code != CLI_DONE)
		return exit_code;
	memcpy(newest.hash, in->hash, HASH_LEN);
	memcpy(in->installed, folder, sizeof(folder));
	err = kept_install(folder, in->cat.head.publisher, &in->file, is_new,
	    in->installed);
	if (err == 0)
		err = kept_remember(folder, in->cat.head.publisher, &newest);
	if (err != 0)
		return cli_fail(in->c, err, in->installed,
		    err == MUSTER_E_DENIED
		        ? "run it as a user who may write there (root)"
		        : NULL);
	return CLI_DONE;
}

/* musterd found it good, and has a user that may not write the folder. */
static bool
is_left_to_us(const json_t *reply)
{
	const char *code = json_string_value(
	    json_object_get(json_object_get(reply, "error"), "code"));

	return code != NULL && strcmp(code, "folder_of_root") == 0;
}

/* The daemon first; *taken_out: it is in force there. */
static int
install(struct install *in, bool *taken_out)
{
	enum http_result result;
	json_t *reply = NULL, *body;
	int exit_code = load(in);

	if (exit_code != CLI_DONE)
		return exit_code;
	hex_encode(in->file.p, in->file.len, in->hex);
	body = json_pack("{s:s}", "catalogue", in->hex);
	if (body != NULL && in->trust != NULL)
		(void)json_object_set_new(body, "trust",
		    json_string(in->trust));
	if (body == NULL)
		return cli_fail(in->c, MUSTER_E_NOMEM, NULL, NULL);
	result = http_ask(in->c, "/v1/catalogue", body, &reply);
	if (result == HTTP_REFUSED && is_left_to_us(reply)) {
		json_decref(reply);
		reply = NULL;
		exit_code = install_files(in);
		if (exit_code != CLI_DONE)
			return exit_code;
		body = json_pack("{s:s}", "catalogue", in->hex);
		if (body == NULL)
			return cli_fail(in->c, MUSTER_E_NOMEM, NULL, NULL);
		result = http_ask(in->c, "/v1/catalogue", body, &reply);
	}
	*taken_out = result == HTTP_OK;
	if (result != HTTP_OK && result != HTTP_NO_DAEMON &&
	    result != HTTP_NO_RIGHT && result != HTTP_TOO_LONG)
		return http_report(in->c, result, reply);
	json_decref(reply);
	return *taken_out ? CLI_DONE : install_files(in);
}

int
cmd_catalogue_install(struct cli *c, int argc, char **argv)
{
	const char *trust = NULL;
	const struct cli_option options[] = {{"trust", NULL, &trust, NULL},
	    {NULL, NULL, NULL, NULL}};
	struct install *in = NULL;
	bool is_taken = false;
	int exit_code;

	if (!cli_parse(c, argc, argv, options, 1, 1, &exit_code))
		return exit_code;
	in = calloc(1, sizeof(*in));
	if (in == NULL)
		return cli_fail(c, MUSTER_E_NOMEM, NULL, NULL);
	in->c = c;
	in->path = c->arg[0];
	in->trust = trust;
	exit_code = install(in, &is_taken);
	if (exit_code == CLI_DONE && c->is_json)
		exit_code = cli_print(json_pack("{s:s,s:s,s:s,s:I,s:s}",
		    "schema", "muster.catalogue-install/1", "publisher", in->id,
		    "name", in->cat.head.name, "serial",
		    (json_int_t)in->cat.head.serial, "taken_by",
		    is_taken ? "musterd" : "file"));
	else if (exit_code == CLI_DONE && is_taken)
		(void)printf("musterd took catalogue %u of %s: it is in "
		             "force\n",
		    in->cat.head.serial, in->cat.head.name);
	else if (exit_code == CLI_DONE)
		(void)printf("catalogue %u of %s is installed as %s; a musterd "
		             "that runs takes it up within 5 s\n",
		    in->cat.head.serial, in->cat.head.name, in->installed);
	free(in);
	return exit_code;
}
