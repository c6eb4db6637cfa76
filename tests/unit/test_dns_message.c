/* SPDX-License-Identifier: MIT */
#include "discovery/message.h"

#include "tap.h"

/* _muster._tcp.example: 10 5 1688 kms.example; 20 0 1 "."; a record of an
 * owner that is no host's name; kms.example A 192.0.2.1 */
static const uint8_t reply[] = {0x12, 0x34, 0x85, 0x80, 0, 1, 0, 2, 0, 0, 0, 2,
    /* 12: the question */
    7, '_', 'm', 'u', 's', 't', 'e', 'r', 4, '_', 't', 'c', 'p', 7, 'e', 'x',
    'a', 'm', 'p', 'l', 'e', 0, 0, 33, 0, 1,
    /* 38 */
    0xc0, 12, 0, 33, 0, 1, 0, 0, 0x0e, 0x10, 0, 12, 0, 10, 0, 5, 0x06, 0x98, 3,
    'k', 'm', 's', 0xc0, 25,
    /* 62 */
    0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 0, 0, 7, 0, 20, 0, 0, 0, 1, 0,
    /* 81 */
    1, '*', 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4,
    /* 98: owner at 56 */
    0xc0, 56, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};

static struct dns_name
name_of(const char *text)
{
	struct dns_name name = {.len = 0};

	is(dns_name_parse(text, &name), 0);
	return name;
}

static void
test_dns_query(void)
{
	const struct dns_name name = name_of("_muster._tcp.example");
	uint8_t buf[DNS_QUERY_MAX];
	struct dns_reader r;
	struct dns_name asked;
	size_t len;
	uint16_t type;

	is(dns_query_write(0x1234, &name, DNS_SRV, buf, sizeof(buf), &len), 0);
	is(len, 38);
	ok(memcmp(buf + 12, reply + 12, 26) == 0);
	is(buf[2], 1);
	is(dns_query_write(1, &name, DNS_SRV, buf, 37, &len), MUSTER_E_TOOBIG);
	is(dns_open(buf, 38, &r), 0);
	is(dns_question(&r, &asked, &type), 0);
	is(type, DNS_SRV);
	ok(dns_name_equal(&asked, &name));
	/* a question is no answer to itself */
	is(dns_answers(buf, 38, 0x1234, &name, DNS_SRV, &r), MUSTER_E_MISMATCH);
}

static void
test_dns_answers(void)
{
	const struct dns_name name = name_of("_MUSTER._tcp.example");
	const struct dns_name other = name_of("_muster._tcp.exampl");
	uint8_t msg[sizeof(reply)];
	struct dns_reader r;

	memcpy(msg, reply, sizeof(msg));
	is(dns_answers(msg, sizeof(msg), 0x1234, &name, DNS_SRV, &r), 0);
	ok(r.header.is_authoritative && !r.header.is_truncated);
	is(dns_answers(msg, sizeof(msg), 0x1235, &name, DNS_SRV, &r),
	    MUSTER_E_MISMATCH);
	is(dns_answers(msg, sizeof(msg), 0x1234, &other, DNS_SRV, &r),
	    MUSTER_E_MISMATCH);
	is(dns_answers(msg, sizeof(msg), 0x1234, &name, DNS_A, &r),
	    MUSTER_E_MISMATCH);
	msg[2] = 0xad; /* an update's reply */
	is(dns_answers(msg, sizeof(msg), 0x1234, &name, DNS_SRV, &r),
	    MUSTER_E_MISMATCH);
	msg[2] = 0x85;
	msg[37] = 3; /* class CH */
	is(dns_answers(msg, sizeof(msg), 0x1234, &name, DNS_SRV, &r),
	    MUSTER_E_PROTO);
	msg[37] = 1;
	msg[5] = 2;
	is(dns_answers(msg, sizeof(msg), 0x1234, &name, DNS_SRV, &r),
	    MUSTER_E_PROTO);
	msg[5] = 0;
	is(dns_answers(msg, sizeof(msg), 0x1234, &name, DNS_SRV, &r),
	    MUSTER_E_PROTO);
	for (size_t len = 0; len < 38; len++)
		is(dns_answers(reply, len, 0x1234, &name, DNS_SRV, &r),
		    MUSTER_E_TRUNC);
}

/* All records that a message of these bytes holds; or the error. */
static int
count(const uint8_t *msg, size_t len)
{
	const struct dns_name name = name_of("_muster._tcp.example");
	struct dns_reader r;
	struct dns_record rec;
	int n = 0, more;

	is(dns_answers(msg, len, 0x1234, &name, DNS_SRV, &r), 0);
	while ((more = dns_next(&r, &rec)) == 1)
		n++;
	return more < 0 ? more : n;
}

static void
test_dns_records(void)
{
	const struct dns_name name = name_of("_muster._tcp.example");
	struct dns_reader r;
	struct dns_record rec;
	struct dns_srv srv;
	char text[DNS_TEXT_MAX + 1];

	is(dns_answers(reply, sizeof(reply), 0x1234, &name, DNS_SRV, &r), 0);
	is(dns_next(&r, &rec), 1);
	is(rec.section, DNS_ANSWER);
	is(rec.type, DNS_SRV);
	is(rec.class, DNS_IN);
	is(rec.ttl_s, 3600);
	is(rec.start, 38);
	is(dns_srv_read(&r, &rec, &srv), 0);
	is(srv.priority, 10);
	is(srv.weight, 5);
	is(srv.port, 1688);
	dns_name_text(&srv.target, text);
	is_str(text, "kms.example");
	is(dns_next(&r, &rec), 1);
	is(dns_srv_read(&r, &rec, &srv), 0);
	is(srv.target.len, 1);
	is(dns_next(&r, &rec), 1); /* not the one of "*" */
	is(rec.section, DNS_ADDITIONAL);
	is(rec.type, DNS_A);
	is(rec.rdata_len, 4);
	dns_name_text(&rec.owner, text);
	is_str(text, "kms.example");
	is(dns_next(&r, &rec), 0);
	is(dns_next(&r, &rec), 0);
}

static void
test_dns_records_bad(void)
{
	uint8_t msg[sizeof(reply) + 1] = {0};

	is(count(reply, sizeof(reply)), 3);
	for (size_t len = 38; len < sizeof(reply); len++)
		is(count(reply, len), MUSTER_E_TRUNC);
	memcpy(msg, reply, sizeof(reply));
	is(count(msg, sizeof(msg)), MUSTER_E_PROTO);
	msg[11] = 3; /* one more than there are: a root, and no more */
	is(count(msg, sizeof(msg)), MUSTER_E_TRUNC);
}

/* It ends with its fixed part, and the message with it. */
static void
test_dns_a_record_without_data(void)
{
	uint8_t msg[DNS_HEADER_LEN + 26 + 12];
	const struct dns_name name = name_of("_muster._tcp.example");
	struct dns_reader r;
	struct dns_record rec;

	memcpy(msg, reply, sizeof(msg));
	msg[7] = 1;  /* an answer */
	msg[11] = 0; /* and no more */
	msg[sizeof(msg) - 1] = 0;
	is(dns_answers(msg, sizeof(msg), 0x1234, &name, DNS_SRV, &r), 0);
	is(dns_next(&r, &rec), 1);
	is(rec.rdata_len, 0);
	is(rec.rdata, sizeof(msg));
	is(rec.ttl_s, 3600);
	is(dns_next(&r, &rec), 0);
	for (size_t len = 38; len < sizeof(msg); len++)
		is(count(msg, len), MUSTER_E_TRUNC);
}

static void
test_dns_srv_bad(void)
{
	const struct dns_name name = name_of("_muster._tcp.example");
	uint8_t msg[sizeof(reply)];
	struct dns_reader r;
	struct dns_record rec;
	struct dns_srv srv;
	struct dns_name target;

	memcpy(msg, reply, sizeof(msg));
	is(dns_answers(msg, sizeof(msg), 0x1234, &name, DNS_SRV, &r), 0);
	is(dns_next(&r, &rec), 1);
	rec.rdata_len = 6;
	is(dns_srv_read(&r, &rec, &srv), MUSTER_E_PROTO);
	rec.rdata_len = 11; /* the target runs out of the data */
	is(dns_srv_read(&r, &rec, &srv), MUSTER_E_PROTO);
	rec.rdata_len = 13;
	is(dns_srv_read(&r, &rec, &srv), MUSTER_E_PROTO);
	rec.rdata_len = 12;
	msg[57] = '/';
	is(dns_srv_read(&r, &rec, &srv), MUSTER_E_RANGE);
	msg[57] = 'm';
	rec.rdata += 6;
	rec.rdata_len = 6;
	is(dns_name_rdata(&r, &rec, &target), 0);
	rec.rdata_len = 5;
	is(dns_name_rdata(&r, &rec, &target), MUSTER_E_PROTO);
}

/* Each flag by itself, and all of them, as they are read back. */
static void
test_dns_header_flags(void)
{
	for (unsigned bits = 0; bits < 8; bits++) {
		struct dns_header h = {.id = 0xbeef,
		    .is_reply = (bits & 1) != 0,
		    .is_authoritative = (bits & 2) != 0,
		    .is_truncated = (bits & 4) != 0,
		    .opcode = 5,
		    .rcode = 9,
		    .count = {1, 2, 3, 4}};
		uint8_t msg[DNS_HEADER_LEN];
		struct wr w = wr_init(msg, sizeof(msg));
		struct dns_reader r;

		dns_header_write(&w, &h, (bits & 1) != 0);
		is(w.len, DNS_HEADER_LEN);
		is(dns_open(msg, sizeof(msg), &r), 0);
		is(r.header.id, 0xbeef);
		is(r.header.is_reply, h.is_reply);
		is(r.header.is_authoritative, h.is_authoritative);
		is(r.header.is_truncated, h.is_truncated);
		is(r.header.opcode, 5);
		is(r.header.rcode, 9);
		is(msg[2] & 1, bits & 1);
		for (size_t i = 0; i < DNS_SECTIONS; i++)
			is(r.header.count[i], i + 1);
	}
}

/* RFC 1035 4.1.1: the 16 bits, none of them set by another. */
static void
test_dns_header_bits(void)
{
	for (unsigned v = 0; v < 1U << 12; v++) {
		const struct dns_header h = {.is_reply = (v & 1) != 0,
		    .is_authoritative = (v & 2) != 0,
		    .is_truncated = (v & 4) != 0,
		    .opcode = (uint8_t)(v >> 4 & 15),
		    .rcode = (uint8_t)(v >> 8 & 15)};
		bool is_recursive = (v & 8) != 0;
		uint8_t msg[DNS_HEADER_LEN];
		struct wr w = wr_init(msg, sizeof(msg));

		dns_header_write(&w, &h, is_recursive);
		if (msg[2] !=
		        (h.is_reply << 7 | h.opcode << 3 |
		            h.is_authoritative << 2 | h.is_truncated << 1 |
		            is_recursive) ||
		    msg[3] != h.rcode)
			is(v, -1);
	}
}

static void
test_dns_one_question_is_read_once(void)
{
	struct dns_reader r;
	struct dns_name name;
	uint16_t type;

	is(dns_open(reply, sizeof(reply), &r), 0);
	is(dns_question(&r, &name, &type), 0);
	is(dns_question(&r, &name, &type), MUSTER_E_PROTO);
}

/* RFC 1035 4.1.1: a name that is not there is an answer, the rest is trouble. */
static void
test_dns_rcode_err(void)
{
	is(dns_rcode_err(DNS_NOERROR), 0);
	is(dns_rcode_err(DNS_NXDOMAIN), MUSTER_E_NXDOMAIN);
	is(dns_rcode_err(DNS_REFUSED), MUSTER_E_DNS_REFUSED);
	is(dns_rcode_err(DNS_SERVFAIL), MUSTER_E_SERVFAIL);
	for (uint8_t rcode = 6; rcode < 16; rcode++)
		is(dns_rcode_err(rcode), MUSTER_E_SERVFAIL);
}

int
main(void)
{
	test_dns_rcode_err();
	test_dns_query();
	test_dns_answers();
	test_dns_records();
	test_dns_records_bad();
	test_dns_srv_bad();
	test_dns_a_record_without_data();
	test_dns_header_flags();
	test_dns_header_bits();
	test_dns_one_question_is_read_once();
	return tap_done();
}
