/* SPDX-License-Identifier: MIT */
#include "discovery/tsig.h"

#include <sodium.h>
#include <assert.h>
#include <string.h>

#define COUNT_AT 10  /* of the header's ARCOUNT */
#define FIXED_LEN 10 /* of a record: type, class, TTL, length */
#define TIME_MAX ((INT64_C(1) << 48) - 1)
#define TIME_LEN 6
#define BEFORE_MAC_LEN (TIME_LEN + 2 + 2) /* time, fudge, length of the MAC */
#define AFTER_MAC_LEN 6 /* original id, error, length of other data */

/* RFC 8945 3 */
enum { BADSIG = 16, BADKEY = 17, BADTIME = 18, BADTRUNC = 22 };

static const uint8_t sha256_name[] = "\013hmac-sha256";
static const uint8_t sha512_name[] = "\013hmac-sha512";

union hmac {
	crypto_auth_hmacsha256_state sha256;
	crypto_auth_hmacsha512_state sha512;
};

/* The record taken apart; borrowed from the message. */
struct record {
	size_t start; /* of the record in the message */
	struct dns_name key;
	struct dns_name algorithm;
	const uint8_t *time; /* TIME_LEN bytes, then two of the fudge */
	const uint8_t *mac;
	size_t mac_len;
	const uint8_t *original_id;
	uint16_t error;
	const uint8_t *other;
	size_t other_len;
};

size_t
tsig_mac_len(enum tsig_algorithm algorithm)
{
	switch (algorithm) {
	case TSIG_SHA256:
		return crypto_auth_hmacsha256_BYTES;
	case TSIG_SHA512:
	default:
		return crypto_auth_hmacsha512_BYTES;
	}
}

static void
algorithm_name(enum tsig_algorithm algorithm, struct dns_name *out)
{
	/* both have the same length, with the root's label */
	const uint8_t *name =
	    algorithm == TSIG_SHA256 ? sha256_name : sha512_name;

	out->len = sizeof(sha256_name);
	memcpy(out->wire, name, out->len);
}

static void
hmac_init(union hmac *h, const struct tsig_key *key)
{
	if (key->algorithm == TSIG_SHA256)
		crypto_auth_hmacsha256_init(&h->sha256, key->secret,
		    key->secret_len);
	else
		crypto_auth_hmacsha512_init(&h->sha512, key->secret,
		    key->secret_len);
}

static void
hmac_add(union hmac *h, const struct tsig_key *key, const void *p, size_t len)
{
	if (key->algorithm == TSIG_SHA256)
		crypto_auth_hmacsha256_update(&h->sha256, p, len);
	else
		crypto_auth_hmacsha512_update(&h->sha512, p, len);
}

static void
hmac_final(union hmac *h, const struct tsig_key *key, struct tsig_mac *out)
{
	out->len = tsig_mac_len(key->algorithm);
	if (key->algorithm == TSIG_SHA256)
		crypto_auth_hmacsha256_final(&h->sha256, out->mac);
	else
		crypto_auth_hmacsha512_final(&h->sha512, out->mac);
	sodium_memzero(h, sizeof(*h));
}

static void
put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint16_t
get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static int64_t
get_time(const uint8_t *p)
{
	int64_t v = 0;

	for (int i = 0; i < TIME_LEN; i++)
		v = v << 8 | p[i];
	return v;
}

static void
put_time(uint8_t *p, int64_t v)
{
	for (int i = TIME_LEN - 1; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

/* RFC 8945 4.2: names in canonical form */
static void
add_name(union hmac *h, const struct tsig_key *key, const struct dns_name *name)
{
	struct dns_name small = *name;

	/* a length is below 'A' */
	for (size_t i = 0; i < small.len; i++) {
		if (small.wire[i] >= 'A' && small.wire[i] <= 'Z')
			small.wire[i] = (uint8_t)(small.wire[i] | 0x20U);
	}
	hmac_add(h, key, small.wire, small.len);
}

/* RFC 8945 4.3.3: what of the record is signed beside the message. */
static void
add_variables(union hmac *h, const struct tsig_key *key,
    const struct record *rec)
{
	static const uint8_t class_ttl[6] = {0, DNS_CLASS_ANY, 0, 0, 0, 0};
	uint8_t b[4];

	add_name(h, key, &rec->key);
	hmac_add(h, key, class_ttl, sizeof(class_ttl));
	add_name(h, key, &rec->algorithm);
	hmac_add(h, key, rec->time, TIME_LEN + 2);
	put_u16(b, rec->error);
	put_u16(b + 2, (uint16_t)rec->other_len);
	hmac_add(h, key, b, sizeof(b));
	hmac_add(h, key, rec->other, rec->other_len);
}

int
tsig_sign(const struct tsig_key *key, int64_t now_unix_s, uint8_t *msg,
    size_t cap, size_t *len, struct tsig_mac *mac_out)
{
	static const uint8_t type_class_ttl[8] = {0, DNS_TSIG, 0, DNS_CLASS_ANY,
	    0, 0, 0, 0};
	struct record rec = {.key = key->name};
	struct tsig_mac mac;
	uint8_t when[BEFORE_MAC_LEN], after[AFTER_MAC_LEN] = {0}, b[2];
	struct wr w;
	union hmac h;
	int err;

	if (*len < DNS_HEADER_LEN)
		return MUSTER_E_TRUNC;
	if (now_unix_s < 0 || now_unix_s > TIME_MAX)
		return MUSTER_E_RANGE;
	algorithm_name(key->algorithm, &rec.algorithm);
	put_time(when, now_unix_s);
	put_u16(when + TIME_LEN, TSIG_FUDGE_S);
	put_u16(when + TIME_LEN + 2, (uint16_t)tsig_mac_len(key->algorithm));
	rec.time = when;
	hmac_init(&h, key);
	hmac_add(&h, key, msg, *len);
	add_variables(&h, key, &rec);
	hmac_final(&h, key, &mac);

	w = wr_init(msg + *len, cap - *len);
	wr_bytes(&w, key->name.wire, key->name.len);
	wr_bytes(&w, type_class_ttl, sizeof(type_class_ttl));
	put_u16(b,
	    (uint16_t)(rec.algorithm.len + BEFORE_MAC_LEN + mac.len +
	        AFTER_MAC_LEN));
	wr_bytes(&w, b, sizeof(b));
	wr_bytes(&w, rec.algorithm.wire, rec.algorithm.len);
	wr_bytes(&w, when, sizeof(when));
	wr_bytes(&w, mac.mac, mac.len);
	memcpy(after, msg, 2);
	wr_bytes(&w, after, sizeof(after));
	err = wr_end(&w, &cap);
	if (err != 0)
		return err;
	put_u16(msg + COUNT_AT, (uint16_t)(get_u16(msg + COUNT_AT) + 1));
	*len += w.len;
	*mac_out = mac;
	return 0;
}

/* 1: the message's last record is a signature, and no other is; 0: there is
 * none; less: broken. */
static int
find(const uint8_t *msg, size_t len, struct dns_record *rec_out)
{
	struct dns_reader r;
	struct dns_record rec = {.type = 0};
	struct dns_name zone;
	uint16_t type;
	unsigned n = 0;
	int more = dns_open(msg, len, &r);

	/* an error may come without the question */
	if (more == 0 && r.header.count[DNS_QUESTION] != 0)
		more = dns_question(&r, &zone, &type);
	if (more < 0)
		return more;
	while ((more = dns_next(&r, &rec)) == 1)
		n += rec.type == DNS_TSIG;
	if (more < 0)
		return more;
	if (n == 0)
		return 0;
	if (n > 1 || rec.type != DNS_TSIG || rec.section != DNS_ADDITIONAL ||
	    rec.rdata + rec.rdata_len != len || rec.class != DNS_CLASS_ANY ||
	    rec.ttl_s != 0)
		return MUSTER_E_PROTO;
	*rec_out = rec;
	return 1;
}

/* Lengths have to fill the data exactly. */
static int
take_apart(const uint8_t *msg, size_t len, const struct dns_record *rr,
    struct record *out)
{
	size_t end = rr->rdata + rr->rdata_len, at;
	int err = dns_name_read(msg, len, rr->rdata, &at, &out->algorithm);

	if (err != 0)
		return err;
	assert(at <= end); /* the record ends the message */
	if (end - at < BEFORE_MAC_LEN)
		return MUSTER_E_TRUNC;
	out->start = rr->start;
	out->key = rr->owner;
	out->time = msg + at;
	out->mac_len = get_u16(msg + at + TIME_LEN + 2);
	at += BEFORE_MAC_LEN;
	if (end - at < out->mac_len || end - at - out->mac_len < AFTER_MAC_LEN)
		return MUSTER_E_TRUNC;
	out->mac = msg + at;
	at += out->mac_len;
	out->original_id = msg + at;
	out->error = get_u16(msg + at + 2);
	out->other_len = get_u16(msg + at + 4);
	out->other = msg + at + AFTER_MAC_LEN;
	return end - at - AFTER_MAC_LEN == out->other_len ? 0 : MUSTER_E_PROTO;
}

/* RFC 8945 5.3.1: the request's MAC, then the answer as it was signed. */
static bool
is_mac_right(const struct tsig_key *key, const struct tsig_mac *request,
    const uint8_t *msg, const struct record *rec)
{
	uint8_t header[DNS_HEADER_LEN], b[2];
	struct tsig_mac want;
	union hmac h;

	memcpy(header, msg, sizeof(header));
	memcpy(header, rec->original_id, 2);
	put_u16(header + COUNT_AT, (uint16_t)(get_u16(msg + COUNT_AT) - 1));
	hmac_init(&h, key);
	put_u16(b, (uint16_t)request->len);
	hmac_add(&h, key, b, sizeof(b));
	hmac_add(&h, key, request->mac, request->len);
	hmac_add(&h, key, header, sizeof(header));
	hmac_add(&h, key, msg + DNS_HEADER_LEN, rec->start - DNS_HEADER_LEN);
	add_variables(&h, key, rec);
	hmac_final(&h, key, &want);
	assert(rec->mac_len == want.len); /* was compared before */
	return sodium_memcmp(rec->mac, want.mac, want.len) == 0;
}

/* What the server says against us, verified or not. */
static enum tsig_verdict
objection(uint16_t error)
{
	switch (error) {
	case BADSIG:
		return TSIG_PEER_BADSIG;
	case BADKEY:
		return TSIG_PEER_BADKEY;
	case BADTIME:
		return TSIG_PEER_BADTIME;
	case BADTRUNC:
		return TSIG_PEER_BADTRUNC;
	default:
		return TSIG_PEER_OTHER;
	}
}

/* A verified answer: in time, and without an objection?  The server's fudge
 * counts up to ours. */
static enum tsig_verdict
judge_time(const struct record *rec, int64_t now_unix_s, int64_t *skew_s_out)
{
	int64_t fudge_s = get_u16(rec->time + TIME_LEN);
	int64_t apart_s = get_time(rec->time) - now_unix_s;

	if (rec->error == BADTIME && rec->other_len == TIME_LEN)
		*skew_s_out = get_time(rec->other) - now_unix_s;
	if (rec->error != 0)
		return objection(rec->error);
	if (fudge_s > TSIG_FUDGE_S)
		fudge_s = TSIG_FUDGE_S;
	return apart_s > fudge_s || apart_s < -fudge_s ? TSIG_TIME : TSIG_GOOD;
}

enum tsig_verdict
tsig_judge(const struct tsig_key *key, const struct tsig_mac *request,
    int64_t now_unix_s, const uint8_t *msg, size_t len, int64_t *skew_s_out)
{
	struct dns_record rr;
	struct dns_name algorithm;
	struct record rec;
	int found = find(msg, len, &rr);

	*skew_s_out = 0;
	if (found == 0)
		return TSIG_NONE;
	if (found < 0 || take_apart(msg, len, &rr, &rec) != 0)
		return TSIG_BROKEN;
	/* RFC 8945 5.3.2: these two are never signed */
	if ((rec.error == BADSIG || rec.error == BADKEY) && rec.mac_len == 0)
		return objection(rec.error);
	if (!dns_name_equal(&rec.key, &key->name))
		return TSIG_OTHER_KEY;
	algorithm_name(key->algorithm, &algorithm);
	if (!dns_name_equal(&rec.algorithm, &algorithm))
		return TSIG_OTHER_ALGORITHM;
	if (rec.mac_len != tsig_mac_len(key->algorithm))
		return TSIG_MAC_LENGTH;
	if (!is_mac_right(key, request, msg, &rec))
		return TSIG_MAC_WRONG;
	return judge_time(&rec, now_unix_s, skew_s_out);
}
