/* SPDX-License-Identifier: MIT */
/*
 * primitive.h -- what stands in the place of Ed25519.
 *
 * Signing and verifying would take most of a campaign.  So a signature is
 * BLAKE2b-512 of the text, keyed by the public key: whoever has the text and
 * the key could make one, but nobody in a simulated world does.  Labels,
 * trees, dates and each check around it are those of src/.  A run by the real
 * primitive has to give the same lines of the trace (main.c).
 *
 * The program is linked with --wrap for both functions of libsodium.
 */
#ifndef MUSTER_SIM_PRIMITIVE_H
#define MUSTER_SIM_PRIMITIVE_H

#include <stdbool.h>

/**
 * primitive_use(): from now on, for the whole program.
 *
 * In:      is_real  Ed25519 by libsodium; verdicts are remembered either way
 */
void primitive_use(bool is_real);

#endif /* MUSTER_SIM_PRIMITIVE_H */
