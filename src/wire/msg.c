/* SPDX-License-Identifier: MIT */
#include "wire/msg.h"

#include <stdbool.h>
#include <string.h>

#include "base/cursor.h"

static bool
name_is_good(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-')
			continue;
		return false;
	}
	return true;
}

static bool
args_are_good(const struct wire_args *args, size_t name_len)
{
	return args->threshold >= 1 && args->threshold <= WIRE_THRESHOLD_MAX &&
	    (unsigned)args->state <= WIRE_NOTIFICATION &&
	    name_is_good(args->name, name_len);
}

int
wire_args_encode(const struct wire_args *args, uint8_t *buf, size_t cap,
    size_t *len_out)
{
	size_t name_len = strnlen(args->name, sizeof(args->name));
	struct wr w = wr_init(buf, cap);

	if (name_len > WIRE_NAME_MAX || !args_are_good(args, name_len))
		return MUSTER_E_RANGE;
	wr_bytes(&w, args->product, WIRE_ID_LEN);
	wr_bytes(&w, args->cmid, WIRE_ID_LEN);
	wr_bytes(&w, args->nonce, WIRE_ID_LEN);
	wr_bytes(&w, args->machine, WIRE_ID_LEN);
	wr_bytes(&w, args->known_host, WIRE_TAG_LEN);
	wr_bytes(&w, args->previous, WIRE_TAG_LEN);
	wr_i64(&w, args->time_unix_s);
	wr_u32(&w, (uint32_t)args->state);
	wr_u32(&w, args->threshold);
	wr_u32(&w, args->minutes_left);
	wr_opaque(&w, args->name, name_len);
	return wr_end(&w, len_out);
}

int
wire_args_decode(const uint8_t *p, size_t len, struct wire_args *args_out)
{
	struct rd r = rd_init(p, len);
	struct wire_args args;
	struct bytes name;
	uint32_t state;
	int err;

	memset(&args, 0, sizeof(args));
	rd_fixed(&r, args.product, WIRE_ID_LEN);
	rd_fixed(&r, args.cmid, WIRE_ID_LEN);
	rd_fixed(&r, args.nonce, WIRE_ID_LEN);
	rd_fixed(&r, args.machine, WIRE_ID_LEN);
	rd_fixed(&r, args.known_host, WIRE_TAG_LEN);
	rd_fixed(&r, args.previous, WIRE_TAG_LEN);
	args.time_unix_s = rd_i64(&r);
	state = rd_u32(&r);
	args.threshold = rd_u32(&r);
	args.minutes_left = rd_u32(&r);
	name = rd_opaque(&r, WIRE_NAME_MAX);
	err = rd_end(&r);
	if (err != 0)
		return err;
	if (state > WIRE_NOTIFICATION)
		return MUSTER_E_RANGE;
	args.state = (enum wire_state)state;
	if (name.len > 0)
		memcpy(args.name, name.p, name.len);
	if (!args_are_good(&args, name.len))
		return MUSTER_E_RANGE;
	*args_out = args;
	return 0;
}

static bool
grant_is_good(const struct wire_grant *grant)
{
	return grant->renewal_min >= WIRE_INTERVAL_MIN &&
	    grant->renewal_min <= WIRE_INTERVAL_MAX &&
	    grant->retry_min >= WIRE_INTERVAL_MIN &&
	    grant->retry_min <= WIRE_INTERVAL_MAX;
}

static bool
place_is_good(const struct wire_place *place)
{
	return place->n_path <= WIRE_PATH_MAX &&
	    place->index < 1U << place->n_path;
}

static bool
result_is_good(const struct wire_result *res)
{
	switch (res->status) {
	case WIRE_OK:
		return grant_is_good(&res->grant) && res->form <= 1 &&
		    (res->form == 0 || place_is_good(&res->place));
	case WIRE_BUSY:
		return res->busy_s >= 1 && res->busy_s <= WIRE_BUSY_MAX_S;
	case WIRE_UNKNOWN_PRODUCT:
	case WIRE_NOT_COVERED:
	case WIRE_HOST_NOT_ACTIVATED:
	case WIRE_CLOCK:
	case WIRE_REFUSED:
		return true;
	}
	return false;
}

static void
encode_ok(struct wr *w, const struct wire_result *res)
{
	wr_u32(w, res->grant.count);
	wr_i64(w, res->grant.issued_unix_s);
	wr_u32(w, res->grant.renewal_min);
	wr_u32(w, res->grant.retry_min);
	wr_u32(w, res->grant.catalogue);
	wr_bytes(w, res->signature, WIRE_SIG_LEN);
	wr_u32(w, res->form);
	if (res->form == 0) {
		wr_bytes(w, res->certificate, WIRE_CERT_LEN);
		return;
	}
	wr_u32(w, res->place.index);
	wr_u32(w, res->place.n_path);
	for (uint32_t i = 0; i < res->place.n_path; i++)
		wr_bytes(w, res->place.path[i], WIRE_NODE_LEN);
}

int
wire_result_encode(const struct wire_result *res, uint8_t *buf, size_t cap,
    size_t *len_out)
{
	struct wr w = wr_init(buf, cap);

	if (!result_is_good(res))
		return MUSTER_E_RANGE;
	wr_u32(&w, (uint32_t)res->status);
	if (res->status == WIRE_OK)
		encode_ok(&w, res);
	else if (res->status == WIRE_CLOCK)
		wr_i64(&w, res->host_unix_s);
	else if (res->status == WIRE_BUSY)
		wr_u32(&w, res->busy_s);
	return wr_end(&w, len_out);
}

static void
decode_ok(struct rd *r, struct wire_result *res)
{
	res->grant.count = rd_u32(r);
	res->grant.issued_unix_s = rd_i64(r);
	res->grant.renewal_min = rd_u32(r);
	res->grant.retry_min = rd_u32(r);
	res->grant.catalogue = rd_u32(r);
	rd_fixed(r, res->signature, WIRE_SIG_LEN);
	res->form = rd_u32(r);
	if (r->err == 0 && res->form > 1)
		rd_fail(r, MUSTER_E_RANGE);
	if (res->form == 0) {
		rd_fixed(r, res->certificate, WIRE_CERT_LEN);
		return;
	}
	res->place.index = rd_u32(r);
	res->place.n_path = rd_u32(r);
	if (r->err == 0 && res->place.n_path > WIRE_PATH_MAX)
		rd_fail(r, MUSTER_E_TOOBIG);
	for (uint32_t i = 0; r->err == 0 && i < res->place.n_path; i++)
		rd_fixed(r, res->place.path[i], WIRE_NODE_LEN);
}

int
wire_result_decode(const uint8_t *p, size_t len, struct wire_result *res_out)
{
	struct rd r = rd_init(p, len);
	struct wire_result res;
	uint32_t status;
	int err;

	memset(&res, 0, sizeof(res));
	status = rd_u32(&r);
	if (r.err == 0 && status > WIRE_REFUSED)
		rd_fail(&r, MUSTER_E_RANGE);
	res.status = (enum wire_status)status;
	if (status == WIRE_OK)
		decode_ok(&r, &res);
	else if (status == WIRE_CLOCK)
		res.host_unix_s = rd_i64(&r);
	else if (status == WIRE_BUSY)
		res.busy_s = rd_u32(&r);
	err = rd_end(&r);
	if (err != 0)
		return err;
	if (!result_is_good(&res))
		return MUSTER_E_RANGE;
	*res_out = res;
	return 0;
}

int
wire_cover_encode(const struct wire_cover *res, uint8_t *buf, size_t cap,
    size_t *len_out)
{
	struct wr w = wr_init(buf, cap);

	if ((unsigned)res->status > WIRE_REFUSED)
		return MUSTER_E_RANGE;
	wr_u32(&w, (uint32_t)res->status);
	if (res->status == WIRE_OK) {
		wr_i64(&w, res->host_unix_s);
		wr_u32(&w, res->catalogue);
		wr_bytes(&w, res->certificate, WIRE_CERT_LEN);
	}
	return wr_end(&w, len_out);
}

int
wire_cover_decode(const uint8_t *p, size_t len, struct wire_cover *res_out)
{
	struct rd r = rd_init(p, len);
	struct wire_cover res;
	uint32_t status;
	int err;

	memset(&res, 0, sizeof(res));
	status = rd_u32(&r);
	if (r.err == 0 && status > WIRE_REFUSED)
		rd_fail(&r, MUSTER_E_RANGE);
	res.status = (enum wire_status)status;
	if (status == WIRE_OK) {
		res.host_unix_s = rd_i64(&r);
		res.catalogue = rd_u32(&r);
		rd_fixed(&r, res.certificate, WIRE_CERT_LEN);
	}
	err = rd_end(&r);
	if (err != 0)
		return err;
	*res_out = res;
	return 0;
}
