/* SPDX-License-Identifier: MIT */
/*
 * enrolment.h -- one request in, one certificate or refusal out.
 *
 * The request is proven, judged by grant_decide(), stored and audited in one
 * transaction with the write lock, so limits hold however many ask at once,
 * and a certificate leaves only after its record is durable.
 */
#ifndef MUSTER_AUTHORITY_ENROLMENT_H
#define MUSTER_AUTHORITY_ENROLMENT_H

#include "authority/db.h"
#include "authority/grant.h"
#include "authority/keys.h"
#include "trust/cert.h"
#include "trust/enrol.h"

struct enrolment {
	struct enrol request;
	struct keys_row key;
	struct grant_answer answer;
	uint8_t certificate[CERT_LEN]; /* only where not refused */
	struct db_self self;
};

/**
 * enrolment_run(): answer a request.
 *
 * In:      dir      of the secrets
 *          p, len   the request as received
 * Out:     out      after 0; answer may be a refusal
 * Returns: 0
 *          MUSTER_E_TRUNC, _TOOBIG, _PROTO, _RANGE, _KEY  no good request
 *          MUSTER_E_PUBLISHER  for another authority
 *          MUSTER_E_SIG        unknown key number or wrong proof: one answer
 *          MUSTER_E_ISSUER     no issuing key is in its time
 *          MUSTER_E_LOCKED, MUSTER_E_FULL, MUSTER_E_DAMAGED, MUSTER_E_IO
 *          Whatever is not 0 has changed nothing.
 * Blocks:  up to DB_BUSY_MS
 */
MUSTER_NODISCARD int enrolment_run(sqlite3 *db, const char *dir,
    const uint8_t *p, size_t len, struct enrolment *out);

#endif /* MUSTER_AUTHORITY_ENROLMENT_H */
