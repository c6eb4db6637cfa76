/* SPDX-License-Identifier: MIT */
/*
 * restore.h -- musterd --restore: a backup from standard input in the place of
 * the database, while no musterd has it.  What came of it is one JSON object
 * on standard output: {"previous": path or null} or {"error"}.
 */
#ifndef MUSTER_HOST_RESTORE_H
#define MUSTER_HOST_RESTORE_H

#include <stdbool.h>

/**
 * restore_run(): do it and tell.
 *
 * In:      root       or NULL
 *          is_shared  the count is a server's
 * Returns: false when it failed
 */
bool restore_run(const char *root, bool is_shared);

#endif /* MUSTER_HOST_RESTORE_H */
