/* SPDX-License-Identifier: MIT */
/*
 * update.h -- dynamic updates of SRV records: which zone and which server, the
 * request, and what its answer says; pure, in the caller's buffers.
 *
 * An update removes single records by their data and adds one: what another
 * host has published under the same owner is not touched.  It adds nothing
 * where the owner is an alias.
 * Source: RFC 2136; RFC 2782; RFC 8945.
 */
#ifndef MUSTER_DISCOVERY_UPDATE_H
#define MUSTER_DISCOVERY_UPDATE_H

#include "discovery/message.h"
#include "discovery/tsig.h"

#define UPDATE_DELETIONS_MAX 8 /* of one update */
#define UPDATE_RECORD_MAX (DNS_NAME_MAX + 10 + 6 + DNS_NAME_MAX)
#define UPDATE_MAX                                                        \
	(DNS_QUERY_MAX + (UPDATE_DELETIONS_MAX + 2) * UPDATE_RECORD_MAX + \
	    TSIG_RECORD_MAX)

/* Outcome, its stable name, and what it means and what to do about it. */
#define UPDATE_OUTCOMES(X)                                                     \
	X(UPDATE_DONE, "OK", "done")                                           \
	X(UPDATE_FORMERR, "FORMERR",                                           \
	    "the server does not understand the update; see its log")          \
	X(UPDATE_SERVFAIL, "SERVFAIL",                                         \
	    "the server failed; see its log (often it may not write its "      \
	    "journal)")                                                        \
	X(UPDATE_NXDOMAIN, "NXDOMAIN", "the server says: no such name")        \
	X(UPDATE_NOTIMP, "NOTIMP", "the server takes no dynamic updates")      \
	X(UPDATE_REFUSED, "REFUSED",                                           \
	    "the server's policy does not allow this update; let this "        \
	    "host, or its key, change the SRV records of _muster._tcp")        \
	X(UPDATE_YXDOMAIN, "YXDOMAIN", "the server says: the name is there")   \
	X(UPDATE_YXRRSET, "YXRRSET",                                           \
	    "the name is an alias (CNAME) in this zone, beside which no SRV "  \
	    "record can stand; remove the alias")                              \
	X(UPDATE_NXRRSET, "NXRRSET", "the server says: no such records")       \
	X(UPDATE_NOTAUTH, "NOTAUTH",                                           \
	    "the server is not the primary of this zone (name it by "          \
	    "publish_server), or no rule of its allows the update (Knot)")     \
	X(UPDATE_NOTZONE, "NOTZONE",                                           \
	    "the server says: the record lies outside the zone")               \
	X(UPDATE_RCODE, "RCODE", "the server answered with an unknown code")   \
	X(UPDATE_BADSIG, "BADSIG",                                             \
	    "the server knows a key of this name, but with another secret; "   \
	    "copy its key file again")                                         \
	X(UPDATE_BADKEY, "BADKEY",                                             \
	    "the server does not know this key, or by another algorithm, or "  \
	    "does not let it change this zone")                                \
	X(UPDATE_BADTIME, "BADTIME",                                           \
	    "this machine's clock and the server's differ by more than 5 "     \
	    "minutes; set both by NTP")                                        \
	X(UPDATE_BADTRUNC, "BADTRUNC",                                         \
	    "the server wants a longer signature than the algorithm has")      \
	X(UPDATE_TSIG_ERROR, "TSIG_ERROR",                                     \
	    "the server rejects the signature for an unknown reason")          \
	X(UPDATE_UNSIGNED, "UNSIGNED",                                         \
	    "the answer to a signed update is not signed: not believed")       \
	X(UPDATE_MAC_LENGTH, "MAC_LENGTH",                                     \
	    "the answer's signature is cut short or too long: not believed")   \
	X(UPDATE_MAC_WRONG, "MAC_WRONG",                                       \
	    "the answer's signature does not verify: not believed")            \
	X(UPDATE_OTHER_KEY, "OTHER_KEY",                                       \
	    "the answer is signed by another key: not believed")               \
	X(UPDATE_OTHER_ALGORITHM, "OTHER_ALGORITHM",                           \
	    "the answer is signed by another algorithm: not believed")         \
	X(UPDATE_OTHER_TIME, "OTHER_TIME",                                     \
	    "the answer was signed more than 5 minutes from now: not "         \
	    "believed; set both clocks by NTP")                                \
	X(UPDATE_MISMATCH, "MISMATCH",                                         \
	    "the answer belongs to another question: not believed")            \
	X(UPDATE_BROKEN, "BROKEN", "the answer is no DNS message")             \
	X(UPDATE_TRUNCATED, "TRUNCATED", "the answer is cut short")            \
	X(UPDATE_SILENT, "SILENT",                                             \
	    "no answer in time; is the name server running, and may this "     \
	    "machine reach it?")                                               \
	X(UPDATE_UNREACHABLE, "UNREACHABLE",                                   \
	    "no connection; is the name server running, and does it take "     \
	    "connections over TCP?")                                           \
	X(UPDATE_CLOSED, "CLOSED",                                             \
	    "the server closed the connection without an answer")              \
	X(UPDATE_NO_ZONE, "NO_ZONE", "no zone was found that holds this name") \
	X(UPDATE_NO_ADDRESS, "NO_ADDRESS",                                     \
	    "the name of the zone's primary has no address; name the primary " \
	    "by publish_server")                                               \
	X(UPDATE_NO_SERVER, "NO_SERVER",                                       \
	    "no name server is known: resolv.conf names none; set "            \
	    "publish_server")                                                  \
	X(UPDATE_NO_KEY, "NO_KEY",                                             \
	    "the key file of publish_key_file cannot be used")                 \
	X(UPDATE_NO_DISK, "NO_DISK",                                           \
	    "what is published cannot be noted on disk, so nothing was sent")  \
	X(UPDATE_NO_MEMORY, "NO_MEMORY", "out of memory")

enum update_outcome {
#define X(id, name, words) id,
	UPDATE_OUTCOMES(X)
#undef X
};

/**
 * update_name(): the outcome's stable name, for scripts.
 *
 * Returns: static text
 */
const char *update_name(enum update_outcome outcome);

/**
 * update_words(): what the outcome means, and the next step where one is known.
 *
 * Returns: static text
 */
const char *update_words(enum update_outcome outcome);

/**
 * update_climb(): take the first label away.
 *
 * Returns: false where only the root is left, and nothing changes
 */
bool update_climb(struct dns_name *name);

/**
 * update_zone_read(): the zone of a name, by the answer to a question for SOA.
 *
 * The answer, or the authority section where there is no such record, tells
 * the zone; it must hold the name, and be no root.
 *
 * In:      asked    the name of the question; id its id
 * Out:     zone_out, primary_out  on UPDATE_DONE alone
 * Returns: UPDATE_DONE
 *          UPDATE_NO_ZONE    nothing of use: ask for the name above
 *          UPDATE_TRUNCATED  ask again over TCP
 *          UPDATE_MISMATCH, UPDATE_BROKEN, or by the answer's code
 */
enum update_outcome update_zone_read(const uint8_t *msg, size_t len,
    uint16_t id, const struct dns_name *asked, struct dns_name *zone_out,
    struct dns_name *primary_out);

/* What to change below one owner. */
struct update {
	struct dns_name zone;
	struct dns_name owner;
	size_t n_deletions;
	struct dns_srv deletions[UPDATE_DELETIONS_MAX];
	bool has_addition;
	struct dns_srv addition;
	uint32_t ttl_s; /* of the addition */
};

/**
 * update_write(): the request, unsigned.
 *
 * Out:     buf      UPDATE_MAX bytes are enough, a signature included
 * Returns: 0; MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int update_write(const struct update *update, uint16_t id,
    uint8_t *buf, size_t cap, size_t *len_out);

/**
 * update_judge(): did the server do it?
 *
 * Only UPDATE_DONE says so.  An unsigned refusal of a signed request is passed
 * on by its code: it can do no more harm than silence.
 *
 * In:      key      NULL: the request was not signed
 *          request  its MAC
 * Out:     skew_s_out  for UPDATE_BADTIME: the server's clock less ours, where
 *                      it says so
 * Returns: the outcome
 */
enum update_outcome update_judge(const uint8_t *msg, size_t len, uint16_t id,
    const struct tsig_key *key, const struct tsig_mac *request,
    int64_t now_unix_s, int64_t *skew_s_out);

/**
 * update_line(): the record as a line of a zone file.
 *
 * Out:     out      cap bytes; UPDATE_LINE_MAX are enough
 */
#define UPDATE_LINE_MAX (2 * (DNS_TEXT_MAX + 2) + 64)
void update_line(const struct dns_name *owner, const struct dns_srv *srv,
    uint32_t ttl_s, char *out, size_t cap);

#endif /* MUSTER_DISCOVERY_UPDATE_H */
