/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/errcode.h"
#include "base/file.h"
#include "base/hex.h"
#include "cli/cli.h"
#include "client/catalogues.h"
#include "client/machine.h"

#define ROOT_TEXT_MAX 256

/* A file that does not decode is no lease; what it decodes to is judged. */
static int
read_lease(const struct cli *c, const char *path, struct lease *lease_out)
{
	const char *next = "name a lease file as the client keeps it";
	uint8_t buf[LEASE_FILE_MAX];
	char what[FILE_PATH_MAX + 64];
	struct wire_args args;
	size_t len = 0;
	int err;

	err = file_read(path, buf, sizeof(buf), &len);
	if (err == 0)
		err = lease_decode(buf, len, lease_out);
	if (err != 0)
		return cli_fail_file(c, err, path, next);
	err = wire_args_decode(lease_out->args, lease_out->args_len, &args);
	if (err == 0)
		return CLI_DONE;
	(void)snprintf(what, sizeof(what), "%s: its request (argument bytes)",
	    path);
	return cli_fail(c, err, what, next);
}

/* Hex of the root public key, white space around it allowed. */
static int
read_root_key(const char *path, uint8_t *pk_out)
{
	char text[ROOT_TEXT_MAX];
	uint8_t buf[ROOT_TEXT_MAX];
	size_t len = 0, skip;
	int err;

	err = file_read(path, buf, sizeof(buf), &len);
	if (err != 0)
		return err;
	memcpy(text, buf, len);
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		len--;
	for (skip = 0; skip < len && text[skip] == ' '; skip++)
		continue;
	err = hex_decode(text + skip, len - skip, pk_out, PUBKEY_LEN);
	if (err == 0 && !label_key_is_good(pk_out))
		err = MUSTER_E_KEY;
	return err;
}

static int
judge(const struct cli *c, const struct lease *lease, const uint8_t *root_pk,
    const struct catalogue *cat, bool any_machine)
{
	struct machine machine = {0};
	struct lease_facts facts;
	uint8_t publisher[PUBLISHER_LEN];
	int64_t now_unix_s = clock_unix_s();
	int err;

	label_publisher(root_pk, publisher);
	if (memcmp(publisher, cat->head.publisher, PUBLISHER_LEN) != 0)
		return MUSTER_E_PUBLISHER;
	if (now_unix_s < cat->head.signed_unix_s)
		now_unix_s = cat->head.signed_unix_s;
	err = any_machine ? 0 : machine_read(c->root, &machine);
	if (err == 0)
		err = lease_facts(lease, cat, &facts);
	if (err == 0) {
		err = machine_judge(&machine, lease, &facts, now_unix_s,
		    any_machine ? LEASE_ANY_MACHINE : 0);
	}
	return err;
}

static int
report(const struct cli *c, const struct lease *lease,
    const struct catalogue *cat, int verdict)
{
	const struct cat_product *product;
	struct wire_args args;
	char link[ERRCODE_MAX], id[UUID_TEXT_LEN + 1] = "";
	json_t *object;

	errcode(verdict, link);
	if (!c->is_json) {
		if (verdict == 0)
			(void)printf("good; count %u\n", lease->grant.count);
		else
			(void)printf("not good: %s\n",
			    muster_strerror(verdict));
		return verdict == 0 ? CLI_DONE : CLI_NOT_ACTIVATED;
	}
	object = json_pack("{s:s,s:b,s:s,s:s,s:I,s:I}", "schema",
	    "muster.verify/1", "good", verdict == 0, "reason", link, "message",
	    muster_strerror(verdict), "count", (json_int_t)lease->grant.count,
	    "issued", (json_int_t)lease->grant.issued_unix_s);
	if (wire_args_decode(lease->args, lease->args_len, &args) == 0) {
		uuid_format(args.product, id);
		(void)json_object_set_new(object, "product", json_string(id));
		product = cat_product(cat, args.product);
		if (product != NULL) {
			(void)json_object_set_new(object, "threshold",
			    json_integer(product->threshold));
		}
	}
	if (cli_print(object) != CLI_DONE)
		return CLI_FAILED;
	return verdict == 0 ? CLI_DONE : CLI_NOT_ACTIVATED;
}

/* A catalogue that is whole but not signed by its root is a link that fails. */
static bool
is_link(int err)
{
	return err == MUSTER_E_SIG || err == MUSTER_E_KEY ||
	    err == MUSTER_E_PUBLISHER;
}

int
cmd_verify(struct cli *c, int argc, char **argv)
{
	const struct cli_error missing = {"usage",
	    "verify needs --catalogue and --root-key", "muster verify --help"};
	const char *catalogue = NULL, *root_key = NULL;
	bool any_machine = false;
	const struct cli_option options[] = {{"catalogue", NULL, &catalogue,
	                                         NULL},
	    {"root-key", NULL, &root_key, NULL},
	    {"any-machine", &any_machine, NULL, NULL},
	    {NULL, NULL, NULL, NULL}};
	struct catalogue *cat = NULL;
	uint8_t root_pk[PUBKEY_LEN];
	struct lease lease;
	int err;

	if (!cli_parse(c, argc, argv, options, 1, 1, &err))
		return err;
	if (catalogue == NULL || root_key == NULL)
		return cli_error(c, CLI_USAGE, &missing);
	err = read_lease(c, c->arg[0], &lease);
	if (err != CLI_DONE)
		return err;
	err = read_root_key(root_key, root_pk);
	if (err != 0)
		return cli_fail_file(c, err, root_key,
		    "the file holds the root public key in hex");
	cat = calloc(1, sizeof(*cat));
	err = cat == NULL ? MUSTER_E_NOMEM
	                  : catalogues_load(catalogue, cat, NULL);
	if (err != 0 && !is_link(err)) {
		err = cli_fail_file(c, err, catalogue,
		    "name a catalogue of the publisher");
	} else {
		if (err == 0)
			err = judge(c, &lease, root_pk, cat, any_machine);
		err = report(c, &lease, cat, err);
	}
	free(cat);
	return err;
}
