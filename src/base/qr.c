/* SPDX-License-Identifier: MIT */
#include "base/qr.h"

#include <qrcodegen/qrcodegen.h>
#include <stdio.h>
#include <string.h>

#define QUIET 4 /* light modules on each side */
#define PART_MAX 256

_Static_assert(QR_BUF_LEN == qrcodegen_BUFFER_LEN_FOR_VERSION(QR_VERSION_MAX),
    "the library's buffer");

/* A text that grows; its end is the first that does not fit. */
struct text {
	char *out;
	size_t len, cap;
	int err;
};

static void
put(struct text *t, const char *part)
{
	size_t n = strlen(part);

	if (t->err != 0 || n >= t->cap - t->len) {
		t->err = MUSTER_E_TOOBIG;
		return;
	}
	memcpy(t->out + t->len, part, n + 1);
	t->len += n;
}

int
qr_make(const char *text, struct qr *qr_out)
{
	uint8_t work[QR_BUF_LEN];

	return qrcodegen_encodeText(text, work, qr_out->modules,
	           qrcodegen_Ecc_MEDIUM, qrcodegen_VERSION_MIN, QR_VERSION_MAX,
	           qrcodegen_Mask_AUTO, true)
	    ? 0
	    : MUSTER_E_TOOBIG;
}

/* Dark; beside the code all is light. */
static bool
is_dark(const struct qr *qr, int x, int y)
{
	return qrcodegen_getModule(qr->modules, x, y);
}

static const char *
module_of(const struct qr *qr, enum qr_form form, int x, int y)
{
	static const char *const half[] = {" ", "\u2580", "\u2584", "\u2588"};

	if (form == QR_ASCII)
		return is_dark(qr, x, y) ? "##" : "  ";
	return half[is_dark(qr, x, y) + 2 * is_dark(qr, x, y + 1)];
}

int
qr_text(const struct qr *qr, enum qr_form form, bool is_coloured, char *out,
    size_t cap)
{
	struct text t = {.out = out, .cap = cap};
	int end = qrcodegen_getSize(qr->modules) + QUIET;

	for (int y = -QUIET; y < end; y += form == QR_ASCII ? 1 : 2) {
		put(&t, is_coloured ? "\033[30;47m" : "");
		for (int x = -QUIET; x < end; x++)
			put(&t, module_of(qr, form, x, y));
		put(&t, is_coloured ? "\033[0m\n" : "\n");
	}
	return t.err;
}

/* Dark modules in a row are one rectangle. */
static void
svg_row(const struct qr *qr, int y, int size, struct text *t)
{
	char part[PART_MAX];

	for (int x = 0, n; x < size; x += n) {
		for (n = 0; x + n < size && is_dark(qr, x + n, y);)
			n++;
		if (n == 0) {
			n = 1;
			continue;
		}
		(void)snprintf(part, sizeof(part), "M%d,%dh%dv1h-%dz",
		    x + QUIET, y + QUIET, n, n);
		put(t, part);
	}
}

int
qr_svg(const struct qr *qr, char *out, size_t cap)
{
	struct text t = {.out = out, .cap = cap};
	int size = qrcodegen_getSize(qr->modules);
	char part[PART_MAX];

	(void)snprintf(part, sizeof(part),
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
	    "width=\"%dmm\" height=\"%dmm\" shape-rendering=\"crispEdges\">\n",
	    size + 2 * QUIET, size + 2 * QUIET, size + 2 * QUIET,
	    size + 2 * QUIET);
	put(&t, part);
	put(&t,
	    "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
	    "<path fill=\"#000\" d=\"");
	for (int y = 0; y < size; y++)
		svg_row(qr, y, size, &t);
	put(&t, "\"/>\n</svg>\n");
	return t.err;
}
