/* SPDX-License-Identifier: MIT */
/*
 * plan.c -- muster plan: hands over to muster-plan, the simulator's program.
 *
 * It stands in libexec beside the folder of this one, so that a staged build
 * runs in place.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"

#define PLANNER "libexec/muster-plan"
#define PLAN_ARGS_MAX 32

/* PREFIX/bin/muster -> PREFIX/libexec/muster-plan */
static bool
find_planner(char *out, size_t cap)
{
	char self[FILE_PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;
	int n;

	if (len <= 0)
		return false;
	self[len] = '\0';
	for (int i = 0; i < 2; i++) {
		slash = strrchr(self, '/');
		if (slash == NULL)
			return false;
		*slash = '\0';
	}
	n = snprintf(out, cap, "%s/" PLANNER, self);
	return n > 0 && (size_t)n < cap;
}

/* Those that were given, as they were given. */
static int
pass_on(const struct cli *c, const struct cli_option *options, char **argv_out)
{
	static char text[CLI_OPTIONS_MAX + 1][FILE_PATH_MAX];
	int n = 1;

	for (size_t i = 0; options[i].name != NULL; i++) {
		const struct cli_option *o = &options[i];

		if (o->flag != NULL ? !*o->flag : *o->value == NULL)
			continue;
		(void)snprintf(text[i], sizeof(text[i]), "--%s%s%s", o->name,
		    o->flag != NULL ? "" : "=",
		    o->flag != NULL ? "" : *o->value);
		argv_out[n++] = text[i];
	}
	if (c->is_json) {
		(void)snprintf(text[CLI_OPTIONS_MAX], sizeof(text[0]),
		    "--json");
		argv_out[n++] = text[CLI_OPTIONS_MAX];
	}
	return n;
}

int
cmd_plan(struct cli *c, int argc, char **argv)
{
	const char *desktops = NULL, *laptops = NULL, *servers = NULL,
	           *hosts = NULL, *days = NULL, *renewal = NULL, *retry = NULL,
	           *seeds = NULL, *seed = NULL, *jobs = NULL, *svg = NULL;
	bool shared = false;
	const struct cli_option options[] = {{"desktops", NULL, &desktops,
	                                         NULL},
	    {"laptops", NULL, &laptops, NULL},
	    {"servers", NULL, &servers, NULL}, {"hosts", NULL, &hosts, NULL},
	    {"days", NULL, &days, NULL},
	    {"renewal-minutes", NULL, &renewal, NULL},
	    {"retry-minutes", NULL, &retry, NULL},
	    {"seeds", NULL, &seeds, NULL}, {"seed", NULL, &seed, NULL},
	    {"jobs", NULL, &jobs, NULL}, {"svg", NULL, &svg, NULL},
	    {"shared", &shared, NULL, NULL}, {NULL, NULL, NULL, NULL}};
	char path[FILE_PATH_MAX + 32], file[FILE_PATH_MAX];
	char end_of_options[] = "--", *args[PLAN_ARGS_MAX] = {NULL};
	int code = CLI_FAILED, n;

	if (!cli_parse(c, argc, argv, options, 0, 1, &code))
		return code;
	n = pass_on(c, options, args);
	if (c->n_args > 0) {
		(void)snprintf(file, sizeof(file), "%s", c->arg[0]);
		args[n++] = end_of_options;
		args[n++] = file;
	}
	args[0] = path;
	if (!find_planner(path, sizeof(path)))
		return cli_errorf(c, CLI_FAILED, "noent",
		    "reinstall the package muster-cli",
		    "where muster itself stands cannot be told");
	(void)execv(path, args);
	return cli_errorf(c, CLI_FAILED, "noent",
	    "reinstall the package muster-cli", "%s: %s", path,
	    strerror(errno));
}
