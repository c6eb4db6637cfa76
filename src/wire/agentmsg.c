/* SPDX-License-Identifier: MIT */
#include "wire/agentmsg.h"

#include <assert.h>
#include <string.h>

#include "base/cursor.h"
#include "base/text.h"

#define LAST_FRAGMENT 0x80000000U

/* What may stand in a text; one rule serves both directions. */
struct rule {
	size_t min, max; /* bytes */
	bool (*is_good)(const uint8_t *p, size_t len);
};

static const struct rule a_host = {1, AGENT_HOST_LEN, text_is_word};
static const struct rule last_host = {0, AGENT_HOST_LEN, text_is_word};
static const struct rule a_domain = {0, AGENT_DOMAIN_LEN, text_is_word};
static const struct rule a_key = {0, AGENT_KEY_LEN, text_is_line};
static const struct rule a_name = {0, AGENT_NAME_LEN, text_is_utf8};
static const struct rule a_text = {0, AGENT_TEXT_LEN, text_is_utf8};

static bool
code_is_known(int err)
{
	switch (err) {
	case 0:
#define X(name, value, text) case name:
		MUSTER_ERR_LIST(X)
#undef X
		return true;
	default:
		return false;
	}
}

static void
put_text(struct wr *w, const struct rule *rule, const char *text)
{
	size_t len = strnlen(text, rule->max + 1);

	if (len > rule->max)
		wr_fail(w, MUSTER_E_TOOBIG);
	else if (len < rule->min || !rule->is_good((const uint8_t *)text, len))
		wr_fail(w, MUSTER_E_RANGE);
	wr_opaque(w, text, len);
}

/* Out takes a NUL more than the rule's max. */
static void
get_text(struct rd *r, const struct rule *rule, char *out)
{
	struct bytes text = rd_opaque(r, rule->max);

	if (text.len < rule->min || !rule->is_good(text.p, text.len))
		rd_fail(r, MUSTER_E_RANGE);
	if (r->err == 0 && text.len != 0)
		memcpy(out, text.p, text.len);
	out[r->err == 0 ? text.len : 0] = '\0';
}

static void
put_count(struct wr *w, uint32_t n, uint32_t max)
{
	if (n > max)
		wr_fail(w, MUSTER_E_TOOBIG);
	wr_u32(w, n);
}

static uint32_t
get_count(struct rd *r, uint32_t max)
{
	uint32_t n = rd_u32(r);

	if (n > max)
		rd_fail(r, MUSTER_E_TOOBIG);
	return r->err == 0 ? n : 0;
}

static bool
get_bool(struct rd *r)
{
	uint32_t v = rd_u32(r);

	if (v > 1)
		rd_fail(r, MUSTER_E_RANGE);
	return v == 1;
}

static int
get_code(struct rd *r)
{
	int err = (int)rd_u32(r);

	if (!code_is_known(err))
		rd_fail(r, MUSTER_E_RANGE);
	return err;
}

static void
put_code(struct wr *w, int err)
{
	if (!code_is_known(err))
		wr_fail(w, MUSTER_E_RANGE);
	wr_u32(w, (uint32_t)err);
}

static void
put_op(struct wr *w, enum agent_op op)
{
	if ((unsigned)op > AGENT_GENERALIZE)
		wr_fail(w, MUSTER_E_RANGE);
	wr_u32(w, (uint32_t)op);
}

/* After a failure LIST, which carries nothing in a call. */
static enum agent_op
get_op(struct rd *r)
{
	uint32_t op = rd_u32(r);

	if (op > AGENT_GENERALIZE)
		rd_fail(r, MUSTER_E_RANGE);
	return r->err == 0 ? (enum agent_op)op : AGENT_LIST;
}

static void
put_ids(struct wr *w, const struct agent_ids *ids)
{
	put_count(w, ids->n, AGENT_PRODUCTS_MAX);
	for (uint32_t i = 0; w->err == 0 && i < ids->n; i++)
		wr_bytes(w, ids->id[i], WIRE_ID_LEN);
}

static void
get_ids(struct rd *r, struct agent_ids *ids)
{
	ids->n = get_count(r, AGENT_PRODUCTS_MAX);
	for (uint32_t i = 0; i < ids->n; i++)
		rd_fixed(r, ids->id[i], WIRE_ID_LEN);
}

static void
put_hosts(struct wr *w, const struct agent_settings *s)
{
	put_count(w, s->n_hosts, AGENT_HOSTS_MAX);
	for (uint32_t i = 0; w->err == 0 && i < s->n_hosts; i++)
		put_text(w, &a_host, s->host[i]);
}

static void
get_hosts(struct rd *r, struct agent_settings *s)
{
	s->n_hosts = get_count(r, AGENT_HOSTS_MAX);
	for (uint32_t i = 0; i < s->n_hosts; i++)
		get_text(r, &a_host, s->host[i]);
}

static void
put_settings(struct wr *w, const struct agent_settings *s)
{
	put_hosts(w, s);
	put_text(w, &a_domain, s->domain);
	wr_u32(w, s->is_caching ? 1 : 0);
}

static void
get_settings(struct rd *r, struct agent_settings *s)
{
	get_hosts(r, s);
	get_text(r, &a_domain, s->domain);
	s->is_caching = get_bool(r);
}

static bool
outcome_is_good(const struct agent_outcome *o)
{
	return (unsigned)o->status <= WIRE_REFUSED &&
	    o->busy_s <= WIRE_BUSY_MAX_S;
}

static void
put_outcome(struct wr *w, const struct agent_outcome *o)
{
	if (!outcome_is_good(o))
		wr_fail(w, MUSTER_E_RANGE);
	put_text(w, &a_host, o->target);
	put_code(w, o->err);
	wr_u32(w, (uint32_t)o->status);
	wr_i64(w, o->host_unix_s);
	wr_u32(w, o->busy_s);
	wr_bytes(w, o->request, WIRE_REQUEST_LEN);
}

static void
get_outcome(struct rd *r, struct agent_outcome *o)
{
	get_text(r, &a_host, o->target);
	o->err = get_code(r);
	o->status = (enum wire_status)rd_u32(r);
	o->host_unix_s = rd_i64(r);
	o->busy_s = rd_u32(r);
	rd_fixed(r, o->request, WIRE_REQUEST_LEN);
	if (!outcome_is_good(o))
		rd_fail(r, MUSTER_E_RANGE);
}

/* 0: none is in force. */
static bool
interval_is_good(uint32_t min)
{
	return min == 0 ||
	    (min >= WIRE_INTERVAL_MIN && min <= WIRE_INTERVAL_MAX);
}

static bool
info_is_good(const struct agent_info *info)
{
	return (unsigned)info->state <= WIRE_NOTIFICATION &&
	    (unsigned)info->source <= AGENT_DNS && info->seconds_left >= 0 &&
	    info->threshold <= WIRE_THRESHOLD_MAX &&
	    interval_is_good(info->renewal_min) &&
	    interval_is_good(info->retry_min) && info->first_seen_unix_s >= 0 &&
	    info->answered_unix_s >= 0 && info->asked_unix_s >= 0 &&
	    info->due_unix_s >= 0;
}

static void
put_info(struct wr *w, const struct agent_info *info)
{
	if (!info_is_good(info))
		wr_fail(w, MUSTER_E_RANGE);
	wr_bytes(w, info->product, WIRE_ID_LEN);
	wr_bytes(w, info->publisher, WIRE_ID_LEN);
	put_text(w, &a_name, info->name);
	put_text(w, &a_name, info->publisher_name);
	wr_u32(w, (uint32_t)info->state);
	put_code(w, info->reason);
	wr_i64(w, info->seconds_left);
	wr_u32(w, info->count);
	wr_u32(w, info->threshold);
	wr_u32(w, info->renewal_min);
	wr_u32(w, info->retry_min);
	wr_u32(w, info->rearms_left);
	wr_i64(w, info->first_seen_unix_s);
	wr_i64(w, info->answered_unix_s);
	wr_i64(w, info->asked_unix_s);
	wr_i64(w, info->due_unix_s);
	put_text(w, &last_host, info->host);
	wr_u32(w, info->is_early ? 1 : 0);
	put_code(w, info->round);
	put_count(w, info->n_outcomes, AGENT_HOSTS_MAX);
	for (uint32_t i = 0; w->err == 0 && i < info->n_outcomes; i++)
		put_outcome(w, &info->outcome[i]);
	wr_u32(w, (uint32_t)info->source);
	put_text(w, &a_domain, info->domain);
}

static void
get_info(struct rd *r, struct agent_info *info)
{
	rd_fixed(r, info->product, WIRE_ID_LEN);
	rd_fixed(r, info->publisher, WIRE_ID_LEN);
	get_text(r, &a_name, info->name);
	get_text(r, &a_name, info->publisher_name);
	info->state = (enum wire_state)rd_u32(r);
	info->reason = get_code(r);
	info->seconds_left = rd_i64(r);
	info->count = rd_u32(r);
	info->threshold = rd_u32(r);
	info->renewal_min = rd_u32(r);
	info->retry_min = rd_u32(r);
	info->rearms_left = rd_u32(r);
	info->first_seen_unix_s = rd_i64(r);
	info->answered_unix_s = rd_i64(r);
	info->asked_unix_s = rd_i64(r);
	info->due_unix_s = rd_i64(r);
	get_text(r, &last_host, info->host);
	info->is_early = get_bool(r);
	info->round = get_code(r);
	info->n_outcomes = get_count(r, AGENT_HOSTS_MAX);
	for (uint32_t i = 0; i < info->n_outcomes; i++)
		get_outcome(r, &info->outcome[i]);
	info->source = (enum agent_source)rd_u32(r);
	get_text(r, &a_domain, info->domain);
	if (!info_is_good(info))
		rd_fail(r, MUSTER_E_RANGE);
}

void
agent_mark_encode(size_t len, uint8_t *mark)
{
	struct wr w = wr_init(mark, AGENT_MARK_LEN);

	assert(len <= AGENT_BODY_MAX);
	wr_u32(&w, LAST_FRAGMENT | (uint32_t)len);
}

int
agent_mark_decode(const uint8_t *mark, size_t *len_out)
{
	struct rd r = rd_init(mark, AGENT_MARK_LEN);
	uint32_t v = rd_u32(&r);
	uint32_t len = v & ~LAST_FRAGMENT;

	if ((v & LAST_FRAGMENT) == 0 || len == 0)
		return MUSTER_E_PROTO;
	if (len > AGENT_BODY_MAX)
		return MUSTER_E_TOOBIG;
	*len_out = len;
	return 0;
}

int
agent_request_encode(const struct agent_request *req, uint8_t *buf, size_t cap,
    size_t *len_out)
{
	struct wr w = wr_init(buf, cap);

	wr_u32(&w, AGENT_VERSION);
	put_op(&w, req->op);
	switch (req->op) {
	case AGENT_INFO:
	case AGENT_ACTIVATE:
		wr_bytes(&w, req->product, WIRE_ID_LEN);
		break;
	case AGENT_SET_HOSTS:
		put_hosts(&w, &req->settings);
		break;
	case AGENT_SET_DOMAIN:
		put_text(&w, &a_domain, req->settings.domain);
		break;
	case AGENT_SET_CACHING:
		wr_u32(&w, req->settings.is_caching ? 1 : 0);
		break;
	case AGENT_INSTALL_KEY:
		put_text(&w, &a_key, req->key);
		break;
	case AGENT_REARM:
		put_ids(&w, &req->products);
		break;
	case AGENT_LIST:
	case AGENT_SETTINGS:
	case AGENT_GENERALIZE:
		break;
	}
	return wr_end(&w, len_out);
}

int
agent_request_decode(const uint8_t *p, size_t len,
    struct agent_request *req_out)
{
	struct rd r = rd_init(p, len);
	struct agent_request req;
	int err;

	memset(&req, 0, sizeof(req));
	if (rd_u32(&r) != AGENT_VERSION)
		rd_fail(&r, MUSTER_E_RANGE);
	req.op = get_op(&r);
	switch (req.op) {
	case AGENT_INFO:
	case AGENT_ACTIVATE:
		rd_fixed(&r, req.product, WIRE_ID_LEN);
		break;
	case AGENT_SET_HOSTS:
		get_hosts(&r, &req.settings);
		break;
	case AGENT_SET_DOMAIN:
		get_text(&r, &a_domain, req.settings.domain);
		break;
	case AGENT_SET_CACHING:
		req.settings.is_caching = get_bool(&r);
		break;
	case AGENT_INSTALL_KEY:
		get_text(&r, &a_key, req.key);
		break;
	case AGENT_REARM:
		get_ids(&r, &req.products);
		break;
	case AGENT_LIST:
	case AGENT_SETTINGS:
	case AGENT_GENERALIZE:
	default:
		break;
	}
	err = rd_end(&r);
	if (err == 0)
		*req_out = req;
	return err;
}

static void
put_ok(struct wr *w, const struct agent_reply *reply)
{
	put_op(w, reply->op);
	switch (reply->op) {
	case AGENT_LIST:
		put_ids(w, &reply->products);
		break;
	case AGENT_INFO:
	case AGENT_ACTIVATE:
		put_info(w, &reply->info);
		break;
	case AGENT_SETTINGS:
		put_settings(w, &reply->settings);
		break;
	case AGENT_INSTALL_KEY:
		wr_bytes(w, reply->product, WIRE_ID_LEN);
		break;
	case AGENT_SET_HOSTS:
	case AGENT_SET_DOMAIN:
	case AGENT_SET_CACHING:
	case AGENT_REARM:
	case AGENT_GENERALIZE:
		break;
	}
}

int
agent_reply_encode(const struct agent_reply *reply, uint8_t *buf, size_t cap,
    size_t *len_out)
{
	struct wr w = wr_init(buf, cap);

	put_code(&w, reply->err);
	if (reply->err == 0) {
		put_ok(&w, reply);
	} else {
		put_text(&w, &a_text, reply->message);
		put_text(&w, &a_text, reply->next_step);
	}
	return wr_end(&w, len_out);
}

static void
get_ok(struct rd *r, struct agent_reply *reply)
{
	reply->op = get_op(r);
	switch (reply->op) {
	case AGENT_LIST:
		get_ids(r, &reply->products);
		break;
	case AGENT_INFO:
	case AGENT_ACTIVATE:
		get_info(r, &reply->info);
		break;
	case AGENT_SETTINGS:
		get_settings(r, &reply->settings);
		break;
	case AGENT_INSTALL_KEY:
		rd_fixed(r, reply->product, WIRE_ID_LEN);
		break;
	case AGENT_SET_HOSTS:
	case AGENT_SET_DOMAIN:
	case AGENT_SET_CACHING:
	case AGENT_REARM:
	case AGENT_GENERALIZE:
	default:
		break;
	}
}

int
agent_reply_decode(const uint8_t *p, size_t len, struct agent_reply *reply_out)
{
	struct rd r = rd_init(p, len);
	struct agent_reply reply;
	int err;

	memset(&reply, 0, sizeof(reply));
	reply.err = get_code(&r);
	if (reply.err == 0) {
		get_ok(&r, &reply);
	} else {
		get_text(&r, &a_text, reply.message);
		get_text(&r, &a_text, reply.next_step);
	}
	err = rd_end(&r);
	if (err == 0)
		*reply_out = reply;
	return err;
}
