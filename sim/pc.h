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
 * pc_is_busy(): is a round under way, or does it sleep? Then administrators
 * have to wait.
 *
 * Returns: true when one is
 */
bool pc_is_busy(const struct sim *s, const struct pc *pc);

/**
 * pc_event(): something happens to one product.
 */
void pc_event(struct sim *s, uint32_t number, uint32_t product,
    const struct life_event *ev);

/**
 * pc_take_catalogue(): a newer catalogue comes into force.
 *
 * Returns: false when it has it, or is busy
 */
bool pc_take_catalogue(struct sim *s, uint32_t number, uint32_t catalogue);

/**
 * pc_rearm(): rearm one product, or all.
 *
 * In:      product  n_products of the world or more: all
 * Returns: false when it is down or busy, or has none left
 */
bool pc_rearm(struct sim *s, uint32_t number, uint32_t product);

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
 * pc_drift(): its clock is too fast by so much, from now on.
 *
 * In:      ppm      negative: too slow; 0: it is right
 */
void pc_drift(struct sim *s, uint32_t number, int32_t ppm);

/**
 * pc_sleep(): it sleeps; its boot-time clock goes on (b32).
 */
void pc_sleep(struct sim *s, uint32_t number, int64_t for_ms);

/**
 * pc_freeze(): its clock stands still.
 */
void pc_freeze(struct sim *s, uint32_t number);

#endif /* MUSTER_SIM_PC_H */
