/* SPDX-License-Identifier: MIT */
/*
 * prepared.h -- what goes from the database to the signing machine, as JSON.
 */
#ifndef MUSTER_AUTHORITY_PREPARED_H
#define MUSTER_AUTHORITY_PREPARED_H

#include "authority/ctx.h"
#include "trust/catalogue.h"

#define PREPARED_SCHEMA "muster.prepared/1"
#define PREPARED_ISSUERS 256       /* their numbers are 1 to 255 */
#define PREPARED_MAX (1024 * 1024) /* bytes of the file */

/* Host certificates that hang on an issuing key, by its number. */
struct prepared_hosts {
	uint32_t n[PREPARED_ISSUERS];
};

/**
 * prepared_json(): the parts of a catalogue that the database knows.
 *
 * In:      last     the one that was imported last, without products where
 *                   there is none
 * Returns: a new object, or NULL for want of memory
 */
json_t *prepared_json(const struct catalogue *cat,
    const struct prepared_hosts *hosts, const struct catalogue *last);

/**
 * prepared_read(): read the file into a catalogue that has no products yet.
 *
 * In:      ctx      for the report of what is wrong
 * Out:     cat_out  zeroed but for what the file says
 *          last_out of the catalogue that was imported last: the numbers of
 *                   its issuing keys, the ids and names of its products
 * Returns: EXIT_DONE, or EXIT_FAILED with the error printed
 */
MUSTER_NODISCARD int prepared_read(const struct ctx *ctx, const char *path,
    struct catalogue *cat_out, struct prepared_hosts *hosts_out,
    struct catalogue *last_out);

#endif /* MUSTER_AUTHORITY_PREPARED_H */
