/* SPDX-License-Identifier: MIT */
/*
 * module.h -- the store that is a module of its own: a shared count by
 * PostgreSQL (b11).
 *
 * A host that counts alone needs no libpq.  The module has copies of the pure
 * code that it uses; version and sizes tell whether they are of one build.
 */
#ifndef MUSTER_STORE_MODULE_H
#define MUSTER_STORE_MODULE_H

#include "base/module.h"
#include "store/store.h"

#define MODULE_FILE "/lib/muster/store_postgresql.so"
#define MODULE_SYMBOL "muster_store_postgresql"
#define MODULE_GROUP_MAX 48 /* a name of a schema has 63 bytes */

typedef int module_open_fn(const char *address, const char *group,
    struct store **store_out, struct store_diag *diag);

/* What MODULE_SYMBOL names. */
struct module {
	struct module_head head; /* its len is that of struct store */
	module_open_fn *open;
};

/**
 * store_open_shared(): load the module, and connect to the server.
 *
 * A server that cannot be reached is no failure: the store then says
 * MUSTER_E_AGAIN until it can be.
 *
 * In:      address  connection string, without a password
 *          group    hosts with the same one share a count; a schema's name
 * Out:     diag     on failure: cause and next step; else a warning or nothing
 * Returns: 0
 *          MUSTER_E_NOENT   no module here
 *          MUSTER_E_IO, MUSTER_E_TOOBIG  nor any place for it
 *          MUSTER_E_SCHEMA  the module, or the tables, of another version
 *          MUSTER_E_INVAL   the address is none
 *          MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int store_open_shared(const char *address, const char *group,
    struct store **store_out, struct store_diag *diag);

#endif /* MUSTER_STORE_MODULE_H */
