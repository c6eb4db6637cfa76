/* SPDX-License-Identifier: MIT */
/*
 * err.h -- the one list of error codes.
 *
 * Every fallible function returns 0 or one negative code of this list.  The
 * enum, the names and the texts are made from the list, so they cannot
 * disagree.  Codes are ABI: append, never renumber, never reuse.
 */
#ifndef MUSTER_ERR_H
#define MUSTER_ERR_H

#define MUSTER_ERR_LIST(X)                                                   \
	X(MUSTER_E_NOMEM, -1, "out of memory")                               \
	X(MUSTER_E_INVAL, -2, "argument or call order not allowed")          \
	X(MUSTER_E_PROTO, -3, "the bytes break the format")                  \
	X(MUSTER_E_TRUNC, -4, "shorter than its fields")                     \
	X(MUSTER_E_TOOBIG, -5, "larger than its limit")                      \
	X(MUSTER_E_AGAIN, -6, "busy, nothing was changed, try again")        \
	X(MUSTER_E_UNSURE, -7, "outcome unknown, the change may be there")   \
	X(MUSTER_E_SIG, -8, "signature does not verify")                     \
	X(MUSTER_E_IO, -9, "system or storage failure")                      \
	X(MUSTER_E_NOENT, -10, "not there")                                  \
	X(MUSTER_E_EXIST, -11, "there already")                              \
	X(MUSTER_E_DENIED, -12, "right missing")                             \
	X(MUSTER_E_KEY, -13, "public key is zero or of small order")         \
	X(MUSTER_E_PUBLISHER, -14, "of another publisher")                   \
	X(MUSTER_E_ISSUER, -15, "issuing key not in the catalogue")          \
	X(MUSTER_E_ISSUED, -16,                                              \
	    "issued outside its key's or certificate's time")                \
	X(MUSTER_E_REVOKED, -17, "host certificate revoked")                 \
	X(MUSTER_E_EXPIRED, -18, "outside its time")                         \
	X(MUSTER_E_CLOCK, -19, "clocks differ by more than four hours")      \
	X(MUSTER_E_PRODUCT, -20, "product not in the catalogue")             \
	X(MUSTER_E_LEVEL, -21, "line or level not covered")                  \
	X(MUSTER_E_COUNT, -22, "count below the threshold")                  \
	X(MUSTER_E_MACHINE, -23, "of another machine")                       \
	X(MUSTER_E_RANGE, -24, "value outside its range")                    \
	X(MUSTER_E_SERIAL, -25, "older than the catalogue in force")         \
	X(MUSTER_E_TYPO, -26, "mistyped: the check characters do not match") \
	X(MUSTER_E_KIND, -27, "key of the other kind")                       \
	X(MUSTER_E_SCHEMA, -28, "database of another version or program")    \
	X(MUSTER_E_DAMAGED, -29, "database damaged")                         \
	X(MUSTER_E_LOCKED, -30, "in use by another process")                 \
	X(MUSTER_E_MISMATCH, -31, "reply does not belong to the request")    \
	X(MUSTER_E_REFUSED, -32, "host answered with a refusal")             \
	X(MUSTER_E_TIMEOUT, -33, "no answer in time")                        \
	X(MUSTER_E_CONNECT, -34, "no connection")                            \
	X(MUSTER_E_RESOLVE, -35, "name does not resolve")                    \
	X(MUSTER_E_NOMACHINE, -36, "machine has no id")                      \
	X(MUSTER_E_FULL, -37, "no space or no slot left")                    \
	X(MUSTER_E_NXDOMAIN, -38, "no such name in DNS")                     \
	X(MUSTER_E_NODATA, -39, "no record of this kind in DNS")             \
	X(MUSTER_E_SERVFAIL, -40, "name server cannot answer")               \
	X(MUSTER_E_DNS_REFUSED, -41, "name server refused to answer")        \
	X(MUSTER_E_DNS_TIMEOUT, -42, "no answer from a name server")         \
	X(MUSTER_E_NO_SERVICE, -43, "DNS says that there is no host")        \
	X(MUSTER_E_ALIAS, -44, "too many aliases in DNS, or a loop")

enum muster_err {
#define X(name, value, text) name = (value),
	MUSTER_ERR_LIST(X)
#undef X
};

#define MUSTER_NODISCARD __attribute__((warn_unused_result))

/**
 * muster_strerror(): human text for an error code.
 *
 * In:      err      0 or any enum muster_err value
 * Returns: static string, never NULL; "ok" for 0, "unknown error" otherwise
 */
const char *muster_strerror(int err);

/**
 * muster_errname(): the code's stable name, for scripts and JSON.
 *
 * In:      err      0 or any enum muster_err value
 * Returns: static string, never NULL; "OK" for 0, "MUSTER_E_UNKNOWN" otherwise
 */
const char *muster_errname(int err);

#endif /* MUSTER_ERR_H */
