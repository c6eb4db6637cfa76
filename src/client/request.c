/* SPDX-License-Identifier: MIT */
#include "client/request.h"

#include <string.h>

#define DAY_S INT64_C(86400)

int
request_make(const struct request_in *in, struct request *req_out)
{
	struct request req = {.xid = in->xid};
	uint8_t hash[HASH_LEN];
	size_t name_len = strlen(in->name);
	int err;

	if (name_len > WIRE_NAME_MAX)
		return MUSTER_E_TOOBIG;
	req.args.time_unix_s = in->now_unix_s;
	req.args.state = in->state;
	req.args.threshold = in->product->threshold;
	req.args.minutes_left = in->minutes_left;
	memcpy(req.args.product, in->product->id, WIRE_ID_LEN);
	memcpy(req.args.cmid, in->cmid, WIRE_ID_LEN);
	memcpy(req.args.nonce, in->nonce, WIRE_ID_LEN);
	memcpy(req.args.machine, in->machine, WIRE_ID_LEN);
	memcpy(req.args.name, in->name, name_len);
	if (in->previous != NULL)
		memcpy(req.args.previous, in->previous, WIRE_TAG_LEN);
	if (in->certificate != NULL) {
		cert_hash(in->certificate, hash);
		memcpy(req.args.known_host, hash, WIRE_TAG_LEN);
		memcpy(req.certificate, in->certificate, CERT_LEN);
		req.has_certificate = true;
	}
	err = wire_args_encode(&req.args, req.args_bytes,
	    sizeof(req.args_bytes), &req.args_len);
	if (err == 0) {
		err = rpc_call_encode(req.xid, RPC_ACTIVATE, req.args_bytes,
		    req.args_len, req.record, sizeof(req.record),
		    &req.record_len);
	}
	if (err == 0)
		*req_out = req;
	return err;
}

/* The lease that a reply amounts to; its certificate may come from us. */
static int
lease_of(const struct request *req, const struct wire_result *res,
    struct lease *lease_out)
{
	struct lease lease = {.grant = res->grant, .args_len = req->args_len};

	memcpy(lease.args, req->args_bytes, req->args_len);
	memcpy(lease.signature, res->signature, SIG_LEN);
	if (res->form == 0) {
		memcpy(lease.certificate, res->certificate, CERT_LEN);
	} else {
		if (!req->has_certificate)
			return MUSTER_E_PROTO;
		memcpy(lease.certificate, req->certificate, CERT_LEN);
		lease.place = res->place;
	}
	*lease_out = lease;
	return 0;
}

static bool
is_near(int64_t a, int64_t b)
{
	uint64_t apart =
	    a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;

	return apart <= LEASE_CLOCK_S;
}

static int
judge_ok(const struct request *req, const struct wire_result *res,
    const struct catalogue *cat, int64_t now_unix_s, unsigned flags,
    struct reply *reply_out)
{
	struct reply reply = {.status = WIRE_OK, .count = res->grant.count};
	struct lease_facts facts;
	uint8_t hash[HASH_LEN], leaf[HASH_LEN];
	int err;

	err = lease_of(req, res, &reply.lease);
	if (err == 0)
		err = lease_facts(&reply.lease, cat, &facts);
	if (err == 0) {
		err = lease_judge(&reply.lease, &facts, req->args.machine,
		    now_unix_s, flags);
	}
	/* A lease may be old, a reply may not: b34. */
	if (err == 0 && !is_near(res->grant.issued_unix_s, now_unix_s))
		err = MUSTER_E_CLOCK;
	if (err != 0)
		return err;
	cert_hash(reply.lease.certificate, hash);
	lease_leaf(facts.publisher, hash, req->args_bytes, req->args_len,
	    &res->grant, leaf);
	memcpy(reply.tag, leaf, WIRE_TAG_LEN);
	reply.threshold = facts.product.threshold;
	reply.is_activated = reply.count >= reply.threshold;
	reply.ends_unix_s = res->grant.issued_unix_s +
	    (int64_t)facts.product.validity_days * DAY_S;
	*reply_out = reply;
	return 0;
}

static int
judge(const struct request *req, const uint8_t *p, size_t len,
    const struct catalogue *cat, int64_t now_unix_s, unsigned flags,
    struct reply *reply_out)
{
	struct wire_result res;
	const uint8_t *result;
	size_t result_len;
	int err;

	err = rpc_reply_decode(p, len, req->xid, &result, &result_len);
	if (err == MUSTER_E_REFUSED)
		*reply_out = (struct reply){.status = WIRE_OK};
	if (err == 0)
		err = wire_result_decode(result, result_len, &res);
	if (err != 0)
		return err;
	if (res.status == WIRE_OK)
		return judge_ok(req, &res, cat, now_unix_s, flags, reply_out);
	*reply_out = (struct reply){.status = res.status,
	    .host_unix_s = res.host_unix_s,
	    .busy_s = res.busy_s};
	return MUSTER_E_REFUSED;
}

static bool
is_probe(const struct request *req)
{
	static const uint8_t zero[WIRE_ID_LEN] = {0};

	return memcmp(req->args.cmid, zero, WIRE_ID_LEN) == 0;
}

int
request_judge(const struct request *req, const uint8_t *p, size_t len,
    const struct catalogue *cat, int64_t now_unix_s, struct reply *reply_out)
{
	return judge(req, p, len, cat, now_unix_s, LEASE_ANY_COUNT, reply_out);
}

int
request_judge_probe(const struct request *req, const uint8_t *p, size_t len,
    const struct catalogue *cat, int64_t now_unix_s, struct reply *reply_out)
{
	if (!is_probe(req))
		return MUSTER_E_INVAL;
	return judge(req, p, len, cat, now_unix_s,
	    LEASE_ANY_COUNT | LEASE_PROBE, reply_out);
}

bool
request_replaces(const struct lease *fresh, const struct lease *stored,
    const struct catalogue *cat, const uint8_t *machine, int64_t now_unix_s)
{
	struct lease_facts facts;

	if (lease_facts(fresh, cat, &facts) != 0 ||
	    lease_judge(fresh, &facts, machine, now_unix_s, 0) != 0)
		return false;
	if (stored == NULL || lease_facts(stored, cat, &facts) != 0 ||
	    lease_judge(stored, &facts, machine, now_unix_s, 0) != 0)
		return true;
	/* One product, one validity: the later issue ends later. */
	return fresh->grant.issued_unix_s > stored->grant.issued_unix_s;
}
