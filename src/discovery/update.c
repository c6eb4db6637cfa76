/* SPDX-License-Identifier: MIT */
#include "discovery/update.h"

#include <stdio.h>
#include <string.h>

#define N_OUTCOMES (sizeof(names) / sizeof(names[0]))
#define SRV_FIXED_LEN 6U

static const char *const names[] = {
#define X(id, name, words) [id] = (name),
    UPDATE_OUTCOMES(X)
#undef X
};

static const char *const sentences[] = {
#define X(id, name, words) [id] = (words),
    UPDATE_OUTCOMES(X)
#undef X
};

const char *
update_name(enum update_outcome outcome)
{
	return (size_t)outcome < N_OUTCOMES ? names[outcome] : "UNKNOWN";
}

const char *
update_words(enum update_outcome outcome)
{
	return (size_t)outcome < N_OUTCOMES ? sentences[outcome] : "unknown";
}

bool
update_climb(struct dns_name *name)
{
	size_t skip = 1U + name->wire[0];

	if (name->wire[0] == 0 || name->len - skip <= 1)
		return false;
	name->len -= skip;
	memmove(name->wire, name->wire + skip, name->len);
	return true;
}

static enum update_outcome
of_rcode(uint8_t rcode)
{
	static const enum update_outcome of[] = {
	    [DNS_NOERROR] = UPDATE_DONE,
	    [DNS_FORMERR] = UPDATE_FORMERR,
	    [DNS_SERVFAIL] = UPDATE_SERVFAIL,
	    [DNS_NXDOMAIN] = UPDATE_NXDOMAIN,
	    [DNS_NOTIMP] = UPDATE_NOTIMP,
	    [DNS_REFUSED] = UPDATE_REFUSED,
	    [DNS_YXDOMAIN] = UPDATE_YXDOMAIN,
	    [DNS_YXRRSET] = UPDATE_YXRRSET,
	    [DNS_NXRRSET] = UPDATE_NXRRSET,
	    [DNS_NOTAUTH] = UPDATE_NOTAUTH,
	    [DNS_NOTZONE] = UPDATE_NOTZONE,
	};

	return rcode < sizeof(of) / sizeof(of[0]) ? of[rcode] : UPDATE_RCODE;
}

static enum update_outcome
of_error(int err)
{
	return err == MUSTER_E_MISMATCH ? UPDATE_MISMATCH : UPDATE_BROKEN;
}

enum update_outcome
update_zone_read(const uint8_t *msg, size_t len, uint16_t id,
    const struct dns_name *asked, struct dns_name *zone_out,
    struct dns_name *primary_out)
{
	struct dns_reader r;
	struct dns_record rec;
	struct dns_name primary;
	int more = dns_answers(msg, len, id, asked, DNS_SOA, &r);

	if (more < 0)
		return of_error(more);
	if (r.header.is_truncated)
		return UPDATE_TRUNCATED;
	if (r.header.rcode != DNS_NOERROR && r.header.rcode != DNS_NXDOMAIN)
		return of_rcode(r.header.rcode);
	while ((more = dns_next(&r, &rec)) == 1) {
		if (rec.section == DNS_ADDITIONAL || rec.type != DNS_SOA ||
		    rec.class != DNS_IN || rec.owner.len <= 1 ||
		    !dns_name_is_under(asked, &rec.owner))
			continue;
		if (dns_name_rdata(&r, &rec, &primary) != 0)
			return UPDATE_BROKEN;
		*zone_out = rec.owner;
		*primary_out = primary;
		return UPDATE_DONE;
	}
	return more < 0 ? UPDATE_BROKEN : UPDATE_NO_ZONE;
}

static void
put_u16(struct wr *w, unsigned v)
{
	const uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	wr_bytes(w, b, sizeof(b));
}

/* RFC 2136 2.5: class IN adds; class NONE without a TTL deletes this one. */
static void
put_srv(struct wr *w, const struct dns_name *owner, unsigned class,
    uint32_t ttl_s, const struct dns_srv *srv)
{
	wr_bytes(w, owner->wire, owner->len);
	put_u16(w, DNS_SRV);
	put_u16(w, class);
	wr_u32(w, ttl_s);
	put_u16(w, SRV_FIXED_LEN + (unsigned)srv->target.len);
	put_u16(w, srv->priority);
	put_u16(w, srv->weight);
	put_u16(w, srv->port);
	/* RFC 2782: the target is not compressed */
	wr_bytes(w, srv->target.wire, srv->target.len);
}

/* RFC 2136 2.4.3: provided that there is no CNAME, beside which an addition
 * would be passed over without a word (3.4.2.2). */
static void
put_no_alias(struct wr *w, const struct dns_name *owner)
{
	wr_bytes(w, owner->wire, owner->len);
	put_u16(w, DNS_CNAME);
	put_u16(w, DNS_CLASS_NONE);
	wr_u32(w, 0);
	put_u16(w, 0);
}

int
update_write(const struct update *update, uint16_t id, uint8_t *buf, size_t cap,
    size_t *len_out)
{
	struct dns_header h = {.id = id, .opcode = DNS_UPDATE};
	struct wr w = wr_init(buf, cap);

	h.count[DNS_QUESTION] = 1; /* the zone */
	h.count[DNS_ANSWER] = update->has_addition;
	h.count[DNS_AUTHORITY] =
	    (uint16_t)(update->n_deletions + update->has_addition);
	dns_header_write(&w, &h, false);
	dns_question_write(&w, &update->zone, DNS_SOA);
	if (update->has_addition)
		put_no_alias(&w, &update->owner);
	for (size_t i = 0; i < update->n_deletions; i++)
		put_srv(&w, &update->owner, DNS_CLASS_NONE, 0,
		    &update->deletions[i]);
	if (update->has_addition)
		put_srv(&w, &update->owner, DNS_IN, update->ttl_s,
		    &update->addition);
	return wr_end(&w, len_out);
}

/* What a bad signature makes of an answer; UPDATE_DONE: it is good. */
static enum update_outcome
of_verdict(enum tsig_verdict verdict, uint8_t rcode)
{
	switch (verdict) {
	case TSIG_GOOD:
		return UPDATE_DONE;
	case TSIG_NONE:
		return rcode == DNS_NOERROR ? UPDATE_UNSIGNED : of_rcode(rcode);
	case TSIG_BROKEN:
		return UPDATE_BROKEN;
	case TSIG_OTHER_KEY:
		return UPDATE_OTHER_KEY;
	case TSIG_OTHER_ALGORITHM:
		return UPDATE_OTHER_ALGORITHM;
	case TSIG_MAC_LENGTH:
		return UPDATE_MAC_LENGTH;
	case TSIG_MAC_WRONG:
		return UPDATE_MAC_WRONG;
	case TSIG_TIME:
		return UPDATE_OTHER_TIME;
	case TSIG_PEER_BADSIG:
		return UPDATE_BADSIG;
	case TSIG_PEER_BADKEY:
		return UPDATE_BADKEY;
	case TSIG_PEER_BADTIME:
		return UPDATE_BADTIME;
	case TSIG_PEER_BADTRUNC:
		return UPDATE_BADTRUNC;
	case TSIG_PEER_OTHER:
	default:
		return UPDATE_TSIG_ERROR;
	}
}

enum update_outcome
update_judge(const uint8_t *msg, size_t len, uint16_t id,
    const struct tsig_key *key, const struct tsig_mac *request,
    int64_t now_unix_s, int64_t *skew_s_out)
{
	struct dns_reader r;
	enum update_outcome outcome;

	*skew_s_out = 0;
	if (dns_open(msg, len, &r) != 0)
		return UPDATE_BROKEN;
	if (r.header.id != id || !r.header.is_reply ||
	    r.header.opcode != DNS_UPDATE)
		return UPDATE_MISMATCH;
	if (key != NULL) {
		outcome = of_verdict(tsig_judge(key, request, now_unix_s, msg,
		                         len, skew_s_out),
		    r.header.rcode);
		if (outcome != UPDATE_DONE)
			return outcome;
	}
	return of_rcode(r.header.rcode);
}

void
update_line(const struct dns_name *owner, const struct dns_srv *srv,
    uint32_t ttl_s, char *out, size_t cap)
{
	char name[DNS_TEXT_MAX + 1], target[DNS_TEXT_MAX + 1];

	dns_name_text(owner, name);
	dns_name_text(&srv->target, target);
	(void)snprintf(out, cap, "%s. %u IN SRV %u %u %u %s.", name, ttl_s,
	    srv->priority, srv->weight, srv->port, target);
}
