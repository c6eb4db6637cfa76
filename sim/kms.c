/* SPDX-License-Identifier: MIT */
#include "sim/kms.h"

#include <string.h>

#include "sim/kmsdisk.h"
#include "sim/net.h"
#include "wire/rpc.h"

#define HOUR_S INT64_C(3600)

int64_t
kms_unix_s(const struct sim *s, const struct kms *k)
{
	return s->now_ms < k->frozen_until_ms ? k->frozen_unix_s
	                                      : s->now_ms / 1000 + k->off_s;
}

int
kms_take_catalogue(struct sim *s, uint32_t number, uint32_t catalogue)
{
	struct kms *k = &s->host[number];
	const struct catalogue *cat = &s->cat[catalogue];
	int err = 0;

	k->catalogue = catalogue;
	k->turn.publishers[0].catalogue = cat;
	s->touched_hosts |= 1U << number;
	for (uint32_t p = 0;
	     p < cat->n_products && err == 0 && k->store != NULL; p++)
		err = store_reserve(k->store, s->publisher,
		    cat->products[p].group, 2 * cat->products[p].threshold);
	return err;
}

static void submit(struct sim *s, uint32_t number);
static void sign(struct sim *s, uint32_t number);

/* ---- what goes out ---- */

static void
send_record(struct sim *s, uint32_t number, const struct ticket *to,
    const uint8_t *record, size_t len)
{
	struct msg m = {.is_reply = true,
	    .host = number,
	    .machine = to->machine,
	    .product = to->product,
	    .call = to->call,
	    .is_tainted = to->is_tainted,
	    .len = (uint32_t)len};

	memcpy(m.record, record, len);
	net_send(s, &m);
}

static void
send_result(struct sim *s, uint32_t number, const struct ticket *to,
    const struct wire_result *res)
{
	uint8_t result[WIRE_RESULT_MAX], record[RPC_RECORD_MAX];
	size_t len = 0;
	int err = wire_result_encode(res, result, sizeof(result), &len);

	if (err == 0)
		err = rpc_reply_encode(to->xid, result, len, record,
		    sizeof(record), &len);
	if (err != 0) {
		sim_fail(s, "codec", "kms-%u: its reply does not encode: %s",
		    number, muster_errname(err));
		return;
	}
	send_record(s, number, to, record, len);
}

static void
send_busy(struct sim *s, uint32_t number, const struct ticket *to,
    uint32_t spread_s)
{
	struct wire_result res = {.status = WIRE_BUSY,
	    .busy_s = admit_busy_s(&s->host[number].admit, s->now_ms / 1000,
	        spread_s, rng_u64(&s->rng))};

	send_result(s, number, to, &res);
}

static void
send_all_busy(struct sim *s, uint32_t number)
{
	struct batch *b = &s->host[number].flying;

	for (uint32_t i = 0; i < b->n; i++)
		send_busy(s, number, &b->ticket[i], ADMIT_TROUBLE_S);
	b->n = 0;
}

/* ---- what comes in ---- */

uint32_t
kms_ends_day(const struct kms *k)
{
	const uint8_t *p = k->turn.publishers[0].cert_bytes + 16;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

void
kms_set_rogue(struct kms *k, bool is_rogue)
{
	k->is_rogue = is_rogue;
	k->was_rogue |= is_rogue;
	k->turn.publishers[0].cert.expires_day = is_rogue ? 0 : kms_ends_day(k);
}

/* The status that b6 and the protocol ask for, told from the bytes. */
static enum wire_status
expected(const struct sim *s, const struct kms *k,
    const struct model_request *r, uint32_t *product_out)
{
	int64_t now_unix_s = kms_unix_s(s, k);
	int64_t certified_s =
	    (int64_t)k->turn.publishers[0].cert.issued_day * 86400;
	int64_t apart_s;
	uint32_t ends_day = kms_ends_day(k), p = 0;

	while (p < s->n_products &&
	    memcmp(r->product, s->product[p], PRODUCT_LEN) != 0)
		p++;
	*product_out = p;
	if (p == s->n_products)
		return WIRE_UNKNOWN_PRODUCT;
	if (now_unix_s < certified_s - 24 * HOUR_S ||
	    (ends_day != 0 && !k->is_rogue &&
	        now_unix_s >= (int64_t)ends_day * 86400))
		return WIRE_HOST_NOT_ACTIVATED;
	if (!k->covers[p])
		return WIRE_NOT_COVERED;
	if (r->time_unix_s > INT64_MAX / 2)
		return WIRE_CLOCK;
	apart_s = (int64_t)r->time_unix_s - now_unix_s;
	return apart_s > 4 * HOUR_S || apart_s < -4 * HOUR_S ? WIRE_CLOCK
	                                                     : WIRE_OK;
}

static void
queue_item(struct sim *s, uint32_t number, const struct turn_item *item,
    const struct ticket *ticket)
{
	struct kms *k = &s->host[number];
	const struct event soon = {.kind = EV_SUBMIT,
	    .who = number,
	    .tag = k->epoch};

	k->next.item[k->next.n] = *item;
	k->next.ticket[k->next.n++] = *ticket;
	if (k->is_flying || k->is_submitting)
		return;
	k->is_submitting = true;
	if (s->site != NULL) { /* the same, in fewer events */
		submit(s, number);
		return;
	}
	sim_at(s, rng_below(&s->rng, 3), &soon);
}

static void
on_activate(struct sim *s, const struct msg *m, const struct rpc_call *call,
    const struct wire_args *args, struct ticket *ticket)
{
	struct kms *k = &s->host[m->host];
	struct turn_item item = {.args = *args, .raw_len = call->args_len};
	struct wire_result res = {.status = WIRE_OK};
	enum wire_status want;
	uint32_t p;

	if (!model_read(m->record, m->len, &ticket->request)) {
		sim_fail(s, "codec", "kms-%u took a request that is too short",
		    m->host);
		return;
	}
	if (s->site == NULL)
		model_arrive(k->model, &ticket->request);
	else
		watch_request(s->watch, m->host, sim_site_s(s));
	if (k->next.n == SIM_BATCH_MAX) {
		send_busy(s, m->host, ticket, ADMIT_OVERLOAD_S);
		return;
	}
	memcpy(item.raw, call->args, call->args_len);
	res.status = turn_judge(&k->turn, kms_unix_s(s, k), &item);
	want = expected(s, k, &ticket->request, &p);
	if (res.status != want)
		sim_fail(s, "b6", "kms-%u says status %d, not %d", m->host,
		    res.status, want);
	if (want == WIRE_HOST_NOT_ACTIVATED && kms_ends_day(k) != 0)
		sim_hit(s, POINT_EXPIRED_HOST);
	if (want == WIRE_OK && !s->has_failed) {
		ticket->group = p % s->swarm.n_groups; /* world.c */
		ticket->issued_unix_s = kms_unix_s(s, k);
		if (s->site != NULL)
			ticket->group = s->site->product[p].group;
	}
	if (res.status == WIRE_OK && !s->has_failed) {
		ticket->threshold = s->swarm.threshold[k->catalogue][p];
		queue_item(s, m->host, &item, ticket);
		return;
	}
	res.host_unix_s = kms_unix_s(s, k);
	sim_tell(s, "kms-%u: call %llu gets status %d", m->host,
	    (unsigned long long)m->call, res.status);
	send_result(s, m->host, ticket, &res);
}

void
kms_receive(struct sim *s, const struct msg *m)
{
	struct kms *k = &s->host[m->host];
	struct ticket ticket = {.machine = m->machine,
	    .product = m->product,
	    .call = m->call,
	    .is_tainted = m->is_corrupt};
	uint8_t record[RPC_RECORD_MAX];
	enum rpc_verdict verdict;
	struct wire_args args;
	struct rpc_call call;
	size_t len;

	s->touched_hosts |= 1U << m->host;
	if (!k->is_up) {
		sim_tell(s, "kms-%u: is down", m->host);
		return;
	}
	if (m->is_corrupt)
		sim_hit(s, POINT_CORRUPT_REQUEST);
	if (rpc_mark_decode(m->record, &len) != 0 ||
	    RPC_MARK_LEN + len != m->len)
		return; /* closed, or still waiting for the rest */
	verdict = rpc_call_decode(m->record + RPC_MARK_LEN, len, &call);
	ticket.xid = call.xid;
	if (verdict == RPC_CALL && call.proc == RPC_ACTIVATE &&
	    wire_args_decode(call.args, call.args_len, &args) != 0)
		verdict = RPC_GARBAGE_ARGS;
	if (verdict == RPC_CALL && call.proc == RPC_ACTIVATE) {
		on_activate(s, m, &call, &args, &ticket);
	} else if (verdict != RPC_CALL &&
	    rpc_error_encode(call.xid, verdict, record, sizeof(record), &len) ==
	        0) {
		send_record(s, m->host, &ticket, record, len);
	}
}

/* ---- the batch ---- */

/* An old request that comes late, also to another host of a shared count, or
 * one with another `previous`, looks like
 * one of a second machine. */
static bool
is_honest(const struct sim *s)
{
	return s->swarm.latency_ms < ASKING_MS / 100 && !s->swarm.is_shared &&
	    !s->swarm.has_sqlite && !s->swarm.has_fault[POINT_CLOG] &&
	    !s->swarm.has_fault[POINT_PAUSE] &&
	    !s->swarm.has_fault[POINT_DUPLICATE] &&
	    !s->swarm.has_fault[POINT_REORDER] &&
	    !s->swarm.has_fault[POINT_DELAY] &&
	    !s->swarm.has_fault[POINT_CORRUPT];
}

/* A client that another host of the same count saw last. */
static void
note_sharer(struct sim *s, uint32_t number, const struct ticket *t)
{
	struct model_client *c = model_client(s->host[number].model,
	    t->request.product, t->request.cmid);

	if (c == NULL)
		return;
	if (c->host != number)
		sim_hit(s, POINT_SHARED);
	c->host = number;
}

/* What the model says it is, and what may be accepted from now on. */
static void
enter(struct sim *s, uint32_t number, uint32_t i, int64_t now_unix_s)
{
	struct kms *k = &s->host[number];
	const struct turn_item *item = &k->flying.item[i];
	const struct ticket *t = &k->flying.ticket[i];
	struct entry *e = &s->ledger[s->n_entries];
	uint32_t count;

	note_sharer(s, number, t);
	if (item->group != t->group ||
	    item->grant.issued_unix_s != t->issued_unix_s)
		sim_fail(s, "I3", "kms-%u: group %u at %lld, not %u at %lld",
		    number, item->group, (long long)item->grant.issued_unix_s,
		    t->group, (long long)t->issued_unix_s);
	count = model_accept(k->model, t->group, &t->request, t->issued_unix_s,
	    now_unix_s, t->threshold);
	if (count != item->grant.count)
		sim_fail(s, "I3", "kms-%u counts %u, the model %u", number,
		    item->grant.count, count);
	if (item->is_clone != model_reply(k->model, &t->request, item->leaf))
		sim_fail(s, "b5", "kms-%u: %s a second machine under %s",
		    number, item->is_clone ? "tells" : "does not tell",
		    item->args.name);
	if (item->is_clone) {
		sim_hit(s, POINT_IS_CLONE);
		if (!s->has_clones && is_honest(s))
			sim_fail(s, "b5", "kms-%u sees a clone of %s", number,
			    item->args.name);
	}
	if (s->n_entries == SIM_LEDGER_MAX) {
		k->model->is_full = true;
		return;
	}
	s->n_entries++;
	*e = (struct entry){.host = number,
	    .raw_len = (uint32_t)item->raw_len,
	    .request = t->request,
	    .count = count,
	    .issued_unix_s = item->grant.issued_unix_s};
	memcpy(e->raw, item->raw, item->raw_len);
}

/* 0, or what became of the batch. */
static int
apply(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];
	int64_t now_unix_s = kms_unix_s(s, k);
	int err;

	if (k->disk != NULL)
		err = kmsdisk_batch(s, number, now_unix_s);
	else
		err = store_batch(k->store, k->flying.item, k->flying.n,
		    now_unix_s);
	if (err != 0 && k->disk == NULL)
		sim_fail(s, "store", "kms-%u: %s", number, muster_errname(err));
	if (err != 0)
		return err;
	for (uint32_t i = 0;
	     i < k->flying.n && !s->has_failed && s->site == NULL; i++) {
		enter(s, number, i, now_unix_s);
		sim_tell(s, "kms-%u: call %llu of %s counts %u", number,
		    (unsigned long long)k->flying.ticket[i].call,
		    k->flying.item[i].args.name, k->flying.item[i].grant.count);
	}
	return s->has_failed ? MUSTER_E_INVAL : 0;
}

static void
submit(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];
	const struct event commit = {.kind = EV_COMMIT,
	    .who = number,
	    .tag = k->epoch};

	k->is_submitting = false;
	if (k->next.n == 0 || k->is_flying)
		return;
	/* not all of it, for mostly there is one */
	k->flying.n = k->next.n;
	memcpy(k->flying.item, k->next.item,
	    k->next.n * sizeof(k->next.item[0]));
	memcpy(k->flying.ticket, k->next.ticket,
	    k->next.n * sizeof(k->next.ticket[0]));
	k->next.n = 0;
	k->is_flying = true;
	if (k->flying.n > 1)
		sim_hit(s, POINT_BATCH);
	sim_at(s, s->is_healed ? 5 : rng_octave(&s->rng, 1, s->swarm.commit_ms),
	    &commit);
}

static int64_t
down_ms(struct sim *s)
{
	return rng_octave(&s->rng, 200, 2 * SIM_DAY_MS);
}

/* Its clients are told BUSY, and it goes on with the next batch. */
static void
go_on(struct sim *s, uint32_t number)
{
	send_all_busy(s, number);
	s->host[number].is_flying = false;
	submit(s, number);
}

/* Nothing was changed, or nobody knows: musterd ends, and finds out. */
static void
end_failed(struct sim *s, uint32_t number, int err)
{
	struct kms *k = &s->host[number];

	if (s->has_failed)
		return;
	sim_tell(s, "kms-%u: its commit fails: %s", number,
	    muster_errname(err));
	if (err == MUSTER_E_FULL) {
		go_on(s, number);
		return;
	}
	kmsdisk_doubt(s, number, kms_unix_s(s, k));
	if (rng_below(&s->rng, 2) == 0)
		send_all_busy(s, number);
	kms_stop(s, number, down_ms(s));
}

/* A full disk, or a commit of which nobody knows.  A host with a disk of its
 * own ends and finds out; one that shares a count goes on (turnloop.c). */
static void
commit_busy(struct sim *s, uint32_t number)
{
	bool is_shared = s->swarm.is_shared;
	int err;

	if (rng_below(&s->rng, 2) == 0) {
		if (is_shared)
			sim_hit(s, POINT_SHARED_AGAIN);
		sim_tell(s, "kms-%u: %s", number,
		    is_shared ? "the shared count asks to try again"
		              : "its disk is full");
		go_on(s, number);
		return;
	}
	err = apply(s, number);
	if (err != 0) {
		end_failed(s, number, err);
		return;
	}
	sim_tell(s, "kms-%u: unsure of its commit", number);
	if (is_shared) {
		sim_hit(s, POINT_SHARED_UNSURE);
		go_on(s, number);
		return;
	}
	sim_hit(s, POINT_UNSURE);
	send_all_busy(s, number);
	kms_stop(s, number, down_ms(s));
}

static void
commit(struct sim *s, uint32_t number)
{
	bool is_after;
	int err;
	const struct event done = {.kind = EV_SIGN,
	    .who = number,
	    .tag = s->host[number].epoch};

	if (s->swarm.is_shared && s->now_ms < s->away_until_ms) {
		sim_hit(s, POINT_AWAY);
		sim_tell(s, "kms-%u: the shared count is away", number);
		go_on(s, number);
		return;
	}
	if (sim_faulty(s, POINT_BUSY)) {
		commit_busy(s, number);
		return;
	}
	if (sim_faulty(s, POINT_CRASH)) {
		is_after = rng_below(&s->rng, 2) == 0;
		err = is_after ? apply(s, number) : 0;
		if (err != 0) {
			end_failed(s, number, err);
			return;
		}
		sim_hit(s, is_after ? POINT_CRASH_AFTER : POINT_CRASH_BEFORE);
		kms_stop(s, number, down_ms(s));
		return;
	}
	err = apply(s, number);
	if (err != 0)
		end_failed(s, number, err);
	else if (s->site != NULL)
		sign(s, number);
	else
		sim_at(s, rng_below(&s->rng, 20), &done);
}

static void
sign(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];
	struct wire_result results[SIM_BATCH_MAX];

	turn_sign(&k->turn, k->flying.item, k->flying.n, results);
	for (uint32_t i = 0; i < k->flying.n; i++)
		send_result(s, number, &k->flying.ticket[i], &results[i]);
	k->flying.n = 0;
	k->is_flying = false;
	submit(s, number);
}

static void
idle(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];
	const struct event again = {.kind = EV_IDLE, .who = number};
	int64_t now_unix_s = kms_unix_s(s, k);
	int err = 0;

	sim_at(s, s->swarm.idle_ms, &again);
	if (!k->is_up || k->is_flying)
		return;
	if (k->disk != NULL) {
		err = kmsdisk_idle(s, number, now_unix_s);
		if (err == MUSTER_E_FULL)
			return; /* musterd goes on, and tries again */
		if (k->is_idle_in_doubt) {
			kms_stop(s, number, down_ms(s));
			return;
		}
	} else {
		do {
			err = store_idle(k->store, now_unix_s);
		} while (err == MUSTER_E_AGAIN);
	}
	if (s->site == NULL)
		model_idle(k->model, now_unix_s, s->swarm.retention_days);
	if (err != 0)
		sim_fail(s, "store", "kms-%u: %s", number, muster_errname(err));
}

/* ---- up and down ---- */

void
kms_stop(struct sim *s, uint32_t number, int64_t for_ms)
{
	struct kms *k = &s->host[number];
	struct event up = {.kind = EV_HOST_UP, .who = number};

	k->epoch++;
	k->is_up = k->is_flying = k->is_submitting = false;
	k->is_off = rng_below(&s->rng, 2) == 0;
	k->next.n = k->flying.n = 0;
	s->touched_hosts |= 1U << number;
	sim_tell(s, "kms-%u: goes down", number);
	if (k->disk != NULL)
		kmsdisk_stop(s, number);
	up.tag = k->epoch;
	if (for_ms >= 0)
		sim_at(s, for_ms, &up);
}

void
kms_start(struct sim *s, uint32_t number)
{
	struct kms *k = &s->host[number];

	if (!k->is_up)
		sim_tell(s, "kms-%u: is up", number);
	k->is_up = true;
	admit_init(&k->admit);
	if (k->disk != NULL)
		kmsdisk_start(s, number);
	s->touched_hosts |= 1U << number;
}

void
kms_event(struct sim *s, const struct event *ev)
{
	struct kms *k = &s->host[ev->who];

	s->touched_hosts |= 1U << ev->who;
	if (ev->kind == EV_IDLE)
		idle(s, ev->who);
	else if (ev->tag != k->epoch)
		return; /* of a start that is over */
	else if (ev->kind == EV_SUBMIT)
		submit(s, ev->who);
	else if (ev->kind == EV_COMMIT)
		commit(s, ev->who);
	else if (ev->kind == EV_SIGN)
		sign(s, ev->who);
	else if (ev->kind == EV_HOST_UP)
		kms_start(s, ev->who);
}
