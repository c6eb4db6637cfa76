/* SPDX-License-Identifier: MIT */
/*
 * settings.h -- what an administrator set on a client, as a state file: magic
 * MUSTERS1, version 1, hosts<8> of string<261>, domain string<253>, caching
 * (4 bytes, 0 or 1), checksum.  Pure.
 */
#ifndef MUSTER_CLIENT_SETTINGS_H
#define MUSTER_CLIENT_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"
#include "wire/agentmsg.h"

#define SETTINGS_MAGIC "MUSTERS1"
#define SETTINGS_FILE_MAX 2560 /* bytes: more than the largest encoding */

/**
 * settings_check(): are hosts and domain what exchange_parse() takes?
 *
 * Out:     which_out  index of the bad host, n_hosts for the domain
 * Returns: 0; MUSTER_E_PROTO, MUSTER_E_RANGE, MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int
settings_check(const struct agent_settings *s, uint32_t *which_out);

/**
 * settings_encode(): the bytes of the file.
 *
 * Returns: 0; as settings_check(); MUSTER_E_TOOBIG: over cap
 */
MUSTER_NODISCARD int settings_encode(const struct agent_settings *s,
    uint8_t *buf, size_t cap, size_t *len_out);

/**
 * settings_decode(): read the file.
 *
 * Out:     s_out    untouched on failure
 * Returns: 0; MUSTER_E_TRUNC, MUSTER_E_TOOBIG, MUSTER_E_PROTO,
 *          MUSTER_E_RANGE, MUSTER_E_DAMAGED
 */
MUSTER_NODISCARD int
settings_decode(const uint8_t *p, size_t len, struct agent_settings *s_out);

#endif /* MUSTER_CLIENT_SETTINGS_H */
