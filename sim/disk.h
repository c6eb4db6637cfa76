/* SPDX-License-Identifier: MIT */
/*
 * disk.h -- the files of a machine, as bytes, by the codecs of src/client.
 *
 * Written in the agent's order: lease, publisher, product, view, clock; of a
 * rearm all of that but the clock, and then the leases that it drops; the
 * power may go between any two.  Beside each file lies what it was made of,
 * so that a codec that loses a field is seen at the next start.
 */
#ifndef MUSTER_SIM_DISK_H
#define MUSTER_SIM_DISK_H

#include "sim/sim.h"

/**
 * disk_write(): what a step left to be written.
 *
 * In:      pc       writes_left files at most, or all where it is negative
 * Returns: 0; what a codec said
 */
MUSTER_NODISCARD int disk_write(struct pc *pc, uint32_t product);

/**
 * disk_write_states(): the publisher's and the product's file and its view.
 *
 * Returns: 0; what a codec said
 */
MUSTER_NODISCARD int disk_write_states(struct pc *pc, uint32_t product);

/**
 * disk_write_known(): the host that responded.
 *
 * Returns: 0; what the codec said
 */
MUSTER_NODISCARD int disk_write_known(struct pc *pc);

/**
 * disk_drop_lease(): the last part of a rearm.
 */
void disk_drop_lease(struct pc *pc, uint32_t product);

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
