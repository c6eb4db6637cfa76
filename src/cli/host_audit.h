/* SPDX-License-Identifier: MIT */
/*
 * host_audit.h -- muster host dns audit.
 */
#ifndef MUSTER_CLI_HOST_AUDIT_H
#define MUSTER_CLI_HOST_AUDIT_H

#include "cli/cli.h"

struct host_audit_options {
	const char *const *domain;
	size_t n_domains;
	const char *own_name;  /* of the host whose records are marked, or "" */
	const char *resolver;  /* as for resolvconf_load(), or NULL */
	const char *catalogue; /* one more file, or NULL */
};

/**
 * host_audit(): look at every record of the domains, and where each leads.
 *
 * Returns: CLI_DONE: all is well; CLI_FAILED: problems, or it could not be
 *          done
 * Blocks:  as resolve_srv() a domain, and probe_null(), probe_cover() and
 *          probe_activate() a record
 */
int host_audit(const struct cli *c, const struct host_audit_options *opt);

#endif /* MUSTER_CLI_HOST_AUDIT_H */
