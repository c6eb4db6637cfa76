/* SPDX-License-Identifier: MIT */
/*
 * keep.h -- the client's state on disk; an edge.
 *
 * Under PATH_AGENT_STATE: publishers/ID.state, publishers/ID.host and
 * products/ID.state (0600), leases/ID.lease and leases/ID.view (0644), clock.state, settings.state and
 * a lock.  Each file is replaced by rename, so power loss leaves the old or
 * the new one.  A file that is damaged is kept as NAME.damaged, and what it
 * held is taken from a lease of this machine (recover.h).
 */
#ifndef MUSTER_CLIENT_KEEP_H
#define MUSTER_CLIENT_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"
#include "client/clockwatch.h"
#include "client/life.h"
#include "client/settings.h"
#include "muster/err.h"

#define KEEP_LOCK_MS 30000 /* a wait for another call's lock, at most */

#define KEEP_DAMAGES_MAX 3 /* one a file */

enum keep_file { KEEP_PUBLISHER, KEEP_PRODUCT, KEEP_LEASE };

/* Paths of one product and its publisher. */
struct keep {
	char publisher[FILE_PATH_MAX];
	char known[FILE_PATH_MAX]; /* the host that responded last */
	char product[FILE_PATH_MAX];
	char lease[FILE_PATH_MAX];
	char view[FILE_PATH_MAX];
	const char *at; /* the one that was last read or written */
};

/* A file that was not what was written. */
struct keep_damage {
	enum keep_file file;
	char path[FILE_PATH_MAX];
	bool is_recovered; /* by a lease; else it begins anew */
};

/* What was found on disk, or recovered. */
struct keep_found {
	bool has_publisher;
	bool has_product;
	bool has_lease;
	size_t n_damages;
	struct keep_damage damage[KEEP_DAMAGES_MAX];
};

/**
 * keep_lock(): nobody else works on the state under a root.
 *
 * In:      root     NULL: the machine itself
 *          wait_ms  how long to wait for the lock; 0: not at all, and others
 *                   need not wait either, for it is held for good (an agent)
 * Out:     fd_out   close it to give the lock up
 * Returns: 0
 *          MUSTER_E_LOCKED  another process holds it
 *          MUSTER_E_DENIED, MUSTER_E_IO, MUSTER_E_TOOBIG
 * Blocks:  up to wait_ms
 */
MUSTER_NODISCARD int keep_lock(const char *root, int wait_ms, int *fd_out);

/**
 * keep_tidy(): remove what a writer that was killed left half written; only
 * while holding the lock.
 *
 * Returns: 0; MUSTER_E_TOOBIG, MUSTER_E_DENIED, MUSTER_E_IO
 */
MUSTER_NODISCARD int keep_tidy(const char *root);

/**
 * keep_init(): the paths, and the folders where they are not there.
 *
 * Returns: 0; MUSTER_E_DENIED, MUSTER_E_IO, MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int keep_init(struct keep *k, const char *root,
    const uint8_t *publisher, const uint8_t *product);

/**
 * keep_load(): read what is there; a lease that a rearm dropped is removed.
 *
 * In:      env      catalogue, product and machine, for what a lease proves
 * Out:     p        all zero but for what a lease tells where there is no
 *                   file; NULL: the caller has the publisher's state already
 *          l        state and lease; the rest untouched
 * Returns: 0; MUSTER_E_DENIED, MUSTER_E_IO: k->at is there and cannot be read,
 *          or is a lease that cannot be removed
 */
MUSTER_NODISCARD int
keep_load(struct keep *k, const char *root, const struct life_env *env,
    struct state_publisher *p, struct life *l, struct keep_found *found_out);

/**
 * keep_load_known(): the host that is remembered for the publisher; damaged or
 * not there: none.
 *
 * Returns: 0; MUSTER_E_DENIED, MUSTER_E_IO
 */
MUSTER_NODISCARD int keep_load_known(struct keep *k, const uint8_t *publisher,
    struct walk_known *known_out);

/**
 * keep_save_known(): remember a host; an empty one: none.
 *
 * Returns: 0; as file_replace(), file_remove()
 */
MUSTER_NODISCARD int keep_save_known(struct keep *k, const uint8_t *publisher,
    const struct walk_known *known);

/**
 * keep_load_settings(): what an administrator set.
 *
 * Out:     s_out    untouched on failure
 * Returns: 0; MUSTER_E_NOENT: nothing was set; as file_read_own(),
 *          settings_decode()
 */
MUSTER_NODISCARD int
keep_load_settings(const char *root, struct agent_settings *s_out);

/**
 * keep_save_settings(): what is set from now on.
 *
 * Returns: 0; as settings_encode(), file_replace()
 */
MUSTER_NODISCARD int
keep_save_settings(const char *root, const struct agent_settings *s);

/**
 * keep_load_clock(): what was last seen of the clocks; damaged or not there:
 * nothing.
 *
 * Returns: 0; MUSTER_E_DENIED, MUSTER_E_IO, MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int
keep_load_clock(const char *root, struct clockwatch *w_out);

/**
 * keep_save_clock(): note it.
 *
 * Returns: 0; as file_replace()
 */
MUSTER_NODISCARD int
keep_save_clock(const char *root, const struct clockwatch *w);

/**
 * keep_save(): the publisher's file, the product's file and its view.
 *
 * Returns: 0; as file_replace()
 */
MUSTER_NODISCARD int keep_save(struct keep *k, const struct life *l);

/**
 * keep_save_lease(): the lease's file.
 *
 * Returns: 0; as file_replace(), lease_encode()
 */
MUSTER_NODISCARD int keep_save_lease(struct keep *k, const struct lease *lease);

/**
 * keep_drop_lease(): remove the lease's file, durably.
 *
 * Returns: as file_remove()
 */
MUSTER_NODISCARD int keep_drop_lease(struct keep *k);

#endif /* MUSTER_CLIENT_KEEP_H */
