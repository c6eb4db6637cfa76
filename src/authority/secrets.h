/* SPDX-License-Identifier: MIT */
/*
 * secrets.h -- the seal key and the issuing keys, opened once and kept in
 * memory that is not swapped and is wiped at the end.
 */
#ifndef MUSTER_AUTHORITY_SECRETS_H
#define MUSTER_AUTHORITY_SECRETS_H

#include "authority/vault.h"

#define SECRETS_ISSUERS_MAX 255 /* their numbers are 1 to 255 */
#define SECRETS_DECOY_NUMBER 0  /* no host key has it */

struct secrets;

/* What a failure was of. */
enum secrets_fault { SECRETS_SOUND, SECRETS_ISSUING, SECRETS_SEAL };

/**
 * secrets_open(): read the seal key of the authority's folder.
 *
 * Returns: 0; MUSTER_E_NOMEM, MUSTER_E_TOOBIG, as vault_seal_load()
 */
MUSTER_NODISCARD int
secrets_open(const char *dir, struct secrets **secrets_out);

/**
 * secrets_close(): wipe and free them; NULL is let be.
 */
void secrets_close(struct secrets *s);

/**
 * secrets_unseal(): the proof key of a row; its number must be the one that it
 * was sealed for.
 *
 * Out:     pk_out   HOSTKEY_PK_LEN bytes; caller wipes
 * Returns: 0; MUSTER_E_DAMAGED
 */
MUSTER_NODISCARD int secrets_unseal(struct secrets *s, uint32_t key_number,
    const uint8_t *sealed, uint8_t *pk_out);

/**
 * secrets_decoy(): a key that nobody has, sealed for SECRETS_DECOY_NUMBER, to
 * be unsealed for a key number that does not exist.
 *
 * Returns: VAULT_SEALED_LEN bytes, borrowed until secrets_close()
 */
const uint8_t *secrets_decoy(const struct secrets *s);

/**
 * secrets_issuing(): one issuing key, read when it is first wanted: one may be
 * added while a service runs.
 *
 * In:      pk       that the database has for it
 * Out:     sk_out   SECKEY_LEN bytes, borrowed until secrets_close()
 * Returns: 0; MUSTER_E_DAMAGED (file and database are not of one authority,
 *          or not of one age), as vault_issuing_load()
 */
MUSTER_NODISCARD int secrets_issuing(struct secrets *s, uint32_t number,
    const uint8_t *pk, const uint8_t **sk_out);

/**
 * secrets_take_fault(): which key the last failure since the last call of this
 * was of.
 *
 * Returns: SECRETS_SOUND when there was none
 */
enum secrets_fault secrets_take_fault(struct secrets *s);

#endif /* MUSTER_AUTHORITY_SECRETS_H */
