/* SPDX-License-Identifier: MIT */
/*
 * database.h -- where the count and the inventory of this host are kept: its
 * own database, or the one it shares.
 */
#ifndef MUSTER_HOST_DATABASE_H
#define MUSTER_HOST_DATABASE_H

#include <stdbool.h>

#include "host/config.h"
#include "store/store.h"

#define DATABASE "/host.db" /* below PATH_HOST_STATE */

/**
 * database_open(): open it, or make it where that is right (b4).
 *
 * In:      root    NULL: none
 *          is_new  the database is lost, and all are to be counted anew
 * Out:     store_out  for store_close()
 * Returns: 0; MUSTER_E_DENIED, MUSTER_E_NOENT and others of the folder; as
 *          store_open_sqlite() and store_open_shared(); all of it is logged
 */
MUSTER_NODISCARD int database_open(const char *root,
    const struct host_config *config, bool is_new, struct store **store_out);

/**
 * database_host(): give the store this host's name, as clients are sent to it
 * or as the machine is called: what it serves is of it.
 *
 * Out:     name_out WIRE_NAME_MAX + 1 bytes; empty where other hosts share the
 *                   store, and what has no name there may be of any of them
 */
void database_host(const struct host_config *config, struct store *store,
    char *name_out);

#endif /* MUSTER_HOST_DATABASE_H */
