/* SPDX-License-Identifier: MIT */
/*
 * secrets.c -- see secrets.h.
 */
#include "authority/secrets.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

struct secrets {
	char dir[FILE_PATH_MAX];
	uint8_t seal[VAULT_SEAL_LEN];
	uint8_t decoy[VAULT_SEALED_LEN];
	enum secrets_fault fault;
	bool has[SECRETS_ISSUERS_MAX + 1];
	uint8_t issuing[SECRETS_ISSUERS_MAX + 1][SECKEY_LEN];
};

static int
load(struct secrets *s)
{
	uint8_t pk[HOSTKEY_PK_LEN];
	int err;

	err = vault_seal_load(s->dir, s->seal);
	if (err == 0) {
		randombytes_buf(pk, sizeof(pk));
		vault_seal_with(s->seal, SECRETS_DECOY_NUMBER, pk, s->decoy);
		sodium_memzero(pk, sizeof(pk));
	}
	return err;
}

int
secrets_open(const char *dir, struct secrets **secrets_out)
{
	struct secrets *s = sodium_malloc(sizeof(*s));
	int n, err = 0;

	if (s == NULL)
		return MUSTER_E_NOMEM;
	memset(s, 0, sizeof(*s));
	n = snprintf(s->dir, sizeof(s->dir), "%s", dir);
	if (n < 0 || (size_t)n >= sizeof(s->dir))
		err = MUSTER_E_TOOBIG;
	if (err == 0)
		err = load(s);
	if (err != 0) {
		secrets_close(s);
		return err;
	}
	*secrets_out = s;
	return 0;
}

void
secrets_close(struct secrets *s)
{
	sodium_free(s); /* it wipes */
}

int
secrets_unseal(struct secrets *s, uint32_t key_number, const uint8_t *sealed,
    uint8_t *pk_out)
{
	int err = vault_unseal_with(s->seal, key_number, sealed, pk_out);

	if (err != 0)
		s->fault = SECRETS_SEAL;
	return err;
}

const uint8_t *
secrets_decoy(const struct secrets *s)
{
	return s->decoy;
}

static int
issuing(struct secrets *s, uint32_t number, const uint8_t *pk,
    const uint8_t **sk_out)
{
	const uint8_t *sk;
	int err = 0;

	if (number < 1 || number > SECRETS_ISSUERS_MAX)
		return MUSTER_E_NOENT;
	sk = s->issuing[number];
	if (!s->has[number])
		err = vault_issuing_load(s->dir, number, s->issuing[number]);
	if (err == 0 &&
	    memcmp(sk + SECKEY_LEN - PUBKEY_LEN, pk, PUBKEY_LEN) != 0)
		err = MUSTER_E_DAMAGED;
	if (err == 0) {
		s->has[number] = true;
		*sk_out = sk;
	}
	return err;
}

int
secrets_issuing(struct secrets *s, uint32_t number, const uint8_t *pk,
    const uint8_t **sk_out)
{
	int err = issuing(s, number, pk, sk_out);

	if (err != 0)
		s->fault = SECRETS_ISSUING;
	return err;
}

enum secrets_fault
secrets_take_fault(struct secrets *s)
{
	enum secrets_fault fault = s->fault;

	s->fault = SECRETS_SOUND;
	return fault;
}
