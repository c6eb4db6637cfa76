/* SPDX-License-Identifier: MIT */
/*
 * cli.h -- what the commands of muster share; an edge.
 *
 * main.c has the one table of commands, from which dispatch and help are
 * made; each command is a file.  Facts go to standard output, as text or, by
 * --json, as one object; errors to standard error, or by --json to standard
 * output as {"error":{...}}.
 */
#ifndef MUSTER_CLI_CLI_H
#define MUSTER_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"

#define CLI_ARGS_MAX 32 /* a confirmation ID has 30 groups */
#define CLI_OPTIONS_MAX 12

enum cli_exit {
	CLI_DONE = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_NOT_ACTIVATED = 3,
	CLI_REFUSED = 4,
	CLI_UNREACHABLE = 5
};

struct cli;

struct cli_command {
	const char *name; /* one or two words */
	const char *args;
	const char *summary;
	int (*run)(struct cli *c, int argc, char **argv);
};

/* One run of the program. */
struct cli {
	const struct cli_command *command;
	bool is_json;
	const char *root;
	const char *config;
	const char *arg[CLI_ARGS_MAX]; /* positional */
	size_t n_args;
};

/* Exactly one of flag, value and list is set. */
struct cli_option {
	const char *name; /* without dashes; NULL ends a table */
	bool *flag;
	const char **value;
	struct cli_list *list;
};

#define CLI_LIST_MAX 16
struct cli_list {
	const char *item[CLI_LIST_MAX];
	size_t n;
};

/* What went wrong, for people and scripts. */
struct cli_error {
	const char *code; /* stable, lower case */
	const char *message;
	const char *next_step;
};

/**
 * cli_parse(): options and positional arguments of one command.
 *
 * --json, --root, --config and --help are every command's.
 *
 * In:      options   own options of the command, at most CLI_OPTIONS_MAX
 *          min, max  positional arguments wanted
 * Out:     exit_out  when the command should not run
 * Returns: true when it should run
 */
bool cli_parse(struct cli *c, int argc, char **argv,
    const struct cli_option *options, size_t min, size_t max, int *exit_out);

/**
 * cli_help(): the help text of one command.
 */
void cli_help(const struct cli_command *command);

/**
 * cli_error(): report an error.
 *
 * In:      e        neither message nor next step is empty
 * Returns: exit_code, for a return statement
 */
int cli_error(const struct cli *c, int exit_code, const struct cli_error *e);

/**
 * cli_errorf(): report an error with a message that is made here.
 *
 * In:      next_step  what to do now
 *          format     printf's: the cause
 * Returns: exit_code
 */
__attribute__((format(printf, 5, 6))) int
cli_errorf(const struct cli *c, int exit_code, const char *code,
    const char *next_step, const char *format, ...);

/**
 * cli_fail(): report an error code about a thing.
 *
 * In:      what       such as a file's name; may be NULL
 *          next_step  NULL: the usual one
 * Returns: CLI_FAILED, or CLI_REFUSED for MUSTER_E_DENIED
 */
int
cli_fail(const struct cli *c, int err, const char *what, const char *next_step);

/**
 * cli_fail_file(): cli_fail() for a file whose content may be the cause.
 *
 * In:      next_step  about the content; where the file itself is the cause,
 *                     the usual one is told
 * Returns: as cli_fail()
 */
int cli_fail_file(const struct cli *c, int err, const char *path,
    const char *next_step);

/**
 * cli_next_step(): what to do about an error, where nothing better is known.
 *
 * Returns: static text, never empty
 */
const char *cli_next_step(int err);

/**
 * cli_print(): one JSON object on a line; takes the reference.
 *
 * Returns: CLI_DONE; CLI_FAILED: out of memory or not written
 */
int cli_print(json_t *object);

/**
 * cli_facts(): cli_print() with the name of what the object is.
 *
 * In:      schema   such as "muster.host.confirm/1"
 *          object   takes the reference
 * Returns: as cli_print()
 */
int cli_facts(const char *schema, json_t *object);

/**
 * cli_read(): a small file or, for "-", standard input.
 *
 * Returns: as file_read()
 */
MUSTER_NODISCARD int
cli_read(const char *path, uint8_t *buf, size_t cap, size_t *len_out);

/**
 * cmd_activate(): muster activate, by --direct or through the agent.
 *
 * Returns: exit code
 */
int cmd_activate(struct cli *c, int argc, char **argv);

/**
 * cmd_install_key(): muster install-key.
 *
 * Returns: exit code
 */
int cmd_install_key(struct cli *c, int argc, char **argv);

/**
 * cmd_verify(): muster verify.
 *
 * Returns: exit code
 */
int cmd_verify(struct cli *c, int argc, char **argv);

/**
 * cmd_plan(): muster plan.
 *
 * Returns: exit code, unless the planner takes over
 */
int cmd_plan(struct cli *c, int argc, char **argv);

/**
 * cmd_ping(): muster ping.
 *
 * Returns: exit code
 */
int cmd_ping(struct cli *c, int argc, char **argv);

/**
 * cmd_catalogue_show(): muster catalogue show.
 *
 * Returns: exit code
 */
int cmd_catalogue_show(struct cli *c, int argc, char **argv);

/**
 * cmd_catalogue_list(): muster catalogue list.
 *
 * Returns: exit code
 */
int cmd_catalogue_list(struct cli *c, int argc, char **argv);

/**
 * cmd_catalogue_install(): muster catalogue install.
 *
 * Returns: exit code
 */
int cmd_catalogue_install(struct cli *c, int argc, char **argv);

/**
 * cmd_host_status(): muster host status.
 *
 * Returns: exit code
 */
int cmd_host_status(struct cli *c, int argc, char **argv);

/**
 * cmd_host_clients(): muster host clients.
 *
 * Returns: exit code
 */
int cmd_host_clients(struct cli *c, int argc, char **argv);

/**
 * cmd_host_install_key(): muster host install-key.
 *
 * Returns: exit code
 */
int cmd_host_install_key(struct cli *c, int argc, char **argv);

/**
 * cmd_host_remove_key(): muster host remove-key.
 *
 * Returns: exit code
 */
int cmd_host_remove_key(struct cli *c, int argc, char **argv);

/**
 * cmd_host_activate(): muster host activate --offline, as digits, QR or file.
 *
 * Returns: exit code
 */
int cmd_host_activate(struct cli *c, int argc, char **argv);

/**
 * cmd_host_confirm(): muster host confirm.
 *
 * Returns: exit code
 */
int cmd_host_confirm(struct cli *c, int argc, char **argv);

/**
 * cmd_host_slots(): muster host slots.
 *
 * Returns: exit code
 */
int cmd_host_slots(struct cli *c, int argc, char **argv);

/**
 * cmd_host_release(): muster host release.
 *
 * Returns: exit code
 */
int cmd_host_release(struct cli *c, int argc, char **argv);

/**
 * cmd_host_backup(): muster host backup.
 *
 * Returns: exit code
 */
int cmd_host_backup(struct cli *c, int argc, char **argv);

/**
 * cmd_host_restore(): muster host restore.
 *
 * Returns: exit code
 */
int cmd_host_restore(struct cli *c, int argc, char **argv);

/**
 * cmd_host_dns(): muster host dns [show|publish|withdraw].
 *
 * Returns: exit code; 1 unless every domain is as it was asked for
 */
int cmd_host_dns(struct cli *c, int argc, char **argv);

#endif /* MUSTER_CLI_CLI_H */
