/* SPDX-License-Identifier: MIT */
/*
 * round.h -- a round of one product through the hosts, in the place of
 * src/client/round.c: one exchange after the other, each with a nonce of its
 * own, until a reply verifies.
 */
#ifndef MUSTER_SIM_ROUND_H
#define MUSTER_SIM_ROUND_H

#include "sim/sim.h"

/**
 * round_begin(): ask the first host.
 */
void round_begin(struct sim *s, uint32_t number, uint32_t product);

/**
 * round_timeout(): EV_TIMEOUT.
 */
void round_timeout(struct sim *s, const struct event *ev);

/**
 * round_receive(): a reply came.
 */
void round_receive(struct sim *s, const struct msg *m);

#endif /* MUSTER_SIM_ROUND_H */
