/* SPDX-License-Identifier: MIT */
/*
 * The codec of agent.x against what rpcgen makes of the same specification:
 * equal bytes and equal fields both ways on random values, and on mutated and
 * random input a strict subset.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "agent_oracle_xdr.h"
#include "wire/agentmsg.h"

#include "agent_fixture.h"
#include "tap.h"

#define BUF_LEN (AGENT_BODY_MAX + 64)

/* rpcgen's struct of one message, and the pointers that it borrows. */
struct theirs {
	union {
		their_request req;
		their_reply reply;
	} u;
	char *host[AGENT_HOSTS_MAX];
	their_outcome outcome[AGENT_HOSTS_MAX];
};

static void
hosts_to_theirs(struct agent_settings *s, char **host)
{
	for (uint32_t i = 0; i < s->n_hosts; i++)
		host[i] = s->host[i];
}

static void
request_to_theirs(struct agent_request *q, struct theirs *t)
{
	their_call *call = &t->u.req.call;

	t->u.req.their_version = AGENT_VERSION;
	call->op = (their_op)q->op;
	if (q->op == AGENT_INFO)
		memcpy(call->their_call_u.info, q->product, WIRE_ID_LEN);
	if (q->op == AGENT_ACTIVATE)
		memcpy(call->their_call_u.activate, q->product, WIRE_ID_LEN);
	if (q->op == AGENT_SET_HOSTS) {
		hosts_to_theirs(&q->settings, t->host);
		call->their_call_u.hosts.hosts_len = q->settings.n_hosts;
		call->their_call_u.hosts.hosts_val = t->host;
	}
	if (q->op == AGENT_SET_DOMAIN)
		call->their_call_u.domain = q->settings.domain;
	if (q->op == AGENT_SET_CACHING)
		call->their_call_u.caching = q->settings.is_caching;
	if (q->op == AGENT_INSTALL_KEY)
		call->their_call_u.key = q->key;
	if (q->op == AGENT_REARM) {
		call->their_call_u.products.products_len = q->products.n;
		call->their_call_u.products.products_val =
		    (their_id *)q->products.id;
	}
}

static void
info_to_theirs(struct agent_info *i, struct theirs *t, their_info *to)
{
	memcpy(to->product, i->product, WIRE_ID_LEN);
	memcpy(to->publisher, i->publisher, WIRE_ID_LEN);
	to->name = i->name;
	to->publisher_name = i->publisher_name;
	to->state = (u_int)i->state;
	to->reason = i->reason;
	to->seconds_left = i->seconds_left;
	to->count = i->count;
	to->threshold = i->threshold;
	to->renewal = i->renewal_min;
	to->retry = i->retry_min;
	to->rearms_left = i->rearms_left;
	to->first_seen = i->first_seen_unix_s;
	to->answered = i->answered_unix_s;
	to->asked = i->asked_unix_s;
	to->due = i->due_unix_s;
	to->host = i->host;
	to->early = i->is_early;
	to->round = i->round;
	to->outcomes.outcomes_len = i->n_outcomes;
	to->outcomes.outcomes_val = t->outcome;
	for (uint32_t k = 0; k < i->n_outcomes; k++) {
		struct agent_outcome *o = &i->outcome[k];

		t->outcome[k] = (their_outcome){.target = o->target,
		    .err = o->err,
		    .status = (u_int)o->status,
		    .host_time = o->host_unix_s,
		    .seconds = o->busy_s};
		memcpy(t->outcome[k].request, o->request, WIRE_REQUEST_LEN);
	}
	to->source = (their_source)i->source;
	to->domain = i->domain;
}

static void
reply_to_theirs(struct agent_reply *a, struct theirs *t)
{
	their_ok *o = &t->u.reply.their_reply_u.ok;

	t->u.reply.err = a->err;
	if (a->err != 0) {
		t->u.reply.their_reply_u.error =
		    (their_error){a->message, a->next_step};
		return;
	}
	o->op = (their_op)a->op;
	if (a->op == AGENT_LIST) {
		o->their_ok_u.products.products_len = a->products.n;
		o->their_ok_u.products.products_val =
		    (their_id *)a->products.id;
	}
	if (a->op == AGENT_INFO)
		info_to_theirs(&a->info, t, &o->their_ok_u.info);
	if (a->op == AGENT_ACTIVATE)
		info_to_theirs(&a->info, t, &o->their_ok_u.activate);
	if (a->op == AGENT_SETTINGS) {
		hosts_to_theirs(&a->settings, t->host);
		o->their_ok_u.settings.hosts.hosts_len = a->settings.n_hosts;
		o->their_ok_u.settings.hosts.hosts_val = t->host;
		o->their_ok_u.settings.domain = a->settings.domain;
		o->their_ok_u.settings.caching = a->settings.is_caching;
	}
	if (a->op == AGENT_INSTALL_KEY)
		memcpy(o->their_ok_u.installed, a->product, WIRE_ID_LEN);
}

static bool
ids_equal(const struct agent_ids *ids, u_int n, their_id *id)
{
	return ids->n == n &&
	    (n == 0 || memcmp(ids->id, id, n * WIRE_ID_LEN) == 0);
}

static bool
hosts_equal(const struct agent_settings *s, u_int n, char **host)
{
	bool same = s->n_hosts == n;

	for (u_int i = 0; same && i < n; i++)
		same = strcmp(s->host[i], host[i]) == 0;
	return same;
}

static bool
request_equal(const struct agent_request *q, const their_request *t)
{
	const their_call *c = &t->call;

	if (t->their_version != AGENT_VERSION || (int)c->op != (int)q->op)
		return false;
	switch (q->op) {
	case AGENT_INFO:
		return memcmp(c->their_call_u.info, q->product, WIRE_ID_LEN) ==
		    0;
	case AGENT_ACTIVATE:
		return memcmp(c->their_call_u.activate, q->product,
		           WIRE_ID_LEN) == 0;
	case AGENT_SET_HOSTS:
		return hosts_equal(&q->settings,
		    c->their_call_u.hosts.hosts_len,
		    c->their_call_u.hosts.hosts_val);
	case AGENT_SET_DOMAIN:
		return strcmp(c->their_call_u.domain, q->settings.domain) == 0;
	case AGENT_SET_CACHING:
		return c->their_call_u.caching == q->settings.is_caching;
	case AGENT_INSTALL_KEY:
		return strcmp(c->their_call_u.key, q->key) == 0;
	case AGENT_REARM:
		return ids_equal(&q->products,
		    c->their_call_u.products.products_len,
		    c->their_call_u.products.products_val);
	case AGENT_LIST:
	case AGENT_SETTINGS:
	case AGENT_GENERALIZE:
		return true;
	}
	return false;
}

static bool
outcomes_equal(const struct agent_info *i, const their_info *t)
{
	bool same = t->outcomes.outcomes_len == i->n_outcomes;

	for (uint32_t k = 0; same && k < i->n_outcomes; k++) {
		const struct agent_outcome *o = &i->outcome[k];
		const their_outcome *p = &t->outcomes.outcomes_val[k];

		same = strcmp(p->target, o->target) == 0 && p->err == o->err &&
		    p->status == (u_int)o->status &&
		    p->host_time == o->host_unix_s && p->seconds == o->busy_s &&
		    memcmp(p->request, o->request, WIRE_REQUEST_LEN) == 0;
	}
	return same;
}

static bool
info_equal(const struct agent_info *i, const their_info *t)
{
	return memcmp(t->product, i->product, WIRE_ID_LEN) == 0 &&
	    memcmp(t->publisher, i->publisher, WIRE_ID_LEN) == 0 &&
	    strcmp(t->name, i->name) == 0 &&
	    strcmp(t->publisher_name, i->publisher_name) == 0 &&
	    t->state == (u_int)i->state && t->reason == i->reason &&
	    t->seconds_left == i->seconds_left && t->count == i->count &&
	    t->threshold == i->threshold && t->renewal == i->renewal_min &&
	    t->retry == i->retry_min && t->rearms_left == i->rearms_left &&
	    t->first_seen == i->first_seen_unix_s &&
	    t->answered == i->answered_unix_s && t->asked == i->asked_unix_s &&
	    t->due == i->due_unix_s && strcmp(t->host, i->host) == 0 &&
	    t->early == i->is_early && t->round == i->round &&
	    (unsigned)t->source == (unsigned)i->source &&
	    strcmp(t->domain, i->domain) == 0 && outcomes_equal(i, t);
}

static bool
reply_equal(const struct agent_reply *a, const their_reply *t)
{
	const their_error *e = &t->their_reply_u.error;
	const their_ok *o = &t->their_reply_u.ok;
	const their_settings *s = &o->their_ok_u.settings;

	if (t->err != a->err)
		return false;
	if (a->err != 0)
		return strcmp(e->message, a->message) == 0 &&
		    strcmp(e->next_step, a->next_step) == 0;
	if ((int)o->op != (int)a->op)
		return false;
	switch (a->op) {
	case AGENT_LIST:
		return ids_equal(&a->products,
		    o->their_ok_u.products.products_len,
		    o->their_ok_u.products.products_val);
	case AGENT_INFO:
		return info_equal(&a->info, &o->their_ok_u.info);
	case AGENT_ACTIVATE:
		return info_equal(&a->info, &o->their_ok_u.activate);
	case AGENT_SETTINGS:
		return hosts_equal(&a->settings, s->hosts.hosts_len,
		           s->hosts.hosts_val) &&
		    strcmp(s->domain, a->settings.domain) == 0 &&
		    s->caching == a->settings.is_caching;
	case AGENT_INSTALL_KEY:
		return memcmp(o->their_ok_u.installed, a->product,
		           WIRE_ID_LEN) == 0;
	case AGENT_SET_HOSTS:
	case AGENT_SET_DOMAIN:
	case AGENT_SET_CACHING:
	case AGENT_REARM:
	case AGENT_GENERALIZE:
		return true;
	}
	return false;
}

struct ours {
	struct agent_request req;
	struct agent_reply reply;
};

static int
our_encode(bool is_reply, const struct ours *o, uint8_t *buf, size_t *len)
{
	if (is_reply)
		return agent_reply_encode(&o->reply, buf, BUF_LEN, len);
	return agent_request_encode(&o->req, buf, BUF_LEN, len);
}

static int
our_decode(bool is_reply, const uint8_t *p, size_t len, struct ours *o)
{
	if (is_reply)
		return agent_reply_decode(p, len, &o->reply);
	return agent_request_decode(p, len, &o->req);
}

static bool
their_code(bool is_reply, XDR *x, struct theirs *t)
{
	if (is_reply)
		return xdr_their_reply(x, &t->u.reply);
	return xdr_their_request(x, &t->u.req);
}

static bool
equal(bool is_reply, const struct ours *o, const struct theirs *t)
{
	if (is_reply)
		return reply_equal(&o->reply, &t->u.reply);
	return request_equal(&o->req, &t->u.req);
}

/* The decoded value must be freed, whether it was accepted or not. */
static bool
their_decode(bool is_reply, const uint8_t *p, size_t len, struct theirs *t)
{
	static uint8_t copy[BUF_LEN];
	XDR x;

	memset(t, 0, sizeof(*t));
	memcpy(copy, p, len);
	xdrmem_create(&x, (char *)copy, (u_int)len, XDR_DECODE);
	return their_code(is_reply, &x, t);
}

static void
their_free(bool is_reply, struct theirs *t)
{
	XDR x;

	memset(&x, 0, sizeof(x));
	x.x_op = XDR_FREE;
	(void)their_code(is_reply, &x, t);
}

struct tally {
	unsigned long bytes_differ, fields_differ; /* of valid values */
	unsigned long tried, ours, theirs;         /* of other input */
	unsigned long only_ours, read_differs, not_canonical;
};

/* A random value by both encoders and both decoders; its bytes. */
static size_t
valid_round(bool is_reply, struct tally *n, uint8_t *bytes)
{
	static struct ours a, b;
	static uint8_t by_them[BUF_LEN];
	struct theirs t, back;
	size_t len = 0, their_len = 0;
	XDR x;

	memset(&t, 0, sizeof(t));
	if (is_reply) {
		random_reply(&a.reply);
		reply_to_theirs(&a.reply, &t);
	} else {
		random_request(&a.req);
		request_to_theirs(&a.req, &t);
	}
	n->bytes_differ += our_encode(is_reply, &a, bytes, &len) != 0;
	xdrmem_create(&x, (char *)by_them, BUF_LEN, XDR_ENCODE);
	if (their_code(is_reply, &x, &t))
		their_len = xdr_getpos(&x);
	n->bytes_differ +=
	    len == 0 || their_len != len || memcmp(bytes, by_them, len) != 0;
	n->fields_differ += our_decode(is_reply, by_them, their_len, &b) != 0 ||
	    !equal(is_reply, &b, &t);
	n->fields_differ += !their_decode(is_reply, bytes, len, &back) ||
	    !equal(is_reply, &a, &back);
	their_free(is_reply, &back);
	return len;
}

/* What we accept they accept, with the same meaning; there is one encoding. */
static void
judge(bool is_reply, struct tally *n, const uint8_t *bytes, size_t len)
{
	static uint8_t again[BUF_LEN];
	static struct ours a;
	struct theirs t;
	bool we = our_decode(is_reply, bytes, len, &a) == 0;
	bool they = their_decode(is_reply, bytes, len, &t);
	size_t n_again = 0;

	n->tried++;
	n->ours += we;
	n->theirs += they;
	n->only_ours += we && !they;
	n->read_differs += we && they && !equal(is_reply, &a, &t);
	if (we)
		n->not_canonical +=
		    our_encode(is_reply, &a, again, &n_again) != 0 ||
		    n_again != len || memcmp(bytes, again, len) != 0;
	their_free(is_reply, &t);
}

/* One to three changes: a bit, a word, a cut, or bytes behind the end. */
static size_t
mutate(uint8_t *bytes, size_t len)
{
	static const uint32_t words[] = {0, 1, 2, 8, 9, 14, 43201, 65, 262, 501,
	    3601, 100001, 0x7fffffff, 0x80000000, 0xffffffdb, 0xffffffda};

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
rounds_of_kind(bool is_reply, unsigned long rounds)
{
	static uint8_t bytes[BUF_LEN];
	struct tally n = {0};

	for (unsigned long i = 0; i < rounds; i++) {
		size_t len = valid_round(is_reply, &n, bytes);

		len = mutate(bytes, len);
		judge(is_reply, &n, bytes, len);
		len = draw(256);
		fill(bytes, len);
		/* mostly a version or a success, and an op, that lead on */
		if (len >= 8 && draw(4) != 0)
			memcpy(bytes,
			    (uint8_t[8]){0, 0, 0, !is_reply, 0, 0, 0,
			        (uint8_t)draw(11)},
			    8);
		judge(is_reply, &n, bytes, len);
	}
	printf("# %s: of %lu mutated or random inputs we accept %lu, "
	       "they %lu\n",
	    is_reply ? "replies" : "calls", n.tried, n.ours, n.theirs);
	is((long long)n.bytes_differ, 0);
	is((long long)n.fields_differ, 0);
	is((long long)n.only_ours, 0);
	is((long long)n.read_differs, 0);
	is((long long)n.not_canonical, 0);
	ok(n.ours > 0 && n.ours < n.theirs && n.theirs < n.tried);
}

static void
test_agent_oracle_limits(void)
{
	is(THEIR_VERSION, AGENT_VERSION);
	is(THEIR_HOSTS_MAX, AGENT_HOSTS_MAX);
	is(THEIR_HOST_LEN, AGENT_HOST_LEN);
	is(THEIR_DOMAIN_LEN, AGENT_DOMAIN_LEN);
	is(THEIR_NAME_LEN, AGENT_NAME_LEN);
	is(THEIR_KEY_LEN, AGENT_KEY_LEN);
	is(THEIR_TEXT_LEN, AGENT_TEXT_LEN);
	is(THEIR_PRODUCTS_MAX, AGENT_PRODUCTS_MAX);
	is(THEIR_GENERALIZE, AGENT_GENERALIZE);
}

int
main(int argc, char *argv[])
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;

	rng = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	printf("# seed %" PRIu64 ", %lu values of each kind\n", rng, rounds);
	test_agent_oracle_limits();
	rounds_of_kind(false, rounds);
	rounds_of_kind(true, rounds);
	return tap_done();
}
