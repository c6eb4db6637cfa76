/* SPDX-License-Identifier: MIT */
/*
 * widen.h -- libconfig keeps 32 bits of a number: what its text needs before
 * it is read.
 */
#ifndef MUSTER_BASE_WIDEN_H
#define MUSTER_BASE_WIDEN_H

/**
 * widen_numbers(): a copy of the text whose numbers libconfig does not cut.
 * What it includes is not seen: a number there may be cut.
 *
 * Returns: for the caller to free(); NULL out of memory
 */
char *widen_numbers(const char *text);

#endif /* MUSTER_BASE_WIDEN_H */
