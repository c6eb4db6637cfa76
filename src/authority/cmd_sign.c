/* SPDX-License-Identifier: MIT */
/*
 * cmd_sign.c -- catalogue sign: needs the root key, no database.
 */
#include "authority/cmd.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authority/prepared.h"
#include "authority/products.h"
#include "authority/vault.h"
#include "base/clock.h"
#include "base/hex.h"
#include "trust/hostkey.h"

#define SUFFIX ".muster"
#define KEY_SUFFIX ".key"

struct signing {
	struct catalogue cat, previous;
	struct catalogue last; /* of the one imported last: see prepared.h */
	struct prepared_hosts hosts;
	uint8_t file[CAT_FILE_MAX];
	char keys[CAT_PRODUCTS_MAX * (HOSTKEY_TEXT_LEN + 1) + 1];
	char key_path[FILE_PATH_MAX];
};

static int
check_kept(const struct ctx *ctx, const struct signing *s,
    const struct catalogue *previous)
{
	const char *next = "put it back, or sign with --drop";
	char id[UUID_TEXT_LEN + 1];

	for (uint32_t i = 0; i < previous->n_issuers; i++) {
		uint32_t number = previous->issuers[i].number;

		if (cat_issuer(&s->cat, number) == NULL)
			return ctx_fail(ctx, EXIT_FAILED, "drops_issuer", next,
			    "issuing key %u is dropped; %u host certificates "
			    "hang on it",
			    number, s->hosts.n[number & 0xff]);
	}
	for (uint32_t i = 0; i < previous->n_products; i++) {
		const struct cat_product *p = &previous->products[i];

		uuid_format(p->id, id);
		if (cat_product(&s->cat, p->id) == NULL)
			return ctx_fail(ctx, EXIT_FAILED, "drops_product", next,
			    "product %s (%s) is dropped", p->name, id);
	}
	return EXIT_DONE;
}

/* By a file: without --previous, the one that would be replaced. */
static int
check_previous(const struct ctx *ctx, struct signing *s)
{
	const char *path = ctx->value[OPT_PREVIOUS];
	uint8_t publisher[PUBLISHER_LEN];
	struct cat_source src;
	struct bytes mem = {.p = s->file};
	int err;

	if (path == NULL) {
		path = ctx->value[OPT_OUT];
		if (access(path, F_OK) != 0)
			return EXIT_DONE;
	}
	label_publisher(s->cat.head.root_pk, publisher);
	err = file_read(path, s->file, sizeof(s->file), &mem.len);
	if (err == 0) {
		src = cat_memory_source(&mem);
		err = cat_load(&src, publisher, &s->previous);
	}
	if (err != 0)
		return ctx_fail_err(ctx, err, path);
	if (s->previous.head.serial >= s->cat.head.serial)
		return ctx_fail(ctx, EXIT_FAILED, "serial_old",
		    "run `muster-authority catalogue prepare` again",
		    "%s has serial %u, the prepared one %u", path,
		    s->previous.head.serial, s->cat.head.serial);
	if (ctx->value[OPT_DROP] != NULL)
		return EXIT_DONE;
	return check_kept(ctx, s, &s->previous);
}

static int
sign(const struct ctx *ctx, struct signing *s, size_t *len_out)
{
	char passphrase[VAULT_PASSPHRASE_MAX + 1];
	uint8_t sk[SECKEY_LEN];
	const char *path = ctx->value[OPT_ROOT_KEY];
	int err, rc = EXIT_DONE;

	err = vault_passphrase(ctx->value[OPT_PASSPHRASE], false, passphrase);
	if (err != 0) {
		rc = ctx_fail_err(ctx, err, "passphrase");
		goto out;
	}
	err = vault_root_open(path, passphrase, sk);
	if (err == MUSTER_E_SIG) {
		rc = ctx_fail(ctx, EXIT_FAILED, "wrong_passphrase",
		    "try again; nothing was written",
		    "the passphrase does not open %s", path);
	} else if (err != 0) {
		rc = ctx_fail_err(ctx, err, path);
	} else if (memcmp(sk + SECKEY_LEN - PUBKEY_LEN, s->cat.head.root_pk,
	               PUBKEY_LEN) != 0) {
		rc = ctx_fail(ctx, EXIT_FAILED, "other_root_key",
		    "use the root key of this publisher",
		    "%s is not the root key that %s names", path,
		    ctx->value[OPT_PREPARED]);
	} else {
		err =
		    cat_encode(&s->cat, sk, s->file, sizeof(s->file), len_out);
		if (err != 0)
			rc = ctx_fail_err(ctx, err, "catalogue");
	}
out:
	sodium_memzero(passphrase, sizeof(passphrase));
	sodium_memzero(sk, sizeof(sk));
	return rc;
}

/* NAME.muster gets NAME.key beside it, a client setup key a line. */
static int
key_path(const struct ctx *ctx, struct signing *s)
{
	const char *out = ctx->value[OPT_OUT];
	size_t len = strlen(out);
	int n;

	if (len > strlen(SUFFIX) &&
	    strcmp(out + len - strlen(SUFFIX), SUFFIX) == 0)
		len -= strlen(SUFFIX);
	n = snprintf(s->key_path, sizeof(s->key_path), "%.*s" KEY_SUFFIX,
	    (int)len, out);
	return n < 0 || (size_t)n >= sizeof(s->key_path) ? MUSTER_E_TOOBIG : 0;
}

static int
report(const struct ctx *ctx, struct signing *s)
{
	json_t *list = json_array();
	struct hostkey key;
	char id[UUID_TEXT_LEN + 1], text[HOSTKEY_TEXT_LEN + 1];
	size_t at = 0;
	int err = 0;

	for (uint32_t i = 0; err == 0 && i < s->cat.n_products; i++) {
		const struct cat_product *p = &s->cat.products[i];

		err = hostkey_unpack(p->setup_key, &key);
		if (err != 0)
			break;
		hostkey_format(&key, text);
		uuid_format(p->id, id);
		at += (size_t)snprintf(s->keys + at, sizeof(s->keys) - at,
		    "%s\n", text);
		if (ctx->value[OPT_JSON] == NULL)
			printf("%s  %s\n", text, p->name);
		(void)json_array_append_new(list,
		    json_pack("{s:s,s:s,s:s}", "id", id, "name", p->name,
		        "setup_key", text));
	}
	if (err == 0)
		err = file_replace(s->key_path, s->keys, at, 0644);
	if (err != 0) {
		json_decref(list);
		return ctx_fail_err(ctx, err, s->key_path);
	}
	if (!ctx_facts(ctx, "muster.authority.sign/1",
	        json_pack("{s:I,s:s,s:s,s:o}", "serial",
	            (json_int_t)s->cat.head.serial, "catalogue",
	            ctx->value[OPT_OUT], "key_file", s->key_path, "products",
	            list)))
		printf("catalogue serial %u in %s, client setup keys in %s\n",
		    s->cat.head.serial, ctx->value[OPT_OUT], s->key_path);
	return EXIT_DONE;
}

int
cmd_catalogue_sign(struct ctx *ctx)
{
	struct signing *s = calloc(1, sizeof(*s));
	size_t len = 0;
	int err, rc;

	if (s == NULL)
		return ctx_fail_err(ctx, MUSTER_E_NOMEM, "catalogue");
	rc = prepared_read(ctx, ctx->value[OPT_PREPARED], &s->cat, &s->hosts,
	    &s->last);
	if (rc == EXIT_DONE)
		rc = products_read(ctx, ctx->operands[0], &s->cat);
	if (rc == EXIT_DONE && key_path(ctx, s) != 0)
		rc = ctx_fail_err(ctx, MUSTER_E_TOOBIG, ctx->value[OPT_OUT]);
	if (rc == EXIT_DONE && ctx->value[OPT_DROP] == NULL)
		rc = check_kept(ctx, s, &s->last);
	if (rc == EXIT_DONE)
		rc = check_previous(ctx, s);
	if (rc == EXIT_DONE) {
		s->cat.head.signed_unix_s = clock_unix_s();
		rc = sign(ctx, s, &len);
	}
	if (rc == EXIT_DONE) {
		err = file_replace(ctx->value[OPT_OUT], s->file, len, 0644);
		if (err != 0)
			rc = ctx_fail_err(ctx, err, ctx->value[OPT_OUT]);
	}
	if (rc == EXIT_DONE)
		rc = report(ctx, s);
	free(s);
	return rc;
}
