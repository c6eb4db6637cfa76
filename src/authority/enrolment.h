/* SPDX-License-Identifier: MIT */
/*
 * enrolment.h -- one request in, one certificate or refusal out.
 *
 * A request is read, its signature judged, before the database is touched.
 * It is proven, judged by grant_decide(), stored and audited within one
 * transaction with the write lock, which may hold many requests, so limits
 * hold however many ask at once; a certificate may leave only after the
 * commit.
 */
#ifndef MUSTER_AUTHORITY_ENROLMENT_H
#define MUSTER_AUTHORITY_ENROLMENT_H

#include "authority/db.h"
#include "authority/grant.h"
#include "authority/keys.h"
#include "authority/secrets.h"
#include "trust/cert.h"
#include "trust/enrol.h"
#include "trust/phone.h"

/* Wrong codes of a host key, after which its hosts are activated by file: of
 * 2^24 proofs twenty are a chance of one in 800,000. */
#define ENROLMENT_WRONG_MAX 20

/* What stays the same from request to request. */
struct enrolment_env {
	sqlite3 *db;
	struct secrets *secrets;
	struct db_self self;
};

struct enrolment {
	struct enrol request;     /* of a code: key number, counter, replaces */
	uint8_t bytes[ENROL_MAX]; /* as received; of a code: what is proven */
	size_t len;
	bool is_code; /* by telephone: the public key is not known */
	uint8_t fingerprint[CERT_FINGERPRINT_LEN];
	struct keys_row key;
	struct grant_answer answer;
	/* Only where not refused; of a code without its public key. */
	uint8_t certificate[CERT_LEN];
};

/**
 * enrolment_open(): database, secrets and name of a folder.
 *
 * Out:     env_out  for enrolment_close(), after a failure too
 * Returns: 0; as db_open(), secrets_open(), db_self()
 */
MUSTER_NODISCARD int
enrolment_open(const char *dir, struct enrolment_env *env_out);

/**
 * enrolment_close(): close and wipe.
 */
void enrolment_close(struct enrolment_env *env);

/**
 * enrolment_read(): take a request apart; pure.
 *
 * In:      p, len   as received
 * Returns: 0
 *          MUSTER_E_TRUNC, _TOOBIG, _PROTO, _RANGE, _KEY  no good request
 */
MUSTER_NODISCARD int
enrolment_read(const uint8_t *p, size_t len, struct enrolment *out);

/**
 * enrolment_read_code(): take an installation ID; pure.
 *
 * In:      p        PHONE_ASK_LEN bytes
 *          publisher  this authority's: a code does not say whose it is
 *          replaces slot that the operator names, or 0
 */
void enrolment_read_code(const uint8_t *p, const uint8_t *publisher,
    uint8_t replaces, struct enrolment *out);

/**
 * enrolment_prove(): load a host key and judge a proof under it.
 *
 * An unknown number costs what a wrong proof costs: nothing but the sealed
 * proof key is read before the proof.
 *
 * In:      prove    enrol_prove() or slotask_prove()
 * Returns: 0; MUSTER_E_SIG  unknown key number or wrong proof: one answer
 *          MUSTER_E_DAMAGED, MUSTER_E_IO
 */
MUSTER_NODISCARD int enrolment_prove(const struct enrolment_env *env,
    uint32_t key_number, const uint8_t *p, size_t len,
    int (*prove)(const uint8_t *p, size_t len, const uint8_t *pk),
    struct keys_row *key_out);

/**
 * enrolment_apply(): answer a request that was read, in an open transaction.
 *
 * Out:     e        answer may be a refusal; good once it is committed
 * Returns: 0
 *          MUSTER_E_PUBLISHER  for another authority
 *          MUSTER_E_SIG        unknown key number or wrong proof: one answer
 *          MUSTER_E_REFUSED    of a code: ENROLMENT_WRONG_MAX were wrong
 *          MUSTER_E_ISSUER     no issuing key is in its time
 *          MUSTER_E_FULL, MUSTER_E_DAMAGED, MUSTER_E_IO
 *          Whatever is not 0 may have changed something: undo it.
 */
MUSTER_NODISCARD int
enrolment_apply(struct enrolment_env *env, struct enrolment *e);

/**
 * enrolment_run(): a transaction for one request that was read.
 *
 * A wrong code is counted, and it and a code too many are audited; whatever
 * else is not 0 has changed nothing.
 *
 * Returns: 0; as enrolment_apply(); MUSTER_E_LOCKED
 * Blocks:  up to DB_BUSY_MS
 */
MUSTER_NODISCARD int
enrolment_run(struct enrolment_env *env, struct enrolment *e);

#endif /* MUSTER_AUTHORITY_ENROLMENT_H */
