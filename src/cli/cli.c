/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/errcode.h"
#include "base/file.h"

#define OPTION_SHOWN_MAX 40 /* characters of what was typed */

void
cli_help(const struct cli_command *command)
{
	(void)printf("usage: muster %s%s%s [--json] [--root DIR] "
	             "[--config FILE]\n%s\n",
	    command->name, command->args[0] != '\0' ? " " : "", command->args,
	    command->summary);
}

int
cli_print(json_t *object)
{
	int bad = object == NULL ||
	    json_dumpf(object, stdout, JSON_COMPACT) != 0 ||
	    putchar('\n') == EOF || fflush(stdout) != 0;

	json_decref(object);
	return bad ? CLI_FAILED : CLI_DONE;
}

int
cli_facts(const char *schema, json_t *object)
{
	if (json_object_set_new(object, "schema", json_string(schema)) != 0) {
		json_decref(object);
		object = NULL;
	}
	return cli_print(object);
}

int
cli_error(const struct cli *c, int exit_code, const struct cli_error *e)
{
	/* whoever reads it must learn what to do now */
	assert(e->message[0] != '\0' && e->next_step[0] != '\0');
	if (c->is_json) {
		(void)cli_print(json_pack("{s:{s:s,s:s,s:s}}", "error", "code",
		    e->code, "message", e->message, "next_step", e->next_step));
	} else {
		(void)fprintf(stderr, "muster: %s\n  %s\n", e->message,
		    e->next_step);
	}
	return exit_code;
}

int
cli_errorf(const struct cli *c, int exit_code, const char *code,
    const char *next_step, const char *format, ...)
{
	char message[FILE_PATH_MAX + 512];
	const struct cli_error e = {code, message, next_step};
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	return cli_error(c, exit_code, &e);
}

int
cli_fail(const struct cli *c, int err, const char *what, const char *next_step)
{
	char code[ERRCODE_MAX], message[FILE_PATH_MAX + 128];
	const struct cli_error e = {code, message,
	    next_step != NULL ? next_step : cli_next_step(err)};

	errcode(err, code);
	(void)snprintf(message, sizeof(message), "%s%s%s",
	    what != NULL ? what : "", what != NULL ? ": " : "",
	    muster_strerror(err));
	return cli_error(c, err == MUSTER_E_DENIED ? CLI_REFUSED : CLI_FAILED,
	    &e);
}

int
cli_fail_file(const struct cli *c, int err, const char *path,
    const char *next_step)
{
	if (err == MUSTER_E_NOENT || err == MUSTER_E_DENIED ||
	    err == MUSTER_E_IO || err == MUSTER_E_NOMEM || err == MUSTER_E_FULL)
		next_step = NULL;
	return cli_fail(c, err, path, next_step);
}

static int
usage(const struct cli *c, const char *message)
{
	char next[64];
	const struct cli_error e = {"usage", message, next};

	(void)snprintf(next, sizeof(next), "muster %s --help",
	    c->command->name);
	return cli_error(c, CLI_USAGE, &e);
}

/* An option's name as typed; what follows a '=' may be a secret. */
static int
usage_option(const struct cli *c, const char *typed, const char *what)
{
	char message[128];
	int len = (int)strcspn(typed, "=");

	if (len > OPTION_SHOWN_MAX)
		len = OPTION_SHOWN_MAX;
	for (int i = 0; i < len; i++) {
		if (typed[i] <= ' ' || typed[i] > '~')
			len = i;
	}
	(void)snprintf(message, sizeof(message), "%.*s %s", len, typed, what);
	return usage(c, message);
}

/* getopt_long() gave '?' or ':'; n options have the values 1 to n. */
static int
bad_option(const struct cli *c, int got, char **argv,
    const struct cli_option *const *all, int n)
{
	char typed[64];

	if (optopt >= 1 && optopt <= n) {
		(void)snprintf(typed, sizeof(typed), "--%s",
		    all[optopt - 1]->name);
		return usage_option(c, typed,
		    got == ':' ? "lacks its value" : "takes no value");
	}
	if (optopt != 0) {
		(void)snprintf(typed, sizeof(typed), "-%c", optopt);
		return usage_option(c, typed, "is no option of this command");
	}
	return usage_option(c, argv[optind - 1],
	    "is no option of this command");
}

/* Returns what is wrong, or NULL. */
static const char *
take(const struct cli_option *o, bool *is_given)
{
	const char *wrong = NULL;

	if (o->flag != NULL) {
		*o->flag = true;
	} else if (o->value != NULL) {
		if (*is_given)
			wrong = "is given twice";
		*o->value = optarg;
	} else if (o->list->n == CLI_LIST_MAX) {
		wrong = "is given too often";
	} else {
		o->list->item[o->list->n++] = optarg;
	}
	*is_given = true;
	return wrong;
}

/* No setting of it concerns this program yet; a wrong name is told all the
 * same. */
static int
check_config(const struct cli *c)
{
	struct stat st;
	int err = 0;

	if (c->config == NULL)
		return CLI_DONE;
	if (stat(c->config, &st) != 0 || access(c->config, R_OK) != 0)
		err = errno == EACCES                     ? MUSTER_E_DENIED
		    : errno == ENOENT || errno == ENOTDIR ? MUSTER_E_NOENT
		                                          : MUSTER_E_IO;
	else if (!S_ISREG(st.st_mode))
		err = MUSTER_E_IO;
	return err == 0
	    ? CLI_DONE
	    : cli_fail(c, err, c->config, "name a readable file by --config");
}

static int
check_count(const struct cli *c, size_t min, size_t max)
{
	char message[96];

	if (c->n_args < min)
		(void)snprintf(message, sizeof(message),
		    "an argument is missing: muster %s %s", c->command->name,
		    c->command->args);
	else if (max == 0)
		(void)snprintf(message, sizeof(message),
		    "muster %s takes no argument", c->command->name);
	else if (c->n_args > max)
		(void)snprintf(message, sizeof(message),
		    "argument %zu is one too many", max + 1);
	if (c->n_args < min || c->n_args > max)
		return usage(c, message);
	return check_config(c);
}

/* Options by getopt, the rest into c->arg; its help in *help_out. */
static int
parse(struct cli *c, int argc, char **argv, const struct cli_option *options,
    bool *help_out)
{
	const struct cli_option common[] = {{"json", &c->is_json, NULL, NULL},
	    {"root", NULL, &c->root, NULL}, {"config", NULL, &c->config, NULL},
	    {"help", help_out, NULL, NULL}};
	const struct cli_option *all[CLI_OPTIONS_MAX + 4];
	struct option longs[CLI_OPTIONS_MAX + 5] = {0};
	bool is_given[CLI_OPTIONS_MAX + 4] = {false};
	const char *wrong;
	int n = 0, got;

	for (size_t i = 0; i < 4; i++)
		all[n++] = &common[i];
	for (; options != NULL && options->name != NULL; options++) {
		assert(n < CLI_OPTIONS_MAX + 4);
		all[n++] = options;
	}
	for (int i = 0; i < n; i++) {
		longs[i] = (struct option){.name = all[i]->name,
		    .has_arg =
		        all[i]->flag != NULL ? no_argument : required_argument,
		    .val = i + 1};
	}
	opterr = 0;
	while ((got = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
		if (got < 1 || got > n)
			return bad_option(c, got, argv, all, n);
		wrong = take(all[got - 1], &is_given[got - 1]);
		if (wrong != NULL) {
			char typed[64];

			(void)snprintf(typed, sizeof(typed), "--%s",
			    all[got - 1]->name);
			return usage_option(c, typed, wrong);
		}
	}
	while (optind < argc && c->n_args < CLI_ARGS_MAX)
		c->arg[c->n_args++] = argv[optind++];
	return optind < argc ? usage(c, "too many arguments") : CLI_DONE;
}

bool
cli_parse(struct cli *c, int argc, char **argv,
    const struct cli_option *options, size_t min, size_t max, int *exit_out)
{
	bool help = false;

	*exit_out = parse(c, argc, argv, options, &help);
	if (*exit_out != CLI_DONE)
		return false;
	if (help) {
		cli_help(c->command);
		return false;
	}
	*exit_out = check_count(c, min, max);
	return *exit_out == CLI_DONE;
}

int
cli_read(const char *path, uint8_t *buf, size_t cap, size_t *len_out)
{
	size_t len = 0;

	if (strcmp(path, "-") != 0)
		return file_read(path, buf, cap, len_out);
	while (len < cap) {
		ssize_t n = read(STDIN_FILENO, buf + len, cap - len);

		if (n < 0)
			return MUSTER_E_IO;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	if (len == cap)
		return MUSTER_E_TOOBIG;
	*len_out = len;
	return 0;
}
