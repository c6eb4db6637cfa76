/* SPDX-License-Identifier: MIT */
/*
 * qrout.h -- QR codes where people see them: terminal and file.
 */
#ifndef MUSTER_BASE_QROUT_H
#define MUSTER_BASE_QROUT_H

#include <stdbool.h>

#include "muster/err.h"

/**
 * qrout_print(): the QR code of a text, to standard output.
 *
 * Half blocks where the locale's character set is UTF-8, else ASCII; with
 * colours where it is a terminal and NO_COLOR is unset or empty.
 *
 * Returns: 0; MUSTER_E_TOOBIG the text; MUSTER_E_IO
 */
MUSTER_NODISCARD int qrout_print(const char *text);

/**
 * qrout_save(): the QR code of a text as SVG.
 *
 * Returns: 0; MUSTER_E_TOOBIG the text; as file_replace()
 */
MUSTER_NODISCARD int qrout_save(const char *text, const char *path);

/**
 * qrout_is_svg(): is this the name of an SVG file?
 *
 * Returns: true when it ends in .svg
 */
bool qrout_is_svg(const char *path);

#endif /* MUSTER_BASE_QROUT_H */
