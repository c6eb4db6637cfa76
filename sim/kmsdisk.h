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
 * kmsdisk_idle(): its idle work, which its disk may not outlive.
 *
 * Returns: 0; MUSTER_E_IO: the disk is gone, and the host has to end; an
 *          outcome of the store
 */
MUSTER_NODISCARD int
kmsdisk_idle(struct sim *s, uint32_t number, int64_t now_unix_s);

/**
 * kmsdisk_stop(): the host ends: cleanly, killed, or without power.
 */
void kmsdisk_stop(struct sim *s, uint32_t number);

/**
 * kmsdisk_is_quiet(): nothing is being written to it, so that what its database
 * holds is what the model does.
 *
 * Returns: false as well when it has no disk, or is down
 */
bool kmsdisk_is_quiet(const struct kms *k);

/**
 * kmsdisk_lie(): its disk begins to lie, or ends; it is quiet.
 */
void kmsdisk_lie(struct sim *s, uint32_t number);

/**
 * kmsdisk_save(): a copy of its database is kept; it is quiet.
 */
void kmsdisk_save(struct sim *s, uint32_t number);

/**
 * kmsdisk_put_back(): that copy is its database, while it is down: it then
 * knows no more than it did.
 */
void kmsdisk_put_back(struct sim *s, uint32_t number);

/**
 * kmsdisk_start(): it opens its database again, which has to be whole.
 */
void kmsdisk_start(struct sim *s, uint32_t number);

#endif /* MUSTER_SIM_KMSDISK_H */
