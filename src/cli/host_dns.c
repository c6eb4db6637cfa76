/* SPDX-License-Identifier: MIT */
/*
 * host_dns.c -- muster host dns: what musterd publishes, and by hand.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/host_audit.h"
#include "cli/host_show.h"
#include "cli/http.h"

#define WAIT_MS 60000 /* several servers that do not answer, one by one */
#define POLL_MS 100
#define AUDIT_DOMAINS_MAX 64 /* more than musterd.conf may list */

static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "-";
}

static bool
is_state(const json_t *domain, const char *state)
{
	return strcmp(text_of(domain, "state"), state) == 0;
}

static void
show_outcome(const json_t *domain)
{
	const json_t *ahead = json_object_get(domain, "clock_ahead_s");
	const char *key_file =
	    json_string_value(json_object_get(domain, "key_file"));

	(void)printf("  %s at %s: %s\n", text_of(domain, "result"),
	    text_of(domain, "server"), text_of(domain, "message"));
	if (key_file != NULL)
		(void)printf("  key file: %s\n", key_file);
	if (json_integer_value(ahead) != 0)
		(void)printf("  the server's clock is %lld s ahead of ours\n",
		    (long long)json_integer_value(ahead));
}

static void
show_domain(const json_t *domain)
{
	const json_t *next = json_object_get(domain, "next_in_s"), *item;
	const char *line =
	    json_string_value(json_object_get(domain, "zone_line"));
	size_t i;

	(void)printf("\n%s: %s", text_of(domain, "domain"),
	    is_state(domain, "none") ? "not published"
	                             : text_of(domain, "state"));
	if (is_state(domain, "published"))
		(void)printf(" at %s", text_of(domain, "server"));
	if (json_is_integer(next))
		(void)printf("; next in %lld s",
		    (long long)json_integer_value(next));
	(void)putchar('\n');
	if (is_state(domain, "failed"))
		show_outcome(domain);
	json_array_foreach(json_object_get(domain, "may_stand"), i, item)
	{
		if (line == NULL || strcmp(json_string_value(item), line) != 0)
			(void)printf("  may still stand:\n    %s\n",
			    json_string_value(item));
	}
	if (line != NULL)
		(void)printf("  %s:\n    %s\n",
		    is_state(domain, "published") ? "record" : "to add by hand",
		    line);
}

static void
show(const json_t *dns)
{
	const json_t *item;
	size_t i;

	if (json_is_true(json_object_get(dns, "publishing")))
		(void)printf("publishing      yes, updates %s\n",
		    json_is_true(json_object_get(dns, "signed"))
		        ? "signed"
		        : "not signed");
	else
		(void)printf("publishing      no: %s\n",
		    text_of(dns, "reason"));
	(void)printf("name            %s\n", text_of(dns, "name"));
	json_array_foreach(json_object_get(dns, "domains"), i, item)
	{
		show_domain(item);
	}
}

void
host_show_dns(const json_t *dns)
{
	const json_t *item;
	size_t i, n = 0, n_published = 0;

	if (!json_is_true(json_object_get(dns, "publishing"))) {
		(void)printf("dns             not published: %s\n",
		    text_of(dns, "reason"));
		return;
	}
	json_array_foreach(json_object_get(dns, "domains"), i, item)
	{
		n++;
		n_published += is_state(item, "published");
	}
	(void)printf("dns             published in %zu of %zu domains%s\n",
	    n_published, n,
	    n_published < n ? "; next: muster host dns show" : "");
}

/* 1 unless every domain is as it was asked for. */
static int
judge(const json_t *dns, bool is_withdrawal)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(dns, "domains"), i, item)
	{
		size_t n = json_array_size(json_object_get(item, "may_stand"));

		if (is_withdrawal ? n > 0 : !is_state(item, "published"))
			return CLI_FAILED;
	}
	return CLI_DONE;
}

/* Ask again until no update is on its way. */
static int
wait(const struct cli *c, json_t **dns)
{
	const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
	int64_t end_ms = clock_mono_ms() + WAIT_MS;
	int exit_code = CLI_DONE;

	while (exit_code == CLI_DONE &&
	    json_integer_value(json_object_get(*dns, "pending")) > 0 &&
	    clock_mono_ms() < end_ms) {
		json_decref(*dns);
		*dns = NULL;
		(void)nanosleep(&pause, NULL);
		exit_code = http_call(c, "/v1/dns", NULL, dns);
	}
	return exit_code;
}

static int
change(struct cli *c, const char *path, bool is_withdrawal)
{
	json_t *dns = NULL;
	int exit_code = http_call(c, path, json_object(), &dns);
	int verdict;

	if (exit_code == CLI_DONE)
		exit_code = wait(c, &dns);
	if (exit_code != CLI_DONE)
		return exit_code;
	verdict = judge(dns, is_withdrawal);
	if (c->is_json)
		return cli_print(dns) == CLI_DONE ? verdict : CLI_FAILED;
	show(dns);
	if (json_integer_value(json_object_get(dns, "pending")) > 0)
		(void)printf("updates are still on their way after %d s; how "
		             "they end: muster host dns show\n",
		    WAIT_MS / 1000);
	json_decref(dns);
	return verdict;
}

/* Domains that are named, or those of the daemon. */
static int
audit(struct cli *c, struct host_audit_options *opt)
{
	const char *domain[CLI_ARGS_MAX + AUDIT_DOMAINS_MAX];
	json_t *dns = NULL, *item;
	int exit_code = CLI_DONE;
	size_t i;

	opt->domain = domain;
	opt->own_name = "";
	for (i = 1; i < c->n_args; i++)
		domain[opt->n_domains++] = c->arg[i];
	if (opt->n_domains == 0) {
		exit_code = http_call(c, "/v1/dns", NULL, &dns);
		if (exit_code != CLI_DONE)
			return exit_code;
		opt->own_name = text_of(dns, "name");
	}
	json_array_foreach(json_object_get(dns, "domains"), i, item)
	{
		if (i < AUDIT_DOMAINS_MAX)
			domain[opt->n_domains++] = text_of(item, "domain");
	}
	if (opt->n_domains == 0)
		exit_code = cli_errorf(c, CLI_FAILED, "no_domain",
		    "name one: muster host dns audit DOMAIN",
		    "this host publishes in no domain");
	else
		exit_code = host_audit(c, opt);
	json_decref(dns);
	return exit_code;
}

int
cmd_host_dns(struct cli *c, int argc, char **argv)
{
	const struct cli_error how = {"usage",
	    "host dns takes show, publish, withdraw or audit",
	    "muster host dns --help tells more"};
	struct host_audit_options opt = {.n_domains = 0};
	const struct cli_option options[] = {{"resolver", NULL, &opt.resolver,
	                                         NULL},
	    {"catalogue", NULL, &opt.catalogue, NULL},
	    {NULL, NULL, NULL, NULL}};
	const char *what = "show";
	json_t *dns = NULL;
	int exit_code;

	if (!cli_parse(c, argc, argv, options, 0, CLI_ARGS_MAX, &exit_code))
		return exit_code;
	if (c->n_args > 0)
		what = c->arg[0];
	if (strcmp(what, "audit") == 0)
		return audit(c, &opt);
	if (c->n_args > 1 || opt.resolver != NULL || opt.catalogue != NULL)
		return cli_error(c, CLI_USAGE, &how);
	if (strcmp(what, "publish") == 0)
		return change(c, "/v1/dns/publish", false);
	if (strcmp(what, "withdraw") == 0)
		return change(c, "/v1/dns/withdraw", true);
	if (strcmp(what, "show") != 0)
		return cli_error(c, CLI_USAGE, &how);
	exit_code = http_call(c, "/v1/dns", NULL, &dns);
	if (exit_code != CLI_DONE)
		return exit_code;
	if (c->is_json)
		return cli_print(dns);
	show(dns);
	json_decref(dns);
	return CLI_DONE;
}
