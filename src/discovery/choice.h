/* SPDX-License-Identifier: MIT */
/*
 * choice.h -- in which order the targets of SRV records are tried; pure.
 *
 * The lowest priority goes first.  Within one priority each next target is
 * drawn from those that are left, by weight:
 *
 *   records without weight stand first; S is the sum of all weights
 *   r = a number from 0 to S, each as likely as another
 *   the first record whose running sum is at least r is next
 *
 * so a weight w gets the share w / (S + 1), and the records without weight
 * share 1 / (S + 1).  Where no record of the priority lacks a weight, r is
 * drawn from 1 to S: the 0 is there for records without weight, and would
 * else go to whichever record stands first, in an order that RFC 2782 leaves
 * open.  Thus equal weights have equal chances (b23), and others w / S.
 * Where all weights are 0, all have the same chance.
 *
 * Randomness is an argument.  What a name server says is hostile input: its
 * only use is that a connection is tried.
 * Source: RFC 2782, "Weight" and "Usage rules"; doc/behaviour.md b23.
 */
#ifndef MUSTER_DISCOVERY_CHOICE_H
#define MUSTER_DISCOVERY_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discovery/message.h"

/* Far beyond the hosts of any site; an answer of 64 KiB names 3,000. */
#define CHOICE_MAX 512

/**
 * choice_draw_fn(): the randomness of a choice.
 *
 * Returns: a number from 0 to below - 1, each as likely; below is not 0
 */
typedef uint32_t choice_draw_fn(void *arg, uint32_t below);

struct choice {
	size_t n;
	struct dns_srv srv[CHOICE_MAX];
	size_t n_dropped; /* port 0, named twice, no name, or over the limit */
	bool is_refused;  /* a target ".": no service here */
};

/**
 * choice_init(): no record yet.
 */
void choice_init(struct choice *c);

/**
 * choice_add(): take a record, if it can be of use.
 *
 * Of records with the same target and port the one of the best priority
 * stays.
 */
void choice_add(struct choice *c, const struct dns_srv *srv);

/**
 * choice_order(): bring the records into the order of trying.
 *
 * In:      draw, arg  called once for each record, but the last of a priority
 */
void choice_order(struct choice *c, choice_draw_fn *draw, void *arg);

#endif /* MUSTER_DISCOVERY_CHOICE_H */
