/* SPDX-License-Identifier: MIT */
#include "client/request.h"

#include <stdlib.h>

#include "client_fixture.h"

static const uint8_t cmid[WIRE_ID_LEN] = {1, 2, 3};
static const uint8_t machine[WIRE_ID_LEN] = {4, 5, 6};
static struct request req, req_cert;
static struct reply reply;
static uint8_t body[RPC_BODY_MAX];

static int
judge(const struct request *r, const struct wire_grant *g, int form)
{
	size_t len = fx_answer(r, g, form, body);

	memset(&reply, 0, sizeof(reply));
	return request_judge(r, body, len, &fx_cat, FX_NOW, &reply);
}

static void
test_request_carries_every_field(void)
{
	struct wire_args args;
	struct rpc_call call;
	uint8_t hash[HASH_LEN];

	is(rpc_call_decode(req_cert.record + RPC_MARK_LEN,
	       req_cert.record_len - RPC_MARK_LEN, &call),
	    RPC_CALL);
	is(call.proc, RPC_ACTIVATE);
	is(call.xid, 0xdeadbeef);
	is(wire_args_decode(call.args, call.args_len, &args), 0);
	ok(memcmp(args.product, fx_cat.products[0].id, WIRE_ID_LEN) == 0);
	ok(memcmp(args.cmid, cmid, WIRE_ID_LEN) == 0);
	ok(memcmp(args.machine, machine, WIRE_ID_LEN) == 0);
	ok(args.nonce[0] == 9 && args.nonce[2] == 7);
	cert_hash(fx_cert, hash);
	ok(memcmp(args.known_host, hash, WIRE_TAG_LEN) == 0);
	is(args.time_unix_s, FX_NOW);
	is(args.threshold, 5);
	is(args.minutes_left, 100);
	is(args.state, WIRE_INITIAL_GRACE);
	is_str(args.name, "pc-1.example");
	ok(req_cert.record_len <= RPC_RECORD_MAX);
	ok(memcmp(req.args.known_host, (const uint8_t[8]){0}, 8) == 0);
}

static void
test_request_name_limits(void)
{
	char name[WIRE_NAME_MAX + 2];
	struct request r;
	struct request_in in = {.product = &fx_cat.products[0],
	    .cmid = cmid,
	    .machine = machine,
	    .nonce = cmid,
	    .name = name,
	    .now_unix_s = FX_NOW};

	memset(name, 'a', sizeof(name));
	name[WIRE_NAME_MAX + 1] = '\0';
	is(request_make(&in, &r), MUSTER_E_TOOBIG);
	name[WIRE_NAME_MAX] = '\0';
	is(request_make(&in, &r), 0);
	is(r.record_len, 247 + 1);
	name[3] = ' ';
	is(request_make(&in, &r), MUSTER_E_RANGE);
}

static void
test_b31_count_against_threshold(void)
{
	for (uint32_t count = 1; count <= 7; count++) {
		struct wire_grant g = fx_grant(count, FX_NOW);

		is(judge(&req, &g, 0), 0);
		is(reply.count, count);
		is(reply.threshold, 5);
		is(reply.is_activated, count >= 5);
		is(reply.ends_unix_s, FX_NOW + 180 * 86400);
	}
}

static void
test_b34_reply_time_within_four_hours(void)
{
	static const struct {
		int64_t apart_s;
		int want;
	} cases[] = {{0, 0}, {-LEASE_CLOCK_S, 0}, {LEASE_CLOCK_S, 0},
	    {-LEASE_CLOCK_S - 1, MUSTER_E_CLOCK},
	    {LEASE_CLOCK_S + 1, MUSTER_E_CLOCK}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wire_grant g = fx_grant(5, FX_NOW + cases[i].apart_s);

		is(judge(&req, &g, 0), cases[i].want);
	}
}

static void
test_request_form_1_needs_known_certificate(void)
{
	struct wire_grant g = fx_grant(5, FX_NOW);

	is(judge(&req_cert, &g, 1), 0);
	is(judge(&req_cert, &g, 0), 0);
	is(judge(&req, &g, 1), MUSTER_E_PROTO);
}

static void
test_request_every_place_in_a_tree(void)
{
	struct wire_grant g = fx_grant(5, FX_NOW);

	for (size_t n = 1; n <= LEASE_TREE_MAX; n++) {
		for (size_t i = 0; i < n; i++) {
			size_t len = fx_answer_at(&req_cert, &g, 1, n, i, body);

			is(request_judge(&req_cert, body, len, &fx_cat, FX_NOW,
			       &reply),
			    0);
		}
	}
}

/* What is wrong with the place of a shared reply, in its bytes. */
enum misplaced {
	IN_ITS_PLACE,
	FORGED_PATH,
	WRONG_INDEX,
	INDEX_OUTSIDE,
	PATH_TOO_LONG,
	PATH_CUT,
	SWAPPED_LEAF,
	N_MISPLACED
};

static const struct {
	const char *why;
	int want;
} misplaced[N_MISPLACED] = {
    [IN_ITS_PLACE] = {"nothing", 0},
    [FORGED_PATH] = {"a node of the path forged", MUSTER_E_SIG},
    [WRONG_INDEX] = {"another one's index", MUSTER_E_SIG},
    [INDEX_OUTSIDE] = {"an index of a larger tree", MUSTER_E_RANGE},
    [PATH_TOO_LONG] = {"a path of four", MUSTER_E_TOOBIG},
    [PATH_CUT] = {"a path that is said to be shorter", MUSTER_E_PROTO},
    [SWAPPED_LEAF] = {"the reply to another request", MUSTER_E_SIG},
};

static void
test_b34_place_of_a_shared_reply(void)
{
	struct wire_grant g = fx_grant(5, FX_NOW);
	uint8_t p[RPC_BODY_MAX + HASH_LEN]; /* a fourth node */
	size_t path_len = 3 * HASH_LEN;

	for (enum misplaced what = 0; what < N_MISPLACED; what++) {
		struct request asked = req_cert;
		size_t len = fx_answer_at(&req_cert, &g, 1, 8, 3, p);
		uint8_t *index = p + len - path_len - 8;

		printf("# %s\n", misplaced[what].why);
		index[3] ^= what == WRONG_INDEX;
		if (what == INDEX_OUTSIDE)
			index[3] = 8;
		if (what == PATH_TOO_LONG) {
			index[7] = 4;
			memset(p + len, 0, HASH_LEN);
			len += HASH_LEN;
		}
		if (what == PATH_CUT)
			index[7] = 2;
		p[len - 1] ^= what == FORGED_PATH;
		asked.args_bytes[WIRE_ID_LEN] ^= what == SWAPPED_LEAF;
		is(request_judge(&asked, p, len, &fx_cat, FX_NOW, &reply),
		    misplaced[what].want);
	}
}

static void
test_request_probe_is_no_activation(void)
{
	static const uint8_t zero[WIRE_ID_LEN] = {0};
	struct wire_grant g = fx_grant(9, FX_NOW);
	struct request probe;

	is(fx_request(zero, machine, false, FX_NOW, &probe), 0);
	is(judge(&probe, &g, 0), MUSTER_E_INVAL);
}

static void
test_request_probe_shows_key_and_count(void)
{
	static const uint8_t zero[WIRE_ID_LEN] = {0};
	struct wire_grant g = fx_grant(9, FX_NOW);
	struct request probe;
	size_t len;

	is(fx_request(zero, machine, false, FX_NOW, &probe), 0);
	len = fx_answer(&probe, &g, 0, body);
	memset(&reply, 0, sizeof(reply));
	is(request_judge_probe(&probe, body, len, &fx_cat, FX_NOW, &reply), 0);
	is(reply.count, 9);
	is(reply.threshold, fx_cat.products[0].threshold);
	is(request_judge_probe(&probe, body, len, &fx_cat,
	       FX_NOW + LEASE_CLOCK_S + 1, &reply),
	    MUSTER_E_CLOCK);
	body[len - 1] ^= 1;
	ok(request_judge_probe(&probe, body, len, &fx_cat, FX_NOW, &reply) !=
	    0);
	len = fx_answer(&req, &g, 0, body);
	is(request_judge_probe(&req, body, len, &fx_cat, FX_NOW, &reply),
	    MUSTER_E_INVAL);
}

static void
test_request_reply_to_another_request(void)
{
	struct wire_grant g = fx_grant(9, FX_NOW);
	struct request other = req;
	size_t len = fx_answer(&req, &g, 0, body);

	other.xid++;
	is(request_judge(&other, body, len, &fx_cat, FX_NOW, &reply),
	    MUSTER_E_MISMATCH);
	other = req;
	other.args_bytes[WIRE_ID_LEN * 2]++; /* the nonce */
	is(request_judge(&other, body, len, &fx_cat, FX_NOW, &reply),
	    MUSTER_E_SIG);
}

static void
test_request_unsigned_statuses(void)
{
	for (int s = WIRE_UNKNOWN_PRODUCT; s <= WIRE_REFUSED; s++) {
		struct wire_result res = {.status = (enum wire_status)s,
		    .host_unix_s = s == WIRE_CLOCK ? 77 : 0,
		    .busy_s = s == WIRE_BUSY ? 60 : 0};
		uint8_t result[WIRE_RESULT_MAX], rec[RPC_RECORD_MAX];
		size_t len = 0, n = 0;

		is(wire_result_encode(&res, result, sizeof(result), &len), 0);
		is(rpc_reply_encode(req.xid, result, len, rec, sizeof(rec), &n),
		    0);
		is(request_judge(&req, rec + 4, n - 4, &fx_cat, FX_NOW, &reply),
		    MUSTER_E_REFUSED);
		is(reply.status, s);
		is(reply.busy_s, res.busy_s);
		is(reply.host_unix_s, res.host_unix_s);
		ok(!reply.is_activated);
	}
}

static void
test_request_rpc_error_is_refused(void)
{
	uint8_t rec[RPC_RECORD_MAX];
	size_t n = 0;

	is(rpc_error_encode(req.xid, RPC_PROG_UNAVAIL, rec, sizeof(rec), &n),
	    0);
	reply.status = WIRE_BUSY;
	is(request_judge(&req, rec + 4, n - 4, &fx_cat, FX_NOW, &reply),
	    MUSTER_E_REFUSED);
	is(reply.status, WIRE_OK);
}

static void
test_b34_altered_reply_fails(int form)
{
	struct wire_grant g = fx_grant(9, FX_NOW);
	size_t n = form == 1 ? 5 : 1;
	size_t len = fx_answer_at(&req_cert, &g, form, n, n - 1, body);
	int bad = 0, cut = 0;

	is(request_judge(&req_cert, body, len, &fx_cat, FX_NOW, &reply), 0);
	for (size_t i = 0; i < 8 * len; i++) {
		body[i / 8] ^= (uint8_t)(1U << i % 8);
		if (request_judge(&req_cert, body, len, &fx_cat, FX_NOW,
		        &reply) == 0) {
			printf("# bit %zu of byte %zu\n", i % 8, i / 8);
			bad++;
		}
		body[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	is(bad, 0);
	for (size_t i = 0; i < len; i++) {
		uint8_t *exact = malloc(i + 1);

		memcpy(exact, body, i);
		if (request_judge(&req_cert, exact, i, &fx_cat, FX_NOW,
		        &reply) == 0)
			cut++;
		free(exact);
	}
	is(cut, 0);
	body[len] = 0;
	ok(request_judge(&req_cert, body, len + 1, &fx_cat, FX_NOW, &reply) !=
	    0);
}

static struct lease
lease_at(uint32_t count, int64_t issued_unix_s)
{
	struct wire_grant g = fx_grant(count, issued_unix_s);
	size_t len = fx_answer(&req, &g, 0, body);

	if (request_judge(&req, body, len, &fx_cat, issued_unix_s, &reply) != 0)
		memset(&reply, 0, sizeof(reply));
	return reply.lease;
}

static void
test_request_replaces(void)
{
	struct lease old = lease_at(5, FX_NOW),
	             later = lease_at(5, FX_NOW + 60);
	struct lease low = lease_at(4, FX_NOW + 120), bad = old;
	static const uint8_t elsewhere[WIRE_ID_LEN] = {1};
	int64_t now = FX_NOW + 120;

	ok(request_replaces(&old, NULL, &fx_cat, machine, now));
	ok(request_replaces(&later, &old, &fx_cat, machine, now));
	ok(!request_replaces(&old, &later, &fx_cat, machine, now));
	ok(!request_replaces(&old, &old, &fx_cat, machine, now));
	ok(!request_replaces(&low, NULL, &fx_cat, machine, now));
	ok(!request_replaces(&low, &old, &fx_cat, machine, now));
	ok(!request_replaces(&later, NULL, &fx_cat, elsewhere, now));
	bad.signature[0] ^= 1;
	ok(!request_replaces(&bad, NULL, &fx_cat, machine, now));
	ok(request_replaces(&old, &bad, &fx_cat, machine, now));
	ok(request_replaces(&old, &low, &fx_cat, machine, now));
	/* bytes that are no lease at all */
	memset(bad.certificate, 0, sizeof(bad.certificate));
	ok(!request_replaces(&bad, NULL, &fx_cat, machine, now));
	ok(!request_replaces(&bad, &old, &fx_cat, machine, now));
	ok(request_replaces(&old, &bad, &fx_cat, machine, now));
}

static void
test_request_tag_names_the_leaf(void)
{
	struct wire_grant g = fx_grant(2, FX_NOW);
	uint8_t hash[HASH_LEN], leaf[HASH_LEN];

	is(judge(&req, &g, 0), 0);
	cert_hash(fx_cert, hash);
	lease_leaf(fx_cat.head.publisher, hash, req.args_bytes, req.args_len,
	    &g, leaf);
	ok(memcmp(reply.tag, leaf, WIRE_TAG_LEN) == 0);
}

int
main(void)
{
	fx_init(FX_NOW);
	is(fx_request(cmid, machine, false, FX_NOW, &req), 0);
	is(fx_request(cmid, machine, true, FX_NOW, &req_cert), 0);
	test_request_carries_every_field();
	test_request_name_limits();
	test_b31_count_against_threshold();
	test_b34_reply_time_within_four_hours();
	test_request_form_1_needs_known_certificate();
	test_request_every_place_in_a_tree();
	test_b34_place_of_a_shared_reply();
	test_request_probe_is_no_activation();
	test_request_probe_shows_key_and_count();
	test_request_reply_to_another_request();
	test_request_unsigned_statuses();
	test_request_rpc_error_is_refused();
	test_b34_altered_reply_fails(0);
	test_b34_altered_reply_fails(1);
	test_request_replaces();
	test_request_tag_names_the_leaf();
	return tap_done();
}
