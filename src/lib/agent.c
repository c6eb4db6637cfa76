/* SPDX-License-Identifier: MIT */
/*
 * agent.c -- muster_activate() and muster_info(): one call to the agent each.
 */
#include "muster/muster.h"

#include <string.h>

#include "client/agentcall.h"

_Static_assert(MUSTER_HOST_LEN == AGENT_HOST_LEN, "a host fits");
_Static_assert(MUSTER_PRODUCT_LEN == WIRE_ID_LEN, "a product fits");
_Static_assert(MUSTER_ACTIVATE_MS == AGENTCALL_ACTIVATE_MS, "one time");

static int
ask(enum agent_op op, const struct muster_product *product, int timeout_ms,
    struct agent_reply *reply_out)
{
	struct agent_request req;
	int err;

	memset(&req, 0, sizeof(req));
	req.op = op;
	memcpy(req.product, product->product, WIRE_ID_LEN);
	err = agentcall_run(product->root, &req, timeout_ms, reply_out);
	/* NOENT is left to the agent, for a product */
	if (err == MUSTER_E_NOENT)
		return MUSTER_E_CONNECT;
	if (err == 0)
		err = reply_out->err;
	if (err == 0 &&
	    memcmp(reply_out->info.product, req.product, WIRE_ID_LEN) != 0)
		err = MUSTER_E_MISMATCH;
	return err;
}

static int
run(enum agent_op op, const struct muster_product *product, int timeout_ms,
    struct muster_info *info_out)
{
	struct agent_reply reply;
	const struct agent_info *from = &reply.info;
	int err;

	if (product == NULL || product->product == NULL || info_out == NULL ||
	    timeout_ms < 0)
		return MUSTER_E_INVAL;
	err = ask(op, product, timeout_ms, &reply);
	if (err != 0)
		return err;
	memset(info_out, 0, sizeof(*info_out));
	info_out->state = (enum muster_licence)from->state;
	info_out->reason = from->reason;
	info_out->seconds_left = from->seconds_left;
	info_out->count = from->count;
	info_out->threshold = from->threshold;
	info_out->next_contact_unix_s = from->due_unix_s;
	info_out->answered_unix_s = from->answered_unix_s;
	memcpy(info_out->host, from->host, sizeof(info_out->host));
	info_out->round = from->round;
	info_out->is_early = from->is_early ? 1 : 0;
	return 0;
}

int
muster_activate(const struct muster_product *product, int timeout_ms,
    struct muster_info *info_out)
{
	return run(AGENT_ACTIVATE, product,
	    timeout_ms == 0 ? MUSTER_ACTIVATE_MS : timeout_ms, info_out);
}

int
muster_info(const struct muster_product *product, struct muster_info *info_out)
{
	return run(AGENT_INFO, product, AGENTCALL_MS, info_out);
}
