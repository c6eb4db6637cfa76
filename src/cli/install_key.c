/* SPDX-License-Identifier: MIT */
/*
 * install_key.c -- muster install-key: a client setup key on a client.
 *
 * A setup key is no secret: it is derived from the product's id, and the
 * catalogue names both.  The agent keeps it, and from then on the product
 * activated; without an agent the command says which product the key stands
 * for, and nothing needs to be kept.  A host key is refused (b43).
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "cli/cli.h"
#include "client/agentcall.h"
#include "client/catalogues.h"
#include "trust/hostkey.h"

#define GROUPS 5 /* of a key; they may be typed as five words */

static const struct cat_product *
find_product(const struct catalogue *cat, const uint8_t *packed)
{
	for (uint32_t i = 0; i < cat->n_products; i++) {
		if (memcmp(cat->products[i].setup_key, packed, HOSTKEY_LEN) ==
		    0)
			return &cat->products[i];
	}
	return NULL;
}

/* MUSTER_E_PRODUCT: no catalogue in force has it. */
static int
look_up(const struct cli *c, const char *file, const uint8_t *packed,
    struct catalogue *cat, const struct cat_product **product_out)
{
	struct catalogues *all = malloc(sizeof(*all));
	int err =
	    all == NULL ? MUSTER_E_NOMEM : catalogues_scan(c->root, file, all);

	if (err == 0 && file != NULL)
		err = all->entry[0].err;
	if (err != 0)
		goto out;
	err = MUSTER_E_PRODUCT;
	for (size_t i = 0; i < all->n && err != 0; i++) {
		if (!all->entry[i].is_in_force ||
		    catalogues_load(all->entry[i].path, cat, NULL) != 0)
			continue;
		*product_out = find_product(cat, packed);
		if (*product_out != NULL)
			err = 0;
	}
out:
	free(all);
	return err;
}

/* A typing error or a key of the other kind goes no further. */
static int
parse(const struct cli *c, uint8_t *packed_out)
{
	const struct cli_error kind = {"kind",
	    "this is a host key; host keys are for KMS hosts only, a client "
	    "takes a client setup key",
	    "on the KMS host: muster host install-key; a client needs no key "
	    "beside the one that its product's package brings"};
	char text[HOSTKEY_INPUT_MAX + 1] = "";
	struct hostkey key;
	size_t len = 0;
	int err = 0;

	for (size_t i = 0; i < c->n_args && err == 0; i++) {
		size_t n = strlen(c->arg[i]);

		if (n > HOSTKEY_INPUT_MAX - len) {
			err = MUSTER_E_TOOBIG;
		} else {
			memcpy(text + len, c->arg[i], n);
			len += n;
		}
	}
	if (err == 0)
		err = hostkey_parse(text, len, &key);
	sodium_memzero(text, sizeof(text));
	if (err != 0)
		return cli_fail(c, err, "client setup key",
		    "type the 25 characters again; nothing was changed");
	if (key.kind == HOSTKEY_SETUP)
		hostkey_pack(&key, packed_out);
	else
		err = MUSTER_E_KIND;
	sodium_memzero(&key, sizeof(key));
	return err == 0 ? CLI_DONE : cli_error(c, CLI_FAILED, &kind);
}

static int
report(const struct cli *c, const struct catalogue *cat,
    const struct cat_product *product, bool is_stored)
{
	char id[UUID_TEXT_LEN + 1], publisher[2 * PUBLISHER_LEN + 1];

	uuid_format(product->id, id);
	hex_encode(cat->head.publisher, PUBLISHER_LEN, publisher);
	if (c->is_json)
		return cli_print(json_pack("{s:s,s:s,s:s,s:s,s:s,s:b}",
		    "schema", "muster.install-key/1", "product", id, "name",
		    product->name, "publisher", publisher, "publisher_name",
		    cat->head.name, "stored", (int)is_stored));
	(void)printf("the key is good: it stands for %s of %s\n", product->name,
	    cat->head.name);
	if (is_stored)
		(void)printf("the agent keeps it; next: muster activate %s\n",
		    id);
	else
		(void)printf("no agent runs here, so nothing was stored\n"
		             "next: muster activate --direct --host NAME "
		             "--product %s\n",
		    id);
	return CLI_DONE;
}

/* Give it to the agent; is there one? */
static int
hand_over(const struct cli *c, const uint8_t *packed, bool *is_stored_out)
{
	struct agent_request req;
	struct agent_reply reply;
	struct hostkey key;
	int err;

	memset(&req, 0, sizeof(req));
	req.op = AGENT_INSTALL_KEY;
	if (hostkey_unpack(packed, &key) == 0)
		hostkey_format(&key, req.key);
	err = agentcall_run(c->root, &req, AGENTCALL_MS, &reply);
	*is_stored_out = err == 0 && reply.err == 0;
	if (err == MUSTER_E_NOENT || err == MUSTER_E_CONNECT || *is_stored_out)
		return CLI_DONE;
	if (err != 0)
		return cli_fail(c, err, "agent.sock",
		    "see its log: journalctl -u muster-agent");
	return cli_fail(c, reply.err, reply.message, reply.next_step);
}

int
cmd_install_key(struct cli *c, int argc, char **argv)
{
	const char *file = NULL;
	const struct cli_option options[] = {{"catalogue", NULL, &file, NULL},
	    {NULL, NULL, NULL, NULL}};
	const struct cat_product *product = NULL;
	uint8_t packed[HOSTKEY_LEN];
	struct catalogue *cat;
	bool is_stored = false;
	int exit_code, err = MUSTER_E_NOMEM;

	if (!cli_parse(c, argc, argv, options, 1, GROUPS, &exit_code))
		return exit_code;
	exit_code = parse(c, packed);
	if (exit_code != CLI_DONE)
		return exit_code;
	cat = malloc(sizeof(*cat));
	if (cat != NULL)
		err = look_up(c, file, packed, cat, &product);
	if (err == 0) {
		exit_code = hand_over(c, packed, &is_stored);
		if (exit_code == CLI_DONE)
			exit_code = report(c, cat, product, is_stored);
	} else if (err == MUSTER_E_PRODUCT) {
		exit_code = cli_errorf(c, CLI_FAILED, "product",
		    "install the product's package, or its catalogue: muster "
		    "catalogue install FILE",
		    "the key is well typed, but no catalogue in force here "
		    "names its product");
	} else {
		exit_code = cli_fail_file(c, err,
		    file != NULL ? file : "the catalogue folders",
		    "name a catalogue by --catalogue");
	}
	free(cat);
	return exit_code;
}
