/* SPDX-License-Identifier: MIT */
/* Records of ONC RPC: their marks, calls and replies. */
#include "target.h"

#include "base/cursor.h"
#include "wire/rpc.h"

static void
call(const uint8_t *p, size_t len)
{
	uint8_t back[RPC_RECORD_MAX];
	struct rpc_call c = {0};
	enum rpc_verdict v = rpc_call_decode(p, len, &c);
	size_t n = 0;

	if (v == RPC_CALL) {
		HOLDS(c.args_len <= len);
		if (len > RPC_BODY_MAX)
			return; /* its mark is refused before */
		HOLDS(rpc_call_encode(c.xid, c.proc, c.args, c.args_len, back,
		          sizeof(back), &n) == 0);
		SAME(back + RPC_MARK_LEN, n - RPC_MARK_LEN, p, len);
	} else if (v != RPC_CLOSE) {
		HOLDS(rpc_error_encode(c.xid, v, back, sizeof(back), &n) == 0);
		HOLDS(n >= RPC_MARK_LEN && n <= sizeof(back));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	uint8_t back[RPC_RECORD_MAX];
	const uint8_t *res = NULL;
	size_t announced = 0, n = 0, res_len = 0;
	uint32_t xid;

	if (len < RPC_MARK_LEN)
		return 0;
	if (rpc_mark_decode(p, &announced) == 0)
		HOLDS(announced >= 4 && announced <= RPC_BODY_MAX);
	p += RPC_MARK_LEN;
	len -= RPC_MARK_LEN;
	call(p, len);
	if (len < 4)
		return 0;
	xid = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
	if (rpc_reply_decode(p, len, xid, &res, &res_len) == 0 &&
	    len <= RPC_BODY_MAX) {
		HOLDS(res_len <= len);
		HOLDS(rpc_reply_encode(xid, res, res_len, back, sizeof(back),
		          &n) == 0);
		SAME(back + RPC_MARK_LEN, n - RPC_MARK_LEN, p, len);
	}
	return 0;
}
