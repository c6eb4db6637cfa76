/* SPDX-License-Identifier: MIT */
/*
 * cmd_catalogue.c -- catalogue prepare and import: the database's side.
 */
#include "authority/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authority/audit.h"
#include "authority/db.h"
#include "authority/grant.h"
#include "authority/issuers.h"
#include "authority/prepared.h"
#include "base/clock.h"

#define REVOCATIONS_WARN (CAT_REVOCATIONS_MAX / 4 * 3)

static int
load_issuers(sqlite3 *db, struct catalogue *cat, struct prepared_hosts *hosts)
{
	static struct issuer all[ISSUERS_MAX];
	size_t n = 0;
	int err = issuers_all(db, all, &n);

	for (size_t i = 0; err == 0 && i < n; i++) {
		struct cat_issuer *is = &cat->issuers[cat->n_issuers];

		hosts->n[all[i].number & 0xff] = all[i].n_hosts;
		if (all[i].is_dropped)
			continue;
		if (cat->n_issuers++ == CAT_ISSUERS_MAX)
			return MUSTER_E_TOOBIG;
		is->number = all[i].number;
		memcpy(is->pk, all[i].pk, PUBKEY_LEN);
		is->not_before_day = all[i].not_before_day;
		is->not_after_day = all[i].not_after_day;
	}
	return err;
}

/* Without those that a wider one says as well, and not later. */
static int
load_revocations(sqlite3 *db, struct catalogue *cat)
{
	sqlite3_stmt *st = NULL;
	int err;

	err = db_query(db, &st,
	    "SELECT key_number, slot, activation, day FROM revocation r "
	    "WHERE NOT EXISTS (SELECT 1 FROM revocation w WHERE w.key_number "
	    "= r.key_number AND w.activation = 0 AND w.day <= r.day AND "
	    "(w.slot = 0 AND r.slot <> 0 OR w.slot = r.slot AND r.activation "
	    "<> 0)) ORDER BY key_number, slot, activation",
	    "");
	while (err == 0 && (err = db_row(st)) == 1) {
		struct cat_revocation *r =
		    &cat->revocations[cat->n_revocations];

		if (cat->n_revocations == CAT_REVOCATIONS_MAX) {
			err = MUSTER_E_FULL;
			break;
		}
		r->key_number = (uint32_t)sqlite3_column_int64(st, 0);
		r->slot = (uint8_t)sqlite3_column_int(st, 1);
		r->activation = (uint8_t)sqlite3_column_int(st, 2);
		r->day = (uint16_t)sqlite3_column_int(st, 3);
		cat->n_revocations++;
		err = 0;
	}
	db_done(st);
	return err;
}

/* The catalogue that was imported last; empty where there is none. */
static int
load_last(sqlite3 *db, const uint8_t *publisher, struct catalogue *last)
{
	sqlite3_stmt *st = NULL;
	struct cat_source src;
	struct bytes mem;
	int err;

	err = db_query(db, &st,
	    "SELECT file FROM catalogue ORDER BY serial DESC LIMIT 1", "");
	if (err == 0)
		err = db_row(st);
	if (err == 1) {
		mem.p = sqlite3_column_blob(st, 0);
		mem.len = (size_t)sqlite3_column_bytes(st, 0);
		src = cat_memory_source(&mem);
		err = cat_load(&src, publisher, last);
	}
	db_done(st);
	return err;
}

static int
gather(sqlite3 *db, struct catalogue *cat, struct prepared_hosts *hosts,
    struct catalogue *last)
{
	struct audit_anchor entry;
	struct db_self self;
	int err;

	err = db_begin(db);
	if (err == 0)
		err = db_self(db, &self);
	if (err == 0)
		err = load_issuers(db, cat, hosts);
	if (err == 0)
		err = load_revocations(db, cat);
	if (err == 0)
		err = load_last(db, self.publisher, last);
	if (err == 0)
		err = db_exec(db, "UPDATE self SET next_serial = ?", "i",
		    (int64_t)self.next_serial + 1);
	if (err == 0)
		err = audit_add(db, "catalogue.prepare",
		    json_pack("{s:I,s:I}", "serial",
		        (json_int_t)self.next_serial, "revocations",
		        (json_int_t)cat->n_revocations));
	if (err == 0)
		err = audit_last(db, &entry);
	if (err == 0)
		err = db_commit(db);
	if (err != 0)
		return err;
	memcpy(cat->head.root_pk, self.root_pk, PUBKEY_LEN);
	memcpy(cat->head.name, self.name, sizeof(self.name));
	memcpy(cat->head.url, self.url, sizeof(self.url));
	memcpy(cat->head.contact, self.contact, sizeof(self.contact));
	memcpy(cat->head.audit_hash, entry.hash, HASH_LEN);
	cat->head.serial = self.next_serial;
	cat->head.audit_number = entry.number;
	return 0;
}

int
cmd_catalogue_prepare(struct ctx *ctx)
{
	struct catalogue *cat = calloc(2, sizeof(*cat)), *last = cat + 1;
	struct prepared_hosts hosts = {0};
	const char *out = ctx->value[OPT_OUT];
	json_t *json = NULL;
	char *text = NULL;
	sqlite3 *db = NULL;
	int err, rc = EXIT_DONE;

	err = cat == NULL ? MUSTER_E_NOMEM : db_open(ctx->dir, &db);
	if (err == 0)
		err = gather(db, cat, &hosts, last);
	if (err == MUSTER_E_FULL && cat->n_revocations == CAT_REVOCATIONS_MAX) {
		rc = ctx_fail(ctx, EXIT_FAILED, "revocations_full",
		    "revoke whole keys of customers that are gone (key "
		    "revoke), or whole slots (host revoke --for-good)",
		    "a catalogue holds %d revocations, and there are more",
		    CAT_REVOCATIONS_MAX);
		goto out;
	}
	if (err != 0) {
		rc = ctx_fail_err(ctx, err, ctx->dir);
		goto out;
	}
	json = prepared_json(cat, &hosts, last);
	text = json == NULL ? NULL : json_dumps(json, JSON_INDENT(2));
	err = text == NULL ? MUSTER_E_NOMEM
	                   : file_replace(out, text, strlen(text), 0644);
	if (err != 0) {
		rc = ctx_fail_err(ctx, err, out);
		goto out;
	}
	if (cat->n_revocations > REVOCATIONS_WARN)
		(void)fprintf(stderr,
		    "warning: %u of the %d revocations that a catalogue holds "
		    "are used; what revokes a whole key or slot takes one\n",
		    cat->n_revocations, CAT_REVOCATIONS_MAX);
	if (!ctx_facts(ctx, "muster.authority.prepare/1",
	        json_pack("{s:I,s:s,s:I,s:i}", "serial",
	            (json_int_t)cat->head.serial, "file", out, "revocations",
	            (json_int_t)cat->n_revocations, "revocations_max",
	            CAT_REVOCATIONS_MAX)))
		printf("serial %u prepared in %s\n", cat->head.serial, out);
out:
	json_decref(json);
	free(text);
	db_close(db);
	free(cat);
	return rc;
}

/* A slot that was given back is free once its last host is revoked here. */
static int
free_slots(sqlite3 *db, const struct catalogue *cat)
{
	int err = 0;

	for (uint32_t i = 0; err == 0 && i < cat->n_revocations; i++) {
		const struct cat_revocation *r = &cat->revocations[i];

		err = db_exec(db,
		    "UPDATE slot SET hold = ?1 WHERE hold = ?2 AND "
		    "key_number = ?3 AND (?4 = 0 OR slot = ?4) AND "
		    "(?5 = 0 OR activation = ?5)",
		    "iiiii", (int64_t)GRANT_FREE, (int64_t)GRANT_RELEASED,
		    (int64_t)r->key_number, (int64_t)r->slot,
		    (int64_t)r->activation);
	}
	return err;
}

/* 1: this very file is there; 0: it is newer than all. */
static int
check_serial(sqlite3 *db, const struct db_self *self, uint32_t serial,
    const struct bytes *file)
{
	sqlite3_stmt *st = NULL;
	int err;

	if (serial >= self->next_serial)
		return MUSTER_E_RANGE;
	err = db_query(db, &st,
	    "SELECT serial, file FROM catalogue ORDER BY serial DESC LIMIT 1",
	    "");
	if (err == 0)
		err = db_row(st);
	if (err == 1) {
		int64_t top = sqlite3_column_int64(st, 0);
		size_t len = (size_t)sqlite3_column_bytes(st, 1);

		err = 0;
		if (serial == top && len == file->len &&
		    memcmp(sqlite3_column_blob(st, 1), file->p, len) == 0)
			err = 1;
		else if (serial == top)
			err = MUSTER_E_EXIST;
		else if (serial < top)
			err = MUSTER_E_SERIAL;
	}
	db_done(st);
	return err;
}

static int
import(sqlite3 *db, const struct bytes *file, struct catalogue *cat)
{
	struct cat_source src = cat_memory_source(file);
	struct db_self self;
	int err;

	err = db_begin(db);
	if (err == 0)
		err = db_self(db, &self);
	if (err == 0)
		err = cat_load(&src, self.publisher, cat);
	if (err == 0)
		err = check_serial(db, &self, cat->head.serial, file);
	if (err != 0)
		return err == 1 ? 0 : err;
	err = db_exec(db, "INSERT INTO catalogue VALUES(?, ?, ?)", "iib",
	    (int64_t)cat->head.serial, clock_unix_s(), file->p, (int)file->len);
	if (err == 0)
		err = free_slots(db, cat);
	if (err == 0)
		err = issuers_publish(db, cat);
	if (err == 0)
		err = audit_add(db, "catalogue.import",
		    json_pack("{s:I,s:I}", "serial",
		        (json_int_t)cat->head.serial, "products",
		        (json_int_t)cat->n_products));
	if (err == 0)
		err = db_commit(db);
	return err;
}

int
cmd_catalogue_import(struct ctx *ctx)
{
	struct catalogue *cat = calloc(1, sizeof(*cat));
	uint8_t *buf = malloc(CAT_FILE_MAX);
	struct bytes file = {.p = buf};
	const char *path = ctx->operands[0];
	sqlite3 *db = NULL;
	int err, rc = EXIT_DONE;

	err = cat == NULL || buf == NULL
	    ? MUSTER_E_NOMEM
	    : file_read(path, buf, CAT_FILE_MAX, &file.len);
	if (err != 0) {
		rc = ctx_fail_err(ctx, err, path);
		goto out;
	}
	err = db_open(ctx->dir, &db);
	if (err != 0) {
		rc = ctx_fail_err(ctx, err, ctx->dir);
		goto out;
	}
	err = import(db, &file, cat);
	if (err == MUSTER_E_RANGE)
		rc = ctx_fail(ctx, EXIT_FAILED, "serial_not_reserved",
		    "run `muster-authority catalogue prepare` and sign again",
		    "%s: its serial was not reserved here", path);
	else if (err != 0)
		rc = ctx_fail_err(ctx, err, path);
	else if (!ctx_facts(ctx, "muster.authority.import/1",
	             json_pack("{s:I,s:I}", "serial",
	                 (json_int_t)cat->head.serial, "products",
	                 (json_int_t)cat->n_products)))
		printf("catalogue serial %u imported, %u products\n",
		    cat->head.serial, cat->n_products);
out:
	db_close(db);
	free(buf);
	free(cat);
	return rc;
}
