/* SPDX-License-Identifier: MIT */
/*
 * confine.h -- the files that musterd opens after its start: all others are
 * closed to it (Landlock, base/sandbox.h).
 */
#ifndef MUSTER_HOST_CONFINE_H
#define MUSTER_HOST_CONFINE_H

#include <stdbool.h>

/**
 * confine(): from here on nothing else can be opened; for good.
 *
 * The settings' folder is among what can be read, since an editor may put
 * another file in the place of the settings.
 *
 * In:      root      of --root, or NULL for the site's own folders
 *          config    path of the settings, shorter than FILE_PATH_MAX
 *          key       path of the key of publications, may be empty
 * Returns: whether the kernel does it, as sandbox_files()
 */
bool confine(const char *root, const char *config, const char *key);

#endif /* MUSTER_HOST_CONFINE_H */
