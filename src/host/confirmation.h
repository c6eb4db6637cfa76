/* SPDX-License-Identifier: MIT */
/*
 * confirmation.h -- whose answer is this confirmation ID?
 *
 * It names neither publisher nor host: it is the publisher's under whose
 * issuing key the certificate verifies that it makes with this host's key.
 */
#ifndef MUSTER_HOST_CONFIRMATION_H
#define MUSTER_HOST_CONFIRMATION_H

#include "host/state.h"
#include "trust/phone.h"

/**
 * confirmation_find(): the publisher and the whole certificate; installs
 * nothing.
 *
 * In:      only     the publisher that was named, or NULL: any
 *          answer   PHONE_ANSWER_LEN bytes
 * Out:     certificate_out  CERT_LEN bytes
 * Returns: 0
 *          MUSTER_E_NOENT     no host key is installed that it could answer
 *          MUSTER_E_ISSUER    its issuing key is in no catalogue in force
 *          MUSTER_E_MISMATCH  for another host, or altered
 */
MUSTER_NODISCARD int confirmation_find(struct state *state,
    struct publisher *only, const uint8_t *answer, uint8_t *certificate_out,
    struct publisher **publisher_out, struct problem *problem);

#endif /* MUSTER_HOST_CONFIRMATION_H */
