/* SPDX-License-Identifier: MIT */
/*
 * crew.h -- the seeds of a plan, shared out among processes; an edge.
 *
 * What came of a seed does not depend on who ran it: the same seeds give the
 * same answers, whatever the number of processes.
 */
#ifndef MUSTER_SIM_CREW_H
#define MUSTER_SIM_CREW_H

#include "sim/watch.h"

#define CREW_JOBS_MAX 64
#define CREW_SEEDS_MAX 1000 /* 175 KiB each are kept */

struct crew {
	const struct site *site;
	uint64_t first; /* seed */
	uint32_t n;     /* seeds */
	uint32_t jobs;  /* processes; 0: as many as there are cores */
	bool has_bar;   /* a progress bar on standard error, after a second */
};

/**
 * crew_run(): run them all.
 *
 * In:      out      n of them, all zero
 * Out:     out      n results, in the order of the seeds
 * Returns: 0; MUSTER_E_NOMEM; MUSTER_E_IO: a process could not be made, or
 *          ended before its work: the `why` of a result says why, where one of
 *          them is not empty
 * Blocks:  until all are run
 */
MUSTER_NODISCARD int crew_run(const struct crew *crew, struct watch *out);

#endif /* MUSTER_SIM_CREW_H */
