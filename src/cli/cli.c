/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <assert.h>
#include <ctype.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

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
cli_error(const struct cli *c, int exit_code, const struct cli_error *e)
{
	if (c->is_json) {
		(void)cli_print(json_pack("{s:{s:s,s:s,s:s}}", "error", "code",
		    e->code, "message", e->message, "next_step", e->next_step));
	} else {
		(void)fprintf(stderr, "muster: %s\n%s%s%s", e->message,
		    e->next_step[0] != '\0' ? "  " : "", e->next_step,
		    e->next_step[0] != '\0' ? "\n" : "");
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

void
cli_code(int err, char *out)
{
	const char *name = muster_errname(err);
	size_t i;

	if (err == MUSTER_E_NOMACHINE)
		name = "MUSTER_E_NO_MACHINE_ID";
	if (strncmp(name, "MUSTER_E_", 9) == 0)
		name += 9;
	for (i = 0; name[i] != '\0' && i < 31; i++)
		out[i] = (char)tolower((unsigned char)name[i]);
	out[i] = '\0';
}

int
cli_fail(const struct cli *c, int err, const char *what, const char *next_step)
{
	char code[32], message[FILE_PATH_MAX + 128];
	const struct cli_error e = {code, message, next_step};

	cli_code(err, code);
	(void)snprintf(message, sizeof(message), "%s%s%s",
	    what != NULL ? what : "", what != NULL ? ": " : "",
	    muster_strerror(err));
	return cli_error(c, err == MUSTER_E_DENIED ? CLI_REFUSED : CLI_FAILED,
	    &e);
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

/* Returns false when a list is full. */
static bool
take(const struct cli_option *o)
{
	if (o->flag != NULL) {
		*o->flag = true;
	} else if (o->value != NULL) {
		*o->value = optarg;
	} else {
		if (o->list->n == CLI_LIST_MAX)
			return false;
		o->list->item[o->list->n++] = optarg;
	}
	return true;
}

bool
cli_parse(struct cli *c, int argc, char **argv,
    const struct cli_option *options, size_t min, size_t max, int *exit_out)
{
	bool help = false;
	const struct cli_option common[] = {{"json", &c->is_json, NULL, NULL},
	    {"root", NULL, &c->root, NULL}, {"config", NULL, &c->config, NULL},
	    {"help", &help, NULL, NULL}};
	const struct cli_option *all[CLI_OPTIONS_MAX + 4];
	struct option longs[CLI_OPTIONS_MAX + 5] = {0};
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
	while ((got = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (got == '?' || got > n || !take(all[got - 1])) {
			*exit_out = usage(c,
			    "an option is unknown, lacks its value or "
			    "stands too often");
			return false;
		}
	}
	while (optind < argc && c->n_args < CLI_ARGS_MAX)
		c->arg[c->n_args++] = argv[optind++];
	if (help) {
		cli_help(c->command);
		*exit_out = CLI_DONE;
		return false;
	}
	if (c->n_args < min || c->n_args > max || optind < argc) {
		*exit_out = usage(c, "wrong number of arguments");
		return false;
	}
	return true;
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
