/* SPDX-License-Identifier: MIT */
#include "client/state.h"

#include <string.h>

#include "client/statefile.h"

#define DAY_S INT64_C(86400)

int
state_publisher_encode(const struct state_publisher *s, uint8_t *buf,
    size_t cap, size_t *len_out)
{
	struct wr w =
	    statefile_begin(buf, cap, STATE_PUBLISHER_MAGIC, STATEFILE_VERSION);

	wr_bytes(&w, s->publisher, sizeof(s->publisher));
	wr_bytes(&w, s->cmid, sizeof(s->cmid));
	wr_bytes(&w, s->machine, sizeof(s->machine));
	wr_bytes(&w, s->instance, sizeof(s->instance));
	wr_i64(&w, s->high_water_unix_s);
	wr_u32(&w, s->serial);
	return statefile_finish(&w, len_out);
}

int
state_publisher_decode(const uint8_t *p, size_t len,
    struct state_publisher *s_out)
{
	struct state_publisher s = {0};
	struct rd r;
	int err;

	err = statefile_open(p, len, STATE_PUBLISHER_MAGIC, STATEFILE_VERSION,
	    &r, NULL);
	if (err != 0)
		return err;
	rd_fixed(&r, s.publisher, sizeof(s.publisher));
	rd_fixed(&r, s.cmid, sizeof(s.cmid));
	rd_fixed(&r, s.machine, sizeof(s.machine));
	rd_fixed(&r, s.instance, sizeof(s.instance));
	s.high_water_unix_s = rd_i64(&r);
	s.serial = rd_u32(&r);
	err = rd_end(&r);
	if (err == 0)
		*s_out = s;
	return err;
}

static bool
is_interval(uint32_t minutes)
{
	return minutes == 0 ||
	    (minutes >= WIRE_INTERVAL_MIN && minutes <= WIRE_INTERVAL_MAX);
}

/* Printable ASCII: it is shown to people. */
static bool
is_host(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	}
	return len <= STATE_HOST_MAX;
}

static int
check_product(const struct state_product *s, size_t host_len)
{
	int err = 0;

	if (!is_interval(s->renewal_min) || !is_interval(s->retry_min) ||
	    s->first_seen_unix_s <= 0 || s->grace_unix_s < 0 ||
	    s->answered_unix_s < 0 || s->asked_unix_s < 0 ||
	    s->due_unix_s < 0 || !is_host(s->host, host_len))
		err = MUSTER_E_RANGE;
	return err;
}

int
state_product_encode(const struct state_product *s, uint8_t *buf, size_t cap,
    size_t *len_out)
{
	struct wr w = statefile_begin(buf, cap, STATE_PRODUCT_MAGIC,
	    STATE_PRODUCT_VERSION);
	size_t host_len = strnlen(s->host, sizeof(s->host));

	if (check_product(s, host_len) != 0)
		return MUSTER_E_RANGE;
	wr_bytes(&w, s->product, sizeof(s->product));
	wr_bytes(&w, s->machine, sizeof(s->machine));
	wr_bytes(&w, s->instance, sizeof(s->instance));
	wr_u32(&w, s->is_image ? 1 : 0);
	wr_bytes(&w, s->dropped, sizeof(s->dropped));
	wr_u32(&w, s->count);
	wr_u32(&w, s->renewal_min);
	wr_u32(&w, s->retry_min);
	wr_u32(&w, s->rearms);
	wr_bytes(&w, s->previous, sizeof(s->previous));
	wr_i64(&w, s->first_seen_unix_s);
	wr_i64(&w, s->grace_unix_s);
	wr_i64(&w, s->answered_unix_s);
	wr_i64(&w, s->asked_unix_s);
	wr_i64(&w, s->due_unix_s);
	wr_opaque(&w, s->host, host_len);
	wr_u32(&w, s->has_certificate ? 1 : 0);
	if (s->has_certificate)
		wr_bytes(&w, s->certificate, sizeof(s->certificate));
	return statefile_finish(&w, len_out);
}

/* What version 1 did not have. */
static void
read_machine(struct rd *r, struct state_product *s)
{
	uint32_t is_image;

	rd_fixed(r, s->machine, sizeof(s->machine));
	rd_fixed(r, s->instance, sizeof(s->instance));
	is_image = rd_u32(r);
	if (is_image > 1)
		rd_fail(r, MUSTER_E_PROTO);
	s->is_image = is_image == 1;
	rd_fixed(r, s->dropped, sizeof(s->dropped));
}

int
state_product_decode(const uint8_t *p, size_t len, struct state_product *s_out)
{
	struct state_product s = {0};
	struct bytes host;
	uint32_t has, version;
	struct rd r;
	int err;

	err = statefile_open(p, len, STATE_PRODUCT_MAGIC, STATE_PRODUCT_VERSION,
	    &r, &version);
	if (err != 0)
		return err;
	rd_fixed(&r, s.product, sizeof(s.product));
	if (version >= 2)
		read_machine(&r, &s);
	s.count = rd_u32(&r);
	s.renewal_min = rd_u32(&r);
	s.retry_min = rd_u32(&r);
	s.rearms = rd_u32(&r);
	rd_fixed(&r, s.previous, sizeof(s.previous));
	s.first_seen_unix_s = rd_i64(&r);
	s.grace_unix_s = rd_i64(&r);
	s.answered_unix_s = rd_i64(&r);
	s.asked_unix_s = rd_i64(&r);
	s.due_unix_s = rd_i64(&r);
	host = rd_opaque(&r, STATE_HOST_MAX);
	has = rd_u32(&r);
	if (has > 1)
		rd_fail(&r, MUSTER_E_PROTO);
	s.has_certificate = has == 1;
	if (s.has_certificate)
		rd_fixed(&r, s.certificate, sizeof(s.certificate));
	err = rd_end(&r);
	if (err == 0 && host.len != 0)
		memcpy(s.host, host.p, host.len);
	if (err == 0)
		err = check_product(&s, host.len);
	if (err == 0)
		*s_out = s;
	return err;
}

static int
check_view(const struct state_view *s)
{
	return s->first_seen_unix_s <= 0 || s->grace_unix_s < 0 ||
	        s->high_water_unix_s < 0
	    ? MUSTER_E_RANGE
	    : 0;
}

int
state_known_encode(const uint8_t *publisher, const struct walk_known *known,
    uint8_t *buf, size_t cap, size_t *len_out)
{
	struct wr w =
	    statefile_begin(buf, cap, STATE_KNOWN_MAGIC, STATEFILE_VERSION);

	wr_bytes(&w, publisher, PUBLISHER_LEN);
	wr_opaque(&w, known->host, strlen(known->host));
	wr_opaque(&w, known->domain, strlen(known->domain));
	wr_u32(&w, known->priority);
	return statefile_finish(&w, len_out);
}

int
state_known_decode(const uint8_t *p, size_t len, const uint8_t *publisher,
    struct walk_known *known_out)
{
	struct walk_known known = {.priority = 0};
	struct bytes host, domain;
	uint8_t id[PUBLISHER_LEN];
	uint32_t priority, version;
	struct rd r;
	int err;

	err = statefile_open(p, len, STATE_KNOWN_MAGIC, STATEFILE_VERSION, &r,
	    &version);
	if (err != 0)
		return err;
	rd_fixed(&r, id, sizeof(id));
	host = rd_opaque(&r, STATE_HOST_MAX);
	domain = rd_opaque(&r, DNS_TEXT_MAX);
	priority = rd_u32(&r);
	err = rd_end(&r);
	if (err != 0)
		return err;
	if (memcmp(id, publisher, sizeof(id)) != 0)
		return MUSTER_E_PUBLISHER;
	if (priority > UINT16_MAX || host.len == 0 || domain.len == 0 ||
	    !is_host((const char *)host.p, host.len) ||
	    !is_host((const char *)domain.p, domain.len))
		return MUSTER_E_RANGE;
	memcpy(known.host, host.p, host.len);
	memcpy(known.domain, domain.p, domain.len);
	known.priority = (uint16_t)priority;
	*known_out = known;
	return 0;
}

int
state_view_encode(const struct state_view *s, uint8_t *buf)
{
	struct wr w = statefile_begin(buf, STATE_VIEW_LEN, STATE_VIEW_MAGIC,
	    STATEFILE_VERSION);
	size_t len;

	if (check_view(s) != 0)
		return MUSTER_E_RANGE;
	wr_bytes(&w, s->publisher, sizeof(s->publisher));
	wr_bytes(&w, s->product, sizeof(s->product));
	wr_i64(&w, s->first_seen_unix_s);
	wr_i64(&w, s->grace_unix_s);
	wr_i64(&w, s->high_water_unix_s);
	return statefile_finish(&w, &len);
}

int
state_view_decode(const uint8_t *p, size_t len, struct state_view *s_out)
{
	struct state_view s = {.first_seen_unix_s = 0};
	struct rd r;
	int err;

	err = statefile_open(p, len, STATE_VIEW_MAGIC, STATEFILE_VERSION, &r,
	    NULL);
	if (err != 0)
		return err;
	rd_fixed(&r, s.publisher, sizeof(s.publisher));
	rd_fixed(&r, s.product, sizeof(s.product));
	s.first_seen_unix_s = rd_i64(&r);
	s.grace_unix_s = rd_i64(&r);
	s.high_water_unix_s = rd_i64(&r);
	err = rd_end(&r);
	if (err == 0)
		err = check_view(&s);
	if (err == 0)
		*s_out = s;
	return err;
}

static uint32_t
minutes_until(int64_t end_unix_s, int64_t now_unix_s)
{
	int64_t left_min = (end_unix_s - now_unix_s) / 60;

	if (left_min < 0)
		return 0;
	return left_min > (int64_t)UINT32_MAX ? UINT32_MAX : (uint32_t)left_min;
}

enum wire_state
state_licence(const struct state_product *s, const struct state_lease *lease,
    const struct cat_product *product, int64_t now_unix_s,
    uint32_t *minutes_left_out)
{
	enum wire_state state;
	int64_t start_unix_s;
	uint32_t days;

	*minutes_left_out = 0;
	if (lease->holds) { /* to the last second, both ends included */
		*minutes_left_out =
		    minutes_until(lease->ends_unix_s, now_unix_s);
		return WIRE_LICENSED;
	} else if (s == NULL) {
		return WIRE_UNLICENSED;
	} else if (s->grace_unix_s != 0) {
		state = WIRE_TOLERANCE_GRACE;
		start_unix_s = s->grace_unix_s;
		days = product->lapse_grace_days;
	} else if (s->first_seen_unix_s == STATE_SEEN_LOST) {
		return WIRE_UNLICENSED; /* never an ever-fresh grace: b30 */
	} else {
		state = WIRE_INITIAL_GRACE;
		start_unix_s = s->first_seen_unix_s;
		days = product->initial_grace_days;
	}
	/* begun by a clock that stood ahead: no longer than its days (b36) */
	if (start_unix_s > now_unix_s)
		start_unix_s = now_unix_s;
	if (now_unix_s >= start_unix_s + days * DAY_S)
		return WIRE_NOTIFICATION;
	*minutes_left_out =
	    minutes_until(start_unix_s + days * DAY_S, now_unix_s);
	return state;
}
