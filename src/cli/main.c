/* SPDX-License-Identifier: MIT */
/*
 * main.c -- muster: the table of commands.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"

#define WORD_SHOWN_MAX 40 /* characters of what was typed */

static const struct cli_command commands[] = {
    {"status", "[PRODUCT]", "state, days left, count, host, next contact",
        cmd_status},
    {"activate",
        "[PRODUCT] | --direct [--host NAME[:PORT]...] "
        "[--resolver ADDR[:PORT]] --product ID [--catalogue F]",
        "ask for activation now, through the agent or without it",
        cmd_activate},
    {"doctor",
        "[PRODUCT] [--host NAME[:PORT]]... [--resolver ADDR[:PORT]] "
        "[--catalogue F]",
        "try every step to every host, one cause each; counts nothing",
        cmd_doctor},
    {"set-host", "NAME[:PORT]...", "ask these hosts, in this order",
        cmd_set_host},
    {"clear-host", "", "back to hosts found by DNS", cmd_clear_host},
    {"set-domain", "DOMAIN", "look for hosts in this domain only",
        cmd_set_domain},
    {"set-caching", "on|off", "keep the host that answered first",
        cmd_set_caching},
    {"rearm", "[PRODUCT] [--yes]",
        "give up the activation, begin the initial grace again", cmd_rearm},
    {"generalize", "[--yes]", "make this machine an image for cloning",
        cmd_generalize},
    {"install-key", "KEY [--catalogue F]",
        "have the agent ask for the key's product; a host key is refused",
        cmd_install_key},
    {"verify", "LEASE --catalogue F --root-key F [--any-machine]",
        "check a lease file, say which link fails", cmd_verify},
    {"ping", "HOST[:PORT] [--catalogue F]",
        "round trip, host clock and what a host covers; counts nothing",
        cmd_ping},
    {"plan",
        "[SITE.conf] [--desktops N] [--laptops N] [--servers N] [--hosts N] "
        "[--shared] [--days N] [--renewal-minutes N] [--retry-minutes N] "
        "[--seeds N] [--seed S] [--jobs N] [--svg FILE]",
        "simulate a site: will it stay activated?", cmd_plan},
    {"catalogue show", "FILE", "what a catalogue says", cmd_catalogue_show},
    {"catalogue install", "FILE [--trust ID]",
        "put a catalogue in force, here and in musterd", cmd_catalogue_install},
    {"catalogue list", "", "catalogues here, and which are in force",
        cmd_catalogue_list},
    {"host status", "",
        "keys, certificates, counts; exit 3 unless every publisher is "
        "activated",
        cmd_host_status},
    {"host clients",
        "[--product NAME|ID] [--state STATE] [--duplicates] [--csv]",
        "the inventory, or those of a product, in a state, or whose CMID two "
        "machines use",
        cmd_host_clients},
    {"host dns",
        "[show|publish|withdraw] | audit [DOMAIN]... [--resolver ADDR[:PORT]] "
        "[--catalogue F]",
        "records published, and lines to add by hand; publish asks now; "
        "withdraw holds until publish or the next start; audit looks where "
        "every record leads",
        cmd_host_dns},
    {"host install-key", "[--publisher NAME|ID] [--file F]",
        "host key in: prompt, standard input or file", cmd_host_install_key},
    {"host remove-key", "[--publisher NAME|ID]", "host key out",
        cmd_host_remove_key},
    {"host activate",
        "--online [--authority URL] [--ca F] | --offline [--qr] [--file F]; "
        "[--publisher NAME|ID] [--replaces N]",
        "ask the publisher: over HTTPS; or by digits for the telephone, a QR "
        "code (with --file: as SVG), or a file",
        cmd_host_activate},
    {"host confirm", "[CODE... | --file F | --qr TEXT|-] [--publisher NAME|ID]",
        "the publisher's answer in: digits, asked for group by group on a "
        "terminal, a file or a QR code",
        cmd_host_confirm},
    {"host slots", "[--authority URL] [--ca F] [--publisher NAME|ID]",
        "what the host key is used for, at the authority", cmd_host_slots},
    {"host release",
        "SLOT [--yes] [--authority URL] [--ca F] [--publisher NAME|ID]",
        "give a slot back; its host ends as one", cmd_host_release},
    {"host backup", "FILE", "counts and inventory into a file, while it runs",
        cmd_host_backup},
    {"host restore", "FILE [--yes]",
        "a backup in their place, while musterd does not run",
        cmd_host_restore},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* Of all commands, or of a group such as "host". */
static void
help(const char *group)
{
	FILE *to = stdout;
	size_t len = group == NULL ? 0 : strlen(group);

	(void)fprintf(to,
	    "usage: muster %s%sCOMMAND [OPTION]... "
	    "[ARGUMENT]...\n\n",
	    group == NULL ? "" : group, group == NULL ? "" : " ");
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strncmp(commands[i].name, group == NULL ? "" : group,
		        len) != 0)
			continue;
		(void)fprintf(to, "  muster %s%s%s\n        %s\n",
		    commands[i].name, commands[i].args[0] != '\0' ? " " : "",
		    commands[i].args, commands[i].summary);
	}
	(void)fputs("\nEvery command takes --json, --root DIR, --config FILE "
	            "and --help.\n",
	    to);
}

/* How many words of argv name this command; 0: another one. */
static int
words(const struct cli_command *cmd, int argc, char **argv)
{
	const char *space = strchr(cmd->name, ' ');
	size_t len =
	    space == NULL ? strlen(cmd->name) : (size_t)(space - cmd->name);
	int n = 0;

	if (argc > 1 && strlen(argv[1]) == len &&
	    memcmp(argv[1], cmd->name, len) == 0) {
		if (space == NULL)
			n = 1;
		else if (argc > 2 && strcmp(argv[2], space + 1) == 0)
			n = 2;
	}
	return n;
}

static bool
is_group(const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; len > 0 && i < N_COMMANDS; i++) {
		if (strncmp(commands[i].name, word, len) == 0 &&
		    commands[i].name[len] == ' ')
			return true;
	}
	return false;
}

/* `muster host --help`, or words that name no command. */
static int
no_command(const struct cli *c, int argc, char **argv)
{
	const char *group = argc > 1 && is_group(argv[1]) ? argv[1] : NULL;
	const char *word = argc > 1 ? argv[1] : "";
	char next[64];

	for (int i = 2; group != NULL && i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			help(group);
			return CLI_DONE;
		}
	}
	if (group != NULL)
		word = argc > 2 && argv[2][0] != '-' ? argv[2] : "";
	(void)snprintf(next, sizeof(next), "muster %s%s--help lists them",
	    group == NULL ? "" : group, group == NULL ? "" : " ");
	if (word[0] == '\0' || word[0] == '-')
		return cli_errorf(c, CLI_USAGE, "usage", next,
		    "%s needs a command", group == NULL ? "muster" : group);
	return cli_errorf(c, CLI_USAGE, "usage", next, "%s%s%.*s is no command",
	    group == NULL ? "" : group, group == NULL ? "" : " ",
	    WORD_SHOWN_MAX, word);
}

int
main(int argc, char **argv)
{
	struct cli c = {0};

	if (sodium_init() < 0) {
		(void)fputs("muster: libsodium does not start\n", stderr);
		return CLI_FAILED;
	}
	for (int i = 1; i < argc; i++)
		c.is_json = c.is_json || strcmp(argv[i], "--json") == 0;
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		(void)printf("muster %s\n", MUSTER_VERSION);
		return CLI_DONE;
	}
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		help(NULL);
		return CLI_DONE;
	}
	for (size_t i = 0; i < N_COMMANDS; i++) {
		int n = words(&commands[i], argc, argv);

		if (n == 0)
			continue;
		c.command = &commands[i];
		return commands[i].run(&c, argc - n, argv + n);
	}
	return no_command(&c, argc, argv);
}
