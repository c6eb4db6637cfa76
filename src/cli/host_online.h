/* SPDX-License-Identifier: MIT */
/*
 * host_online.h -- a host is activated over HTTPS.
 */
#ifndef MUSTER_CLI_HOST_ONLINE_H
#define MUSTER_CLI_HOST_ONLINE_H

#include <jansson.h>

#include "cli/cli.h"

/* A key has nine reactivations, so the authority is hardly further ahead of a
 * state that was restored; each try is a request that it may limit. */
#define HOST_ONLINE_FRESH_MAX 16

struct host_online {
	const char *url; /* NULL: the catalogue's */
	const char *ca;  /* NULL: the system's */
	json_t *what;    /* publisher and slot to replace, for musterd */
};

/**
 * host_online(): have musterd make a request, carry it to the authority, and
 * the certificate back.
 *
 * Where the authority knows a later counter (this host's state was restored),
 * fresh requests are made, HOST_ONLINE_FRESH_MAX at most.
 *
 * In:      how->what  borrowed
 * Returns: exit code
 */
int host_online(const struct cli *c, const struct host_online *how);

#endif /* MUSTER_CLI_HOST_ONLINE_H */
