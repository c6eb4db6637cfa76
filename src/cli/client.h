/* SPDX-License-Identifier: MIT */
/*
 * client.h -- the commands of a client machine, and what they share: calls
 * to the agent, and what it tells as text or JSON.
 */
#ifndef MUSTER_CLI_CLIENT_H
#define MUSTER_CLI_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/cli.h"
#include "wire/agentmsg.h"

#define CLIENT_OUTCOME_MAX 400 /* a host or domain, and a sentence */
#define CLIENT_SOURCE_MAX 288  /* a domain and two words */

/**
 * client_call(): ask the agent one thing; reports what fails.
 *
 * Out:     reply_out  filled when CLI_DONE, with an err of 0
 * Returns: CLI_DONE; CLI_UNREACHABLE: no agent; CLI_REFUSED: right missing;
 *          CLI_FAILED
 * Blocks:  as agentcall_run()
 */
int client_call(const struct cli *c, const struct agent_request *req,
    struct agent_reply *reply_out);

/**
 * client_find(): the products that a command is for; reports what fails.
 *
 * In:      text     a UUID or a product's name; NULL: all that are installed
 * Returns: as client_call(); CLI_FAILED also for a name that none or several
 *          products have
 */
int
client_find(const struct cli *c, const char *text, struct agent_ids *ids_out);

/**
 * client_info(): what the agent knows of one product, or comes to know.
 *
 * In:      op       AGENT_INFO or AGENT_ACTIVATE
 * Returns: as client_call()
 */
int client_info(const struct cli *c, enum agent_op op, const uint8_t *product,
    struct agent_info *info_out);

/**
 * client_state(): name of a licence state.
 *
 * Returns: static text
 */
const char *client_state(enum wire_state state);

/**
 * client_outcome(): one stable word for what became of a target.
 *
 * In:      status   what the host said, when err is MUSTER_E_REFUSED
 * Out:     out      32 bytes
 */
void client_outcome(int err, enum wire_status status, char *out);

/**
 * client_request_json(): add `request` to what is told of a target: the name
 * of the request in the log of the host; nothing where none was made.
 *
 * In:      request  WIRE_REQUEST_LEN bytes
 */
void client_request_json(json_t *target, const uint8_t *request);

/**
 * client_outcome_text(): the same for people: who, and what is the matter.
 *
 * Out:     out      CLIENT_OUTCOME_MAX bytes
 */
void client_outcome_text(const char *target, int err, enum wire_status status,
    char *out);

/**
 * client_agent_outcome_text(): the same of what the agent tells, be it a host
 * or a domain.
 *
 * Out:     out      CLIENT_OUTCOME_MAX bytes
 */
void client_agent_outcome_text(const struct agent_outcome *o, char *out);

/**
 * client_lookup_text(): for people, why a domain names no host.
 *
 * Out:     out      CLIENT_OUTCOME_MAX bytes
 */
void client_lookup_text(const char *domain, int err, char *out);

/**
 * client_lookup_json(): a domain that names no host, as an object.
 *
 * Returns: the object, the caller's; NULL: out of memory
 */
json_t *client_lookup_json(const char *domain, int err);

/**
 * client_source(): one stable word for where a host's name came from.
 *
 * Returns: static text; NULL: from nowhere
 */
const char *client_source(enum agent_source source);

/**
 * client_source_text(): the same for people, in brackets after a blank; empty
 * where it is not known.
 *
 * Out:     out      CLIENT_SOURCE_MAX bytes
 */
void
client_source_text(enum agent_source source, const char *domain, char *out);

/**
 * client_no_host(): the error when there was nobody to ask.
 *
 * In:      is_looked_up  domains were asked for hosts
 */
void client_no_host(bool is_looked_up, struct cli_error *e_out);

/**
 * client_is_lookup(): of an outcome's target: is it a domain's SRV name?
 *
 * Out:     domain_out  the domain, in target; untouched when it is not
 * Returns: whether it is
 */
bool client_is_lookup(const char *target, const char **domain_out);

/**
 * client_graver(): of the exit codes of two products, the one to end with.
 *
 * Returns: refused, failed, not reached, not activated or done, whichever of
 *          the two comes first in this order
 */
int client_graver(int a, int b);

/**
 * client_is_unreached(): is it the network, rather than a host that answered?
 *
 * In:      err      of one target
 * Returns: true when no host answered there
 */
bool client_is_unreached(int err);

/**
 * client_is_answered(): did the last round bring a reply? An info->round other
 * than 0 then says why it is not on disk.
 *
 * Returns: true when it did
 */
bool client_is_answered(const struct agent_info *info);

/**
 * client_info_json(): one product as an object with stable keys.
 *
 * Returns: the object, the caller's; NULL: out of memory
 */
json_t *client_info_json(const struct agent_info *info);

/**
 * client_settings_json(): where the agent looks for hosts.
 *
 * Returns: the object, the caller's; NULL: out of memory
 */
json_t *client_settings_json(const struct agent_settings *s);

/**
 * client_info_show(): one product on standard output, as text for people.
 */
void client_info_show(const struct agent_info *info);

/**
 * client_ask(): a yes from the terminal, or --yes; reports what fails.
 *
 * In:      what     what is about to happen
 *          yes      --yes was given
 * Returns: CLI_DONE: go on; CLI_USAGE: nobody to ask; CLI_FAILED: no
 * Blocks:  for an answer
 */
int client_ask(const struct cli *c, const char *what, bool yes);

/**
 * client_activate(): muster activate, through the agent.
 *
 * In:      product  as for client_find()
 * Returns: exit code
 */
int client_activate(const struct cli *c, const char *product);

/**
 * cmd_doctor(): muster doctor.
 *
 * Returns: exit code
 */
int cmd_doctor(struct cli *c, int argc, char **argv);

/**
 * cmd_status(): muster status.
 *
 * Returns: exit code
 */
int cmd_status(struct cli *c, int argc, char **argv);

/**
 * cmd_set_host(): muster set-host.
 *
 * Returns: exit code
 */
int cmd_set_host(struct cli *c, int argc, char **argv);

/**
 * cmd_clear_host(): muster clear-host.
 *
 * Returns: exit code
 */
int cmd_clear_host(struct cli *c, int argc, char **argv);

/**
 * cmd_set_domain(): muster set-domain.
 *
 * Returns: exit code
 */
int cmd_set_domain(struct cli *c, int argc, char **argv);

/**
 * cmd_set_caching(): muster set-caching.
 *
 * Returns: exit code
 */
int cmd_set_caching(struct cli *c, int argc, char **argv);

/**
 * cmd_rearm(): muster rearm.
 *
 * Returns: exit code
 */
int cmd_rearm(struct cli *c, int argc, char **argv);

/**
 * cmd_generalize(): muster generalize.
 *
 * Returns: exit code
 */
int cmd_generalize(struct cli *c, int argc, char **argv);

#endif /* MUSTER_CLI_CLIENT_H */
