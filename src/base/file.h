/* SPDX-License-Identifier: MIT */
/*
 * file.h -- reading and replacing small files; an edge.
 *
 * file_replace() leaves the old or the new content after a power loss, never
 * half of either: write, fsync, rename, fsync of the folder.
 */
#ifndef MUSTER_BASE_FILE_H
#define MUSTER_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "muster/err.h"

#define FILE_PATH_MAX 1024 /* bytes of a path, NUL included */

/**
 * file_read(): a whole regular file of at most cap bytes.
 *
 * Out:     buf      caller's memory of cap bytes
 *          len_out  bytes read
 * Returns: 0
 *          MUSTER_E_NOENT   no such file
 *          MUSTER_E_DENIED  not readable
 *          MUSTER_E_TOOBIG  over cap
 *          MUSTER_E_IO      anything else, not a regular file included
 */
MUSTER_NODISCARD int
file_read(const char *path, uint8_t *buf, size_t cap, size_t *len_out);

/**
 * file_read_own(): the same of a file that nobody else can have written.
 *
 * Returns: as file_read()
 *          MUSTER_E_DAMAGED  others may write it, or its owner is neither
 *                            root nor this process's user
 */
MUSTER_NODISCARD int
file_read_own(const char *path, uint8_t *buf, size_t cap, size_t *len_out);

/**
 * file_read_secret(): the same of a file that nobody else can have read: no
 * link, this process's user's, mode 0400 or 0600.  All of it is seen at the
 * file that is then read, whatever is renamed meanwhile.
 *
 * Returns: as file_read()
 *          MUSTER_E_DAMAGED  it is not so; nothing was read
 */
MUSTER_NODISCARD int
file_read_secret(const char *path, uint8_t *buf, size_t cap, size_t *len_out);

/**
 * file_replace(): write a file by rename, durable when it returns.
 *
 * In:      data, len  borrowed
 *          mode       of the file, whatever the umask
 * Returns: 0
 *          MUSTER_E_DENIED  folder not writable
 *          MUSTER_E_NOENT   folder not there
 *          MUSTER_E_TOOBIG  the path; the old file is untouched, as below
 *          MUSTER_E_FULL    no space
 *          MUSTER_E_IO      anything else
 *          MUSTER_E_UNSURE  the new file is in its place, but its folder could
 *                           not be synced: power loss may bring the old one
 *                           back
 */
MUSTER_NODISCARD int
file_replace(const char *path, const void *data, size_t len, mode_t mode);

/**
 * file_publish(): give a file that is complete and synced its name, unless
 * there is one of that name.
 *
 * temp  its name until now, in the same folder; gone in every case
 *
 * Returns: 0, MUSTER_E_EXIST (there is one: it is as before), MUSTER_E_UNSURE
 * (it is in its place, its folder could not be synced), MUSTER_E_DENIED,
 * MUSTER_E_FULL or MUSTER_E_IO
 */
MUSTER_NODISCARD int file_publish(const char *temp, const char *path);

/**
 * file_remove(): remove a file, durably.
 *
 * Returns: 0, also when there was none; MUSTER_E_DENIED, MUSTER_E_IO
 *          MUSTER_E_UNSURE  removed, but its folder could not be synced: power
 *                           loss may bring it back
 */
MUSTER_NODISCARD int file_remove(const char *path);

/**
 * file_mkdirs(): make a folder and those above it.
 *
 * Returns: 0; MUSTER_E_DENIED, MUSTER_E_IO
 */
MUSTER_NODISCARD int file_mkdirs(const char *path, mode_t mode);

/**
 * file_join(): "ROOT" + "/abs/path", or just the path when root is NULL.
 *
 * Returns: 0; MUSTER_E_TOOBIG over cap
 */
MUSTER_NODISCARD int
file_join(const char *root, const char *path, char *out, size_t cap);

#endif /* MUSTER_BASE_FILE_H */
