/* SPDX-License-Identifier: MIT */
/*
 * qr.h -- a text as a QR code, for a terminal and as SVG; pure.
 *
 * The code is by libqrcodegen (ISO/IEC 18004), which takes alphanumeric mode
 * for a text of base 45.  Around it are the four light modules that scanners
 * want.
 */
#ifndef MUSTER_BASE_QR_H
#define MUSTER_BASE_QR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "muster/err.h"

/* Version 13 holds 483 characters of base 45 at level M; an enrolment request
 * of 256 bytes has 384. */
#define QR_VERSION_MAX 13
#define QR_SIDE_MAX (17 + 4 * QR_VERSION_MAX) /* modules */
#define QR_BUF_LEN ((QR_SIDE_MAX * QR_SIDE_MAX + 7) / 8 + 1)
#define QR_OUT_MAX 65536 /* bytes: twice what the largest code takes */

struct qr {
	uint8_t modules[QR_BUF_LEN];
};

/* How a terminal shows it. */
enum qr_form {
	QR_BLOCKS, /* UTF-8: two rows of modules a line, by half blocks */
	QR_ASCII   /* a row a line, a module two characters */
};

/**
 * qr_make(): the code of a text.
 *
 * Returns: 0; MUSTER_E_TOOBIG: over what QR_VERSION_MAX holds
 */
MUSTER_NODISCARD int qr_make(const char *text, struct qr *qr_out);

/**
 * qr_text(): lines for a terminal.
 *
 * In:      is_coloured  black on white by escape codes, so that it can be
 *                   scanned whatever the terminal's colours are
 * Out:     out      cap bytes, QR_OUT_MAX suffice; with a NUL
 * Returns: 0; MUSTER_E_TOOBIG: then out is not whole
 */
MUSTER_NODISCARD int qr_text(const struct qr *qr, enum qr_form form,
    bool is_coloured, char *out, size_t cap);

/**
 * qr_svg(): an SVG file.
 *
 * Out:     out      cap bytes, QR_OUT_MAX suffice; with a NUL
 * Returns: 0; MUSTER_E_TOOBIG: then out is not whole
 */
MUSTER_NODISCARD int qr_svg(const struct qr *qr, char *out, size_t cap);

#endif /* MUSTER_BASE_QR_H */
