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

/* What stays the same from request to request. */
struct enrolment_env {
	sqlite3 *db;
	struct secrets *secrets;
	struct db_self self;
};

struct enrolment {
	struct enrol request;
	uint8_t bytes[ENROL_MAX]; /* as received */
	size_t len;
	struct keys_row key;
	struct grant_answer answer;
	uint8_t certificate[CERT_LEN]; /* only where not refused */
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
 * enrolment_prove(): load a host key and judge a proof under it.
 *
 * An unknown number costs what a wrong proof costs.
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
 *          MUSTER_E_ISSUER     no issuing key is in its time
 *          MUSTER_E_FULL, MUSTER_E_DAMAGED, MUSTER_E_IO
 *          Whatever is not 0 may have changed something: undo it.
 */
MUSTER_NODISCARD int
enrolment_apply(struct enrolment_env *env, struct enrolment *e);

/**
 * enrolment_run(): a transaction for one request that was read.
 *
 * Returns: 0; as enrolment_apply(); MUSTER_E_LOCKED; whatever is not 0 has
 *          changed nothing
 * Blocks:  up to DB_BUSY_MS
 */
MUSTER_NODISCARD int
enrolment_run(struct enrolment_env *env, struct enrolment *e);

#endif /* MUSTER_AUTHORITY_ENROLMENT_H */
