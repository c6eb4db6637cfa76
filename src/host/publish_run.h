/* SPDX-License-Identifier: MIT */
/*
 * publish_run.h -- publication in DNS while the host runs: what should stand,
 * the timers, and the updates in flight.
 *
 * An update that adds is sent once publish_file.h has on disk that it may
 * stand.
 * Switched off, nothing at all is sent: what stands may be kept by hand then.
 * Source: b20, b21.
 */
#ifndef MUSTER_HOST_PUBLISH_RUN_H
#define MUSTER_HOST_PUBLISH_RUN_H

#include <jansson.h>
#include <uv.h>

#include "host/conn.h"
#include "host/publish.h"
#include "host/publish_file.h"
#include "host/publish_job.h"
#include "host/state.h"

#define PUBLISH_WATCH_MS 2000   /* name, port and certificates are looked at */
#define PUBLISH_FILES_MAX 65536 /* of hosts and resolv.conf, each */

/* Why nothing is wanted. */
enum publish_reason {
	PUBLISH_ON,
	PUBLISH_OFF,
	PUBLISH_WITHDRAWN,
	PUBLISH_NO_CERTIFICATE,
	PUBLISH_NO_NAME,
	PUBLISH_NO_DOMAIN,
	PUBLISH_STOPPING
};

typedef void publish_stop_fn(void *arg);

struct publish_run {
	/* borrowed */
	const struct host_config *config;
	const struct state *state;
	struct conn_server *server;
	const char *root; /* or NULL */
	uv_loop_t *loop;
	/* its own */
	uv_timer_t wake, watch;
	struct publish *life;
	struct publish_job *jobs; /* PUBLISH_BUSY_MAX */
	char *texts;              /* twice PUBLISH_FILES_MAX + 1 */
	struct publish_file file;
	bool has_name;
	struct dns_name name;
	size_t n_candidates; /* what it would publish */
	struct publish_want candidates[PUBLISH_WANTED_MAX];
	enum publish_reason reason;
	bool is_told; /* the reason */
	bool is_withdrawn;
	bool is_full; /* there is no room for some domains */
	bool is_stopping;
	bool is_aborted;
	publish_stop_fn *stopped;
	void *stopped_arg;
	/* of each item: the write that first says its addition, 0: at start */
	uint64_t noted_at[PUBLISH_ITEMS_MAX];
	/* of each item's last update: the server, and what is wrong with the key */
	char at[PUBLISH_ITEMS_MAX][JOB_AT_MAX];
	const char *why[PUBLISH_ITEMS_MAX];
};

/**
 * publish_run_start(): read what may stand, and begin.
 *
 * In:      run      its borrowed fields are set
 * Returns: 0; MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int publish_run_start(struct publish_run *run);

/**
 * publish_run_stop(): withdraw where that is set, then leave the loop.
 *
 * In:      stopped  called once nothing is in flight; may be at once
 */
void
publish_run_stop(struct publish_run *run, publish_stop_fn *stopped, void *arg);

/**
 * publish_run_abort(): after publish_run_stop(): wait for nobody.
 */
void publish_run_abort(struct publish_run *run);

/**
 * publish_run_free(): after the loop has ended.
 */
void publish_run_free(struct publish_run *run);

/**
 * publish_run_now(): publish by hand; ends a withdrawal by hand.
 *
 * Returns: 0, and updates are on their way; or MUSTER_E_REFUSED: not now, for
 *          the reason that publish_reason_words() gives
 */
MUSTER_NODISCARD int publish_run_now(struct publish_run *run);

/**
 * publish_run_withdraw(): take every record away, until publish_run_now() or
 * the next start.
 */
void publish_run_withdraw(struct publish_run *run);

/**
 * publish_reason_words(): for people; NULL for PUBLISH_ON.
 *
 * Returns: static text
 */
const char *publish_reason_words(enum publish_reason reason);

/**
 * publish_json(): GET /v1/dns, and "dns" of GET /v1/status.
 *
 * Returns: an object, or NULL out of memory
 */
json_t *publish_json(const struct publish_run *run);

#endif /* MUSTER_HOST_PUBLISH_RUN_H */
