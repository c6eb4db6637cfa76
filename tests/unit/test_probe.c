/* SPDX-License-Identifier: MIT */
#include "client/probe.h"

#include "client_fixture.h"

/* A certificate of the fixture's, changed and signed again. */
struct change {
	const char *what;
	int want;
	int64_t now_unix_s;
	uint32_t issued_day, expires_day;
	uint32_t issuer;
	bool is_stranger;
	uint32_t revoked_key;
};

static int
judge(const struct change *c)
{
	struct catalogue cat = fx_cat;
	struct cert cert, got;
	uint8_t bytes[CERT_LEN];

	is(cert_decode(fx_cert, &cert), 0);
	cert.issued_day = c->issued_day;
	cert.expires_day = c->expires_day;
	cert.issuer = c->issuer;
	cert_sign(&cert, cat.head.publisher,
	    c->is_stranger ? fx_root_sk : fx_issuer_sk);
	cert_encode(&cert, bytes);
	if (c->revoked_key != 0) {
		cat.n_revocations = 1;
		cat.revocations[0] =
		    (struct cat_revocation){.key_number = c->revoked_key,
		        .day = FX_DAY};
	}
	return probe_judge(&cat, bytes, c->now_unix_s, &got);
}

static void
test_probe_judge(void)
{
	static const struct change cases[] = {
	    {"good", 0, FX_NOW, FX_DAY - 1, 0, 1, false, 0},
	    {"ends tomorrow", 0, FX_NOW, FX_DAY - 1, FX_DAY + 1, 1, false, 0},
	    {"ended today", MUSTER_E_EXPIRED, FX_NOW, FX_DAY - 1, FX_DAY, 1,
	        false, 0},
	    {"of two days later", MUSTER_E_EXPIRED, FX_NOW, FX_DAY + 2, 0, 1,
	        false, 0},
	    {"unknown issuing key", MUSTER_E_ISSUER, FX_NOW, FX_DAY - 1, 0, 2,
	        false, 0},
	    {"by a stranger", MUSTER_E_SIG, FX_NOW, FX_DAY - 1, 0, 1, true, 0},
	    {"before the issuing key", MUSTER_E_ISSUED, FX_NOW, FX_DAY - 101, 0,
	        1, false, 0},
	    {"after the issuing key", MUSTER_E_ISSUED, FX_NOW, FX_DAY + 101, 0,
	        1, false, 0},
	    {"revoked", MUSTER_E_REVOKED, FX_NOW, FX_DAY - 1, 0, 1, false, 7},
	    {"not yet revoked", 0, FX_NOW - INT64_C(86400), FX_DAY - 1, 0, 1,
	        false, 7},
	    {"another one revoked", 0, FX_NOW, FX_DAY - 1, 0, 1, false, 8},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		printf("# %s\n", cases[i].what);
		is(judge(&cases[i]), cases[i].want);
	}
}

static void
test_probe_judge_bytes(void)
{
	uint8_t bytes[CERT_LEN];
	struct cert cert;
	unsigned held = 0;

	for (size_t i = 0; i < CERT_LEN; i++) {
		memcpy(bytes, fx_cert, CERT_LEN);
		bytes[i] ^= 1;
		held += probe_judge(&fx_cat, bytes, FX_NOW, &cert) == 0;
	}
	is(held, 0);
}

int
main(void)
{
	fx_init(FX_NOW);
	test_probe_judge();
	test_probe_judge_bytes();
	return tap_done();
}
