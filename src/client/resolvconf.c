/* SPDX-License-Identifier: MIT */
#include "client/resolvconf.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/paths.h"
#include "client/exchange.h"

#define DNS_PORT "53"
#define BLANKS " \t\r"
#define WORD_MAX 256 /* bytes: more than a name or an address has */

static int
parse_address(const char *name, const char *port,
    union resolvconf_addr *addr_out)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_DGRAM,
	    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	int err = MUSTER_E_PROTO;

	if (getaddrinfo(name, port, &hints, &list) != 0)
		return err;
	if (list->ai_addrlen <= sizeof(*addr_out)) {
		memset(addr_out, 0, sizeof(*addr_out));
		memcpy(addr_out, list->ai_addr, list->ai_addrlen);
		err = 0;
	}
	freeaddrinfo(list);
	return err;
}

int
resolvconf_server(const char *text, union resolvconf_addr *addr_out)
{
	const char *rest = text[0] == '[' ? strchr(text, ']') : text;
	struct exchange_target t;
	int err;

	/* an address of version 6 may stand bare where no port is named */
	if (parse_address(text, DNS_PORT, addr_out) == 0)
		return 0;
	err = exchange_parse(text, &t);
	if (err != 0)
		return err;
	return parse_address(t.name,
	    rest != NULL && strchr(rest, ':') != NULL ? t.port : DNS_PORT,
	    addr_out);
}

/* The next word of a line; false: none that fits. */
static bool
next_word(const char **at, char *out)
{
	size_t len;

	*at += strspn(*at, BLANKS);
	len = strcspn(*at, BLANKS "\n");
	if (len == 0 || **at == '#' || **at == ';')
		return false;
	(void)snprintf(out, WORD_MAX, "%.*s",
	    (int)(len < WORD_MAX ? len : WORD_MAX - 1), *at);
	*at += len;
	return true;
}

static const char *
next_line(const char *at)
{
	const char *end = strchr(at, '\n');

	return end == NULL ? at + strlen(at) : end + 1;
}

static void
add_domains(struct resolvconf *c, const char *at)
{
	struct walk_plan *plan = calloc(1, sizeof(*plan));
	char word[WORD_MAX];

	if (plan == NULL)
		return; /* as if none was named; the caller runs out as well */
	plan->n_domains = c->n_domains;
	memcpy(plan->domain, c->domain, sizeof(c->domain));
	while (at != NULL && next_word(&at, word))
		walk_plan_domain(plan, word);
	c->n_domains = plan->n_domains;
	memcpy(c->domain, plan->domain, sizeof(c->domain));
	free(plan);
}

void
resolvconf_parse(const char *text, struct resolvconf *c)
{
	const char *search = NULL;
	char word[WORD_MAX];

	c->n_servers = 0;
	for (const char *at = text; *at != '\0'; at = next_line(at)) {
		const char *rest = at;

		if (!next_word(&rest, word))
			continue;
		if (strcmp(word, "search") == 0 || strcmp(word, "domain") == 0)
			search = rest;
		else if (strcmp(word, "nameserver") == 0 &&
		    c->n_servers < RESOLVCONF_SERVERS_MAX &&
		    next_word(&rest, word) &&
		    parse_address(word, DNS_PORT, &c->server[c->n_servers]) ==
		        0)
			c->n_servers++;
	}
	add_domains(c, search);
}

/* Does a line of etc/hosts name the machine? */
static bool
is_line_of(const char *at, const char *hostname, char *full)
{
	char word[WORD_MAX];
	bool is_found = false;

	full[0] = '\0';
	if (!next_word(&at, word)) /* the address */
		return false;
	while (next_word(&at, word)) {
		if (full[0] == '\0' && strchr(word, '.') != NULL)
			memcpy(full, word, WORD_MAX);
		is_found = is_found || strcmp(word, hostname) == 0;
	}
	return is_found && full[0] != '\0';
}

void
resolvconf_own(const char *hostname, const char *hosts, char *out)
{
	const char *dot = strchr(hostname, '.');
	char full[WORD_MAX];

	for (const char *at = hosts;
	     dot == NULL && hostname[0] != '\0' && *at != '\0';
	     at = next_line(at)) {
		if (is_line_of(at, hostname, full))
			dot = strchr(full, '.');
	}
	(void)snprintf(out, DNS_TEXT_MAX + 1, "%s",
	    dot == NULL || strlen(dot + 1) > DNS_TEXT_MAX ? "" : dot + 1);
}

/* A file below the root as a text; empty where it cannot be read. */
static void
read_text(const char *root, const char *path, char *buf)
{
	char full[FILE_PATH_MAX];
	size_t len = 0;

	if (file_join(root, path, full, sizeof(full)) != 0 ||
	    file_read(full, (uint8_t *)buf, RESOLVCONF_FILE_MAX - 1, &len) != 0)
		len = 0;
	buf[len] = '\0';
}

bool
resolvconf_in_hosts(const char *name)
{
	char *hosts = malloc(RESOLVCONF_FILE_MAX), word[WORD_MAX];
	bool is_found = false;

	if (hosts == NULL)
		return false;
	read_text(NULL, PATH_HOSTS, hosts);
	for (const char *at = hosts; *at != '\0'; at = next_line(at)) {
		const char *rest = at;

		(void)next_word(&rest, word); /* the address */
		while (!is_found && next_word(&rest, word))
			is_found = strcasecmp(word, name) == 0;
	}
	free(hosts);
	return is_found;
}

static void
read_hostname(const char *root, char *buf, char *out)
{
	const char *at = buf;

	if (root == NULL && gethostname(out, WORD_MAX - 1) == 0)
		return;
	read_text(root, PATH_HOSTNAME, buf);
	if (!next_word(&at, out))
		out[0] = '\0';
}

int
resolvconf_load(const char *root, const char *resolver,
    struct resolvconf *conf_out)
{
	struct resolvconf c = {.is_system = root == NULL && resolver == NULL};
	char hostname[WORD_MAX] = "", own[DNS_TEXT_MAX + 1];
	char *buf = malloc(RESOLVCONF_FILE_MAX);
	int err = buf == NULL ? MUSTER_E_NOMEM : 0;

	if (err != 0)
		return err;
	read_hostname(root, buf, hostname);
	read_text(root, PATH_HOSTS, buf);
	resolvconf_own(hostname, buf, own);
	add_domains(&c, own);
	read_text(root, PATH_RESOLV_CONF, buf);
	resolvconf_parse(buf, &c);
	/* below a root the addresses of its names are its name servers' too */
	if (root != NULL && resolver == NULL)
		c.is_system = c.n_servers == 0;
	if (root == NULL && c.n_servers == 0 &&
	    parse_address("127.0.0.1", DNS_PORT, &c.server[0]) == 0)
		c.n_servers = 1; /* as the C library does */
	if (resolver != NULL) {
		err = resolvconf_server(resolver, &c.server[0]);
		c.n_servers = 1;
	}
	free(buf);
	if (err == 0)
		*conf_out = c;
	return err;
}
