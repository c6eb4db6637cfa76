/* SPDX-License-Identifier: MIT */
/*
 * What says where names are asked: resolv.conf, hosts, and an address as a
 * setting names it, a zero byte between each two of them.  Others write the
 * former: dhclient, NetworkManager, an image's maker.
 *
 * Holds: what was understood, written as these write it, is understood the
 * same; a domain stands in the text behind a dot.
 */
#include "target.h"

#include <arpa/inet.h>
#include <netdb.h>

#include "client/resolvconf.h"

#define AGAIN_MAX 4096 /* three servers and ten domains, with their words */

static void
parse(const char *text, struct resolvconf *c)
{
	memset(c, 0, sizeof(*c));
	resolvconf_parse(text, c);
	HOLDS(c->n_servers <= RESOLVCONF_SERVERS_MAX);
	HOLDS(c->n_domains <= WALK_DOMAINS_MAX);
}

static void
check_conf(const char *text)
{
	static struct resolvconf c, d;
	char again[AGAIN_MAX] = "", host[NI_MAXHOST];
	size_t n = 0;

	parse(text, &c);
	for (size_t i = 0; i < c.n_servers; i++) {
		HOLDS(getnameinfo(&c.server[i].any, sizeof(c.server[i]), host,
		          sizeof(host), NULL, 0, NI_NUMERICHOST) == 0);
		n += (size_t)snprintf(again + n, sizeof(again) - n,
		    "nameserver %s\n", host);
		HOLDS(n < sizeof(again));
	}
	for (size_t i = 0; i < c.n_domains; i++) {
		n += (size_t)snprintf(again + n, sizeof(again) - n, "%s %s",
		    i == 0 ? "search" : "", c.domain[i]);
		HOLDS(n < sizeof(again));
	}
	parse(again, &d);
	HOLDS(c.n_servers == d.n_servers && c.n_domains == d.n_domains);
	for (size_t i = 0; i < c.n_servers; i++)
		SAME(&d.server[i], sizeof(d.server[i]), &c.server[i],
		    sizeof(c.server[i]));
	for (size_t i = 0; i < c.n_domains; i++)
		HOLDS(strcmp(c.domain[i], d.domain[i]) == 0);
}

static void
check_hosts(const char *hosts)
{
	char domain[DNS_TEXT_MAX + 1];
	const char *p = hosts;

	resolvconf_own("pc7", hosts, domain);
	if (domain[0] == '\0')
		return;
	HOLDS(domain[strcspn(domain, " \t\r\n")] == '\0');
	while ((p = strstr(p, domain)) != NULL && (p == hosts || p[-1] != '.'))
		p++;
	HOLDS(p != NULL);
}

static void
check_server(const char *text)
{
	union resolvconf_addr a, b;
	char host[INET6_ADDRSTRLEN], again[RESOLVCONF_TEXT_MAX + 1];
	bool is_v6;

	if (resolvconf_server(text, &a) != 0)
		return;
	is_v6 = a.any.sa_family == AF_INET6;
	HOLDS(is_v6 || a.any.sa_family == AF_INET);
	if (is_v6 && a.v6.sin6_scope_id != 0)
		return; /* a zone has names of its own */
	(void)inet_ntop(a.any.sa_family,
	    is_v6 ? (void *)&a.v6.sin6_addr : (void *)&a.v4.sin_addr, host,
	    sizeof(host));
	(void)snprintf(again, sizeof(again), is_v6 ? "[%s]:%u" : "%s:%u", host,
	    (unsigned)ntohs(is_v6 ? a.v6.sin6_port : a.v4.sin_port));
	HOLDS(resolvconf_server(again, &b) == 0);
	SAME(&b, sizeof(b), &a, sizeof(a));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static void (*const checks[])(
	    const char *) = {check_conf, check_hosts, check_server};
	char *text = malloc(len + 1);
	const char *at = text;

	HOLDS(text != NULL);
	if (len > 0)
		memcpy(text, p, len);
	text[len] = '\0';
	for (size_t i = 0; i < 3 && at <= text + len; i++) {
		checks[i](at);
		at += strlen(at) + 1;
	}
	free(text);
	return 0;
}
