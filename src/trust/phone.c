/* SPDX-License-Identifier: MIT */
#include "trust/phone.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/cursor.h"
#include "trust/hostkey.h"

#define FORM_INSTALLATION 1U

/* Where the fields of a certificate are that a call carries: cert.h. */
#define CERT_PLACE 4   /* slot, activation */
#define CERT_COVER 10  /* lines, level */
#define CERT_ISSUED 12 /* the upper half of each day stays behind */
#define CERT_EXPIRES 16
#define CERT_PK 20
#define CERT_ISSUER 52
#define CERT_SIG 56

static void
body_of(const struct phone_ask *ask, const uint8_t *publisher, uint8_t *out)
{
	struct wr w = wr_init(out, PHONE_BODY_LEN);

	wr_bytes(&w, publisher, PUBLISHER_LEN);
	wr_u32(&w, ask->key_number);
	wr_u32(&w, FORM_INSTALLATION);
	wr_bytes(&w, ask->fingerprint, CERT_FINGERPRINT_LEN);
	wr_u32(&w, ask->counter);
	assert(w.err == 0 && w.len == PHONE_BODY_LEN);
}

void
phone_ask_prove(struct phone_ask *ask, const uint8_t *publisher,
    const uint8_t *pk)
{
	uint8_t body[PHONE_BODY_LEN], proof[HOSTKEY_PROOF_LEN];

	body_of(ask, publisher, body);
	hostkey_proof(pk, body, sizeof(body), proof);
	memcpy(ask->proof, proof, PHONE_PROOF_LEN);
	sodium_memzero(proof, sizeof(proof));
}

void
phone_ask_encode(const struct phone_ask *ask, uint8_t *out)
{
	struct wr w = wr_init(out, 4);

	wr_u32(&w, ask->key_number);
	memcpy(out + 4, ask->fingerprint, CERT_FINGERPRINT_LEN);
	out[4 + CERT_FINGERPRINT_LEN] = ask->counter;
	memcpy(out + PHONE_ASK_LEN - PHONE_PROOF_LEN, ask->proof,
	    PHONE_PROOF_LEN);
}

void
phone_ask_decode(const uint8_t *p, struct phone_ask *ask_out)
{
	struct rd r = rd_init(p, 4);

	ask_out->key_number = rd_u32(&r);
	memcpy(ask_out->fingerprint, p + 4, CERT_FINGERPRINT_LEN);
	ask_out->counter = p[4 + CERT_FINGERPRINT_LEN];
	memcpy(ask_out->proof, p + PHONE_ASK_LEN - PHONE_PROOF_LEN,
	    PHONE_PROOF_LEN);
}

void
phone_proven(const struct phone_ask *ask, const uint8_t *publisher,
    uint8_t *out)
{
	body_of(ask, publisher, out);
	memcpy(out + PHONE_BODY_LEN, ask->proof, PHONE_PROOF_LEN);
}

int
phone_prove(const uint8_t *p, size_t len, const uint8_t *pk)
{
	uint8_t proof[HOSTKEY_PROOF_LEN];
	int err = MUSTER_E_SIG;

	if (len != PHONE_PROVEN_LEN)
		return err;
	hostkey_proof(pk, p, PHONE_BODY_LEN, proof);
	if (sodium_memcmp(proof, p + PHONE_BODY_LEN, PHONE_PROOF_LEN) == 0)
		err = 0;
	sodium_memzero(proof, sizeof(proof));
	return err;
}

int
phone_answer(const uint8_t *certificate, uint8_t *out)
{
	const uint8_t *c = certificate;
	unsigned left_behind = c[CERT_ISSUED] | c[CERT_ISSUED + 1] |
	    c[CERT_EXPIRES] | c[CERT_EXPIRES + 1] | c[CERT_ISSUER] |
	    c[CERT_ISSUER + 1] | c[CERT_ISSUER + 2];

	if (left_behind != 0)
		return MUSTER_E_RANGE;
	memcpy(out, c + CERT_PLACE, 2);
	memcpy(out + 2, c + CERT_COVER, 2);
	out[4] = c[CERT_ISSUER + 3];
	memcpy(out + 5, c + CERT_ISSUED + 2, 2);
	memcpy(out + 7, c + CERT_EXPIRES + 2, 2);
	memcpy(out + 9, c + CERT_SIG, SIG_LEN);
	return 0;
}

void
phone_certificate(const uint8_t *answer, uint32_t key_number,
    const uint8_t *host_pk, uint8_t *out)
{
	struct wr w = wr_init(out, 4);

	memset(out, 0, CERT_LEN);
	wr_u32(&w, key_number);
	memcpy(out + CERT_PLACE, answer, 2);
	memcpy(out + CERT_COVER, answer + 2, 2);
	memcpy(out + CERT_ISSUED + 2, answer + 5, 2);
	memcpy(out + CERT_EXPIRES + 2, answer + 7, 2);
	memcpy(out + CERT_PK, host_pk, PUBKEY_LEN);
	out[CERT_ISSUER + 3] = answer[4];
	memcpy(out + CERT_SIG, answer + 9, SIG_LEN);
}
