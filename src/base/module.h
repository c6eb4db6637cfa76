/* SPDX-License-Identifier: MIT */
/*
 * module.h -- code that a program loads when it first needs it, with the
 * libraries that it brings; found beside the program: PREFIX/bin/PROGRAM has
 * its modules in PREFIX/lib/muster.  An edge.
 */
#ifndef MUSTER_BASE_MODULE_H
#define MUSTER_BASE_MODULE_H

#include <muster/err.h>
#include <stddef.h>

#define MODULE_WHY_MAX 200 /* a path and the loader's sentence, cut */

/* What a module's symbol names, at its begin: is it of this build? */
struct module_head {
	const char *version; /* MUSTER_VERSION */
	size_t len;          /* of the struct that both sides share */
};

/**
 * module_load(): the symbol of a module, which stays loaded: OpenSSL, below
 * some, does not bear to be unloaded.
 *
 * In:      file     below the prefix, such as "/lib/muster/http.so"
 *          symbol   names a struct that begins with a struct module_head
 *          len      of the struct that both sides share
 * Out:     head_out    as long as the process lives
 *          why      MODULE_WHY_MAX bytes; on failure what is wrong, one
 *                   clause without the next step
 * Returns: 0
 *          MUSTER_E_NOENT   no module here, or it cannot be loaded
 *          MUSTER_E_SCHEMA  it is of another version
 *          MUSTER_E_IO      nobody says where the program is
 *          MUSTER_E_TOOBIG  its path is too long
 */
MUSTER_NODISCARD int module_load(const char *file, const char *symbol,
    size_t len, const struct module_head **head_out, char *why);

#endif /* MUSTER_BASE_MODULE_H */
