/* SPDX-License-Identifier: MIT */
/*
 * admin.h -- the administration interface: HTTP and JSON on host.sock.
 *
 *   GET  /v1/status       keys, certificates, counts, requests, listeners
 *   GET  /v1/dns          what is published, may stand, and the lines by hand
 *   GET  /v1/clients      the inventory; made beside the loop, two at a time;
 *                         with limit a page of it (page.h)
 *   GET  /v1/history      counts and answers over time; resolution=minute|hour
 *   GET  /v1/events       the last lines of the log; after=ID, limit=N
 *   GET  /v1/backup       the database, as a file; one at a time
 *   POST /v1/install-key  {"key", "publisher"?}
 *   POST /v1/remove-key   {"publisher"?}
 *   POST /v1/enrolment    {"publisher"?, "replaces"?}  -> {"request": hex}
 *   POST /v1/certificate  {"certificate": hex}
 *   POST /v1/catalogue    {"catalogue": hex, "trust"?: publisher id, hex}
 *   POST /v1/dns/publish  {}; answers at once, as GET /v1/dns: "pending" says
 *   POST /v1/dns/withdraw {}  how many updates are on their way
 *
 * Who can connect may read (0660, group muster); who changes must be uid 0,
 * or, for a host below --root, the user that runs it, by SO_PEERCRED.  An
 * error is {"error": {"code", "message", "next_step"}}.  A change holds from
 * the next turn on, without a restart.
 */
#ifndef MUSTER_HOST_ADMIN_H
#define MUSTER_HOST_ADMIN_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/sandbox.h"
#include "host/config.h"
#include "host/conn.h"
#include "host/problem.h"
#include "host/publish_run.h"
#include "host/selftest.h"
#include "host/state.h"
#include "host/turnloop.h"
#include "host/watch.h"

/* What the interface shows and changes; all borrowed. */
struct admin_host {
	const struct host_config *config;
	struct state *state;
	struct turnloop *turnloop;
	const struct store *store; /* for store_clients_aside() alone */
	struct conn_server *server;
	struct publish_run *publish;
	struct watch *watch;
	const struct selftest *selftest;
	int64_t started_unix_s;
	struct config_server status_at; /* the status listener's; or none */
	bool is_below_root;             /* --root was given */
	const struct sandbox *sandbox;  /* of the time of asking */
};

struct admin;

/**
 * admin_listen(): make the socket and serve it on the loop.
 *
 * In:      path     of the socket; one that is left over is replaced
 *          fd       a listening socket that was handed over, or -1
 * Out:     problem  on failure
 * Returns: 0
 *          MUSTER_E_TOOBIG  path over PATH_SOCKET_MAX
 *          MUSTER_E_EXIST   something that is no socket has the name
 *          MUSTER_E_DENIED, MUSTER_E_IO, MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int
admin_listen(uv_loop_t *loop, const struct admin_host *host, const char *path,
    int fd, struct admin **admin_out, struct problem *problem);

/**
 * admin_close(): end it and remove the socket; NULL is fine.
 *
 * The memory is freed by admin_free(), after the loop has ended.
 */
void admin_close(struct admin *admin);

/**
 * admin_free(): after the loop has run out; NULL is fine.
 */
void admin_free(struct admin *admin);

#endif /* MUSTER_HOST_ADMIN_H */
