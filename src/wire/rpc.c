/* SPDX-License-Identifier: MIT */
#include "wire/rpc.h"

#include "base/cursor.h"

/* RFC 5531, section 9. */
enum { MSG_CALL = 0, MSG_REPLY = 1 };
enum { REPLY_ACCEPTED = 0, REPLY_DENIED = 1 };
enum {
	ACCEPT_SUCCESS = 0,
	ACCEPT_PROG_UNAVAIL = 1,
	ACCEPT_PROG_MISMATCH = 2,
	ACCEPT_PROC_UNAVAIL = 3,
	ACCEPT_GARBAGE_ARGS = 4
};
enum { REJECT_MISMATCH = 0, REJECT_AUTH = 1 };
enum { AUTH_BADCRED = 1 };

#define RPC_MSG_VERSION 2U
#define LAST_FRAGMENT 0x80000000U

int
rpc_mark_decode(const uint8_t *mark, size_t *len_out)
{
	struct rd r = rd_init(mark, RPC_MARK_LEN);
	uint32_t v = rd_u32(&r);
	uint32_t len = v & ~LAST_FRAGMENT;

	if ((v & LAST_FRAGMENT) == 0)
		return MUSTER_E_PROTO;
	if (len > RPC_BODY_MAX)
		return MUSTER_E_TOOBIG;
	if (len < 4)
		return MUSTER_E_PROTO;
	*len_out = len;
	return 0;
}

enum rpc_verdict
rpc_call_decode(const uint8_t *p, size_t len, struct rpc_call *call_out)
{
	struct rd r = rd_init(p, len);
	uint32_t type, rpc, prog, vers, proc, auth = 0;

	call_out->xid = rd_u32(&r);
	type = rd_u32(&r);
	rpc = rd_u32(&r);
	if (r.err != 0 || type != MSG_CALL)
		return RPC_CLOSE;
	if (rpc != RPC_MSG_VERSION)
		return RPC_MISMATCH_CLOSE;
	prog = rd_u32(&r);
	vers = rd_u32(&r);
	proc = rd_u32(&r);
	/* flavour and length of credential and verifier: all zero */
	for (int i = 0; i < 4; i++)
		auth |= rd_u32(&r);
	if (r.err != 0)
		return RPC_CLOSE;
	if (auth != 0)
		return RPC_AUTH_ERROR;
	if (prog != RPC_PROGRAM)
		return RPC_PROG_UNAVAIL;
	if (vers != RPC_VERSION)
		return RPC_PROG_MISMATCH;
	if (proc > RPC_COVER)
		return RPC_PROC_UNAVAIL;
	if (proc == RPC_NULL && r.left != 0)
		return RPC_GARBAGE_ARGS;
	call_out->proc = (enum rpc_proc)proc;
	call_out->args = r.p;
	call_out->args_len = r.left;
	return RPC_CALL;
}

/* Put the mark before what was written and hold the promise of 250 bytes. */
static int
finish(struct wr *w, size_t *len_out)
{
	struct wr mark = wr_init(w->start, RPC_MARK_LEN);

	if (w->err == 0 && w->len > RPC_RECORD_MAX)
		w->err = MUSTER_E_TOOBIG;
	if (w->err == 0)
		wr_u32(&mark,
		    LAST_FRAGMENT | (uint32_t)(w->len - RPC_MARK_LEN));
	return wr_end(w, len_out);
}

int
rpc_call_encode(uint32_t xid, enum rpc_proc proc, const uint8_t *args,
    size_t args_len, uint8_t *buf, size_t cap, size_t *len_out)
{
	struct wr w = wr_init(buf, cap);

	wr_u32(&w, 0);
	wr_u32(&w, xid);
	wr_u32(&w, MSG_CALL);
	wr_u32(&w, RPC_MSG_VERSION);
	wr_u32(&w, RPC_PROGRAM);
	wr_u32(&w, RPC_VERSION);
	wr_u32(&w, (uint32_t)proc);
	for (int i = 0; i < 4; i++)
		wr_u32(&w, 0);
	wr_bytes(&w, args, args_len);
	return finish(&w, len_out);
}

static void
accepted(struct wr *w, uint32_t xid, uint32_t stat)
{
	wr_u32(w, 0);
	wr_u32(w, xid);
	wr_u32(w, MSG_REPLY);
	wr_u32(w, REPLY_ACCEPTED);
	wr_u32(w, 0); /* verifier: AUTH_NONE of length 0 */
	wr_u32(w, 0);
	wr_u32(w, stat);
}

int
rpc_reply_encode(uint32_t xid, const uint8_t *res, size_t res_len, uint8_t *buf,
    size_t cap, size_t *len_out)
{
	struct wr w = wr_init(buf, cap);

	accepted(&w, xid, ACCEPT_SUCCESS);
	wr_bytes(&w, res, res_len);
	return finish(&w, len_out);
}

static void
denied(struct wr *w, uint32_t xid, uint32_t why)
{
	wr_u32(w, 0);
	wr_u32(w, xid);
	wr_u32(w, MSG_REPLY);
	wr_u32(w, REPLY_DENIED);
	wr_u32(w, why);
}

int
rpc_error_encode(uint32_t xid, enum rpc_verdict verdict, uint8_t *buf,
    size_t cap, size_t *len_out)
{
	struct wr w = wr_init(buf, cap);

	switch (verdict) {
	case RPC_MISMATCH_CLOSE:
		denied(&w, xid, REJECT_MISMATCH);
		wr_u32(&w, RPC_MSG_VERSION);
		wr_u32(&w, RPC_MSG_VERSION);
		break;
	case RPC_AUTH_ERROR:
		denied(&w, xid, REJECT_AUTH);
		wr_u32(&w, AUTH_BADCRED);
		break;
	case RPC_PROG_UNAVAIL:
		accepted(&w, xid, ACCEPT_PROG_UNAVAIL);
		break;
	case RPC_PROG_MISMATCH:
		accepted(&w, xid, ACCEPT_PROG_MISMATCH);
		wr_u32(&w, RPC_VERSION);
		wr_u32(&w, RPC_VERSION);
		break;
	case RPC_PROC_UNAVAIL:
		accepted(&w, xid, ACCEPT_PROC_UNAVAIL);
		break;
	case RPC_GARBAGE_ARGS:
		accepted(&w, xid, ACCEPT_GARBAGE_ARGS);
		break;
	case RPC_CALL:
	case RPC_CLOSE:
	default:
		return MUSTER_E_INVAL;
	}
	return finish(&w, len_out);
}

int
rpc_reply_decode(const uint8_t *p, size_t len, uint32_t xid,
    const uint8_t **res_out, size_t *len_out)
{
	struct rd r = rd_init(p, len);
	uint32_t got = rd_u32(&r);
	uint32_t type = rd_u32(&r);
	uint32_t reply = rd_u32(&r);
	uint32_t verf, stat;

	if (r.err != 0)
		return r.err;
	if (type != MSG_REPLY || reply > REPLY_DENIED)
		return MUSTER_E_PROTO;
	if (got != xid)
		return MUSTER_E_MISMATCH;
	if (reply == REPLY_DENIED)
		return MUSTER_E_REFUSED;
	verf = rd_u32(&r);
	verf |= rd_u32(&r);
	stat = rd_u32(&r);
	if (r.err != 0)
		return r.err;
	if (verf != 0)
		return MUSTER_E_PROTO;
	if (stat != ACCEPT_SUCCESS)
		return MUSTER_E_REFUSED;
	*res_out = r.p;
	*len_out = r.left;
	return 0;
}
