/* SPDX-License-Identifier: MIT */
/*
 * keymem.h -- memory for an identity key: a place of its own between pages
 * that nobody may touch, in no core file, and locked, so that it is never
 * swapped out.  The kernel may refuse the lock: a host that ended at that
 * would be worse for everybody, so it serves all the same, and says so.
 */
#ifndef MUSTER_HOST_KEYMEM_H
#define MUSTER_HOST_KEYMEM_H

#include <stdint.h>

#include "host/problem.h"
#include "muster/err.h"

/**
 * keymem_new(): room for SECKEY_LEN bytes.
 *
 * Out:     sk_out    for the caller to sodium_free(), which wipes
 *          lock_err  set to the errno of a lock that was refused, else as it is
 * Returns: 0; MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int
keymem_new(uint8_t **sk_out, int *lock_err, struct problem *problem);

/**
 * keymem_tell(): that a key is not in locked memory, in the log.
 *
 * In:      of        the publisher's name
 *          lock_err  as keymem_new() gave it
 */
void keymem_tell(const char *of, int lock_err);

#endif /* MUSTER_HOST_KEYMEM_H */
