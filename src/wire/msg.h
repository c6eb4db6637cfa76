/* SPDX-License-Identifier: MIT */
/*
 * msg.h -- the messages of muster.x: bytes <-> structs.
 *
 * Strict, of fixed size and without allocation: what decodes re-encodes to
 * the same bytes, and nothing else is accepted (unknown enum values, values
 * out of range, padding that is not zero, trailing bytes).  All functions are
 * pure.  Source: muster.x; doc/protocol.md, "RPC"; RFC 4506.
 */
#ifndef MUSTER_WIRE_MSG_H
#define MUSTER_WIRE_MSG_H

#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"

/* What ties the lines of both sides: the first bytes of the nonce, in hex. */
#define WIRE_REQUEST_LEN 8
#define WIRE_REQUEST_TEXT_LEN (2 * WIRE_REQUEST_LEN)
#define WIRE_ID_LEN 16      /* product, CMID, nonce, machine, publisher */
#define WIRE_TAG_LEN 8      /* known_host, previous */
#define WIRE_CERT_LEN 120   /* a host certificate */
#define WIRE_SIG_LEN 64     /* Ed25519 */
#define WIRE_NODE_LEN 32    /* a node of the tree of replies */
#define WIRE_NAME_MAX 99    /* keeps a request within 250 bytes */
#define WIRE_PATH_MAX 3     /* eight replies share a signature */
#define WIRE_ARGS_MAX 204   /* 100 bytes + name of 4 to 104 */
#define WIRE_RESULT_MAX 216 /* OK with a certificate */
#define WIRE_THRESHOLD_MAX 100000U
#define WIRE_INTERVAL_MIN 15U    /* minutes */
#define WIRE_INTERVAL_MAX 43200U /* minutes: 30 days */
#define WIRE_BUSY_MAX_S 3600U

enum wire_status {
	WIRE_OK = 0,
	WIRE_UNKNOWN_PRODUCT = 1,
	WIRE_NOT_COVERED = 2,
	WIRE_HOST_NOT_ACTIVATED = 3,
	WIRE_CLOCK = 4,
	WIRE_BUSY = 5,
	WIRE_REFUSED = 6
};

enum wire_state {
	WIRE_UNLICENSED = 0,
	WIRE_INITIAL_GRACE = 1,
	WIRE_LICENSED = 2,
	WIRE_TOLERANCE_GRACE = 3,
	WIRE_NOTIFICATION = 4
};

struct wire_args {
	uint8_t product[WIRE_ID_LEN];
	uint8_t cmid[WIRE_ID_LEN]; /* all zero: a probe, never recorded */
	uint8_t nonce[WIRE_ID_LEN];
	uint8_t machine[WIRE_ID_LEN];
	uint8_t known_host[WIRE_TAG_LEN];
	uint8_t previous[WIRE_TAG_LEN];
	int64_t time_unix_s;
	enum wire_state state;
	uint32_t threshold; /* 1 to WIRE_THRESHOLD_MAX */
	uint32_t minutes_left;
	char name[WIRE_NAME_MAX + 1]; /* [A-Za-z0-9._-]*, ends in NUL */
};

/* Where a reply stands in its tree of 2^n_path leaves. */
struct wire_place {
	uint32_t index;                             /* less than 2^n_path */
	uint32_t n_path;                            /* 0 to WIRE_PATH_MAX */
	uint8_t path[WIRE_PATH_MAX][WIRE_NODE_LEN]; /* lowest first */
};

/* What a host says beside the signature; part of what is signed. */
struct wire_grant {
	uint32_t count;
	int64_t issued_unix_s;
	uint32_t renewal_min; /* WIRE_INTERVAL_MIN to _MAX */
	uint32_t retry_min;   /* likewise */
	uint32_t catalogue;   /* the host's serial for this publisher */
};

struct wire_result {
	enum wire_status status;
	/* WIRE_OK */
	struct wire_grant grant;
	uint8_t signature[WIRE_SIG_LEN];
	uint32_t form; /* 0: certificate; 1: place */
	uint8_t certificate[WIRE_CERT_LEN];
	struct wire_place place;
	int64_t host_unix_s; /* WIRE_CLOCK */
	uint32_t busy_s;     /* WIRE_BUSY: 1 to WIRE_BUSY_MAX_S */
};

struct wire_cover {
	enum wire_status status;
	int64_t host_unix_s; /* this and the rest with WIRE_OK only */
	uint32_t catalogue;
	uint8_t certificate[WIRE_CERT_LEN];
};

/**
 * wire_args_encode(): write the arguments of ACTIVATE.
 *
 * Out:     buf      at most cap bytes; WIRE_ARGS_MAX always suffices
 *          len_out  bytes written
 * Returns: 0
 *          MUSTER_E_RANGE   a field is outside its range
 *          MUSTER_E_TOOBIG  cap is too small
 */
MUSTER_NODISCARD int wire_args_encode(const struct wire_args *args,
    uint8_t *buf, size_t cap, size_t *len_out);

/**
 * wire_args_decode(): read the arguments of ACTIVATE.
 *
 * In:      p, len   exactly the arguments
 * Returns: 0; MUSTER_E_TRUNC, MUSTER_E_TOOBIG, MUSTER_E_PROTO, or
 *          MUSTER_E_RANGE (threshold, enum or name); args_out is untouched
 */
MUSTER_NODISCARD int
wire_args_decode(const uint8_t *p, size_t len, struct wire_args *args_out);

/**
 * wire_result_encode(): write the result of ACTIVATE.
 *
 * Returns: as wire_args_encode(); WIRE_RESULT_MAX always suffices
 */
MUSTER_NODISCARD int wire_result_encode(const struct wire_result *res,
    uint8_t *buf, size_t cap, size_t *len_out);

/**
 * wire_result_decode(): read the result of ACTIVATE.
 *
 * Out:     res_out  fields that the status does not carry are zero
 * Returns: as wire_args_decode()
 */
MUSTER_NODISCARD int
wire_result_decode(const uint8_t *p, size_t len, struct wire_result *res_out);

/**
 * wire_cover_encode(): write the result of COVER.
 *
 * Returns: as wire_args_encode()
 */
MUSTER_NODISCARD int wire_cover_encode(const struct wire_cover *res,
    uint8_t *buf, size_t cap, size_t *len_out);

/**
 * wire_cover_decode(): read the result of COVER.
 *
 * Returns: as wire_args_decode()
 */
MUSTER_NODISCARD int
wire_cover_decode(const uint8_t *p, size_t len, struct wire_cover *res_out);

#endif /* MUSTER_WIRE_MSG_H */
