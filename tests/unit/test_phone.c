/* SPDX-License-Identifier: MIT */
/*
 * test_phone.c -- installation and confirmation IDs.  The bytes are those of
 * the examples in doc/protocol.md, which tests/e2e/phonecode.py makes anew.
 */
#include "trust/phone.h"

#include <sodium.h>

#include "tap.h"
#include "trust/enrol.h"
#include "trust/hostkey.h"
#include "trust/slotask.h"

static uint8_t publisher[PUBLISHER_LEN], pk[HOSTKEY_PK_LEN];
static uint8_t host_pk[PUBKEY_LEN], host_sk[SECKEY_LEN];
static uint8_t issuer_pk[PUBKEY_LEN], issuer_sk[SECKEY_LEN];

static const char ask_hex[] =
    "12345678b6e8cee269bf69892c70558f3aa4031b01428dab";
static const char certificate_hex[] =
    "123456780101000000000103"
    "00004e2000000000"
    "ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1"
    "00000001"
    "3445d6898e306ded95d713c470a2e326e9fb51fcb5463aea6a12fec7fa5cd7cb"
    "5ae02603fc562dc0d2da68259d16a039ce8b2c9a3b52a0997cea7ccaf64c1f0e";

static void
setup(void)
{
	uint8_t root_pk[PUBKEY_LEN], sk[SECKEY_LEN], key_seed[32];
	struct hostkey key;

	memset(key_seed, 1, sizeof(key_seed));
	(void)crypto_sign_seed_keypair(root_pk, sk, key_seed);
	label_publisher(root_pk, publisher);
	memset(key_seed, 2, sizeof(key_seed));
	(void)crypto_sign_seed_keypair(issuer_pk, issuer_sk, key_seed);
	memset(key_seed, 3, sizeof(key_seed));
	(void)crypto_sign_seed_keypair(host_pk, host_sk, key_seed);
	is(hostkey_parse("4938NKR820C20A1G7104GNDW9", 25, &key), 0);
	hostkey_proof_key(&key, publisher, pk);
}

static struct phone_ask
example(void)
{
	struct phone_ask ask = {.key_number = 305419896, .counter = 1};

	cert_fingerprint(host_pk, ask.fingerprint);
	phone_ask_prove(&ask, publisher, pk);
	return ask;
}

static void
test_b40_installation_id_of_the_example(void)
{
	struct phone_ask ask = example(), back;
	uint8_t bytes[PHONE_ASK_LEN];
	char hex[2 * PHONE_ASK_LEN + 1], text[DIGITS_TEXT_LEN(PHONE_ASK_LEN)];

	phone_ask_encode(&ask, bytes);
	is_str(sodium_bin2hex(hex, sizeof(hex), bytes, sizeof(bytes)), ask_hex);
	digits_format(bytes, sizeof(bytes), text);
	is_str(text,
	    "1004468-3716796-1216628-2022152-1435011-9255717-0877939-0813584-"
	    "1446783-0389551");
	phone_ask_decode(bytes, &back);
	is(back.key_number, ask.key_number);
	is(back.counter, 1);
	ok(memcmp(back.fingerprint, ask.fingerprint, 16) == 0);
	ok(memcmp(back.proof, ask.proof, 3) == 0);
}

static void
test_b40_any_change_of_an_ask_breaks_its_proof(void)
{
	uint8_t proven[PHONE_PROVEN_LEN];
	struct phone_ask ask = example();
	unsigned bad = 0;

	phone_proven(&ask, publisher, proven);
	is(phone_prove(proven, sizeof(proven), pk), 0);
	for (size_t i = 0; i < 8 * sizeof(proven); i++) {
		proven[i / 8] ^= (uint8_t)(1 << i % 8);
		bad += phone_prove(proven, sizeof(proven), pk) != MUSTER_E_SIG;
		proven[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	is(bad, 0);
	pk[0] ^= 1;
	is(phone_prove(proven, sizeof(proven), pk), MUSTER_E_SIG);
	pk[0] ^= 1;
	is(phone_prove(proven, sizeof(proven) - 1, pk), MUSTER_E_SIG);
}

/* What is proven has a length of its own in each of the three forms. */
static void
test_b40_no_other_proof_has_its_length(void)
{
	struct enrol e = {.key_number = 1};
	struct slotask slot = {.act = SLOTASK_LIST};
	uint8_t buf[ENROL_MAX];
	size_t len = 0;

	memcpy(e.host_pk, host_pk, PUBKEY_LEN);
	is(enrol_encode(&e, pk, host_sk, buf, sizeof(buf), &len), 0);
	ok(len - 12 - HOSTKEY_PROOF_LEN - SIG_LEN > PHONE_BODY_LEN);
	slotask_encode(&slot, pk, buf);
	is(SLOTASK_LEN - 12 - HOSTKEY_PROOF_LEN, 40);
	is(PHONE_BODY_LEN, 44);
}

static void
test_b40_confirmation_id_of_the_example(void)
{
	uint8_t cert[CERT_LEN], back[CERT_LEN], answer[PHONE_ANSWER_LEN];
	char text[DIGITS_TEXT_LEN(PHONE_ANSWER_LEN)];
	struct cert c;

	(void)sodium_hex2bin(cert, sizeof(cert), certificate_hex,
	    sizeof(certificate_hex) - 1, NULL, NULL, NULL);
	is(phone_answer(cert, answer), 0);
	digits_format(answer, sizeof(answer), text);
	is_str(text,
	    "1000006-2483001-3541172-5658146-6482913-3456320-"
	    "0596550-8830005-6146525-2585035-8988073-1090186-"
	    "0697577-6103695-7600801-3024863-1706559-5918552-"
	    "6234611-2266898-3537578-4636509-8146558-1803098-"
	    "0002940-6187518-2888160-5375400-3173573-5472785");
	phone_certificate(answer, 305419896, host_pk, back);
	ok(memcmp(cert, back, CERT_LEN) == 0);
	is(cert_decode(back, &c), 0);
	is(cert_verify(&c, publisher, issuer_pk), 0);
	/* by the fingerprint alone, the same signature */
	{
		struct cert d = c;
		uint8_t print[CERT_FINGERPRINT_LEN];

		cert_fingerprint(host_pk, print);
		memset(d.host_pk, 0, sizeof(d.host_pk));
		memset(d.signature, 0, sizeof(d.signature));
		cert_sign_print(&d, print, publisher, issuer_sk);
		ok(memcmp(d.signature, c.signature, SIG_LEN) == 0);
	}
}

static void
test_b40_an_altered_or_foreign_answer_does_not_verify(void)
{
	uint8_t cert[CERT_LEN], answer[PHONE_ANSWER_LEN];
	unsigned bad = 0;
	struct cert c;

	(void)sodium_hex2bin(cert, sizeof(cert), certificate_hex,
	    sizeof(certificate_hex) - 1, NULL, NULL, NULL);
	is(phone_answer(cert, answer), 0);
	for (size_t i = 0; i < 8 * sizeof(answer); i++) {
		answer[i / 8] ^= (uint8_t)(1 << i % 8);
		phone_certificate(answer, 305419896, host_pk, cert);
		bad += cert_decode(cert, &c) == 0 &&
		    cert_verify(&c, publisher, issuer_pk) == 0;
		answer[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	is(bad, 0);
	phone_certificate(answer, 305419897, host_pk, cert);
	is(cert_decode(cert, &c), 0);
	is(cert_verify(&c, publisher, issuer_pk), MUSTER_E_SIG);
	phone_certificate(answer, 305419896, issuer_pk, cert);
	is(cert_decode(cert, &c), 0);
	is(cert_verify(&c, publisher, issuer_pk), MUSTER_E_SIG);
}

/* The example never ends; each byte that is carried comes back as it was. */
static void
test_phone_answer_carries_every_byte(void)
{
	static const size_t carried[] = {4, 5, 10, 11, 14, 15, 18, 19, 55, 56,
	    119};
	uint8_t cert[CERT_LEN], back[CERT_LEN], answer[PHONE_ANSWER_LEN];

	(void)sodium_hex2bin(cert, sizeof(cert), certificate_hex,
	    sizeof(certificate_hex) - 1, NULL, NULL, NULL);
	for (size_t i = 0; i < sizeof(carried) / sizeof(carried[0]); i++) {
		cert[carried[i]] ^= 0xa5;
		memset(answer, 0x3c, sizeof(answer));
		is(phone_answer(cert, answer), 0);
		phone_certificate(answer, 305419896, host_pk, back);
		ok(memcmp(cert, back, CERT_LEN) == 0);
	}
}

static void
test_phone_answer_refuses_what_does_not_fit(void)
{
	static const size_t over[] = {12, 13, 16, 17, 52, 53, 54};
	uint8_t cert[CERT_LEN], answer[PHONE_ANSWER_LEN];

	(void)sodium_hex2bin(cert, sizeof(cert), certificate_hex,
	    sizeof(certificate_hex) - 1, NULL, NULL, NULL);
	for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++) {
		cert[over[i]] = 1;
		is(phone_answer(cert, answer), MUSTER_E_RANGE);
		cert[over[i]] = 0;
	}
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	setup();
	test_b40_installation_id_of_the_example();
	test_b40_any_change_of_an_ask_breaks_its_proof();
	test_b40_no_other_proof_has_its_length();
	test_b40_confirmation_id_of_the_example();
	test_b40_an_altered_or_foreign_answer_does_not_verify();
	test_phone_answer_carries_every_byte();
	test_phone_answer_refuses_what_does_not_fit();
	return tap_done();
}
