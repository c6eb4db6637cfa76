/* SPDX-License-Identifier: MIT */
/*
 * image.h -- what `muster generalize` makes of the files on disk; an edge.
 *
 * Every file in the folders counts, whether its product is installed or not:
 * no CMID, no lease, no host that is remembered, and nothing kept as
 * NAME.damaged.  What a publisher's or
 * a product's file keeps: life_generalize(), life_generalize_product().
 * Source: doc/behaviour.md b38.
 */
#ifndef MUSTER_CLIENT_IMAGE_H
#define MUSTER_CLIENT_IMAGE_H

#include "muster/err.h"

/**
 * image_make(): clear them; it can be repeated, and goes on where it ended.
 *
 * A publisher's file that does not decode is removed, a product's becomes one
 * whose first sight is lost, so that damage is worth no fresh grace.
 *
 * In:      root     NULL: the machine itself
 * Out:     at_out   FILE_PATH_MAX bytes: what a failure is about
 * Returns: 0; as file_read(), file_replace(), file_remove(): some files are
 *          cleared and some are not
 */
MUSTER_NODISCARD int image_make(const char *root, char *at_out);

#endif /* MUSTER_CLIENT_IMAGE_H */
