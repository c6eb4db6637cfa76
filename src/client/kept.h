/* SPDX-License-Identifier: MIT */
/*
 * kept.h -- what a machine keeps of each publisher beside its catalogues; an
 * edge.  One place for host, client and command, PATH_CATALOGUES:
 *
 *   ID.muster  the catalogue that was installed
 *   ID.trust   there: the publisher is trusted, by `catalogue install --trust`
 *   ID.serial  decimal and hash: the newest catalogue ever in force here
 *
 * A host keeps an ID.serial of its own in its state folder as well, for the
 * folder is root's and musterd has a user.  The newer of the two counts.
 *
 * ID is the publisher's id in hex.  A file is replaced by rename only.
 * Source: doc/protocol.md, "Catalogue".
 */
#ifndef MUSTER_CLIENT_KEPT_H
#define MUSTER_CLIENT_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "muster/err.h"
#include "trust/label.h"

/* The newest catalogue ever in force; a serial of 0: none yet. */
struct kept_newest {
	uint32_t serial;
	uint8_t hash[HASH_LEN]; /* of the file */
};

/**
 * kept_path(): the name of one of the files.
 *
 * In:      folder   PATH_CATALOGUES under its root
 *          suffix   such as ".muster"
 * Out:     out      FILE_PATH_MAX bytes
 * Returns: 0; MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int kept_path(const char *folder, const uint8_t *publisher,
    const char *suffix, char *out);

/**
 * kept_is_trusted(): was the publisher trusted by an administrator?
 *
 * Returns: true when its mark is there
 */
bool kept_is_trusted(const char *folder, const uint8_t *publisher);

/**
 * kept_install(): put a catalogue in its place, and trust where it is new.
 *
 * In:      with_trust  leave the mark, once the file is there
 * Out:     path_out    FILE_PATH_MAX bytes: the catalogue, or on failure the file
 *                      that was not written
 * Returns: 0; as file_mkdirs() and file_replace()
 */
MUSTER_NODISCARD int kept_install(const char *folder, const uint8_t *publisher,
    const struct bytes *file, bool with_trust, char *path_out);

/**
 * kept_newest(): the newest catalogue ever in force.
 *
 * Out:     newest_out  zeros on failure, and where none ever was
 * Returns: 0; MUSTER_E_DAMAGED; MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int kept_newest(const char *folder, const uint8_t *publisher,
    struct kept_newest *newest_out);

/**
 * kept_remember(): note a catalogue that is in force; an older one than the
 * newest changes nothing.
 *
 * Returns: 0; as file_replace()
 */
MUSTER_NODISCARD int kept_remember(const char *folder, const uint8_t *publisher,
    const struct kept_newest *newest);

#endif /* MUSTER_CLIENT_KEPT_H */
