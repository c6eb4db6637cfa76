/* SPDX-License-Identifier: MIT */
#include "sim/net.h"

#include <string.h>

#include "sim/kms.h"
#include "sim/round.h"

#define XID_OFF 4 /* after the mark */

static int64_t
latency_ms(struct sim *s)
{
	int64_t ms = s->swarm.latency_ms;

	if (s->is_healed)
		return 1 + rng_below(&s->rng, 200);
	if (s->swarm.latency_law == 0)
		return ms;
	if (s->swarm.latency_law == 1)
		return rng_between(&s->rng, 1, 2 * ms);
	return rng_octave(&s->rng, ms, 32 * ms); /* a heavy tail */
}

static const char *
kind_of(const struct msg *m)
{
	return m->is_reply ? "reply" : "request";
}

/* One that is under way to the same place changes places with this one. */
static void
reorder(struct sim *s, uint32_t at)
{
	struct msg *m = &s->msg[at];

	for (uint32_t i = 0; i < SIM_MSGS_MAX; i++) {
		struct msg *o = &s->msg[i];
		struct msg c = *o;

		if (i == at || !o->is_used || o->is_reply != m->is_reply ||
		    (m->is_reply ? o->machine != m->machine
		                 : o->host != m->host))
			continue;
		*o = *m;
		*m = c;
		sim_hit(s, POINT_REORDER);
		sim_tell(s, "  net: two %s in the wrong order",
		    m->is_reply ? "replies" : "requests");
		return;
	}
}

static void
put(struct sim *s, const struct msg *m, int64_t delay_ms)
{
	struct event ev = {.kind = m->is_reply ? EV_TO_MACHINE : EV_TO_HOST};
	uint32_t i = s->msgs_full;

	while (i < SIM_MSGS_MAX && s->msg[i].is_used)
		i++;
	s->msgs_full = i;
	if (i == SIM_MSGS_MAX) {
		sim_tell(s, "  net: full, a %s is lost", kind_of(m));
		return;
	}
	/* what was held up comes at once, in the order of sending */
	if (s->host[m->host].clog_until_ms > s->now_ms + delay_ms) {
		delay_ms = s->host[m->host].clog_until_ms - s->now_ms;
		sim_hit(s, POINT_CLOG);
	}
	s->msg[i] = *m;
	s->msg[i].is_used = true;
	ev.what = i;
	sim_at(s, delay_ms, &ev);
	if (sim_draws(s, POINT_REORDER))
		reorder(s, i);
}

/* An old reply goes to whoever has just asked. */
static void
replay(struct sim *s, const struct msg *request)
{
	const struct pc *pc = &s->machine[request->machine];
	struct msg m = *request;

	m.is_reply = true;
	m.call--; /* any but this one */
	m.len = pc->old_len;
	memcpy(m.record, pc->old, m.len);
	if (rng_below(&s->rng, 2) == 0)
		memcpy(m.record + XID_OFF, request->record + XID_OFF, 4);
	sim_tell(s, "  net: an old reply is sent again");
	put(s, &m, 1);
}

void
net_send(struct sim *s, const struct msg *m)
{
	struct msg one = *m;
	int64_t delay_ms = latency_ms(s);

	if (s->site == NULL)
		trace_bytes(&s->trace, m->record, m->len);
	one.is_corrupt = false;
	if (sim_faulty(s, POINT_DROP)) {
		sim_tell(s, "  net: a %s is lost", kind_of(m));
		return;
	}
	if (sim_faulty(s, POINT_CORRUPT)) {
		uint32_t at = rng_below(&s->rng, one.len);

		one.record[at] ^= (uint8_t)(1 + rng_below(&s->rng, 255));
		one.is_corrupt = true;
		sim_tell(s, "  net: byte %u of a %s is changed", at,
		    kind_of(m));
	}
	if (sim_faulty(s, POINT_CUT)) {
		one.len = 1 + rng_below(&s->rng, one.len - 1);
		memset(one.record + one.len, 0, sizeof(one.record) - one.len);
		one.is_corrupt = true;
		sim_tell(s, "  net: %u bytes of a %s", one.len, kind_of(m));
	}
	if (sim_faulty(s, POINT_DELAY)) {
		delay_ms += rng_octave(&s->rng, 100, 3600000);
		sim_tell(s, "  net: a %s takes %lld ms", kind_of(m),
		    (long long)delay_ms);
	}
	if (sim_faulty(s, POINT_DUPLICATE)) {
		if (!m->is_reply && s->machine[m->machine].old_len != 0 &&
		    rng_below(&s->rng, 2) == 0) {
			replay(s, m);
		} else {
			sim_tell(s, "  net: a %s comes twice", kind_of(m));
			put(s, &one,
			    delay_ms + rng_octave(&s->rng, 1, 3600000));
		}
	}
	put(s, &one, delay_ms);
}

static bool
is_cut(const struct sim *s, uint32_t host, uint32_t machine, uint32_t way)
{
	const struct kms *k = &s->host[host];

	return s->now_ms < k->cut_until_ms && (k->cut_ways & way) != 0 &&
	    (!k->is_cut_odd || machine % 2 == 1);
}

/* Is it kept from its way, either or both? Met where it is. */
static bool
is_lost(struct sim *s, uint32_t host, uint32_t machine, uint32_t ways)
{
	if (s->now_ms < s->outage_until_ms) {
		sim_hit(s, POINT_OUTAGE);
		return true;
	}
	if (!is_cut(s, host, machine, ways))
		return false;
	sim_hit(s, POINT_PARTITION);
	return true;
}

bool
net_reaches(struct sim *s, uint32_t host, uint32_t machine)
{
	const struct kms *k = &s->host[host];

	return !is_lost(s, host, machine, 1 | 2) && (k->is_up || !k->is_off);
}

void
net_arrive(struct sim *s, const struct event *ev)
{
	struct msg m = s->msg[ev->what];

	s->msg[ev->what].is_used = false;
	if (s->msgs_full > ev->what)
		s->msgs_full = ev->what;
	if (!m.is_used)
		return;
	if (is_lost(s, m.host, m.machine, m.is_reply ? 2 : 1)) {
		sim_tell(s, "  net: down, a %s is lost", kind_of(&m));
		return;
	}
	/* two that changed places are still what they are */
	if (m.is_reply)
		round_receive(s, &m);
	else
		kms_receive(s, &m);
}

void
net_clear(struct sim *s)
{
	for (uint32_t i = 0; i < SIM_MSGS_MAX; i++)
		s->msg[i].is_used = false;
	s->msgs_full = 0;
}
