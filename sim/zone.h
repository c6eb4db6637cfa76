/* SPDX-License-Identifier: MIT */
/*
 * zone.h -- the name servers of a world, and how its machines find a host.
 *
 * A domain has SRV records of some hosts, with priorities and weights, and
 * perhaps one of a host that is no more.  What is asked is answered by a DNS
 * message in bytes, which is read by src/discovery as src/client/resolve.c
 * does.  Name servers fail, are silent, answer nonsense, or tell of a record
 * that is gone.
 *
 * How a round must go is checked here as well, by the records that were
 * answered and nothing of src/discovery:
 *
 *   b22   static hosts, in order, and no lookup; a configured domain, and no
 *         other; else each domain in turn
 *   b23   of the records answered, none with a better priority is passed over;
 *         a round that ends without a reply asked each of them
 *   b24   a host that is remembered is asked, first unless it is a renewal;
 *         the host that responded is remembered
 *
 * Shares by weight show in a whole campaign only: zone_shares().
 */
#ifndef MUSTER_SIM_ZONE_H
#define MUSTER_SIM_ZONE_H

#include "sim/sim.h"

/**
 * zone_draw(): records of all domains.
 */
void zone_draw(struct sim *s);

/**
 * zone_find(): how a machine finds its hosts: static ones, a domain, or both
 * domains of its search list.
 */
void zone_find(struct sim *s, struct pc *pc);

/**
 * zone_plan(): what a round begins with (b22, b24).
 */
void zone_plan(const struct sim *s, const struct pc *pc, bool is_renewal,
    struct walk_plan *plan);

/**
 * zone_answer(): a name server's answer, read into a choice.
 *
 * In:      domain   as the walk names it
 * Out:     choice   added to
 *          seek     the records that were answered, to be checked by
 * Returns: as resolve_srv()
 */
MUSTER_NODISCARD int zone_answer(struct sim *s, const char *domain,
    struct choice *choice, struct seek *seek);

/**
 * zone_host(): which host a name and port are.
 *
 * Returns: its number; SIM_NO_HOST where there is no such machine
 */
uint32_t zone_host(const struct sim *s, const char *name);

/**
 * zone_check(): the walk says that this is next.
 */
void zone_check(struct sim *s, struct pc *pc, uint32_t product);

/**
 * zone_check_known(): a host responded, and what is remembered was brought up
 * to date.
 */
void zone_check_known(struct sim *s, const struct pc *pc, uint32_t product);

/**
 * zone_shares(): were hosts of one priority chosen by their weights?
 *
 * In:      points   of a campaign of POINTS_SEEDS seeds or more
 * Returns: false when that is not to be believed: five standard deviations
 */
bool zone_shares(const struct points *points);

#endif /* MUSTER_SIM_ZONE_H */
