/* SPDX-License-Identifier: MIT */
/*
 * host_confirm.c -- muster host confirm: what the operator answered, as
 * digits, QR code or file.  Digits are checked here, group by group, so that
 * a slip is named at once; whether the answer is for this host musterd says.
 */
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/base45.h"
#include "base/hex.h"
#include "cli/cli.h"
#include "cli/http.h"
#include "trust/cert.h"
#include "trust/phone.h"

#define GROUPS ((unsigned)PHONE_ANSWER_GROUPS)
#define TEXT_MAX DIGITS_INPUT_MAX
/* Lines typed in one sitting, right and wrong ones: a program that answers the
 * prompt without end is sent away. */
#define LINES_MAX 1000

#define NEXT_WRONG "nothing was changed"

static int
fail_group(const struct cli *c, const struct digits_slip *slip)
{
	char why[DIGITS_WHY_MAX];

	if (slip->group == 0)
		return cli_errorf(c, CLI_FAILED, "code_mistyped",
		    "take the digits that the operator reads out, and no "
		    "others; " NEXT_WRONG,
		    "this is no confirmation ID of %u groups", GROUPS);
	return cli_errorf(c, CLI_FAILED, "code_mistyped",
	    "compare this group with what the operator reads out; " NEXT_WRONG,
	    "group %u of %u is not right: %s", slip->group, GROUPS,
	    digits_why(slip, why));
}

/* Groups of one line, as many as are right; *n_io counts on.  What follows a
 * wrong group in a text that was pasted would be taken for an answer: away. */
static void
take_line(const char *line, uint32_t *bare, unsigned *n_io)
{
	struct digits_slip slip;
	char why[DIGITS_WHY_MAX];
	size_t len = strlen(line);
	unsigned n = *n_io;
	int err = 0;

	while (err == 0 && n < GROUPS) {
		err = digits_group(&line, &len, n + 1, &bare[n], &slip);
		if (err == 0)
			n++;
	}
	if (err != 0 && err != MUSTER_E_NOENT) {
		(void)fprintf(stderr,
		    "  group %u is not right: %s; type it again\n", n + 1,
		    digits_why(&slip, why));
		(void)tcflush(STDIN_FILENO, TCIFLUSH);
	}
	*n_io = n;
}

static int
broken_off(const struct cli *c, unsigned n)
{
	return cli_errorf(c, CLI_FAILED, "code_broken_off",
	    "run it again and type all groups; " NEXT_WRONG,
	    "the input ended after %u of %u groups", n, GROUPS);
}

static int
ask(const struct cli *c, uint8_t *answer)
{
	const struct digits_slip none = {.group = 0};
	uint32_t bare[PHONE_ANSWER_GROUPS];
	char line[TEXT_MAX];
	unsigned n = 0;
	int err;

	(void)fprintf(stderr,
	    "Confirmation ID: %u groups of %d digits. Type them one by one, "
	    "or paste them all.\n",
	    GROUPS, DIGITS_TYPED);
	for (unsigned i = 0; n < GROUPS; i++) {
		(void)fprintf(stderr, "group %u of %u: ", n + 1, GROUPS);
		if (i == LINES_MAX ||
		    fgets(line, sizeof(line), stdin) == NULL) {
			(void)fputc('\n', stderr);
			return broken_off(c, n);
		}
		take_line(line, bare, &n);
	}
	err = digits_join(bare, PHONE_ANSWER_LEN, answer);
	return err == 0 ? CLI_DONE : fail_group(c, &none);
}

/* All at once: from the command line, or from standard input. */
static int
take_text(const struct cli *c, uint8_t *answer)
{
	struct digits_slip slip;
	char text[TEXT_MAX + 1] = "";
	size_t len = 0;
	int err = 0;

	if (c->n_args == 0 || (c->n_args == 1 && strcmp(c->arg[0], "-") == 0)) {
		err = cli_read("-", (uint8_t *)text, TEXT_MAX, &len);
		if (err != 0)
			return cli_fail(c, err, "standard input", NULL);
	}
	for (size_t i = 0; len == 0 && i < c->n_args; i++) {
		(void)strncat(text, c->arg[i], TEXT_MAX - strlen(text));
		(void)strncat(text, " ", TEXT_MAX - strlen(text));
	}
	err = digits_parse(text, len == 0 ? strlen(text) : len, answer,
	    PHONE_ANSWER_LEN, &slip);
	return err == 0 ? CLI_DONE : fail_group(c, &slip);
}

static int
take_digits(const struct cli *c, json_t *body)
{
	char hex[2 * PHONE_ANSWER_LEN + 1];
	uint8_t answer[PHONE_ANSWER_LEN];
	int exit_code;

	exit_code = c->n_args == 0 && isatty(STDIN_FILENO)
	    ? ask(c, answer)
	    : take_text(c, answer);
	if (exit_code != CLI_DONE)
		return exit_code;
	hex_encode(answer, sizeof(answer), hex);
	(void)json_object_set_new(body, "confirmation", json_string(hex));
	return CLI_DONE;
}

/* The text that a scanner gives; a space in it counts, a line end does not. */
static int
read_qr(const char *arg, uint8_t *out, size_t cap, size_t *len_out)
{
	uint8_t text[TEXT_MAX];
	size_t len = strnlen(arg, TEXT_MAX);
	int err = 0;

	if (strcmp(arg, "-") == 0)
		err = cli_read("-", text, sizeof(text), &len);
	else
		memcpy(text, arg, len);
	if (err != 0)
		return err;
	while (len > 0 && strchr("\r\n", text[len - 1]) != NULL)
		len--;
	return base45_decode((const char *)text, len, out, cap, len_out);
}

static int
take_certificate(const struct cli *c, const char *file, const char *qr,
    json_t *body)
{
	char hex[2 * CERT_LEN + 1];
	uint8_t buf[CERT_LEN + 2];
	size_t len = 0;
	int err;

	err = file != NULL ? cli_read(file, buf, sizeof(buf), &len)
	                   : read_qr(qr, buf, sizeof(buf), &len);
	if (err == 0 && len != CERT_LEN)
		err = MUSTER_E_PROTO;
	if (err != 0)
		return cli_fail_file(c, err, file != NULL ? file : "QR code",
		    "hand over the certificate as it came; it has 120 bytes");
	hex_encode(buf, len, hex);
	(void)json_object_set_new(body, "certificate", json_string(hex));
	return CLI_DONE;
}

static int
finish(const struct cli *c, json_t *reply)
{
	bool is_old = json_is_true(json_object_get(reply, "already"));

	if (c->is_json)
		return cli_facts("muster.host.confirm/1", reply);
	(void)printf("the host is activated%s\n",
	    is_old ? ", and was so by the same answer: nothing has changed"
	           : "");
	json_decref(reply);
	return CLI_DONE;
}

int
cmd_host_confirm(struct cli *c, int argc, char **argv)
{
	const struct cli_error one = {"usage",
	    "host confirm takes one answer: digits, --file or --qr",
	    "give what the publisher's operator sent back, once"};
	const char *file = NULL, *qr = NULL, *publisher = NULL;
	const struct cli_option options[] = {{"file", NULL, &file, NULL},
	    {"qr", NULL, &qr, NULL}, {"publisher", NULL, &publisher, NULL},
	    {NULL, NULL, NULL, NULL}};
	json_t *reply = NULL, *body;
	int exit_code;

	if (!cli_parse(c, argc, argv, options, 0, CLI_ARGS_MAX, &exit_code))
		return exit_code;
	if ((file != NULL) + (qr != NULL) + (c->n_args > 0) > 1)
		return cli_error(c, CLI_USAGE, &one);
	body = json_object();
	if (publisher != NULL)
		(void)json_object_set_new(body, "publisher",
		    json_string(publisher));
	exit_code = file == NULL && qr == NULL
	    ? take_digits(c, body)
	    : take_certificate(c, file, qr, body);
	if (exit_code != CLI_DONE) {
		json_decref(body);
		return exit_code;
	}
	exit_code = http_call(c, "/v1/certificate", body, &reply);
	return exit_code == CLI_DONE ? finish(c, reply) : exit_code;
}
