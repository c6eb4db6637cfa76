/* SPDX-License-Identifier: MIT */
/*
 * message.h -- DNS messages: their header and question written, and all
 * sections read record by record; pure, in the caller's buffers.
 *
 * A message is hostile input: what does not parse makes all of it void, but
 * a record whose owner is no host's name is skipped.
 * Source: RFC 1035, section 4; RFC 2782 (SRV); RFC 3596 (AAAA).
 */
#ifndef MUSTER_DISCOVERY_MESSAGE_H
#define MUSTER_DISCOVERY_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "discovery/name.h"
#include "muster/err.h"

#define DNS_MESSAGE_MAX 65535 /* over TCP, RFC 1035 4.2.2 */
#define DNS_HEADER_LEN 12
#define DNS_QUERY_MAX (DNS_HEADER_LEN + DNS_NAME_MAX + 4)

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_TSIG = 250,
	DNS_ANY = 255
};

enum dns_class { DNS_IN = 1, DNS_CLASS_NONE = 254, DNS_CLASS_ANY = 255 };

/* RFC 1035 4.1.1, RFC 2136 2.2, RFC 8945 3 */
enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_YXDOMAIN = 6,
	DNS_YXRRSET = 7,
	DNS_NXRRSET = 8,
	DNS_NOTAUTH = 9,
	DNS_NOTZONE = 10
};

enum dns_opcode { DNS_QUERY = 0, DNS_UPDATE = 5 };

enum dns_section {
	DNS_QUESTION = 0, /* of an update: the zone */
	DNS_ANSWER = 1,   /* of an update: prerequisites */
	DNS_AUTHORITY = 2,
	DNS_ADDITIONAL = 3,
	DNS_SECTIONS = 4
};

struct dns_header {
	uint16_t id;
	bool is_reply;
	uint8_t opcode;
	bool is_authoritative;
	bool is_truncated;
	uint8_t rcode;
	uint16_t count[DNS_SECTIONS];
};

/* rdata is borrowed from the message; names in it may point elsewhere. */
struct dns_record {
	enum dns_section section;
	size_t start; /* of the record, from the message's first byte */
	struct dns_name owner;
	uint16_t type;
	uint16_t class;
	uint32_t ttl_s;
	size_t rdata; /* from the message's first byte */
	size_t rdata_len;
};

/* A reader at one place of a message that it borrows. */
struct dns_reader {
	const uint8_t *msg;
	size_t len;
	size_t at;
	struct dns_header header;
	enum dns_section section;
	uint16_t left; /* records of this section not yet read */
};

struct dns_srv {
	uint16_t priority;
	uint16_t weight;
	uint16_t port;
	struct dns_name target; /* the root: no service here */
};

/**
 * dns_header_write(): the first DNS_HEADER_LEN bytes of a message.
 *
 * In:      h        of which a query sets id, opcode and counts only
 *          is_recursive  ask the server to find out (RD)
 */
void
dns_header_write(struct wr *w, const struct dns_header *h, bool is_recursive);

/**
 * dns_question_write(): name, type and class IN.
 */
void
dns_question_write(struct wr *w, const struct dns_name *name, uint16_t type);

/**
 * dns_query_write(): a whole query with one question, recursion desired.
 *
 * In:      buf, cap DNS_QUERY_MAX bytes are always enough
 * Returns: 0; MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int dns_query_write(uint16_t id, const struct dns_name *name,
    uint16_t type, uint8_t *buf, size_t cap, size_t *len_out);

/**
 * dns_open(): read the header and stand before the question.
 *
 * Returns: 0; MUSTER_E_TRUNC shorter than a header
 */
MUSTER_NODISCARD int
dns_open(const uint8_t *msg, size_t len, struct dns_reader *r_out);

/**
 * dns_question(): take the one question.
 *
 * In:      r        as dns_open() leaves it
 * Returns: 0
 *          MUSTER_E_PROTO  not exactly one, or not of class IN
 *          and as dns_name_read()
 */
MUSTER_NODISCARD int dns_question(struct dns_reader *r,
    struct dns_name *name_out, uint16_t *type_out);

/**
 * dns_rcode_err(): what a response code means for who asked (RFC 1035 4.1.1).
 *
 * Returns: 0 for DNS_NOERROR; MUSTER_E_NXDOMAIN, MUSTER_E_DNS_REFUSED;
 *          MUSTER_E_SERVFAIL for all others: the server could not say
 */
MUSTER_NODISCARD int dns_rcode_err(uint8_t rcode);

/**
 * dns_answers(): is this the reply to that question?
 *
 * Returns: 0, and r stands before the first record
 *          MUSTER_E_MISMATCH  another id, question or opcode, or no reply
 *          and as dns_open(), dns_question()
 */
MUSTER_NODISCARD int dns_answers(const uint8_t *msg, size_t len, uint16_t id,
    const struct dns_name *name, uint16_t type, struct dns_reader *r_out);

/**
 * dns_next(): take the next record, of whatever section.
 *
 * Records whose owner is no host's name are passed over.
 *
 * In:      r        behind the question
 * Returns: 1  rec_out is filled
 *          0  no record is left; bytes after the last are an error
 *          MUSTER_E_TRUNC, MUSTER_E_PROTO, MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int dns_next(struct dns_reader *r, struct dns_record *rec_out);

/**
 * dns_srv_read(): the data of an SRV record; its target may be compressed
 * (RFC 2782 forbids it, some servers do it).
 *
 * Returns: 0
 *          MUSTER_E_RANGE  the target is no host's name
 *          MUSTER_E_PROTO  too short, or bytes left over
 *          and as dns_name_read()
 */
MUSTER_NODISCARD int dns_srv_read(const struct dns_reader *r,
    const struct dns_record *rec, struct dns_srv *srv_out);

/**
 * dns_name_rdata(): the first name in the data of a CNAME, NS or SOA record.
 *
 * Returns: 0; MUSTER_E_PROTO it runs out of the data; as dns_name_read()
 */
MUSTER_NODISCARD int dns_name_rdata(const struct dns_reader *r,
    const struct dns_record *rec, struct dns_name *name_out);

#endif /* MUSTER_DISCOVERY_MESSAGE_H */
