/* SPDX-License-Identifier: MIT */
/*
 * assets.h -- the files of the status page, compiled in.
 */
#ifndef MUSTER_HOST_ASSETS_H
#define MUSTER_HOST_ASSETS_H

#include <stddef.h>

struct asset {
	const char *path; /* of the URL: "/", "/page.js" */
	const char *type; /* of its Content-Type */
	const unsigned char *bytes;
	size_t len;
	const char *etag; /* in quotes, of the bytes; NULL: none */
};

/**
 * asset_find(): the file of a URL's path.
 *
 * Returns: static, or NULL: there is none
 */
const struct asset *asset_find(const char *path);

#endif /* MUSTER_HOST_ASSETS_H */
