/* SPDX-License-Identifier: MIT */
/*
 * image.h -- a file, and what of it would outlive a loss of power: all that was
 * synced; what was written since waits in a list.
 */
#ifndef MUSTER_SIM_IMAGE_H
#define MUSTER_SIM_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "muster/err.h"
#include "sim/rng.h"

#define IMAGE_PATH_MAX 160
#define IMAGE_SECTOR 512

#define IMAGE_CUT (-1)  /* a truncation */
#define IMAGE_GONE (-2) /* the file was removed */

/* Something that was written and not yet synced. */
struct op {
	struct op *next;
	int64_t at; /* of a truncation: the new length */
	int len;    /* or one of: */
	uint8_t data[];
};

struct image {
	char path[IMAGE_PATH_MAX];
	bool is_there;
	uint8_t *bytes; /* synced */
	int64_t len, cap;
	struct op *first, *last;
	uint8_t *saved; /* NULL: it was not there */
	int64_t saved_len;
};

/**
 * image_note(): something was written, or cut to a length.
 *
 * In:      len      of p; IMAGE_CUT: a truncation to at; IMAGE_GONE
 * Returns: false when memory runs out
 */
bool image_note(struct image *m, const void *p, int len, int64_t at);

/**
 * image_sync_all(): what waits is on the disk.
 *
 * Returns: false when memory runs out
 */
bool image_sync_all(struct image *m);

/**
 * image_forget(): nothing waits.
 */
void image_forget(struct image *m);

/**
 * image_lose(): the power went: of what waits each write is there, or not, or
 * torn at a sector, the length of the file with it or not.
 *
 * In:      rng      NULL: the disk lied, and nothing of it is there
 * Out:     lost     counted on
 * Returns: false when memory runs out
 */
bool image_lose(struct image *m, struct rng *rng, uint64_t *lost);

/**
 * image_put_back(): make the file what would have outlived it.
 *
 * Returns: 0; MUSTER_E_IO
 */
MUSTER_NODISCARD int image_put_back(const struct image *m);

/**
 * image_save(): keep a copy of the file as it is.
 *
 * Returns: 0; MUSTER_E_NOMEM, MUSTER_E_IO
 */
MUSTER_NODISCARD int image_save(struct image *m);

/**
 * image_restore(): make the file that copy again.
 *
 * Returns: 0; MUSTER_E_NOMEM, MUSTER_E_IO
 */
MUSTER_NODISCARD int image_restore(struct image *m);

/**
 * image_free(): give its memory back; the file stays.
 */
void image_free(struct image *m);

#endif /* MUSTER_SIM_IMAGE_H */
