/* SPDX-License-Identifier: MIT */
/*
 * exchange.h -- one call to one host over TCP; an edge.
 *
 * The call and the FIN leave together, then the one reply is read.  A name
 * that does not resolve may take the resolver's own time; everything after
 * that ends within ASKING_MS.  All addresses of a name are tried, one
 * family and the other in turn (stream.h).
 * Source: doc/behaviour.md, "Numbers"; doc/protocol.md, "RPC".
 */
#ifndef MUSTER_CLIENT_EXCHANGE_H
#define MUSTER_CLIENT_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/asking.h"
#include "client/resolve.h"
#include "muster/err.h"
#include "wire/rpc.h"

#define EXCHANGE_PORT "1688"
#define EXCHANGE_NAME_MAX 253
#define EXCHANGE_TEXT_MAX 261 /* name, brackets or dot, colon, port */

/* How far a call came. */
enum exchange_phase {
	EXCHANGE_NAME,    /* the addresses of the name */
	EXCHANGE_CONNECT, /* none of them took the connection yet */
	EXCHANGE_ANSWER   /* connected: the reply is waited for */
};

struct exchange_target {
	char text[EXCHANGE_TEXT_MAX + 1]; /* name:port or [v6]:port */
	char name[EXCHANGE_NAME_MAX + 2]; /* with a dot where it is whole */
	char port[6];
};

/**
 * exchange_parse(): name[:port] or [v6][:port]; pure.
 *
 * Returns: 0
 *          MUSTER_E_PROTO  not of these forms, or a character of no name
 *          MUSTER_E_RANGE  port outside 1 to 65535
 *          MUSTER_E_TOOBIG name too long
 */
MUSTER_NODISCARD int
exchange_parse(const char *text, struct exchange_target *target_out);

/**
 * exchange_whole(): the target is named by a record: its name is whole, and no
 * search list is applied to it (RFC 2782).  Pure; addresses stay as they are.
 */
void exchange_whole(struct exchange_target *target);

/* One call; what it points to is the caller's. */
struct exchange {
	const struct exchange_target *target;
	const struct resolvconf *conf; /* NULL: the machine's own settings */
	int connect_ms;            /* over all addresses; at most ASKING_MS */
	int64_t lookup_ms;         /* the name's end, as for resolve_host() */
	enum exchange_phase phase; /* out: the one that failed, or the last */
};

/**
 * exchange_run(): send one record, read one.
 *
 * In:      rec, len  a whole record, mark included
 * Out:     x->phase
 *          body_out  RPC_BODY_MAX bytes; the reply without its mark
 * Returns: 0
 *          MUSTER_E_CONNECT  no address took the connection
 *          MUSTER_E_TIMEOUT  not connected, or not answered, in time: phase
 *          MUSTER_E_TRUNC    closed before the end of the reply
 *          MUSTER_E_PROTO, MUSTER_E_TOOBIG  a mark that no reply has
 *          MUSTER_E_IO       the connection broke
 *          and as resolve_host()
 */
MUSTER_NODISCARD int exchange_run(struct exchange *x, const uint8_t *rec,
    size_t len, uint8_t *body_out, size_t *len_out);

#endif /* MUSTER_CLIENT_EXCHANGE_H */
