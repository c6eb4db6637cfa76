/* SPDX-License-Identifier: MIT */
/*
 * copy.h -- a copy of the database, while others use it.
 *
 * It is copied in one read transaction: in WAL mode that waits for no writer
 * and no writer for it, and what comes after its begin is not in the copy.
 * Until it is whole and synced it has another name.
 */
#ifndef MUSTER_AUTHORITY_COPY_H
#define MUSTER_AUTHORITY_COPY_H

#include "authority/db.h"

/**
 * copy_new(): a copy in a file that is not there yet, readable by its owner
 * alone: it has sealed keys and customers' names.
 *
 * Returns: 0
 *          MUSTER_E_EXIST   the file is there, and as it was
 *          MUSTER_E_UNSURE  it is there and whole, its folder was not synced
 *          MUSTER_E_TOOBIG, MUSTER_E_DENIED, MUSTER_E_NOENT, MUSTER_E_FULL,
 *          MUSTER_E_LOCKED, MUSTER_E_DAMAGED, MUSTER_E_IO: there is none
 * Blocks:  up to 10 s, while a writer merges its journal into the file
 */
MUSTER_NODISCARD int copy_new(sqlite3 *db, const char *path);

/**
 * copy_old(): a copy beside the database before its tables are changed, as
 * PATH.schema-VERSION; an earlier one of that version goes.
 *
 * In:      db  in a transaction that has the write lock and changed nothing
 * Returns: 0; as copy_new() but MUSTER_E_EXIST
 * Blocks:  as copy_new()
 */
MUSTER_NODISCARD int copy_old(sqlite3 *db, int version);

#endif /* MUSTER_AUTHORITY_COPY_H */
