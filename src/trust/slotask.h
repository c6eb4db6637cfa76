/* SPDX-License-Identifier: MIT */
/*
 * slotask.h -- what a customer asks of the authority about its slots.
 *
 *   offset  bytes  field
 *        0      8  magic
 *        8      4  version
 *       12     16  publisher id                        \
 *       28      4  key number                          |
 *       32      4  act: 1 list, 2 release              | body
 *       36      4  slot; 0 for a list                  |
 *       40      4  activation of its certificate; 0    |
 *       44      8  asked at, seconds since 1970        /
 *       52     32  proof over the body, by the host key
 *
 * 40 bytes can never be the body of an enrolment request (64 at least), so
 * neither proof is good for the other.  Pure.
 * Source: doc/protocol.md, "Online".
 */
#ifndef MUSTER_TRUST_SLOTASK_H
#define MUSTER_TRUST_SLOTASK_H

#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"
#include "trust/hostkey.h"
#include "trust/label.h"

#define SLOTASK_MAGIC "MUSTERQ1"
#define SLOTASK_VERSION 1U
#define SLOTASK_LEN 84
#define SLOTASK_CLOCK_S 14400 /* how far clocks may be apart */

enum slotask_act { SLOTASK_LIST = 1, SLOTASK_RELEASE = 2 };

struct slotask {
	uint8_t publisher[PUBLISHER_LEN];
	uint32_t key_number;
	enum slotask_act act;
	uint8_t slot;       /* of a release */
	uint8_t activation; /* of the certificate that is given back */
	int64_t asked_unix_s;
};

/**
 * slotask_encode(): write and prove.
 *
 * In:      pk       proof key, HOSTKEY_PK_LEN bytes
 * Out:     out      SLOTASK_LEN bytes
 */
void slotask_encode(const struct slotask *a, const uint8_t *pk, uint8_t *out);

/**
 * slotask_decode(): read; the proof is not judged.
 *
 * Returns: 0
 *          MUSTER_E_TRUNC, MUSTER_E_TOOBIG  not SLOTASK_LEN bytes
 *          MUSTER_E_PROTO  magic or version
 *          MUSTER_E_RANGE  act, slot, activation or time
 */
MUSTER_NODISCARD int
slotask_decode(const uint8_t *p, size_t len, struct slotask *a_out);

/**
 * slotask_prove(): does it prove possession of the host key's secret?
 *
 * In:      p, len   the bytes that slotask_decode() accepted
 *          pk       proof key kept by the authority
 * Returns: 0; MUSTER_E_SIG (compared in constant time)
 */
MUSTER_NODISCARD int
slotask_prove(const uint8_t *p, size_t len, const uint8_t *pk);

#endif /* MUSTER_TRUST_SLOTASK_H */
