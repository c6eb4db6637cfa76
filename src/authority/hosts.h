/* SPDX-License-Identifier: MIT */
/*
 * hosts.h -- slots and the hosts in them, for several commands.
 */
#ifndef MUSTER_AUTHORITY_HOSTS_H
#define MUSTER_AUTHORITY_HOSTS_H

#include "authority/ctx.h"
#include "authority/db.h"

/**
 * hosts_list(): list slots, printed or for JSON.
 *
 * In:      key_number  0: of every key
 *          take        by --json, called with each slot, whose reference it
 *                      takes; NULL: out of memory
 * Returns: 0; MUSTER_E_IO, MUSTER_E_DAMAGED
 */
MUSTER_NODISCARD int hosts_list(const struct ctx *ctx, sqlite3 *db,
    uint32_t key_number, void (*take)(void *arg, json_t *slot), void *arg);

/**
 * hosts_revocation_day(): day of --as-of, 0 without; --yes must be there.
 *
 * Returns: EXIT_DONE, or EXIT_USAGE with the error printed
 */
MUSTER_NODISCARD int
hosts_revocation_day(const struct ctx *ctx, uint16_t *day_out);

#endif /* MUSTER_AUTHORITY_HOSTS_H */
