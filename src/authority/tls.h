/* SPDX-License-Identifier: MIT */
/*
 * tls.h -- the certificate of the service and its key, as files.
 */
#ifndef MUSTER_AUTHORITY_TLS_H
#define MUSTER_AUTHORITY_TLS_H

#include <stddef.h>
#include <stdint.h>

#include "authority/ctx.h"

#define TLS_FILE_MAX 65536 /* a certificate with a long chain */

struct tls {
	char cert_pem[TLS_FILE_MAX + 1];
	char key_pem[TLS_FILE_MAX + 1];
	int64_t expires_unix_s;
};

/**
 * tls_load(): read both, and see that they belong together.
 *
 * Out:     tls_out  the caller wipes it
 * Returns: EXIT_DONE, or EXIT_CONFIG with the error printed: a file that
 *          cannot be read, a key that others can read, two that do not fit
 */
MUSTER_NODISCARD int tls_load(const struct ctx *ctx, const char *cert,
    const char *key, struct tls *tls_out);

#endif /* MUSTER_AUTHORITY_TLS_H */
