/* SPDX-License-Identifier: MIT */
/*
 * instance.h -- which instance of a machine id this is: BLAKE2b-128 of the
 * DMI product UUID, which only root may read and the agent's unit hands over
 * as the credential "product-uuid"; an edge.
 * Source: doc/protocol.md, "Machine".
 */
#ifndef MUSTER_AGENT_INSTANCE_H
#define MUSTER_AGENT_INSTANCE_H

#include "muster/err.h"

/**
 * instance_publish(): write the instance for everybody to read.
 *
 * Where credentials are handed over and none of them names a machine, one that
 * was published before is removed; where none are handed over at all, as for a
 * run by hand, it stays.
 *
 * In:      root     NULL: the machine itself
 * Returns: 0, also without a credential; as file_replace(), file_remove()
 */
MUSTER_NODISCARD int instance_publish(const char *root);

#endif /* MUSTER_AGENT_INSTANCE_H */
