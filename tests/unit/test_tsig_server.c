/* SPDX-License-Identifier: MIT */
/*
 * The test is the DNS server: it writes and signs its answers itself, from
 * RFC 8945, one thing of them unusual at a time (b20, b21).
 */
#include <sodium.h>

#include "discovery/tsig.h"
#include "tap.h"

#define NOW INT64_C(1800000000)
#define N(a) (sizeof(a) / sizeof((a)[0]))

enum { BADSIG = 16, BADKEY = 17, BADTIME = 18, BADTRUNC = 22 };

/* What an answer is like; see good. */
struct answer {
	const char *key, *algorithm;
	uint16_t id, original_id, class, fudge, error;
	uint32_t ttl;
	int64_t time;
	size_t mac_len, other_len;
	bool no_question, in_answers, twice, not_last, bad_mac;
	bool strange_last; /* behind it, of an owner that no host has */
	int mac_claim, other_claim; /* added to the lengths in the record */
	size_t cut;                 /* bytes missing at its end */
	uint8_t other[8];
};

static struct tsig_key key;
static const struct tsig_mac request = {.len = 32, .mac = {9, 8, 7}};
static struct answer good; /* by main() */
static struct answer one;

static uint8_t *
put(uint8_t *p, uint64_t v, int n)
{
	while (n-- > 0)
		*p++ = (uint8_t)(v >> 8 * n);
	return p;
}

static uint8_t *
put_name(uint8_t *p, const char *text, bool is_small)
{
	while (*text != '\0') {
		size_t n = strcspn(text, ".");

		*p++ = (uint8_t)n;
		for (; n > 0; n--, text++)
			*p++ =
			    (uint8_t)(is_small && *text >= 'A' && *text <= 'Z'
			            ? *text + 32
			            : *text);
		text += *text == '.';
	}
	*p++ = 0;
	return p;
}

/* RFC 8945 4.3: over which bytes, and as the key says. */
static void
mac_of(const uint8_t *text, size_t len, uint8_t *mac)
{
	crypto_auth_hmacsha256_state s2;
	crypto_auth_hmacsha512_state s5;

	if (key.algorithm == TSIG_SHA256) {
		crypto_auth_hmacsha256_init(&s2, key.secret, key.secret_len);
		crypto_auth_hmacsha256_update(&s2, text, len);
		crypto_auth_hmacsha256_final(&s2, mac);
	} else {
		crypto_auth_hmacsha512_init(&s5, key.secret, key.secret_len);
		crypto_auth_hmacsha512_update(&s5, text, len);
		crypto_auth_hmacsha512_final(&s5, mac);
	}
}

static uint8_t *
put_tsig(uint8_t *p, const struct answer *a, const uint8_t *mac)
{
	uint8_t *rdata;

	p = put_name(p, a->key, false);
	p = put(p, 250, 2);
	p = put(p, a->class, 2);
	p = put(p, a->ttl, 4);
	rdata = p + 2;
	p = put_name(rdata, a->algorithm, false);
	p = put(p, (uint64_t)a->time, 6);
	p = put(p, a->fudge, 2);
	p = put(p, a->mac_len + (size_t)a->mac_claim, 2);
	memcpy(p, mac, a->mac_len);
	p = put(p + a->mac_len, a->original_id, 2);
	p = put(p, a->error, 2);
	p = put(p, a->other_len + (size_t)a->other_claim, 2);
	memcpy(p, a->other, a->other_len);
	p += a->other_len - a->cut;
	(void)put(rdata - 2, (uint64_t)(p - rdata), 2);
	return p;
}

/* What is signed: a request has no MAC before it. */
static size_t
signed_text(const struct answer *a, const struct tsig_mac *before,
    const uint8_t *msg, size_t len, uint8_t *text)
{
	uint8_t *p = text;

	if (before != NULL) {
		p = put(p, before->len, 2);
		memcpy(p, before->mac, before->len);
		p += before->len;
	}
	memcpy(p, msg, len);
	(void)put(p, a->original_id, 2);
	p = put_name(p + len, a->key, true);
	p = put(put(p, 255, 2), 0, 4);
	p = put_name(p, a->algorithm, true);
	p = put(put(p, (uint64_t)a->time, 6), a->fudge, 2);
	p = put(put(p, a->error, 2), a->other_len, 2);
	memcpy(p, a->other, a->other_len);
	return (size_t)(p + a->other_len - text);
}

/* An answer to an update, with an address in its additional section. */
static size_t
write_answer(const struct answer *a, uint8_t *msg)
{
	uint8_t text[1024], mac[80] = {0}, *p = msg;
	size_t len;

	p = put(p, a->id, 2);
	p = put(p, 0xa800, 2);
	p = put(p, !a->no_question, 2);
	p = put(p, 0, 6);
	if (!a->no_question) {
		p = put_name(p, "corp.test", false);
		p = put(p, 6 << 16 | 1, 4);
	}
	if (!a->in_answers) {
		p = put_name(p, "kms.corp.test", false);
		p = put(put(p, 1 << 16 | 1, 4), 60, 4);
		p = put(put(p, 4, 2), 0xc0000201, 4);
		msg[11] = 1;
	}
	len = signed_text(a, &request, msg, (size_t)(p - msg), text);
	mac_of(text, len, mac);
	mac[0] ^= a->bad_mac;
	msg[a->in_answers ? 7 : 11]++;
	p = put_tsig(p, a, mac);
	if (a->twice) {
		msg[11]++;
		p = put_tsig(p, a, mac);
	}
	if (a->not_last) {
		msg[11]++;
		p = put_name(p, "kms.corp.test", false);
		p = put(put(p, 1 << 16 | 1, 4), 60, 4);
		p = put(put(p, 4, 2), 0xc0000201, 4);
	}
	if (a->strange_last) {
		msg[11]++;
		p = put(put(p, 1, 1), '*', 1);
		p = put(put(p, 0, 1), 1 << 16 | 1, 4);
		p = put(put(p, 60, 4), 0, 2);
	}
	return (size_t)(p - msg);
}

static enum tsig_verdict
judge(const struct answer *a, int64_t *skew_s_out)
{
	uint8_t msg[1024];
	size_t len = write_answer(a, msg);

	*skew_s_out = 77;
	return tsig_judge(&key, &request, NOW, msg, len, skew_s_out);
}

/* The verdict on an answer that tells no clock. */
static enum tsig_verdict
verdict(const struct answer *a)
{
	int64_t skew_s;
	enum tsig_verdict v = judge(a, &skew_s);

	is(skew_s, 0);
	return v;
}

/* good, but for one field */
#define BUT(...) (one = good, __VA_ARGS__, &one)

static void
test_b20_what_servers_may_do(void)
{
	is(verdict(BUT(one.no_question = false)), TSIG_GOOD);
	is(verdict(BUT(one.no_question = true)), TSIG_GOOD);
	/* a server behind another that gave it an id of its own */
	is(verdict(BUT(one.id = 0x1234, one.original_id = 0xfedc)), TSIG_GOOD);
	is(verdict(BUT(one.key = "ZONE-A.corp.TEST")), TSIG_GOOD);
	is(verdict(BUT(one.other_len = 3, one.other[0] = 1)), TSIG_GOOD);
}

static void
test_b21_records_that_no_server_sends(void)
{
	is(verdict(BUT(one.class = 1)), TSIG_BROKEN);
	is(verdict(BUT(one.ttl = 1)), TSIG_BROKEN);
	is(verdict(BUT(one.in_answers = true)), TSIG_BROKEN);
	is(verdict(BUT(one.twice = true)), TSIG_BROKEN);
	is(verdict(BUT(one.not_last = true)), TSIG_BROKEN);
	is(verdict(BUT(one.strange_last = true)), TSIG_BROKEN);
	is(verdict(BUT(one.other_claim = 1)), TSIG_BROKEN);
	is(verdict(BUT(one.other_len = 2, one.other_claim = -1)), TSIG_BROKEN);
	/* the record ends before what it says is in it */
	for (size_t n = 1; n <= 13 + 10 + good.mac_len + 6; n++)
		is(verdict(BUT(one.cut = n)), TSIG_BROKEN);
	/* the MAC, by its length, leaves too little or too much */
	for (int n = -(int)good.mac_len; n <= 200; n++) {
		enum tsig_verdict v = verdict(BUT(one.mac_claim = n));

		is(v, n == 0 ? TSIG_GOOD : TSIG_BROKEN);
	}
}

static void
test_b21_who_signed_and_how(void)
{
	is(verdict(BUT(one.bad_mac = true)), TSIG_MAC_WRONG);
	is(verdict(BUT(one.key = "other.corp.test")), TSIG_OTHER_KEY);
	is(verdict(BUT(one.algorithm = "hmac-sha224")), TSIG_OTHER_ALGORITHM);
	is(verdict(BUT(one.mac_len = 0)), TSIG_MAC_LENGTH);
	is(verdict(BUT(one.mac_len = 16)), TSIG_MAC_LENGTH);
	is(verdict(BUT(one.mac_len = good.mac_len - 1)), TSIG_MAC_LENGTH);
	is(verdict(BUT(one.mac_len = good.mac_len + 1)), TSIG_MAC_LENGTH);
}

static void
test_b21_objections(void)
{
	static const struct {
		uint16_t error;
		enum tsig_verdict signed_one, unsigned_one;
	} cases[] = {
	    {BADSIG, TSIG_PEER_BADSIG, TSIG_PEER_BADSIG},
	    {BADKEY, TSIG_PEER_BADKEY, TSIG_PEER_BADKEY},
	    {BADTIME, TSIG_PEER_BADTIME, TSIG_MAC_LENGTH},
	    {BADTRUNC, TSIG_PEER_BADTRUNC, TSIG_MAC_LENGTH},
	    {1, TSIG_PEER_OTHER, TSIG_MAC_LENGTH},
	};

	for (size_t i = 0; i < N(cases); i++) {
		uint16_t e = cases[i].error;

		is(verdict(BUT(one.error = e)), cases[i].signed_one);
		is(verdict(BUT(one.error = e, one.mac_len = 0)),
		    cases[i].unsigned_one);
		/* a MAC that is there has to be right */
		is(verdict(BUT(one.error = e, one.bad_mac = true)),
		    TSIG_MAC_WRONG);
		/* only the server's word that our clock is off tells its own */
		if (e != BADTIME)
			is(verdict(BUT(one.error = e, one.other_len = 6)),
			    cases[i].signed_one);
	}
	is(verdict(BUT(one.error = BADKEY, one.mac_len = 0, one.key = "a")),
	    TSIG_PEER_BADKEY);
	is(verdict(BUT(one.other_len = 6, one.other[0] = 1)), TSIG_GOOD);
	is(verdict(BUT(one.error = BADTIME, one.other_len = 5)),
	    TSIG_PEER_BADTIME);
}

/* An answer that tells the server's clock, so many seconds from ours. */
static void
test_b21_clock_of_the_server(void)
{
	static const int64_t apart_s[] = {0, 1, -1, 301, -86400, NOW,
	    (INT64_C(1) << 47) - NOW};

	for (size_t i = 0; i < N(apart_s); i++) {
		struct answer *a = BUT(one.error = BADTIME, one.other_len = 6);
		int64_t skew_s;

		(void)put(a->other, (uint64_t)(NOW + apart_s[i]), 6);
		is(judge(a, &skew_s), TSIG_PEER_BADTIME);
		is(skew_s, apart_s[i]);
	}
}

/* The server's fudge where it is less than ours, and never more than ours. */
static void
test_b21_time_and_fudge(void)
{
	static const struct {
		uint16_t fudge;
		int64_t limit_s;
	} cases[] = {{0, 0}, {1, 1}, {10, 10}, {256, 256}, {299, 299},
	    {300, 300}, {301, 300}, {65535, 300}};

	for (size_t i = 0; i < N(cases); i++) {
		uint16_t fudge = cases[i].fudge;
		int64_t s = cases[i].limit_s;

		is(verdict(BUT(one.fudge = fudge, one.time = NOW + s)),
		    TSIG_GOOD);
		is(verdict(BUT(one.fudge = fudge, one.time = NOW - s)),
		    TSIG_GOOD);
		is(verdict(BUT(one.fudge = fudge, one.time = NOW + s + 1)),
		    TSIG_TIME);
		is(verdict(BUT(one.fudge = fudge, one.time = NOW - s - 1)),
		    TSIG_TIME);
	}
}

/* Our request as the server would write it, byte for byte. */
static void
test_b20_request(void)
{
	static const int64_t times[] = {0, NOW, (INT64_C(1) << 48) - 1};

	for (size_t i = 0; i < N(times); i++) {
		struct answer *a =
		    BUT(one.id = 0xabcd, one.original_id = 0xabcd);
		uint8_t msg[1024], want[1024], text[1024], mac[64];
		struct tsig_mac got;
		size_t bare, len;

		a->time = times[i];
		/* an update that has an additional record already */
		bare = (size_t)(put_name(put(put(msg, 0xabcd28ff, 4), 1, 8),
		                    "kms.corp.test", false) -
		    msg);
		bare += (size_t)(put(put(msg + bare, 1 << 16 | 1, 4), 0, 6) -
		    msg - bare);
		memcpy(want, msg, bare);
		mac_of(text, signed_text(a, NULL, msg, bare, text), mac);
		want[11]++;
		len = bare;
		is(tsig_sign(&key, times[i], msg, sizeof(msg), &len, &got), 0);
		is((long long)len, put_tsig(want + bare, a, mac) - want);
		is(memcmp(msg, want, len), 0);
		is((long long)got.len, (long long)good.mac_len);
		is(memcmp(got.mac, mac, got.len), 0);
		/* a header alone is enough of a message */
		len = DNS_HEADER_LEN;
		is(tsig_sign(&key, times[i], msg, sizeof(msg), &len, &got), 0);
	}
}

int
main(void)
{
	if (sodium_init() < 0 ||
	    dns_name_parse("zone-a.corp.test", &key.name) != 0)
		return 1;
	key.secret_len = 20;
	memset(key.secret, 's', key.secret_len);
	good = (struct answer){.key = "zone-a.corp.test",
	    .id = 5,
	    .original_id = 5,
	    .class = 255,
	    .fudge = 300,
	    .time = NOW};
	for (int i = 0; i < 2; i++) {
		key.algorithm = i == 0 ? TSIG_SHA256 : TSIG_SHA512;
		good.algorithm = i == 0 ? "hmac-sha256" : "hmac-sha512";
		good.mac_len = i == 0 ? 32 : 64;
		test_b20_what_servers_may_do();
		test_b21_records_that_no_server_sends();
		test_b21_who_signed_and_how();
		test_b21_objections();
		test_b21_clock_of_the_server();
		test_b21_time_and_fudge();
		test_b20_request();
	}
	return tap_done();
}
