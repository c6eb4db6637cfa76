/* SPDX-License-Identifier: MIT */
/*
 * errcode.h -- error codes as the programs print them, one spelling for all.
 */
#ifndef MUSTER_BASE_ERRCODE_H
#define MUSTER_BASE_ERRCODE_H

#define ERRCODE_MAX 32 /* bytes of a code, NUL included */

/**
 * errcode(): stable lower-case name of an error, such as "noent"; "ok" for 0.
 *
 * In:      err      0 or any enum muster_err value
 * Out:     out      ERRCODE_MAX bytes
 */
void errcode(int err, char *out);

#endif /* MUSTER_BASE_ERRCODE_H */
