/* SPDX-License-Identifier: MIT */
/*
 * enrolment.c -- see enrolment.h.
 */
#include "authority/enrolment.h"

#include <sodium.h>
#include <string.h>

#include "authority/audit.h"
#include "authority/ctx.h"
#include "base/clock.h"

#define ENROL_HEADER_LEN 12 /* magic, version */

int
enrolment_open(const char *dir, struct enrolment_env *env_out)
{
	int err;

	memset(env_out, 0, sizeof(*env_out));
	err = db_open(dir, &env_out->db);
	if (err == 0)
		err = db_self(env_out->db, &env_out->self);
	if (err == 0)
		err = secrets_open(dir, &env_out->secrets);
	return err;
}

void
enrolment_close(struct enrolment_env *env)
{
	secrets_close(env->secrets);
	db_close(env->db);
	memset(env, 0, sizeof(*env));
}

int
enrolment_prove(const struct enrolment_env *env, uint32_t key_number,
    const uint8_t *p, size_t len,
    int (*prove)(const uint8_t *p, size_t len, const uint8_t *pk),
    struct keys_row *key_out)
{
	uint8_t pk[HOSTKEY_PK_LEN];
	int err, known;

	known = keys_load(env->db, key_number, key_out);
	if (known != 0 && known != MUSTER_E_NOENT)
		return known;
	if (known == 0)
		err = secrets_unseal(env->secrets, key_number, key_out->sealed,
		    pk);
	else
		err = secrets_decoy(env->secrets, pk);
	if (err == 0)
		err = prove(p, len, pk);
	sodium_memzero(pk, sizeof(pk));
	return err;
}

/* What was asked: everything but proof and signature, which follow from it. */
static void
hash_body(const uint8_t *p, size_t len, uint8_t *out)
{
	struct bytes body = {
	    .p = p + ENROL_HEADER_LEN,
	    .len = len - ENROL_HEADER_LEN - HOSTKEY_PROOF_LEN - SIG_LEN,
	};

	label_hash(LABEL_ENROL, &body, 1, out);
}

static int
load_past(sqlite3 *db, const struct grant_ask *ask, uint32_t key_number,
    struct grant_past *past, uint8_t *certificate)
{
	sqlite3_stmt *st = NULL;
	int err;

	err = db_query(db, &st,
	    "SELECT counter, body, certificate FROM host WHERE "
	    "key_number = ? AND host_pk = ?",
	    "ib", (int64_t)key_number, ask->host_pk, PUBKEY_LEN);
	if (err == 0)
		err = db_row(st);
	if (err == 1) {
		past->is_known = true;
		past->counter = (uint8_t)sqlite3_column_int(st, 0);
		err = db_blob(st, 1, past->body, HASH_LEN);
		if (err == 0)
			err = db_blob(st, 2, certificate, CERT_LEN);
	}
	db_done(st);
	return err;
}

/* The newest issuing key that is in its time. */
static int
find_issuer(sqlite3 *db, uint32_t today, uint32_t *number_out)
{
	sqlite3_stmt *st = NULL;
	int err;

	err = db_query(db, &st,
	    "SELECT number FROM issuer WHERE ?1 BETWEEN not_before AND "
	    "not_after ORDER BY number DESC LIMIT 1",
	    "i", (int64_t)today);
	if (err == 0)
		err = db_row(st);
	if (err == 0)
		err = MUSTER_E_ISSUER;
	if (err == 1) {
		*number_out = (uint32_t)sqlite3_column_int64(st, 0);
		err = 0;
	}
	db_done(st);
	return err;
}

static int
certify(struct enrolment_env *env, struct enrolment *e, struct cert *c)
{
	const uint8_t *sk = NULL;
	int err;

	*c = (struct cert){
	    .key_number = e->key.number,
	    .slot = e->answer.slot,
	    .activation = e->answer.activation,
	    .lines = e->key.lines,
	    .level = e->key.level,
	    .issued_day = (uint32_t)(clock_unix_s() / S_PER_DAY),
	};
	memcpy(c->host_pk, e->request.host_pk, PUBKEY_LEN);
	err = find_issuer(env->db, c->issued_day, &c->issuer);
	if (err == 0)
		err = secrets_issuing(env->secrets, c->issuer, &sk);
	if (err == 0) {
		cert_sign(c, env->self.publisher, sk);
		cert_encode(c, e->certificate);
	}
	return err;
}

static int
store(sqlite3 *db, const struct enrolment *e, const struct cert *c,
    const struct grant_ask *ask)
{
	const struct grant_answer *a = &e->answer;
	int64_t key = e->key.number;
	int err = 0;

	if (a->kind == GRANT_REPLACEMENT)
		err = keys_revoke(db, e->key.number, a->slot,
		    (uint8_t)(a->activation - 1), (uint16_t)c->issued_day);
	if (err == 0)
		err = db_exec(db,
		    "INSERT OR REPLACE INTO slot VALUES(?, ?, ?, ?, ?, ?)",
		    "iiiiib", key, (int64_t)a->slot, (int64_t)a->activation,
		    (int64_t)GRANT_HELD, (int64_t)a->reactivations,
		    ask->host_pk, PUBKEY_LEN);
	if (err == 0)
		err = db_exec(db,
		    "INSERT OR REPLACE INTO host VALUES(?, ?, ?, ?, ?, ?, ?, "
		    "?)",
		    "ibtibiib", key, ask->host_pk, PUBKEY_LEN, e->request.name,
		    (int64_t)ask->counter, ask->body, HASH_LEN,
		    (int64_t)c->issuer, (int64_t)c->issued_day, e->certificate,
		    CERT_LEN);
	return err;
}

static int
audit(sqlite3 *db, const struct enrolment *e)
{
	const struct grant_answer *a = &e->answer;

	return audit_add(db,
	    grant_is_refusal(a->kind) ? "host.refuse" : "host.activate",
	    json_pack("{s:I,s:s,s:s,s:i,s:i,s:i}", "key_number",
	        (json_int_t)e->key.number, "answer", grant_code(a->kind),
	        "host", e->request.name, "slot", (int)a->slot, "activation",
	        (int)a->activation, "counter", (int)e->request.counter));
}

static int
judge(struct enrolment_env *env, struct enrolment *e)
{
	struct grant_slot slots[GRANT_SLOTS_MAX];
	struct grant_past past = {0};
	struct grant_ask ask = {
	    .counter = e->request.counter,
	    .replaces = e->request.replaces,
	};
	struct cert cert;
	size_t n = 0;
	int err;

	memcpy(ask.host_pk, e->request.host_pk, PUBKEY_LEN);
	hash_body(e->bytes, e->len, ask.body);
	err = keys_slots(env->db, e->key.number, slots, &n);
	if (err == 0)
		err = load_past(env->db, &ask, e->key.number, &past,
		    e->certificate);
	if (err != 0)
		return err;
	e->answer = grant_decide(&e->key.limits, slots, n, &past, &ask);
	if (!grant_is_refusal(e->answer.kind) && e->answer.kind != GRANT_SAME) {
		err = certify(env, e, &cert);
		if (err == 0)
			err = store(env->db, e, &cert, &ask);
	}
	return err;
}

int
enrolment_read(const uint8_t *p, size_t len, struct enrolment *out)
{
	int err;

	memset(out, 0, sizeof(*out));
	err = enrol_decode(p, len, &out->request);
	if (err == 0) {
		memcpy(out->bytes, p, len);
		out->len = len;
	}
	/* A bad signature is no guess at a key; keep the two apart. */
	return err == MUSTER_E_SIG ? MUSTER_E_PROTO : err;
}

int
enrolment_apply(struct enrolment_env *env, struct enrolment *e)
{
	int err = 0;

	if (memcmp(e->request.publisher, env->self.publisher, PUBLISHER_LEN) !=
	    0)
		err = MUSTER_E_PUBLISHER;
	if (err == 0)
		err = enrolment_prove(env, e->request.key_number, e->bytes,
		    e->len, enrol_prove, &e->key);
	if (err == 0)
		err = judge(env, e);
	if (err == 0)
		err = audit(env->db, e);
	return err;
}

int
enrolment_run(struct enrolment_env *env, struct enrolment *e)
{
	int err;

	err = db_begin(env->db);
	if (err == 0)
		err = enrolment_apply(env, e);
	if (err == 0)
		err = db_commit(env->db);
	if (err != 0)
		db_rollback(env->db);
	return err;
}
