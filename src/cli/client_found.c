/* SPDX-License-Identifier: MIT */
/*
 * client_found.c -- how hosts were found, or not, in words.
 */
#include <stdio.h>
#include <string.h>

#include "base/errcode.h"
#include "cli/client.h"
#include "discovery/walk.h"

const char *
client_source(enum agent_source source)
{
	switch (source) {
	case AGENT_STATIC:
		return "static";
	case AGENT_CACHED:
		return "cached";
	case AGENT_DNS:
		return "dns";
	case AGENT_NOWHERE:
		break;
	}
	return NULL;
}

void
client_source_text(enum agent_source source, const char *domain, char *out)
{
	switch (source) {
	case AGENT_STATIC:
		(void)snprintf(out, CLIENT_SOURCE_MAX, " (static)");
		return;
	case AGENT_CACHED:
		(void)snprintf(out, CLIENT_SOURCE_MAX, " (cached, DNS: %s)",
		    domain);
		return;
	case AGENT_DNS:
		(void)snprintf(out, CLIENT_SOURCE_MAX, " (DNS: %s)", domain);
		return;
	case AGENT_NOWHERE:
		break;
	}
	out[0] = '\0';
}

bool
client_is_lookup(const char *target, const char **domain_out)
{
	static const char service[] = WALK_SERVICE ".";
	size_t len = sizeof(service) - 1;

	if (strchr(target, ':') != NULL || strncmp(target, service, len) != 0)
		return false;
	*domain_out = target + len;
	return true;
}

json_t *
client_lookup_json(const char *domain, int err)
{
	char word[ERRCODE_MAX];

	errcode(err, word);
	return json_pack("{s:s,s:s}", "domain", domain, "outcome", word);
}

void
client_lookup_text(const char *domain, int err, char *out)
{
	char word[ERRCODE_MAX];

	errcode(err, word);
	(void)snprintf(out, CLIENT_OUTCOME_MAX,
	    "no SRV record to use in %s: %s (%s)", domain, word,
	    muster_strerror(err));
}

void
client_outcome_text(const char *target, int err, enum wire_status status,
    char *out)
{
	char word[ERRCODE_MAX];

	client_outcome(err, status, word);
	(void)snprintf(out, CLIENT_OUTCOME_MAX, "%s: %s", target, word);
}

void
client_agent_outcome_text(const struct agent_outcome *o, char *out)
{
	const char *domain;

	if (client_is_lookup(o->target, &domain))
		client_lookup_text(domain, o->err, out);
	else
		client_outcome_text(o->target, o->err, o->status, out);
}

void
client_no_host(bool is_looked_up, struct cli_error *e_out)
{
	if (is_looked_up)
		*e_out =
		    (struct cli_error){"no_host", "no host was found by DNS",
		        "publish one there, or name one: muster set-host "
		        "NAME[:PORT], with --direct --host NAME[:PORT]"};
	else
		*e_out = (struct cli_error){"no_host",
		    "no host is known, and no domain to look for one",
		    "name a host: muster set-host NAME[:PORT], with --direct "
		    "--host NAME[:PORT]; or a domain: muster set-domain "
		    "DOMAIN"};
}
