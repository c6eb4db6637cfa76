/* SPDX-License-Identifier: MIT */
/*
 * host_offline.h -- a request that goes out without a network.
 */
#ifndef MUSTER_CLI_HOST_OFFLINE_H
#define MUSTER_CLI_HOST_OFFLINE_H

#include "cli/cli.h"

struct host_offline {
	const char *file; /* NULL: to standard output */
	bool is_qr;
	long replaces; /* slot, or 0 */
};

/**
 * host_offline(): hand a request out as digits, QR code or file.
 *
 * In:      reply    of musterd to /v1/enrolment; its reference is taken
 * Returns: exit code
 */
int host_offline(const struct cli *c, const struct host_offline *how,
    json_t *reply);

#endif /* MUSTER_CLI_HOST_OFFLINE_H */
