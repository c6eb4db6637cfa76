/* SPDX-License-Identifier: MIT */
/*
 * keys.h -- rows of host keys and slots.
 */
#ifndef MUSTER_AUTHORITY_KEYS_H
#define MUSTER_AUTHORITY_KEYS_H

#include "authority/db.h"
#include "authority/grant.h"
#include "authority/vault.h"

#define KEYS_CUSTOMER_MAX 200

/* In SQL, of slot s and day ?2: its last host, or the slot, is revoked. */
#define KEYS_SLOT_REVOKED                                           \
	"EXISTS(SELECT 1 FROM revocation r WHERE r.key_number = "   \
	"s.key_number AND r.slot = s.slot AND r.activation IN (0, " \
	"s.activation) AND r.day <= ?2)"

struct keys_row {
	uint32_t number;
	uint8_t sealed[VAULT_SEALED_LEN];
	uint8_t level;
	uint8_t lines;
	char customer[KEYS_CUSTOMER_MAX + 1];
	struct grant_key limits;
	uint32_t releases;
	uint32_t releases_used;
	int64_t issued_unix_s;
	uint32_t hosts_used;
	uint32_t codes_wrong; /* by telephone, since the last whole proof */
};

/**
 * keys_load(): one host key.
 *
 * Returns: 0; MUSTER_E_NOENT, MUSTER_E_DAMAGED, MUSTER_E_IO
 */
MUSTER_NODISCARD int
keys_load(sqlite3 *db, uint32_t number, struct keys_row *row_out);

/**
 * keys_sealed(): what a proof is judged by, and nothing else of a host key.
 *
 * For a number that was never issued it is the decoy, by the same statement
 * and in as many rows, so whoever has proven nothing learns nothing from it.
 *
 * In:      decoy       VAULT_SEALED_LEN bytes
 * Out:     for_out     the number that it was sealed for; 0 of the decoy
 *          sealed_out  VAULT_SEALED_LEN bytes
 * Returns: 0; MUSTER_E_DAMAGED, MUSTER_E_IO
 */
MUSTER_NODISCARD int keys_sealed(sqlite3 *db, uint32_t number,
    const uint8_t *decoy, uint32_t *for_out, uint8_t *sealed_out);

/**
 * keys_next(): the key with the least number above one.
 *
 * Returns: as keys_load()
 */
MUSTER_NODISCARD int
keys_next(sqlite3 *db, uint32_t after, struct keys_row *row_out);

/**
 * keys_slots(): every slot that a key ever used.
 *
 * In:      today    days since 1970: a revocation as of a later day does not
 *                   hold yet
 * Out:     slots_out  room for GRANT_SLOTS_MAX
 * Returns: 0; MUSTER_E_DAMAGED, MUSTER_E_IO
 */
MUSTER_NODISCARD int keys_slots(sqlite3 *db, uint32_t number, uint32_t today,
    struct grant_slot *slots_out, size_t *n_out);

/**
 * keys_is_revoked(): note in the row whether the whole key is revoked as of
 * today or an earlier day.
 *
 * Returns: 0; as db_row()
 */
MUSTER_NODISCARD int
keys_is_revoked(sqlite3 *db, struct keys_row *row, uint32_t today);

/**
 * keys_revoke(): note a revocation for the next catalogue; of two days for
 * the same certificates the earlier one stays.
 *
 * Returns: 0; as db_exec()
 */
MUSTER_NODISCARD int keys_revoke(sqlite3 *db, uint32_t number, uint8_t slot,
    uint8_t activation, uint16_t day);

/**
 * keys_json(): a key as facts; no secret is in it.
 *
 * Returns: a new object, or NULL
 */
json_t *keys_json(const struct keys_row *row);

/**
 * keys_lines_text(): "0,1" for a set of lines.
 *
 * Out:     out      16 bytes suffice
 */
void keys_lines_text(uint8_t lines, char *out);

#endif /* MUSTER_AUTHORITY_KEYS_H */
