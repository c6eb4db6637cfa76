/* SPDX-License-Identifier: MIT */
/*
 * vdisk.h -- a disk under SQLite, which can be full, fail, and lose power.
 *
 * A VFS over SQLite's own: what is written goes into real files, in a folder
 * of memory, so that the store reads them as it always does.  Beside them is
 * kept what would outlive a loss of power: all that was synced, and of what
 * was written since, each write or not, whole or torn at a sector.  So writes
 * are lost and put out of order as a disk's cache does it.
 *
 * One disk a host.  SQLite's randomness comes from the world's generator.
 */
#ifndef MUSTER_SIM_VDISK_H
#define MUSTER_SIM_VDISK_H

#include <stdbool.h>
#include <stdint.h>

#include "muster/err.h"
#include "sim/rng.h"

#define VDISK_PATH_MAX 128

struct vdisk;

/**
 * vdisk_new(): an empty disk in a folder of its own.
 *
 * In:      rng      the world's, kept until vdisk_free()
 * Returns: 0; MUSTER_E_NOMEM; MUSTER_E_IO: no folder, or SQLite refuses
 */
MUSTER_NODISCARD int vdisk_new(struct rng *rng, struct vdisk **disk_out);

/**
 * vdisk_free(): remove it; NULL is fine.  No database is open on it.
 */
void vdisk_free(struct vdisk *d);

/**
 * vdisk_path(): where the database is.
 *
 * Returns: the disk's own memory
 */
const char *vdisk_path(const struct vdisk *d);

/**
 * vdisk_fail_after(): from the n-th operation on that writes or syncs, nothing
 * reaches the disk, and each one fails; until vdisk_power().
 *
 * In:      n        0: the next one; negative: none
 */
void vdisk_fail_after(struct vdisk *d, int32_t n);

/**
 * vdisk_fail_sync(): the same from the next sync on, so that all that a commit
 * wrote is there to be lost or torn; vdisk_fail_after() takes it back.
 */
void vdisk_fail_sync(struct vdisk *d);

/**
 * vdisk_has_failed(): did one of those happen?
 *
 * Returns: whether it did
 */
bool vdisk_has_failed(const struct vdisk *d);

/**
 * vdisk_fill(): no place for more, or place again.
 */
void vdisk_fill(struct vdisk *d, bool is_full);

/**
 * vdisk_power(): the disk is there again, and works; no database is open.
 *
 * In:      is_lost  the power went: what was not synced may be lost
 * Returns: 0; MUSTER_E_IO: a file could not be written
 */
MUSTER_NODISCARD int vdisk_power(struct vdisk *d, bool is_lost);

/**
 * vdisk_lie(): from now on it says that it has synced, and does not; or it has
 * by now, all of it.
 *
 * Returns: 0; MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int vdisk_lie(struct vdisk *d, bool is_lying);

/**
 * vdisk_save(): a copy of what is on it, in the place of an earlier one.
 *
 * Returns: 0; MUSTER_E_NOMEM, MUSTER_E_IO
 */
MUSTER_NODISCARD int vdisk_save(struct vdisk *d);

/**
 * vdisk_restore(): put the copy back; no database is open.
 *
 * Returns: 0; MUSTER_E_NOMEM, MUSTER_E_IO
 */
MUSTER_NODISCARD int vdisk_restore(struct vdisk *d);

/**
 * vdisk_be_read_only(): nothing can be written, as where a file system was
 * mounted anew after a failure; or it can again.
 */
void vdisk_be_read_only(struct vdisk *d, bool is_read_only);

/**
 * vdisk_fail_read(): after so many reads one fails, as of a bad sector; those
 * after it succeed, for who goes on must not take it for the end of a table.
 *
 * In:      n        negative: none does
 */
void vdisk_fail_read(struct vdisk *d, int32_t n);

/**
 * vdisk_lost(): how many writes were lost or torn by a loss of power.
 *
 * Returns: since vdisk_new()
 */
uint64_t vdisk_lost(const struct vdisk *d);

#endif /* MUSTER_SIM_VDISK_H */
