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

struct campaign {
	struct sim_order order; /* of the first seed */
	uint64_t n;             /* seeds */
	bool is_real;           /* all of them by Ed25519 */
	/* what came of them */
	uint64_t n_run, steps, lived_ms;
	uint64_t hash; /* over all traces */
	struct points points;
	bool has_failed; /* the last one; the run and this tell how */
	const char *invariant;
	char why[SIM_WHY_MAX];
};

/**
 * campaign_run(): until all seeds are run, or one fails.
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
 * In:      order    a run that fails
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
