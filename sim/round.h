/* SPDX-License-Identifier: MIT */
/*
 * round.h -- a round of one product through the hosts, in the place of the
 * edge src/client/round.c: lookups and exchanges as walk.h has them, requests
 * and judgements as asking.h does, until a reply verifies or ASKING_ROUND_MS
 * are over.
 */
#ifndef MUSTER_SIM_ROUND_H
#define MUSTER_SIM_ROUND_H

#include "sim/sim.h"

/**
 * round_begin(): ask the first host.
 */
void round_begin(struct sim *s, uint32_t number, uint32_t product);

/**
 * round_drop(): it ends, whatever was under way.
 */
void round_drop(struct sim *s, struct pc_product *pp);

/**
 * round_looked_up(): EV_LOOKED_UP.
 */
void round_looked_up(struct sim *s, const struct event *ev);

/**
 * round_timeout(): EV_TIMEOUT.
 */
void round_timeout(struct sim *s, const struct event *ev);

/**
 * round_receive(): a reply came.
 */
void round_receive(struct sim *s, const struct msg *m);

#endif /* MUSTER_SIM_ROUND_H */
