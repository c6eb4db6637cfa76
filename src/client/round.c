/* SPDX-License-Identifier: MIT */
#include "client/round.h"

#include <sodium.h>
#include <string.h>

#include "base/clock.h"

void
round_prepare(struct round *r, const struct life *l, const struct life_env *env,
    const struct life_todo *todo, const char *name)
{
	const struct state_product *s = &l->state;

	r->cat = env->cat;
	r->product = *env->product;
	memcpy(r->cmid, l->publisher->cmid, WIRE_ID_LEN);
	memcpy(r->previous, s->previous, WIRE_TAG_LEN);
	machine_fingerprint(env->machine, l->publisher->publisher, r->machine);
	memset(r->name, 0, sizeof(r->name));
	memcpy(r->name, name, strnlen(name, WIRE_NAME_MAX));
	r->has_certificate = s->has_certificate;
	memcpy(r->certificate, s->certificate, CERT_LEN);
	r->licence = todo->after;
	r->minutes_left = todo->minutes_left;
	r->err = 0;
	r->n_outcomes = 0;
	r->has_reply = false;
	r->busy_s = 0;
}

static int
ask(struct round *r, size_t i)
{
	struct round_outcome *o = &r->outcome[i];
	uint8_t nonce[WIRE_ID_LEN], body[RPC_BODY_MAX];
	const struct request_in in = {.product = &r->product,
	    .cmid = r->cmid,
	    .machine = r->machine,
	    .nonce = nonce,
	    .previous = r->previous,
	    .certificate = r->has_certificate ? r->certificate : NULL,
	    .name = r->name,
	    .now_unix_s = clock_unix_s(),
	    .state = r->licence,
	    .minutes_left = r->minutes_left,
	    .xid = randombytes_random()};
	struct request req;
	size_t len = 0;
	int err;

	/* each host gets a nonce of its own */
	randombytes_buf(nonce, sizeof(nonce));
	err = request_make(&in, &req);
	if (err != 0)
		return err;
	*o = (struct round_outcome){.err = 0};
	r->n_outcomes = i + 1;
	memset(&r->reply, 0, sizeof(r->reply));
	o->err = exchange_run(&r->target[i], NULL,
	    i + 1 < r->n_targets ? EXCHANGE_CONNECT_MS : EXCHANGE_MS,
	    req.record, req.record_len, body, &len);
	if (o->err == 0)
		o->err = request_judge(&req, body, len, r->cat, clock_unix_s(),
		    &r->reply);
	r->has_reply = o->err == 0;
	if (o->err == MUSTER_E_REFUSED) {
		o->status = r->reply.status;
		o->host_unix_s = r->reply.host_unix_s;
		o->busy_s = r->reply.busy_s;
	}
	return 0;
}

void
round_run(struct round *r)
{
	for (size_t i = 0; i < r->n_targets && r->err == 0 && !r->has_reply;
	     i++) {
		const struct round_outcome *o = &r->outcome[i];

		r->err = ask(r, i);
		if (r->err == 0 && o->err == MUSTER_E_REFUSED &&
		    o->status == WIRE_BUSY &&
		    (r->busy_s == 0 || o->busy_s < r->busy_s))
			r->busy_s = o->busy_s;
	}
}

struct life_event
round_event(const struct round *r)
{
	struct life_event ev = {.kind = LIFE_SILENCE, .busy_s = r->busy_s};

	if (r->has_reply) {
		ev = (struct life_event){.kind = LIFE_REPLY,
		    .reply = &r->reply,
		    .host = r->target[r->n_outcomes - 1].text};
	}
	return ev;
}
