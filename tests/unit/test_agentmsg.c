/* SPDX-License-Identifier: MIT */
/*
 * Messages of agent.x against bytes laid out elsewhere
 * (tests/vectors/agent.txt), every range from both sides, and the properties
 * of a strict codec.
 */
#include "wire/agentmsg.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/hex.h"

#include "agent_fixture.h"
#include "tap.h"

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))
#define GUARD 0xa5

static void
put_u32(uint8_t *p, uint32_t v)
{
	struct wr w = wr_init(p, 4);

	wr_u32(&w, v);
}

static int
encode(const struct message *m, uint8_t *buf, size_t cap, size_t *len)
{
	if (m->is_reply)
		return agent_reply_encode(&m->u.reply, buf, cap, len);
	return agent_request_encode(&m->u.req, buf, cap, len);
}

static int
decode(const uint8_t *p, size_t len, struct message *m)
{
	if (m->is_reply)
		return agent_reply_decode(p, len, &m->u.reply);
	return agent_request_decode(p, len, &m->u.req);
}

/* Decode and encode again; the decoder's error, or INVAL: other bytes. */
static int
again(size_t shape, const uint8_t *p, size_t len)
{
	static struct message m;
	uint8_t buf[AGENT_BODY_MAX];
	size_t n = 0;
	int err;

	m.is_reply = shape >= 10;
	err = decode(p, len, &m);
	if (err == 0 &&
	    (encode(&m, buf, sizeof(buf), &n) != 0 || n != len ||
	        memcmp(buf, p, len) != 0))
		err = MUSTER_E_INVAL;
	return err;
}

static void
make_sample(size_t shape, struct sample *s)
{
	struct message m;

	memset(s, 0, sizeof(*s));
	sample_message(shape, &m);
	if (encode(&m, s->bytes, AGENT_BODY_MAX, &s->len) != 0)
		ok(!"a sample encodes");
}

static void
test_agentmsg_vectors(const char *path)
{
	char line[4096], hex[4000];
	unsigned shape, seen = 0, wrong = 0;
	struct sample s;
	FILE *f = fopen(path, "r");

	ok(f != NULL);
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		uint8_t want[2000];
		size_t len;

		if (line[0] == '#')
			continue;
		if (sscanf(line, "%*s %u %3999s", &shape, hex) != 2 ||
		    shape >= N_SAMPLES) {
			wrong++;
			continue;
		}
		len = strlen(hex) / 2;
		make_sample(shape, &s);
		if (!ok(hex_decode(hex, strlen(hex), want, len) == 0 &&
		        len == s.len && memcmp(want, s.bytes, len) == 0))
			printf("# %s", line);
		wrong += again(shape, want, len) != 0;
		seen++;
	}
	if (f != NULL)
		(void)fclose(f);
	is(wrong, 0);
	is(seen, N_SAMPLES);
}

/* Offsets in the body of a reply to INFO. */
enum { AT_STATE = 64, AT_REASON = 68, AT_LEFT = 72, AT_THRESHOLD = 84 };
enum { AT_RENEWAL = 88, AT_RETRY = 92, AT_FIRST = 100, AT_ANSWERED = 108 };
enum { AT_ASKED = 116, AT_DUE = 124, AT_EARLY = 152, AT_ROUND = 156 };
enum { AT_OUTCOMES = 160, AT_ERR = 184, AT_STATUS = 188, AT_BUSY = 200 };
enum { AT_SOURCE = 248 };

#define F(field) offsetof(struct agent_info, field)

/* Set four bytes in the body and in the struct; both ends must agree. */
static void
try_info(size_t field, size_t at, uint32_t value, int want)
{
	struct message m;
	struct sample s;

	make_sample(S_REPLY(AGENT_INFO), &s);
	put_u32(s.bytes + at, value);
	is(again(S_REPLY(AGENT_INFO), s.bytes, s.len), want);
	sample_message(S_REPLY(AGENT_INFO), &m);
	memcpy((uint8_t *)&m.u.reply.info + field, &value, sizeof(value));
	s.len = 0;
	is(encode(&m, s.bytes, AGENT_BODY_MAX, &s.len), want);
	ok((s.len != 0) == (want == 0));
}

static void
test_agentmsg_ranges(void)
{
	static const struct {
		const char *why;
		size_t field, at;
		uint32_t min, max; /* min 0: no lower end to try */
	} cases[] = {
	    {"state", F(state), AT_STATE, 0, 4},
	    {"threshold", F(threshold), AT_THRESHOLD, 0, 100000},
	    {"renewal", F(renewal_min), AT_RENEWAL, 15, 43200},
	    {"retry", F(retry_min), AT_RETRY, 15, 43200},
	    {"status", F(outcome[0].status), AT_STATUS, 0, 6},
	    {"seconds", F(outcome[0].busy_s), AT_BUSY, 0, 3600},
	    {"source", F(source), AT_SOURCE, 0, 3},
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		size_t f = cases[i].field, at = cases[i].at;

		printf("# %s\n", cases[i].why);
		if (cases[i].min > 0) {
			try_info(f, at, cases[i].min, 0);
			try_info(f, at, cases[i].min - 1, MUSTER_E_RANGE);
		}
		try_info(f, at, cases[i].max, 0);
		try_info(f, at, cases[i].max + 1, MUSTER_E_RANGE);
		try_info(f, at, UINT32_MAX, MUSTER_E_RANGE);
	}
	try_info(F(renewal_min), AT_RENEWAL, 0, 0);
	try_info(F(retry_min), AT_RETRY, 0, 0);
}

/* 0 and every code of the list; nothing beside them. */
static void
test_agentmsg_codes(void)
{
	static const struct {
		size_t field, at;
	} cases[] = {{F(reason), AT_REASON}, {F(round), AT_ROUND},
	    {F(outcome[0].err), AT_ERR}};

	for (size_t i = 0; i < N_OF(cases); i++) {
		size_t f = cases[i].field, at = cases[i].at;

		try_info(f, at, 0, 0);
		try_info(f, at, (uint32_t)-1, 0);
		try_info(f, at, (uint32_t)MUSTER_E_ALIAS, 0);
		try_info(f, at, (uint32_t)MUSTER_E_ALIAS - 1, MUSTER_E_RANGE);
		try_info(f, at, 1, MUSTER_E_RANGE);
		try_info(f, at, 1U << 31, MUSTER_E_RANGE);
	}
}

static void
test_agentmsg_times(void)
{
	static const struct {
		const char *why;
		size_t field, at;
	} cases[] = {{"seconds left", F(seconds_left), AT_LEFT},
	    {"first seen", F(first_seen_unix_s), AT_FIRST},
	    {"answered", F(answered_unix_s), AT_ANSWERED},
	    {"asked", F(asked_unix_s), AT_ASKED},
	    {"due", F(due_unix_s), AT_DUE}};
	static const int64_t values[] = {0, INT64_MAX, -1, INT64_MIN};

	for (size_t i = 0; i < N_OF(cases); i++) {
		for (size_t k = 0; k < N_OF(values); k++) {
			int want = values[k] < 0 ? MUSTER_E_RANGE : 0;
			struct message m;
			struct sample s;
			struct wr w;

			make_sample(S_REPLY(AGENT_INFO), &s);
			w = wr_init(s.bytes + cases[i].at, 8);
			wr_i64(&w, values[k]);
			printf("# %s %" PRId64 "\n", cases[i].why, values[k]);
			is(again(S_REPLY(AGENT_INFO), s.bytes, s.len), want);
			sample_message(S_REPLY(AGENT_INFO), &m);
			memcpy((uint8_t *)&m.u.reply.info + cases[i].field,
			    &values[k], 8);
			is(encode(&m, s.bytes, AGENT_BODY_MAX, &s.len), want);
		}
	}
}

/* A word that the bytes behind it do not bear out. */
static void
test_agentmsg_words(void)
{
	static const struct {
		const char *why;
		size_t shape, at;
		uint32_t value;
		int want;
	} cases[] = {
	    {"version 0", S_CALL(AGENT_LIST), 0, 0, MUSTER_E_RANGE},
	    {"version 2", S_CALL(AGENT_LIST), 0, 2, MUSTER_E_RANGE},
	    {"op 9", S_CALL(AGENT_LIST), 4, 9, 0},
	    {"op 10", S_CALL(AGENT_LIST), 4, 10, MUSTER_E_RANGE},
	    {"op -1", S_CALL(AGENT_LIST), 4, UINT32_MAX, MUSTER_E_RANGE},
	    {"op with nothing", S_CALL(AGENT_LIST), 4, 1, MUSTER_E_TRUNC},
	    {"LIST with more", S_CALL(AGENT_INFO), 4, 0, MUSTER_E_PROTO},
	    {"caching 0", S_CALL(AGENT_SET_CACHING), 8, 0, 0},
	    {"caching 2", S_CALL(AGENT_SET_CACHING), 8, 2, MUSTER_E_RANGE},
	    {"8 hosts", S_CALL(AGENT_SET_HOSTS), 8, 8, MUSTER_E_TRUNC},
	    {"9 hosts", S_CALL(AGENT_SET_HOSTS), 8, 9, MUSTER_E_TOOBIG},
	    {"1 host, 2 sent", S_CALL(AGENT_SET_HOSTS), 8, 1, MUSTER_E_PROTO},
	    {"host of 0", S_CALL(AGENT_SET_HOSTS), 12, 0, MUSTER_E_RANGE},
	    {"host of 262", S_CALL(AGENT_SET_HOSTS), 12, 262, MUSTER_E_TOOBIG},
	    {"domain of 254", S_CALL(AGENT_SET_DOMAIN), 8, 254,
	        MUSTER_E_TOOBIG},
	    {"key of 65", S_CALL(AGENT_INSTALL_KEY), 8, 65, MUSTER_E_TOOBIG},
	    {"64 products", S_CALL(AGENT_REARM), 8, 64, MUSTER_E_TRUNC},
	    {"65 products", S_CALL(AGENT_REARM), 8, 65, MUSTER_E_TOOBIG},
	    {"reply op 10", S_REPLY(AGENT_REARM), 4, 10, MUSTER_E_RANGE},
	    {"reply of unknown error", S_ERROR, 0, (uint32_t)MUSTER_E_ALIAS - 1,
	        MUSTER_E_RANGE},
	    {"reply of error 1", S_ERROR, 0, 1, MUSTER_E_RANGE},
	    {"text of 501", S_ERROR, 4, 501, MUSTER_E_TOOBIG},
	    {"name of 65", S_REPLY(AGENT_INFO), 40, 65, MUSTER_E_TOOBIG},
	    {"early 2", S_REPLY(AGENT_INFO), AT_EARLY, 2, MUSTER_E_RANGE},
	    {"9 outcomes", S_REPLY(AGENT_INFO), AT_OUTCOMES, 9,
	        MUSTER_E_TOOBIG},
	    {"caching 2", S_REPLY(AGENT_SETTINGS), 68, 2, MUSTER_E_RANGE},
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		struct sample s;

		printf("# %s\n", cases[i].why);
		make_sample(cases[i].shape, &s);
		put_u32(s.bytes + cases[i].at, cases[i].value);
		is(again(cases[i].shape, s.bytes, s.len), cases[i].want);
	}
}

/* What the decoder refuses nobody can send. */
static void
test_agentmsg_encoder_refuses(void)
{
	uint8_t buf[AGENT_BODY_MAX];
	struct message m;
	size_t len = 999;

	sample_message(S_CALL(AGENT_LIST), &m);
	m.u.req.op = (enum agent_op)(AGENT_GENERALIZE + 1);
	is(encode(&m, buf, sizeof(buf), &len), MUSTER_E_RANGE);
	sample_message(S_CALL(AGENT_SET_HOSTS), &m);
	m.u.req.settings.n_hosts = AGENT_HOSTS_MAX + 1;
	is(encode(&m, buf, sizeof(buf), &len), MUSTER_E_TOOBIG);
	m.u.req.settings.n_hosts = 3; /* the third is empty */
	is(encode(&m, buf, sizeof(buf), &len), MUSTER_E_RANGE);
	memset(m.u.req.settings.host[2], 'a', AGENT_HOST_LEN);
	is(encode(&m, buf, sizeof(buf), &len), 0);
	m.u.req.settings.host[2][AGENT_HOST_LEN] = 'a'; /* no NUL */
	len = 999;
	is(encode(&m, buf, sizeof(buf), &len), MUSTER_E_TOOBIG);
	sample_message(S_CALL(AGENT_REARM), &m);
	m.u.req.products.n = AGENT_PRODUCTS_MAX + 1;
	is(encode(&m, buf, sizeof(buf), &len), MUSTER_E_TOOBIG);
	sample_message(S_REPLY(AGENT_INFO), &m);
	m.u.reply.info.n_outcomes = AGENT_HOSTS_MAX + 1;
	is(encode(&m, buf, sizeof(buf), &len), MUSTER_E_TOOBIG);
	sample_message(S_REPLY(AGENT_LIST), &m);
	m.u.reply.op = (enum agent_op)UINT32_MAX;
	is(encode(&m, buf, sizeof(buf), &len), MUSTER_E_RANGE);
	sample_message(S_ERROR, &m);
	m.u.reply.err = MUSTER_E_ALIAS - 1;
	is(encode(&m, buf, sizeof(buf), &len), MUSTER_E_RANGE);
	is((long long)len, 999);
}

/* Every byte in every kind of text, both ways. */
static void
test_agentmsg_characters(void)
{
	static const struct {
		size_t shape, at; /* of a letter in the body */
		size_t field;     /* of the letter in the struct */
		unsigned first;   /* '!' or ' ' */
	} cases[] = {
	    {S_CALL(AGENT_SET_HOSTS), 17,
	        offsetof(struct message, u.req.settings.host[0][1]), '!'},
	    {S_CALL(AGENT_SET_DOMAIN), 13,
	        offsetof(struct message, u.req.settings.domain[1]), '!'},
	    {S_CALL(AGENT_INSTALL_KEY), 13,
	        offsetof(struct message, u.req.key[1]), ' '},
	    {S_REPLY(AGENT_INFO), 45,
	        offsetof(struct message, u.reply.info.name[1]), ' '},
	    {S_REPLY(AGENT_INFO), 137,
	        offsetof(struct message, u.reply.info.host[1]), '!'},
	    {S_REPLY(AGENT_ACTIVATE), 169,
	        offsetof(struct message, u.reply.info.outcome[0].target[1]),
	        '!'},
	    {S_ERROR, 9, offsetof(struct message, u.reply.message[1]), ' '},
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		unsigned wrong = 0;

		for (unsigned c = 0; c < 256; c++) {
			int want = c >= cases[i].first && c < 0x7f
			    ? 0
			    : MUSTER_E_RANGE;
			struct message m;
			struct sample s;

			make_sample(cases[i].shape, &s);
			s.bytes[cases[i].at] = (uint8_t)c;
			wrong += again(cases[i].shape, s.bytes, s.len) != want;
			sample_message(cases[i].shape, &m);
			((uint8_t *)&m)[cases[i].field] = (uint8_t)c;
			/* a NUL ends the text, it is a shorter one */
			wrong += c != 0 &&
			    encode(&m, s.bytes, AGENT_BODY_MAX, &s.len) != want;
		}
		is(wrong, 0);
	}
}

static void
test_agentmsg_cut_and_trailing(void)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < N_SAMPLES; i++) {
		struct sample s;

		make_sample(i, &s);
		for (size_t len = 0; len < s.len; len++) {
			/* a heap copy of that size, so an overrun is seen */
			uint8_t *p = malloc(len + 1);

			if (p == NULL)
				abort();
			memcpy(p + 1, s.bytes, len);
			wrong += again(i, p + 1, len) != MUSTER_E_TRUNC;
			free(p);
		}
		for (size_t n = 1; n <= 8; n++)
			wrong += again(i, s.bytes, s.len + n) != MUSTER_E_PROTO;
	}
	is(wrong, 0);
}

/* A flipped bit is refused or is another message, never the same one. */
static void
test_agentmsg_every_flipped_bit(void)
{
	for (size_t i = 0; i < N_SAMPLES; i++) {
		unsigned lossy = 0, refused = 0;
		struct sample s;

		make_sample(i, &s);
		for (size_t bit = 0; bit < 8 * s.len; bit++) {
			int err;

			s.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
			err = again(i, s.bytes, s.len);
			lossy += err == MUSTER_E_INVAL;
			refused += err != 0;
			s.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		}
		printf("# shape %zu: %u of %u refused\n", i, refused,
		    (unsigned)(8 * s.len));
		is(lossy, 0);
		/* at least the high bits of the version or the code */
		ok(refused >= 28);
	}
}

/* Refused bytes change no field, a small buffer is not passed. */
static void
test_agentmsg_failure_leaves_the_output(void)
{
	static struct message m, old;
	uint8_t buf[AGENT_BODY_MAX];
	unsigned wrong = 0;

	for (size_t i = 0; i < N_SAMPLES; i++) {
		struct sample s;

		make_sample(i, &s);
		sample_message(i, &m);
		for (size_t cap = 0; cap < s.len; cap++) {
			size_t len = 999;

			memset(buf, GUARD, sizeof(buf));
			wrong += encode(&m, buf, cap, &len) != MUSTER_E_TOOBIG;
			wrong += len != 999 || buf[cap] != GUARD;
		}
		memset(&m, GUARD, sizeof(m));
		m.is_reply = i >= 10;
		memcpy(&old, &m, sizeof(m));
		wrong += decode(s.bytes, s.len - 1, &m) != MUSTER_E_TRUNC;
		wrong += decode(s.bytes, s.len + 1, &m) != MUSTER_E_PROTO;
		put_u32(s.bytes, 1U << 30);
		wrong += decode(s.bytes, s.len, &m) != MUSTER_E_RANGE;
		wrong += memcmp(&m, &old, sizeof(m)) != 0;
	}
	is(wrong, 0);
}

/* Random values survive the way there and back, field by field. */
static void
test_agentmsg_random_values(unsigned rounds)
{
	static struct message a, b;
	unsigned wrong = 0;

	for (unsigned i = 0; i < rounds; i++) {
		uint8_t buf[AGENT_BODY_MAX];
		size_t len = 0;

		memset(&a, 0, sizeof(a));
		memset(&b, 0, sizeof(b));
		a.is_reply = b.is_reply = i % 2 == 1;
		if (a.is_reply)
			random_reply(&a.u.reply);
		else
			random_request(&a.u.req);
		wrong += encode(&a, buf, sizeof(buf), &len) != 0 ||
		    decode(buf, len, &b) != 0 || memcmp(&a, &b, sizeof(a)) != 0;
	}
	is(wrong, 0);
}

static void
test_agentmsg_largest_fits(void)
{
	static struct message m;
	struct agent_info *info = &m.u.reply.info;
	uint8_t buf[AGENT_BODY_MAX];
	size_t info_len = 0, list_len = 0, settings_len = 0;

	sample_message(S_REPLY(AGENT_INFO), &m);
	memset(info->name, 'n', AGENT_NAME_LEN);
	memset(info->publisher_name, 'p', AGENT_NAME_LEN);
	memset(info->host, 'h', AGENT_HOST_LEN);
	info->n_outcomes = AGENT_HOSTS_MAX;
	for (size_t i = 0; i < AGENT_HOSTS_MAX; i++)
		memset(info->outcome[i].target, 't', AGENT_HOST_LEN);
	memset(info->domain, 'd', AGENT_DOMAIN_LEN);
	is(encode(&m, buf, sizeof(buf), &info_len), 0);
	sample_message(S_REPLY(AGENT_LIST), &m);
	m.u.reply.products.n = AGENT_PRODUCTS_MAX;
	is(encode(&m, buf, sizeof(buf), &list_len), 0);
	sample_message(S_REPLY(AGENT_SETTINGS), &m);
	m.u.reply.settings.n_hosts = AGENT_HOSTS_MAX;
	for (size_t i = 0; i < AGENT_HOSTS_MAX; i++)
		memset(m.u.reply.settings.host[i], 't', AGENT_HOST_LEN);
	memset(m.u.reply.settings.domain, 'd', AGENT_DOMAIN_LEN);
	is(encode(&m, buf, sizeof(buf), &settings_len), 0);
	printf("# %zu, %zu and %zu bytes\n", info_len, list_len, settings_len);
}

static void
test_agentmsg_marks(void)
{
	static const struct {
		uint32_t mark;
		int want;
	} cases[] = {{0x80000001, 0}, {0x80000ffc, 0},
	    {0x80000ffd, MUSTER_E_TOOBIG}, {0xffffffff, MUSTER_E_TOOBIG},
	    {0x80000000, MUSTER_E_PROTO}, {0x00000008, MUSTER_E_PROTO},
	    {0x7fffffff, MUSTER_E_PROTO}};
	uint8_t mark[AGENT_MARK_LEN];
	size_t len;

	for (size_t i = 0; i < N_OF(cases); i++) {
		len = 999;
		put_u32(mark, cases[i].mark);
		is(agent_mark_decode(mark, &len), cases[i].want);
		is((long long)len,
		    cases[i].want == 0 ? cases[i].mark & 0xfff : 999);
	}
	agent_mark_encode(AGENT_BODY_MAX, mark);
	is(agent_mark_decode(mark, &len), 0);
	is((long long)len, AGENT_BODY_MAX);
}

int
main(int argc, char *argv[])
{
	const char *path = argc > 1 ? argv[1] : "tests/vectors/agent.txt";

	rng = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	printf("# seed %" PRIu64 "\n", rng);
	test_agentmsg_vectors(path);
	test_agentmsg_ranges();
	test_agentmsg_codes();
	test_agentmsg_times();
	test_agentmsg_words();
	test_agentmsg_encoder_refuses();
	test_agentmsg_characters();
	test_agentmsg_cut_and_trailing();
	test_agentmsg_every_flipped_bit();
	test_agentmsg_failure_leaves_the_output();
	test_agentmsg_random_values(20000);
	test_agentmsg_largest_fits();
	test_agentmsg_marks();
	return tap_done();
}
