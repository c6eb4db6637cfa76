/* SPDX-License-Identifier: MIT */
/*
 * status.h -- the status listener: HTTP on a TCP port, read-only.
 *
 *   /                       the page, and its files (assets.h)
 *   /v1/status, /v1/dns, /v1/history, /v1/events, /v1/clients
 *                           as on host.sock (admin.h); clients by the page
 *   /metrics                for Prometheus (metrics.h)
 *   /healthz, /readyz       for who starts and watches services
 *
 * GET and HEAD alone.  There is no password: who reaches the address may
 * read.  A page of somebody else's, open in the browser of an administrator,
 * may not: the Host header must be an address that is ours or a name of
 * loopback, so a name that was made to point here is refused (421), and the
 * headers of every answer keep the page to itself.  No answer holds a secret:
 * no function behind these paths reads a key.
 */
#ifndef MUSTER_HOST_STATUS_H
#define MUSTER_HOST_STATUS_H

#include "host/admin.h"

struct status;

/**
 * status_listen(): serve the configured address; none is fine.
 *
 * What is wrong is told in the log, with what to do: a host without its page
 * activates machines all the same.
 *
 * In:      host     copied; status_at is set by us
 * Returns: NULL: it is off, or failed
 */
struct status *status_listen(uv_loop_t *loop, struct admin_host *host);

/**
 * status_close(): end it; NULL is fine.
 */
void status_close(struct status *status);

/**
 * status_free(): after the loop has run out; NULL is fine.
 */
void status_free(struct status *status);

/**
 * status_is_our_host(): is a Host header one that a browser sends to us?
 *
 * In:      text     NULL: there was none
 *          address  that is listened on; of a wildcard any address is ours
 * Returns: true for an address of ours or a name of loopback, with any port:
 *          a tunnel may have another one
 */
bool status_is_our_host(const char *text, const char *address);

#endif /* MUSTER_HOST_STATUS_H */
