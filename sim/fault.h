/* SPDX-License-Identifier: MIT */
/*
 * fault.h -- what befalls hosts and machines, from time to time.
 *
 * The faults of messages, batches and writes are drawn where those are
 * (sim_faulty()).
 */
#ifndef MUSTER_SIM_FAULT_H
#define MUSTER_SIM_FAULT_H

#include "sim/sim.h"

/**
 * fault_plan(): the first of each kind that this world has.
 */
void fault_plan(struct sim *s);

/**
 * fault_event(): EV_FAULT; plans the next of its kind.
 */
void fault_event(struct sim *s, const struct event *ev);

/**
 * fault_back(): EV_BACK; the agent starts anew, as with a package.
 */
void fault_back(struct sim *s, const struct event *ev);

/**
 * fault_clock(): somebody sets the clock of a machine.
 */
void fault_clock(struct sim *s, uint32_t number);

/**
 * fault_heal(): all faults end, all clocks are right, all is up.
 */
void fault_heal(struct sim *s);

#endif /* MUSTER_SIM_FAULT_H */
