/* SPDX-License-Identifier: MIT */
/*
 * walk.h -- a client's way through its hosts, as a step function.
 *
 * An edge (agent, --direct, doctor, simulation) says what came of the last
 * thing it did; the step says what to do next: look up the SRV records of a
 * domain, ask a host, or end.  Pure: randomness is an argument.
 *
 *   what is there               order of one round
 *   static hosts                these, as they are named; nothing is looked
 *                               up and nothing remembered (b22)
 *   no host that is remembered  the domains in turn; of each the targets by
 *                               choice.h, until one responds (b23)
 *   a host that is remembered   it goes first; if it fails, as above (b24)
 *   likewise, for a renewal     the domains are looked up first.  If there
 *                               are targets of a better priority, at most
 *                               WALK_BETTER_MAX of them are tried for a
 *                               moment; then the host that is remembered,
 *                               then the rest (b24)
 *
 * A renewal goes on with the host that is remembered at the first domain whose
 * name servers are silent: it needs no SRV record.  A dead host
 * of a better priority thus costs its whole time-out once, when the other one
 * is found, and then a moment at each renewal, by which it is noticed when it
 * is back.  No host that was found is asked twice in one round.
 * Source: doc/behaviour.md b22, b23, b24.
 */
#ifndef MUSTER_DISCOVERY_WALK_H
#define MUSTER_DISCOVERY_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discovery/choice.h"

#define WALK_HOSTS_MAX 16  /* static ones: as many as a command line names */
#define WALK_DOMAINS_MAX 8 /* the machine's own and a long search list */
#define WALK_HOST_MAX 261  /* name or [v6], colon, port */
#define WALK_BETTER_MAX 2  /* what a renewal spends on them has a limit */
#define WALK_ASKED_MAX 64  /* remembered within one round */
#define WALK_SERVICE "_muster._tcp"

/* Where a host's name came from; the values are those of agent.x. */
enum walk_source {
	WALK_NOWHERE = 0,
	WALK_STATIC = 1,
	WALK_KNOWN = 2, /* remembered from an earlier round */
	WALK_DNS = 3
};

/* The host that responded last, found by DNS; empty: none. */
struct walk_known {
	char host[WALK_HOST_MAX + 1]; /* name:port */
	char domain[DNS_TEXT_MAX + 1];
	uint16_t priority;
};

/* What a round begins with. */
struct walk_plan {
	size_t n_hosts; /* static */
	char host[WALK_HOSTS_MAX][WALK_HOST_MAX + 1];
	size_t n_domains;
	char domain[WALK_DOMAINS_MAX][DNS_TEXT_MAX + 1];
	bool is_only;    /* the domain is configured: no other counts */
	bool is_renewal; /* of a lease that holds */
	struct walk_known known;
};

enum walk_kind {
	WALK_BEGIN,
	WALK_LOOKED_UP, /* walk->choice was filled, or err */
	WALK_RESPONDED,
	WALK_FAILED
};

struct walk_event {
	enum walk_kind kind;
	int err; /* WALK_LOOKED_UP: why there are no records, or 0 */
	choice_draw_fn *draw; /* WALK_LOOKED_UP */
	void *arg;
};

enum walk_act {
	WALK_LOOK_UP, /* the SRV records of a domain, into walk->choice */
	WALK_ASK,
	WALK_END
};

struct walk_todo {
	enum walk_act act;
	char domain[DNS_TEXT_MAX + 1]; /* LOOK_UP; ASK: where it is from */
	char host[WALK_HOST_MAX + 1];  /* ASK */
	enum walk_source source;       /* ASK */
	bool has_more; /* ASK: others remain, a connection gets less time */
	bool is_brief; /* ASK: only for a moment, for another host is known */
};

enum walk_phase { WALK_FIRST, WALK_BETTER, WALK_KNOWN_HOST, WALK_TARGETS };

struct walk {
	struct walk_plan plan;
	enum walk_phase phase;
	size_t next_host;   /* static */
	size_t next_domain; /* to look up */
	size_t next_target; /* of choice */
	size_t n_better;
	bool is_silent;          /* a name server did not answer */
	struct walk_known known; /* with the priority that it has by now */
	uint16_t asked_priority;
	struct walk_todo todo; /* that is being done */
	size_t n_asked;
	char asked[WALK_ASKED_MAX][WALK_HOST_MAX + 1];
	struct choice choice; /* of the domain that was looked up last */
};

/**
 * walk_plan_domain(): add a domain, unless it is there, is no name, is the
 * root or there are WALK_DOMAINS_MAX.
 */
void walk_plan_domain(struct walk_plan *plan, const char *domain);

/**
 * walk_init(): begin a round.
 */
void walk_init(struct walk *w, const struct walk_plan *plan);

/**
 * walk_step(): one event.
 *
 * Out:     todo_out  always written
 */
void walk_step(struct walk *w, const struct walk_event *ev,
    struct walk_todo *todo_out);

/**
 * walk_known(): what to remember after WALK_RESPONDED; nothing of static
 * hosts.
 *
 * Out:     known_out  untouched unless it is to be written
 * Returns: true when it is another one than before
 */
bool walk_known(const struct walk *w, struct walk_known *known_out);

#endif /* MUSTER_DISCOVERY_WALK_H */
