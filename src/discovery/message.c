/* SPDX-License-Identifier: MIT */
#include "discovery/message.h"

#include <string.h>

#define FLAG_QR 0x8000U
#define FLAG_AA 0x0400U
#define FLAG_TC 0x0200U
#define FLAG_RD 0x0100U
#define OPCODE_SHIFT 11U
#define OPCODE_MASK 0xfU
#define RCODE_MASK 0xfU
#define RECORD_FIXED_LEN 10 /* type, class, TTL, length of the data */
#define SRV_FIXED_LEN 6     /* priority, weight, port */

static uint16_t
u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
u32(const uint8_t *p)
{
	return (uint32_t)u16(p) << 16 | u16(p + 2);
}

static void
wr_u16(struct wr *w, uint16_t v)
{
	const uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	wr_bytes(w, b, sizeof(b));
}

void
dns_header_write(struct wr *w, const struct dns_header *h, bool is_recursive)
{
	unsigned flags = (h->is_reply ? FLAG_QR : 0) |
	    (h->opcode & OPCODE_MASK) << OPCODE_SHIFT |
	    (h->is_authoritative ? FLAG_AA : 0) |
	    (h->is_truncated ? FLAG_TC : 0) | (is_recursive ? FLAG_RD : 0) |
	    (h->rcode & RCODE_MASK);

	wr_u16(w, h->id);
	wr_u16(w, (uint16_t)flags);
	for (size_t i = 0; i < DNS_SECTIONS; i++)
		wr_u16(w, h->count[i]);
}

void
dns_question_write(struct wr *w, const struct dns_name *name, uint16_t type)
{
	wr_bytes(w, name->wire, name->len);
	wr_u16(w, type);
	wr_u16(w, DNS_IN);
}

int
dns_query_write(uint16_t id, const struct dns_name *name, uint16_t type,
    uint8_t *buf, size_t cap, size_t *len_out)
{
	const struct dns_header h = {.id = id,
	    .opcode = DNS_QUERY,
	    .count = {[DNS_QUESTION] = 1}};
	struct wr w = wr_init(buf, cap);

	dns_header_write(&w, &h, true);
	dns_question_write(&w, name, type);
	return wr_end(&w, len_out);
}

int
dns_open(const uint8_t *msg, size_t len, struct dns_reader *r_out)
{
	struct dns_reader r = {.msg = msg, .len = len, .at = DNS_HEADER_LEN};
	uint16_t flags;

	if (len < DNS_HEADER_LEN)
		return MUSTER_E_TRUNC;
	flags = u16(msg + 2);
	r.header.id = u16(msg);
	r.header.is_reply = (flags & FLAG_QR) != 0;
	r.header.opcode = (uint8_t)(flags >> OPCODE_SHIFT & OPCODE_MASK);
	r.header.is_authoritative = (flags & FLAG_AA) != 0;
	r.header.is_truncated = (flags & FLAG_TC) != 0;
	r.header.rcode = (uint8_t)(flags & RCODE_MASK);
	for (size_t i = 0; i < DNS_SECTIONS; i++)
		r.header.count[i] = u16(msg + 4 + 2 * i);
	r.section = DNS_QUESTION;
	r.left = r.header.count[DNS_QUESTION];
	*r_out = r;
	return 0;
}

int
dns_question(struct dns_reader *r, struct dns_name *name_out,
    uint16_t *type_out)
{
	size_t at;
	int err;

	if (r->section != DNS_QUESTION || r->left != 1)
		return MUSTER_E_PROTO;
	err = dns_name_read(r->msg, r->len, r->at, &at, name_out);
	if (err != 0)
		return err;
	if (r->len - at < 4)
		return MUSTER_E_TRUNC;
	if (u16(r->msg + at + 2) != DNS_IN)
		return MUSTER_E_PROTO;
	*type_out = u16(r->msg + at);
	r->at = at + 4;
	r->section = DNS_ANSWER;
	r->left = r->header.count[DNS_ANSWER];
	return 0;
}

int
dns_rcode_err(uint8_t rcode)
{
	switch (rcode) {
	case DNS_NOERROR:
		return 0;
	case DNS_NXDOMAIN:
		return MUSTER_E_NXDOMAIN;
	case DNS_REFUSED:
		return MUSTER_E_DNS_REFUSED;
	default:
		return MUSTER_E_SERVFAIL;
	}
}

int
dns_answers(const uint8_t *msg, size_t len, uint16_t id,
    const struct dns_name *name, uint16_t type, struct dns_reader *r_out)
{
	struct dns_reader r;
	struct dns_name asked;
	uint16_t asked_type;
	int err = dns_open(msg, len, &r);

	if (err != 0)
		return err;
	if (r.header.id != id || !r.header.is_reply ||
	    r.header.opcode != DNS_QUERY)
		return MUSTER_E_MISMATCH;
	err = dns_question(&r, &asked, &asked_type);
	if (err != 0)
		return err;
	if (!dns_name_equal(&asked, name) || asked_type != type)
		return MUSTER_E_MISMATCH;
	*r_out = r;
	return 0;
}

/* Whether there is another record; goes on to its section. */
static bool
has_next(struct dns_reader *r)
{
	while (r->left == 0 && r->section < DNS_ADDITIONAL) {
		r->section = (enum dns_section)(r->section + 1);
		r->left = r->header.count[r->section];
	}
	return r->left > 0;
}

int
dns_next(struct dns_reader *r, struct dns_record *rec_out)
{
	while (has_next(r)) {
		struct dns_record rec = {.section = r->section, .start = r->at};
		const uint8_t *fixed;
		size_t at;
		int err = dns_name_read(r->msg, r->len, r->at, &at, &rec.owner);

		if (err != 0 && err != MUSTER_E_RANGE)
			return err;
		if (r->len - at < RECORD_FIXED_LEN)
			return MUSTER_E_TRUNC;
		fixed = r->msg + at;
		rec.type = u16(fixed);
		rec.class = u16(fixed + 2);
		rec.ttl_s = u32(fixed + 4);
		rec.rdata_len = u16(fixed + 8);
		rec.rdata = at + RECORD_FIXED_LEN;
		if (rec.rdata_len > r->len - rec.rdata)
			return MUSTER_E_TRUNC;
		r->at = rec.rdata + rec.rdata_len;
		r->left--;
		if (err == MUSTER_E_RANGE)
			continue;
		*rec_out = rec;
		return 1;
	}
	return r->at == r->len ? 0 : MUSTER_E_PROTO;
}

int
dns_srv_read(const struct dns_reader *r, const struct dns_record *rec,
    struct dns_srv *srv_out)
{
	const uint8_t *p = r->msg + rec->rdata;
	struct dns_srv srv;
	size_t end;
	int err;

	if (rec->rdata_len <= SRV_FIXED_LEN)
		return MUSTER_E_PROTO;
	srv.priority = u16(p);
	srv.weight = u16(p + 2);
	srv.port = u16(p + 4);
	err = dns_name_read(r->msg, r->len, rec->rdata + SRV_FIXED_LEN, &end,
	    &srv.target);
	if (err != 0)
		return err;
	if (end != rec->rdata + rec->rdata_len)
		return MUSTER_E_PROTO;
	*srv_out = srv;
	return 0;
}

int
dns_name_rdata(const struct dns_reader *r, const struct dns_record *rec,
    struct dns_name *name_out)
{
	struct dns_name name;
	size_t end;
	int err = dns_name_read(r->msg, r->len, rec->rdata, &end, &name);

	if (err != 0)
		return err;
	if (end > rec->rdata + rec->rdata_len)
		return MUSTER_E_PROTO;
	*name_out = name;
	return 0;
}
