/* SPDX-License-Identifier: MIT */
/*
 * pc.h -- a machine: the life of its products, in the place of muster-agent.
 *
 * Each step writes its files (disk.h), and a start reads them back.
 */
#ifndef MUSTER_SIM_PC_H
#define MUSTER_SIM_PC_H

#include "sim/sim.h"

/**
 * pc_add(): a machine with an id of its own; off, its disk empty.
 *
 * Returns: its number
 */
uint32_t pc_add(struct sim *s);

/**
 * pc_identify(): its fingerprints, once its id and instance are what they are.
 */
void pc_identify(struct sim *s, uint32_t number);

/**
 * pc_unix_s(): its wall clock.
 *
 * Returns: seconds since 1970
 */
int64_t pc_unix_s(const struct sim *s, const struct pc *pc);

/**
 * pc_start(): its agent starts.
 *
 * In:      is_boot    the machine itself does
 */
void pc_start(struct sim *s, uint32_t number, bool is_boot);

/**
 * pc_stop(): the power goes.
 *
 * In:      for_ms   negative: until pc_start()
 */
void pc_stop(struct sim *s, uint32_t number, int64_t for_ms);

/**
 * pc_is_busy(): is a round under way? Then administrators have to wait.
 *
 * Returns: true when one is
 */
bool pc_is_busy(const struct pc *pc);

/**
 * pc_event(): something happens to one product.
 */
void pc_event(struct sim *s, uint32_t number, uint32_t product,
    const struct life_event *ev);

/**
 * pc_take_catalogue(): a newer catalogue comes into force.
 */
void pc_take_catalogue(struct sim *s, uint32_t number, uint32_t catalogue);

/**
 * pc_rearm(): rearm one product, or all.
 *
 * In:      product  n_products of the world or more: all
 */
void pc_rearm(struct sim *s, uint32_t number, uint32_t product);

/**
 * pc_generalize(): make an image of it; its agent ends.
 */
void pc_generalize(struct sim *s, uint32_t number);

/**
 * pc_clock_event(): EV_WAKE, EV_TIMEOUT, EV_LOOKED_UP, EV_PLACE, EV_UP,
 * EV_THAW.
 */
void pc_clock_event(struct sim *s, const struct event *ev);

/**
 * pc_set_clock(): its clock goes on, so far from true time.
 */
void pc_set_clock(struct sim *s, uint32_t number, int64_t off_s);

/**
 * pc_freeze(): its clock stands still.
 */
void pc_freeze(struct sim *s, uint32_t number);

#endif /* MUSTER_SIM_PC_H */
