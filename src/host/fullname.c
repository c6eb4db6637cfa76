/* SPDX-License-Identifier: MIT */
#include "host/fullname.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BLANK " \t\r"
#define WORD_MAX (DNS_TEXT_MAX + 2)

/* The next word of the line at *p; false at its end or a comment. */
static bool
word(const char **p, char out[WORD_MAX])
{
	size_t len;

	*p += strspn(*p, BLANK);
	if (**p == '#' || **p == ';')
		return false;
	len = strcspn(*p, BLANK "\n#;");
	if (len == 0)
		return false;
	out[0] = '\0'; /* one that is too long is no name */
	if (len < WORD_MAX) {
		memcpy(out, *p, len);
		out[len] = '\0';
	}
	*p += len;
	return true;
}

static const char *
next_line(const char *p)
{
	p += strcspn(p, "\n");
	return *p == '\n' ? p + 1 : p;
}

static int
parse_full(const char *text, struct dns_name *out)
{
	struct dns_name name;

	if (dns_name_parse(text, &name) != 0 || name.len <= 1 ||
	    name.wire[1 + name.wire[0]] == 0)
		return MUSTER_E_NOENT;
	*out = name;
	return 0;
}

static int
by_hosts(const char *hostname, const char *hosts, struct dns_name *out)
{
	for (const char *p = hosts; *p != '\0'; p = next_line(p)) {
		char first[WORD_MAX], other[WORD_MAX];
		const char *at = p;

		if (!word(&at, other) || !word(&at, first))
			continue;
		while (word(&at, other)) {
			if (strcasecmp(other, hostname) == 0 &&
			    parse_full(first, out) == 0)
				return 0;
		}
	}
	return MUSTER_E_NOENT;
}

/* The last of "search" and "domain" counts; resolv.conf(5). */
static int
by_resolv(const char *hostname, const char *resolv, struct dns_name *out)
{
	char domain[WORD_MAX] = "", key[WORD_MAX];

	for (const char *p = resolv; *p != '\0'; p = next_line(p)) {
		const char *at = p;

		if (word(&at, key) &&
		    (strcmp(key, "search") == 0 || strcmp(key, "domain") == 0))
			(void)word(&at, domain);
	}
	if (domain[0] == '\0' || strcmp(domain, ".") == 0 ||
	    dns_name_join(hostname, domain, out) != 0)
		return MUSTER_E_NOENT;
	return 0;
}

int
fullname_find(const char *hostname, const char *hosts, const char *resolv,
    struct dns_name *name_out)
{
	if (parse_full(hostname, name_out) == 0 ||
	    by_hosts(hostname, hosts, name_out) == 0 ||
	    by_resolv(hostname, resolv, name_out) == 0)
		return 0;
	return MUSTER_E_NOENT;
}

int
fullname_server(const char *resolv, unsigned n, char *out)
{
	char key[WORD_MAX], value[WORD_MAX];

	for (const char *p = resolv; *p != '\0'; p = next_line(p)) {
		const char *at = p;

		if (!word(&at, key) || strcmp(key, "nameserver") != 0 ||
		    !word(&at, value) || strlen(value) >= FULLNAME_ADDRESS_MAX)
			continue;
		if (n-- == 0) {
			memcpy(out, value, strlen(value) + 1);
			return 0;
		}
	}
	return MUSTER_E_NOENT;
}
