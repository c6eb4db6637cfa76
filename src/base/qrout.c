/* SPDX-License-Identifier: MIT */
#include "base/qrout.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/qr.h"

#define SUFFIX ".svg"

static bool
is_utf8(void)
{
	locale_t own = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	bool is = false;

	if (own != (locale_t)0) {
		is = strcmp(nl_langinfo_l(CODESET, own), "UTF-8") == 0;
		freelocale(own);
	}
	return is;
}

/* On a terminal, unless the user wants no colours anywhere: no-color.org. */
static bool
is_coloured(void)
{
	const char *none = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) != 0 && (none == NULL || none[0] == '\0');
}

int
qrout_print(const char *text)
{
	char out[QR_OUT_MAX];
	struct qr qr;
	int err;

	err = qr_make(text, &qr);
	if (err == 0)
		err = qr_text(&qr, is_utf8() ? QR_BLOCKS : QR_ASCII,
		    is_coloured(), out, sizeof(out));
	if (err == 0 && (fputs(out, stdout) == EOF || fflush(stdout) != 0))
		err = MUSTER_E_IO;
	return err;
}

int
qrout_save(const char *text, const char *path)
{
	char out[QR_OUT_MAX];
	struct qr qr;
	int err;

	err = qr_make(text, &qr);
	if (err == 0)
		err = qr_svg(&qr, out, sizeof(out));
	if (err == 0)
		err = file_replace(path, out, strlen(out), 0644);
	return err;
}

bool
qrout_is_svg(const char *path)
{
	size_t len = strlen(path), n = sizeof(SUFFIX) - 1;

	return len > n && strcmp(path + len - n, SUFFIX) == 0;
}
