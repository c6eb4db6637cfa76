/* SPDX-License-Identifier: MIT */
/*
 * direct.h -- one activation in one call, without an agent; an edge.
 *
 * The code path of the agent for containers, installers and tests: catalogue,
 * machine, state and lease files under a root, then host after host until one
 * responds with a reply that verifies.  Hosts, domain and caching that were
 * set under the root count as they do for the agent.  State files are on disk before the
 * first byte leaves, so an interrupted call never costs a second CMID.
 * Source: doc/behaviour.md b22 to b24, b31, b34; doc/protocol.md, "Lease file".
 */
#ifndef MUSTER_CLIENT_DIRECT_H
#define MUSTER_CLIENT_DIRECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"
#include "client/keep.h"
#include "client/round.h"
#include "muster/err.h"

struct direct_options {
	const char *root;      /* NULL: the machine itself */
	const char *catalogue; /* NULL: those that are installed */
	uint8_t product[PRODUCT_LEN];
	const char *resolver; /* as for resolvconf_load(), or NULL */
	size_t n_hosts;       /* asked in this order; 0: those that were set,
	                          else by DNS */
	const char *host[WALK_HOSTS_MAX]; /* as exchange_parse() takes them */
};

struct direct_result {
	struct cat_product product; /* by the catalogue in force */
	uint8_t publisher[PUBLISHER_LEN];
	uint32_t serial;    /* of that catalogue */
	struct round round; /* what the hosts said */
	struct keep_found found;
	bool is_stored;        /* the reply's lease is in the file now */
	enum wire_state state; /* after the reply */
	uint32_t minutes_left;
	char lease_path[FILE_PATH_MAX];
	char path[FILE_PATH_MAX]; /* what a failure is about */
};

/**
 * direct_run(): ask for activation of one product now.
 *
 * Out:     result_out  always written; fields that were not reached are zero
 * Returns: 0, also when no host responded
 *          MUSTER_E_NOMACHINE            nothing was sent
 *          MUSTER_E_NOENT, MUSTER_E_PRODUCT  no catalogue, or none with it
 *          MUSTER_E_SERIAL               older than one that was in force
 *          MUSTER_E_LOCKED               an agent works on the same root
 *          MUSTER_E_DENIED, MUSTER_E_IO, MUSTER_E_FULL, MUSTER_E_NOMEM
 *          and as machine_read(), catalogues_for(), request_make(),
 *          resolvconf_load()
 * Blocks:  as round_run(), and as long as
 *          another call on the same root is under way,
 *          KEEP_LOCK_MS at most
 */
MUSTER_NODISCARD int
direct_run(const struct direct_options *opt, struct direct_result *result_out);

#endif /* MUSTER_CLIENT_DIRECT_H */
