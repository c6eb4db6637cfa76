/* SPDX-License-Identifier: MIT */
#include "trust/cert.h"

#include <assert.h>
#include <string.h>

#include "base/cursor.h"

#define SIGNED_LEN (LABEL_LEN + PUBLISHER_LEN + 20 + CERT_FINGERPRINT_LEN + 4)
#define DAY_S 86400

static void
head(struct wr *w, const struct cert *cert)
{
	wr_u32(w, cert->key_number);
	wr_u32(w,
	    (uint32_t)cert->slot << 24 | (uint32_t)cert->activation << 16);
	wr_u32(w, (uint32_t)cert->lines << 8 | cert->level);
	wr_u32(w, cert->issued_day);
	wr_u32(w, cert->expires_day);
}

void
cert_encode(const struct cert *cert, uint8_t *out)
{
	struct wr w = wr_init(out, CERT_LEN);

	head(&w, cert);
	wr_bytes(&w, cert->host_pk, PUBKEY_LEN);
	wr_u32(&w, cert->issuer);
	wr_bytes(&w, cert->signature, SIG_LEN);
	assert(w.err == 0 && w.len == CERT_LEN);
}

int
cert_decode(const uint8_t *p, struct cert *cert_out)
{
	struct rd r = rd_init(p, CERT_LEN);
	struct cert cert;
	uint32_t place, cover;
	int err;

	cert.key_number = rd_u32(&r);
	place = rd_u32(&r);
	cover = rd_u32(&r);
	cert.slot = (uint8_t)(place >> 24);
	cert.activation = (uint8_t)(place >> 16);
	cert.lines = (uint8_t)(cover >> 8);
	cert.level = (uint8_t)cover;
	cert.issued_day = rd_u32(&r);
	cert.expires_day = rd_u32(&r);
	rd_fixed(&r, cert.host_pk, PUBKEY_LEN);
	cert.issuer = rd_u32(&r);
	rd_fixed(&r, cert.signature, SIG_LEN);
	err = rd_end(&r);
	assert(err == 0); /* so many bytes are there, whatever they say */
	(void)err;
	if ((place & 0xffff) != 0 || cover >> 16 != 0)
		return MUSTER_E_PROTO;
	if (cert.slot == 0 || cert.activation == 0)
		return MUSTER_E_PROTO;
	if (cert.issuer == 0 || cert.issuer > 255)
		return MUSTER_E_PROTO;
	if (!label_key_is_good(cert.host_pk))
		return MUSTER_E_KEY;
	*cert_out = cert;
	return 0;
}

void
cert_fingerprint(const uint8_t *host_pk, uint8_t *out)
{
	const struct bytes part = {.p = host_pk, .len = PUBKEY_LEN};
	uint8_t hash[HASH_LEN];

	label_hash(NULL, &part, 1, hash);
	memcpy(out, hash, CERT_FINGERPRINT_LEN);
}

void
cert_hash(const uint8_t *p, uint8_t *out)
{
	const struct bytes part = {.p = p, .len = CERT_LEN};

	label_hash(NULL, &part, 1, out);
}

/* The text that an issuing key signs: SIGNED_LEN bytes. */
static void
signed_text(const struct cert *cert, const uint8_t *publisher,
    const uint8_t *fingerprint, uint8_t *out)
{
	static const uint8_t label[LABEL_LEN] = LABEL_CERT;
	struct wr w = wr_init(out, SIGNED_LEN);

	wr_bytes(&w, label, LABEL_LEN);
	wr_bytes(&w, publisher, PUBLISHER_LEN);
	head(&w, cert);
	wr_bytes(&w, fingerprint, CERT_FINGERPRINT_LEN);
	wr_u32(&w, cert->issuer);
	assert(w.err == 0 && w.len == SIGNED_LEN);
}

void
cert_sign_print(struct cert *cert, const uint8_t *fingerprint,
    const uint8_t *publisher, const uint8_t *issuer_sk)
{
	uint8_t text[SIGNED_LEN];

	signed_text(cert, publisher, fingerprint, text);
	label_sign(issuer_sk, text, sizeof(text), cert->signature);
}

void
cert_sign(struct cert *cert, const uint8_t *publisher, const uint8_t *issuer_sk)
{
	uint8_t fingerprint[CERT_FINGERPRINT_LEN];

	cert_fingerprint(cert->host_pk, fingerprint);
	cert_sign_print(cert, fingerprint, publisher, issuer_sk);
}

int
cert_verify(const struct cert *cert, const uint8_t *publisher,
    const uint8_t *issuer_pk)
{
	uint8_t fingerprint[CERT_FINGERPRINT_LEN], text[SIGNED_LEN];

	cert_fingerprint(cert->host_pk, fingerprint);
	signed_text(cert, publisher, fingerprint, text);
	return label_verify(issuer_pk, text, sizeof(text), cert->signature);
}

bool
cert_covers(const struct cert *cert, uint8_t line, uint8_t level)
{
	return line < 8 && (cert->lines >> line & 1) != 0 &&
	    level <= cert->level;
}

bool
cert_in_date(const struct cert *cert, int64_t unix_s)
{
	int64_t day = unix_s / DAY_S - (unix_s % DAY_S < 0);

	return day >= (int64_t)cert->issued_day - 1 &&
	    (cert->expires_day == 0 || day < (int64_t)cert->expires_day);
}
