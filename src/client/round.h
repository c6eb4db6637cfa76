/* SPDX-License-Identifier: MIT */
/*
 * round.h -- one round through the hosts, until one responds with a reply that
 * verifies; an edge.
 *
 * Whom to ask, and in which domains to look for hosts, walk.h says.  Works on
 * copies, so that it can run beside an event loop; the catalogue, the root and
 * the resolver are borrowed and stay for as long.
 * Source: doc/behaviour.md b22 to b24, b31, b34.
 */
#ifndef MUSTER_CLIENT_ROUND_H
#define MUSTER_CLIENT_ROUND_H

#include <stdbool.h>
#include <stdint.h>

#include "client/asking.h"
#include "client/exchange.h"
#include "client/life.h"
#include "discovery/walk.h"
#include "muster/err.h"
#include "wire/agentmsg.h"

#define ROUND_OUTCOMES_MAX 16 /* kept; the last place is the last one's */

/* Where hosts are to be found. */
struct round_where {
	const char *root; /* whose resolv.conf counts; NULL: the machine's */
	const char *resolver; /* as for resolvconf_load(), or NULL */
	size_t n_hosts;       /* static; none: by DNS */
	char host[WALK_HOSTS_MAX][WALK_HOST_MAX + 1];
	char domain[DNS_TEXT_MAX + 1]; /* only this one; empty: the machine's */
	bool is_caching;
};

/* What became of one target, or of a domain that has none. */
struct round_outcome {
	char text[EXCHANGE_TEXT_MAX + 1]; /* name:port, or the domain */
	bool is_lookup;
	int err;                 /* 0: responded */
	enum wire_status status; /* with MUSTER_E_REFUSED; WIRE_OK: RPC error */
	int64_t host_unix_s;
	uint32_t busy_s;
	uint8_t request[WIRE_REQUEST_LEN]; /* zeros: none was made */
};

struct round {
	struct asking asking; /* what is asked, by whom; what came of it */
	struct round_where where;
	struct walk_known known; /* of the publisher; of use when caching is */
	int64_t end_ms;          /* set by round_run() */
	bool is_known_new;       /* known is to be written */
	int err;                 /* 0: hosts were looked for; else why not */
	size_t n_outcomes;
	struct round_outcome outcome[ROUND_OUTCOMES_MAX];
	/* who responded last, with asking.has_reply: */
	char host[EXCHANGE_TEXT_MAX + 1];
	enum walk_source source;
	char domain[DNS_TEXT_MAX + 1];
};

/**
 * round_prepare(): copy what a round needs; where and known are the caller's.
 *
 * In:      todo     of the life_step() that asked for the round
 *          name     of the machine, at most WIRE_NAME_MAX
 */
void round_prepare(struct round *r, const struct life *l,
    const struct life_env *env, const struct life_todo *todo, const char *name);

/**
 * round_where(): where hosts are to be found by an administrator's settings.
 *
 * In:      root, resolver  borrowed for as long as the round
 */
void round_where(struct round_where *where, const struct agent_settings *s,
    const char *root, const char *resolver);

/**
 * round_domains(): the domains in which hosts are looked up: the one that is
 * set, else the machine's own and its search list (b22).
 */
void round_domains(const struct round_where *where,
    const struct resolvconf *conf, struct walk_plan *plan);

/**
 * round_run(): look for hosts and ask them.
 *
 * Out:     r        what came of it; r->err as request_make(),
 *                   resolvconf_load(); MUSTER_E_NOENT: there was nobody to ask
 *                   and nowhere to look
 * Blocks:  ASKING_ROUND_MS, and as long as the last step takes that began before:
 *          ASKING_MS, or a name (resolve.h)
 */
void round_run(struct round *r);

#endif /* MUSTER_CLIENT_ROUND_H */
