/* SPDX-License-Identifier: MIT */
/*
 * catalogues.h -- which catalogue of a publisher is in force; part of state.h.
 */
#ifndef MUSTER_HOST_CATALOGUES_H
#define MUSTER_HOST_CATALOGUES_H

#include "host/state.h"

/**
 * catalogues_weigh(): at the start; take a file up when it is the newest so
 * far.  What is wrong with it is logged, and the file passed over.
 *
 * In:      is_shipped  its publisher is trusted
 * Returns: 0; MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int
catalogues_weigh(struct state *state, const char *path, bool is_shipped);

/**
 * catalogues_offer(): on a running host; put a file in force when it may be.
 *
 * What is wrong with it is logged, and nothing changes.
 *
 * In:      store       gets room for the groups before anything changes
 *          is_shipped  its publisher is trusted
 */
void catalogues_offer(struct state *state, struct store *store,
    const char *path, bool is_shipped);

/**
 * catalogues_settle(): after the scans; a publisher without a catalogue in
 * force is dropped, and of two with one product the one that was read second.
 */
void catalogues_settle(struct state *state);

/**
 * catalogues_remember(): note the serial in force, so that no older one comes
 * back.
 *
 * Returns: as file_mkdirs() and file_replace()
 */
MUSTER_NODISCARD int
catalogues_remember(const struct state *state, const struct publisher *pub);

/**
 * catalogues_reserve(): make room in the store for a catalogue's groups.
 *
 * Returns: as store_reserve()
 */
MUSTER_NODISCARD int catalogues_reserve(const struct catalogue *cat,
    struct store *store, struct problem *problem);

#endif /* MUSTER_HOST_CATALOGUES_H */
