/* SPDX-License-Identifier: MIT */
#include "client/probe.h"

#include <sodium.h>
#include <string.h>

#include "base/clock.h"

#define DAY_S INT64_C(86400)

static struct exchange
patient(const struct exchange_target *target, const struct resolvconf *conf)
{
	return (struct exchange){.target = target,
	    .conf = conf,
	    .connect_ms = ASKING_MS,
	    .lookup_ms = stream_end_ms(RESOLVE_MS)};
}

/* One call; its result is at most RPC_BODY_MAX bytes. */
static int
call(struct exchange *x, enum rpc_proc proc, const uint8_t *args,
    size_t args_len, uint8_t *result_out, size_t *len_out)
{
	uint8_t rec[RPC_RECORD_MAX], body[RPC_BODY_MAX];
	uint32_t xid = randombytes_random();
	const uint8_t *p = NULL;
	size_t len = 0, n = 0;
	int err;

	err =
	    rpc_call_encode(xid, proc, args, args_len, rec, sizeof(rec), &len);
	if (err == 0)
		err = exchange_run(x, rec, len, body, &n);
	if (err == 0)
		err = rpc_reply_decode(body, n, xid, &p, &len);
	if (err == 0) {
		memcpy(result_out, p, len);
		*len_out = len;
	}
	return err;
}

bool
probe_is_unheard(enum exchange_phase phase, int err)
{
	return err != 0 &&
	    (phase != EXCHANGE_ANSWER || err == MUSTER_E_TIMEOUT ||
	        err == MUSTER_E_IO || err == MUSTER_E_TRUNC);
}

int
probe_null(const struct exchange_target *target, const struct resolvconf *conf,
    enum exchange_phase *phase_out, int64_t *ms_out)
{
	struct exchange x = patient(target, conf);
	uint8_t result[RPC_BODY_MAX];
	int64_t begin_ms = clock_mono_ms();
	size_t len = 0;
	int err = call(&x, RPC_NULL, NULL, 0, result, &len);

	if (err == 0 && len != 0)
		err = MUSTER_E_PROTO;
	*ms_out = clock_mono_ms() - begin_ms;
	*phase_out = x.phase;
	return err;
}

int
probe_judge(const struct catalogue *cat, const uint8_t *p, int64_t now_unix_s,
    struct cert *cert_out)
{
	uint32_t day = (uint32_t)(now_unix_s / DAY_S);
	const struct cat_issuer *issuer;
	int err = cert_decode(p, cert_out);

	if (err != 0)
		return err;
	issuer = cat_issuer(cat, cert_out->issuer);
	if (issuer == NULL)
		return MUSTER_E_ISSUER;
	err = cert_verify(cert_out, cat->head.publisher, issuer->pk);
	if (err != 0)
		return err;
	if (cert_out->issued_day < issuer->not_before_day ||
	    cert_out->issued_day > issuer->not_after_day)
		return MUSTER_E_ISSUED;
	for (uint32_t i = 0; i < cat->n_revocations; i++) {
		if (cat_revocation_hits(&cat->revocations[i],
		        cert_out->key_number, cert_out->slot,
		        cert_out->activation, day))
			return MUSTER_E_REVOKED;
	}
	return cert_in_date(cert_out, now_unix_s) ? 0 : MUSTER_E_EXPIRED;
}

int
probe_cover(const struct exchange_target *target, const struct resolvconf *conf,
    const struct catalogue *cat, enum exchange_phase *phase_out,
    struct probe_cover *out)
{
	struct exchange x = patient(target, conf);
	uint8_t result[RPC_BODY_MAX];
	struct wire_cover cover;
	int64_t now_unix_s;
	size_t len = 0;
	int err;

	memset(out, 0, sizeof(*out));
	err = call(&x, RPC_COVER, cat->head.publisher, PUBLISHER_LEN, result,
	    &len);
	*phase_out = x.phase;
	if (err == 0)
		err = wire_cover_decode(result, len, &cover);
	if (err != 0)
		return err;
	out->status = cover.status;
	if (cover.status != WIRE_OK)
		return MUSTER_E_REFUSED;
	now_unix_s = clock_unix_s();
	out->host_unix_s = cover.host_unix_s;
	/* years beyond what a clock says differ enough already */
	out->ahead_s =
	    cover.host_unix_s < 0 || cover.host_unix_s > UINT32_MAX * DAY_S
	    ? INT64_MAX
	    : cover.host_unix_s - now_unix_s;
	out->catalogue = cover.catalogue;
	err = probe_judge(cat, cover.certificate, now_unix_s, &out->cert);
	/* by a wrong clock no date can be judged */
	if ((err == 0 || err == MUSTER_E_EXPIRED || err == MUSTER_E_REVOKED) &&
	    (out->ahead_s > LEASE_CLOCK_S || out->ahead_s < -LEASE_CLOCK_S))
		err = MUSTER_E_CLOCK;
	return err;
}

int
probe_activate(const struct exchange_target *target,
    const struct resolvconf *conf, const struct catalogue *cat,
    const struct cat_product *product, const uint8_t *machine,
    enum exchange_phase *phase_out, struct reply *reply_out)
{
	static const uint8_t nobody[WIRE_ID_LEN] = {0};
	struct exchange x = patient(target, conf);
	uint8_t nonce[WIRE_ID_LEN], body[RPC_BODY_MAX];
	const struct request_in in = {.product = product,
	    .cmid = nobody,
	    .machine = machine,
	    .nonce = nonce,
	    .name = "",
	    .now_unix_s = clock_unix_s(),
	    .state = WIRE_UNLICENSED,
	    .xid = randombytes_random()};
	struct request req;
	size_t len = 0;
	int err;

	randombytes_buf(nonce, sizeof(nonce));
	err = request_make(&in, &req);
	if (err == 0)
		err = exchange_run(&x, req.record, req.record_len, body, &len);
	*phase_out = x.phase;
	if (err == 0)
		err = request_judge_probe(&req, body, len, cat, clock_unix_s(),
		    reply_out);
	return err;
}
