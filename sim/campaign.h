/* SPDX-License-Identifier: MIT */
/*
 * campaign.h -- seeds, one after the other, and what came of them.
 *
 * One in CAMPAIGN_TWICE is run again and has to give the same trace; each
 * second of those goes by real Ed25519, which has to give the same lines.
 */
#ifndef MUSTER_SIM_CAMPAIGN_H
#define MUSTER_SIM_CAMPAIGN_H

#include "sim/sim.h"

#define CAMPAIGN_TWICE 50
#define CAMPAIGN_FAILURES_MAX 10 /* it ends then: one bug fails most seeds */

struct campaign {
	struct sim_order order; /* of the first seed */
	uint64_t n;             /* seeds */
	bool is_real;           /* all of them by Ed25519 */
	/* what came of them */
	uint64_t n_run, steps, lived_ms;
	uint64_t hash; /* over all traces */
	struct points points;
	/* the seeds that failed, and how the first of them did */
	uint32_t n_failed;
	uint64_t failed[CAMPAIGN_FAILURES_MAX];
	uint64_t failed_step;
	bool is_failed_real; /* it went by Ed25519 */
	bool is_run_wrong;   /* the run itself failed; else a second one */
	const char *invariant;
	char why[SIM_WHY_MAX];
};

/**
 * campaign_run(): until all seeds are run, or too many have failed.
 */
void campaign_run(struct campaign *c, struct sim *s);

/**
 * campaign_years(): what the machines have lived through.
 *
 * Returns: machines times years
 */
double campaign_years(const struct campaign *c);

/**
 * campaign_shrink(): leave out of a run that fails what it does not need.
 *
 * In:      s        that run was its last
 *          order    a run that fails
 * Out:     order    one that fails by the same invariant, with fewer kinds of
 *                   fault, machines or steps where that could be found
 */
void campaign_shrink(struct sim *s, struct sim_order *order);

/**
 * campaign_command(): the options that run it again.
 *
 * Out:     out      cap bytes, cut where that is too short
 */
void campaign_command(const struct sim_order *order, char *out, size_t cap);

/**
 * campaign_read(): the same, from text; options of muster-sim but --trace.
 *
 * In:      name     of an option, without its dashes
 * Returns: false when there is no such option, or no such value
 */
bool
campaign_read(struct sim_order *order, const char *name, const char *value);

#endif /* MUSTER_SIM_CAMPAIGN_H */
