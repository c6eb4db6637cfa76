/* SPDX-License-Identifier: MIT */
/*
 * scenario.h -- a story of a site, a sentence a line, told and checked in the
 * world of the campaigns; all of its invariants hold after each step.
 *
 * The sentences are those of the table in scenario.c; # begins a comment.
 * Products, hosts and intervals come before the first machine.
 */
#ifndef MUSTER_SIM_SCENARIO_H
#define MUSTER_SIM_SCENARIO_H

#include <stdio.h>

#include "sim/sim.h"

/**
 * scenario_run(): one story.
 *
 * In:      s        with disks, and memory for its machines
 *          in       the text; name is what it is called
 *          out      where the first sentence is told that is not true
 * Returns: true when all of it is true, and there is a sentence that says so
 */
bool scenario_run(struct sim *s, FILE *in, const char *name, FILE *out);

/**
 * scenario_help(): the sentences there are.
 */
void scenario_help(FILE *out);

#endif /* MUSTER_SIM_SCENARIO_H */
