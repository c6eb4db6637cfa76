/* SPDX-License-Identifier: MIT */
/*
 * fullname.h -- the machine's full name and its name servers, by the texts of
 * its files; pure, so nothing waits for a name server.
 *
 * The first of these that gives a name of several labels:
 *   1. the host name itself
 *   2. hosts(5): the first name of a line that the host name stands on
 *   3. the host name below the first domain of resolv.conf(5)
 */
#ifndef MUSTER_HOST_FULLNAME_H
#define MUSTER_HOST_FULLNAME_H

#include <stddef.h>
#include <stdint.h>

#include "discovery/name.h"

#define FULLNAME_ADDRESS_MAX 64 /* text of an address, with a scope */

/**
 * fullname_find(): the full name.
 *
 * In:      hosts, resolv  texts that end in NUL; may be empty
 * Returns: 0; MUSTER_E_NOENT none of them tells
 */
MUSTER_NODISCARD int fullname_find(const char *hostname, const char *hosts,
    const char *resolv, struct dns_name *name_out);

/**
 * fullname_server(): the n-th "nameserver" of resolv.conf, from 0 on.
 *
 * Out:     out      FULLNAME_ADDRESS_MAX bytes; not checked to be an address
 * Returns: 0; MUSTER_E_NOENT there are not so many
 */
MUSTER_NODISCARD int fullname_server(const char *resolv, unsigned n, char *out);

#endif /* MUSTER_HOST_FULLNAME_H */
