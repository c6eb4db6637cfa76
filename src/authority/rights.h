/* SPDX-License-Identifier: MIT */
/*
 * rights.h -- who else can read the secrets of an authority, or change what
 * it goes by.
 */
#ifndef MUSTER_AUTHORITY_RIGHTS_H
#define MUSTER_AUTHORITY_RIGHTS_H

#include "authority/ctx.h"

/**
 * rights_check(): the folder is written by its owner alone, and what is in the
 * two key files is read by their owner alone.
 *
 * Owners may be root and this user; for root, whose the folder is as well.
 * What is not there is let be: the command tells it.
 *
 * Returns: EXIT_DONE, or EXIT_FAILED with the error printed
 */
MUSTER_NODISCARD int rights_check(const struct ctx *ctx);

/**
 * rights_fail_config(): tell that others may have written a configuration,
 * as file_read_own() has found.
 *
 * Returns: EXIT_FAILED
 */
int rights_fail_config(const struct ctx *ctx, const char *path);

#endif /* MUSTER_AUTHORITY_RIGHTS_H */
