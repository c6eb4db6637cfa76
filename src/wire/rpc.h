/* SPDX-License-Identifier: MIT */
/*
 * rpc.h -- ONC RPC version 2 with record marking, as much as Muster speaks.
 *
 * A record is a mark of 4 bytes and one fragment of at most RPC_BODY_MAX
 * bytes.  Credentials are AUTH_NONE of length 0.  All functions are pure.
 * Source: RFC 5531, sections 9 and 11; doc/protocol.md, "RPC".
 */
#ifndef MUSTER_WIRE_RPC_H
#define MUSTER_WIRE_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"

#define RPC_MARK_LEN 4
#define RPC_BODY_MAX 246   /* so that a record is at most 250 bytes */
#define RPC_RECORD_MAX 250 /* the promise of behaviour, "Numbers" */
#define RPC_CALL_LEN 40    /* header of a call without its mark */
#define RPC_PROGRAM 536876680U
#define RPC_VERSION 1U

enum rpc_proc { RPC_NULL = 0, RPC_ACTIVATE = 1, RPC_COVER = 2 };

/* What to do with a record that was read. */
enum rpc_verdict {
	RPC_CALL,           /* a call of ours: args are valid */
	RPC_CLOSE,          /* not a call: close at once */
	RPC_MISMATCH_CLOSE, /* RPC version is not 2: answer, then close */
	RPC_AUTH_ERROR,     /* credentials not empty: MSG_DENIED */
	RPC_PROG_UNAVAIL,
	RPC_PROG_MISMATCH,
	RPC_PROC_UNAVAIL,
	RPC_GARBAGE_ARGS /* for the caller: arguments do not decode */
};

struct rpc_call {
	uint32_t xid;
	enum rpc_proc proc;  /* RPC_CALL only */
	const uint8_t *args; /* borrowed from the record */
	size_t args_len;
};

/**
 * rpc_mark_decode(): length of the record that a mark announces.
 *
 * In:      mark     RPC_MARK_LEN bytes
 * Out:     len_out  4 to RPC_BODY_MAX
 * Returns: 0
 *          MUSTER_E_PROTO   under 4 bytes, or not the last fragment
 *          MUSTER_E_TOOBIG  over RPC_BODY_MAX
 */
MUSTER_NODISCARD int rpc_mark_decode(const uint8_t *mark, size_t *len_out);

/**
 * rpc_call_decode(): judge the body of a record as a call.
 *
 * In:      p, len   the body without its mark
 * Out:     call_out xid always when len is 4 or more; the rest for RPC_CALL;
 *                   NULL with arguments is RPC_GARBAGE_ARGS
 * Returns: the verdict
 */
enum rpc_verdict
rpc_call_decode(const uint8_t *p, size_t len, struct rpc_call *call_out);

/**
 * rpc_call_encode(): a whole record with a call, mark included.
 *
 * In:      args, args_len  encoded arguments, borrowed
 * Returns: 0; MUSTER_E_TOOBIG: over cap or RPC_RECORD_MAX
 */
MUSTER_NODISCARD int
rpc_call_encode(uint32_t xid, enum rpc_proc proc, const uint8_t *args,
    size_t args_len, uint8_t *buf, size_t cap, size_t *len_out);

/**
 * rpc_reply_encode(): a whole record with an accepted reply, SUCCESS.
 *
 * In:      res, res_len  encoded result, borrowed; may be empty
 * Returns: 0; MUSTER_E_TOOBIG: over cap or RPC_RECORD_MAX
 */
MUSTER_NODISCARD int rpc_reply_encode(uint32_t xid, const uint8_t *res,
    size_t res_len, uint8_t *buf, size_t cap, size_t *len_out);

/**
 * rpc_error_encode(): a whole record with the reply to a refused call.
 *
 * In:      verdict  RPC_MISMATCH_CLOSE to RPC_GARBAGE_ARGS
 * Returns: 0
 *          MUSTER_E_INVAL   the verdict has no reply
 *          MUSTER_E_TOOBIG  over cap
 */
MUSTER_NODISCARD int rpc_error_encode(uint32_t xid, enum rpc_verdict verdict,
    uint8_t *buf, size_t cap, size_t *len_out);

/**
 * rpc_reply_decode(): take the result out of a reply's body.
 *
 * In:      p, len   the body without its mark
 *          xid      of the call
 * Out:     res_out, len_out  borrowed from p
 * Returns: 0
 *          MUSTER_E_MISMATCH  another xid
 *          MUSTER_E_REFUSED   denied, or accepted with an error
 *          MUSTER_E_TRUNC, MUSTER_E_PROTO  not a reply
 */
MUSTER_NODISCARD int rpc_reply_decode(const uint8_t *p, size_t len,
    uint32_t xid, const uint8_t **res_out, size_t *len_out);

#endif /* MUSTER_WIRE_RPC_H */
