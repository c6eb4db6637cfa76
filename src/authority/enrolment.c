/* SPDX-License-Identifier: MIT */
/*
 * enrolment.c -- see enrolment.h.
 */
#include "authority/enrolment.h"

#include <sodium.h>
#include <string.h>

#include "authority/audit.h"
#include "authority/ctx.h"
#include "authority/issuers.h"
#include "base/clock.h"
#include "base/hex.h"

#define ENROL_HEADER_LEN 12 /* magic, version */
#define CERT_PK_OFF 20      /* of a certificate's public key: cert.h */

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
	uint8_t sealed[VAULT_SEALED_LEN], pk[HOSTKEY_PK_LEN];
	uint32_t sealed_for = 0;
	int err;

	err = keys_sealed(env->db, key_number, secrets_decoy(env->secrets),
	    &sealed_for, sealed);
	if (err == 0)
		err = secrets_unseal(env->secrets, sealed_for, sealed, pk);
	if (err == 0)
		err = prove(p, len, pk);
	sodium_memzero(pk, sizeof(pk));
	/* limits and slots are counted for who has proven the key */
	if (err == 0)
		err = keys_load(env->db, key_number, key_out);
	return err == MUSTER_E_NOENT ? MUSTER_E_SIG : err;
}

/* What was asked: everything but proof and signature, which follow from it. */
static void
hash_body(const struct enrolment *e, uint8_t *out)
{
	struct bytes body = {
	    .p = e->bytes + ENROL_HEADER_LEN,
	    .len = e->len - ENROL_HEADER_LEN - HOSTKEY_PROOF_LEN - SIG_LEN,
	};

	label_hash(LABEL_ENROL, &body, 1, out);
}

/* What the same host and counter would ask by telephone. */
static void
hash_code(const struct enrolment_env *env, const struct enrolment *e,
    uint8_t *out)
{
	struct phone_ask code = {
	    .key_number = e->request.key_number,
	    .counter = e->request.counter,
	};
	uint8_t proven[PHONE_PROVEN_LEN];
	struct bytes body = {.p = proven, .len = PHONE_BODY_LEN};

	memcpy(code.fingerprint, e->fingerprint, CERT_FINGERPRINT_LEN);
	phone_proven(&code, env->self.publisher, proven);
	label_hash(LABEL_ENROL, &body, 1, out);
}

/*
 * What was given before.  is_anew_out: nobody can use that certificate, for
 * its day lies ahead (a clock was wrong) or its issuing key was dropped; the
 * same grant is then signed once more, and counts nothing.
 */
static int
load_past(sqlite3 *db, struct enrolment *e, uint32_t today,
    struct grant_past *past, bool *is_anew_out)
{
	sqlite3_stmt *st = NULL;
	int err;

	err = db_query(db, &st,
	    "SELECT counter, body, certificate, name, issued_day > ?3 OR "
	    "issuer IN (SELECT number FROM issuer WHERE is_dropped) FROM host "
	    "WHERE "
	    "key_number = ?1 AND fingerprint = ?2",
	    "ibi", (int64_t)e->key.number, e->fingerprint, CERT_FINGERPRINT_LEN,
	    (int64_t)today);
	if (err == 0)
		err = db_row(st);
	if (err == 1) {
		past->is_known = true;
		*is_anew_out = sqlite3_column_int(st, 4) != 0;
		past->counter = (uint8_t)sqlite3_column_int(st, 0);
		err = db_blob(st, 1, past->body, HASH_LEN);
		if (err == 0)
			err = db_blob(st, 2, e->certificate, CERT_LEN);
		/* a code does not say it; an earlier request may have */
		if (err == 0 && e->is_code)
			err = db_text(st, 3, e->request.name,
			    sizeof(e->request.name));
	}
	db_done(st);
	return err;
}

static int
certify(struct enrolment_env *env, struct enrolment *e, struct cert *c)
{
	const uint8_t *sk = NULL;
	struct issuer is = {0};
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
	err = issuers_find(env->db, c->issued_day, &is);
	c->issuer = is.number;
	if (err == 0)
		err = secrets_issuing(env->secrets, is.number, is.pk, &sk);
	if (err == 0) {
		cert_sign_print(c, e->fingerprint, env->self.publisher, sk);
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
		    e->fingerprint, CERT_FINGERPRINT_LEN);
	if (err == 0)
		err = db_exec(db,
		    "INSERT OR REPLACE INTO host VALUES(?, ?, ?, ?, ?, ?, ?, "
		    "?)",
		    "ibtibiib", key, e->fingerprint, CERT_FINGERPRINT_LEN,
		    e->request.name, (int64_t)ask->counter, ask->body, HASH_LEN,
		    (int64_t)c->issuer, (int64_t)c->issued_day, e->certificate,
		    CERT_LEN);
	return err;
}

static int
audit(sqlite3 *db, const struct enrolment *e, const char *act,
    const char *answer)
{
	const struct grant_answer *a = &e->answer;
	char print[2 * CERT_FINGERPRINT_LEN + 1];

	hex_encode(e->fingerprint, CERT_FINGERPRINT_LEN, print);
	return audit_add(db, act,
	    json_pack("{s:I,s:s,s:s,s:s,s:b,s:i,s:i,s:i}", "key_number",
	        (json_int_t)e->request.key_number, "answer", answer, "host",
	        e->request.name, "fingerprint", print, "by_code",
	        (int)e->is_code, "slot", (int)a->slot, "activation",
	        (int)a->activation, "counter", (int)e->request.counter));
}

/* A code that is refused for its proof; only the operator's command comes
 * here, so nobody fills the log over the network. */
static int
note_wrong(sqlite3 *db, const struct enrolment *e, int why)
{
	int err = 0;

	if (why == MUSTER_E_SIG)
		err = db_exec(db,
		    "UPDATE host_key SET codes_wrong = codes_wrong + 1 WHERE "
		    "number = ?",
		    "i", (int64_t)e->request.key_number);
	if (err == 0)
		err = audit(db, e, "host.refuse",
		    why == MUSTER_E_SIG ? "key_unknown" : "file_demanded");
	return err == 0 ? db_commit(db) : err;
}

/* A whole proof tells that the key's holder is there. */
static int
clear_wrong(sqlite3 *db, const struct enrolment *e)
{
	if (e->is_code || e->key.codes_wrong == 0)
		return 0;
	return db_exec(db,
	    "UPDATE host_key SET codes_wrong = 0 WHERE number = ?", "i",
	    (int64_t)e->key.number);
}

static int
judge(struct enrolment_env *env, struct enrolment *e)
{
	struct grant_slot slots[GRANT_SLOTS_MAX];
	struct grant_past past = {0};
	struct grant_ask ask = {
	    .counter = e->request.counter,
	    .replaces = e->request.replaces,
	    .is_code = e->is_code,
	};
	uint32_t today = (uint32_t)(clock_unix_s() / S_PER_DAY);
	bool is_anew = false;
	struct cert cert;
	size_t n = 0;
	int err;

	memcpy(ask.fingerprint, e->fingerprint, CERT_FINGERPRINT_LEN);
	hash_code(env, e, ask.code);
	if (e->is_code)
		memcpy(ask.body, ask.code, HASH_LEN);
	else
		hash_body(e, ask.body);
	err = keys_slots(env->db, e->key.number, today, slots, &n);
	if (err == 0)
		err = keys_is_revoked(env->db, &e->key, today);
	if (err == 0)
		err = load_past(env->db, e, today, &past, &is_anew);
	if (err != 0)
		return err;
	e->answer = grant_decide(&e->key.limits, slots, n, &past, &ask);
	if (!grant_is_refusal(e->answer.kind) &&
	    (e->answer.kind != GRANT_SAME || is_anew)) {
		err = certify(env, e, &cert);
		if (err == 0)
			err = store(env->db, e, &cert, &ask);
	}
	/* given by telephone, it was stored without its public key */
	if (err == 0 && e->answer.kind == GRANT_SAME && !e->is_code)
		memcpy(e->certificate + CERT_PK_OFF, e->request.host_pk,
		    PUBKEY_LEN);
	if (err == 0 && !grant_is_refusal(e->answer.kind))
		err = clear_wrong(env->db, e);
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
		cert_fingerprint(out->request.host_pk, out->fingerprint);
	}
	/* A bad signature is no guess at a key; keep the two apart. */
	return err == MUSTER_E_SIG ? MUSTER_E_PROTO : err;
}

void
enrolment_read_code(const uint8_t *p, const uint8_t *publisher,
    uint8_t replaces, struct enrolment *out)
{
	struct phone_ask code;

	memset(out, 0, sizeof(*out));
	phone_ask_decode(p, &code);
	out->is_code = true;
	out->request.key_number = code.key_number;
	out->request.counter = code.counter;
	out->request.replaces = replaces;
	memcpy(out->request.publisher, publisher, PUBLISHER_LEN);
	memcpy(out->fingerprint, code.fingerprint, CERT_FINGERPRINT_LEN);
	phone_proven(&code, publisher, out->bytes);
	out->len = PHONE_PROVEN_LEN;
}

/* Before the proof is looked at: there is nothing to be learned any more. */
static int
check_wrong(const struct enrolment_env *env, const struct enrolment *e)
{
	struct keys_row key;
	int err = 0;

	if (e->is_code)
		err = keys_load(env->db, e->request.key_number, &key);
	if (err == 0 && e->is_code && key.codes_wrong >= ENROLMENT_WRONG_MAX)
		err = MUSTER_E_REFUSED;
	return err == MUSTER_E_NOENT ? 0 : err;
}

int
enrolment_apply(struct enrolment_env *env, struct enrolment *e)
{
	int err = 0;

	if (memcmp(e->request.publisher, env->self.publisher, PUBLISHER_LEN) !=
	    0)
		err = MUSTER_E_PUBLISHER;
	if (err == 0)
		err = check_wrong(env, e);
	if (err == 0)
		err = enrolment_prove(env, e->request.key_number, e->bytes,
		    e->len, e->is_code ? phone_prove : enrol_prove, &e->key);
	if (err == 0)
		err = judge(env, e);
	if (err == 0)
		err = audit(env->db, e,
		    grant_is_refusal(e->answer.kind) ? "host.refuse"
		                                     : "host.activate",
		    grant_code(e->answer.kind));
	return err;
}

int
enrolment_run(struct enrolment_env *env, struct enrolment *e)
{
	int err, wrong = 0;

	err = db_begin(env->db);
	if (err == 0)
		err = enrolment_apply(env, e);
	if (err == 0)
		err = db_commit(env->db);
	else if (e->is_code && (err == MUSTER_E_SIG || err == MUSTER_E_REFUSED))
		wrong = note_wrong(env->db, e, err);
	if (wrong != 0)
		err = wrong;
	if (err != 0)
		db_rollback(env->db);
	return err;
}
