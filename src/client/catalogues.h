/* SPDX-License-Identifier: MIT */
/*
 * catalogues.h -- which catalogue is in force on a machine; an edge.
 *
 * Packages ship catalogues and so name the publishers that are trusted; a
 * file in PATH_CATALOGUES counts only for one of these, or beside the mark of
 * trust that `muster catalogue install --trust` left (kept.h).  In force is,
 * per publisher, the highest serial that verifies and is no older than the
 * newest that ever was.
 * Source: doc/protocol.md, "Catalogue".
 */
#ifndef MUSTER_CLIENT_CATALOGUES_H
#define MUSTER_CLIENT_CATALOGUES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"
#include "muster/err.h"
#include "trust/catalogue.h"

#define CATALOGUES_MAX 64

struct catalogues_entry {
	char path[FILE_PATH_MAX];
	int err; /* why it does not count, or 0 */
	bool is_shipped;
	bool is_strange; /* of a publisher that is not trusted */
	bool is_in_force;
	struct cat_head head;   /* unless the file itself is bad */
	uint8_t hash[HASH_LEN]; /* of the file */
};

struct catalogues {
	size_t n;
	struct catalogues_entry entry[CATALOGUES_MAX];
};

/**
 * catalogues_load(): read and verify one file.
 *
 * Out:     cat_out  caller's memory; undefined on failure
 *          hash_out HASH_LEN bytes, or NULL
 * Returns: 0; as cat_load() and file_read(); MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int
catalogues_load(const char *path, struct catalogue *cat_out, uint8_t *hash_out);

/**
 * catalogues_scan(): every catalogue under a root, and which are in force.
 *
 * In:      extra    one more file, trusted as if a package had shipped it, or
 *                   NULL
 * Out:     c_out    caller's memory; entries in no particular order; an err of
 *                   MUSTER_E_PUBLISHER: not trusted; of MUSTER_E_SERIAL: older
 *                   than the newest ever in force; of MUSTER_E_EXIST: differs
 *                   from another file of its serial
 * Returns: 0; MUSTER_E_NOMEM, MUSTER_E_TOOBIG: over CATALOGUES_MAX files
 */
MUSTER_NODISCARD int
catalogues_scan(const char *root, const char *extra, struct catalogues *c_out);

/**
 * catalogues_fn(): one catalogue in force.
 *
 * In:      cat      as long as the call takes
 * Returns: 0 to go on; another value to end with it
 */
typedef int catalogues_fn(void *arg, const struct catalogue *cat);

/**
 * catalogues_each(): every catalogue in force under a root.
 *
 * Returns: 0; what fn ended with; as catalogues_scan(), catalogues_load();
 *          the failure of the extra file
 */
MUSTER_NODISCARD int catalogues_each(const char *root, const char *extra,
    catalogues_fn *fn, void *arg);

/**
 * catalogues_for(): the catalogue in force that has a product.
 *
 * Out:     cat_out  caller's memory; undefined on failure
 * Returns: 0
 *          MUSTER_E_NOENT    there is no catalogue that counts
 *          MUSTER_E_SERIAL   there is one, older than the newest ever
 *          MUSTER_E_PRODUCT  none has the product
 *          and the failure of the extra file
 */
MUSTER_NODISCARD int catalogues_for(const char *root, const char *extra,
    const uint8_t *product, struct catalogue *cat_out);

#endif /* MUSTER_CLIENT_CATALOGUES_H */
