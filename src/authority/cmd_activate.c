/* SPDX-License-Identifier: MIT */
/*
 * cmd_activate.c -- the operator's side of offline activation, and what the
 * operator tells the customer.
 */
#include "authority/cmd.h"

#include <stdio.h>

#include "authority/enrolment.h"
#include "base/hex.h"

#define NEXT_MAX 700

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
	case GRANT_NEW:
	case GRANT_SAME:
	case GRANT_REACTIVATION:
	case GRANT_REPLACEMENT:
		break;
	}
	return EXIT_DONE;
}

static int
explain(const struct ctx *ctx, int err, const char *path)
{
	if (err == MUSTER_E_SIG)
		return ctx_fail(ctx, EXIT_FAILED, "key_unknown",
		    "install the host key again on the host, then make a new "
		    "request",
		    "the host key is not known here");
	if (err == MUSTER_E_ISSUER)
		return ctx_fail(ctx, EXIT_FAILED, "no_issuing_key",
		    "check the clock", "no issuing key is in its time");
	return ctx_fail_err(ctx, err, path);
}

static void
print(const struct ctx *ctx, const struct enrolment *e)
{
	const struct grant_answer *a = &e->answer;
	char hex[2 * CERT_LEN + 1];

	hex_encode(e->certificate, CERT_LEN, hex);
	if (!ctx_facts(ctx, "muster.authority.activation/1",
	        json_pack("{s:I,s:i,s:i,s:s,s:s,s:I,s:I,s:I,s:I,s:s}",
	            "key_number", (json_int_t)e->key.number, "slot",
	            (int)a->slot, "activation", (int)a->activation, "answer",
	            grant_code(a->kind), "host", e->request.name, "hosts_used",
	            (json_int_t)a->hosts_used, "hosts",
	            (json_int_t)e->key.limits.hosts, "reactivations_used",
	            (json_int_t)a->reactivations, "reactivations",
	            (json_int_t)e->key.limits.reactivations, "certificate",
	            hex)))
		printf("%s: %s in slot %u of host key %u; %u of %u hosts, "
		       "%u of %u reactivations used\n",
		    e->request.name, grant_code(a->kind), a->slot,
		    e->key.number, a->hosts_used, e->key.limits.hosts,
		    a->reactivations, e->key.limits.reactivations);
}

int
cmd_activate(struct ctx *ctx)
{
	const char *path = ctx->value[OPT_FILE], *out = ctx->value[OPT_OUT];
	uint8_t request[ENROL_MAX];
	struct enrolment e;
	struct enrolment_env env;
	size_t len = 0;
	int err, rc;

	err = file_read(path, request, sizeof(request), &len);
	if (err != 0)
		return ctx_fail_err(ctx, err, path);
	err = enrolment_open(ctx->dir, &env);
	if (err != 0) {
		enrolment_close(&env);
		return ctx_fail_err(ctx, err, ctx->dir);
	}
	err = enrolment_read(request, len, &e);
	if (err == 0)
		err = enrolment_run(&env, &e);
	if (err != 0)
		rc = explain(ctx, err, path);
	else if (grant_is_refusal(e.answer.kind))
		rc = refuse(ctx, &e, env.self.contact);
	else
		rc = EXIT_DONE;
	enrolment_close(&env);
	if (rc != EXIT_DONE)
		return rc;
	/* Should this fail, the same request gets the same answer again. */
	err = file_replace(out, e.certificate, CERT_LEN, 0644);
	rc = err == 0 ? EXIT_DONE : ctx_fail_err(ctx, err, out);
	if (rc == EXIT_DONE)
		print(ctx, &e);
	return rc;
}
