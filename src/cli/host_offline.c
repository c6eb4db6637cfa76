/* SPDX-License-Identifier: MIT */
#include "cli/host_offline.h"

#include <stdio.h>
#include <string.h>

#include "base/base45.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/qrout.h"
#include "trust/enrol.h"
#include "trust/phone.h"

#define GROUPS_A_LINE 5

static const char *
text_of(const json_t *reply, const char *name)
{
	const char *text = json_string_value(json_object_get(reply, name));

	return text == NULL ? "" : text;
}

static void
tell_replaces(const struct host_offline *how)
{
	if (how->replaces != 0)
		(void)printf("Say that it takes slot %ld (the operator's "
		             "--replaces %ld).\n",
		    how->replaces, how->replaces);
}

static int
show_digits(const struct cli *c, const struct host_offline *how,
    const json_t *reply)
{
	const char *digits = text_of(reply, "installation_id");
	const char *contact = text_of(reply, "contact");

	if (strlen(digits) != DIGITS_TEXT_LEN(PHONE_ASK_LEN) - 1)
		return cli_fail(c, MUSTER_E_PROTO, "musterd's answer",
		    "let muster and musterd be of one version");
	(void)printf("Installation ID for %s, %d groups:\n",
	    text_of(reply, "name"), (int)PHONE_ASK_GROUPS);
	for (size_t i = 0; i < PHONE_ASK_GROUPS; i++)
		(void)printf("%s%2zu: %.*s",
		    i % GROUPS_A_LINE == 0 ? "\n  " : "   ", i + 1,
		    DIGITS_TYPED, digits + i * (DIGITS_TYPED + 1));
	(void)printf("\n\nRead it to the publisher%s%s.\n",
	    contact[0] == '\0' ? "" : ": ", contact);
	tell_replaces(how);
	(void)printf("The %d groups that come back go to `muster host "
	             "confirm`.\n",
	    (int)PHONE_ANSWER_GROUPS);
	return CLI_DONE;
}

static int
show_qr(const struct cli *c, const char *base45, const json_t *reply)
{
	const char *contact = text_of(reply, "contact");
	int err;

	(void)printf("Request for %s; the same as text:\n%s\n",
	    text_of(reply, "name"), base45);
	err = qrout_print(base45);
	if (err != 0)
		return cli_fail(c, err, "QR code", NULL);
	(void)printf("Send it to the publisher%s%s.\n"
	             "The QR code that comes back goes to `muster host "
	             "confirm --qr TEXT`, a file to `--file F`.\n",
	    contact[0] == '\0' ? "" : ": ", contact);
	return CLI_DONE;
}

static int
show(const struct cli *c, const struct host_offline *how, const json_t *reply,
    const char *base45)
{
	if (how->file != NULL) {
		(void)printf("request written%s; the certificate that comes "
		             "back goes to `muster host confirm --file F` or "
		             "--qr TEXT\n",
		    how->is_qr ? " as a QR code" : "");
		return CLI_DONE;
	}
	return how->is_qr ? show_qr(c, base45, reply)
	                  : show_digits(c, how, reply);
}

int
host_offline(const struct cli *c, const struct host_offline *how, json_t *reply)
{
	const char *hex = text_of(reply, "request");
	char base45[BASE45_LEN(ENROL_MAX) + 1] = "";
	uint8_t buf[ENROL_MAX];
	size_t len = strlen(hex) / 2;
	int err = MUSTER_E_PROTO, exit_code;

	if (len > 0 && len <= sizeof(buf))
		err = hex_decode(hex, strlen(hex), buf, len);
	if (err == 0)
		base45_encode(buf, len, base45);
	if (err == 0 && how->file != NULL)
		err = how->is_qr ? qrout_save(base45, how->file)
		                 : file_replace(how->file, buf, len, 0644);
	if (err != 0)
		exit_code = cli_fail(c, err,
		    how->file == NULL ? "musterd's answer" : how->file, NULL);
	else
		exit_code = c->is_json ? CLI_DONE : show(c, how, reply, base45);
	if (exit_code == CLI_DONE && c->is_json) {
		(void)json_object_set_new(reply, "request_base45",
		    json_string(base45));
		return cli_facts("muster.host.activate-offline/1", reply);
	}
	json_decref(reply);
	return exit_code;
}
