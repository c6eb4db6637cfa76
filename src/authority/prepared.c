/* SPDX-License-Identifier: MIT */
/*
 * prepared.c -- see prepared.h.
 */
#include "authority/prepared.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

static json_t *
issuers_json(const struct catalogue *cat, const struct prepared_hosts *hosts)
{
	char hex[2 * PUBKEY_LEN + 1];
	json_t *list = json_array();

	for (uint32_t i = 0; i < cat->n_issuers; i++) {
		const struct cat_issuer *is = &cat->issuers[i];

		hex_encode(is->pk, PUBKEY_LEN, hex);
		(void)json_array_append_new(list,
		    json_pack("{s:I,s:s,s:I,s:I,s:I}", "number",
		        (json_int_t)is->number, "public_key", hex,
		        "not_before_day", (json_int_t)is->not_before_day,
		        "not_after_day", (json_int_t)is->not_after_day,
		        "certificates",
		        (json_int_t)hosts->n[is->number & 0xff]));
	}
	return list;
}

/* Issuing keys that the catalogue lacks, and what hangs on them. */
static json_t *
dropped_json(const struct catalogue *cat, const struct prepared_hosts *hosts)
{
	json_t *list = json_array();

	for (uint32_t n = 1; n < PREPARED_ISSUERS; n++) {
		if (hosts->n[n] == 0 || cat_issuer(cat, n) != NULL)
			continue;
		(void)json_array_append_new(list,
		    json_pack("{s:I,s:I}", "number", (json_int_t)n,
		        "certificates", (json_int_t)hosts->n[n]));
	}
	return list;
}

static json_t *
revocations_json(const struct catalogue *cat)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < cat->n_revocations; i++) {
		const struct cat_revocation *r = &cat->revocations[i];

		(void)json_array_append_new(list,
		    json_pack("{s:I,s:i,s:i,s:i}", "key_number",
		        (json_int_t)r->key_number, "slot", (int)r->slot,
		        "activation", (int)r->activation, "day", (int)r->day));
	}
	return list;
}

/* What the next one shall not lack by mistake. */
static json_t *
last_json(const struct catalogue *last)
{
	json_t *issuers = json_array(), *products = json_array();
	char id[UUID_TEXT_LEN + 1];

	for (uint32_t i = 0; i < last->n_issuers; i++)
		(void)json_array_append_new(issuers,
		    json_integer((json_int_t)last->issuers[i].number));
	for (uint32_t i = 0; i < last->n_products; i++) {
		uuid_format(last->products[i].id, id);
		(void)json_array_append_new(products,
		    json_pack("{s:s,s:s}", "id", id, "name",
		        last->products[i].name));
	}
	return json_pack("{s:o,s:o}", "issuers", issuers, "products", products);
}

json_t *
prepared_json(const struct catalogue *cat, const struct prepared_hosts *hosts,
    const struct catalogue *last)
{
	char pk[2 * PUBKEY_LEN + 1], audit[2 * HASH_LEN + 1];

	hex_encode(cat->head.root_pk, PUBKEY_LEN, pk);
	hex_encode(cat->head.audit_hash, HASH_LEN, audit);
	return json_pack(
	    "{s:s,s:s,s:s,s:s,s:s,s:I,s:o,s:o,s:o,s:o,s:{s:I,s:s}}", "schema",
	    PREPARED_SCHEMA, "root_public_key", pk, "name", cat->head.name,
	    "url", cat->head.url, "contact", cat->head.contact, "serial",
	    (json_int_t)cat->head.serial, "issuers", issuers_json(cat, hosts),
	    "dropped", dropped_json(cat, hosts), "revocations",
	    revocations_json(cat), "last", last_json(last), "audit", "number",
	    (json_int_t)cat->head.audit_number, "hash", audit);
}

/* Each reader clears *ok where the value is not there or not in range. */
static uint32_t
get_u32(const json_t *o, const char *key, uint32_t max, bool *ok)
{
	const json_t *v = json_object_get(o, key);
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < 0 || n > (json_int_t)max)
		*ok = false;
	return (uint32_t)n;
}

static void
get_text(const json_t *o, const char *key, char *out, size_t cap, bool *ok)
{
	const json_t *v = json_object_get(o, key);
	size_t len = json_string_length(v);

	if (!json_is_string(v) || len >= cap) {
		*ok = false;
		return;
	}
	memcpy(out, json_string_value(v), len);
	out[len] = '\0';
}

static void
get_hex(const json_t *o, const char *key, uint8_t *out, size_t len, bool *ok)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_string(v) ||
	    hex_decode(json_string_value(v), json_string_length(v), out, len) !=
	        0)
		*ok = false;
}

/* A file that was prepared by an older program has no such object. */
static void
get_last(const json_t *root, struct catalogue *last, bool *ok)
{
	const json_t *o = json_object_get(root, "last");
	const json_t *issuers = json_object_get(o, "issuers");
	const json_t *products = json_object_get(o, "products");
	char id[UUID_TEXT_LEN + 1] = "";
	const json_t *v;
	size_t i;

	if (o != NULL &&
	    (!json_is_array(issuers) || !json_is_array(products) ||
	        json_array_size(issuers) > CAT_ISSUERS_MAX ||
	        json_array_size(products) > CAT_PRODUCTS_MAX)) {
		*ok = false;
		return;
	}
	json_array_foreach(issuers, i, v)
	{
		last->issuers[i].number = (uint32_t)json_integer_value(v);
		last->n_issuers++;
	}
	json_array_foreach(products, i, v)
	{
		struct cat_product *p = &last->products[i];

		get_text(v, "id", id, sizeof(id), ok);
		get_text(v, "name", p->name, sizeof(p->name), ok);
		if (*ok && uuid_parse(id, p->id) != 0)
			*ok = false;
		last->n_products++;
	}
}

/* A file that was prepared before keys could be dropped has no such list. */
static void
get_dropped(const json_t *root, struct prepared_hosts *hosts, bool *ok)
{
	const json_t *dropped = json_object_get(root, "dropped");
	const json_t *v;
	size_t i;

	if (dropped != NULL &&
	    (!json_is_array(dropped) ||
	        json_array_size(dropped) >= PREPARED_ISSUERS))
		*ok = false;
	json_array_foreach(dropped, i, v)
	{
		uint32_t number =
		    get_u32(v, "number", PREPARED_ISSUERS - 1, ok);
		uint32_t n = get_u32(v, "certificates", UINT32_MAX, ok);

		if (*ok)
			hosts->n[number] = n;
	}
}

static void
get_lists(const json_t *root, struct catalogue *cat,
    struct prepared_hosts *hosts, bool *ok)
{
	const json_t *issuers = json_object_get(root, "issuers");
	const json_t *revs = json_object_get(root, "revocations");
	const json_t *v;
	size_t i;

	if (!json_is_array(issuers) || !json_is_array(revs) ||
	    json_array_size(issuers) > CAT_ISSUERS_MAX ||
	    json_array_size(revs) > CAT_REVOCATIONS_MAX) {
		*ok = false;
		return;
	}
	json_array_foreach(issuers, i, v)
	{
		struct cat_issuer *is = &cat->issuers[cat->n_issuers++];

		is->number = get_u32(v, "number", 255, ok);
		get_hex(v, "public_key", is->pk, PUBKEY_LEN, ok);
		is->not_before_day =
		    get_u32(v, "not_before_day", UINT32_MAX, ok);
		is->not_after_day = get_u32(v, "not_after_day", UINT32_MAX, ok);
		hosts->n[is->number & 0xff] =
		    get_u32(v, "certificates", UINT32_MAX, ok);
	}
	json_array_foreach(revs, i, v)
	{
		struct cat_revocation *r =
		    &cat->revocations[cat->n_revocations++];

		r->key_number = get_u32(v, "key_number", UINT32_MAX, ok);
		r->slot = (uint8_t)get_u32(v, "slot", 255, ok);
		r->activation = (uint8_t)get_u32(v, "activation", 255, ok);
		r->day = (uint16_t)get_u32(v, "day", 65535, ok);
	}
}

int
prepared_read(const struct ctx *ctx, const char *path,
    struct catalogue *cat_out, struct prepared_hosts *hosts_out,
    struct catalogue *last_out)
{
	char schema[sizeof(PREPARED_SCHEMA)] = "";
	uint8_t *text = malloc(PREPARED_MAX);
	struct cat_head *head = &cat_out->head;
	const json_t *audit;
	json_error_t why;
	json_t *root = NULL;
	size_t len = 0;
	bool ok = true;
	int err, rc = EXIT_DONE;

	memset(cat_out, 0, sizeof(*cat_out));
	memset(hosts_out, 0, sizeof(*hosts_out));
	memset(last_out, 0, sizeof(*last_out));
	err = text == NULL ? MUSTER_E_NOMEM
	                   : file_read(path, text, PREPARED_MAX, &len);
	if (err != 0) {
		rc = ctx_fail_err(ctx, err, path);
		goto out;
	}
	root =
	    json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, &why);
	audit = json_object_get(root, "audit");
	get_text(root, "schema", schema, sizeof(schema), &ok);
	get_text(root, "name", head->name, sizeof(head->name), &ok);
	get_text(root, "url", head->url, sizeof(head->url), &ok);
	get_text(root, "contact", head->contact, sizeof(head->contact), &ok);
	get_hex(root, "root_public_key", head->root_pk, PUBKEY_LEN, &ok);
	head->serial = get_u32(root, "serial", UINT32_MAX, &ok);
	head->audit_number = get_u32(audit, "number", UINT32_MAX, &ok);
	get_hex(audit, "hash", head->audit_hash, HASH_LEN, &ok);
	get_lists(root, cat_out, hosts_out, &ok);
	get_dropped(root, hosts_out, &ok);
	get_last(root, last_out, &ok);
	if (!ok || strcmp(schema, PREPARED_SCHEMA) != 0)
		rc = ctx_fail(ctx, EXIT_FAILED, "bad_prepared",
		    "run `muster-authority catalogue prepare` again",
		    "%s is not a prepared catalogue", path);
out:
	json_decref(root);
	free(text);
	return rc;
}
