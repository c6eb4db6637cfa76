/* SPDX-License-Identifier: MIT */
/*
 * plan.h -- a site in the place of what a seed draws: no faults but its own
 * habits, nothing checked, what happens noted by watch.h.
 */
#ifndef MUSTER_SIM_PLAN_H
#define MUSTER_SIM_PLAN_H

#include "sim/sim.h"

/**
 * plan_swarm(): a quick network and quick disks, and no faults.
 */
void plan_swarm(const struct site *site, struct swarm *w);

/**
 * plan_product(): name, group and numbers of a product.
 */
void plan_product(const struct site *site, uint32_t product,
    struct cat_product *out);

/**
 * plan_zone(): one domain that names all hosts.
 */
void plan_zone(struct sim *s);

/**
 * plan_begin(): machines arrive, hosts will fail, counts are looked at.
 */
void plan_begin(struct sim *s);

/**
 * plan_machine(): its product, its habits, and how it finds its hosts.
 */
void plan_machine(struct sim *s, uint32_t number);

/**
 * plan_event(): EV_SAMPLE, EV_DOWN.
 */
void plan_event(struct sim *s, const struct event *ev);

/**
 * plan_is_late(): a machine that is off does nothing now.
 *
 * Returns: true when the event was put off until it is on again
 */
bool plan_is_late(struct sim *s, const struct event *ev);

/**
 * plan_is_here(): can the machine reach a host at all?
 *
 * Returns: false when it is away
 */
bool plan_is_here(const struct sim *s, const struct pc *pc);

/**
 * plan_watch(): a machine took a step.
 */
void plan_watch(struct sim *s, uint32_t number, uint32_t product);

/**
 * plan_answered(): its round ended with a reply.
 */
void plan_answered(struct sim *s, struct pc *pc, const struct reply *reply);

/**
 * plan_unanswered(): its round ended without.
 */
void plan_unanswered(struct sim *s, struct pc *pc);

#endif /* MUSTER_SIM_PLAN_H */
