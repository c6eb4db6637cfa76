/* SPDX-License-Identifier: MIT */
/*
 * plan_main.c -- muster-plan: will this site stay activated?
 */
#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/errcode.h"
#include "sim/answer.h"
#include "sim/crew.h"

#define SEEDS 20 /* a first answer within seconds */
#define TEXT_MAX (SITE_MISTAKES_MAX * SITE_DIAG_MAX)

struct options {
	struct crew crew;
	uint32_t first; /* seed */
	bool is_json;
	const char *file, *svg;
	struct site site;
	struct site_diag diag;
};

static void
usage(FILE *out)
{
	(void)fprintf(out,
	    "usage: muster plan [SITE.conf] [OPTION]...\n"
	    "Simulates a site, described by a file or by options, and answers\n"
	    "whether it will stay activated.\n"
	    "  --desktops N  --laptops N  --servers N   machines of an office\n"
	    "  --hosts N  --shared           hosts; one count for all of them\n"
	    "  --days N                      default 730\n"
	    "  --renewal-minutes N           default 10080\n"
	    "  --retry-minutes N             default 120\n"
	    "  --seeds N                     default %d, at most %d\n"
	    "  --seed S  --jobs N            the first one; processes\n"
	    "  --json                        one object\n"
	    "  --svg FILE                    a picture of the counts\n",
	    SEEDS, CREW_SEEDS_MAX);
}

/* For people on standard error; for programs as the other commands do. */
static int
complain(const struct options *o, int exit_code, const char *code,
    const char *message, const char *next_step)
{
	if (!o->is_json) {
		(void)fprintf(stderr, "muster plan: %s\n  %s\n", message,
		    next_step);
		return exit_code;
	}
	(void)printf("{\"error\":{\"code\":\"%s\",\"message\":\"", code);
	for (const char *p = message; *p != '\0'; p++) {
		if (*p == '\n')
			(void)fputs("; ", stdout);
		else if (*p == '"' || *p == '\\')
			(void)printf("\\%c", *p);
		else
			(void)putchar((unsigned char)*p < ' ' ? '?' : *p);
	}
	(void)printf("\",\"next_step\":\"%s\"}}\n", next_step);
	return exit_code;
}

static int
complain_diag(const struct options *o)
{
	char text[TEXT_MAX + 32] = "";

	for (uint32_t i = 0; i < o->diag.n && i < SITE_MISTAKES_MAX; i++) {
		size_t len = strlen(text);

		(void)snprintf(text + len, sizeof(text) - len, "%s%s",
		    i == 0 ? "" : "\n", o->diag.text[i]);
	}
	if (o->diag.n > SITE_MISTAKES_MAX) {
		size_t len = strlen(text);

		(void)snprintf(text + len, sizeof(text) - len,
		    "\nand %u more mistakes", o->diag.n - SITE_MISTAKES_MAX);
	}
	return complain(o, 1, "site", text,
	    "muster-plan.conf(5) describes the file; muster plan --help the "
	    "options");
}

/* ---- options ---- */

/* False: there is no room, or no product for them. */
static bool
add_class(struct site *site, const char *name, uint32_t n)
{
	struct site_class *c = &site->class[site->n_classes];

	if (n == 0)
		return true;
	if (site->n_classes == SITE_CLASSES_MAX)
		return false;
	site_class_init(c, name, n);
	if (strcmp(name, "servers") == 0) {
		c->is_always = true;
		c->product = 1;
	} else if (strcmp(name, "laptops") == 0) {
		c->absent_ppm = 100000;
		c->leave = (struct site_period){.every_days = 120, .days = 10};
		c->away = (struct site_period){.every_days = 60, .days = 5};
	} else {
		c->absent_ppm = 50000;
		c->leave = (struct site_period){.every_days = 120, .days = 10};
	}
	site->n_classes++;
	return c->product < site->n_products;
}

static void
set_hosts(struct site *site, uint32_t n)
{
	for (uint32_t i = site->n_hosts; i < n; i++) {
		site->host[i] = site->host[0];
		(void)snprintf(site->host[i].name, sizeof(site->host[i].name),
		    "kms-%u", i + 1);
	}
	site->n_hosts = n;
}

/* What an option with a number may be. */
static const struct range {
	const char *name;
	uint32_t min, max;
} ranges[] = {
    {"desktops", 0, SITE_MACHINES_MAX},
    {"laptops", 0, SITE_MACHINES_MAX},
    {"servers", 0, SITE_MACHINES_MAX},
    {"hosts", 1, SITE_HOSTS_MAX},
    {"days", 1, SITE_DAYS_MAX},
    {"renewal-minutes", SITE_MINUTES_MIN, SITE_MINUTES_MAX},
    {"retry-minutes", SITE_MINUTES_MIN, SITE_MINUTES_MAX},
    {"seeds", 1, CREW_SEEDS_MAX},
    {"seed", 0, UINT32_MAX},
    {"jobs", 1, CREW_JOBS_MAX},
};

static const struct range *
range_of(const char *name)
{
	size_t i = 0;

	while (strcmp(ranges[i].name, name) != 0)
		i++;
	return &ranges[i];
}

static bool
read_number(const char *text, const struct range *range, uint32_t *out)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
	    v < range->min || v > range->max)
		return false;
	*out = (uint32_t)v;
	return true;
}

/* One option with a number of its range. */
static bool
take_number(struct options *o, const char *name, uint32_t v)
{
	const struct {
		const char *name;
		uint32_t *at;
	} plain[] = {
	    {"days", &o->site.days},
	    {"renewal-minutes", &o->site.renewal_min},
	    {"retry-minutes", &o->site.retry_min},
	    {"seeds", &o->crew.n},
	    {"seed", &o->first},
	    {"jobs", &o->crew.jobs},
	};

	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
		if (strcmp(name, plain[i].name) == 0) {
			*plain[i].at = v;
			return true;
		}
	}
	if (strcmp(name, "hosts") != 0)
		return add_class(&o->site, name, v);
	set_hosts(&o->site, v);
	return true;
}

static const struct option longs[] = {
    {"desktops", required_argument, NULL, 'n'},
    {"laptops", required_argument, NULL, 'n'},
    {"servers", required_argument, NULL, 'n'},
    {"hosts", required_argument, NULL, 'n'},
    {"days", required_argument, NULL, 'n'},
    {"renewal-minutes", required_argument, NULL, 'n'},
    {"retry-minutes", required_argument, NULL, 'n'},
    {"seeds", required_argument, NULL, 'n'},
    {"seed", required_argument, NULL, 'n'},
    {"jobs", required_argument, NULL, 'n'},
    {"svg", required_argument, NULL, 's'},
    {"shared", no_argument, NULL, 'o'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static int
complain_option(const struct options *o, const char *text)
{
	char message[160];

	(void)snprintf(message, sizeof(message),
	    "%.64s: there is no such option, or it lacks its value, or has one "
	    "too many",
	    text);
	return complain(o, 2, "usage", message, "muster plan --help");
}

static int
complain_number(const struct options *o, const struct range *range,
    const char *text)
{
	char message[160];

	(void)snprintf(message, sizeof(message),
	    "--%s %.32s: must be a number from %u to %u", range->name, text,
	    range->min, range->max);
	return complain(o, 2, "usage", message, "muster plan --help");
}

static int
complain_class(const struct options *o, const char *name)
{
	char message[160];

	if (o->site.n_classes == SITE_CLASSES_MAX)
		(void)snprintf(message, sizeof(message),
		    "--%s: there may be %d kinds of machines", name,
		    SITE_CLASSES_MAX);
	else
		(void)snprintf(message, sizeof(message),
		    "--%s: these are of the second product, and the file "
		    "describes one",
		    name);
	return complain(o, 2, "usage", message,
	    "describe such machines in the file");
}

/* Twice: the file comes before the options, whatever their order.  An exit
 * code plus one, or 0 to go on. */
static int
read_options(int argc, char **argv, struct options *o, bool is_second)
{
	uint32_t v = 0;
	int c, at = 0;

	optind = 0; /* glibc: begin anew */
	while ((c = getopt_long(argc, argv, "h", longs, &at)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return 1;
		}
		if (c == '?')
			return 1 + complain_option(o, argv[optind - 1]);
		if (c == 'n' &&
		    !read_number(optarg, range_of(longs[at].name), &v))
			return 1 +
			    complain_number(o, range_of(longs[at].name),
			        optarg);
		if (c == 'n' && is_second && !take_number(o, longs[at].name, v))
			return 1 + complain_class(o, longs[at].name);
		if (c == 's')
			o->svg = optarg;
		o->is_json |= c == 'j';
		o->site.is_shared |= c == 'o' && is_second;
	}
	if (optind + 1 < argc)
		return 1 +
		    complain(o, 2, "usage", "one file describes one site",
		        "muster plan --help");
	o->file = optind < argc ? argv[optind] : NULL;
	return 0;
}

/* ---- */

static int
load(struct options *o)
{
	char code[ERRCODE_MAX], text[256];
	int err;

	if (o->file == NULL)
		return 0;
	err = site_load(o->file, &o->site, &o->diag);
	if (err == 0)
		return 0;
	if (o->diag.n > 0)
		return 1 + complain_diag(o);
	errcode(err, code);
	(void)snprintf(text, sizeof(text), "%.128s: %s", o->file,
	    muster_strerror(err));
	return 1 + complain(o, 1, code, text, "name a file that can be read");
}

/* Before the seeds are run, and not after. */
static int
check_svg(const struct options *o)
{
	FILE *f = o->svg == NULL ? NULL : fopen(o->svg, "a");
	char text[256];

	if (f != NULL)
		(void)fclose(f);
	if (o->svg == NULL || f != NULL)
		return 0;
	(void)snprintf(text, sizeof(text), "%.128s: %s", o->svg,
	    strerror(errno));
	return 1 +
	    complain(o, 1, "io", text, "name a file that can be written");
}

static int
write_svg(const struct options *o, const struct answer *a)
{
	FILE *f = fopen(o->svg, "w");
	bool is_good = f != NULL;
	char text[256];

	if (f != NULL) {
		answer_svg(a, f);
		is_good = ferror(f) == 0;
		is_good &= fclose(f) == 0;
	}
	if (is_good)
		return 0;
	(void)snprintf(text, sizeof(text), "%.128s: %s", o->svg,
	    strerror(errno));
	return complain(o, 1, "io", text, "name a file that can be written");
}

/* What a seed said of it, or that a process is gone. */
static int
complain_crew(const struct options *o, const struct watch *watch)
{
	char text[WATCH_WHY_MAX + 32];

	for (uint32_t i = 0; watch != NULL && i < o->crew.n; i++) {
		if (watch[i].why[0] == '\0')
			continue;
		(void)snprintf(text, sizeof(text), "seed %llu: %s",
		    (unsigned long long)o->crew.first + i, watch[i].why);
		return complain(o, 1, "inval", text,
		    "this is an error of muster-plan: report it with the file "
		    "and the options");
	}
	return complain(o, 1, "io", "the simulation did not come to its end",
	    "is there memory enough? fewer machines, seeds or --jobs need "
	    "less");
}

static int
answer(struct options *o)
{
	struct watch *watch = calloc(o->crew.n, sizeof(*watch));
	struct answer *a = calloc(1, sizeof(*a));
	int err = watch == NULL || a == NULL ? MUSTER_E_NOMEM : 0;
	int code = 0;

	o->crew.site = &o->site;
	o->crew.first = o->first;
	o->crew.has_bar = isatty(STDERR_FILENO) == 1;
	if (err == 0)
		err = crew_run(&o->crew, watch);
	if (err != 0) {
		code = complain_crew(o, watch);
	} else {
		answer_make(a, &o->site, watch, o->crew.n, o->crew.first);
		if (o->svg != NULL)
			code = write_svg(o, a);
		if (code == 0 && o->is_json)
			answer_json(a, stdout);
		else if (code == 0)
			answer_table(a, stdout);
		if (code == 0 && (fflush(stdout) != 0 || ferror(stdout) != 0))
			code = 1;
	}
	free(a);
	free(watch);
	return code;
}

int
main(int argc, char **argv)
{
	struct options *o = calloc(1, sizeof(*o));
	uint32_t n_of_file = 0;
	int code;

	if (o == NULL || sodium_init() < 0) {
		(void)fputs("muster-plan: no memory\n", stderr);
		free(o);
		return 1;
	}
	opterr = 0;
	o->crew.n = SEEDS;
	o->first = 1;
	site_init(&o->site);
	code = read_options(argc, argv, o, false);
	if (code == 0)
		code = load(o);
	if (code == 0)
		n_of_file = o->site.n_classes;
	if (code == 0)
		code = read_options(argc, argv, o, true);
	for (uint32_t i = n_of_file; i < o->site.n_classes; i++) {
		if (o->site.class[i].arrive_days > o->site.days / 2)
			o->site.class[i].arrive_days = o->site.days / 2;
	}
	if (code == 0 && !site_check(&o->site, &o->diag))
		code = 1 + complain_diag(o);
	if (code == 0)
		code = check_svg(o);
	if (code == 0)
		code = 1 + answer(o);
	free(o);
	return code - 1;
}
