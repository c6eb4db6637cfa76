/* SPDX-License-Identifier: MIT */
/*
 * cmd.h -- the commands that the table in main.c names; each returns its exit
 * code and has reported what failed.
 */
#ifndef MUSTER_AUTHORITY_CMD_H
#define MUSTER_AUTHORITY_CMD_H

#include "authority/ctx.h"

/**
 * cmd_init(): make an authority: root key, issuing key 1, database.
 *
 * Returns: exit code
 */
int cmd_init(struct ctx *ctx);

/**
 * cmd_catalogue_prepare(): reserve a serial; write what the signer needs.
 *
 * Returns: exit code
 */
int cmd_catalogue_prepare(struct ctx *ctx);

/**
 * cmd_catalogue_sign(): the one command that opens the root key.
 *
 * Returns: exit code
 */
int cmd_catalogue_sign(struct ctx *ctx);

/**
 * cmd_catalogue_import(): take a signed catalogue into the database.
 *
 * Returns: exit code
 */
int cmd_catalogue_import(struct ctx *ctx);

/**
 * cmd_key_issue(): make a host key and print it once.
 *
 * Returns: exit code
 */
int cmd_key_issue(struct ctx *ctx);

/**
 * cmd_key_list(): all keys.
 *
 * Returns: exit code
 */
int cmd_key_list(struct ctx *ctx);

/**
 * cmd_key_show(): one key and its slots.
 *
 * Returns: exit code
 */
int cmd_key_show(struct ctx *ctx);

/**
 * cmd_key_grant(): raise or lower the limits of a key.
 *
 * Returns: exit code
 */
int cmd_key_grant(struct ctx *ctx);

/**
 * cmd_key_revoke(): a key gives no more certificates; those given end.
 *
 * Returns: exit code
 */
int cmd_key_revoke(struct ctx *ctx);

/**
 * cmd_host_list(): the slots in use, of one key or all.
 *
 * Returns: exit code
 */
int cmd_host_list(struct ctx *ctx);

/**
 * cmd_host_release(): give a slot back for its customer.
 *
 * Returns: exit code
 */
int cmd_host_release(struct ctx *ctx);

/**
 * cmd_host_revoke(): end the certificate of a slot.
 *
 * Returns: exit code
 */
int cmd_host_revoke(struct ctx *ctx);

/**
 * cmd_activate(): answer a host's request by a certificate.
 *
 * Returns: exit code
 */
int cmd_activate(struct ctx *ctx);

/**
 * cmd_serve(): the HTTPS service, until SIGTERM or SIGINT.
 *
 * Returns: exit code; EXIT_CONFIG where the settings are not good
 */
int cmd_serve(struct ctx *ctx);

/**
 * cmd_audit_verify(): check the log, also against catalogues.
 *
 * Returns: exit code
 */
int cmd_audit_verify(struct ctx *ctx);

/**
 * cmd_issuer_list(): issuing keys, and what each is used for.
 *
 * Returns: exit code
 */
int cmd_issuer_list(struct ctx *ctx);

/**
 * cmd_issuer_add(): a new issuing key, for the next catalogue.
 *
 * Returns: exit code
 */
int cmd_issuer_add(struct ctx *ctx);

/**
 * cmd_issuer_drop(): sign nothing more by one; no catalogue to come has it.
 *
 * Returns: exit code
 */
int cmd_issuer_drop(struct ctx *ctx);

/**
 * cmd_backup(): copy the database into a new file, while others use it.
 *
 * Returns: exit code
 */
int cmd_backup(struct ctx *ctx);

/**
 * cmd_audit_export(): the whole log to standard output, a JSON object a line.
 *
 * Returns: exit code
 */
int cmd_audit_export(struct ctx *ctx);

#endif /* MUSTER_AUTHORITY_CMD_H */
