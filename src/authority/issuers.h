/* SPDX-License-Identifier: MIT */
/*
 * issuers.h -- the issuing keys of an authority, in its database.
 *
 * One that was dropped keeps its row, so that no other ever has its number.
 */
#ifndef MUSTER_AUTHORITY_ISSUERS_H
#define MUSTER_AUTHORITY_ISSUERS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "muster/err.h"
#include "trust/label.h"

#define ISSUERS_MAX 255        /* the numbers are 1 to 255 (protocol, 2) */
#define ISSUERS_DAYS 3650      /* that a new one signs, by default */
#define ISSUERS_DAYS_MAX 10000 /* so that its last day stays in 16 bits */
#define ISSUERS_FIRST 1
/* from a catalogue's signing until every machine has met it, by default */
#define ISSUERS_SPREAD_DAYS 90

struct catalogue;

struct issuer {
	uint32_t number;
	uint8_t pk[PUBKEY_LEN];
	uint32_t not_before_day; /* days since 1970 */
	uint32_t not_after_day;  /* the last one */
	uint32_t n_hosts;        /* certificates that hang on it */
	bool is_published;       /* in the newest catalogue that was imported */
	bool is_dropped;         /* in no catalogue to come */
};

/**
 * issuers_all(): all of them, by number.
 *
 * Out:     all_out  ISSUERS_MAX of them
 * Returns: 0; as db_row()
 */
MUSTER_NODISCARD int
issuers_all(sqlite3 *db, struct issuer *all_out, size_t *n_out);

/**
 * issuers_find(): the one that signs certificates today: published, in its
 * time, not dropped, and of those the one that began last.
 *
 * Returns: 0; MUSTER_E_ISSUER (there is none), as db_row()
 */
MUSTER_NODISCARD int
issuers_find(sqlite3 *db, uint32_t today, struct issuer *out);

/**
 * issuers_add(): a new one, which no catalogue has yet; within a transaction.
 *
 * In:      is       key and days
 * Out:     is       its number
 * Returns: 0; MUSTER_E_TOOBIG (a catalogue holds no more, or every number was
 * used once), MUSTER_E_RANGE (a day over 65535), as db_exec()
 */
MUSTER_NODISCARD int issuers_add(sqlite3 *db, struct issuer *is);

/**
 * issuers_drop(): sign nothing by it, leave it out of the next catalogue;
 * within a transaction.
 *
 * Out:     out      what it was
 * Returns: 0; MUSTER_E_NOENT (there is none, or it was dropped before), as
 * db_exec()
 */
MUSTER_NODISCARD int
issuers_drop(sqlite3 *db, uint32_t number, struct issuer *out);

/**
 * issuers_publish(): a catalogue was imported, with these keys and no others;
 * within a transaction.
 *
 * Returns: 0; as db_exec()
 */
struct catalogue;
MUSTER_NODISCARD int issuers_publish(sqlite3 *db, const struct catalogue *cat);

#endif /* MUSTER_AUTHORITY_ISSUERS_H */
