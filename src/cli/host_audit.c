/* SPDX-License-Identifier: MIT */
/*
 * host_audit.c -- muster host dns audit: what the published records lead to.
 *
 *   verdict          the target
 *   ok               has its key and a certificate that holds, for at least
 *                    one publisher whose catalogue is in force here
 *   stale            its name has no address any more
 *   unreachable      takes no connection, or says nothing
 *   unknown          is no KMS host, or none of these publishers
 *   unsure           has a certificate that holds; what it signs was not seen:
 *                    it is busy, or knows no product of the catalogue here
 *   bad_certificate  has one that does not hold, or not its key
 *   clock            is more than four hours apart from this machine
 *
 * The command alone asks; musterd connects to nobody but name servers.
 */
#include "cli/host_audit.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/errcode.h"
#include "cli/client.h"
#include "client/catalogues.h"
#include "client/probe.h"
#include "client/resolve.h"

#define TARGETS_MAX 256    /* each may take 10 s; hosts of a large site */
#define SIGNED_TRIES_MAX 8 /* products a host may be asked for, one by one */

/* One record. */
struct record {
	struct audit *audit;
	const char *domain;
	struct dns_srv srv;
	struct exchange_target target;
	const char *verdict;
	enum exchange_phase phase; /* of the last call */
	int err;
	enum wire_status status;
};

struct audit {
	const struct cli *c;
	const char *own_name; /* of this host, or "" */
	struct resolvconf conf;
	struct choice choice;
	size_t n_catalogues;
	struct catalogue *catalogue[CATALOGUES_MAX];
	size_t n, n_problems;
	size_t n_left_out; /* records that were not looked at, or of no use */
	json_t *domains, *records;
};

/* ---- one target ---- */

/* What a call that was not answered says, by how far it came. */
static const char *
verdict_of(enum exchange_phase phase, int err)
{
	/* a name server that fails says nothing of the name */
	if (phase == EXCHANGE_NAME)
		return err == MUSTER_E_RESOLVE || err == MUSTER_E_ALIAS
		    ? "stale"
		    : "unsure";
	return probe_is_unheard(phase, err) ? "unreachable" : "unknown";
}

/* The key itself is seen by a signed reply, for any product it covers; a host
 * with an older catalogue does not know the newest ones. */
static int
see_key(struct record *r, const struct catalogue *cat, const struct cert *cert)
{
	static const uint8_t machine[WIRE_ID_LEN] = {0};
	struct reply reply = {.status = WIRE_OK};
	int err = MUSTER_E_LEVEL;
	uint32_t n = 0;

	for (uint32_t i = 0; i < cat->n_products && n < SIGNED_TRIES_MAX; i++) {
		const struct cat_product *p = &cat->products[i];

		if (!cert_covers(cert, p->line, p->level))
			continue;
		n++;
		err = probe_activate(&r->target, &r->audit->conf, cat, p,
		    machine, &r->phase, &reply);
		r->status = reply.status;
		if (err != MUSTER_E_REFUSED ||
		    reply.status != WIRE_UNKNOWN_PRODUCT)
			break;
	}
	return err;
}

/* By one publisher: does the verdict stand? */
static bool
by_publisher(struct record *r, const struct catalogue *cat)
{
	struct probe_cover cover;
	int err =
	    probe_cover(&r->target, &r->audit->conf, cat, &r->phase, &cover);
	bool is_covered = err == 0;

	r->status = cover.status;
	if (is_covered)
		err = see_key(r, cat, &cover.cert);
	r->err = err;
	if (err == 0)
		r->verdict = "ok";
	else if (probe_is_unheard(r->phase, err))
		r->verdict = verdict_of(r->phase, err);
	else if (is_covered &&
	    (err == MUSTER_E_REFUSED || err == MUSTER_E_LEVEL))
		r->verdict = "unsure";
	else if (err == MUSTER_E_CLOCK)
		r->verdict = "clock";
	else if (err != MUSTER_E_REFUSED)
		r->verdict = "bad_certificate";
	else
		return false;
	return true;
}

static void
judge(struct record *r)
{
	const struct audit *a = r->audit;
	enum exchange_phase phase;
	int64_t ms;
	int err = probe_null(&r->target, &a->conf, &phase, &ms);

	r->err = err;
	r->phase = phase;
	if (err != 0) {
		r->verdict = verdict_of(phase, err);
		return;
	}
	r->verdict = "unknown";
	for (size_t i = 0; i < a->n_catalogues; i++) {
		if (by_publisher(r, a->catalogue[i]))
			return;
	}
}

static const char *
next_step(const struct record *r)
{
	if (strcmp(r->verdict, "stale") == 0)
		return "remove the record: its host has no address any more";
	if (strcmp(r->verdict, "unreachable") == 0)
		return "start musterd there and open its port, or remove the "
		       "record";
	if (strcmp(r->verdict, "clock") == 0)
		return "set the clocks of that host and this machine right";
	if (strcmp(r->verdict, "bad_certificate") == 0)
		return "renew that host's activation, or remove the record";
	if (strcmp(r->verdict, "unsure") == 0 && r->phase == EXCHANGE_NAME)
		return "ask again when the name server answers; the record "
		       "may be good";
	if (strcmp(r->verdict, "unsure") == 0)
		return "install the publisher's newest catalogue there, or ask "
		       "again when it is less busy; the record is good";
	if (r->status == WIRE_HOST_NOT_ACTIVATED)
		return "activate that host, or remove the record: it serves "
		       "no publisher of this machine";
	return "remove the record: no KMS host of a publisher of this machine";
}

static void
tell(const struct record *r)
{
	char name[DNS_TEXT_MAX + 1], code[32];
	bool is_mine;

	dns_name_text(&r->srv.target, name);
	is_mine = strcmp(name, r->audit->own_name) == 0;
	client_outcome(r->err, r->status, code);
	if (r->audit->c->is_json) {
		(void)json_array_append_new(r->audit->records,
		    json_pack("{s:s,s:s,s:i,s:i,s:b,s:s,s:s?,s:s,s:s?}",
		        "domain", r->domain, "host", r->target.text, "priority",
		        r->srv.priority, "weight", r->srv.weight, "own",
		        (int)is_mine, "verdict", r->verdict, "cause",
		        r->err == 0 ? NULL : code, "message",
		        muster_strerror(r->err), "next_step",
		        r->err == 0 ? NULL : next_step(r)));
		return;
	}
	(void)printf("  %s priority %u weight %u%s: %s", r->target.text,
	    r->srv.priority, r->srv.weight, is_mine ? " (this host)" : "",
	    r->verdict);
	if (r->err != 0)
		(void)printf(": %s (%s)\n    next: %s", muster_strerror(r->err),
		    code, next_step(r));
	(void)printf("\n");
}

/* ---- one domain ---- */

static void
audit_record(struct audit *a, const char *domain, const struct dns_srv *srv)
{
	struct record r = {.audit = a, .domain = domain, .srv = *srv};
	char name[DNS_TEXT_MAX + 1], text[EXCHANGE_TEXT_MAX + 1];

	dns_name_text(&srv->target, name);
	(void)snprintf(text, sizeof(text), "%s:%u", name, srv->port);
	r.err = exchange_parse(text, &r.target);
	if (r.err == 0)
		exchange_whole(&r.target);
	if (r.err == 0) {
		judge(&r);
	} else {
		(void)snprintf(r.target.text, sizeof(r.target.text), "%s",
		    text);
		r.verdict = "stale";
	}
	a->n++;
	a->n_problems += r.err != 0;
	tell(&r);
}

static void
audit_domain(struct audit *a, const char *domain)
{
	char code[ERRCODE_MAX];
	int err;

	choice_init(&a->choice);
	err = resolve_srv(&a->conf, domain, stream_end_ms(RESOLVE_MS),
	    &a->choice);
	errcode(err, code);
	a->n_problems += err != 0;
	if (a->c->is_json)
		(void)json_array_append_new(a->domains,
		    json_pack("{s:s,s:s,s:s,s:I}", "domain", domain, "outcome",
		        code, "message", muster_strerror(err), "records",
		        (json_int_t)a->choice.n));
	else if (err != 0)
		(void)printf("%s: %s (%s)\n", domain, muster_strerror(err),
		    code);
	else
		(void)printf("%s: %zu records\n", domain, a->choice.n);
	for (size_t i = 0; err == 0 && i < a->choice.n; i++) {
		if (a->n < TARGETS_MAX)
			audit_record(a, domain, &a->choice.srv[i]);
		else
			a->n_left_out++;
	}
	a->n_left_out += a->choice.n_dropped;
}

/* ---- the command ---- */

static int
keep_catalogue(void *arg, const struct catalogue *cat)
{
	struct audit *a = arg;
	struct catalogue *copy = malloc(sizeof(*copy));

	if (copy == NULL)
		return MUSTER_E_NOMEM;
	*copy = *cat;
	a->catalogue[a->n_catalogues++] = copy;
	return 0;
}

static int
finish(struct audit *a)
{
	int exit_code =
	    a->n_problems + a->n_left_out > 0 ? CLI_FAILED : CLI_DONE;

	if (a->c->is_json)
		return cli_print(json_pack("{s:s,s:O,s:O,s:I,s:I}", "schema",
		           "muster.dns-audit/1", "domains", a->domains,
		           "records", a->records, "problems",
		           (json_int_t)a->n_problems, "left_out",
		           (json_int_t)a->n_left_out)) == CLI_DONE
		    ? exit_code
		    : CLI_FAILED;
	(void)printf("%zu records, %zu problems\n", a->n, a->n_problems);
	if (a->n_left_out > 0)
		(void)printf("%zu records more were left out: port 0, a name "
		             "that is none, named twice, or over %d\n",
		    a->n_left_out, TARGETS_MAX);
	return exit_code;
}

int
host_audit(const struct cli *c, const struct host_audit_options *opt)
{
	struct audit *a = calloc(1, sizeof(*a));
	int exit_code, err;

	if (a == NULL)
		return cli_fail(c, MUSTER_E_NOMEM, NULL, NULL);
	a->c = c;
	a->own_name = opt->own_name;
	a->domains = json_array();
	a->records = json_array();
	err = resolvconf_load(c->root, opt->resolver, &a->conf);
	if (err != 0) {
		exit_code = cli_fail(c, err,
		    opt->resolver != NULL ? opt->resolver : "resolv.conf",
		    "ADDR, ADDR:PORT, [IPV6] or [IPV6]:PORT");
		goto out;
	}
	err = catalogues_each(c->root, opt->catalogue, keep_catalogue, a);
	if (err == 0 && a->n_catalogues == 0)
		err = MUSTER_E_NOENT;
	if (err != 0) {
		exit_code = cli_fail_file(c, err,
		    opt->catalogue != NULL ? opt->catalogue
		                           : "the catalogue folders",
		    "name a catalogue by --catalogue");
		goto out;
	}
	for (size_t i = 0; i < opt->n_domains; i++)
		audit_domain(a, opt->domain[i]);
	exit_code = finish(a);
out:
	for (size_t i = 0; i < a->n_catalogues; i++)
		free(a->catalogue[i]);
	json_decref(a->domains);
	json_decref(a->records);
	free(a);
	return exit_code;
}
