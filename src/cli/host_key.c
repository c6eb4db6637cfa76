/* SPDX-License-Identifier: MIT */
/*
 * host_key.c -- muster host install-key: never from the command line, where
 * every user of the machine reads it.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/http.h"
#include "trust/hostkey.h"

#define INPUT_MAX 256

static int
read_prompt(uint8_t *buf, size_t cap, size_t *len_out)
{
	struct termios old, quiet;
	ssize_t n;

	if (tcgetattr(STDIN_FILENO, &old) != 0)
		return MUSTER_E_IO;
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	(void)fputs("Host key: ", stderr);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	n = read(STDIN_FILENO, buf, cap);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
	(void)fputs("\n", stderr);
	if (n < 0)
		return MUSTER_E_IO;
	*len_out = (size_t)n;
	return 0;
}

static int
read_key(const char *file, uint8_t *buf, size_t cap, size_t *len_out)
{
	int err;

	if (file == NULL && isatty(STDIN_FILENO))
		err = read_prompt(buf, cap, len_out);
	else
		err = cli_read(file != NULL ? file : "-", buf, cap, len_out);
	while (err == 0 && *len_out > 0 &&
	    strchr(" \t\r\n", buf[*len_out - 1]) != NULL)
		(*len_out)--;
	return err;
}

/* A typing error or a key of the other kind goes no further (b43). */
static int
check(const struct cli *c, const char *text, size_t len)
{
	const struct cli_error kind = {"kind",
	    "this is a client setup key; a host needs a host key",
	    "the publisher issues host keys; setup keys belong to clients"};
	struct hostkey key;
	int err = hostkey_parse(text, len, &key);

	if (err == 0 && key.kind != HOSTKEY_HOST) {
		sodium_memzero(&key, sizeof(key));
		return cli_error(c, CLI_FAILED, &kind);
	}
	sodium_memzero(&key, sizeof(key));
	if (err != 0)
		return cli_fail(c, err, "host key",
		    "type the 25 characters "
		    "again; nothing was sent");
	return CLI_DONE;
}

int
cmd_host_install_key(struct cli *c, int argc, char **argv)
{
	const struct cli_error on_line = {"key_on_command_line",
	    "a host key does not belong on the command line, where others "
	    "read it",
	    "run it without the key and type it at the prompt, or use "
	    "standard input or --file F"};
	const char *publisher = NULL, *file = NULL;
	const struct cli_option options[] = {{"publisher", NULL, &publisher,
	                                         NULL},
	    {"file", NULL, &file, NULL}, {NULL, NULL, NULL, NULL}};
	uint8_t buf[INPUT_MAX];
	char text[INPUT_MAX + 1];
	json_t *reply = NULL, *body;
	size_t len = 0;
	int exit_code, err;

	if (!cli_parse(c, argc, argv, options, 0, CLI_ARGS_MAX, &exit_code))
		return exit_code;
	if (c->n_args > 0)
		return cli_error(c, CLI_USAGE, &on_line);
	err = read_key(file, buf, sizeof(buf), &len);
	memcpy(text, buf, len);
	text[len] = '\0';
	sodium_memzero(buf, sizeof(buf));
	if (err != 0)
		exit_code = cli_fail_file(c, err,
		    file != NULL ? file : "standard input",
		    "the input is one key of 25 characters; nothing was sent");
	else
		exit_code = check(c, text, len);
	if (exit_code == CLI_DONE) {
		body = json_pack("{s:s%}", "key", text, len);
		if (body != NULL && publisher != NULL) {
			(void)json_object_set_new(body, "publisher",
			    json_string(publisher));
		}
		exit_code = http_call(c, "/v1/install-key", body, &reply);
	}
	sodium_memzero(text, sizeof(text));
	if (exit_code != CLI_DONE)
		return exit_code;
	if (c->is_json)
		return cli_facts("muster.host.install-key/1", reply);
	json_decref(reply);
	(void)printf("host key installed; next: muster host activate\n");
	return CLI_DONE;
}
