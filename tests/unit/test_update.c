/* SPDX-License-Identifier: MIT */
/* What an answer to an update, or to the question for its zone, is taken for
 * (b20, b21).  Answers are signed here by RFC 8945 4.3, without tsig.c. */
#include <sodium.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "discovery/update.h"
#include "tap.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define ID 0x1234
#define NOW INT64_C(1800000000)
#define HEADER_LEN DNS_HEADER_LEN

static struct tsig_key key;
static struct tsig_mac request = {.len = 32};
static uint8_t msg[1024];

static void
put_u16(struct wr *w, unsigned v)
{
	const uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	wr_bytes(w, b, sizeof(b));
}

static void
put_name(struct wr *w, const char *text)
{
	struct dns_name name;

	if (dns_name_parse(text, &name) != 0)
		abort();
	wr_bytes(w, name.wire, name.len);
}

/* A server's TSIG record, as a field a line. */
struct answer {
	unsigned rcode, error, fudge_s, other_len;
	int64_t signed_s, other_s;
	bool has_no_mac, is_class_in;
	unsigned n_records, ttl_s, mac_more;
	const char *algorithm;
};

static struct answer
answer_of(unsigned rcode, unsigned error)
{
	return (struct answer){.rcode = rcode,
	    .error = error,
	    .fudge_s = 300,
	    .signed_s = NOW,
	    .n_records = 1,
	    .algorithm = "hmac-sha256"};
}

static void
put_time(struct wr *w, int64_t v)
{
	put_u16(w, (unsigned)(v >> 32));
	wr_u32(w, (uint32_t)v);
}

/* RFC 8945 4.3.3: the variables. */
static void
put_variables(struct wr *w, const struct answer *a)
{
	put_name(w, "hosts.corp.test");
	put_u16(w, DNS_CLASS_ANY);
	wr_u32(w, 0);
	put_name(w, a->algorithm);
	put_time(w, a->signed_s);
	put_u16(w, a->fudge_s);
	put_u16(w, a->error);
	put_u16(w, a->other_len);
	if (a->other_len != 0)
		put_time(w, a->other_s);
}

static size_t
build(const struct answer *a)
{
	uint8_t text[512], mac[32];
	struct wr w = wr_init(msg, sizeof(msg)),
	          t = wr_init(text, sizeof(text));
	size_t mac_len = a->has_no_mac ? 0 : 32 + a->mac_more;
	crypto_auth_hmacsha256_state st;

	put_u16(&w, ID);
	put_u16(&w, 0xa800 | a->rcode);
	wr_u32(&w, 0);
	wr_u32(&w, 0); /* as it was signed: no additional record */
	put_u16(&t, (unsigned)request.len);
	wr_bytes(&t, request.mac, request.len);
	wr_bytes(&t, msg, HEADER_LEN);
	put_variables(&t, a);
	crypto_auth_hmacsha256_init(&st, key.secret, key.secret_len);
	crypto_auth_hmacsha256_update(&st, text, t.len);
	crypto_auth_hmacsha256_final(&st, mac);
	msg[11] = (uint8_t)a->n_records;
	for (unsigned i = 0; i < a->n_records; i++) {
		put_name(&w, "hosts.corp.test");
		put_u16(&w, DNS_TSIG);
		put_u16(&w, a->is_class_in ? DNS_IN : DNS_CLASS_ANY);
		wr_u32(&w, a->ttl_s);
		put_u16(&w,
		    (unsigned)(strlen(a->algorithm) + 2 + 16 + mac_len +
		        a->other_len));
		put_name(&w, a->algorithm);
		put_time(&w, a->signed_s);
		put_u16(&w, a->fudge_s);
		put_u16(&w, (unsigned)mac_len);
		wr_bytes(&w, mac, mac_len < 32 ? mac_len : 32);
		for (unsigned k = 0; k < a->mac_more && mac_len > 0; k++)
			wr_bytes(&w, "", 1);
		put_u16(&w, ID);
		put_u16(&w, a->error);
		put_u16(&w, a->other_len);
		if (a->other_len != 0)
			put_time(&w, a->other_s);
	}
	return w.len;
}

static int64_t skew_s;

static enum update_outcome
judge(const struct answer *a)
{
	size_t len = build(a);
	uint8_t *exact = malloc(len);
	enum update_outcome outcome;

	if (exact == NULL)
		abort();
	memcpy(exact, msg, len);
	outcome = update_judge(exact, len, ID, &key, &request, NOW, &skew_s);
	free(exact);
	return outcome;
}

/* RFC 8945 5.3: errors 16 to 18 and 22; the first two are never signed. */
static void
test_b21_errors_of_the_server(void)
{
	static const struct {
		unsigned error;
		bool has_no_mac;
		enum update_outcome want;
	} cases[] = {
	    {16, true, UPDATE_BADSIG},
	    {17, true, UPDATE_BADKEY},
	    {16, false, UPDATE_BADSIG},
	    {17, false, UPDATE_BADKEY},
	    {18, false, UPDATE_BADTIME},
	    {22, false, UPDATE_BADTRUNC},
	    {1, false, UPDATE_TSIG_ERROR},
	    {18, true, UPDATE_MAC_LENGTH},
	    {22, true, UPDATE_MAC_LENGTH},
	    {0, true, UPDATE_MAC_LENGTH},
	    {0, false, UPDATE_DONE},
	};

	for (size_t i = 0; i < N(cases); i++) {
		struct answer a = answer_of(0, cases[i].error);

		a.has_no_mac = cases[i].has_no_mac;
		is(judge(&a), cases[i].want);
		is(skew_s, 0);
	}
}

static void
test_b21_the_servers_clock_is_told(void)
{
	struct answer a = answer_of(DNS_NOTAUTH, 18);

	a.other_len = 6;
	a.other_s = NOW + 5000;
	is(judge(&a), UPDATE_BADTIME);
	is(skew_s, 5000);
	a.other_s = NOW - 70000;
	is(judge(&a), UPDATE_BADTIME);
	is(skew_s, -70000);
	/* other data without that error says nothing */
	a.error = 0;
	a.rcode = 0;
	is(judge(&a), UPDATE_DONE);
	is(skew_s, 0);
}

/* The server's fudge counts up to ours, 300 s, to the second. */
static void
test_b21_fudge(void)
{
	static const struct {
		unsigned fudge_s;
		int64_t apart_s;
		enum update_outcome want;
	} cases[] = {
	    {0, 0, UPDATE_DONE},
	    {0, 1, UPDATE_OTHER_TIME},
	    {0, -1, UPDATE_OTHER_TIME},
	    {299, 299, UPDATE_DONE},
	    {299, 300, UPDATE_OTHER_TIME},
	    {300, 300, UPDATE_DONE},
	    {300, -300, UPDATE_DONE},
	    {300, 301, UPDATE_OTHER_TIME},
	    {301, 301, UPDATE_OTHER_TIME},
	    {65535, 300, UPDATE_DONE},
	    {65535, 301, UPDATE_OTHER_TIME},
	    {65535, -301, UPDATE_OTHER_TIME},
	};

	for (size_t i = 0; i < N(cases); i++) {
		struct answer a = answer_of(0, 0);

		a.fudge_s = cases[i].fudge_s;
		a.signed_s = NOW + cases[i].apart_s;
		is(judge(&a), cases[i].want);
	}
}

static void
test_b21_records_that_no_server_sends(void)
{
	struct answer a = answer_of(0, 0);
	size_t len;

	a.is_class_in = true;
	is(judge(&a), UPDATE_BROKEN);
	a = answer_of(0, 0);
	a.ttl_s = 1;
	is(judge(&a), UPDATE_BROKEN);
	a = answer_of(0, 0);
	a.n_records = 2;
	is(judge(&a), UPDATE_BROKEN);
	a = answer_of(0, 0);
	a.mac_more = 1;
	is(judge(&a), UPDATE_MAC_LENGTH);
	a = answer_of(0, 0);
	a.algorithm = "hmac-sha512";
	is(judge(&a), UPDATE_OTHER_ALGORITHM);
	/* in the section of answers; and with a byte behind it */
	a = answer_of(0, 0);
	len = build(&a);
	msg[7] = 1;
	msg[11] = 0;
	is(update_judge(msg, len, ID, &key, &request, NOW, &skew_s),
	    UPDATE_BROKEN);
	len = build(&a);
	msg[len] = 0;
	is(update_judge(msg, len + 1, ID, &key, &request, NOW, &skew_s),
	    UPDATE_BROKEN);
	/* data that end within the fixed fields */
	for (unsigned cut = 1; cut < 48; cut++) {
		len = build(&a);
		msg[HEADER_LEN + 17 + 9] = (uint8_t)(61 - cut);
		is(update_judge(msg, len - cut, ID, &key, &request, NOW,
		       &skew_s),
		    UPDATE_BROKEN);
	}
}

static void
test_b21_codes_of_the_server(void)
{
	static const enum update_outcome want[] = {UPDATE_DONE, UPDATE_FORMERR,
	    UPDATE_SERVFAIL, UPDATE_NXDOMAIN, UPDATE_NOTIMP, UPDATE_REFUSED,
	    UPDATE_YXDOMAIN, UPDATE_YXRRSET, UPDATE_NXRRSET, UPDATE_NOTAUTH,
	    UPDATE_NOTZONE};

	for (unsigned rcode = 0; rcode < 16; rcode++) {
		struct answer a = answer_of(rcode, 0);

		is(judge(&a), rcode < N(want) ? want[rcode] : UPDATE_RCODE);
	}
	is_str(update_name(UPDATE_BADTIME), "BADTIME");
	is_str(update_name((enum update_outcome)1000), "UNKNOWN");
	is_str(update_words((enum update_outcome)1000), "unknown");
	ok(strlen(update_words(UPDATE_BADTIME)) > 8);
}

/* The question for SOA and its answer: section, owner, class, primary. */
struct soa {
	unsigned section, type, class, rcode, flags;
	const char *owner, *primary;
};

static enum update_outcome
zone(const struct soa *s, uint16_t id, struct dns_name *zone_out)
{
	struct dns_name asked, primary, name;
	struct dns_header h = {.id = ID};
	struct wr w = wr_init(msg, sizeof(msg));

	if (dns_name_parse("_muster._tcp.corp.test", &asked) != 0 ||
	    dns_name_parse(s->primary, &name) != 0)
		abort();
	h.count[DNS_QUESTION] = 1;
	if (s->section != 0)
		h.count[s->section] = 1;
	dns_header_write(&w, &h, false);
	msg[2] = (uint8_t)(0x80 | s->flags);
	msg[3] = (uint8_t)s->rcode;
	dns_question_write(&w, &asked, DNS_SOA);
	if (s->section != 0) {
		put_name(&w, s->owner);
		put_u16(&w, s->type);
		put_u16(&w, s->class);
		wr_u32(&w, 60);
		put_u16(&w, (unsigned)name.len);
		wr_bytes(&w, name.wire, name.len);
	}
	return update_zone_read(msg, w.len, id, &asked, zone_out, &primary);
}

static void
test_b20_the_zone_of_a_name(void)
{
	static const struct soa good = {DNS_AUTHORITY, DNS_SOA, DNS_IN, 0, 0,
	    "corp.test", "ns.corp.test"};
	struct dns_name name = {.len = 0};
	char text[DNS_TEXT_MAX + 1];
	struct soa s = good;

	is(zone(&s, ID, &name), UPDATE_DONE);
	dns_name_text(&name, text);
	is_str(text, "corp.test");
	s.section = DNS_ANSWER;
	is(zone(&s, ID, &name), UPDATE_DONE);
	s.rcode = DNS_NXDOMAIN;
	is(zone(&s, ID, &name), UPDATE_DONE);
	is(zone(&s, ID + 1, &name), UPDATE_MISMATCH);
	s.rcode = DNS_SERVFAIL;
	is(zone(&s, ID, &name), UPDATE_SERVFAIL);
	s = good;
	s.flags = 2;
	is(zone(&s, ID, &name), UPDATE_TRUNCATED);
	s = good;
	s.section = DNS_ADDITIONAL;
	is(zone(&s, ID, &name), UPDATE_NO_ZONE);
	s.section = 0;
	is(zone(&s, ID, &name), UPDATE_NO_ZONE);
	s = good;
	s.type = DNS_NS;
	is(zone(&s, ID, &name), UPDATE_NO_ZONE);
	s = good;
	s.class = DNS_CLASS_ANY;
	is(zone(&s, ID, &name), UPDATE_NO_ZONE);
	s = good;
	s.owner = "other.test";
	is(zone(&s, ID, &name), UPDATE_NO_ZONE);
	s.owner = ".";
	is(zone(&s, ID, &name), UPDATE_NO_ZONE);
}

static void
test_b20_a_zone_that_is_cut(void)
{
	static const struct soa good = {DNS_AUTHORITY, DNS_SOA, DNS_IN, 0, 0,
	    "corp.test", "ns.corp.test"};
	struct dns_name asked, name, primary;
	size_t len;

	is(dns_name_parse("_muster._tcp.corp.test", &asked), 0);
	is(zone(&good, ID, &name), UPDATE_DONE);
	len = HEADER_LEN + asked.len + 4 + 11 + 10 + 14;
	is(update_zone_read(msg, len, ID, &asked, &name, &primary),
	    UPDATE_DONE);
	/* RFC 1035 4.1.4: a pointer to itself for the primary */
	msg[len - 14] = 0xc0 | (uint8_t)((len - 14) >> 8);
	msg[len - 13] = (uint8_t)(len - 14);
	is(update_zone_read(msg, len, ID, &asked, &name, &primary),
	    UPDATE_BROKEN);
	for (size_t n = 0; n < len; n++)
		ok(update_zone_read(msg, n, ID, &asked, &name, &primary) !=
		    UPDATE_DONE);
}

/* RFC 2136: a deletion alone has no prerequisite and no addition. */
static void
test_b20_what_is_written(void)
{
	struct update u = {.n_deletions = 1, .ttl_s = 3600};
	uint8_t buf[UPDATE_MAX];
	char line[UPDATE_LINE_MAX];
	size_t len = 0, more = 0;

	is(dns_name_parse("corp.test", &u.zone), 0);
	is(dns_name_parse("_muster._tcp.corp.test", &u.owner), 0);
	is(dns_name_parse("kms.corp.test", &u.addition.target), 0);
	u.addition.priority = 1;
	u.addition.weight = 2;
	u.addition.port = 1688;
	u.deletions[0] = u.addition;
	is(update_write(&u, ID, buf, sizeof(buf), &len), 0);
	is(buf[7], 0);
	is(buf[9], 1);
	u.has_addition = true;
	is(update_write(&u, ID, buf, sizeof(buf), &more), 0);
	is(buf[7], 1);
	is(buf[9], 2);
	/* a prerequisite (owner and 10) and a record (owner, 10, 6, target) */
	is((long long)(more - len),
	    (long long)(2 * u.owner.len + 10 + 10 + 6 + u.addition.target.len));
	for (size_t cap = 0; cap < more; cap++)
		is(update_write(&u, ID, buf, cap, &len), MUSTER_E_TOOBIG);
	update_line(&u.owner, &u.addition, 3600, line, sizeof(line));
	is_str(line,
	    "_muster._tcp.corp.test. 3600 IN SRV 1 2 1688 kms.corp.test.");
}

int
main(void)
{
	if (sodium_init() < 0 || dns_name_parse("hosts.corp.test", &key.name))
		return 1;
	key.secret_len = 32;
	memset(key.secret, 0x42, 32);
	memset(request.mac, 0x24, 32);
	test_b21_errors_of_the_server();
	test_b21_the_servers_clock_is_told();
	test_b21_fudge();
	test_b21_records_that_no_server_sends();
	test_b21_codes_of_the_server();
	test_b20_the_zone_of_a_name();
	test_b20_a_zone_that_is_cut();
	test_b20_what_is_written();
	return tap_done();
}
