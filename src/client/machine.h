/* SPDX-License-Identifier: MIT */
/*
 * machine.h -- which machine this is; machine_read() and machine_name() are
 * edges, the rest is pure.
 *
 * The id is the first of PATH_MACHINE_ID, _OS and _DBUS that is there, the
 * instance what the agent publishes, else zeros.
 * Source: doc/protocol.md, "ACTIVATE arguments".
 */
#ifndef MUSTER_CLIENT_MACHINE_H
#define MUSTER_CLIENT_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"
#include "trust/lease.h"
#include "wire/msg.h"

struct machine {
	uint8_t id[WIRE_ID_LEN];
	uint8_t instance[WIRE_ID_LEN]; /* zeros: none */
};

/**
 * machine_id_parse(): 32 hex digits, then nothing or one newline.
 *
 * Returns: 0; MUSTER_E_NOMACHINE for anything else and for all zeros
 */
MUSTER_NODISCARD int
machine_id_parse(const uint8_t *text, size_t len, uint8_t *id_out);

/**
 * machine_read(): id and instance from the files under a root.
 *
 * In:      root     NULL: the machine itself
 * Returns: 0
 *          MUSTER_E_NOMACHINE  no id, or one that names no machine
 *          MUSTER_E_PROTO      the published instance is not one
 *          MUSTER_E_DENIED, MUSTER_E_IO, MUSTER_E_TOOBIG
 */
MUSTER_NODISCARD int
machine_read(const char *root, struct machine *machine_out);

/**
 * machine_fingerprint(): BLAKE2b-128 keyed with the publisher id.
 *
 * Out:     out      WIRE_ID_LEN bytes
 */
void machine_fingerprint(const struct machine *machine,
    const uint8_t *publisher, uint8_t *out);

/**
 * machine_tag(): the fingerprint that an instance of zeros gives.
 *
 * Out:     out      WIRE_ID_LEN bytes
 */
void machine_tag(const struct machine *machine, const uint8_t *publisher,
    uint8_t *out);

/**
 * machine_judge(): lease_judge() for this machine.
 *
 * A lease from before the instance was published holds as well.
 *
 * Returns: as lease_judge()
 */
MUSTER_NODISCARD int
machine_judge(const struct machine *machine, const struct lease *lease,
    const struct lease_facts *facts, int64_t now_unix_s, unsigned flags);

/**
 * machine_name(): the host name for reports, as far as the wire carries it.
 *
 * Out:     out      WIRE_NAME_MAX + 1 bytes; empty where there is none
 */
void machine_name(char *out);

#endif /* MUSTER_CLIENT_MACHINE_H */
