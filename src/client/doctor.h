/* SPDX-License-Identifier: MIT */
/*
 * doctor.h -- every step to every host that a product could have, and what
 * came of it; an edge, but for doctor_choose().
 *
 *   step          by                          fails with, for example
 *   name          A and AAAA                  MUSTER_E_RESOLVE
 *   connect       TCP                         MUSTER_E_CONNECT, _TIMEOUT
 *   answer        RPC NULL                    MUSTER_E_PROTO: something else
 *   certificate   COVER, by the catalogue     MUSTER_E_REFUSED, _REVOKED
 *   clock         COVER's time                MUSTER_E_CLOCK
 *   product       lines and level             MUSTER_E_LEVEL
 *   count         ACTIVATE of CMID zero       MUSTER_E_COUNT
 *
 * The last step is taken with one host only, the one that a client would
 * choose.  Nobody is counted.
 * Source: doc/behaviour.md b25; doc/protocol.md, "RPC".
 */
#ifndef MUSTER_CLIENT_DOCTOR_H
#define MUSTER_CLIENT_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/machine.h"
#include "client/probe.h"
#include "client/round.h"
#include "muster/err.h"

#define DOCTOR_TARGETS_MAX 32 /* each may take 10 s; a site has few hosts */

enum doctor_step {
	DOCTOR_NAME,
	DOCTOR_CONNECT,
	DOCTOR_ANSWER,
	DOCTOR_CERTIFICATE,
	DOCTOR_CLOCK,
	DOCTOR_PRODUCT,
	DOCTOR_COUNT,
	DOCTOR_STEPS
};

/* A domain that was looked up. */
struct doctor_domain {
	char domain[DNS_TEXT_MAX + 1];
	int err; /* why it names no host, or 0 */
	size_t n_records;
};

struct doctor_target {
	struct exchange_target target;
	char text[EXCHANGE_TEXT_MAX + 1]; /* as it was named */
	char domain[DNS_TEXT_MAX + 1];    /* that names it; empty: static */
	uint16_t priority, weight;        /* of its record */
	enum doctor_step step;   /* the first that failed; DOCTOR_STEPS: none */
	int err;                 /* of that step, or 0 */
	enum wire_status status; /* with MUSTER_E_REFUSED */
	int64_t took_ms;         /* name, connection and answer */
	struct probe_cover cover;
	bool is_chosen;
	uint32_t count; /* of the one that is chosen, unless its step failed */
};

struct doctor {
	/* what is looked at */
	struct round_where where;
	const struct catalogue *cat;
	const struct cat_product *product;
	const struct machine *machine;
	char known[WALK_HOST_MAX + 1]; /* that responded last, or empty */
	/* what was found */
	size_t n_domains;
	struct doctor_domain domain[WALK_DOMAINS_MAX];
	size_t n_targets;
	size_t n_more; /* targets beyond DOCTOR_TARGETS_MAX, not looked at */
	struct doctor_target target[DOCTOR_TARGETS_MAX];
};

/**
 * doctor_run(): look.
 *
 * In:      d        what is looked at; the rest is written
 * Returns: 0, whatever was found; as resolvconf_load(); MUSTER_E_NOMEM
 * Blocks:  as resolve_srv() a domain, three calls of ASKING_MS a target
 */
MUSTER_NODISCARD int doctor_run(struct doctor *d);

/**
 * doctor_choose(): the target that a client would come to hold to.  Of those
 * whose steps before the count all went well, the first one in the order in
 * which they stand; the host that responded last, if none is of an earlier
 * domain or has a better priority (b24).  Pure.
 *
 * Returns: its number; n_targets: none
 */
size_t doctor_choose(const struct doctor *d);

#endif /* MUSTER_CLIENT_DOCTOR_H */
