/* SPDX-License-Identifier: MIT */
/*
 * resolve.h -- questions to name servers; an edge.
 *
 * Every question is for a full name: no search list is applied here.  The C
 * library's res_nsend() carries it by UDP; it reports SERVFAIL, REFUSED and
 * silence alike, so that after a failure the header of what arrived last
 * counts, if number and question are ours.  What is truncated is asked again
 * by TCP with a time-out of our own: res_nsend() would wait there for ever.
 * Answers are hostile input: what does not parse is void.
 *
 * Whoever asks sets an end, a time of clock_mono_ms(): no question begins
 * after it, none waits on by TCP, and the last one by UDP is over after
 * RESOLVE_TRY_S * RESOLVE_TRIES a name server, so that neither a chain of
 * aliases nor a row of silent servers holds anybody up for longer.
 * Source: RFC 1035; RFC 2782; RFC 3596; RFC 8305; doc/behaviour.md b22, b23.
 */
#ifndef MUSTER_CLIENT_RESOLVE_H
#define MUSTER_CLIENT_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>

#include "client/resolvconf.h"
#include "client/stream.h"
#include "discovery/choice.h"
#include "muster/err.h"

#define RESOLVE_TRY_S 2 /* a name server's time by UDP, each time */
#define RESOLVE_TRIES 2 /* all of them in turn, so often: packets get lost */
#define RESOLVE_TCP_MS 4000   /* a name server's time by TCP */
#define RESOLVE_MS 20000      /* one name, for who has no less time */
#define RESOLVE_ALIASES_MAX 8 /* CNAME records that are followed in all */
#define RESOLVE_ADDRS_MAX STREAM_ADDRS_MAX /* of one host that are tried */

struct resolve_addrs {
	size_t n;
	union resolvconf_addr addr[RESOLVE_ADDRS_MAX];
};

/**
 * resolve_draw(): the randomness that choice_order() is given outside of tests.
 *
 * Returns: as choice_draw_fn()
 */
uint32_t resolve_draw(void *arg, uint32_t below);

/**
 * resolve_srv(): the hosts that a domain names.
 *
 * In:      end_ms   as above
 * Out:     choice   added to, in the order of the answer
 * Returns: 0: at least one target
 *          MUSTER_E_NXDOMAIN     the name is not there
 *          MUSTER_E_NODATA       it has no SRV record
 *          MUSTER_E_NO_SERVICE   the only target is "."
 *          MUSTER_E_RANGE        records, but none that can be used
 *          MUSTER_E_SERVFAIL     SERVFAIL, or an rcode of another failure
 *          MUSTER_E_DNS_REFUSED  REFUSED
 *          MUSTER_E_DNS_TIMEOUT  no answer before the end, or no name server
 *                                is known
 *          MUSTER_E_ALIAS        more than RESOLVE_ALIASES_MAX
 *          MUSTER_E_TRUNC, MUSTER_E_PROTO, MUSTER_E_TOOBIG  no DNS message
 *          MUSTER_E_NOMEM
 * Blocks:  as above; less where servers answer: RESOLVE_TRY_S * RESOLVE_TRIES
 *          a name server by UDP, and RESOLVE_TCP_MS by TCP; once more for each
 *          alias that the answer leaves open
 */
MUSTER_NODISCARD int resolve_srv(const struct resolvconf *conf,
    const char *domain, int64_t end_ms, struct choice *choice);

/**
 * resolve_host(): the addresses of a host, families in turn.
 *
 * In:      conf     NULL: getaddrinfo() of the machine
 *          name     or an address; with a dot at its end it is whole: no
 *                   search list is applied to it
 *          port     decimal
 *          end_ms   as above
 * Returns: 0: at least one
 *          MUSTER_E_RESOLVE  there is none
 *          MUSTER_E_DNS_TIMEOUT also where getaddrinfo() failed for the time
 *                            being: its name servers are silent or fail
 *          and as resolve_srv() where the name servers of conf are asked
 * Blocks:  as resolve_srv(), for A and then AAAA, which is asked once where
 *          there is an A record: some servers never answer that question;
 *          getaddrinfo() as long as the system's own settings have it
 */
MUSTER_NODISCARD int
resolve_host(const struct resolvconf *conf, const char *name, const char *port,
    int64_t end_ms, struct resolve_addrs *addrs_out);

#endif /* MUSTER_CLIENT_RESOLVE_H */
