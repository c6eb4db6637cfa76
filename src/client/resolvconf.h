/* SPDX-License-Identifier: MIT */
/*
 * resolvconf.h -- which name servers are asked, and in which domains hosts are
 * looked for; resolvconf_parse() is pure, resolvconf_load() an edge.
 *
 * Below a root its own etc/resolv.conf, etc/hostname and etc/hosts count, and
 * nothing of the machine's: where there is no resolv.conf, there is no DNS.
 * The machine's own domain is what follows the first dot of its name; where
 * the name has none, that of the full name beside it in etc/hosts.  Nothing
 * is asked for it.
 * Source: doc/behaviour.md b22; resolv.conf(5), hostname(1).
 */
#ifndef MUSTER_CLIENT_RESOLVCONF_H
#define MUSTER_CLIENT_RESOLVCONF_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discovery/walk.h"
#include "muster/err.h"

#define RESOLVCONF_SERVERS_MAX 3 /* as many as the C library asks */
#define RESOLVCONF_FILE_MAX 65536
#define RESOLVCONF_TEXT_MAX 79 /* an address of version 6, zone and port */

union resolvconf_addr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct resolvconf {
	bool is_system; /* addresses come from getaddrinfo() */
	size_t n_servers;
	union resolvconf_addr server[RESOLVCONF_SERVERS_MAX];
	size_t n_domains; /* the machine's own, then the search list */
	char domain[WALK_DOMAINS_MAX][DNS_TEXT_MAX + 1];
};

/**
 * resolvconf_server(): ADDR, ADDR:PORT, [V6] or [V6]:PORT; 53 by default.
 *
 * Returns: 0; MUSTER_E_PROTO, MUSTER_E_RANGE, MUSTER_E_TOOBIG: not of these
 */
MUSTER_NODISCARD int
resolvconf_server(const char *text, union resolvconf_addr *addr_out);

/**
 * resolvconf_parse(): the lines `nameserver`, `search` and `domain`; of the
 * latter two the last one counts.  What is not understood is passed over.
 *
 * In:      text     NUL at its end
 * Out:     c        servers are set, domains are added
 */
void resolvconf_parse(const char *text, struct resolvconf *c);

/**
 * resolvconf_own(): the domain of the machine's own name.
 *
 * In:      hostname  what the machine calls itself
 *          hosts     content of etc/hosts, NUL at its end
 * Out:     out       DNS_TEXT_MAX + 1 bytes; empty: it has none
 */
void resolvconf_own(const char *hostname, const char *hosts, char *out);

/**
 * resolvconf_in_hosts(): does the machine's own etc/hosts name it?
 *
 * In:      name     without a dot at its end; case does not count
 * Returns: false also where the file cannot be read or is longer than
 *          RESOLVCONF_FILE_MAX
 */
bool resolvconf_in_hosts(const char *name);

/**
 * resolvconf_load(): servers and domains of a machine.
 *
 * In:      root      NULL: the machine itself
 *          resolver  as for resolvconf_server(): this one alone is asked;
 *                    NULL: those of resolv.conf
 * Returns: 0; as resolvconf_server(); MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int resolvconf_load(const char *root, const char *resolver,
    struct resolvconf *conf_out);

#endif /* MUSTER_CLIENT_RESOLVCONF_H */
