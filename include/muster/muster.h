/* SPDX-License-Identifier: MIT */
/*
 * muster.h -- libmuster: is this product activated on this machine?
 *
 * The product asks offline and decides by itself what to do.  Thread-safe; no
 * global state, no signal, no heap; at most 16 KiB of stack.  Nothing is
 * taken from the environment.
 * Source: doc/protocol.md, "Catalogue" and "Lease file".
 */
#ifndef MUSTER_MUSTER_H
#define MUSTER_MUSTER_H

#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"

#define MUSTER_PRODUCT_LEN 16
#define MUSTER_ROOT_KEY_LEN 32

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
 *          MUSTER_E_IO     libsodium does not start
 * Blocks:  for the reading of small files
 */
MUSTER_NODISCARD int muster_check(const struct muster_product *product,
    struct muster_answer *answer_out);

#ifdef __cplusplus
}
#endif

#endif /* MUSTER_MUSTER_H */
