/* SPDX-License-Identifier: MIT */
/*
 * muster.h -- libmuster: is this product activated on this machine?
 *
 * The product asks offline and decides by itself what to do.  Thread-safe; no
 * global state, no signal, no heap; at most 16 KiB of stack, 32 KiB where the
 * agent is asked.  Nothing is taken from the environment.
 * Source: doc/protocol.md, "Catalogue", "Lease file" and "Agent".
 */
#ifndef MUSTER_MUSTER_H
#define MUSTER_MUSTER_H

#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"

#define MUSTER_PRODUCT_LEN 16
#define MUSTER_ROOT_KEY_LEN 32
#define MUSTER_HOST_LEN 261
#define MUSTER_ACTIVATE_MS 120000 /* a round through all hosts */

#ifdef __cplusplus
extern "C" {
#endif

enum muster_licence {
	MUSTER_UNLICENSED_NOW = 0,
	MUSTER_INITIAL_GRACE_NOW = 1,
	MUSTER_LICENSED_NOW = 2,
	MUSTER_TOLERANCE_GRACE_NOW = 3,
	MUSTER_NOTIFICATION_NOW = 4
};

/* What the product knows; pointers are borrowed for the call. */
struct muster_product {
	const uint8_t *product;   /* MUSTER_PRODUCT_LEN bytes, as printed */
	const uint8_t *root_keys; /* n_root_keys of MUSTER_ROOT_KEY_LEN */
	size_t n_root_keys;
	uint32_t least_serial; /* of a catalogue; older ones do not count */
	const char *catalogue; /* the package's own file, or NULL */
	const char *root;      /* goes before every other path; NULL: none */
};

struct muster_answer {
	enum muster_licence state;
	int reason;           /* 0, or why there is no lease that holds */
	int64_t seconds_left; /* until the state ends; 0: it has no end */
	uint32_t count;       /* by the lease; 0 without one */
	uint32_t threshold;   /* by the catalogue; 0 without one */
};

/**
 * muster_check(): judge the lease on this machine, offline.
 *
 * A missing or damaged file is a reason, not an error.
 *
 * Out:     answer_out  untouched on failure
 * Returns: 0
 *          MUSTER_E_INVAL  no product, no root key or no place for the answer
 *          MUSTER_E_KEY    a root key is zero, of small order or not canonical
 *          MUSTER_E_IO     libsodium does not start
 * Blocks:  for the reading of small files
 */
MUSTER_NODISCARD int muster_check(const struct muster_product *product,
    struct muster_answer *answer_out);

/* What the agent tells: for people to read, no proof of anything. */
struct muster_info {
	enum muster_licence state;
	int reason;           /* 0, or why there is no lease that holds */
	int64_t seconds_left; /* until the state ends; 0: it has no end */
	uint32_t count;       /* by the last verified reply */
	uint32_t threshold;
	int64_t next_contact_unix_s;    /* 0: none is due */
	int64_t answered_unix_s;        /* last verified reply; 0: never */
	char host[MUSTER_HOST_LEN + 1]; /* that gave it, or empty */
	int round; /* 0: the last round of asking was answered, and what came of
	            * it is on disk; else why not */
	int is_early; /* not asked again: 10 seconds had not passed */
};

/**
 * muster_activate(): have the agent ask for activation now.
 *
 * Any user may.  A product is asked for at most once in ten seconds over all
 * users; within them the last result comes back at once.  Whether the product
 * is activated now is for muster_check() to say.
 *
 * In:      product     product and root count, the rest is not looked at
 *          timeout_ms  how long to wait, 0: MUSTER_ACTIVATE_MS; a round that
 *                      takes longer goes on without the caller
 * Out:     info_out    after the round; untouched on failure
 * Returns: 0                 asked, whatever came of it
 *          MUSTER_E_INVAL    no product, no place for the answer, a time
 *                            below 0
 *          MUSTER_E_CONNECT  no agent is there
 *          MUSTER_E_TIMEOUT  no answer in time
 *          MUSTER_E_NOENT, MUSTER_E_PRODUCT  the agent knows no such product
 *          MUSTER_E_TRUNC, MUSTER_E_PROTO, MUSTER_E_RANGE, MUSTER_E_TOOBIG,
 *          MUSTER_E_MISMATCH  cut off, or not an answer to the question;
 *                            MUSTER_E_TOOBIG also for a root whose socket
 *                            path is over 107 bytes
 *          MUSTER_E_DENIED   the agent's socket is closed to this user
 *          MUSTER_E_IO       no socket to be had
 *          any other code    with which the agent refuses
 * Blocks:  up to timeout_ms
 */
MUSTER_NODISCARD int muster_activate(const struct muster_product *product,
    int timeout_ms, struct muster_info *info_out);

/**
 * muster_info(): what the agent knows of a product; asks no host.
 *
 * In:      product   product and root count, the rest is not looked at
 * Out:     info_out  untouched on failure
 * Returns: as muster_activate()
 * Blocks:  up to 10 seconds
 */
MUSTER_NODISCARD int
muster_info(const struct muster_product *product, struct muster_info *info_out);

#ifdef __cplusplus
}
#endif

#endif /* MUSTER_MUSTER_H */
