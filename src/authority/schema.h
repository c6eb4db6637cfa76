/* SPDX-License-Identifier: MIT */
/*
 * schema.h -- tables of the database, and how an older one becomes this.
 *
 *   version  what
 *         1  slots and hosts by the host's public key
 *         2  by its fingerprint, which a telephone call carries; wrong codes
 *            of a key are counted
 *         3  of an issuing key: whether the newest catalogue has it, whether
 *            it was dropped
 */
#ifndef MUSTER_AUTHORITY_SCHEMA_H
#define MUSTER_AUTHORITY_SCHEMA_H

#include "authority/db.h"

#define SCHEMA_VERSION 3

/**
 * schema_create(): the tables, in an empty database.
 *
 * In:      application_id  of the file
 * Returns: 0; as db_exec()
 */
MUSTER_NODISCARD int schema_create(sqlite3 *db, int application_id);

/**
 * schema_upgrade(): make an older version this one, in one transaction, once
 * there is a copy of it.
 *
 * Returns: 0, also when it was made meanwhile by somebody else
 *          MUSTER_E_SCHEMA  no version that is known here
 *          as db_exec() and copy_old(): nothing was changed
 * Blocks:  up to DB_BUSY_MS, and as copy_old()
 */
MUSTER_NODISCARD int schema_upgrade(sqlite3 *db);

#endif /* MUSTER_AUTHORITY_SCHEMA_H */
