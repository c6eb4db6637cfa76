/* SPDX-License-Identifier: MIT */
/*
 * disk.h -- the files of a machine, as bytes, by the codecs of src/client.
 *
 * Written in the agent's order: lease, publisher, product, view, clock; of a
 * rearm all of that but the clock, and then the leases that it drops; the
 * power may go between any two, and in a step any may fail: its disk is full, or
 * does not say whether it lasts.  Beside each file lies what it was made of,
 * so that a codec that loses a field is seen at the next start.
 */
#ifndef MUSTER_SIM_DISK_H
#define MUSTER_SIM_DISK_H

#include "sim/sim.h"

#define DISK_NO_POWER MUSTER_E_TRUNC /* the power went first */

/**
 * disk_write_lease(): the lease that a step took, or one that may not last.
 *
 * In:      pc       writes_left files at most, or all where it is negative;
 *                   sick, when one is to fail
 * Returns: 0; MUSTER_E_UNSURE: it is there and may not last; MUSTER_E_FULL,
 *          MUSTER_E_IO, DISK_NO_POWER: it is as it was; what a codec said
 */
MUSTER_NODISCARD int disk_write_lease(struct pc *pc, uint32_t product);

/**
 * disk_write(): all else that a step left to be written, or an earlier one
 * could not write.
 *
 * Returns: as disk_write_lease()
 */
MUSTER_NODISCARD int disk_write(struct pc *pc, uint32_t product);

/**
 * disk_is_sick(): was it the disk that failed, or the power, and no codec?
 *
 * Returns: true when it was
 */
bool disk_is_sick(int err);

/**
 * disk_holds(): is the lease that the product goes by the one on its disk?
 *
 * Returns: true when it is, byte for byte
 */
bool disk_holds(const struct pc *pc, uint32_t product);

/**
 * disk_write_states(): the publisher's and the product's file and its view.
 *
 * Returns: as disk_write_lease()
 */
MUSTER_NODISCARD int disk_write_states(struct pc *pc, uint32_t product);

/**
 * disk_write_known(): the host that responded.
 *
 * Returns: as disk_write_lease()
 */
MUSTER_NODISCARD int disk_write_known(struct pc *pc);

/**
 * disk_drop_lease(): the last part of a rearm.
 *
 * Returns: as disk_write_lease()
 */
MUSTER_NODISCARD int disk_drop_lease(struct pc *pc, uint32_t product);

/**
 * disk_read(): publisher, clock, and the host that is remembered.
 *
 * Returns: 0; what a codec said; MUSTER_E_MISMATCH: it is not what was written
 */
MUSTER_NODISCARD int disk_read(struct pc *pc);

/**
 * disk_read_product(): one product and its lease.
 *
 * Returns: as disk_read()
 */
MUSTER_NODISCARD int disk_read_product(struct pc *pc, uint32_t product);

/**
 * disk_is_foreign(): was the state made by another machine? As b38 says: by
 * its id, or by its instance where both have one.
 *
 * Returns: true when it was
 */
bool disk_is_foreign(const struct pc *pc);

/**
 * disk_is_image(): was the product's file left by another machine's
 * generalize, and not written since?
 *
 * Returns: true when it was
 */
bool disk_is_image(const struct pc *pc, uint32_t product);

#endif /* MUSTER_SIM_DISK_H */
