/* SPDX-License-Identifier: MIT */
#include "trust/slotask.h"

#include <assert.h>
#include <sodium.h>
#include <stdbool.h>

#define BODY_OFF 12
#define PROOF_OFF 52
#define TIME_MAX INT64_C(253402300799) /* end of the year 9999 */

void
slotask_encode(const struct slotask *a, const uint8_t *pk, uint8_t *out)
{
	struct wr w = wr_init(out, SLOTASK_LEN);
	size_t len = 0;
	int err;

	wr_bytes(&w, SLOTASK_MAGIC, 8);
	wr_u32(&w, SLOTASK_VERSION);
	wr_bytes(&w, a->publisher, PUBLISHER_LEN);
	wr_u32(&w, a->key_number);
	wr_u32(&w, (uint32_t)a->act);
	wr_u32(&w, a->slot);
	wr_u32(&w, a->activation);
	wr_i64(&w, a->asked_unix_s);
	assert(w.len == PROOF_OFF);
	hostkey_proof(pk, out + BODY_OFF, PROOF_OFF - BODY_OFF,
	    out + PROOF_OFF);
	w.len += HOSTKEY_PROOF_LEN;
	err = wr_end(&w, &len);
	assert(err == 0 && len == SLOTASK_LEN);
	(void)err;
}

int
slotask_decode(const uint8_t *p, size_t len, struct slotask *a_out)
{
	struct slotask a = {.act = SLOTASK_LIST};
	uint32_t version, act, slot, activation, least, most;
	const uint8_t *magic;
	struct rd r;

	if (len != SLOTASK_LEN)
		return len < SLOTASK_LEN ? MUSTER_E_TRUNC : MUSTER_E_TOOBIG;
	r = rd_init(p, len);
	magic = rd_take(&r, 8);
	version = rd_u32(&r);
	if (memcmp(magic, SLOTASK_MAGIC, 8) != 0 || version != SLOTASK_VERSION)
		return MUSTER_E_PROTO;
	rd_fixed(&r, a.publisher, PUBLISHER_LEN);
	a.key_number = rd_u32(&r);
	act = rd_u32(&r);
	slot = rd_u32(&r);
	activation = rd_u32(&r);
	a.asked_unix_s = rd_i64(&r);
	least = act == SLOTASK_RELEASE ? 1 : 0;
	most = act == SLOTASK_RELEASE ? 255 : 0;
	if ((act != SLOTASK_LIST && act != SLOTASK_RELEASE) || slot < least ||
	    slot > most || activation < least || activation > most ||
	    a.asked_unix_s < 0 || a.asked_unix_s > TIME_MAX)
		return MUSTER_E_RANGE;
	a.act = (enum slotask_act)act;
	a.slot = (uint8_t)slot;
	a.activation = (uint8_t)activation;
	*a_out = a;
	return 0;
}

int
slotask_prove(const uint8_t *p, size_t len, const uint8_t *pk)
{
	uint8_t proof[HOSTKEY_PROOF_LEN];
	bool is_right;

	if (len != SLOTASK_LEN)
		return MUSTER_E_SIG;
	hostkey_proof(pk, p + BODY_OFF, PROOF_OFF - BODY_OFF, proof);
	is_right = sodium_memcmp(proof, p + PROOF_OFF, sizeof(proof)) == 0;
	sodium_memzero(proof, sizeof(proof));
	return is_right ? 0 : MUSTER_E_SIG;
}
