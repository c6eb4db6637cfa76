/* SPDX-License-Identifier: MIT */
#include "cli/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/errcode.h"
#include "base/hex.h"

static const char *const steps[DOCTOR_STEPS] = {
    [DOCTOR_NAME] = "name",
    [DOCTOR_CONNECT] = "connect",
    [DOCTOR_ANSWER] = "answer",
    [DOCTOR_CERTIFICATE] = "certificate",
    [DOCTOR_CLOCK] = "clock",
    [DOCTOR_PRODUCT] = "product",
    [DOCTOR_COUNT] = "count",
};

/* ---- causes in words ---- */

static const char *
status_next(enum wire_status status)
{
	switch (status) {
	case WIRE_UNKNOWN_PRODUCT:
		return "install the newest catalogue on the host: muster "
		       "catalogue install FILE";
	case WIRE_NOT_COVERED:
		return "the host needs a key of a higher level or of this line";
	case WIRE_HOST_NOT_ACTIVATED:
		return "activate the host: muster host activate";
	case WIRE_CLOCK:
		return "set the clocks of this machine and the host right";
	case WIRE_BUSY:
		return "try again; the host's log says what it waits for";
	case WIRE_OK:
	case WIRE_REFUSED:
		break;
	}
	return "see the host's log and its allowed networks";
}

static const char *
next_step(const struct doctor_target *t)
{
	if (t->err == MUSTER_E_REFUSED && t->step != DOCTOR_ANSWER)
		return status_next(t->status);
	if (t->step == DOCTOR_ANSWER && t->err == MUSTER_E_TIMEOUT)
		return "something holds the port and says nothing: check "
		       "musterd there, and the port";
	if (t->step == DOCTOR_ANSWER)
		return "something else than musterd answers there; check "
		       "the port";
	if (t->step == DOCTOR_CONNECT && t->err == MUSTER_E_TIMEOUT)
		return "check that the host runs and no firewall drops its "
		       "port";
	if (t->step == DOCTOR_CERTIFICATE && t->err == MUSTER_E_ISSUER)
		return "install the publisher's newest catalogue here: muster "
		       "catalogue install FILE";
	return cli_next_step(t->err);
}

static const char *
domain_next(int err)
{
	switch (err) {
	case MUSTER_E_NXDOMAIN:
	case MUSTER_E_NODATA:
		return "publish a host there (muster host dns show, on the "
		       "host), or name one: muster set-host NAME";
	case MUSTER_E_NO_SERVICE:
		return "the domain says that it has no KMS host; set-domain "
		       "names another";
	default:
		return "check the name server of this machine and its logs";
	}
}

int
doctor_exit(const struct doctor *d)
{
	int exit_code = CLI_UNREACHABLE;

	for (size_t i = 0; i < d->n_targets; i++) {
		const struct doctor_target *t = &d->target[i];

		if (t->is_chosen && t->err == 0)
			return CLI_DONE;
		if (t->is_chosen && t->err == MUSTER_E_COUNT)
			return CLI_NOT_ACTIVATED;
		if (t->step > DOCTOR_CONNECT)
			exit_code = CLI_FAILED;
	}
	return exit_code;
}

/* ---- JSON ---- */

static json_t *
domain_json(const struct doctor_domain *d)
{
	char code[ERRCODE_MAX];
	json_t *o;

	errcode(d->err, code);
	o = json_pack("{s:s,s:s,s:s,s:I}", "domain", d->domain, "outcome",
	    d->err == 0 ? "ok" : code, "message", muster_strerror(d->err),
	    "records", (json_int_t)d->n_records);
	if (d->err != 0)
		(void)json_object_set_new(o, "next_step",
		    json_string(domain_next(d->err)));
	return o;
}

static json_t *
steps_json(const struct doctor_target *t)
{
	json_t *o = json_object();

	for (size_t i = 0; i < DOCTOR_STEPS; i++) {
		const char *word = i < t->step ? "ok"
		    : i == t->step             ? "failed"
		                               : "not_tried";

		if (i == DOCTOR_COUNT && t->step == DOCTOR_STEPS &&
		    !t->is_chosen)
			word = "not_tried";
		(void)json_object_set_new(o, steps[i], json_string(word));
	}
	return o;
}

static json_t *
target_json(const struct doctor *d, const struct doctor_target *t)
{
	char code[32];
	json_t *o;

	client_outcome(t->err, t->status, code);
	o = json_pack("{s:s,s:s?,s:b,s:o,s:s?,s:I}", "host", t->text, "domain",
	    t->domain[0] != '\0' ? t->domain : NULL, "chosen",
	    (int)t->is_chosen, "steps", steps_json(t), "cause",
	    t->err == 0 ? NULL : code, "milliseconds", (json_int_t)t->took_ms);
	if (t->domain[0] != '\0')
		(void)json_object_update_new(o,
		    json_pack("{s:I,s:I}", "priority", (json_int_t)t->priority,
		        "weight", (json_int_t)t->weight));
	if (t->err != 0)
		(void)json_object_update_new(o,
		    json_pack("{s:s,s:s,s:s}", "step", steps[t->step],
		        "message", muster_strerror(t->err), "next_step",
		        next_step(t)));
	if (t->step >= DOCTOR_CLOCK)
		(void)json_object_update_new(o,
		    json_pack("{s:I,s:I,s:I,s:I}", "clock_difference",
		        (json_int_t)t->cover.ahead_s, "catalogue",
		        (json_int_t)t->cover.catalogue, "key_number",
		        (json_int_t)t->cover.cert.key_number, "slot",
		        (json_int_t)t->cover.cert.slot));
	if (t->is_chosen && (t->err == 0 || t->err == MUSTER_E_COUNT))
		(void)json_object_update_new(o,
		    json_pack("{s:I,s:I}", "count", (json_int_t)t->count,
		        "threshold", (json_int_t)d->product->threshold));
	return o;
}

json_t *
doctor_json(const struct doctor *d)
{
	json_t *domains = json_array(), *targets = json_array();
	char id[UUID_TEXT_LEN + 1];

	uuid_format(d->product->id, id);
	for (size_t i = 0; i < d->n_domains; i++)
		(void)json_array_append_new(domains,
		    domain_json(&d->domain[i]));
	for (size_t i = 0; i < d->n_targets; i++)
		(void)json_array_append_new(targets,
		    target_json(d, &d->target[i]));
	return json_pack("{s:s,s:s,s:o,s:o,s:I,s:b}", "product", id, "name",
	    d->product->name, "domains", domains, "targets", targets,
	    "targets_left_out", (json_int_t)d->n_more, "healthy",
	    doctor_exit(d) == CLI_DONE);
}

/* ---- text ---- */

static void
show_target(const struct doctor *d, const struct doctor_target *t)
{
	char code[32];

	client_outcome(t->err, t->status, code);
	(void)printf("  %s", t->text);
	if (t->domain[0] != '\0')
		(void)printf(" (%s, priority %u, weight %u)", t->domain,
		    t->priority, t->weight);
	(void)printf(": ");
	for (size_t i = 0; i < DOCTOR_STEPS && i < t->step; i++) {
		if (i != DOCTOR_COUNT || t->is_chosen)
			(void)printf("%s%s ok", i == 0 ? "" : ", ", steps[i]);
	}
	if (t->step > DOCTOR_CLOCK)
		(void)printf("; clock %+" PRId64 " s, %" PRId64 " ms",
		    t->cover.ahead_s, t->took_ms);
	if (t->is_chosen && (t->err == 0 || t->err == MUSTER_E_COUNT))
		(void)printf("; count %" PRIu32 " of %" PRIu32, t->count,
		    d->product->threshold);
	(void)printf("\n");
	if (t->err != 0)
		(void)printf("    %s FAILED: %s (%s)\n    next: %s\n",
		    steps[t->step], muster_strerror(t->err), code,
		    next_step(t));
}

void
doctor_show(const struct doctor *d)
{
	(void)printf("%s\n", d->product->name);
	for (size_t i = 0; i < d->n_domains; i++) {
		const struct doctor_domain *one = &d->domain[i];
		char code[ERRCODE_MAX];

		errcode(one->err, code);
		if (one->err == 0)
			(void)printf("  %s: %zu hosts are published\n",
			    one->domain, one->n_records);
		else
			(void)printf("  %s: no host: %s (%s)\n    next: %s\n",
			    one->domain, muster_strerror(one->err), code,
			    domain_next(one->err));
	}
	if (d->n_domains == 0 && d->n_targets == 0)
		(void)printf("  no host is set, and no domain to look in\n"
		             "    next: muster set-host NAME, or muster "
		             "set-domain DOMAIN\n");
	for (size_t i = 0; i < d->n_targets; i++)
		show_target(d, &d->target[i]);
	if (d->n_more > 0)
		(void)printf("  %zu more hosts were not looked at\n",
		    d->n_more);
}
