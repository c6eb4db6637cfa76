/* SPDX-License-Identifier: MIT */
/*
 * Byte table of a request, all integers big-endian:
 *
 *   offset  bytes  field
 *        0      8  magic
 *        8      4  version
 *       12     16  publisher id          \
 *       28      4  key number            |
 *       32     32  host public key       | body
 *       64      4  counter, 0 to 255     |
 *       68      4  slot to replace, or 0 |
 *       72   4+n+p name, padded          /
 *      end-96  32  proof over body
 *      end-64  64  signature over muster/enrol/1 || body || proof
 */
#include "trust/enrol.h"

#include <assert.h>
#include <sodium.h>

#define BODY_OFF 12
#define PK_OFF 32
#define TAIL_LEN (HOSTKEY_PROOF_LEN + SIG_LEN)
#define MIN_LEN (76 + TAIL_LEN)
#define SIGNED_MAX (LABEL_LEN + ENROL_MAX)

_Static_assert(MIN_LEN + ENROL_NAME_MAX <= ENROL_MAX, "a request fits");

static bool
name_is_good(const uint8_t *p, size_t len)
{
	bool good = true;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = p[i];

		good = good &&
		    ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		        (c >= '0' && c <= '9') || c == '.' || c == '_' ||
		        c == '-');
	}
	return good;
}

/* The signed text: label and all from the body to the proof. */
static size_t
signed_text(const uint8_t *p, size_t len, uint8_t *out)
{
	static const uint8_t label[LABEL_LEN] = LABEL_ENROL;
	size_t n = len - BODY_OFF - SIG_LEN;

	memcpy(out, label, sizeof(label));
	memcpy(out + LABEL_LEN, p + BODY_OFF, n);
	return LABEL_LEN + n;
}

int
enrol_encode(const struct enrol *e, const uint8_t *pk, const uint8_t *host_sk,
    uint8_t *buf, size_t cap, size_t *len_out)
{
	uint8_t text[SIGNED_MAX], proof[HOSTKEY_PROOF_LEN], sig[SIG_LEN];
	size_t name_len = strnlen(e->name, sizeof(e->name));
	struct wr w = wr_init(buf, cap < ENROL_MAX ? cap : ENROL_MAX);
	size_t n;

	assert(memcmp(host_sk + SECKEY_LEN - PUBKEY_LEN, e->host_pk,
	           PUBKEY_LEN) == 0);
	if (name_len > ENROL_NAME_MAX ||
	    !name_is_good((const uint8_t *)e->name, name_len))
		w.err = MUSTER_E_RANGE;
	wr_bytes(&w, ENROL_MAGIC, 8);
	wr_u32(&w, ENROL_VERSION);
	wr_bytes(&w, e->publisher, PUBLISHER_LEN);
	wr_u32(&w, e->key_number);
	wr_bytes(&w, e->host_pk, PUBKEY_LEN);
	wr_u32(&w, e->counter);
	wr_u32(&w, e->replaces);
	wr_opaque(&w, e->name, name_len);
	if (w.err == 0) {
		hostkey_proof(pk, buf + BODY_OFF, w.len - BODY_OFF, proof);
		wr_bytes(&w, proof, sizeof(proof));
	}
	if (w.err == 0) {
		n = signed_text(buf, w.len + SIG_LEN, text);
		label_sign(host_sk, text, n, sig);
		wr_bytes(&w, sig, sizeof(sig));
	}
	return wr_end(&w, len_out);
}

/* Magic, version and signature: before any of the body is looked at. */
static int
verify(const uint8_t *p, size_t len)
{
	uint8_t text[SIGNED_MAX];
	struct rd r = rd_init(p, len);
	const uint8_t *magic;
	int err = 0;

	if (len > ENROL_MAX)
		return MUSTER_E_TOOBIG;
	if (len < MIN_LEN)
		return MUSTER_E_TRUNC;
	magic = rd_take(&r, 8);
	if (memcmp(magic, ENROL_MAGIC, 8) != 0 || rd_u32(&r) != ENROL_VERSION)
		err = MUSTER_E_PROTO;
	if (err == 0) {
		size_t n = signed_text(p, len, text);

		err = label_verify(p + PK_OFF, text, n, p + len - SIG_LEN);
	}
	return err;
}

int
enrol_decode(const uint8_t *p, size_t len, struct enrol *e_out)
{
	struct enrol e = {0};
	struct bytes name;
	uint32_t counter, replaces;
	struct rd r;
	int err;

	err = verify(p, len);
	if (err != 0)
		return err;
	r = rd_init(p + BODY_OFF, len - BODY_OFF);
	rd_fixed(&r, e.publisher, PUBLISHER_LEN);
	e.key_number = rd_u32(&r);
	rd_fixed(&r, e.host_pk, PUBKEY_LEN);
	counter = rd_u32(&r);
	replaces = rd_u32(&r);
	if (counter > 255 || replaces > 255)
		rd_fail(&r, MUSTER_E_RANGE);
	e.counter = (uint8_t)counter;
	e.replaces = (uint8_t)replaces;
	name = rd_opaque(&r, ENROL_NAME_MAX);
	if (name.len != 0) {
		if (!name_is_good(name.p, name.len))
			rd_fail(&r, MUSTER_E_RANGE);
		memcpy(e.name, name.p, name.len);
	}
	rd_fixed(&r, e.proof, HOSTKEY_PROOF_LEN);
	rd_fixed(&r, e.signature, SIG_LEN);
	err = rd_end(&r);
	if (err == 0)
		*e_out = e;
	return err;
}

int
enrol_prove(const uint8_t *p, size_t len, const uint8_t *pk)
{
	uint8_t proof[HOSTKEY_PROOF_LEN];
	int err = MUSTER_E_SIG;

	if (len >= MIN_LEN && len <= ENROL_MAX) {
		hostkey_proof(pk, p + BODY_OFF, len - BODY_OFF - TAIL_LEN,
		    proof);
		if (sodium_memcmp(proof, p + len - TAIL_LEN, sizeof(proof)) ==
		    0)
			err = 0;
		sodium_memzero(proof, sizeof(proof));
	}
	return err;
}
