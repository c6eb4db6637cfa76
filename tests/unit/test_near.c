/* SPDX-License-Identifier: MIT */
/*
 * Near misses of what is sent: arguments, results and whole records.  Each
 * predicate below is the protocol's byte table, read anew; see near.h.
 */
#include "near.h"
#include "wire/msg.h"
#include "wire/rpc.h"

static uint64_t seed = 1;

/* splitmix64 */
static uint64_t
next(void)
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15U);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

static void
fill(void *out, size_t len)
{
	uint8_t *p = out;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)next();
}

/* Arguments: 104 bytes and a name of up to 99, padded. */
static bool
args_are_right(const uint8_t *p, size_t len)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                          "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t n;

	if (len < 104 || near_u32(p + 88) > 4 || near_u32(p + 92) < 1 ||
	    near_u32(p + 92) > 100000 || near_u32(p + 100) > 99)
		return false;
	n = near_u32(p + 100);
	if (len != 104 + (n + 3) / 4 * 4 ||
	    !near_zero(p + 104 + n, len - 104 - n))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (p[104 + i] == 0 || strchr(set, p[104 + i]) == NULL)
			return false;
	}
	return true;
}

static enum near_verdict
args_decode(const uint8_t *p, size_t len)
{
	uint8_t back[WIRE_ARGS_MAX];
	struct wire_args args;
	size_t n = 0;

	if (wire_args_decode(p, len, &args) != 0)
		return NEAR_REFUSED;
	return wire_args_encode(&args, back, sizeof(back), &n) == 0 &&
	        n == len && memcmp(back, p, n) == 0
	    ? NEAR_ACCEPTED
	    : NEAR_OTHER;
}

static size_t
args_fields(const uint8_t *p, size_t len, size_t *out)
{
	(void)p;
	(void)len;
	out[0] = 88;
	out[1] = 92;
	out[2] = 100;
	return 3;
}

static size_t
args_seed(unsigned i, uint8_t *out)
{
	static const uint32_t thresholds[] = {1, 2, 5, 25, 255, 256, 65535,
	    65536, 99999, 100000};
	struct wire_args args;
	size_t len = 0;

	memset(&args, 0, sizeof(args));
	fill(args.product, 4 * WIRE_ID_LEN);
	fill(args.known_host, WIRE_TAG_LEN);
	args.time_unix_s = (int64_t)next();
	args.state = (enum wire_state)(i % 5);
	args.threshold = thresholds[i % 10];
	args.minutes_left = (uint32_t)next();
	/* 49 has no common factor with 100: every length comes once */
	for (unsigned k = 0; k < i * 49 % 100; k++)
		args.name[k] = "aZ0._-"[next() % 6];
	if (wire_args_encode(&args, out, WIRE_ARGS_MAX, &len) != 0)
		abort();
	return len;
}

static void
test_b34_near_arguments(void)
{
	static const struct near_format f = {.name = "arguments",
	    .decode = args_decode,
	    .is_right = args_are_right,
	    .fields = args_fields,
	    .step = 1};
	uint8_t msg[WIRE_ARGS_MAX];

	for (unsigned i = 0; i < 100; i++) {
		size_t len = args_seed(i, msg);

		near_around(&f, msg, len);
	}
	near_done(&f, 100);
}

/* Results of ACTIVATE. */
static bool
result_is_right(const uint8_t *p, size_t len)
{
	uint32_t status = len < 4 ? 99 : near_u32(p), n;

	if (status == 1 || status == 2 || status == 3 || status == 6)
		return len == 4;
	if (status == 4)
		return len == 12;
	if (status == 5)
		return len == 8 && near_u32(p + 4) >= 1 &&
		    near_u32(p + 4) <= 3600;
	if (status != 0 || len < 104 || near_u32(p + 16) < 15 ||
	    near_u32(p + 16) > 43200 || near_u32(p + 20) < 15 ||
	    near_u32(p + 20) > 43200)
		return false;
	if (near_u32(p + 92) == 0)
		return len == 216;
	n = near_u32(p + 100);
	return near_u32(p + 92) == 1 && n <= 3 && near_u32(p + 96) < 1U << n &&
	    len == 104 + 32 * n;
}

static enum near_verdict
result_decode(const uint8_t *p, size_t len)
{
	uint8_t back[WIRE_RESULT_MAX];
	struct wire_result res;
	size_t n = 0;

	if (wire_result_decode(p, len, &res) != 0)
		return NEAR_REFUSED;
	return wire_result_encode(&res, back, sizeof(back), &n) == 0 &&
	        n == len && memcmp(back, p, n) == 0
	    ? NEAR_ACCEPTED
	    : NEAR_OTHER;
}

static size_t
result_fields(const uint8_t *p, size_t len, size_t *out)
{
	size_t n = 0;

	(void)p;
	for (size_t at = 0; at + 4 <= len && at <= 100; at += 4) {
		/* status, count or seconds, intervals, form, index, path */
		if (at == 0 || at == 4 || at == 16 || at == 20 || at >= 92)
			out[n++] = at;
	}
	return n;
}

static size_t
result_seed(unsigned i, uint8_t *out)
{
	static const uint32_t edges[] = {15, 16, 120, 10080, 43199, 43200};
	struct wire_result res;
	size_t len = 0;

	memset(&res, 0, sizeof(res));
	res.status = i % 4 == 3 ? (enum wire_status)(i / 4 % 7) : WIRE_OK;
	fill(&res.grant, sizeof(res.grant));
	res.grant.renewal_min = edges[i % 6];
	res.grant.retry_min = edges[i / 6 % 6];
	fill(res.signature, sizeof(res.signature));
	res.form = i % 4 == 0 ? 0 : 1;
	fill(res.certificate, sizeof(res.certificate));
	fill(res.place.path, sizeof(res.place.path));
	res.place.n_path = i / 2 % 4;
	res.place.index = (uint32_t)(next() % (1U << res.place.n_path));
	res.host_unix_s = (int64_t)next();
	res.busy_s = 1 + (uint32_t)(next() % 3600);
	if (wire_result_encode(&res, out, WIRE_RESULT_MAX, &len) != 0)
		abort();
	return len;
}

static void
test_b34_near_results(void)
{
	static const struct near_format f = {.name = "results",
	    .decode = result_decode,
	    .is_right = result_is_right,
	    .fields = result_fields,
	    .step = 1};
	uint8_t msg[WIRE_RESULT_MAX];

	for (unsigned i = 0; i < 112; i++) {
		size_t len = result_seed(i, msg);

		near_around(&f, msg, len);
	}
	near_done(&f, 112);
}

/* Results of COVER. */
static bool
cover_is_right(const uint8_t *p, size_t len)
{
	if (len < 4 || near_u32(p) > 6)
		return false;
	return len == (near_u32(p) == 0 ? 136 : 4);
}

static enum near_verdict
cover_decode(const uint8_t *p, size_t len)
{
	uint8_t back[WIRE_RESULT_MAX];
	struct wire_cover cover;
	size_t n = 0;

	if (wire_cover_decode(p, len, &cover) != 0)
		return NEAR_REFUSED;
	return wire_cover_encode(&cover, back, sizeof(back), &n) == 0 &&
	        n == len && memcmp(back, p, n) == 0
	    ? NEAR_ACCEPTED
	    : NEAR_OTHER;
}

static size_t
cover_fields(const uint8_t *p, size_t len, size_t *out)
{
	(void)p;
	(void)len;
	out[0] = 0;
	return 1;
}

static void
test_b34_near_covers(void)
{
	static const struct near_format f = {.name = "covers",
	    .decode = cover_decode,
	    .is_right = cover_is_right,
	    .fields = cover_fields,
	    .step = 1};
	uint8_t msg[WIRE_RESULT_MAX];

	for (unsigned i = 0; i < 50; i++) {
		struct wire_cover cover = {.status = (enum wire_status)(i % 7)};
		size_t len = 0;

		if (i % 2 == 0)
			cover.status = WIRE_OK;
		cover.host_unix_s = (int64_t)next();
		cover.catalogue = (uint32_t)next();
		fill(cover.certificate, sizeof(cover.certificate));
		if (wire_cover_encode(&cover, msg, sizeof(msg), &len) != 0)
			abort();
		near_around(&f, msg, len);
	}
	near_done(&f, 50);
}

/* A whole record with a call, as a host reads it. */
static bool
call_is_right(const uint8_t *p, size_t len)
{
	uint32_t proc;

	if (len < 44 || len > 250 ||
	    near_u32(p) != (0x80000000U | (uint32_t)(len - 4)) ||
	    near_u32(p + 8) != 0 || near_u32(p + 12) != 2 ||
	    near_u32(p + 16) != 536876680U || near_u32(p + 20) != 1 ||
	    !near_zero(p + 28, 16))
		return false;
	proc = near_u32(p + 24);
	return (proc == 0 && len == 44) || (proc == 2 && len == 60) ||
	    (proc == 1 && args_are_right(p + 44, len - 44));
}

static enum near_verdict
call_decode(const uint8_t *p, size_t len)
{
	uint8_t back[RPC_RECORD_MAX];
	struct rpc_call c;
	size_t n = 0;

	if (len < RPC_MARK_LEN || rpc_mark_decode(p, &n) != 0 ||
	    n != len - RPC_MARK_LEN ||
	    rpc_call_decode(p + RPC_MARK_LEN, n, &c) != RPC_CALL ||
	    (c.proc == RPC_COVER && c.args_len != WIRE_ID_LEN) ||
	    (c.proc == RPC_ACTIVATE &&
	        args_decode(c.args, c.args_len) != NEAR_ACCEPTED))
		return NEAR_REFUSED;
	return rpc_call_encode(c.xid, c.proc, c.args, c.args_len, back,
	           sizeof(back), &n) == 0 &&
	        n == len && memcmp(back, p, n) == 0
	    ? NEAR_ACCEPTED
	    : NEAR_OTHER;
}

static size_t
call_fields(const uint8_t *p, size_t len, size_t *out)
{
	size_t n = 0;

	(void)p;
	for (size_t at = 0; at < 44; at += 4) {
		if (at != 4) /* the xid is free */
			out[n++] = at;
	}
	if (len > 144)
		out[n++] = 144; /* length of the name */
	return n;
}

static void
test_b8_near_calls(void)
{
	static const struct near_format f = {.name = "calls",
	    .decode = call_decode,
	    .is_right = call_is_right,
	    .fields = call_fields,
	    .step = 1};
	uint8_t msg[RPC_RECORD_MAX], args[WIRE_ARGS_MAX] = {0};

	for (unsigned i = 0; i < 60; i++) {
		enum rpc_proc proc = i % 6 == 0 ? RPC_NULL
		    : i % 6 == 1                ? RPC_COVER
		                                : RPC_ACTIVATE;
		size_t n = proc == RPC_NULL ? 0
		    : proc == RPC_COVER     ? WIRE_ID_LEN
		                            : args_seed(i, args);
		size_t len = 0;

		if (rpc_call_encode((uint32_t)next(), proc, args, n, msg,
		        sizeof(msg), &len) != 0)
			abort();
		near_around(&f, msg, len);
	}
	near_done(&f, 60);
}

/* A whole record with the reply to a call, as a client reads it. */
#define XID 0x01020304U

static bool
reply_is_right(const uint8_t *p, size_t len)
{
	return len >= 28 && len <= 250 &&
	    near_u32(p) == (0x80000000U | (uint32_t)(len - 4)) &&
	    near_u32(p + 4) == XID && near_u32(p + 8) == 1 &&
	    near_zero(p + 12, 16) && result_is_right(p + 28, len - 28);
}

static enum near_verdict
reply_decode(const uint8_t *p, size_t len)
{
	uint8_t back[RPC_RECORD_MAX];
	const uint8_t *res = NULL;
	size_t n = 0, res_len = 0;

	if (len < RPC_MARK_LEN || rpc_mark_decode(p, &n) != 0 ||
	    n != len - RPC_MARK_LEN ||
	    rpc_reply_decode(p + RPC_MARK_LEN, n, XID, &res, &res_len) != 0 ||
	    result_decode(res, res_len) != NEAR_ACCEPTED)
		return NEAR_REFUSED;
	return rpc_reply_encode(XID, res, res_len, back, sizeof(back), &n) ==
	            0 &&
	        n == len && memcmp(back, p, n) == 0
	    ? NEAR_ACCEPTED
	    : NEAR_OTHER;
}

static size_t
reply_fields(const uint8_t *p, size_t len, size_t *out)
{
	(void)p;
	(void)len;
	for (size_t i = 0; i < 8; i++)
		out[i] = 4 * i;
	return 8;
}

static void
test_b34_near_replies(void)
{
	static const struct near_format f = {.name = "replies",
	    .decode = reply_decode,
	    .is_right = reply_is_right,
	    .fields = reply_fields,
	    .step = 1};
	uint8_t msg[RPC_RECORD_MAX], res[WIRE_RESULT_MAX];

	for (unsigned i = 0; i < 56; i++) {
		size_t n = result_seed(i, res), len = 0;

		if (rpc_reply_encode(XID, res, n, msg, sizeof(msg), &len) != 0)
			abort();
		near_around(&f, msg, len);
	}
	near_done(&f, 56);
}

int
main(void)
{
	test_b34_near_arguments();
	test_b34_near_results();
	test_b34_near_covers();
	test_b8_near_calls();
	test_b34_near_replies();
	return tap_done();
}
