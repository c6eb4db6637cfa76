/* SPDX-License-Identifier: MIT */
/*
 * The codec against what rpcgen makes of the same specification: equal bytes
 * both ways on random values, and on mutated input a strict subset.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "muster_xdr.h"
#include "wire/msg.h"

#include "tap.h"

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
	static const char letters[] = "ABCXYZabcxyz0189._-";
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

/* rpcgen's code: decode, encode again; the length, or 0 when refused. */
static size_t
oracle(xdrproc_t proc, void *obj, size_t obj_len, const uint8_t *in, size_t len,
    uint8_t *out)
{
	uint8_t copy[512];
	size_t out_len = 0;
	XDR x;

	memset(obj, 0, obj_len);
	memcpy(copy, in, len);
	xdrmem_create(&x, (char *)copy, (u_int)len, XDR_DECODE);
	if (proc(&x, obj)) {
		XDR y;

		xdrmem_create(&y, (char *)out, 512, XDR_ENCODE);
		if (proc(&y, obj))
			out_len = xdr_getpos(&y);
	}
	xdr_free(proc, obj);
	return out_len;
}

struct tally {
	unsigned long differ, ours, theirs, only_ours;
};

static void
judge(struct tally *t, bool we_accept, size_t they)
{
	t->ours += we_accept;
	t->theirs += they != 0;
	t->only_ours += we_accept && they == 0;
}

static void
args_round(struct tally *same, struct tally *mutated)
{
	struct wire_args a, b;
	activate_args theirs;
	uint8_t buf[512], back[512];
	size_t len = 0, n;

	random_args(&a);
	same->differ += wire_args_encode(&a, buf, sizeof(buf), &len) != 0;
	n = oracle((xdrproc_t)xdr_activate_args, &theirs, sizeof(theirs), buf,
	    len, back);
	same->differ += n != len || memcmp(buf, back, len) != 0;
	same->differ += wire_args_decode(back, n, &b) != 0 ||
	    memcmp(&a, &b, sizeof(a)) != 0;

	buf[draw((uint32_t)len)] ^= (uint8_t)(1U << draw(8));
	if (draw(4) == 0)
		buf[96 + draw(8)] = (uint8_t)draw(256);
	if (draw(4) == 0)
		len -= 4 * draw(5);
	n = oracle((xdrproc_t)xdr_activate_args, &theirs, sizeof(theirs), buf,
	    len, back);
	judge(mutated, wire_args_decode(buf, len, &b) == 0, n);
}

static void
result_round(struct tally *same, struct tally *mutated)
{
	struct wire_result a, b;
	activate_res theirs;
	uint8_t buf[512], back[512];
	size_t len = 0, n;

	random_result(&a);
	same->differ += wire_result_encode(&a, buf, sizeof(buf), &len) != 0;
	n = oracle((xdrproc_t)xdr_activate_res, &theirs, sizeof(theirs), buf,
	    len, back);
	same->differ += n != len || memcmp(buf, back, len) != 0;
	same->differ += wire_result_decode(back, n, &b) != 0 ||
	    memcmp(&a, &b, sizeof(a)) != 0;

	buf[draw((uint32_t)len)] ^= (uint8_t)(1U << draw(8));
	if (draw(4) == 0)
		buf[draw(4)] = (uint8_t)draw(8);
	if (draw(4) == 0 && len > 16)
		len -= 4 * draw(4);
	n = oracle((xdrproc_t)xdr_activate_res, &theirs, sizeof(theirs), buf,
	    len, back);
	judge(mutated, wire_result_decode(buf, len, &b) == 0, n);
}

static void
cover_round(struct tally *same, struct tally *mutated)
{
	struct wire_cover a, b;
	cover_res theirs;
	uint8_t buf[512], back[512];
	size_t len = 0, n;

	memset(&a, 0, sizeof(a));
	a.status = (enum wire_status)draw(7);
	if (a.status == WIRE_OK) {
		fill(&a.host_unix_s, sizeof(a.host_unix_s));
		fill(&a.catalogue, sizeof(a.catalogue));
		fill(a.certificate, sizeof(a.certificate));
	}
	same->differ += wire_cover_encode(&a, buf, sizeof(buf), &len) != 0;
	n = oracle((xdrproc_t)xdr_cover_res, &theirs, sizeof(theirs), buf, len,
	    back);
	same->differ += n != len || memcmp(buf, back, len) != 0;
	same->differ += wire_cover_decode(back, n, &b) != 0 ||
	    memcmp(&a, &b, sizeof(a)) != 0;

	buf[draw((uint32_t)len)] ^= (uint8_t)(1U << draw(8));
	n = oracle((xdrproc_t)xdr_cover_res, &theirs, sizeof(theirs), buf, len,
	    back);
	judge(mutated, wire_cover_decode(buf, len, &b) == 0, n);
}

int
main(int argc, char *argv[])
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
	struct tally same = {0}, args = {0}, res = {0}, cover = {0};

	rng = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	printf("# seed %" PRIu64 "\n", rng);
	for (unsigned long i = 0; i < rounds; i++) {
		args_round(&same, &args);
		result_round(&same, &res);
		cover_round(&same, &cover);
	}
	printf("# %lu values of each kind; mutated: args %lu of %lu, "
	       "result %lu of %lu, cover %lu of %lu accepted by both\n",
	    rounds, args.ours, args.theirs, res.ours, res.theirs, cover.ours,
	    cover.theirs);
	is((long long)same.differ, 0);
	is((long long)(args.only_ours + res.only_ours + cover.only_ours), 0);
	ok(args.ours > 0 && args.ours < args.theirs);
	ok(res.ours > 0 && res.ours < res.theirs);
	ok(cover.ours > 0 && cover.ours <= cover.theirs);
	return tap_done();
}
