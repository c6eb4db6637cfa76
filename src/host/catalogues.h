/* SPDX-License-Identifier: MIT */
/*
 * catalogues.h -- which catalogue of a publisher is in force; part of state.h.
 */
#ifndef MUSTER_HOST_CATALOGUES_H
#define MUSTER_HOST_CATALOGUES_H

#include "host/state.h"

/**
 * catalogues_scan(): weigh every file of a folder; what is wrong with one is
 * logged, and the file passed over.
 *
 * In:      is_shipped  its publishers are trusted
 * Returns: 0, a folder that is not there included; MUSTER_E_IO,
 *          MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int
catalogues_scan(struct state *state, const char *folder, bool is_shipped);

/**
 * catalogues_settle(): after the scans; a publisher without a catalogue in
 * force is dropped, and of two with one product the one that was read second.
 */
void catalogues_settle(struct state *state);

/**
 * catalogues_remember(): note the serial in force, so that no older one comes
 * back.
 *
 * Returns: as file_replace()
 */
MUSTER_NODISCARD int catalogues_remember(const struct publisher *pub);

/**
 * catalogues_reserve(): make room in the store for a catalogue's groups.
 *
 * Returns: as store_reserve()
 */
MUSTER_NODISCARD int catalogues_reserve(const struct catalogue *cat,
    struct store *store, struct problem *problem);

#endif /* MUSTER_HOST_CATALOGUES_H */
