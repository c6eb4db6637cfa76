/* SPDX-License-Identifier: MIT */
/*
 * recall.h -- what label_hash() and crypto_generichash() said of the same bytes.
 *
 * A machine's lease and its certificate are hashed at each of its steps, and
 * that would take a quarter of a campaign's time and half of a plan's.  They say
 * it once; the bytes, all of them, are compared each
 * time.  Runs that are run again do without.  With --wrap
 * of both.
 */
#ifndef MUSTER_SIM_RECALL_H
#define MUSTER_SIM_RECALL_H

#include <stdbool.h>

/**
 * recall_use(): from now on, for the whole program; at first it is used.
 */
void recall_use(bool is_on);

#endif /* MUSTER_SIM_RECALL_H */
