/* SPDX-License-Identifier: MIT */
/*
 * Messages against bytes that were laid out by hand (tests/vectors/wire.txt),
 * every range from both sides, and the properties of a strict codec.
 */
#include "wire/msg.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/hex.h"
#include "wire/rpc.h"

#include "tap.h"

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))
#define HOST_TIME 1728090001
#define AT_TIME 80 /* offsets in the arguments */
#define AT_THRESHOLD 92
#define AT_NAME 100
#define AT_FORM 92 /* offsets in an OK result */
#define AT_INDEX 96
#define AT_N_PATH 100
#define AT_PAD 108 /* the last letter of the name and its padding */
#define GUARD 0xa5

static uint64_t rng = 1;

static uint32_t
draw(uint32_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)((rng >> 11) % below);
}

static void
count_up(uint8_t *p, uint8_t first, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(first + i);
}

static void
put_u32(uint8_t *p, uint32_t v)
{
	struct wr w = wr_init(p, 4);

	wr_u32(&w, v);
}

enum kind { ARGS, RESULT, COVER };

/* One of the three, by kind; the others are there to be left alone. */
struct message {
	enum kind kind;
	struct wire_args args;
	struct wire_result res;
	struct wire_cover cover;
};

struct sample {
	size_t len;
	uint8_t bytes[RPC_RECORD_MAX];
};

/* Each shape of message once. */
enum { S_ARGS, S_CERT, S_PLACE, S_CLOCK, S_BUSY, S_UNKNOWN };
enum { S_COVER = S_UNKNOWN + 1, S_COVER_REFUSED, N_SAMPLES };

static const struct {
	const char *what;
	enum kind kind;
	enum wire_status status;
	uint32_t form;
} shapes[N_SAMPLES] = {
    {"arguments", ARGS, WIRE_OK, 0},
    {"result with certificate", RESULT, WIRE_OK, 0},
    {"result with place", RESULT, WIRE_OK, 1},
    {"result CLOCK", RESULT, WIRE_CLOCK, 0},
    {"result BUSY", RESULT, WIRE_BUSY, 0},
    {"result UNKNOWN_PRODUCT", RESULT, WIRE_UNKNOWN_PRODUCT, 0},
    {"cover", COVER, WIRE_OK, 0},
    {"cover REFUSED", COVER, WIRE_REFUSED, 0},
};

/* The values in the vectors; no two fields hold the same bytes. */
static struct message
sample_message(size_t shape)
{
	struct message m;

	memset(&m, 0, sizeof(m));
	m.kind = shapes[shape].kind;
	count_up(m.args.product, 0x10, WIRE_ID_LEN);
	count_up(m.args.cmid, 0x20, WIRE_ID_LEN);
	count_up(m.args.nonce, 0x30, WIRE_ID_LEN);
	count_up(m.args.machine, 0x40, WIRE_ID_LEN);
	count_up(m.args.known_host, 0x50, WIRE_TAG_LEN);
	count_up(m.args.previous, 0x60, WIRE_TAG_LEN);
	m.args.time_unix_s = HOST_TIME - 1;
	m.args.state = WIRE_LICENSED;
	m.args.threshold = 25;
	m.args.minutes_left = 259200;
	memcpy(m.args.name, "pc-10", 6);
	m.res.status = m.cover.status = shapes[shape].status;
	m.res.grant = (struct wire_grant){26, HOST_TIME, 10080, 120, 7};
	count_up(m.res.signature, 0x80, WIRE_SIG_LEN);
	m.res.form = shapes[shape].form;
	count_up(m.res.certificate, 1, WIRE_CERT_LEN);
	m.res.place.index = 1;
	m.res.place.n_path = 2;
	count_up(m.res.place.path[0], 0xc0, WIRE_NODE_LEN);
	count_up(m.res.place.path[1], 0xe0, WIRE_NODE_LEN);
	m.res.host_unix_s = m.cover.host_unix_s = HOST_TIME;
	m.res.busy_s = 12;
	m.cover.catalogue = 7;
	count_up(m.cover.certificate, 1, WIRE_CERT_LEN);
	return m;
}

static int
encode(const struct message *m, uint8_t *buf, size_t cap, size_t *len)
{
	if (m->kind == ARGS)
		return wire_args_encode(&m->args, buf, cap, len);
	if (m->kind == RESULT)
		return wire_result_encode(&m->res, buf, cap, len);
	return wire_cover_encode(&m->cover, buf, cap, len);
}

static int
decode(const uint8_t *p, size_t len, struct message *m)
{
	if (m->kind == ARGS)
		return wire_args_decode(p, len, &m->args);
	if (m->kind == RESULT)
		return wire_result_decode(p, len, &m->res);
	return wire_cover_decode(p, len, &m->cover);
}

/* Decode and encode again; the decoder's error, or INVAL: other bytes. */
static int
again(enum kind kind, const uint8_t *p, size_t len)
{
	struct message m = {.kind = kind};
	uint8_t buf[RPC_RECORD_MAX];
	size_t n = 0;
	int err = decode(p, len, &m);

	if (err == 0 &&
	    (encode(&m, buf, sizeof(buf), &n) != 0 || n != len ||
	        memcmp(buf, p, len) != 0))
		err = MUSTER_E_INVAL;
	return err;
}

static void
make_samples(struct sample *s)
{
	unsigned failed = 0;

	for (size_t i = 0; i < N_SAMPLES; i++) {
		struct message m = sample_message(i);

		failed +=
		    encode(&m, s[i].bytes, RPC_RECORD_MAX, &s[i].len) != 0;
	}
	is(failed, 0);
}

enum shape { CALL, REPLY, ERROR };
#define NO_BODY N_SAMPLES
#define PUBLISHER (N_SAMPLES + 1)

static const struct vector {
	const char *name;
	enum shape shape;
	int what; /* procedure of a call, verdict of an error */
	size_t body;
} vectors[] = {
    /* the xid is the position, from 1 */
    {"call_null", CALL, RPC_NULL, NO_BODY},
    {"call_activate", CALL, RPC_ACTIVATE, S_ARGS},
    {"call_cover", CALL, RPC_COVER, PUBLISHER},
    {"reply_ok_certificate", REPLY, 0, S_CERT},
    {"reply_ok_place", REPLY, 0, S_PLACE},
    {"reply_clock", REPLY, 0, S_CLOCK},
    {"reply_busy", REPLY, 0, S_BUSY},
    {"reply_unknown_product", REPLY, 0, S_UNKNOWN},
    {"reply_cover", REPLY, 0, S_COVER},
    {"denied_mismatch", ERROR, RPC_MISMATCH_CLOSE, NO_BODY},
    {"denied_auth", ERROR, RPC_AUTH_ERROR, NO_BODY},
    {"prog_unavail", ERROR, RPC_PROG_UNAVAIL, NO_BODY},
    {"prog_mismatch", ERROR, RPC_PROG_MISMATCH, NO_BODY},
    {"proc_unavail", ERROR, RPC_PROC_UNAVAIL, NO_BODY},
    {"garbage_args", ERROR, RPC_GARBAGE_ARGS, NO_BODY},
    {"reply_null", REPLY, 0, NO_BODY},
};

/* The record as the codec makes it. */
static int
make_record(const struct vector *v, struct bytes body, struct sample *rec)
{
	uint32_t xid = (uint32_t)(v - vectors) + 1;

	if (v->shape == CALL)
		return rpc_call_encode(xid, (enum rpc_proc)v->what, body.p,
		    body.len, rec->bytes, RPC_RECORD_MAX, &rec->len);
	if (v->shape == REPLY)
		return rpc_reply_encode(xid, body.p, body.len, rec->bytes,
		    RPC_RECORD_MAX, &rec->len);
	return rpc_error_encode(xid, (enum rpc_verdict)v->what, rec->bytes,
	    RPC_RECORD_MAX, &rec->len);
}

static void
check_vector(const struct vector *v, const char *hex)
{
	uint32_t xid = (uint32_t)(v - vectors) + 1;
	struct sample samples[N_SAMPLES], rec = {0}, want = {0};
	uint8_t publisher[WIRE_ID_LEN];
	struct bytes body = {.p = NULL, .len = 0};
	struct rpc_call call = {.xid = 0};
	const uint8_t *got = NULL;
	size_t n = 0;

	printf("# %s\n", v->name);
	want.len = strlen(hex) / 2;
	if (!ok(want.len <= RPC_RECORD_MAX && want.len > RPC_MARK_LEN))
		return;
	is(hex_decode(hex, strlen(hex), want.bytes, want.len), 0);
	make_samples(samples);
	count_up(publisher, 0x70, sizeof(publisher));
	if (v->body == PUBLISHER)
		body = (struct bytes){publisher, sizeof(publisher)};
	else if (v->body != NO_BODY)
		body = (struct bytes){samples[v->body].bytes,
		    samples[v->body].len};
	is(make_record(v, body, &rec), 0);
	ok(rec.len == want.len && memcmp(rec.bytes, want.bytes, rec.len) == 0);
	is(rpc_mark_decode(want.bytes, &n), 0);
	is((long long)n + RPC_MARK_LEN, (long long)want.len);
	if (v->shape == CALL) {
		is(rpc_call_decode(want.bytes + 4, want.len - 4, &call),
		    RPC_CALL);
		ok(call.xid == xid && (int)call.proc == v->what);
		got = call.args;
		n = call.args_len;
	} else {
		is(rpc_reply_decode(want.bytes + 4, want.len - 4, xid, &got,
		       &n),
		    v->shape == REPLY ? 0 : MUSTER_E_REFUSED);
	}
	if (v->shape == ERROR || got == NULL)
		return;
	ok(n == body.len && (n == 0 || memcmp(got, body.p, n) == 0));
	/* the bytes are pinned, so equal bytes again are equal fields */
	if (v->body < N_SAMPLES)
		is(again(shapes[v->body].kind, got, n), 0);
}

static void
test_msg_vectors(const char *path)
{
	char line[2 * RPC_RECORD_MAX + 80], name[64], hex[512];
	unsigned seen[N_OF(vectors)] = {0}, unknown = 0;
	FILE *f = fopen(path, "r");

	ok(f != NULL);
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		size_t i = 0;

		if (line[0] == '#')
			continue;
		if (sscanf(line, "%63s %511s", name, hex) != 2)
			name[0] = '\0';
		while (i < N_OF(vectors) && strcmp(name, vectors[i].name) != 0)
			i++;
		if (i < N_OF(vectors)) {
			seen[i]++;
			check_vector(&vectors[i], hex);
		} else {
			unknown++;
		}
	}
	if (f != NULL)
		(void)fclose(f);
	is(unknown, 0);
	for (size_t i = 0; i < N_OF(vectors); i++)
		is(seen[i], 1);
}

#define F(part, field) offsetof(struct message, part.field)

/* Set one value in the bytes and in the struct; both ends must agree. */
static void
try_value(size_t shape, size_t field, size_t at, uint32_t value, int want)
{
	struct message m = sample_message(shape);
	struct sample s = {0};

	is(encode(&m, s.bytes, RPC_RECORD_MAX, &s.len), 0);
	put_u32(s.bytes + at, value);
	is(again(m.kind, s.bytes, s.len), want);
	memcpy((uint8_t *)&m + field, &value, sizeof(value));
	s.len = 0;
	is(encode(&m, s.bytes, RPC_RECORD_MAX, &s.len), want);
	ok((s.len != 0) == (want == 0));
}

/* A range holds in the decoder, and nobody can send what it refuses. */
static void
test_msg_ranges(void)
{
	static const struct {
		const char *why;
		size_t shape, field, at; /* four bytes in struct and bytes */
		uint32_t min, max;       /* min 0: no lower end to try */
	} cases[] = {
	    {"threshold", S_ARGS, F(args, threshold), 92, 1, 100000},
	    {"state", S_ARGS, F(args, state), 88, 0, 4},
	    {"minutes left", S_ARGS, F(args, minutes_left), 96, 0, UINT32_MAX},
	    {"renewal", S_CERT, F(res, grant.renewal_min), 16, 15, 43200},
	    {"retry", S_PLACE, F(res, grant.retry_min), 20, 15, 43200},
	    {"index", S_PLACE, F(res, place.index), AT_INDEX, 0, 3},
	    {"seconds", S_BUSY, F(res, busy_s), 4, 1, 3600},
	    {"status", S_UNKNOWN, F(res, status), 0, 0, 6},
	    {"cover status", S_COVER_REFUSED, F(cover, status), 0, 0, 6},
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		size_t k = cases[i].shape, f = cases[i].field, at = cases[i].at;
		uint32_t min = cases[i].min, max = cases[i].max;

		printf("# %s\n", cases[i].why);
		if (min > 0) {
			try_value(k, f, at, min, 0);
			try_value(k, f, at, min - 1, MUSTER_E_RANGE);
		}
		try_value(k, f, at, max, 0);
		if (max < UINT32_MAX) {
			try_value(k, f, at, max + 1, MUSTER_E_RANGE);
			try_value(k, f, at, UINT32_MAX, MUSTER_E_RANGE);
		}
	}
}

/* A length or a choice that the bytes behind it do not bear out. */
static void
test_msg_lengths(void)
{
	static const struct {
		const char *why;
		size_t shape, at;
		uint32_t value;
		int want;
	} cases[] = {
	    {"time before 1970", S_ARGS, AT_TIME, UINT32_MAX, 0},
	    {"name of 100", S_ARGS, AT_NAME, 100, MUSTER_E_TOOBIG},
	    {"name of 2^32-1", S_ARGS, AT_NAME, UINT32_MAX, MUSTER_E_TOOBIG},
	    {"name longer than sent", S_ARGS, AT_NAME, 9, MUSTER_E_TRUNC},
	    {"name shorter than sent", S_ARGS, AT_NAME, 4, MUSTER_E_PROTO},
	    {"padding in the name", S_ARGS, AT_NAME, 6, MUSTER_E_RANGE},
	    {"padding not zero", S_ARGS, AT_PAD, 0x30000001, MUSTER_E_PROTO},
	    {"padding not zero", S_ARGS, AT_PAD, 0x30010000, MUSTER_E_PROTO},
	    {"form 2", S_CERT, AT_FORM, 2, MUSTER_E_RANGE},
	    {"form -1", S_PLACE, AT_FORM, UINT32_MAX, MUSTER_E_RANGE},
	    {"path of 1, two sent", S_PLACE, AT_N_PATH, 1, MUSTER_E_PROTO},
	    {"path of 3, two sent", S_PLACE, AT_N_PATH, 3, MUSTER_E_TRUNC},
	    {"path of 4", S_PLACE, AT_N_PATH, 4, MUSTER_E_TOOBIG},
	    {"path of 2^31", S_PLACE, AT_N_PATH, 1U << 31, MUSTER_E_TOOBIG},
	    {"NOT_COVERED", S_UNKNOWN, 0, 2, 0},
	    {"HOST_NOT_ACTIVATED", S_UNKNOWN, 0, 3, 0},
	    {"cover CLOCK has no time", S_COVER_REFUSED, 0, 4, 0},
	    {"CLOCK without time", S_UNKNOWN, 0, 4, MUSTER_E_TRUNC},
	    {"OK with nothing", S_COVER_REFUSED, 0, 0, MUSTER_E_TRUNC},
	    {"REFUSED with more", S_BUSY, 0, 6, MUSTER_E_PROTO},
	};
	struct message m = sample_message(S_PLACE);
	struct sample s[N_SAMPLES];

	for (size_t i = 0; i < N_OF(cases); i++) {
		size_t k = cases[i].shape;

		printf("# %s\n", cases[i].why);
		make_samples(s);
		put_u32(s[k].bytes + cases[i].at, cases[i].value);
		is(again(shapes[k].kind, s[k].bytes, s[k].len), cases[i].want);
	}
	m.res.form = 2;
	is(encode(&m, s[0].bytes, RPC_RECORD_MAX, &s[0].len), MUSTER_E_RANGE);
	m.res.form = 1;
	m.res.place.n_path = WIRE_PATH_MAX + 1;
	is(encode(&m, s[0].bytes, RPC_RECORD_MAX, &s[0].len), MUSTER_E_RANGE);
	m.res.place.n_path = 0; /* the index is 1 */
	is(encode(&m, s[0].bytes, RPC_RECORD_MAX, &s[0].len), MUSTER_E_RANGE);
}

/* A status carries its own fields; the decoder leaves the rest zero. */
static void
test_msg_other_fields_are_zero(void)
{
	struct sample s[N_SAMPLES];
	struct wire_result res;
	struct wire_cover cover;

	make_samples(s);
	is(wire_result_decode(s[S_CERT].bytes, s[S_CERT].len, &res), 0);
	ok(res.host_unix_s == 0 && res.busy_s == 0 && res.place.n_path == 0);
	is(wire_result_decode(s[S_PLACE].bytes, s[S_PLACE].len, &res), 0);
	is(res.certificate[0] | res.place.path[2][0], 0);
	is(wire_result_decode(s[S_CLOCK].bytes, s[S_CLOCK].len, &res), 0);
	ok(res.host_unix_s == HOST_TIME && res.busy_s == 0);
	is(wire_result_decode(s[S_BUSY].bytes, s[S_BUSY].len, &res), 0);
	ok(res.host_unix_s == 0 && res.busy_s == 12 && res.grant.count == 0);
	is(wire_cover_decode(s[S_COVER_REFUSED].bytes, s[S_COVER_REFUSED].len,
	       &cover),
	    0);
	ok(cover.host_unix_s == 0 && cover.catalogue == 0);
}

static void
test_msg_name_charset(void)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
	                           "qrstuvwxyz0123456789._-";
	const struct message m = sample_message(S_ARGS);
	struct wire_args args = m.args, out;
	uint8_t buf[RPC_RECORD_MAX];
	size_t len = 0, n_good = 0;
	unsigned wrong = 0;

	for (unsigned c = 0; c < 256; c++) {
		bool fits = c != 0 && strchr(good, (int)c) != NULL;

		wrong += wire_args_encode(&args, buf, sizeof(buf), &len) != 0;
		buf[AT_NAME + 4 + 2] = (uint8_t)c;
		wrong += wire_args_decode(buf, len, &out) !=
		    (fits ? 0 : MUSTER_E_RANGE);
		args.name[2] = (char)c;
		/* a NUL ends the name, so it cannot be told from a short one */
		if (c != 0)
			wrong += wire_args_encode(&args, buf, sizeof(buf),
			             &len) != (fits ? 0 : MUSTER_E_RANGE);
		args = m.args;
		n_good += fits;
	}
	is(wrong, 0);
	is((long long)n_good, 65);
	memset(args.name, 'a', sizeof(args.name)); /* no NUL */
	is(wire_args_encode(&args, buf, sizeof(buf), &len), MUSTER_E_RANGE);
}

static void
test_msg_cut_and_trailing(void)
{
	struct sample s[N_SAMPLES];

	make_samples(s);
	for (size_t i = 0; i < N_SAMPLES; i++) {
		unsigned wrong = 0;

		printf("# %s\n", shapes[i].what);
		for (size_t len = 0; len < s[i].len; len++) {
			/* a heap copy of that size, so an overrun is seen */
			uint8_t *p = malloc(len + 1);

			if (p == NULL)
				abort();
			memcpy(p + 1, s[i].bytes, len);
			wrong +=
			    again(shapes[i].kind, p + 1, len) != MUSTER_E_TRUNC;
			free(p);
		}
		is(wrong, 0);
		for (size_t n = 1; n <= 4; n++) {
			memset(s[i].bytes + s[i].len, 0, n);
			is(again(shapes[i].kind, s[i].bytes, s[i].len + n),
			    MUSTER_E_PROTO);
		}
	}
}

/* A flipped bit is refused or is another message, never the same one. */
static void
test_msg_every_flipped_bit(void)
{
	struct sample s[N_SAMPLES];

	make_samples(s);
	for (size_t i = 0; i < N_SAMPLES; i++) {
		unsigned lossy = 0, refused = 0;

		for (size_t bit = 0; bit < 8 * s[i].len; bit++) {
			int err;

			s[i].bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
			err = again(shapes[i].kind, s[i].bytes, s[i].len);
			lossy += err == MUSTER_E_INVAL;
			refused += err != 0;
			s[i].bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		}
		printf("# %s: %u of %u refused\n", shapes[i].what, refused,
		    (unsigned)(8 * s[i].len));
		is(lossy, 0);
		/* at least the high bits of the status or the threshold */
		ok(refused >= 15);
	}
}

/* Refused bytes change no field, a small buffer is not passed. */
static void
test_msg_failure_leaves_the_output(void)
{
	struct sample s[N_SAMPLES];

	make_samples(s);
	for (size_t i = 0; i < N_SAMPLES; i++) {
		struct message m = sample_message(i), old;
		uint8_t buf[RPC_RECORD_MAX];
		unsigned wrong = 0;

		for (size_t cap = 0; cap < s[i].len; cap++) {
			size_t len = 999;

			memset(buf, GUARD, sizeof(buf));
			wrong += encode(&m, buf, cap, &len) != MUSTER_E_TOOBIG;
			wrong += len != 999 || buf[cap] != GUARD;
		}
		is(wrong, 0);
		memset(&m, GUARD, sizeof(m));
		m.kind = shapes[i].kind;
		memcpy(&old, &m, sizeof(m));
		is(decode(s[i].bytes, s[i].len - 1, &m), MUSTER_E_TRUNC);
		put_u32(s[i].bytes + (i == S_ARGS ? AT_THRESHOLD : 0),
		    1U << 31);
		is(decode(s[i].bytes, s[i].len, &m), MUSTER_E_RANGE);
		ok(memcmp(&m, &old, sizeof(m)) == 0);
	}
}

/* Random values survive the way there and back. */
static void
test_msg_random_values(unsigned rounds)
{
	static const char letters[] = "AMZamz059._-";
	unsigned wrong = 0;

	for (unsigned i = 0; i < rounds; i++) {
		struct message m = sample_message(S_ARGS);
		struct wire_args *a = &m.args;
		struct wire_result *r = &m.res;
		uint8_t buf[RPC_RECORD_MAX];
		size_t len = 0, n = draw(WIRE_NAME_MAX + 1);

		count_up(a->product, (uint8_t)draw(256), WIRE_ID_LEN);
		a->time_unix_s = (int64_t)draw(INT32_MAX) * draw(UINT32_MAX);
		a->threshold = 1 + draw(WIRE_THRESHOLD_MAX);
		a->state = (enum wire_state)draw(5);
		memset(a->name, 0, sizeof(a->name));
		for (size_t k = 0; k < n; k++)
			a->name[k] = letters[draw(sizeof(letters) - 1)];
		wrong += encode(&m, buf, sizeof(buf), &len) != 0 ||
		    again(ARGS, buf, len) != 0;
		m.kind = RESULT;
		r->form = draw(2);
		r->place.n_path = draw(WIRE_PATH_MAX + 1);
		r->place.index = draw(1U << r->place.n_path);
		r->grant.issued_unix_s = -a->time_unix_s;
		count_up(r->signature, (uint8_t)draw(256), WIRE_SIG_LEN);
		wrong += encode(&m, buf, sizeof(buf), &len) != 0 ||
		    again(RESULT, buf, len) != 0;
	}
	is(wrong, 0);
}

int
main(int argc, char *argv[])
{
	const char *path = argc > 1 ? argv[1] : "tests/vectors/wire.txt";

	rng = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	printf("# seed %" PRIu64 "\n", rng);
	test_msg_vectors(path);
	test_msg_ranges();
	test_msg_lengths();
	test_msg_other_fields_are_zero();
	test_msg_name_charset();
	test_msg_cut_and_trailing();
	test_msg_every_flipped_bit();
	test_msg_failure_leaves_the_output();
	test_msg_random_values(20000);
	return tap_done();
}
