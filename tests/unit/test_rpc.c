/* SPDX-License-Identifier: MIT */
#include "wire/rpc.h"

#include "base/cursor.h"
#include "wire/msg.h"

#include "tap.h"

/* One header word is replaced in a good call; the verdict is that rule's. */
static void
test_rpc_call_verdicts(void)
{
	static const struct {
		const char *why;
		size_t word; /* of the header without the mark */
		uint32_t value;
		size_t len;
		enum rpc_verdict want;
	} cases[] = {
	    {"good", 0, 9, 40, RPC_CALL},
	    {"a reply", 1, 1, 40, RPC_CLOSE},
	    {"RPC version 3", 2, 3, 40, RPC_MISMATCH_CLOSE},
	    {"RPC version 3, cut", 2, 3, 12, RPC_MISMATCH_CLOSE},
	    {"another program", 3, 100000, 40, RPC_PROG_UNAVAIL},
	    {"another version", 4, 2, 40, RPC_PROG_MISMATCH},
	    {"unknown procedure", 5, 3, 40, RPC_PROC_UNAVAIL},
	    {"credential flavour", 6, 1, 40, RPC_AUTH_ERROR},
	    {"credential length", 7, 4, 40, RPC_AUTH_ERROR},
	    {"verifier flavour", 8, 1, 40, RPC_AUTH_ERROR},
	    {"verifier length", 9, 4, 40, RPC_AUTH_ERROR},
	    {"cut in the header", 0, 9, 36, RPC_CLOSE},
	    {"cut after a bad credential", 6, 1, 36, RPC_CLOSE},
	    {"cut in a bad verifier", 8, 1, 39, RPC_CLOSE},
	    {"four bytes", 0, 9, 4, RPC_CLOSE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t rec[RPC_RECORD_MAX];
		struct rpc_call call = {.xid = 77};
		struct wr w;
		size_t len;

		printf("# %s\n", cases[i].why);
		is(rpc_call_encode(9, RPC_NULL, NULL, 0, rec, sizeof(rec),
		       &len),
		    0);
		w = wr_init(rec + 4 + 4 * cases[i].word, 4);
		wr_u32(&w, cases[i].value);
		is(rpc_call_decode(rec + 4, cases[i].len, &call),
		    cases[i].want);
		is(call.xid, 9);
	}
}

static void
test_rpc_null_with_a_body_is_garbage(void)
{
	static const uint8_t body[4];
	uint8_t rec[RPC_RECORD_MAX];
	struct rpc_call call;
	size_t len;

	is(rpc_call_encode(1, RPC_NULL, body, 4, rec, sizeof(rec), &len), 0);
	is(rpc_call_decode(rec + 4, len - 4, &call), RPC_GARBAGE_ARGS);
	is(rpc_call_encode(1, RPC_COVER, body, 4, rec, sizeof(rec), &len), 0);
	is(rpc_call_decode(rec + 4, len - 4, &call), RPC_CALL);
	is((long long)call.args_len, 4);
}

static void
test_rpc_mark(void)
{
	static const struct {
		uint8_t mark[4];
		int want;
		size_t len;
	} cases[] = {
	    {{0x80, 0, 0, 4}, 0, 4},
	    {{0x80, 0, 0, 246}, 0, 246},
	    {{0x80, 0, 0, 3}, MUSTER_E_PROTO, 99},
	    {{0x80, 0, 0, 247}, MUSTER_E_TOOBIG, 99},
	    {{0xff, 0xff, 0xff, 0xff}, MUSTER_E_TOOBIG, 99},
	    {{0, 0, 0, 40}, MUSTER_E_PROTO, 99},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = 99;

		is(rpc_mark_decode(cases[i].mark, &len), cases[i].want);
		is((long long)len, (long long)cases[i].len);
	}
}

static void
test_rpc_replies(void)
{
	static const struct {
		enum rpc_verdict verdict;
		size_t len;
	} cases[] = {
	    {RPC_MISMATCH_CLOSE, 28},
	    {RPC_AUTH_ERROR, 24},
	    {RPC_PROG_UNAVAIL, 28},
	    {RPC_PROG_MISMATCH, 36},
	    {RPC_PROC_UNAVAIL, 28},
	    {RPC_GARBAGE_ARGS, 28},
	};
	uint8_t rec[RPC_RECORD_MAX];
	const uint8_t *res = NULL;
	size_t len = 0, res_len = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		is(rpc_error_encode(5, cases[i].verdict, rec, sizeof(rec),
		       &len),
		    0);
		is((long long)len, (long long)cases[i].len);
		is(rpc_reply_decode(rec + 4, len - 4, 5, &res, &res_len),
		    MUSTER_E_REFUSED);
	}
	is(rpc_error_encode(5, RPC_CALL, rec, sizeof(rec), &len),
	    MUSTER_E_INVAL);
	is(rpc_reply_encode(5, (const uint8_t *)"abcd", 4, rec, sizeof(rec),
	       &len),
	    0);
	is((long long)len, 32);
	is(rpc_reply_decode(rec + 4, 28, 5, &res, &res_len), 0);
	ok(res_len == 4 && memcmp(res, "abcd", 4) == 0);
	is(rpc_reply_decode(rec + 4, 28, 6, &res, &res_len), MUSTER_E_MISMATCH);
	for (size_t cut = 0; cut < 24; cut++)
		is(rpc_reply_decode(rec + 4, cut, 5, &res, &res_len),
		    MUSTER_E_TRUNC);
}

/* A cut within the header closes; behind it the arguments are cut. */
static void
test_rpc_cut_at_every_length(void)
{
	static const uint8_t publisher[WIRE_ID_LEN];
	uint8_t rec[RPC_RECORD_MAX];
	struct rpc_call call;
	unsigned wrong = 0;
	size_t len = 0;

	is(rpc_call_encode(9, RPC_COVER, publisher, 16, rec, sizeof(rec), &len),
	    0);
	for (size_t cut = 0; cut < RPC_CALL_LEN; cut++)
		wrong += rpc_call_decode(rec + 4, cut, &call) != RPC_CLOSE;
	is(wrong, 0);
	for (size_t cut = RPC_CALL_LEN; cut <= len - 4; cut++)
		wrong += rpc_call_decode(rec + 4, cut, &call) != RPC_CALL ||
		    call.args_len != cut - RPC_CALL_LEN;
	is(wrong, 0);
}

/* No flipped bit of the header leaves the same call, bar those of the xid. */
static void
test_rpc_every_flipped_bit(void)
{
	uint8_t rec[RPC_RECORD_MAX];
	struct rpc_call call;
	unsigned same = 0, alive = 0;
	size_t len = 0;

	is(rpc_call_encode(9, RPC_NULL, NULL, 0, rec, sizeof(rec), &len), 0);
	for (size_t bit = 0; bit < 8 * RPC_CALL_LEN; bit++) {
		uint8_t *p = rec + 4 + bit / 8;
		enum rpc_verdict got;

		*p ^= (uint8_t)(1U << bit % 8);
		got = rpc_call_decode(rec + 4, RPC_CALL_LEN, &call);
		*p ^= (uint8_t)(1U << bit % 8);
		alive += got == RPC_CALL;
		same +=
		    got == RPC_CALL && call.xid == 9 && call.proc == RPC_NULL;
	}
	is(same, 0);
	is(alive, 32 + 2); /* the xid, and NULL made ACTIVATE or COVER */
}

/* A reply that is not one, word by word. */
static void
test_rpc_reply_words(void)
{
	static const struct {
		const char *why;
		size_t word;
		uint32_t value;
		int want;
	} cases[] = {
	    {"good", 0, 5, 0},
	    {"a call", 1, 0, MUSTER_E_PROTO},
	    {"denied", 2, 1, MUSTER_E_REFUSED},
	    {"reply status 2", 2, 2, MUSTER_E_PROTO},
	    {"verifier flavour", 3, 1, MUSTER_E_PROTO},
	    {"verifier length", 4, 4, MUSTER_E_PROTO},
	    {"SYSTEM_ERR", 5, 5, MUSTER_E_REFUSED},
	    {"another xid", 0, 6, MUSTER_E_MISMATCH},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t rec[RPC_RECORD_MAX];
		const uint8_t *res = NULL;
		size_t len = 0, res_len = 0;
		struct wr w;

		printf("# %s\n", cases[i].why);
		is(rpc_reply_encode(5, NULL, 0, rec, sizeof(rec), &len), 0);
		w = wr_init(rec + 4 + 4 * cases[i].word, 4);
		wr_u32(&w, cases[i].value);
		is(rpc_reply_decode(rec + 4, len - 4, 5, &res, &res_len),
		    cases[i].want);
		ok((res != NULL) == (cases[i].want == 0));
	}
}

/* The promise of 250 bytes each way, and the sizes of the protocol. */
static void
test_rpc_sizes_of_activate(void)
{
	struct wire_args args = {.threshold = 1};
	struct wire_result res = {.status = WIRE_OK,
	    .grant = {.renewal_min = 15, .retry_min = 15}};
	uint8_t body[RPC_RECORD_MAX], rec[RPC_RECORD_MAX];
	size_t n = 0, len = 0;
	unsigned wrong = 0;

	for (size_t i = 0; i <= WIRE_NAME_MAX; i++) {
		memset(args.name, 'a', i);
		wrong += wire_args_encode(&args, body, WIRE_ARGS_MAX, &n) != 0;
		wrong += rpc_call_encode(1, RPC_ACTIVATE, body, n, rec,
		             RPC_RECORD_MAX, &len) != 0;
		wrong += len != 148 + (i + 3) / 4 * 4 || len > 250;
	}
	is(wrong, 0);
	is((long long)len, 248);
	is(wire_result_encode(&res, body, WIRE_RESULT_MAX, &n), 0);
	is((long long)n, WIRE_RESULT_MAX);
	is(rpc_reply_encode(1, body, n, rec, RPC_RECORD_MAX, &len), 0);
	is((long long)len, 244);
	res.form = 1;
	for (uint32_t i = 0; i <= WIRE_PATH_MAX; i++) {
		res.place.n_path = i;
		is(wire_result_encode(&res, body, WIRE_RESULT_MAX, &n), 0);
		is(rpc_reply_encode(1, body, n, rec, RPC_RECORD_MAX, &len), 0);
		is((long long)len, 132 + 32 * (long long)i);
	}
}

static void
test_rpc_sizes_of_cover(void)
{
	static const uint8_t zeros[RPC_RECORD_MAX];
	struct wire_cover cover = {.status = WIRE_OK};
	uint8_t body[RPC_RECORD_MAX], rec[RPC_RECORD_MAX];
	size_t n = 0, len = 0;

	is(rpc_call_encode(1, RPC_COVER, zeros, WIRE_ID_LEN, rec, sizeof(rec),
	       &len),
	    0);
	is((long long)len, 60);
	is(wire_cover_encode(&cover, body, sizeof(body), &n), 0);
	is(rpc_reply_encode(1, body, n, rec, sizeof(rec), &len), 0);
	is((long long)len, 164);
}

/* One byte over 250 is refused, and so is one byte too few of buffer. */
static void
test_rpc_limits(void)
{
	static const uint8_t zeros[RPC_RECORD_MAX];
	uint8_t rec[300];
	size_t len = 0;

	is(rpc_call_encode(1, RPC_ACTIVATE, zeros, 206, rec, 300, &len), 0);
	is((long long)len, 250);
	is(rpc_call_encode(1, RPC_ACTIVATE, zeros, 207, rec, 300, &len),
	    MUSTER_E_TOOBIG);
	is(rpc_reply_encode(1, zeros, 222, rec, 300, &len), 0);
	is((long long)len, 250);
	is(rpc_reply_encode(1, zeros, 223, rec, 300, &len), MUSTER_E_TOOBIG);
	is(rpc_call_encode(1, RPC_NULL, NULL, 0, rec, 43, &len),
	    MUSTER_E_TOOBIG);
	is(rpc_reply_encode(1, NULL, 0, rec, 27, &len), MUSTER_E_TOOBIG);
	is(rpc_error_encode(1, RPC_AUTH_ERROR, rec, 23, &len), MUSTER_E_TOOBIG);
	is(rpc_error_encode(1, RPC_CLOSE, rec, 300, &len), MUSTER_E_INVAL);
}

int
main(void)
{
	test_rpc_call_verdicts();
	test_rpc_null_with_a_body_is_garbage();
	test_rpc_mark();
	test_rpc_replies();
	test_rpc_cut_at_every_length();
	test_rpc_every_flipped_bit();
	test_rpc_reply_words();
	test_rpc_sizes_of_activate();
	test_rpc_sizes_of_cover();
	test_rpc_limits();
	return tap_done();
}
