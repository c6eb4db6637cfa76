/* SPDX-License-Identifier: MIT */
/*
 * agent_fixture.h -- samples of the messages of agent.x, and random valid
 * ones, seeded.
 */
#ifndef MUSTER_AGENT_FIXTURE_H
#define MUSTER_AGENT_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wire/agentmsg.h"

#define HOST "kms.example:1688"
#define T0 1728090000

/* A call or a reply. */
struct message {
	bool is_reply;
	union {
		struct agent_request req;
		struct agent_reply reply;
	} u;
};

struct sample {
	size_t len;
	uint8_t bytes[AGENT_BODY_MAX + 8];
};

/* The shapes: a call of each op, a reply to each op, an error. */
#define S_CALL(op) ((size_t)(op))
#define S_REPLY(op) (10 + (size_t)(op))
#define S_ERROR 20U
#define N_SAMPLES 21U

static inline void
count_up(uint8_t *p, uint8_t first, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(first + i);
}

static inline void
sample_settings(struct agent_settings *s)
{
	s->n_hosts = 2;
	memcpy(s->host[0], HOST, sizeof(HOST));
	memcpy(s->host[1], "[fd00::1]:1689", 15);
	memcpy(s->domain, "example.org", 12);
	s->is_caching = true;
}

static inline void
sample_info(struct agent_info *i)
{
	count_up(i->product, 0x10, WIRE_ID_LEN);
	count_up(i->publisher, 0x30, WIRE_ID_LEN);
	memcpy(i->name, "Acme Server", 12);
	memcpy(i->publisher_name, "Ac\xc3\xa9", 5);
	i->state = WIRE_TOLERANCE_GRACE;
	i->reason = MUSTER_E_EXPIRED;
	i->seconds_left = 86400;
	i->count = 4;
	i->threshold = 5;
	i->renewal_min = 10080;
	i->retry_min = 120;
	i->rearms_left = 3;
	i->first_seen_unix_s = T0;
	i->answered_unix_s = T0 + 1;
	i->asked_unix_s = T0 + 2;
	i->due_unix_s = T0 + 3;
	memcpy(i->host, HOST, sizeof(HOST));
	i->is_early = true;
	i->round = MUSTER_E_REFUSED;
	i->n_outcomes = 2;
	memcpy(i->outcome[0].target, HOST, sizeof(HOST));
	i->outcome[0].err = MUSTER_E_REFUSED;
	i->outcome[0].status = WIRE_BUSY;
	i->outcome[0].busy_s = 12;
	for (size_t k = 0; k < WIRE_REQUEST_LEN; k++)
		i->outcome[0].request[k] = (uint8_t)(0xf0 + k);
	memcpy(i->outcome[1].target, "b:1", 4);
	i->outcome[1].err = MUSTER_E_REFUSED;
	i->outcome[1].status = WIRE_CLOCK;
	i->outcome[1].host_unix_s = T0 + 4;
	i->source = AGENT_DNS;
	memcpy(i->domain, "example.org", 12);
}

/* The values in the vectors; no two fields hold the same bytes. */
static inline void
sample_message(size_t shape, struct message *m)
{
	struct agent_request *q = &m->u.req;
	struct agent_reply *a = &m->u.reply;
	enum agent_op op = (enum agent_op)(shape % 10);

	memset(m, 0, sizeof(*m));
	m->is_reply = shape >= 10;
	if (shape == S_ERROR) {
		a->err = MUSTER_E_DENIED;
		memcpy(a->message, "only root may", 14);
		memcpy(a->next_step, "use sudo \xe2\x80\xa6", 13);
	} else if (m->is_reply) {
		a->op = op;
		a->products.n = op == AGENT_LIST ? 2 : 0;
		if (op == AGENT_LIST)
			count_up(a->products.id[0], 0x10, 32);
		if (op == AGENT_INFO || op == AGENT_ACTIVATE)
			sample_info(&a->info);
		if (op == AGENT_SETTINGS)
			sample_settings(&a->settings);
		if (op == AGENT_INSTALL_KEY)
			count_up(a->product, 0x10, WIRE_ID_LEN);
	} else {
		q->op = op;
		if (op == AGENT_INFO || op == AGENT_ACTIVATE)
			count_up(q->product, 0x10, WIRE_ID_LEN);
		if (op == AGENT_SET_HOSTS || op == AGENT_SET_DOMAIN ||
		    op == AGENT_SET_CACHING)
			sample_settings(&q->settings);
		if (op == AGENT_INSTALL_KEY)
			memcpy(q->key, "ABCDE-FGHIJ 234", 16);
		q->products.n = op == AGENT_REARM ? 2 : 0;
		if (op == AGENT_REARM)
			count_up(q->products.id[0], 0x10, 32);
	}
}

static uint64_t rng = 1;

static inline uint32_t
draw(uint32_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)((rng >> 11) % below);
}

static inline void
fill(void *p, size_t len)
{
	uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)draw(256);
}

static inline int64_t
draw_time(void)
{
	int64_t v;

	fill(&v, sizeof(v));
	return draw(4) == 0 ? 0 : v & INT64_MAX;
}

static inline int
draw_code(void)
{
	return draw(2) == 0 ? 0 : -(int)draw(45);
}

/* Printable ASCII of min to max bytes; max is drawn as well, now and then. */
static inline void
draw_text(char *out, uint32_t min, uint32_t max, char first)
{
	uint32_t n = draw(8) == 0 ? max : min + draw(max - min + 1);

	if (draw(2) == 0 && n > 24)
		n = min + n % 24;
	for (uint32_t i = 0; i < n; i++)
		out[i] = (char)(first + (int)draw((uint32_t)('~' - first) + 1));
}

/* Characters of one to four bytes. */
static inline void
draw_utf8(char *out, size_t max)
{
	static const char *const some[] = {"a", " ", "~", "\xc2\xa0",
	    "\xc3\xa9", "\xe0\xa0\x80", "\xe2\x82\xac", "\xf0\x9f\x94\x91",
	    "\xf4\x8f\xbf\xbf"};
	size_t want = draw((uint32_t)max + 1), len = 0;

	for (;;) {
		const char *c = some[draw(sizeof(some) / sizeof(some[0]))];

		if (len + strlen(c) > want)
			break;
		memcpy(out + len, c, strlen(c));
		len += strlen(c);
	}
}

static inline void
draw_ids(struct agent_ids *ids)
{
	ids->n = draw(8) == 0 ? AGENT_PRODUCTS_MAX : draw(4);
	fill(ids->id, ids->n * WIRE_ID_LEN);
}

static inline void
draw_hosts(struct agent_settings *s)
{
	s->n_hosts = draw(AGENT_HOSTS_MAX + 1);
	for (uint32_t i = 0; i < s->n_hosts; i++)
		draw_text(s->host[i], 1, AGENT_HOST_LEN, '!');
}

static inline void
random_request(struct agent_request *req)
{
	memset(req, 0, sizeof(*req));
	req->op = (enum agent_op)draw(AGENT_GENERALIZE + 1);
	if (req->op == AGENT_INFO || req->op == AGENT_ACTIVATE)
		fill(req->product, sizeof(req->product));
	if (req->op == AGENT_SET_HOSTS)
		draw_hosts(&req->settings);
	if (req->op == AGENT_SET_DOMAIN)
		draw_text(req->settings.domain, 0, AGENT_DOMAIN_LEN, '!');
	if (req->op == AGENT_SET_CACHING)
		req->settings.is_caching = draw(2) == 1;
	if (req->op == AGENT_INSTALL_KEY)
		draw_text(req->key, 0, AGENT_KEY_LEN, ' ');
	if (req->op == AGENT_REARM)
		draw_ids(&req->products);
}

static inline uint32_t
draw_interval(void)
{
	return draw(4) == 0 ? 0
	                    : WIRE_INTERVAL_MIN + draw(WIRE_INTERVAL_MAX - 14);
}

static inline void
random_info(struct agent_info *info)
{
	fill(info->product, sizeof(info->product));
	fill(info->publisher, sizeof(info->publisher));
	draw_utf8(info->name, AGENT_NAME_LEN);
	draw_utf8(info->publisher_name, AGENT_NAME_LEN);
	info->state = (enum wire_state)draw(WIRE_NOTIFICATION + 1);
	info->reason = draw_code();
	info->seconds_left = draw_time();
	fill(&info->count, sizeof(info->count));
	info->threshold = draw(WIRE_THRESHOLD_MAX + 1);
	info->renewal_min = draw_interval();
	info->retry_min = draw_interval();
	fill(&info->rearms_left, sizeof(info->rearms_left));
	info->first_seen_unix_s = draw_time();
	info->answered_unix_s = draw_time();
	info->asked_unix_s = draw_time();
	info->due_unix_s = draw_time();
	draw_text(info->host, 0, AGENT_HOST_LEN, '!');
	info->is_early = draw(2) == 1;
	info->round = draw_code();
	info->n_outcomes = draw(AGENT_HOSTS_MAX + 1);
	for (uint32_t i = 0; i < info->n_outcomes; i++) {
		struct agent_outcome *o = &info->outcome[i];

		draw_text(o->target, 1, AGENT_HOST_LEN, '!');
		o->err = draw_code();
		o->status = (enum wire_status)draw(WIRE_REFUSED + 1);
		fill(&o->host_unix_s, sizeof(o->host_unix_s));
		o->busy_s = draw(WIRE_BUSY_MAX_S + 1);
		fill(o->request, sizeof(o->request));
	}
	info->source = (enum agent_source)draw(AGENT_DNS + 1);
	draw_text(info->domain, 0, AGENT_DOMAIN_LEN, '!');
}

static inline void
random_reply(struct agent_reply *reply)
{
	memset(reply, 0, sizeof(*reply));
	if (draw(4) == 0) {
		reply->err = -1 - (int)draw(44);
		draw_utf8(reply->message, AGENT_TEXT_LEN);
		draw_utf8(reply->next_step, AGENT_TEXT_LEN);
		return;
	}
	reply->op = (enum agent_op)draw(AGENT_GENERALIZE + 1);
	if (reply->op == AGENT_LIST)
		draw_ids(&reply->products);
	if (reply->op == AGENT_INFO || reply->op == AGENT_ACTIVATE)
		random_info(&reply->info);
	if (reply->op == AGENT_SETTINGS) {
		draw_hosts(&reply->settings);
		draw_text(reply->settings.domain, 0, AGENT_DOMAIN_LEN, '!');
		reply->settings.is_caching = draw(2) == 1;
	}
	if (reply->op == AGENT_INSTALL_KEY)
		fill(reply->product, sizeof(reply->product));
}

#endif /* MUSTER_AGENT_FIXTURE_H */
