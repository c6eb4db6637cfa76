/* SPDX-License-Identifier: MIT */
/*
 * life_fixture.h -- one machine, one product and a host in virtual time.
 *
 * lw_init() comes first.  lw_until() lives on, contact after contact; what
 * changes the licence state is told as a line of the trace.
 */
#ifndef MUSTER_LIFE_FIXTURE_H
#define MUSTER_LIFE_FIXTURE_H

#include "client/clockwatch.h"
#include "client/life.h"
#include "client_fixture.h"

#define LW_DAY INT64_C(86400)
#define LW_TRACE_MAX 8192

struct lw {
	struct machine machine;
	struct life_env env;
	struct life life;
	struct state_publisher publisher;
	struct clockwatch watch;
	int64_t true_unix_s; /* the host's clock */
	int64_t wall_off_s;  /* the machine's wall clock minus that */
	int64_t boot_at_unix_s;
	uint32_t count; /* what the host answers */
	bool is_up;
	uint32_t busy_s; /* the host says BUSY, unless 0 */
	uint64_t rng;    /* 0: no jitter */
	struct life_todo todo;
	int64_t begin_unix_s;
	unsigned n_asked, n_replies, n_renewals, n_cmids;
	char trace[LW_TRACE_MAX];
	size_t trace_len;
};

static const char *const lw_states[] = {"unlicensed", "initial grace",
    "licensed", "out-of-tolerance grace", "notification"};

static inline void
lw_tell(struct lw *w, const char *from, const char *to, const char *why)
{
	int64_t min = (w->true_unix_s - w->begin_unix_s) / 60;
	int n = snprintf(w->trace + w->trace_len, LW_TRACE_MAX - w->trace_len,
	    "day %3lld %02lld:%02lld  %-22s -> %-22s %s\n",
	    (long long)(min / 1440), (long long)(min / 60 % 24),
	    (long long)(min % 60), from, to, why);

	if (n > 0 && w->trace_len + (size_t)n < LW_TRACE_MAX)
		w->trace_len += (size_t)n;
}

static inline struct clockwatch_now
lw_clocks(const struct lw *w)
{
	return (struct clockwatch_now){
	    .boot = {1},
	    .wall_unix_s = w->true_unix_s + w->wall_off_s,
	    .boot_s = w->true_unix_s - w->boot_at_unix_s,
	};
}

/* All that goes to disk, but the lease. */
struct lw_files {
	size_t n_publisher, n_product;
	uint8_t publisher[STATE_FILE_MAX], product[STATE_FILE_MAX];
};

static inline void
lw_files(const struct lw *w, struct lw_files *out)
{
	memset(out, 0, sizeof(*out));
	/* before the first sight there is none */
	(void)!state_publisher_encode(&w->publisher, out->publisher,
	    sizeof(out->publisher), &out->n_publisher);
	(void)!state_product_encode(&w->life.state, out->product,
	    sizeof(out->product), &out->n_product);
}

static inline void
lw_event(struct lw *w, const struct life_event *ev, const char *why)
{
	struct clockwatch_now clocks = lw_clocks(w);
	struct life_now now = {.wall_unix_s = clocks.wall_unix_s,
	    .boot_s = clocks.boot_s};
	struct lw_files before, after;

	lw_files(w, &before);
	if (ev->kind == LIFE_REPLY)
		clockwatch_signed(&w->watch, &clocks);
	now.is_wall_believed = clockwatch_see(&w->watch, &clocks);
	if (w->rng != 0) {
		w->rng ^= w->rng << 13;
		w->rng ^= w->rng >> 7;
		w->rng ^= w->rng << 17;
		now.draw = (uint32_t)(w->rng >> 11);
	}
	life_step(&w->life, &w->env, ev, &now, &w->todo);
	/* what a step changes it has written, whatever the event */
	lw_files(w, &after);
	if (!w->todo.save && memcmp(&before, &after, sizeof(before)) != 0)
		tap_ok(0, why, __FILE__, __LINE__);
	if (w->todo.before != w->todo.after)
		lw_tell(w, lw_states[w->todo.before], lw_states[w->todo.after],
		    why);
}

/* One round: the request as a client makes it, the answer as a host signs. */
static inline void
lw_round(struct lw *w, const char *why)
{
	struct life_event ev = {.kind = LIFE_SILENCE, .busy_s = w->busy_s};
	int64_t wall_unix_s = w->true_unix_s + w->wall_off_s;
	uint8_t print[WIRE_ID_LEN], body[RPC_BODY_MAX];
	struct wire_grant grant = fx_grant(w->count, w->true_unix_s);
	struct request req;
	struct reply reply;
	size_t len;

	w->n_asked++;
	machine_fingerprint(&w->machine, w->publisher.publisher, print);
	if (w->is_up && w->busy_s == 0 &&
	    fx_request(w->publisher.cmid, print, false, wall_unix_s, &req) ==
	        0) {
		grant.renewal_min = 7200;
		grant.retry_min = 1440;
		len = fx_answer(&req, &grant, 0, body);
		if (request_judge(&req, body, len, &fx_cat, wall_unix_s,
		        &reply) == 0) {
			ev = (struct life_event){.kind = LIFE_REPLY,
			    .reply = &reply,
			    .host = "kms.example:1688"};
			w->n_replies++;
			w->n_renewals += w->life.licence == WIRE_LICENSED &&
			    reply.is_activated;
		}
	}
	lw_event(w, &ev, ev.kind == LIFE_REPLY ? "a reply" : why);
}

static inline void
lw_do(struct lw *w, const struct life_event *ev, const char *why)
{
	lw_event(w, ev, why);
	if (w->todo.ask)
		lw_round(w, why);
}

/* The machine starts: publisher's part first, then the product's. */
static inline void
lw_start(struct lw *w, bool is_new, const char *why)
{
	struct life_event ev = {.kind = LIFE_MET, .is_new = is_new};
	uint8_t cmid[WIRE_ID_LEN] = {0xc0, (uint8_t)w->n_cmids};
	uint8_t old[WIRE_ID_LEN];

	memcpy(old, w->publisher.cmid, WIRE_ID_LEN);
	life_machine(&w->publisher, &w->env, cmid, is_new, &ev.is_moved,
	    &ev.is_afresh);
	w->n_cmids += memcmp(old, w->publisher.cmid, WIRE_ID_LEN) != 0;
	lw_event(w, &ev, why);
}

static inline void
lw_init(struct lw *w, int64_t begin_unix_s)
{
	memset(w, 0, sizeof(*w));
	fx_init(begin_unix_s);
	fx_cat.products[0].validity_days = 30;
	fx_cat.products[0].initial_grace_days = 10;
	fx_cat.products[0].lapse_grace_days = 10;
	w->machine.id[0] = 0x11;
	w->env = (struct life_env){.cat = &fx_cat,
	    .product = &fx_cat.products[0],
	    .machine = &w->machine};
	w->life.publisher = &w->publisher;
	w->begin_unix_s = w->true_unix_s = begin_unix_s;
	w->boot_at_unix_s = begin_unix_s - 30;
	w->is_up = true;
	w->count = 5;
}

/* A line of the script: what is done to machine and hosts. */
static inline void
lw_say(struct lw *w, const char *what)
{
	int64_t min = (w->true_unix_s - w->begin_unix_s) / 60;
	int n = snprintf(w->trace + w->trace_len, LW_TRACE_MAX - w->trace_len,
	    "day %3lld %02lld:%02lld  -- %s\n", (long long)(min / 1440),
	    (long long)(min / 60 % 24), (long long)(min % 60), what);

	if (n > 0 && w->trace_len + (size_t)n < LW_TRACE_MAX)
		w->trace_len += (size_t)n;
}

/* As muster-agent --once: a start, and what is due. */
static inline void
lw_look(struct lw *w, const char *why)
{
	const struct life_event timer = {.kind = LIFE_TIMER};

	lw_start(w, false, why);
	if (w->boot_at_unix_s + w->todo.wake_boot_s <= w->true_unix_s)
		lw_do(w, &timer, why);
}

/* Live on for so many contacts. */
static inline void
lw_contacts(struct lw *w, unsigned n)
{
	while (n-- != 0) {
		w->true_unix_s = w->boot_at_unix_s + w->todo.wake_boot_s;
		lw_look(w, "time");
	}
}

/* The machine's clock stands ahead, or behind, and is put right again. */
static inline void
lw_clock(struct lw *w, int days, const char *what)
{
	lw_say(w, what);
	w->wall_off_s = days * LW_DAY;
	lw_look(w, days != 0 ? "time" : "the clock is right");
}

/* Live on to a time, waking as the steps ask for. */
static inline void
lw_until(struct lw *w, int64_t day)
{
	int64_t end_unix_s = w->begin_unix_s + day * LW_DAY;
	const struct life_event timer = {.kind = LIFE_TIMER};

	while (w->todo.has_wake) {
		int64_t at_unix_s = w->boot_at_unix_s + w->todo.wake_boot_s;

		if (at_unix_s > end_unix_s)
			break;
		if (at_unix_s > w->true_unix_s)
			w->true_unix_s = at_unix_s;
		lw_do(w, &timer, "time");
	}
	w->true_unix_s = end_unix_s;
}

#endif /* MUSTER_LIFE_FIXTURE_H */
