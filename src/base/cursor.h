/* SPDX-License-Identifier: MIT */
/*
 * cursor.h -- bounded reader and writer of XDR bytes.
 *
 * The error is sticky: after the first failure a reader returns zeros and a
 * writer writes nothing, so a codec handles all its fields in a row and asks
 * once, in rd_end() or wr_end(), whether all went well.  Integers are
 * big-endian; fields are padded with zeros to a multiple of four.
 * Source: RFC 4506, sections 3 and 4.10.
 */
#ifndef MUSTER_CURSOR_H
#define MUSTER_CURSOR_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "muster/err.h"

/* Bytes borrowed from somebody's buffer; len is in bytes. */
struct bytes {
	const uint8_t *p;
	size_t len;
};

struct rd {
	const uint8_t *p; /* next unread byte */
	size_t left;      /* bytes from p to the end */
	int err;          /* 0, or the first failure */
};

struct wr {
	uint8_t *start; /* caller's buffer */
	size_t len;     /* bytes written */
	size_t cap;     /* its size in bytes */
	int err;        /* 0, or the first failure */
};

/**
 * rd_init(): start reading.
 *
 * In:      p, len   all bytes, borrowed while fields taken from it are in use
 * Returns: a reader at the first byte
 */
static inline struct rd
rd_init(const uint8_t *p, size_t len)
{
	assert(p != NULL || len == 0);
	return (struct rd){.p = p, .left = len, .err = 0};
}

/**
 * rd_fail(): record a failure unless one is recorded.
 *
 * In:      err      a negative enum muster_err value
 */
static inline void
rd_fail(struct rd *r, int err)
{
	assert(err < 0);
	if (r->err == 0)
		r->err = err;
}

/**
 * rd_take(): borrow the next n bytes.
 *
 * Returns: n bytes, or NULL after a failure (MUSTER_E_TRUNC: fewer are left)
 */
static inline const uint8_t *
rd_take(struct rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->err != 0)
		return NULL;
	if (n > r->left) {
		rd_fail(r, MUSTER_E_TRUNC);
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return p;
}

/**
 * rd_u32(): read a 32-bit unsigned integer.
 *
 * Returns: the value, or 0 after a failure
 */
static inline uint32_t
rd_u32(struct rd *r)
{
	const uint8_t *p = rd_take(r, 4);

	if (p == NULL)
		return 0;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

/**
 * rd_u64(): read a 64-bit unsigned integer.
 *
 * Returns: the value, or 0 after a failure
 */
static inline uint64_t
rd_u64(struct rd *r)
{
	uint64_t high = rd_u32(r);

	return high << 32 | rd_u32(r);
}

/**
 * rd_i64(): read an XDR hyper.
 *
 * Returns: the value, or 0 after a failure
 */
static inline int64_t
rd_i64(struct rd *r)
{
	uint64_t v = rd_u64(r);
	int64_t out;

	memcpy(&out, &v, sizeof(out));
	return out;
}

/**
 * rd_fixed(): copy n bytes of fixed-length opaque, n a multiple of four.
 *
 * Out:     out      n bytes; zeros after a failure
 */
static inline void
rd_fixed(struct rd *r, uint8_t *out, size_t n)
{
	const uint8_t *p = rd_take(r, n);

	assert(n % 4 == 0);
	if (p == NULL)
		memset(out, 0, n);
	else
		memcpy(out, p, n);
}

/**
 * rd_opaque(): borrow one variable-length field.
 *
 * In:      max      largest length accepted, in bytes
 * Returns: the field without padding; empty after a failure
 *          (MUSTER_E_TOOBIG above max, MUSTER_E_TRUNC when cut short,
 *          MUSTER_E_PROTO when a padding byte is not zero)
 */
static inline struct bytes
rd_opaque(struct rd *r, size_t max)
{
	const struct bytes none = {.p = NULL, .len = 0};
	uint32_t len = rd_u32(r);
	size_t pad = (4 - len % 4) % 4;
	const uint8_t *field, *zero;

	if (r->err == 0 && len > max)
		rd_fail(r, MUSTER_E_TOOBIG);
	field = rd_take(r, len);
	zero = rd_take(r, pad);
	if (field == NULL || zero == NULL)
		return none;
	for (size_t i = 0; i < pad; i++) {
		if (zero[i] != 0) {
			rd_fail(r, MUSTER_E_PROTO);
			return none;
		}
	}
	return (struct bytes){.p = field, .len = len};
}

/**
 * rd_end(): finish reading.
 *
 * Returns: 0; the first failure; or MUSTER_E_PROTO when bytes are left over
 */
MUSTER_NODISCARD static inline int
rd_end(struct rd *r)
{
	if (r->err == 0 && r->left != 0)
		rd_fail(r, MUSTER_E_PROTO);
	return r->err;
}

/**
 * wr_init(): start writing.
 *
 * In:      buf, cap caller's buffer of cap bytes, borrowed
 * Returns: a writer at its first byte
 */
static inline struct wr
wr_init(uint8_t *buf, size_t cap)
{
	return (struct wr){.start = buf, .len = 0, .cap = cap, .err = 0};
}

/**
 * wr_fail(): record a failure unless one is recorded.
 *
 * In:      err      a negative enum muster_err value
 */
static inline void
wr_fail(struct wr *w, int err)
{
	assert(err < 0);
	if (w->err == 0)
		w->err = err;
}

/**
 * wr_bytes(): append n bytes as they are.
 *
 * In:      p        n bytes, borrowed for the call; may be NULL when n is 0
 */
static inline void
wr_bytes(struct wr *w, const void *p, size_t n)
{
	if (n > w->cap - w->len)
		wr_fail(w, MUSTER_E_TOOBIG);
	if (w->err != 0 || n == 0)
		return;
	memcpy(w->start + w->len, p, n);
	w->len += n;
}

/**
 * wr_u32(): append a 32-bit unsigned integer.
 */
static inline void
wr_u32(struct wr *w, uint32_t v)
{
	const uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16),
	    (uint8_t)(v >> 8), (uint8_t)v};

	wr_bytes(w, b, sizeof(b));
}

/**
 * wr_u64(): append a 64-bit unsigned integer.
 */
static inline void
wr_u64(struct wr *w, uint64_t v)
{
	wr_u32(w, (uint32_t)(v >> 32));
	wr_u32(w, (uint32_t)v);
}

/**
 * wr_i64(): append an XDR hyper.
 */
static inline void
wr_i64(struct wr *w, int64_t v)
{
	wr_u64(w, (uint64_t)v);
}

/**
 * wr_opaque(): append one variable-length field with its padding.
 *
 * In:      p, len   the field, borrowed for the call
 */
static inline void
wr_opaque(struct wr *w, const void *p, size_t len)
{
	static const uint8_t zero[4] = {0};

	wr_u32(w, (uint32_t)len);
	wr_bytes(w, p, len);
	wr_bytes(w, zero, (4 - len % 4) % 4);
}

/**
 * wr_end(): finish writing.
 *
 * Out:     len_out  bytes written; untouched on failure
 * Returns: 0; the first failure; MUSTER_E_TOOBIG: the buffer was too small
 */
MUSTER_NODISCARD static inline int
wr_end(const struct wr *w, size_t *len_out)
{
	if (w->err == 0)
		*len_out = w->len;
	return w->err;
}

#endif /* MUSTER_CURSOR_H */
