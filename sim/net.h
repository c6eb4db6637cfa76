/* SPDX-License-Identifier: MIT */
/*
 * net.h -- messages on their way, and what befalls them.
 *
 * Worse than TCP: somebody sits in the network who loses, holds up, changes
 * and repeats records, and sends old replies again under the number of the
 * present call.
 */
#ifndef MUSTER_SIM_NET_H
#define MUSTER_SIM_NET_H

#include "sim/sim.h"

/**
 * net_send(): a record goes its way.
 *
 * In:      m        copied; is_used and is_corrupt are ours
 */
void net_send(struct sim *s, const struct msg *m);

/**
 * net_arrive(): a message is there.
 *
 * In:      ev       EV_TO_HOST or EV_TO_MACHINE
 */
void net_arrive(struct sim *s, const struct event *ev);

/**
 * net_reaches(): does a connection to a host come about?
 *
 * Returns: false when it is down or cut off
 */
bool net_reaches(struct sim *s, uint32_t host, uint32_t machine);

/**
 * net_clear(): what is under way is lost.
 */
void net_clear(struct sim *s);

#endif /* MUSTER_SIM_NET_H */
