/* SPDX-License-Identifier: MIT */
/*
 * main.c -- muster-sim: seeds one after the other; ends with 1 at the first
 * that fails, and says how to run it again.
 */
#include <getopt.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

#define TWICE 100 /* one seed in so many is run twice */

struct options {
	uint64_t seed, n;
	bool is_loud;
};

static void
usage(FILE *out)
{
	(void)fprintf(out,
	    "usage: muster-sim [--seeds N] [--seed S] [--trace]\n"
	    "  --seeds N  so many seeds, from 1 or from S on (default 1 with\n"
	    "             --seed, else %d)\n"
	    "  --seed S   this seed\n"
	    "  --trace    print all that happens\n",
	    POINTS_SEEDS);
}

static bool
read_number(const char *text, uint64_t *out)
{
	char *end;

	*out = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

/* 0, or an exit code plus one. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
	    {"seeds", required_argument, NULL, 'n'},
	    {"seed", required_argument, NULL, 's'},
	    {"trace", no_argument, NULL, 't'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	bool has_n = false, has_seed = false, is_good = true;
	int c;

	*o = (struct options){.seed = 1, .n = POINTS_SEEDS};
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return 1;
		} else if (c == 'n') {
			has_n = true;
			is_good &= read_number(optarg, &o->n) && o->n > 0;
		} else if (c == 's') {
			has_seed = true;
			is_good &= read_number(optarg, &o->seed);
		} else if (c == 't') {
			o->is_loud = true;
		} else {
			is_good = false;
		}
	}
	if (has_seed && !has_n)
		o->n = 1;
	if (is_good && optind == argc)
		return 0;
	usage(stderr);
	return 3;
}

static void
report(const struct sim *s, const char *invariant, const char *why)
{
	trace_print_tail(&s->trace);
	(void)printf("seed %" PRIu64 ", step %" PRIu64 ": %s does not hold: "
	             "%s\nagain: ./dev sim --seed %" PRIu64 " --trace\n",
	    s->seed, s->step, invariant, why, s->seed);
}

/* One in TWICE is run again: the same seed has to be the same run. */
static bool
run_again(struct sim *s, uint64_t seed)
{
	uint64_t hash = s->trace.hash, steps = s->step;
	struct points unused = {{0}};

	sim_run(s, seed, false, &unused);
	if (s->trace.hash == hash && s->step == steps && !s->has_failed)
		return true;
	report(s, "the same run", "a second one was another");
	return false;
}

static bool
check_points(const struct points *points, uint64_t n_seeds)
{
	bool is_good = true;

	for (enum point i = 0; i < POINTS_MAX; i++) {
		if (points->n[i] == 0 && n_seeds >= POINTS_SEEDS) {
			(void)printf("never met: %s, %s\n", points_name(i),
			    points_text(i));
			is_good = false;
		} else if (n_seeds >= POINTS_SEEDS) {
			(void)printf("%9" PRIu64 "  %s\n", points->n[i],
			    points_text(i));
		}
	}
	return is_good;
}

static int
campaign(const struct options *o, struct sim *s)
{
	struct points points = {{0}};
	uint64_t steps = 0, days = 0, hash = 0;

	for (uint64_t seed = o->seed; seed - o->seed < o->n; seed++) {
		sim_run(s, seed, o->is_loud, &points);
		if (s->has_failed) {
			report(s, s->invariant, s->why);
			return 1;
		}
		steps += s->step;
		days += (uint64_t)((s->now_ms - SIM_BEGIN_MS) / SIM_DAY_MS);
		hash = hash * 31 + s->trace.hash;
		if (seed % TWICE == 0 && !run_again(s, seed))
			return 1;
	}
	if (!check_points(&points, o->n))
		return 1;
	(void)printf("%" PRIu64 " seeds, %" PRIu64 " steps, %" PRIu64
	             " years, hash %016" PRIx64 "\n",
	    o->n, steps, days / 365, hash);
	return 0;
}

int
main(int argc, char **argv)
{
	struct options o;
	struct sim *s;
	int code = read_options(argc, argv, &o);

	if (code != 0)
		return code - 1;
	s = sim_new();
	if (s == NULL || sodium_init() < 0) {
		sim_free(s);
		return 1;
	}
	code = campaign(&o, s);
	sim_free(s);
	return code;
}
