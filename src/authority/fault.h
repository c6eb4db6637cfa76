/* SPDX-License-Identifier: MIT */
/*
 * fault.h -- what is wrong at the authority itself: for who asked in general
 * words, for its log with code, key and what to do, once until it changes.
 */
#ifndef MUSTER_AUTHORITY_FAULT_H
#define MUSTER_AUTHORITY_FAULT_H

#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
	FAULT_NONE, /* it was the request, or nothing at all */
	FAULT_DATABASE,
	FAULT_FULL,
	FAULT_ISSUING,
	FAULT_SEAL
};

/* One request's fault, or its success. */
struct fault {
	enum fault_kind kind;
	int err;
	int act;             /* what was asked for, as the caller counts it */
	uint32_t key_number; /* 0: of no host key */
};

/**
 * fault_detail(): what who asked is told.
 *
 * In:      kind     not FAULT_NONE
 * Returns: static text, no path or name of a file in it
 */
const char *fault_detail(enum fault_kind kind);

/**
 * fault_note(): log a fault, unless it is the one that was logged last.
 *
 * In:      last     zeroed at the start; the next call's
 *          f        FAULT_NONE: it went well, so the last fault is over if it
 *                   befell the same act for the same key
 */
void fault_note(struct fault *last, const struct fault *f);

#endif /* MUSTER_AUTHORITY_FAULT_H */
