/* SPDX-License-Identifier: MIT */
/*
 * The codec against what rpcgen makes of the same specification: equal bytes
 * and equal fields both ways on random values, and on mutated and random
 * input a strict subset.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "oracle_xdr.h"
#include "wire/msg.h"

#include "tap.h"

#define BUF_LEN 512

static uint64_t rng = 1;

static uint32_t
draw(uint32_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)((rng >> 11) % below);
}

static void
fill(void *p, size_t len)
{
	uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)draw(256);
}

static void
random_args(struct wire_args *a)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-"
	                              "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t n = draw(WIRE_NAME_MAX + 1);

	memset(a, 0, sizeof(*a));
	fill(a->product, sizeof(a->product));
	fill(a->cmid, sizeof(a->cmid));
	fill(a->nonce, sizeof(a->nonce));
	fill(a->machine, sizeof(a->machine));
	fill(a->known_host, sizeof(a->known_host));
	fill(a->previous, sizeof(a->previous));
	fill(&a->time_unix_s, sizeof(a->time_unix_s));
	a->state = (enum wire_state)draw(5);
	a->threshold = 1 + draw(WIRE_THRESHOLD_MAX);
	fill(&a->minutes_left, sizeof(a->minutes_left));
	for (size_t i = 0; i < n; i++)
		a->name[i] = letters[draw(sizeof(letters) - 1)];
}

static void
random_result(struct wire_result *r)
{
	memset(r, 0, sizeof(*r));
	r->status = (enum wire_status)draw(7);
	if (draw(2) == 0)
		r->status = WIRE_OK;
	if (r->status == WIRE_CLOCK)
		fill(&r->host_unix_s, sizeof(r->host_unix_s));
	if (r->status == WIRE_BUSY)
		r->busy_s = 1 + draw(WIRE_BUSY_MAX_S);
	if (r->status != WIRE_OK)
		return;
	fill(&r->grant.count, sizeof(r->grant.count));
	fill(&r->grant.issued_unix_s, sizeof(r->grant.issued_unix_s));
	r->grant.renewal_min = 15 + draw(WIRE_INTERVAL_MAX - 14);
	r->grant.retry_min = 15 + draw(WIRE_INTERVAL_MAX - 14);
	fill(&r->grant.catalogue, sizeof(r->grant.catalogue));
	fill(r->signature, sizeof(r->signature));
	r->form = draw(2);
	if (r->form == 0) {
		fill(r->certificate, sizeof(r->certificate));
		return;
	}
	r->place.n_path = draw(WIRE_PATH_MAX + 1);
	r->place.index = draw(1U << r->place.n_path);
	fill(r->place.path, r->place.n_path * WIRE_NODE_LEN);
}

static void
random_cover(struct wire_cover *c)
{
	memset(c, 0, sizeof(*c));
	c->status = (enum wire_status)draw(7);
	if (draw(2) == 0)
		c->status = WIRE_OK;
	if (c->status != WIRE_OK)
		return;
	fill(&c->host_unix_s, sizeof(c->host_unix_s));
	fill(&c->catalogue, sizeof(c->catalogue));
	fill(c->certificate, sizeof(c->certificate));
}

/* The same value as rpcgen's struct; it borrows name and path from ours. */
static void
args_to_theirs(struct wire_args *a, activate_args *t)
{
	memset(t, 0, sizeof(*t));
	memcpy(t->product, a->product, sizeof(t->product));
	memcpy(t->cmid, a->cmid, sizeof(t->cmid));
	memcpy(t->nonce, a->nonce, sizeof(t->nonce));
	memcpy(t->machine, a->machine, sizeof(t->machine));
	memcpy(t->known_host, a->known_host, sizeof(t->known_host));
	memcpy(t->previous, a->previous, sizeof(t->previous));
	t->time = a->time_unix_s;
	t->state = (muster_state)a->state;
	t->threshold = a->threshold;
	t->minutes_left = a->minutes_left;
	t->name = a->name;
}

static void
result_to_theirs(struct wire_result *r, activate_res *t)
{
	activate_ok *ok_res = &t->activate_res_u.ok;
	proof *how = &ok_res->how;

	memset(t, 0, sizeof(*t));
	t->status = (muster_status)r->status;
	if (r->status == WIRE_CLOCK)
		t->activate_res_u.host_time = r->host_unix_s;
	if (r->status == WIRE_BUSY)
		t->activate_res_u.seconds = r->busy_s;
	if (r->status != WIRE_OK)
		return;
	ok_res->count = r->grant.count;
	ok_res->issued_at = r->grant.issued_unix_s;
	ok_res->renewal = r->grant.renewal_min;
	ok_res->retry = r->grant.retry_min;
	ok_res->catalogue = r->grant.catalogue;
	memcpy(ok_res->signature, r->signature, sizeof(ok_res->signature));
	how->form = r->form;
	if (r->form == 0) {
		memcpy(how->proof_u.certificate, r->certificate, WIRE_CERT_LEN);
		return;
	}
	how->proof_u.place.index = r->place.index;
	how->proof_u.place.path.path_len = r->place.n_path;
	how->proof_u.place.path.path_val = (muster_node *)r->place.path;
}

static void
cover_to_theirs(struct wire_cover *c, cover_res *t)
{
	cover_ok *ok_res = &t->cover_res_u.ok;

	memset(t, 0, sizeof(*t));
	t->status = (muster_status)c->status;
	if (c->status != WIRE_OK)
		return;
	ok_res->host_time = c->host_unix_s;
	ok_res->catalogue = c->catalogue;
	memcpy(ok_res->certificate, c->certificate, WIRE_CERT_LEN);
}

static bool
args_equal(const struct wire_args *a, const activate_args *t)
{
	return memcmp(t->product, a->product, sizeof(t->product)) == 0 &&
	    memcmp(t->cmid, a->cmid, sizeof(t->cmid)) == 0 &&
	    memcmp(t->nonce, a->nonce, sizeof(t->nonce)) == 0 &&
	    memcmp(t->machine, a->machine, sizeof(t->machine)) == 0 &&
	    memcmp(t->known_host, a->known_host, WIRE_TAG_LEN) == 0 &&
	    memcmp(t->previous, a->previous, WIRE_TAG_LEN) == 0 &&
	    t->time == a->time_unix_s && (int)t->state == (int)a->state &&
	    t->threshold == a->threshold &&
	    t->minutes_left == a->minutes_left && strcmp(t->name, a->name) == 0;
}

static bool
proof_equal(const struct wire_result *r, const proof *t)
{
	const tree_place *place = &t->proof_u.place;

	if (t->form != r->form)
		return false;
	if (t->form == 0)
		return memcmp(t->proof_u.certificate, r->certificate,
		           WIRE_CERT_LEN) == 0;
	return place->index == r->place.index &&
	    place->path.path_len == r->place.n_path &&
	    (r->place.n_path == 0 ||
	        memcmp(place->path.path_val, r->place.path,
	            r->place.n_path * WIRE_NODE_LEN) == 0);
}

static bool
result_equal(const struct wire_result *r, const activate_res *t)
{
	const activate_ok *o = &t->activate_res_u.ok;

	if ((int)t->status != (int)r->status)
		return false;
	if (r->status == WIRE_CLOCK)
		return t->activate_res_u.host_time == r->host_unix_s;
	if (r->status == WIRE_BUSY)
		return t->activate_res_u.seconds == r->busy_s;
	return r->status != WIRE_OK ||
	    (o->count == r->grant.count &&
	        o->issued_at == r->grant.issued_unix_s &&
	        o->renewal == r->grant.renewal_min &&
	        o->retry == r->grant.retry_min &&
	        o->catalogue == r->grant.catalogue &&
	        memcmp(o->signature, r->signature, WIRE_SIG_LEN) == 0 &&
	        proof_equal(r, &o->how));
}

static bool
cover_equal(const struct wire_cover *c, const cover_res *t)
{
	const cover_ok *o = &t->cover_res_u.ok;

	return (int)t->status == (int)c->status &&
	    (c->status != WIRE_OK ||
	        (o->host_time == c->host_unix_s &&
	            o->catalogue == c->catalogue &&
	            memcmp(o->certificate, c->certificate, WIRE_CERT_LEN) ==
	                0));
}

enum kind { ARGS, RESULT, COVER, N_KINDS };

static const char *const kinds[N_KINDS] = {"args", "result", "cover"};

struct ours {
	struct wire_args args;
	struct wire_result result;
	struct wire_cover cover;
};

union theirs {
	activate_args args;
	activate_res result;
	cover_res cover;
};

static int
our_encode(enum kind kind, const struct ours *o, uint8_t *buf, size_t *len)
{
	if (kind == ARGS)
		return wire_args_encode(&o->args, buf, BUF_LEN, len);
	if (kind == RESULT)
		return wire_result_encode(&o->result, buf, BUF_LEN, len);
	return wire_cover_encode(&o->cover, buf, BUF_LEN, len);
}

static int
our_decode(enum kind kind, const uint8_t *p, size_t len, struct ours *o)
{
	if (kind == ARGS)
		return wire_args_decode(p, len, &o->args);
	if (kind == RESULT)
		return wire_result_decode(p, len, &o->result);
	return wire_cover_decode(p, len, &o->cover);
}

static bool
their_code(enum kind kind, XDR *x, union theirs *t)
{
	if (kind == ARGS)
		return xdr_activate_args(x, &t->args);
	if (kind == RESULT)
		return xdr_activate_res(x, &t->result);
	return xdr_cover_res(x, &t->cover);
}

static size_t
their_encode(enum kind kind, union theirs *t, uint8_t *buf)
{
	size_t len = 0;
	XDR x;

	xdrmem_create(&x, (char *)buf, BUF_LEN, XDR_ENCODE);
	if (their_code(kind, &x, t))
		len = xdr_getpos(&x);
	return len;
}

/* The decoded value must be freed, whether it was accepted or not. */
static bool
their_decode(enum kind kind, const uint8_t *p, size_t len, union theirs *t)
{
	uint8_t copy[BUF_LEN];
	XDR x;

	memset(t, 0, sizeof(*t));
	memcpy(copy, p, len);
	xdrmem_create(&x, (char *)copy, (u_int)len, XDR_DECODE);
	return their_code(kind, &x, t);
}

static void
their_free(enum kind kind, union theirs *t)
{
	XDR x;

	memset(&x, 0, sizeof(x));
	x.x_op = XDR_FREE;
	(void)their_code(kind, &x, t);
}

static bool
equal(enum kind kind, const struct ours *o, const union theirs *t)
{
	if (kind == ARGS)
		return args_equal(&o->args, &t->args);
	if (kind == RESULT)
		return result_equal(&o->result, &t->result);
	return cover_equal(&o->cover, &t->cover);
}

struct tally {
	unsigned long bytes_differ, fields_differ; /* of valid values */
	unsigned long tried, ours, theirs;         /* of other input */
	unsigned long only_ours, read_differs, not_canonical;
};

/* A random value by both encoders and both decoders; its bytes. */
static size_t
valid_round(enum kind kind, struct tally *n, uint8_t *bytes)
{
	struct ours a, b;
	union theirs t, back;
	uint8_t by_them[BUF_LEN];
	size_t len = 0, their_len;

	random_args(&a.args);
	random_result(&a.result);
	random_cover(&a.cover);
	if (kind == ARGS)
		args_to_theirs(&a.args, &t.args);
	else if (kind == RESULT)
		result_to_theirs(&a.result, &t.result);
	else
		cover_to_theirs(&a.cover, &t.cover);
	n->bytes_differ += our_encode(kind, &a, bytes, &len) != 0;
	their_len = their_encode(kind, &t, by_them);
	n->bytes_differ +=
	    len == 0 || their_len != len || memcmp(bytes, by_them, len) != 0;
	n->fields_differ += our_decode(kind, by_them, their_len, &b) != 0 ||
	    !equal(kind, &b, &t);
	n->fields_differ +=
	    !their_decode(kind, bytes, len, &back) || !equal(kind, &a, &back);
	their_free(kind, &back);
	return len;
}

/* What we accept they accept, with the same meaning; there is one encoding. */
static void
judge(enum kind kind, struct tally *n, const uint8_t *bytes, size_t len)
{
	struct ours a;
	union theirs t;
	uint8_t again[BUF_LEN];
	bool we = our_decode(kind, bytes, len, &a) == 0;
	bool they = their_decode(kind, bytes, len, &t);
	size_t n_again = 0;

	n->tried++;
	n->ours += we;
	n->theirs += they;
	n->only_ours += we && !they;
	n->read_differs += we && they && !equal(kind, &a, &t);
	if (we)
		n->not_canonical +=
		    our_encode(kind, &a, again, &n_again) != 0 ||
		    n_again != len || memcmp(bytes, again, len) != 0;
	their_free(kind, &t);
}

/* One to three changes: a bit, a word, a cut, or bytes behind the end. */
static size_t
mutate(uint8_t *bytes, size_t len)
{
	static const uint32_t words[] = {0, 1, 2, 3, 4, 5, 6, 7, 14, 99, 100,
	    3601, 43201, 100001, 0x7fffffff, 0x80000000, 0xffffffff};

	for (uint32_t i = 1 + draw(3); i > 0 && len >= 4; i--) {
		uint32_t at = draw((uint32_t)len), word;

		switch (draw(4)) {
		case 0:
			bytes[at] ^= (uint8_t)(1U << draw(8));
			break;
		case 1:
			word = words[draw(sizeof(words) / sizeof(words[0]))];
			for (int k = 3; k >= 0; k--, word >>= 8)
				bytes[at / 4 * 4 + (uint32_t)k] = (uint8_t)word;
			break;
		case 2:
			len = draw(3) == 0 ? at : len - 4;
			break;
		default:
			memset(bytes + len, 0, 8);
			len += 1 + draw(8);
			break;
		}
	}
	return len;
}

static void
rounds_of_kind(enum kind kind, unsigned long rounds)
{
	struct tally n = {0};
	uint8_t bytes[BUF_LEN];

	for (unsigned long i = 0; i < rounds; i++) {
		size_t len = valid_round(kind, &n, bytes);

		len = mutate(bytes, len);
		judge(kind, &n, bytes, len);
		len = draw(256);
		fill(bytes, len);
		/* mostly a status that leads on, else all end at once */
		if (kind != ARGS && len >= 4 && draw(4) != 0)
			memcpy(bytes, (uint8_t[4]){0, 0, 0, (uint8_t)draw(8)},
			    4);
		judge(kind, &n, bytes, len);
	}
	printf("# %s: of %lu mutated or random inputs we accept %lu, "
	       "they %lu\n",
	    kinds[kind], n.tried, n.ours, n.theirs);
	is((long long)n.bytes_differ, 0);
	is((long long)n.fields_differ, 0);
	is((long long)n.only_ours, 0);
	is((long long)n.read_differs, 0);
	is((long long)n.not_canonical, 0);
	ok(n.ours > 0 && n.ours < n.theirs && n.theirs < n.tried);
}

static void
test_oracle_program(void)
{
	is(MUSTER_PROGRAM, 536876680);
	is(MUSTER_V1, 1);
	is(MUSTER_ACTIVATE, 1);
	is(MUSTER_COVER, 2);
	is(MUSTER_NAME_MAX, WIRE_NAME_MAX);
	is(MUSTER_PATH_MAX, WIRE_PATH_MAX);
	is(MUSTER_REFUSED, WIRE_REFUSED);
	is(MUSTER_NOTIFICATION, WIRE_NOTIFICATION);
}

int
main(int argc, char *argv[])
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;

	rng = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	printf("# seed %" PRIu64 ", %lu values of each kind\n", rng, rounds);
	test_oracle_program();
	for (int kind = 0; kind < N_KINDS; kind++)
		rounds_of_kind((enum kind)kind, rounds);
	return tap_done();
}
