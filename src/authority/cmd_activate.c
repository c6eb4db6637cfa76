/* SPDX-License-Identifier: MIT */
/*
 * cmd_activate.c -- the operator's side of offline activation, and what the
 * operator tells the customer.
 */
#include "authority/cmd.h"

#include <stdio.h>
#include <string.h>

#include "authority/enrolment.h"
#include "base/base45.h"
#include "base/hex.h"
#include "base/qrout.h"
#include "trust/phone.h"

#define NEXT_MAX 700
#define TEXT_MAX 1024 /* of a code or a QR code's text, spaces included */
#define GROUPS_A_LINE 5

/* How to ask for more: the publisher's own words, where there are any. */
static int
refuse(const struct ctx *ctx, const struct enrolment *e, const char *contact)
{
	const struct grant_answer *a = &e->answer;
	const char *code = grant_code(a->kind);
	uint32_t hosts = e->key.limits.hosts;
	char next[NEXT_MAX];

	switch (a->kind) {
	case GRANT_HOSTS_USED_UP:
		(void)snprintf(next, sizeof(next),
		    "replace a host with --replaces SLOT, release a slot, or "
		    "ask the publisher for more%s%s (`muster-authority key "
		    "grant %u --hosts N`)",
		    contact[0] == '\0' ? "" : ": ", contact, e->key.number);
		return ctx_fail(ctx, EXIT_FAILED, code, next,
		    "host key %u: %u of %u hosts are used", e->key.number,
		    a->hosts_used, hosts);
	case GRANT_REACTIVATIONS_USED_UP:
		(void)snprintf(next, sizeof(next),
		    "ask the publisher for more%s%s (`muster-authority key "
		    "grant %u --reactivations N`)",
		    contact[0] == '\0' ? "" : ": ", contact, e->key.number);
		return ctx_fail(ctx, EXIT_FAILED, code, next,
		    "host key %u slot %u: %u of %u reactivations are used",
		    e->key.number, a->slot, a->reactivations,
		    e->key.limits.reactivations);
	case GRANT_KEY_REVOKED:
		return ctx_fail(ctx, EXIT_FAILED, code,
		    "install another host key", "host key %u is revoked",
		    e->key.number);
	case GRANT_COUNTER_OLD:
		return ctx_fail(ctx, EXIT_FAILED, code,
		    "make a new request on the host",
		    "a later request of this host was answered already");
	case GRANT_SLOT_NOT_HELD:
	case GRANT_SLOT_CLOSED:
		return ctx_fail(ctx, EXIT_FAILED, code,
		    "see `muster-authority host list`",
		    "slot %u of host key %u cannot be replaced by this host",
		    a->slot, e->key.number);
	case GRANT_HOST_REVOKED:
	case GRANT_SLOT_REVOKED:
		return ctx_fail(ctx, EXIT_FAILED, code,
		    a->kind == GRANT_HOST_REVOKED
		        ? "`muster-authority host release KEYNO SLOT` makes "
		          "room for it again, with the next catalogue"
		        : "`muster-authority key grant KEYNO --hosts N` makes "
		          "room for another",
		    "slot %u of host key %u is revoked%s", a->slot,
		    e->key.number,
		    a->kind == GRANT_HOST_REVOKED ? " for this host" : "");
	case GRANT_NEW:
	case GRANT_SAME:
	case GRANT_REACTIVATION:
	case GRANT_REPLACEMENT:
		break;
	}
	return EXIT_DONE;
}

static int
explain(const struct ctx *ctx, int err, const char *what)
{
	bool is_code = ctx->value[OPT_INSTALLATION_ID] != NULL;

	if (err == MUSTER_E_SIG)
		return ctx_fail(ctx, EXIT_FAILED, "key_unknown",
		    is_code
		        ? "have the code read once more; then the host key "
		          "installed again on the host, and a new code made"
		        : "install the host key again on the host, then make "
		          "a new request",
		    is_code ? "the code is not made with a host key of this "
		              "authority; it was counted"
		            : "the host key is not known here");
	if (err == MUSTER_E_REFUSED)
		return ctx_fail(ctx, EXIT_FAILED, "file_demanded",
		    "ask for the request as a file or QR code (`muster host "
		    "activate --offline --file F` or --qr); when it is "
		    "granted, "
		    "codes are taken again",
		    "%d codes of this host key were wrong: codes are not "
		    "taken for it any more",
		    ENROLMENT_WRONG_MAX);
	if (err == MUSTER_E_ISSUER)
		return ctx_fail(ctx, EXIT_FAILED, "no_issuing_key",
		    "muster-authority issuer list; issuer add --as-of TODAY, "
		    "then prepare, sign and import a catalogue; check the "
		    "clock",
		    "no issuing key that a catalogue has is in its time");
	return ctx_fail_err(ctx, err, what);
}

/* An option's text, or standard input for "-"; line ends at its end go. */
static int
read_text(const struct ctx *ctx, enum opt opt, char *out, size_t *len_out)
{
	const char *text = ctx->value[opt];
	size_t len;

	if (strcmp(text, "-") == 0) {
		len = fread(out, 1, TEXT_MAX, stdin);
		if (ferror(stdin) != 0)
			return ctx_fail_err(ctx, MUSTER_E_IO, "standard input");
	} else {
		len = strnlen(text, TEXT_MAX);
		memcpy(out, text, len);
	}
	if (len == TEXT_MAX)
		return ctx_fail_err(ctx, MUSTER_E_TOOBIG, ctx_option_name(opt));
	while (len > 0 && (out[len - 1] == '\n' || out[len - 1] == '\r'))
		len--;
	*len_out = len;
	return EXIT_DONE;
}

static int
read_code(const struct ctx *ctx, const struct db_self *self,
    struct enrolment *e)
{
	uint8_t code[PHONE_ASK_LEN];
	uint32_t replaces = 0;
	char text[TEXT_MAX], why[DIGITS_WHY_MAX];
	struct digits_slip slip;
	size_t len = 0;
	int err, rc;

	rc = ctx_u32(ctx, OPT_REPLACES, 1, GRANT_SLOTS_MAX, 0, &replaces);
	if (rc == EXIT_DONE)
		rc = read_text(ctx, OPT_INSTALLATION_ID, text, &len);
	if (rc != EXIT_DONE)
		return rc;
	err = digits_parse(text, len, code, sizeof(code), &slip);
	if (err != 0 && slip.group != 0)
		return ctx_fail(ctx, EXIT_FAILED, "code_mistyped",
		    "have this group read once more; nothing was counted",
		    "group %u of %d is not right: %s", slip.group,
		    (int)PHONE_ASK_GROUPS, digits_why(&slip, why));
	if (err != 0)
		return ctx_fail(ctx, EXIT_FAILED, "code_mistyped",
		    "take the code that `muster host activate --offline` "
		    "prints; nothing was counted",
		    "this is no installation ID of %d groups",
		    (int)PHONE_ASK_GROUPS);
	enrolment_read_code(code, self->publisher, (uint8_t)replaces, e);
	return EXIT_DONE;
}

static int
read_request(const struct ctx *ctx, struct enrolment *e)
{
	const char *what = ctx->value[OPT_FILE];
	uint8_t request[ENROL_MAX];
	char text[TEXT_MAX];
	size_t len = 0;
	int err, rc;

	if (what != NULL) {
		err = file_read(what, request, sizeof(request), &len);
	} else {
		what = "the text of the QR code";
		rc = read_text(ctx, OPT_QR, text, &len);
		if (rc != EXIT_DONE)
			return rc;
		err = base45_decode(text, len, request, sizeof(request), &len);
	}
	if (err == 0)
		err = enrolment_read(request, len, e);
	return err == 0 ? EXIT_DONE : explain(ctx, err, what);
}

static void
print_facts(const struct ctx *ctx, const struct enrolment *e,
    const char *digits, const char *base45)
{
	const struct grant_answer *a = &e->answer;
	char hex[2 * CERT_LEN + 1];
	json_t *facts;

	hex_encode(e->certificate, CERT_LEN, hex);
	facts = json_pack("{s:I,s:i,s:i,s:s,s:s,s:I,s:I,s:I,s:I,s:s}",
	    "key_number", (json_int_t)e->key.number, "slot", (int)a->slot,
	    "activation", (int)a->activation, "answer", grant_code(a->kind),
	    "host", e->request.name, "hosts_used", (json_int_t)a->hosts_used,
	    "hosts", (json_int_t)e->key.limits.hosts, "reactivations_used",
	    (json_int_t)a->reactivations, "reactivations",
	    (json_int_t)e->key.limits.reactivations, "confirmation_id", digits);
	/* by telephone the public key in it is not known */
	if (facts != NULL && !e->is_code) {
		(void)json_object_set_new(facts, "certificate",
		    json_string(hex));
		(void)json_object_set_new(facts, "certificate_base45",
		    json_string(base45));
	}
	if (ctx_facts(ctx, "muster.authority.activation/1", facts))
		return;
	printf("%s: %s in slot %u of host key %u; %u of %u hosts, "
	       "%u of %u reactivations used\n",
	    e->request.name[0] == '\0' ? "a host" : e->request.name,
	    grant_code(a->kind), a->slot, e->key.number, a->hosts_used,
	    e->key.limits.hosts, a->reactivations, e->key.limits.reactivations);
}

static void
print_digits(const char *digits)
{
	printf("\nConfirmation ID, %d groups:\n", (int)PHONE_ANSWER_GROUPS);
	for (size_t i = 0; i < PHONE_ANSWER_GROUPS; i++)
		printf("%s%2zu: %.*s", i % GROUPS_A_LINE == 0 ? "\n  " : "   ",
		    i + 1, DIGITS_TYPED, digits + i * (DIGITS_TYPED + 1));
	printf("\n\nThe host's administrator types them at `muster host "
	       "confirm`.\n");
}

/* The certificate where it is wanted.  Should this fail, the same request
 * gets the same answer again. */
static int
hand_over(const struct ctx *ctx, const struct enrolment *e)
{
	const char *out = ctx->value[OPT_OUT];
	bool is_json = ctx->value[OPT_JSON] != NULL;
	char digits[DIGITS_TEXT_LEN(PHONE_ANSWER_LEN)];
	char base45[BASE45_LEN(CERT_LEN) + 1];
	uint8_t answer[PHONE_ANSWER_LEN];
	int err;

	err = phone_answer(e->certificate, answer);
	if (err != 0)
		return ctx_fail_err(ctx, err, "confirmation ID");
	digits_format(answer, sizeof(answer), digits);
	base45_encode(e->certificate, CERT_LEN, base45);
	if (out != NULL && qrout_is_svg(out))
		err = qrout_save(base45, out);
	else if (out != NULL)
		err = file_replace(out, e->certificate, CERT_LEN, 0644);
	if (err != 0)
		return ctx_fail_err(ctx, err, out);
	print_facts(ctx, e, digits, base45);
	if (!is_json && e->is_code)
		print_digits(digits);
	if (!is_json && !e->is_code && out == NULL) {
		printf("\nThe certificate for `muster host confirm --qr`:\n"
		       "%s\n",
		    base45);
		err = qrout_print(base45);
	}
	return err == 0 ? EXIT_DONE : ctx_fail_err(ctx, err, "QR code");
}

static int
check_options(const struct ctx *ctx)
{
	bool is_code = ctx->value[OPT_INSTALLATION_ID] != NULL;
	int n = (int)is_code + (ctx->value[OPT_FILE] != NULL) +
	    (ctx->value[OPT_QR] != NULL);

	if (n != 1)
		return ctx_fail(ctx, EXIT_USAGE,
		    n == 0 ? "option_missing" : "bad_option",
		    "see --help of the command",
		    "give one of --installation-id, --file and --qr");
	if (is_code && ctx->value[OPT_OUT] != NULL)
		return ctx_fail(ctx, EXIT_USAGE, "bad_option",
		    "read the confirmation ID out; a certificate in a file "
		    "answers --file or --qr",
		    "an installation ID is answered by digits, not by a file");
	if (!is_code && ctx->value[OPT_REPLACES] != NULL)
		return ctx_fail(ctx, EXIT_USAGE, "bad_option",
		    "name the slot on the host: muster host activate "
		    "--replaces SLOT",
		    "--replaces is for --installation-id: a request says it "
		    "itself");
	return EXIT_DONE;
}

int
cmd_activate(struct ctx *ctx)
{
	const char *what = ctx->value[OPT_FILE];
	struct enrolment_env env;
	struct enrolment e;
	int err, rc;

	rc = check_options(ctx);
	if (rc == EXIT_DONE && ctx->value[OPT_INSTALLATION_ID] == NULL)
		rc = read_request(ctx, &e);
	if (rc != EXIT_DONE)
		return rc;
	err = enrolment_open(ctx->dir, &env);
	if (err != 0) {
		enrolment_close(&env);
		return ctx_fail_err(ctx, err, ctx->dir);
	}
	if (ctx->value[OPT_INSTALLATION_ID] != NULL)
		rc = read_code(ctx, &env.self, &e);
	if (rc == EXIT_DONE) {
		err = enrolment_run(&env, &e);
		if (err != 0)
			rc = explain(ctx, err,
			    what == NULL ? "the request" : what);
		else if (grant_is_refusal(e.answer.kind))
			rc = refuse(ctx, &e, env.self.contact);
	}
	enrolment_close(&env);
	return rc == EXIT_DONE ? hand_over(ctx, &e) : rc;
}
