/* SPDX-License-Identifier: MIT */
#include "client/asking.h"

#include <string.h>

void
asking_begin(struct asking *a, const struct life *l, const struct life_env *env,
    const struct life_todo *todo, const char *name)
{
	const struct state_product *s = &l->state;

	/* not the request and the reply, which are large and made anew */
	a->request.record_len = 0;
	a->has_reply = false;
	a->busy_s = 0;
	a->cat = env->cat;
	a->product = *env->product;
	memcpy(a->cmid, l->publisher->cmid, WIRE_ID_LEN);
	memcpy(a->previous, s->previous, WIRE_TAG_LEN);
	machine_fingerprint(env->machine, l->publisher->publisher, a->machine);
	memset(a->name, 0, sizeof(a->name));
	memcpy(a->name, name, strnlen(name, WIRE_NAME_MAX));
	a->has_certificate = s->has_certificate;
	memcpy(a->certificate, s->certificate, CERT_LEN);
	a->licence = todo->after;
	a->minutes_left = todo->minutes_left;
}

int
asking_make(struct asking *a, int64_t now_unix_s, asking_fill fill, void *arg)
{
	uint8_t nonce[WIRE_ID_LEN], xid[sizeof(uint32_t)];
	struct request_in in = {.product = &a->product,
	    .cmid = a->cmid,
	    .machine = a->machine,
	    .nonce = nonce,
	    .previous = a->previous,
	    .certificate = a->has_certificate ? a->certificate : NULL,
	    .name = a->name,
	    .now_unix_s = now_unix_s,
	    .state = a->licence,
	    .minutes_left = a->minutes_left};

	fill(arg, nonce, sizeof(nonce));
	fill(arg, xid, sizeof(xid));
	memcpy(&in.xid, xid, sizeof(xid));
	a->has_reply = false;
	a->reply.status = WIRE_OK; /* what request_judge() may leave alone */
	a->reply.host_unix_s = 0;
	a->reply.busy_s = 0;
	return request_make(&in, &a->request);
}

int
asking_judge(struct asking *a, const uint8_t *p, size_t len, int64_t now_unix_s)
{
	int err =
	    request_judge(&a->request, p, len, a->cat, now_unix_s, &a->reply);

	a->has_reply = err == 0;
	if (err == MUSTER_E_REFUSED && a->reply.status == WIRE_BUSY &&
	    (a->busy_s == 0 || a->reply.busy_s < a->busy_s))
		a->busy_s = a->reply.busy_s;
	return err;
}

int
asking_connect_ms(const struct walk_todo *todo)
{
	if (todo->is_brief)
		return ASKING_BRIEF_MS;
	return todo->has_more ? ASKING_CONNECT_MS : ASKING_MS;
}

struct life_event
asking_event(const struct asking *a, const char *host)
{
	struct life_event ev = {.kind = LIFE_SILENCE, .busy_s = a->busy_s};

	if (a->has_reply)
		ev = (struct life_event){.kind = LIFE_REPLY,
		    .reply = &a->reply,
		    .host = host};
	return ev;
}
