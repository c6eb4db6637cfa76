/* SPDX-License-Identifier: MIT */
/*
 * slots.h -- a customer's own slots: what they are, and giving one back.
 */
#ifndef MUSTER_AUTHORITY_SLOTS_H
#define MUSTER_AUTHORITY_SLOTS_H

#include "authority/keys.h"

/**
 * slots_list(): the slots of a key that are not free, as a customer sees them.
 *
 * In:      today    days since 1970, for revocations as of a day
 * Out:     list_out  a new array; the caller's
 * Returns: 0; MUSTER_E_NOMEM, MUSTER_E_DAMAGED, MUSTER_E_IO
 */
MUSTER_NODISCARD int
slots_list(sqlite3 *db, uint32_t key_number, uint32_t today, json_t **list_out);

/**
 * slots_end(): end the certificate of a held slot, in an open transaction.
 *
 * In:      is_release  the slot is given back as well, and counted in the key
 *          day         from which leases of it do not hold any more
 * Returns: 0; as db_exec(); MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int slots_end(sqlite3 *db, uint32_t key_number,
    const struct grant_slot *slot, bool is_release, uint16_t day);

/**
 * slots_close(): end every certificate of a slot, also those to come.
 *
 * Returns: 0; as db_exec(); MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int
slots_close(sqlite3 *db, uint32_t key_number, uint8_t slot, uint16_t day);

/**
 * slots_release(): give a slot back for its customer, in an open transaction.
 *
 * The same slot and activation once more is the same answer, and counts
 * nothing, also after the slot has become free.
 *
 * In:      activation  of the certificate that is given back
 * Out:     key      its releases_used after it
 * Returns: 0
 *          MUSTER_E_NOENT  no such certificate: never there, or it changed hands
 *          MUSTER_E_AGAIN  all releases are used; nothing was changed
 *          as slots_end()
 */
MUSTER_NODISCARD int slots_release(sqlite3 *db, struct keys_row *key,
    uint8_t slot, uint8_t activation, uint16_t day);

#endif /* MUSTER_AUTHORITY_SLOTS_H */
