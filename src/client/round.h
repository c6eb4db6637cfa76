/* SPDX-License-Identifier: MIT */
/*
 * round.h -- one round through the hosts, in turn, until one responds with a
 * reply that verifies; an edge.
 *
 * Works on copies, so that it can run beside an event loop; the catalogue is
 * borrowed and stays in force for as long.
 * Source: doc/behaviour.md b23, b31, b34.
 */
#ifndef MUSTER_CLIENT_ROUND_H
#define MUSTER_CLIENT_ROUND_H

#include <stdbool.h>
#include <stdint.h>

#include "client/exchange.h"
#include "client/life.h"
#include "client/request.h"
#include "muster/err.h"

#define ROUND_TARGETS_MAX 16

/* What became of one target. */
struct round_outcome {
	int err;                 /* 0: responded */
	enum wire_status status; /* with MUSTER_E_REFUSED; WIRE_OK: RPC error */
	int64_t host_unix_s;
	uint32_t busy_s;
};

struct round {
	/* what is asked, by whom */
	const struct catalogue *cat;
	struct cat_product product;
	uint8_t cmid[WIRE_ID_LEN];
	uint8_t machine[WIRE_ID_LEN]; /* fingerprint */
	uint8_t previous[WIRE_TAG_LEN];
	char name[WIRE_NAME_MAX + 1];
	bool has_certificate;
	uint8_t certificate[CERT_LEN];
	enum wire_state licence;
	uint32_t minutes_left;
	/* whom, in this order */
	size_t n_targets;
	struct exchange_target target[ROUND_TARGETS_MAX];
	/* what came of it */
	int err;           /* 0: hosts were asked; else why not */
	size_t n_outcomes; /* targets that were asked */
	struct round_outcome outcome[ROUND_TARGETS_MAX];
	bool has_reply; /* the last one asked responded */
	struct reply reply;
	uint32_t busy_s; /* least that a host named, or 0 */
};

/**
 * round_prepare(): copy what a round needs; the targets are the caller's.
 *
 * In:      todo     of the life_step() that asked for the round
 *          name     of the machine, at most WIRE_NAME_MAX
 */
void round_prepare(struct round *r, const struct life *l,
    const struct life_env *env, const struct life_todo *todo, const char *name);

/**
 * round_run(): ask.
 *
 * Out:     r        what came of it; r->err as request_make()
 * Blocks:  up to EXCHANGE_MS a target, and as long as names resolve
 */
void round_run(struct round *r);

/**
 * round_event(): what the life learns from it.
 *
 * Returns: an event that borrows the round's reply and target
 */
struct life_event round_event(const struct round *r);

#endif /* MUSTER_CLIENT_ROUND_H */
