/* SPDX-License-Identifier: MIT */
/*
 * Nothing that is signed, proven or hashed is good in another's place, and no
 * reply for another question.  One key signs everything here, so that labels
 * and fields alone keep the texts apart.
 */
#include "client_fixture.h"
#include "trust/enrol.h"
#include "trust/slotask.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const char *const labels[] = {LABEL_CAT, LABEL_CERT, LABEL_LEASE,
    LABEL_NODE, LABEL_ROOT, LABEL_ENROL, LABEL_HKEY, LABEL_PROOF, LABEL_SETUP,
    ""};
static uint8_t one_pk[PUBKEY_LEN], one_sk[SECKEY_LEN];

/* The text that a label stands before, and the label of which it is. */
static void
relabel(uint8_t *text, const char *label)
{
	memset(text, 0, LABEL_LEN);
	memcpy(text, label, strlen(label));
}

/* 1 for what is taken under the label that belongs there, else 100. */
static unsigned
weight(size_t i, const char *right)
{
	return strcmp(labels[i], right) == 0 ? 1 : 100;
}

/* Sign text under every label and under none: 1 when check() takes it under
 * the right one alone. */
static unsigned
n_taken(uint8_t *text, size_t len, uint8_t *sig, int (*check)(void),
    const char *right)
{
	unsigned n = 0;

	for (size_t i = 0; i < N(labels); i++) {
		relabel(text, labels[i]);
		label_sign(one_sk, text, len, sig);
		n += check() == 0 ? weight(i, right) : 0;
	}
	/* without any label */
	label_sign(one_sk, text + LABEL_LEN, len - LABEL_LEN, sig);
	n += check() == 0 ? 100 : 0;
	return n;
}

/* A certificate's text by the protocol: publisher id, the 56 bytes with the
 * fingerprint for the key. */
static struct cert cert;

static int
check_cert(void)
{
	return cert_verify(&cert, fx_cat.head.publisher, one_pk);
}

static void
test_mixing_certificate(void)
{
	uint8_t bytes[CERT_LEN], text[LABEL_LEN + PUBLISHER_LEN + 40];

	is(cert_decode(fx_cert, &cert), 0);
	cert_encode(&cert, bytes);
	memcpy(text + 16, fx_cat.head.publisher, 16);
	memcpy(text + 32, bytes, 20);
	cert_fingerprint(bytes + 20, text + 52);
	memcpy(text + 68, bytes + 52, 4);
	is(n_taken(text, sizeof(text), cert.signature, check_cert, LABEL_CERT),
	    1);
}

/* A lease's text: the root. */
static struct lease lease;
static struct lease_facts facts;

static int
check_lease(void)
{
	return lease_judge(&lease, &facts, NULL, FX_NOW,
	    LEASE_ANY_MACHINE | LEASE_ANY_COUNT);
}

static void
lease_of_one_key(const struct request *req)
{
	cert.issuer = 1;
	memcpy(cert.host_pk, one_pk, PUBKEY_LEN);
	cert_sign(&cert, fx_cat.head.publisher, one_sk);
	lease = (struct lease){.grant = fx_grant(9, FX_NOW),
	    .args_len = req->args_len};
	memcpy(lease.args, req->args_bytes, req->args_len);
	cert_encode(&cert, lease.certificate);
	memcpy(fx_cat.issuers[0].pk, one_pk, PUBKEY_LEN);
	is(lease_facts(&lease, &fx_cat, &facts), 0);
}

/* hash(label || parts): what a leaf and a node are made of. */
static void
test_mixing_lease(const struct request *req)
{
	uint8_t text[LABEL_LEN + HASH_LEN], leaf[HASH_LEN], hash[HASH_LEN];
	uint8_t tail[24];
	struct wr w = wr_init(tail, sizeof(tail));
	const struct bytes parts[] = {{fx_cat.head.publisher, 16}, {hash, 32},
	    {lease.args, req->args_len}, {tail, 24}};
	unsigned n = 0;

	lease_of_one_key(req);
	cert_hash(lease.certificate, hash);
	lease_leaf(fx_cat.head.publisher, hash, lease.args, lease.args_len,
	    &lease.grant, text + LABEL_LEN);
	is(n_taken(text, sizeof(text), lease.signature, check_lease,
	       LABEL_ROOT),
	    1);

	/* the leaf under another label, in a text with the right one */
	wr_u32(&w, lease.grant.count);
	wr_i64(&w, lease.grant.issued_unix_s);
	wr_u32(&w, lease.grant.renewal_min);
	wr_u32(&w, lease.grant.retry_min);
	wr_u32(&w, lease.grant.catalogue);
	relabel(text, LABEL_ROOT);
	for (size_t i = 0; i < N(labels); i++) {
		label_hash(labels[i], parts, 4, leaf);
		memcpy(text + LABEL_LEN, leaf, HASH_LEN);
		label_sign(one_sk, text, sizeof(text), lease.signature);
		n += check_lease() == 0 ? weight(i, LABEL_LEASE) : 0;
	}
	is(n, 1);
}

/* A node is not a leaf: the sum of two leaves under any label but its own. */
static void
test_mixing_node(void)
{
	uint8_t leaf[HASH_LEN], hash[HASH_LEN], text[LABEL_LEN + HASH_LEN];
	struct wire_place place = {.n_path = 1};
	const struct bytes pair[] = {{leaf, 32}, {place.path[0], 32}};
	unsigned n = 0;

	memset(place.path, 0x33, sizeof(place.path));
	lease.place = place;
	cert_hash(lease.certificate, hash);
	lease_leaf(fx_cat.head.publisher, hash, lease.args, lease.args_len,
	    &lease.grant, leaf);
	relabel(text, LABEL_ROOT);
	for (size_t i = 0; i < N(labels); i++) {
		label_hash(labels[i], pair, 2, text + LABEL_LEN);
		label_sign(one_sk, text, sizeof(text), lease.signature);
		n += check_lease() == 0 ? weight(i, LABEL_NODE) : 0;
	}
	is(n, 1);
	lease.place = (struct wire_place){0};
}

/* An enrolment request: body and proof; the proof itself has a label too. */
static uint8_t enrol[ENROL_MAX];
static size_t enrol_len;

static int
check_enrol(void)
{
	struct enrol e;

	return enrol_decode(enrol, enrol_len, &e);
}

static void
make_enrol(void)
{
	static const uint8_t pk[HOSTKEY_PK_LEN] = {5};
	struct enrol e = {.key_number = 7, .name = "kms"};

	memcpy(e.publisher, fx_cat.head.publisher, PUBLISHER_LEN);
	memcpy(e.host_pk, one_pk, PUBKEY_LEN);
	is(enrol_encode(&e, pk, one_sk, enrol, sizeof(enrol), &enrol_len), 0);
}

static void
test_mixing_enrolment(void)
{
	static const uint8_t pk[HOSTKEY_PK_LEN] = {5};
	uint8_t text[LABEL_LEN + ENROL_MAX], proof[32];
	size_t body;
	unsigned n = 0;

	make_enrol();
	body = enrol_len - 12 - 96;
	memcpy(text + LABEL_LEN, enrol + 12, body + 32);
	is(n_taken(text, LABEL_LEN + body + 32, enrol + enrol_len - 64,
	       check_enrol, LABEL_ENROL),
	    1);
	for (size_t i = 0; i < N(labels); i++) {
		relabel(text, labels[i]);
		(void)crypto_generichash(proof, 32, text, LABEL_LEN + body, pk,
		    HOSTKEY_PK_LEN);
		memcpy(enrol + 12 + body, proof, 32);
		n += enrol_prove(enrol, enrol_len, pk) == 0
		    ? weight(i, LABEL_PROOF)
		    : 0;
	}
	is(n, 1);
}

/* A catalogue: the hash of the file's bytes. */
static uint8_t file[CAT_FILE_MAX];
static size_t file_len;

static int
check_cat(void)
{
	const struct bytes mem = {.p = file, .len = file_len};
	const struct cat_source src = cat_memory_source(&mem);
	struct cat_head head;

	return cat_read(&src, NULL, NULL, &head);
}

static void
make_cat(void)
{
	memcpy(fx_cat.head.root_pk, one_pk, PUBKEY_LEN);
	is(cat_encode(&fx_cat, one_sk, file, sizeof(file), &file_len), 0);
	memcpy(fx_cat.head.root_pk, fx_root_pk, PUBKEY_LEN);
}

static void
test_mixing_catalogue(void)
{
	struct bytes all = {.p = file};
	uint8_t text[LABEL_LEN + PUBLISHER_LEN + HASH_LEN];

	make_cat();
	all.len = file_len - SIG_LEN;
	label_publisher(one_pk, text + LABEL_LEN);
	label_hash(NULL, &all, 1, text + 32);
	is(n_taken(text, sizeof(text), file + file_len - SIG_LEN, check_cat,
	       LABEL_CAT),
	    1);
}

/* Every kind of file in every other's place. */
static void
test_mixing_files(void)
{
	static const uint8_t pk[HOSTKEY_PK_LEN] = {5};
	const struct slotask a = {.act = SLOTASK_LIST};
	static uint8_t ask[SLOTASK_LEN], stored[LEASE_FILE_MAX];
	struct bytes kinds[5];
	unsigned n_right = 0, n_wrong = 0;
	size_t len = 0;

	make_cat();
	make_enrol();
	kinds[0] = (struct bytes){file, file_len};
	kinds[1] = (struct bytes){enrol, enrol_len};
	slotask_encode(&a, pk, ask);
	is(lease_encode(&lease, stored, sizeof(stored), &len), 0);
	kinds[2] = (struct bytes){ask, SLOTASK_LEN};
	kinds[3] = (struct bytes){stored, len};
	kinds[4] = (struct bytes){fx_cert, CERT_LEN};
	for (size_t i = 0; i < N(kinds); i++) {
		const struct cat_source src = cat_memory_source(&kinds[i]);
		struct cat_head head;
		struct enrol e;
		struct slotask s;
		struct lease l;
		struct cert c;
		const bool takes[] = {cat_read(&src, NULL, NULL, &head) == 0,
		    enrol_decode(kinds[i].p, kinds[i].len, &e) == 0,
		    slotask_decode(kinds[i].p, kinds[i].len, &s) == 0,
		    lease_decode(kinds[i].p, kinds[i].len, &l) == 0,
		    kinds[i].len == CERT_LEN &&
		        cert_decode(kinds[i].p, &c) == 0};

		for (size_t k = 0; k < N(takes); k++) {
			n_right += takes[k] && k == i;
			n_wrong += takes[k] && k != i;
		}
	}
	is(n_right, 5);
	is(n_wrong, 0);
}

/* The fields of one request and of another, mixed by a mask. */
#define TAKE(bit, field)                                                \
	do {                                                            \
		if ((mask & 1U << (bit)) != 0)                          \
			memcpy(&a->field, &b->field, sizeof(a->field)); \
	} while (0)
#define N_ASKED 11
#define N_ANSWERED 7

static void
mix_args(unsigned mask, struct wire_args *a, const struct wire_args *b)
{
	TAKE(0, product);
	TAKE(1, cmid);
	TAKE(2, nonce);
	TAKE(3, machine);
	TAKE(4, known_host);
	TAKE(5, previous);
	TAKE(6, time_unix_s);
	TAKE(7, state);
	TAKE(8, threshold);
	TAKE(9, minutes_left);
	TAKE(10, name);
}

static void
mix_result(unsigned mask, struct wire_result *a, const struct wire_result *b)
{
	TAKE(0, grant.count);
	TAKE(1, grant.issued_unix_s);
	TAKE(2, grant.renewal_min);
	TAKE(3, grant.retry_min);
	TAKE(4, grant.catalogue);
	TAKE(5, signature);
	TAKE(6, certificate);
}

/* Two requests that differ in every field, of one machine's two products. */
static void
two_requests(struct request *a, struct request *b)
{
	struct cat_product *second = &fx_cat.products[1];
	struct request_in in = {.product = second,
	    .cmid = (const uint8_t[WIRE_ID_LEN]){3},
	    .machine = (const uint8_t[WIRE_ID_LEN]){4},
	    .nonce = (const uint8_t[WIRE_ID_LEN]){5},
	    .previous = (const uint8_t[WIRE_TAG_LEN]){6},
	    .certificate = fx_cert,
	    .name = "pc-2.example",
	    .now_unix_s = FX_NOW + 1,
	    .state = WIRE_LICENSED,
	    .minutes_left = 99,
	    .xid = 0xdeadbeef};

	*second = fx_cat.products[0];
	second->id[0] = 0x52;
	second->threshold = 6;
	fx_cat.n_products = 2;
	is(fx_request((const uint8_t[WIRE_ID_LEN]){1},
	       (const uint8_t[WIRE_ID_LEN]){2}, false, FX_NOW, a),
	    0);
	is(request_make(&in, b), 0);
}

/* The result in a body that fx_answer() made. */
static void
result_in(const uint8_t *body, size_t len, struct wire_result *res)
{
	const uint8_t *p = NULL;
	size_t n = 0;

	is(rpc_reply_decode(body, len, 0xdeadbeef, &p, &n), 0);
	is(wire_result_decode(p, n, res), 0);
}

static void
test_b34_a_reply_is_good_for_its_request_alone(void)
{
	struct request a, b;
	uint8_t body[RPC_RECORD_MAX];
	struct wire_grant grant;
	struct reply reply;
	unsigned n_taken_by = 0;
	size_t len;

	two_requests(&a, &b);
	grant = fx_grant(9, FX_NOW);
	len = fx_answer(&a, &grant, 0, body);
	for (unsigned mask = 0; mask < 1U << N_ASKED; mask++) {
		struct request mixed = a;

		mix_args(mask, &mixed.args, &b.args);
		is(wire_args_encode(&mixed.args, mixed.args_bytes,
		       WIRE_ARGS_MAX, &mixed.args_len),
		    0);
		n_taken_by += request_judge(&mixed, body, len, &fx_cat, FX_NOW,
		                  &reply) == 0;
		if (mask == 0)
			is(n_taken_by, 1);
	}
	is(n_taken_by, 1);
	/* the very reply, but late or early */
	is(request_judge(&a, body, len, &fx_cat, FX_NOW + LEASE_CLOCK_S,
	       &reply),
	    0);
	is(request_judge(&a, body, len, &fx_cat, FX_NOW + LEASE_CLOCK_S + 1,
	       &reply),
	    MUSTER_E_CLOCK);
	is(request_judge(&a, body, len, &fx_cat, FX_NOW - LEASE_CLOCK_S - 1,
	       &reply),
	    MUSTER_E_CLOCK);
}

static void
test_b34_two_replies_do_not_mix(void)
{
	struct request a, b;
	uint8_t body[RPC_RECORD_MAX], result[WIRE_RESULT_MAX];
	struct wire_grant grant = fx_grant(9, FX_NOW);
	struct wire_result one, two;
	struct reply reply;
	unsigned n = 0;

	two_requests(&a, &b);
	result_in(body, fx_answer(&a, &grant, 0, body), &one);
	grant = (struct wire_grant){8, FX_NOW + 1, 10081, 121, 4};
	result_in(body, fx_answer(&b, &grant, 0, body), &two);
	two.certificate[7 - 2]++; /* another activation of the slot */
	for (unsigned mask = 0; mask < 1U << N_ANSWERED; mask++) {
		struct wire_result mixed = one;
		size_t len = 0, n_rec = 0;

		mix_result(mask, &mixed, &two);
		is(wire_result_encode(&mixed, result, sizeof(result), &len), 0);
		is(rpc_reply_encode(a.xid, result, len, body, sizeof(body),
		       &n_rec),
		    0);
		n += request_judge(&a, body + RPC_MARK_LEN,
		         n_rec - RPC_MARK_LEN, &fx_cat, FX_NOW, &reply) == 0;
	}
	is(n, 1);
}

int
main(void)
{
	static const uint8_t seed[crypto_sign_SEEDBYTES] = {77};
	static const uint8_t cmid[WIRE_ID_LEN] = {1},
	                     machine[WIRE_ID_LEN] = {2};
	struct request req;

	fx_init(FX_NOW);
	(void)crypto_sign_seed_keypair(one_pk, one_sk, seed);
	is(fx_request(cmid, machine, false, FX_NOW, &req), 0);
	test_b34_a_reply_is_good_for_its_request_alone();
	test_b34_two_replies_do_not_mix();
	fx_cat.n_products = 1;
	test_mixing_certificate();
	test_mixing_lease(&req);
	test_mixing_node();
	test_mixing_enrolment();
	test_mixing_catalogue();
	test_mixing_files();
	return tap_done();
}
