/* SPDX-License-Identifier: MIT */
/*
 * agentmsg.h -- the messages of agent.x: bytes <-> structs.
 *
 * As strict as msg.h: one encoding, no unknown values, no trailing bytes, no
 * allocation.  Texts end in NUL here.  Hosts and domains are printable ASCII
 * without space, and a host of a list is not empty; keys may have spaces;
 * names and sentences are UTF-8 as catalogues have it.  Intervals are 0 or
 * what msg.h allows, times not negative.  All functions are pure.
 * Source: agent.x; doc/protocol.md, "Agent"; RFC 4506.
 */
#ifndef MUSTER_WIRE_AGENTMSG_H
#define MUSTER_WIRE_AGENTMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"
#include "wire/msg.h"

#define AGENT_VERSION 1U
#define AGENT_RECORD_MAX 4096U /* mark included */
#define AGENT_MARK_LEN 4U
#define AGENT_BODY_MAX (AGENT_RECORD_MAX - AGENT_MARK_LEN)
#define AGENT_HOSTS_MAX 8U    /* a reply with an outcome each fits the record */
#define AGENT_HOST_LEN 261U   /* a DNS name, brackets or dot, colon, port */
#define AGENT_DOMAIN_LEN 253U /* a DNS name */
#define AGENT_NAME_LEN 64U    /* as in a catalogue */
#define AGENT_KEY_LEN 64U     /* 25 characters, as people type them */
#define AGENT_TEXT_LEN 500U
#define AGENT_PRODUCTS_MAX 64U

enum agent_op {
	AGENT_LIST = 0,
	AGENT_INFO = 1,
	AGENT_ACTIVATE = 2,
	AGENT_SETTINGS = 3,
	AGENT_SET_HOSTS = 4,
	AGENT_SET_DOMAIN = 5,
	AGENT_SET_CACHING = 6,
	AGENT_INSTALL_KEY = 7,
	AGENT_REARM = 8,
	AGENT_GENERALIZE = 9
};

struct agent_ids {
	uint32_t n;
	uint8_t id[AGENT_PRODUCTS_MAX][WIRE_ID_LEN];
};

struct agent_settings {
	uint32_t n_hosts;
	char host[AGENT_HOSTS_MAX][AGENT_HOST_LEN + 1];
	char domain[AGENT_DOMAIN_LEN + 1];
	bool is_caching;
};

/* One call; what its op does not name is zero. */
struct agent_request {
	enum agent_op op;
	uint8_t product[WIRE_ID_LEN];   /* INFO, ACTIVATE */
	struct agent_settings settings; /* SET_HOSTS, SET_DOMAIN, SET_CACHING */
	char key[AGENT_KEY_LEN + 1];    /* INSTALL_KEY */
	struct agent_ids products;      /* REARM */
};

/* Where the name of a host came from. */
enum agent_source {
	AGENT_NOWHERE = 0,
	AGENT_STATIC = 1,
	AGENT_CACHED = 2,
	AGENT_DNS = 3
};

struct agent_outcome {
	char target[AGENT_HOST_LEN + 1]; /* without a port: a DNS query */
	int err; /* 0: responded; with MUSTER_E_REFUSED the status counts */
	enum wire_status status;
	int64_t host_unix_s;               /* WIRE_CLOCK */
	uint32_t busy_s;                   /* WIRE_BUSY */
	uint8_t request[WIRE_REQUEST_LEN]; /* zeros: none was made */
};

struct agent_info {
	uint8_t product[WIRE_ID_LEN];
	uint8_t publisher[WIRE_ID_LEN];
	char name[AGENT_NAME_LEN + 1];
	char publisher_name[AGENT_NAME_LEN + 1];
	enum wire_state state;
	int reason;           /* why no lease holds, or 0 */
	int64_t seconds_left; /* of the state; 0: it has no end */
	uint32_t count;       /* by the last verified reply */
	uint32_t threshold;
	uint32_t renewal_min; /* in force */
	uint32_t retry_min;
	uint32_t rearms_left;
	int64_t first_seen_unix_s; /* times: 0 for never */
	int64_t answered_unix_s;
	int64_t asked_unix_s;
	int64_t due_unix_s;
	char host[AGENT_HOST_LEN + 1]; /* that answered last, or empty */
	bool is_early; /* ACTIVATE: asked within the last 10 seconds */
	int round;     /* 0: the last round was answered, and what came of it
	                * is on disk; else why not */
	uint32_t n_outcomes;
	struct agent_outcome outcome[AGENT_HOSTS_MAX];
	enum agent_source source;          /* of host */
	char domain[AGENT_DOMAIN_LEN + 1]; /* that named host, or empty */
};

/* One reply; what its op does not name is zero. */
struct agent_reply {
	int err; /* 0, or a code of err.h with the two texts */
	char message[AGENT_TEXT_LEN + 1];
	char next_step[AGENT_TEXT_LEN + 1];
	enum agent_op op;               /* of the call, when err is 0 */
	struct agent_ids products;      /* LIST */
	struct agent_info info;         /* INFO, ACTIVATE */
	struct agent_settings settings; /* SETTINGS */
	uint8_t product[WIRE_ID_LEN];   /* INSTALL_KEY */
};

/**
 * agent_mark_encode(): the mark of a record.
 *
 * In:      len      of the body, at most AGENT_BODY_MAX
 * Out:     mark     AGENT_MARK_LEN bytes
 */
void agent_mark_encode(size_t len, uint8_t *mark);

/**
 * agent_mark_decode(): length of the body that follows.
 *
 * Returns: 0
 *          MUSTER_E_PROTO   not marked as the last fragment, or empty
 *          MUSTER_E_TOOBIG  over AGENT_BODY_MAX
 */
MUSTER_NODISCARD int agent_mark_decode(const uint8_t *mark, size_t *len_out);

/**
 * agent_request_encode(): body of a call.
 *
 * Out:     len_out   untouched on failure
 * Returns: 0
 *          MUSTER_E_TOOBIG  over cap, or a text or list over its limit
 *          MUSTER_E_RANGE   a value or a character outside its range
 */
MUSTER_NODISCARD int agent_request_encode(const struct agent_request *req,
    uint8_t *buf, size_t cap, size_t *len_out);

/**
 * agent_request_decode(): read the body of a call.
 *
 * Out:     req_out   untouched on failure
 * Returns: 0; MUSTER_E_TRUNC, MUSTER_E_TOOBIG, MUSTER_E_PROTO,
 *          MUSTER_E_RANGE: unknown op, version, value or character
 */
MUSTER_NODISCARD int agent_request_decode(const uint8_t *p, size_t len,
    struct agent_request *req_out);

/**
 * agent_reply_encode(): body of a reply.
 *
 * Returns: as agent_request_encode()
 */
MUSTER_NODISCARD int agent_reply_encode(const struct agent_reply *reply,
    uint8_t *buf, size_t cap, size_t *len_out);

/**
 * agent_reply_decode(): read the body of a reply.
 *
 * Returns: as agent_request_decode()
 */
MUSTER_NODISCARD int
agent_reply_decode(const uint8_t *p, size_t len, struct agent_reply *reply_out);

#endif /* MUSTER_WIRE_AGENTMSG_H */
