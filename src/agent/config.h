/* SPDX-License-Identifier: MIT */
/*
 * config.h -- agent.conf: what holds until an administrator sets hosts, a
 * domain or caching by a command (these are kept with the agent's state).
 *
 *   hosts = [ "kms.example.com", "[2001:db8::1]:1688" ];
 *   domain = "example.com";
 *   caching = true;
 *   resolver = "192.0.2.53:53";   asked alone, in place of resolv.conf's
 *   log_level = "note";       error, warning, note or fine
 *   log_format = "auto";      auto, text, json or journal
 */
#ifndef MUSTER_AGENT_CONFIG_H
#define MUSTER_AGENT_CONFIG_H

#include "base/log.h"
#include "client/resolvconf.h"
#include "client/settings.h"
#include "muster/err.h"

struct agent_config {
	struct agent_settings settings;
	char resolver[RESOLVCONF_TEXT_MAX + 1]; /* empty: none is set */
	enum log_level log_level;
	enum log_format log_format;
};

/**
 * agent_config_load(): read a file; mistakes are logged with file and line.
 *
 * Out:     config_out  the defaults, for a file that is not there
 * Returns: 0
 *          MUSTER_E_NOENT  no such file
 *          MUSTER_E_PROTO  mistakes, all of them logged
 *          MUSTER_E_DENIED, MUSTER_E_IO, MUSTER_E_TOOBIG, MUSTER_E_NOMEM
 */
MUSTER_NODISCARD int
agent_config_load(const char *path, struct agent_config *config_out);

#endif /* MUSTER_AGENT_CONFIG_H */
