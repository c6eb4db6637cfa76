/* SPDX-License-Identifier: MIT */
/*
 * main.c -- muster-authority: one table of options, one of commands.
 */
#include <getopt.h>
#include <libconfig.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authority/cmd.h"
#include "authority/rights.h"
#include "authority/settings.h"

#define DEFAULT_CONFIG "/etc/muster/authority.conf"
#define OPTION_BASE 256 /* above every short option */

#define O(name) (UINT64_C(1) << OPT_##name)
_Static_assert(OPT_N <= 64, "options fit into a set");
#define EVERYWHERE (O(HELP) | O(VERSION) | O(JSON) | O(CONFIG))

static const struct {
	const char *name;
	int argument;
} options[OPT_N] = {
    [OPT_HELP] = {"help", no_argument},
    [OPT_VERSION] = {"version", no_argument},
    [OPT_JSON] = {"json", no_argument},
    [OPT_CONFIG] = {"config", required_argument},
    [OPT_DIR] = {"dir", required_argument},
    [OPT_NAME] = {"name", required_argument},
    [OPT_URL] = {"url", required_argument},
    [OPT_CONTACT] = {"contact", required_argument},
    [OPT_ROOT_KEY] = {"root-key", required_argument},
    [OPT_PASSPHRASE] = {"passphrase-file", required_argument},
    [OPT_OUT] = {"output", required_argument},
    [OPT_PREPARED] = {"prepared", required_argument},
    [OPT_PREVIOUS] = {"previous", required_argument},
    [OPT_DROP] = {"drop", no_argument},
    [OPT_LEVEL] = {"level", required_argument},
    [OPT_LINES] = {"lines", required_argument},
    [OPT_CUSTOMER] = {"customer", required_argument},
    [OPT_HOSTS] = {"hosts", required_argument},
    [OPT_REACTIVATIONS] = {"reactivations", required_argument},
    [OPT_RELEASES] = {"releases", required_argument},
    [OPT_FILE] = {"file", required_argument},
    [OPT_AS_OF] = {"as-of", required_argument},
    [OPT_KEY] = {"key", required_argument},
    [OPT_CATALOGUE] = {"catalogue", required_argument},
    [OPT_YES] = {"yes", no_argument},
    [OPT_LISTEN] = {"listen", required_argument},
    [OPT_TLS_CERT] = {"tls-cert", required_argument},
    [OPT_TLS_KEY] = {"tls-key", required_argument},
    [OPT_CHECK] = {"check", no_argument},
    [OPT_INSTALLATION_ID] = {"installation-id", required_argument},
    [OPT_QR] = {"qr", required_argument},
    [OPT_REPLACES] = {"replaces", required_argument},
    [OPT_DAYS] = {"days", required_argument},
    [OPT_FOR_GOOD] = {"for-good", no_argument},
    [OPT_SEAL_COST] = {"seal-cost", required_argument},
};

static const struct command {
	const char *noun;
	const char *verb; /* NULL: the noun alone */
	uint64_t required;
	uint64_t allowed; /* beside required and EVERYWHERE */
	int operands_min;
	int operands_max;
	int (*run)(struct ctx *ctx);
	const char *usage;
	const char *what;
} commands[] = {
    {"init", NULL, O(NAME) | O(ROOT_KEY),
        O(DIR) | O(PASSPHRASE) | O(URL) | O(CONTACT) | O(SEAL_COST), 0, 0,
        cmd_init,
        "--name NAME --root-key FILE [--url U] [--contact TEXT]\n"
        "      [--passphrase-file F|-] [--seal-cost "
        "interactive|moderate|sensitive]",
        "make issuing keys, database and a sealed root key"},
    {"catalogue", "prepare", O(OUT), O(DIR), 0, 0, cmd_catalogue_prepare,
        "-o FILE", "reserve the next serial, write what the signer needs"},
    {"catalogue", "sign", O(ROOT_KEY) | O(PREPARED) | O(OUT),
        O(PASSPHRASE) | O(PREVIOUS) | O(DROP), 1, 1, cmd_catalogue_sign,
        "--root-key FILE --prepared FILE PRODUCTS.conf -o NAME.muster\n"
        "      [--previous OLD.muster] [--drop] [--passphrase-file F|-]",
        "sign the catalogue; needs no database"},
    {"catalogue", "import", 0, O(DIR), 1, 1, cmd_catalogue_import,
        "NAME.muster", "give the signed catalogue back to the service"},
    {"issuer", "list", 0, O(DIR), 0, 0, cmd_issuer_list, "",
        "issuing keys, and what each is used for"},
    {"issuer", "add", 0, O(DIR) | O(AS_OF) | O(DAYS), 0, 0, cmd_issuer_add,
        "[--as-of YYYY-MM-DD] [--days 3650]",
        "a new issuing key for the next catalogue, to sign certificates\n"
        "      from that day on (in 90 days)"},
    {"issuer", "drop", 0, O(DIR) | O(YES), 1, 1, cmd_issuer_drop,
        "NUMBER --yes",
        "sign nothing more by it; the next catalogue leaves it out"},
    {"key", "issue", O(LEVEL) | O(CUSTOMER),
        O(DIR) | O(LINES) | O(HOSTS) | O(REACTIVATIONS) | O(RELEASES), 0, 0,
        cmd_key_issue,
        "--level N [--lines 0,1] --customer TEXT [--hosts 6]\n"
        "      [--reactivations 9] [--releases 6]",
        "make a host key and print it once"},
    {"key", "list", 0, O(DIR), 0, 0, cmd_key_list, "", "all host keys"},
    {"key", "show", 0, O(DIR), 1, 1, cmd_key_show, "KEYNO",
        "one host key and its slots"},
    {"key", "grant", 0, O(DIR) | O(HOSTS) | O(REACTIVATIONS) | O(RELEASES), 1,
        1, cmd_key_grant,
        "KEYNO [--hosts N] [--reactivations N] [--releases N]",
        "change the limits of a host key"},
    {"key", "revoke", 0, O(DIR) | O(AS_OF) | O(YES), 1, 1, cmd_key_revoke,
        "KEYNO [--as-of YYYY-MM-DD] --yes",
        "end a host key and its hosts, at once or as of a day"},
    {"host", "list", 0, O(DIR) | O(KEY), 0, 0, cmd_host_list, "[--key KEYNO]",
        "slots and the hosts in them"},
    {"host", "release", 0, O(DIR) | O(YES), 2, 2, cmd_host_release,
        "KEYNO SLOT --yes", "free a slot with the next catalogue"},
    {"host", "revoke", 0, O(DIR) | O(AS_OF) | O(FOR_GOOD) | O(YES), 2, 2,
        cmd_host_revoke, "KEYNO SLOT [--as-of YYYY-MM-DD] [--for-good] --yes",
        "end a host's certificate, at once or as of a day; --for-good: the\n"
        "      slot's, so that no other host takes it over"},
    {"activate", NULL, 0,
        O(DIR) | O(FILE) | O(OUT) | O(INSTALLATION_ID) | O(QR) | O(REPLACES), 0,
        0, cmd_activate,
        "--installation-id DIGITS|- [--replaces SLOT]\n"
        "      | --file REQUEST [-o F] | --qr TEXT|- [-o F]",
        "answer a host: digits by digits; a request by a certificate in\n"
        "      -o F, as a QR code where F ends in .svg, or on the screen"},
    {"serve", NULL, 0, O(DIR) | O(LISTEN) | O(TLS_CERT) | O(TLS_KEY) | O(CHECK),
        0, 0, cmd_serve, "[--listen A:P] [--tls-cert F --tls-key F] [--check]",
        "the HTTPS service, in the foreground; --check tests the settings"},
    {"audit", "verify", 0, O(DIR) | O(CATALOGUE), 0, 4096, cmd_audit_verify,
        "[--catalogue FILE...]",
        "check the audit log, also against catalogues"},
    {"backup", NULL, 0, O(DIR), 1, 1, cmd_backup, "FILE",
        "the database as it stands into a new file, also while it is served"},
    {"audit", "export", 0, O(DIR), 0, 0, cmd_audit_export, "",
        "the audit log to standard output, a JSON object a line"},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

const char *
ctx_option_name(enum opt opt)
{
	return options[opt].name;
}

static void
help_line(const struct command *c)
{
	printf("  muster-authority %s%s%s %s\n      %s\n", c->noun,
	    c->verb == NULL ? "" : " ", c->verb == NULL ? "" : c->verb,
	    c->usage, c->what);
}

static int
help(const struct command *only)
{
	printf("Usage:\n");
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (only == NULL || only == &commands[i])
			help_line(&commands[i]);
	}
	printf("Every command but catalogue sign takes --dir DIR (default: dir "
	       "in\n" DEFAULT_CONFIG ", or in --config FILE).\n"
	       "Every command takes --json, --help and --version.\n"
	       "Exit: 0 done, 1 failed, 2 usage; serve: 78 bad settings.\n");
	return EXIT_DONE;
}

/* getopt_long() gave '?' or ':'; what follows a '=' may be a secret. */
static int
bad_option(const struct ctx *ctx, int got, const char *typed)
{
	const char *next = "see --help of the command";
	int opt = optopt - OPTION_BASE;

	if (opt >= 0 && opt < OPT_N)
		return ctx_fail(ctx, EXIT_USAGE, "bad_option", next, "--%s %s",
		    options[opt].name,
		    got == ':' ? "lacks its value" : "takes no value");
	if (optopt != 0)
		return ctx_fail(ctx, EXIT_USAGE, "bad_option", next, "-%c %s",
		    optopt, got == ':' ? "lacks its value" : "is no option");
	return ctx_fail(ctx, EXIT_USAGE, "bad_option", next,
	    "%.*s is no option", (int)strcspn(typed, "="), typed);
}

static int
parse(struct ctx *ctx, int argc, char **argv)
{
	struct option table[OPT_N + 1] = {0};
	int c, opt;

	for (int i = 0; i < OPT_N; i++) {
		table[i] = (struct option){
		    .name = options[i].name,
		    .has_arg = options[i].argument,
		    .val = OPTION_BASE + i,
		};
		/* Errors in the options shall come as JSON too. */
		for (int k = 1; i == OPT_JSON && k < argc; k++) {
			if (strcmp(argv[k], "--json") == 0)
				ctx->value[OPT_JSON] = "";
		}
	}
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":o:", table, NULL)) != -1) {
		if (c == '?' || c == ':')
			return bad_option(ctx, c, argv[optind - 1]);
		opt = c == 'o' ? OPT_OUT : c - OPTION_BASE;
		if (options[opt].argument == required_argument &&
		    ctx->value[opt] != NULL)
			return ctx_fail(ctx, EXIT_USAGE, "option_twice",
			    "give it once", "--%s is given twice",
			    options[opt].name);
		ctx->value[opt] = optarg == NULL ? "" : optarg;
	}
	ctx->operands = argv + optind;
	ctx->n_operands = argc - optind;
	return EXIT_DONE;
}

/* The words of the command leave the operands. */
static const struct command *
find_command(struct ctx *ctx)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		const struct command *c = &commands[i];
		int words = c->verb == NULL ? 1 : 2;

		if (ctx->n_operands < words ||
		    strcmp(ctx->operands[0], c->noun) != 0 ||
		    (words == 2 && strcmp(ctx->operands[1], c->verb) != 0))
			continue;
		ctx->operands += words;
		ctx->n_operands -= words;
		return c;
	}
	return NULL;
}

static int
check_usage(const struct ctx *ctx, const struct command *c)
{
	uint64_t allowed = EVERYWHERE | c->required | c->allowed;

	for (int i = 0; i < OPT_N; i++) {
		bool given = ctx->value[i] != NULL;

		if (given && (allowed >> i & 1) == 0)
			return ctx_fail(ctx, EXIT_USAGE, "bad_option",
			    "see --help of the command",
			    "--%s is not an option of this command",
			    options[i].name);
		if (!given && (c->required >> i & 1) != 0)
			return ctx_fail(ctx, EXIT_USAGE, "option_missing",
			    "see --help of the command", "--%s is missing",
			    options[i].name);
	}
	if (ctx->n_operands < c->operands_min ||
	    ctx->n_operands > c->operands_max)
		return ctx_fail(ctx, EXIT_USAGE, "bad_operands",
		    "see --help of the command", "usage: %s%s%s %s", c->noun,
		    c->verb == NULL ? "" : " ", c->verb == NULL ? "" : c->verb,
		    c->usage);
	return EXIT_DONE;
}

/* Only its form is judged here. */
static int
parse_config(const struct ctx *ctx, const char *file, const char *text,
    config_t *conf)
{
	const config_setting_t *dir;

	if (!config_read_string(conf, text))
		return ctx_fail(ctx, EXIT_FAILED, "bad_config",
		    "mend it; settings are NAME = VALUE;", "%s:%d: %s", file,
		    config_error_line(conf), config_error_text(conf));
	dir = config_lookup(conf, "dir");
	if (dir != NULL && config_setting_source_file(dir) != NULL)
		return ctx_fail(ctx, EXIT_FAILED, "bad_config",
		    "write it in that file itself",
		    "%s: dir stands in an included file", file);
	return EXIT_DONE;
}

/* One that was not named need not be there. */
static int
read_config(const struct ctx *ctx, const char *file, config_t *conf)
{
	char *text = NULL;
	int err, rc;

	err = settings_read(file, &text);
	if (err == MUSTER_E_NOENT && ctx->value[OPT_CONFIG] == NULL)
		return EXIT_DONE;
	if (err == MUSTER_E_DAMAGED)
		return rights_fail_config(ctx, file);
	if (err != 0)
		return ctx_fail(ctx, EXIT_FAILED, "bad_config",
		    "name a readable file by --config", "%s: %s", file,
		    muster_strerror(err));
	rc = parse_config(ctx, file, text, conf);
	free(text);
	return rc;
}

/* --dir, else `dir = "..."` of the configuration file. */
static int
find_dir(struct ctx *ctx, bool is_needed)
{
	const char *file = ctx->config;
	const char *dir = ctx->value[OPT_DIR];
	config_t conf;
	int n, rc = EXIT_DONE;

	config_init(&conf);
	/* a file that was named is read, whether or not it is needed */
	if (ctx->value[OPT_CONFIG] != NULL || (is_needed && dir == NULL))
		rc = read_config(ctx, file, &conf);
	if (rc == EXIT_DONE && is_needed && dir == NULL &&
	    !config_lookup_string(&conf, "dir", &dir))
		rc = ctx_fail(ctx, EXIT_USAGE, "no_dir",
		    "give --dir DIR, or write dir = \"DIR\"; in that file",
		    "no --dir, and %s names none", file);
	if (rc != EXIT_DONE || !is_needed)
		goto out;
	n = snprintf(ctx->dir, sizeof(ctx->dir), "%s", dir);
	if (n < 1 || (size_t)n >= sizeof(ctx->dir))
		rc = ctx_fail(ctx, EXIT_USAGE, "bad_dir",
		    "give a shorter path by --dir",
		    "the folder's path is empty or too long");
	if (rc == EXIT_DONE)
		rc = rights_check(ctx);
out:
	config_destroy(&conf);
	return rc;
}

static int
run(int argc, char **argv)
{
	struct ctx ctx = {0};
	const struct command *c;
	int rc;

	rc = parse(&ctx, argc, argv);
	if (rc != EXIT_DONE)
		return rc;
	if (ctx.value[OPT_VERSION] != NULL) {
		printf("muster-authority %s\n", MUSTER_VERSION);
		return EXIT_DONE;
	}
	c = find_command(&ctx);
	if (ctx.value[OPT_HELP] != NULL)
		return help(c);
	if (c == NULL)
		return ctx_fail(&ctx, EXIT_USAGE, "no_command",
		    "muster-authority --help", "%s%s%s",
		    ctx.n_operands == 0 ? "no command" : "no such command: ",
		    ctx.n_operands == 0 ? "" : ctx.operands[0], "");
	rc = check_usage(&ctx, c);
	ctx.config = ctx.value[OPT_CONFIG] == NULL ? DEFAULT_CONFIG
	                                           : ctx.value[OPT_CONFIG];
	if (rc != EXIT_DONE)
		return rc;
	rc = find_dir(&ctx, (c->allowed & O(DIR)) != 0);
	/* the service manager shall not try that again and again */
	if (rc != EXIT_DONE && c->run == cmd_serve)
		rc = EXIT_CONFIG;
	if (rc == EXIT_DONE)
		rc = c->run(&ctx);
	return rc;
}

int
main(int argc, char **argv)
{
	int rc;

	if (sodium_init() < 0) {
		(void)fputs("muster-authority: libsodium does not start\n"
		            "  next: install it again\n",
		    stderr);
		return EXIT_FAILED;
	}
	rc = run(argc, argv);
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return rc;
	/* by --json too, for standard output takes nothing */
	(void)fprintf(stderr,
	    "muster-authority: standard output cannot be written%s\n"
	    "  next: make room where it goes, or run it on a terminal\n",
	    rc == EXIT_DONE ? "; the command itself is done" : "");
	return rc == EXIT_DONE ? EXIT_FAILED : rc;
}
