/* SPDX-License-Identifier: MIT */
#include "host/confirmation.h"

#include <sodium.h>

/* The first link that fails, or 0. */
static int
try(const struct publisher *pub, const uint8_t *answer, uint8_t *certificate)
{
	const struct cat_issuer *issuer;
	struct cert cert;
	int err;

	if (pub->host_sk == NULL || !pub->has_hostkey)
		return MUSTER_E_NOENT;
	phone_certificate(answer, pub->key_number,
	    pub->host_sk + crypto_sign_SEEDBYTES, certificate);
	err = cert_decode(certificate, &cert);
	if (err != 0)
		return MUSTER_E_MISMATCH;
	issuer = cat_issuer(pub->catalogue, cert.issuer);
	if (issuer == NULL)
		return MUSTER_E_ISSUER;
	return cert_verify(&cert, pub->id, issuer->pk) == 0 ? 0
	                                                    : MUSTER_E_MISMATCH;
}

static int
explain(int err, struct problem *problem)
{
	switch (err) {
	case MUSTER_E_ISSUER:
		return problem_set(problem, err, 422, "certificate_issuer",
		    "install the publisher's newest catalogue first (muster "
		    "catalogue install); if it is in force, compare the code "
		    "with what the operator reads out",
		    "the code's issuing key is not in the catalogue in force");
	case MUSTER_E_NOENT:
		return problem_set(problem, err, 409, "no_key",
		    "install a host key first (muster host install-key), and "
		    "ask with its installation ID (muster host activate "
		    "--offline)",
		    "no host key is installed that the code could answer");
	default:
		return problem_set(problem, err, 422, "confirmation_other",
		    "compare it with what the operator reads out, and whether "
		    "it answers the installation ID of this host with the host "
		    "key that is installed now (muster host activate "
		    "--offline)",
		    "the code is for another host or host key, or it was "
		    "altered");
	}
}

int
confirmation_find(struct state *state, struct publisher *only,
    const uint8_t *answer, uint8_t *certificate_out,
    struct publisher **publisher_out, struct problem *problem)
{
	uint8_t certificate[CERT_LEN];
	int why = MUSTER_E_NOENT;

	for (uint32_t i = 0; i < state->n; i++) {
		struct publisher *pub = &state->publishers[i];
		int err;

		if (only != NULL && pub != only)
			continue;
		err = try(pub, answer, certificate);
		if (err == 0) {
			memcpy(certificate_out, certificate, CERT_LEN);
			*publisher_out = pub;
			return 0;
		}
		/* of several publishers the one that comes nearest tells */
		if (why == MUSTER_E_NOENT || err == MUSTER_E_MISMATCH)
			why = err;
	}
	return explain(why, problem);
}
