/* SPDX-License-Identifier: MIT */
/* Host certificates, slots asks, and both codes of a telephone call. */
#include "target.h"

#include "trust/cert.h"
#include "trust/phone.h"
#include "trust/slotask.h"

static void
phone(const uint8_t *p, size_t len)
{
	uint8_t back[PHONE_ANSWER_LEN], certificate[CERT_LEN];
	static const uint8_t host_pk[PUBKEY_LEN];
	struct phone_ask ask;

	if (len == PHONE_ASK_LEN) {
		phone_ask_decode(p, &ask);
		phone_ask_encode(&ask, back);
		SAME(back, (size_t)PHONE_ASK_LEN, p, len);
	}
	if (len == PHONE_ANSWER_LEN) {
		phone_certificate(p, 1, host_pk, certificate);
		HOLDS(phone_answer(certificate, back) == 0);
		SAME(back, (size_t)PHONE_ANSWER_LEN, p, len);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	uint8_t back[CERT_LEN];
	struct cert cert;
	struct slotask ask;

	if (len == CERT_LEN && cert_decode(p, &cert) == 0) {
		cert_encode(&cert, back);
		SAME(back, (size_t)CERT_LEN, p, len);
		HOLDS(cert.slot > 0 && cert.activation > 0);
	}
	if (slotask_decode(p, len, &ask) == 0) {
		static const uint8_t pk[HOSTKEY_PK_LEN];

		slotask_encode(&ask, pk, back);
		SAME(back, (size_t)SLOTASK_LEN - HOSTKEY_PROOF_LEN, p,
		    len - HOSTKEY_PROOF_LEN);
	}
	phone(p, len);
	return 0;
}
