/* SPDX-License-Identifier: MIT */
/*
 * main.c -- muster-sim: a campaign of seeds, one seed, or the seeds of a file;
 * ends with 1 where one fails, and says how to run the first of them again.
 */
#include <ctype.h>
#include <getopt.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "sim/campaign.h"
#include "sim/primitive.h"
#include "sim/scenario.h"
#include "sim/world.h"
#include "sim/zone.h"

#define COMMAND_MAX 1024
#define LINE_MAX_LEN 1024 /* of a file of seeds */

struct options {
	struct campaign campaign;
	bool is_json;
	const char *file;     /* of seeds; NULL: a campaign */
	const char *scenario; /* a story; NULL: none */
};

static void
usage(FILE *out)
{
	(void)fprintf(out,
	    "usage: muster-sim [--seeds N] [--seed S] [--json] [--trace]\n"
	    "  --seeds N    so many seeds, from 1 or from S on (default 1 "
	    "with\n"
	    "               --seed, else %d)\n"
	    "  --seed S     this seed; less of it than it draws:\n"
	    "  --without FAULT,...  --machines N  --steps N\n"
	    "  --file F     the seeds of a file, one a line with such options\n"
	    "  --scenario F a story, a sentence a line; help lists them\n"
	    "  --json       one object of figures\n"
	    "  --trace      print all that happens\n"
	    "  --ed25519    sign by it, and not by a hash in its place\n",
	    POINTS_SEEDS);
}

/* 0, or an exit code plus one. */
static int
read_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
	    {"seeds", required_argument, NULL, 'n'},
	    {"seed", required_argument, NULL, 'o'},
	    {"without", required_argument, NULL, 'o'},
	    {"machines", required_argument, NULL, 'o'},
	    {"steps", required_argument, NULL, 'o'},
	    {"file", required_argument, NULL, 'f'},
	    {"scenario", required_argument, NULL, 'y'},
	    {"json", no_argument, NULL, 'j'},
	    {"trace", no_argument, NULL, 't'},
	    {"ed25519", no_argument, NULL, 'e'},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	struct sim_order *order = &o->campaign.order;
	struct sim_order number = {.seed = 0};
	bool is_good = true;
	int c, at = 0;

	*order = (struct sim_order){.seed = UINT64_MAX};
	while ((c = getopt_long(argc, argv, "h", options, &at)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return 1;
		} else if (c == 'n') {
			is_good &= campaign_read(&number, "seed", optarg) &&
			    number.seed > 0;
			o->campaign.n = number.seed;
		} else if (c == 'o') {
			is_good &=
			    campaign_read(order, options[at].name, optarg);
		}
		if (c == 'f')
			o->file = optarg;
		if (c == 'y')
			o->scenario = optarg;
		o->is_json |= c == 'j';
		order->is_loud |= c == 't';
		o->campaign.is_real |= c == 'e';
		is_good &= c != '?';
	}
	if (o->campaign.n == 0)
		o->campaign.n = order->seed != UINT64_MAX ? 1 : POINTS_SEEDS;
	if (order->seed == UINT64_MAX)
		order->seed = 1;
	if (is_good && optind == argc && !(o->is_json && order->is_loud))
		return 0;
	usage(stderr);
	return 3;
}

static void
print_seeds(const struct campaign *c, FILE *out)
{
	(void)fprintf(out, "%u seeds failed%s:", c->n_failed,
	    c->n_failed == CAMPAIGN_FAILURES_MAX ? ", and no more were tried"
	                                         : "");
	for (uint32_t i = 0; i < c->n_failed; i++)
		(void)fprintf(out, " %" PRIu64, c->failed[i]);
	(void)fputc('\n', out);
}

/* Of the first seed that failed: the invariant, the last lines, and what to
 * type for the least run found. */
static void
report(struct campaign *c, struct sim *s, FILE *out)
{
	const char *by = c->is_failed_real ? " --ed25519" : "";
	struct sim_order order = c->order;
	struct points unused = {.n = {0}};
	char command[COMMAND_MAX];

	order.seed = c->failed[0];
	if (c->n_failed > 1)
		print_seeds(c, out);
	primitive_use(c->is_failed_real);
	sim_run(s, &order, &unused);
	trace_print_tail(&s->trace, out);
	(void)fprintf(out,
	    "seed %" PRIu64 ", step %" PRIu64 ": %s does not hold: %s\n",
	    order.seed, c->failed_step, c->invariant, c->why);
	campaign_command(&order, command, sizeof(command));
	(void)fprintf(out, "again: ./dev sim %s%s --trace\n", command, by);
	if (!c->is_run_wrong || !s->has_failed)
		return; /* it was another run, not a wrong one */
	campaign_shrink(s, &order);
	campaign_command(&order, command, sizeof(command));
	(void)fprintf(out, "less of it: ./dev sim %s%s --trace\n", command, by);
}

static bool
check_points(const struct campaign *c, bool is_quiet)
{
	bool is_good = true;

	if (c->n_run < POINTS_SEEDS)
		return true;
	for (enum point i = 0; i < POINTS_MAX; i++) {
		is_good &= c->points.n[i] > 0;
		if (is_quiet)
			continue;
		if (c->points.n[i] == 0)
			(void)printf("never met: %s, %s\n", points_name(i),
			    points_text(i));
		else
			(void)printf("%9" PRIu64 "  %s\n", c->points.n[i],
			    points_text(i));
	}
	return is_good;
}

static bool
check_shares(const struct campaign *c)
{
	if (c->n_run < POINTS_SEEDS || zone_shares(&c->points))
		return true;
	(void)fprintf(stderr,
	    "b23 does not hold: hosts are not chosen by their weights, but "
	    "%.0f times too often or too seldom\n",
	    c->points.share_off);
	return false;
}

static void
print_lower(const char *text)
{
	for (; *text != '\0'; text++)
		(void)putchar(tolower((unsigned char)*text));
}

static void
print_json(const struct campaign *c, bool has_shares, double minutes)
{
	const char *comma = "";

	(void)printf("{\"seeds\": %" PRIu64 ", \"client_years\": %.1f, "
	             "\"faults\": {",
	    c->n_run, campaign_years(c));
	for (enum point i = 0; i < POINTS_N_FAULTS; i++) {
		(void)printf("%s\"", i == 0 ? "" : ", ");
		print_lower(points_name(i));
		(void)printf("\": %" PRIu64, c->points.n[i]);
	}
	(void)printf("}, \"points_missed\": [");
	for (enum point i = 0; i < POINTS_MAX; i++) {
		if (c->points.n[i] > 0)
			continue;
		(void)printf("%s\"", comma);
		print_lower(points_name(i));
		(void)printf("\"");
		comma = ", ";
	}
	(void)printf("], \"violations\": %u, \"seeds_failed\": [",
	    c->n_failed + (has_shares ? 0 : 1));
	for (uint32_t i = 0; i < c->n_failed; i++)
		(void)printf("%s%" PRIu64, i == 0 ? "" : ", ", c->failed[i]);
	(void)printf("], \"client_years_per_minute\": %.0f, "
	             "\"hash\": \"%016" PRIx64 "\"}\n",
	    campaign_years(c) / minutes, c->hash);
}

/* Of this process; the wall clock is not for a simulation (stray.c). */
static double
cpu_minutes(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return ((double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6) /
	    60.0;
}

static int
run_campaign(struct options *o, struct sim *s)
{
	struct campaign *c = &o->campaign;
	double minutes;
	bool is_good, has_shares;

	campaign_run(c, s);
	minutes = cpu_minutes();
	if (c->n_failed > 0)
		report(c, s, o->is_json ? stderr : stdout);
	has_shares = check_shares(c);
	is_good = c->n_failed == 0 && check_points(c, o->is_json) && has_shares;
	if (o->is_json)
		print_json(c, has_shares, minutes);
	else if (is_good)
		(void)printf("%" PRIu64 " seeds, %" PRIu64
		             " steps, %.0f client-years, %.0f a minute, "
		             "hash %016" PRIx64 "\n",
		    c->n_run, c->steps, campaign_years(c),
		    campaign_years(c) / minutes, c->hash);
	return is_good ? 0 : 1;
}

/* "--seed 5 --steps 40", as campaign_command() writes it. */
static bool
read_line(char *line, struct sim_order *order)
{
	char *save = NULL, *name, *value;

	for (name = strtok_r(line, " \t\n", &save); name != NULL;
	     name = strtok_r(NULL, " \t\n", &save)) {
		value = strtok_r(NULL, " \t\n", &save);
		if (strncmp(name, "--", 2) != 0 || value == NULL ||
		    !campaign_read(order, name + 2, value))
			return false;
	}
	return true;
}

/* Each line is a run that failed once; a file without any is a mistake. */
static int
run_file(struct options *o, struct sim *s)
{
	FILE *f = fopen(o->file, "r");
	char line[LINE_MAX_LEN];
	uint64_t n = 0;
	int code = f == NULL ? 2 : 0;

	while (code == 0 && fgets(line, sizeof(line), f) != NULL) {
		struct campaign c = {.n = 1, .is_real = o->campaign.is_real};

		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (!read_line(line, &c.order)) {
			(void)fprintf(stderr,
			    "%s: not a run: line %" PRIu64
			    " of those that are no comment\n",
			    o->file, n + 1);
			code = 2;
			break;
		}
		campaign_run(&c, s);
		n++;
		if (c.n_failed > 0) {
			report(&c, s, stdout);
			code = 1;
		}
	}
	if (f != NULL)
		(void)fclose(f);
	if (code == 0 && n == 0)
		code = 2;
	if (code == 2)
		(void)fprintf(stderr, "%s: no runs to be read\n", o->file);
	else if (code == 0)
		(void)printf("%" PRIu64 " seeds that failed once hold\n", n);
	return code;
}

/* A story; "help" is none. */
static int
run_scenario(const char *name, struct sim *s)
{
	FILE *f;
	bool is_true;

	if (strcmp(name, "help") == 0) {
		scenario_help(stdout);
		return 0;
	}
	f = fopen(name, "r");
	if (f == NULL) {
		(void)fprintf(stderr, "%s: cannot be read\n", name);
		return 2;
	}
	is_true = scenario_run(s, f, name, stdout);
	(void)fclose(f);
	if (is_true)
		(void)printf("%s: all of it is true\n", name);
	return is_true ? 0 : 1;
}

int
main(int argc, char **argv)
{
	struct options *o = calloc(1, sizeof(*o));
	struct sim *s = sim_new(WORLD_MACHINES_MAX, true);
	int code = o == NULL || s == NULL || sodium_init() < 0
	    ? 2
	    : read_options(argc, argv, o);

	if (code == 0 && o->scenario != NULL)
		code = 1 + run_scenario(o->scenario, s);
	else if (code == 0)
		code =
		    1 + (o->file != NULL ? run_file(o, s) : run_campaign(o, s));
	sim_free(s);
	free(o);
	return code - 1;
}
