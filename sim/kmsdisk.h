/* SPDX-License-Identifier: MIT */
/*
 * kmsdisk.h -- a host whose store is SQLite, on a disk that fails (vdisk.h).
 *
 * What a batch did whose commit failed is not known before the next start: the
 * table is then the model's with the batch or without it, and nothing else.
 */
#ifndef MUSTER_SIM_KMSDISK_H
#define MUSTER_SIM_KMSDISK_H

#include "sim/sim.h"

/**
 * kmsdisk_make(): a new disk with an empty database.
 *
 * Returns: 0; what the disk or the store said
 */
MUSTER_NODISCARD int kmsdisk_make(struct sim *s, uint32_t number);

/**
 * kmsdisk_free(): at the end of a run; a host without a disk is fine.
 */
void kmsdisk_free(struct kms *k);

/**
 * kmsdisk_batch(): store_batch(), with whatever the disk does meanwhile.
 *
 * Returns: as store_batch()
 */
MUSTER_NODISCARD int
kmsdisk_batch(struct sim *s, uint32_t number, int64_t now_unix_s);

/**
 * kmsdisk_doubt(): the batch that is flying failed at its commit.
 */
void kmsdisk_doubt(struct sim *s, uint32_t number, int64_t now_unix_s);

/**
 * kmsdisk_stop(): the host ends: cleanly, killed, or without power.
 */
void kmsdisk_stop(struct sim *s, uint32_t number);

/**
 * kmsdisk_lie(): its disk begins to lie, or ends.
 */
void kmsdisk_lie(struct sim *s, uint32_t number);

/**
 * kmsdisk_backup(): its database is saved, or an old one put back: the host
 * then goes down, and knows no more than it did.
 *
 * Returns: true when it is to go down
 */
bool kmsdisk_backup(struct sim *s, uint32_t number);

/**
 * kmsdisk_put_back(): the old database, while it is down.
 */
void kmsdisk_put_back(struct sim *s, uint32_t number);

/**
 * kmsdisk_start(): it opens its database again, which has to be whole.
 */
void kmsdisk_start(struct sim *s, uint32_t number);

#endif /* MUSTER_SIM_KMSDISK_H */
