/* SPDX-License-Identifier: MIT */
/*
 * serve_check.h -- what the service looks at before it starts.
 */
#ifndef MUSTER_AUTHORITY_SERVE_CHECK_H
#define MUSTER_AUTHORITY_SERVE_CHECK_H

#include "authority/ctx.h"
#include "authority/enrolment.h"
#include "authority/settings.h"

#define SERVE_CHECK_FILES_MAX 4096 /* in all; our folder has six */
#define SERVE_CHECK_DEPTH_MAX 8    /* folders below it, one in another */

/**
 * serve_check_settings(): the file, and what the command line says instead.
 *
 * Returns: EXIT_DONE, or EXIT_CONFIG or EXIT_USAGE with the errors told
 */
MUSTER_NODISCARD int
serve_check_settings(const struct ctx *ctx, struct settings *s_out);

/**
 * serve_check_dir(): no root secret lies in the authority's folder or
 * in a folder within it.
 *
 * A service on a network must not be next to the one key that no catalogue
 * can revoke, be it sealed or not.
 *
 * Returns: EXIT_DONE, or EXIT_CONFIG or EXIT_FAILED with the error printed
 */
MUSTER_NODISCARD int serve_check_dir(const struct ctx *ctx);

/**
 * serve_check_open(): open database and secrets, and use each key file once:
 * the issuing key that is in its time, if any is, and the seal key on the first
 * host key, if there is one.
 *
 * Out:     env_out  for enrolment_close(), after a failure too
 * Returns: EXIT_DONE, or EXIT_FAILED or, of a key file, EXIT_CONFIG, with the
 *          error printed
 */
MUSTER_NODISCARD int
serve_check_open(const struct ctx *ctx, struct enrolment_env *env_out);

#endif /* MUSTER_AUTHORITY_SERVE_CHECK_H */
