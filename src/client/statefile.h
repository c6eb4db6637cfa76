/* SPDX-License-Identifier: MIT */
/*
 * statefile.h -- the frame of every state file: a magic, a version, fields in
 * XDR, BLAKE2b-256 of all bytes before it.  Strict: one encoding, no trailing
 * bytes.  Pure.
 */
#ifndef MUSTER_CLIENT_STATEFILE_H
#define MUSTER_CLIENT_STATEFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "muster/err.h"

#define STATEFILE_VERSION 1U
#define STATEFILE_MAGIC_LEN 8

/**
 * statefile_begin(): write the magic and the version.
 *
 * In:      version  STATEFILE_VERSION, unless the file has had more than one
 * Returns: a writer for the fields
 */
struct wr
statefile_begin(uint8_t *buf, size_t cap, const char *magic, uint32_t version);

/**
 * statefile_finish(): write the checksum.
 *
 * Returns: 0; MUSTER_E_TOOBIG: over the writer's room; and the writer's error
 */
MUSTER_NODISCARD int statefile_finish(struct wr *w, size_t *len_out);

/**
 * statefile_open(): check magic, version and checksum.
 *
 * In:      newest   the highest version that the caller can read
 * Out:     r_out    stands at the first field, ends before the checksum
 *          version_out  1 to newest; may be NULL
 * Returns: 0; MUSTER_E_TRUNC; MUSTER_E_PROTO: another kind of file, or
 *          version; MUSTER_E_DAMAGED: the checksum does not match
 */
MUSTER_NODISCARD int
statefile_open(const uint8_t *p, size_t len, const char *magic, uint32_t newest,
    struct rd *r_out, uint32_t *version_out);

#endif /* MUSTER_CLIENT_STATEFILE_H */
