/* SPDX-License-Identifier: MIT */
/*
 * asking.h -- what is asked in one round, and what the answers say; pure.
 *
 * Each host is asked with a nonce of its own, and what it says counts when it
 * verifies.  Who is asked, and for how long, walk.h and the edge say: round.h.
 * Source: doc/behaviour.md b31, b34; doc/protocol.md, "RPC".
 */
#ifndef MUSTER_CLIENT_ASKING_H
#define MUSTER_CLIENT_ASKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/life.h"
#include "client/request.h"
#include "discovery/walk.h"
#include "muster/err.h"

#define ASKING_MS 10000        /* for one host, its connection included */
#define ASKING_CONNECT_MS 2000 /* for that, while other hosts remain */
#define ASKING_BRIEF_MS 250    /* while a good host is known: b24 */
/* Then no further host is asked nor name looked up, so that whoever waits for
 * an agent's round (AGENTCALL_ACTIVATE_MS) hears how it ended: a name may take
 * the C library half a minute, and a host ASKING_MS, after that. */
#define ASKING_ROUND_MS 60000

/* len fresh random bytes. */
typedef void (*asking_fill)(void *arg, uint8_t *out, size_t len);

struct asking {
	/* what is asked, by whom */
	const struct catalogue *cat; /* borrowed */
	struct cat_product product;
	uint8_t cmid[WIRE_ID_LEN];
	uint8_t machine[WIRE_ID_LEN]; /* fingerprint */
	uint8_t previous[WIRE_TAG_LEN];
	char name[WIRE_NAME_MAX + 1];
	bool has_certificate;
	uint8_t certificate[CERT_LEN];
	enum wire_state licence;
	uint32_t minutes_left;
	struct request request; /* the last one */
	/* what came of it */
	bool has_reply;     /* the last one asked responded, by: */
	struct reply reply; /* of the last one, as request_judge() left it */
	uint32_t busy_s;    /* least that a host named, or 0 */
};

/**
 * asking_begin(): copy what a round asks.
 *
 * In:      todo     of the life_step() that wants the round
 *          name     of the machine, at most WIRE_NAME_MAX
 */
void asking_begin(struct asking *a, const struct life *l,
    const struct life_env *env, const struct life_todo *todo, const char *name);

/**
 * asking_make(): the request to the next host, with a nonce of its own.
 *
 * In:      fill, arg   for the nonce and the transaction number
 * Out:     a->request  the record to send
 * Returns: as request_make()
 */
MUSTER_NODISCARD int
asking_make(struct asking *a, int64_t now_unix_s, asking_fill fill, void *arg);

/**
 * asking_judge(): what an answer to it is worth.
 *
 * In:      p, len      body of the record received, without its mark
 *          now_unix_s  wall clock at its arrival
 * Out:     a           has_reply, reply, busy_s
 * Returns: as request_judge()
 */
MUSTER_NODISCARD int asking_judge(struct asking *a, const uint8_t *p,
    size_t len, int64_t now_unix_s);

/**
 * asking_connect_ms(): how long the connection to a host may take.
 *
 * Returns: ms, at most ASKING_MS
 */
int asking_connect_ms(const struct walk_todo *todo);

/**
 * asking_event(): what the life learns from the round.
 *
 * In:      host  that responded, if one did
 * Returns: an event that borrows host and the reply
 */
struct life_event asking_event(const struct asking *a, const char *host);

#endif /* MUSTER_CLIENT_ASKING_H */
