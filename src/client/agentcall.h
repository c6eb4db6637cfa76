/* SPDX-License-Identifier: MIT */
/*
 * agentcall.h -- one call to the agent of this machine; an edge.
 *
 * A connection for one call and one reply, closed after it.  No heap, no
 * signals; other threads are not disturbed.
 * Source: agent.x; doc/protocol.md, "Agent".
 */
#ifndef MUSTER_CLIENT_AGENTCALL_H
#define MUSTER_CLIENT_AGENTCALL_H

#include <stddef.h>
#include <stdint.h>

#include "base/paths.h"
#include "muster/err.h"
#include "wire/agentmsg.h"

#define AGENTCALL_MS 10000
#define AGENTCALL_ACTIVATE_MS 120000 /* a round through all hosts */

/**
 * agentcall_path(): where the agent's socket is.
 *
 * In:      root     NULL: the machine itself
 * Out:     out      PATH_SOCKET_MAX + 1 bytes
 * Returns: 0; MUSTER_E_TOOBIG: over PATH_SOCKET_MAX bytes
 */
MUSTER_NODISCARD int agentcall_path(const char *root, char *out);

/**
 * agentcall_run(): ask the agent one thing.
 *
 * In:      root        NULL: the machine itself
 *          timeout_ms  for all of it, connecting included
 * Out:     reply_out   untouched on failure
 * Returns: 0                 answered; the agent's own refusal is in the
 *                            reply's err
 *          MUSTER_E_NOENT    no socket there: no agent
 *          MUSTER_E_CONNECT  nobody listens on it: no agent
 *          MUSTER_E_DENIED   the socket is not for this user
 *          MUSTER_E_TIMEOUT  no whole reply in time; the agent may act on
 *                            the call all the same
 *          MUSTER_E_TRUNC    closed before the end of the reply; likewise
 *          MUSTER_E_MISMATCH the reply is to another op
 *          MUSTER_E_TOOBIG   the socket's path, a text of the call, or the
 *                            reply
 *          MUSTER_E_RANGE    a value of the call or of the reply
 *          MUSTER_E_PROTO    not a reply
 *          MUSTER_E_IO       no socket to be had
 * Blocks:  up to timeout_ms
 */
MUSTER_NODISCARD int
agentcall_run(const char *root, const struct agent_request *req, int timeout_ms,
    struct agent_reply *reply_out);

#endif /* MUSTER_CLIENT_AGENTCALL_H */
