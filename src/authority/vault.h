/* SPDX-License-Identifier: MIT */
/*
 * vault.h -- secrets on disk: root key, issuing keys, seal key.
 *
 * Root key file: magic (8), operations (8), memory in bytes (8), salt (16),
 * root public key (32), nonce (24), box (16 + 64): the secret key under
 * Argon2id of the passphrase (RFC 9106), by libsodium's crypto_pwhash and
 * crypto_secretbox.  Operations and memory stand in the file, so that each
 * opens at the cost at which it was sealed.
 */
#ifndef MUSTER_AUTHORITY_VAULT_H
#define MUSTER_AUTHORITY_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"
#include "trust/hostkey.h"
#include "trust/label.h"

#define VAULT_PASSPHRASE_MAX 1024
#define VAULT_SEAL_LEN 32
#define VAULT_SEALED_LEN (24 + 16 + 4 + HOSTKEY_PK_LEN)
#define VAULT_ISSUING_FILE "issuing.key"
#define VAULT_SEAL_FILE "seal.key"
#define VAULT_ROOT_MAGIC "MUSTERK1"

/**
 * vault_passphrase(): read a passphrase, from a file or the terminal.
 *
 * In:      file     NULL: prompt without echo; "-": standard input; only the
 *                   first line counts
 *          is_new   prompt twice and compare
 * Out:     out      VAULT_PASSPHRASE_MAX + 1 bytes with a NUL; caller wipes
 * Returns: 0
 *          MUSTER_E_NOENT, MUSTER_E_IO, MUSTER_E_TOOBIG
 *          MUSTER_E_TRUNC     empty
 *          MUSTER_E_MISMATCH  typed differently the second time
 */
MUSTER_NODISCARD int vault_passphrase(const char *file, bool is_new, char *out);

/* What it costs to try one passphrase. */
struct vault_cost {
	const char *name;
	uint64_t ops;
	uint64_t memory; /* bytes */
};

/**
 * vault_cost_find(): a cost by its name, as libsodium names them.
 *
 * In:      name     "interactive", "moderate", "sensitive"; NULL: the usual
 *                   one, moderate
 * Returns: static; NULL: there is none of this name
 */
const struct vault_cost *vault_cost_find(const char *name);

/**
 * vault_root_seal(): write a new root key file; an old one is never replaced.
 *
 * Returns: 0; MUSTER_E_EXIST, MUSTER_E_NOENT, MUSTER_E_DENIED, MUSTER_E_NOMEM,
 *          MUSTER_E_IO, MUSTER_E_FULL
 */
MUSTER_NODISCARD int vault_root_seal(const char *path, const char *passphrase,
    const struct vault_cost *cost, const uint8_t *root_sk);

/**
 * vault_root_open(): read a root key file.
 *
 * Out:     root_sk_out  SECKEY_LEN bytes; caller wipes; untouched on failure
 * Returns: 0
 *          MUSTER_E_SIG    wrong passphrase, or a changed file
 *          MUSTER_E_PROTO, MUSTER_E_TRUNC, MUSTER_E_RANGE  no root key file
 *          MUSTER_E_NOENT, MUSTER_E_DENIED, MUSTER_E_NOMEM, MUSTER_E_IO
 */
MUSTER_NODISCARD int
vault_root_open(const char *path, const char *passphrase, uint8_t *root_sk_out);

/**
 * vault_issuing_save(): write an issuing key into the authority's folder.
 *
 * Returns: 0; as file_replace()
 */
MUSTER_NODISCARD int
vault_issuing_save(const char *dir, uint32_t number, const uint8_t *sk);

/**
 * vault_issuing_load(): read one issuing key.
 *
 * Out:     sk_out   SECKEY_LEN bytes; caller wipes
 * Returns: 0; MUSTER_E_NOENT, MUSTER_E_PROTO, MUSTER_E_DENIED, MUSTER_E_IO
 */
MUSTER_NODISCARD int
vault_issuing_load(const char *dir, uint32_t number, uint8_t *sk_out);

/**
 * vault_seal_new(): make the key under which proof keys are sealed.
 *
 * Returns: 0; as file_replace()
 */
MUSTER_NODISCARD int vault_seal_new(const char *dir);

/**
 * vault_seal_load(): read that key.
 *
 * Out:     key_out  VAULT_SEAL_LEN bytes; caller wipes
 * Returns: 0; MUSTER_E_TRUNC, as file_read()
 */
MUSTER_NODISCARD int vault_seal_load(const char *dir, uint8_t *key_out);

/**
 * vault_seal(): seal a proof key for the database.
 *
 * Out:     out      VAULT_SEALED_LEN bytes
 * Returns: 0; as vault_seal_load()
 */
MUSTER_NODISCARD int vault_seal(const char *dir, uint32_t key_number,
    const uint8_t *pk, uint8_t *out);

/**
 * vault_seal_with(): the same with the key at hand.
 */
void vault_seal_with(const uint8_t *key, uint32_t key_number, const uint8_t *pk,
    uint8_t *out);

/**
 * vault_unseal_with(): the reverse; the key number must be the one it was for.
 *
 * Out:     pk_out   HOSTKEY_PK_LEN bytes; caller wipes
 * Returns: 0; MUSTER_E_DAMAGED
 */
MUSTER_NODISCARD int vault_unseal_with(const uint8_t *key, uint32_t key_number,
    const uint8_t *sealed, uint8_t *pk_out);

#endif /* MUSTER_AUTHORITY_VAULT_H */
