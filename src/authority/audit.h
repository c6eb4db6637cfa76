/* SPDX-License-Identifier: MIT */
/*
 * audit.h -- every act, in a log that only grows.
 *
 *   hash = BLAKE2b-256(muster/audit/1 || number, at, previous hash, act, detail)
 *
 * in XDR; the first entry's previous hash is zeros.  Each catalogue carries
 * the number and hash of an entry, so a log rewritten or cut behind a
 * catalogue is found.  Neither keys nor secrets stand in it.
 */
#ifndef MUSTER_AUTHORITY_AUDIT_H
#define MUSTER_AUTHORITY_AUDIT_H

#include "authority/db.h"

#define AUDIT_DETAIL_MAX 4096

struct audit_anchor {
	uint64_t number; /* 0: the log is empty */
	uint8_t hash[HASH_LEN];
};

/**
 * audit_add(): append an entry in the open transaction.
 *
 * In:      act      stable name such as "key.issue"
 *          detail   a JSON object; its reference is taken
 * Returns: 0; MUSTER_E_TOOBIG, MUSTER_E_NOMEM, or as db_exec()
 */
MUSTER_NODISCARD int audit_add(sqlite3 *db, const char *act, json_t *detail);

/**
 * audit_last(): number and hash of the last entry.
 *
 * Returns: 0; MUSTER_E_DAMAGED, MUSTER_E_IO
 */
MUSTER_NODISCARD int audit_last(sqlite3 *db, struct audit_anchor *last_out);

/* An entry as it stands; valid during the call that hands it over. */
struct audit_entry {
	uint64_t number;
	int64_t at_unix_s;
	const char *act;
	const char *detail; /* JSON, compact, keys sorted */
	uint8_t previous[HASH_LEN];
	uint8_t hash[HASH_LEN];
};

typedef int audit_entry_fn(void *arg, const struct audit_entry *entry);

/**
 * audit_each(): every entry in order, whether the chain holds or not.
 *
 * Returns: 0; MUSTER_E_MISMATCH (an entry of no form), MUSTER_E_IO; what fn
 *          returned, which ends it unless 0
 */
MUSTER_NODISCARD int audit_each(sqlite3 *db, audit_entry_fn *fn, void *arg);

/**
 * audit_verify(): walk the whole chain.
 *
 * Out:     last_out  the last good entry, on failure too
 * Returns: 0; MUSTER_E_MISMATCH (the entry after last_out), MUSTER_E_IO
 */
MUSTER_NODISCARD int audit_verify(sqlite3 *db, struct audit_anchor *last_out);

/**
 * audit_holds(): is this anchor in the log?
 *
 * Returns: 0; MUSTER_E_NOENT (cut), MUSTER_E_MISMATCH (rewritten), MUSTER_E_IO
 */
MUSTER_NODISCARD int
audit_holds(sqlite3 *db, const struct audit_anchor *anchor);

#endif /* MUSTER_AUTHORITY_AUDIT_H */
