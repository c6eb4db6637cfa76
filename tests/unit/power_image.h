/* SPDX-License-Identifier: MIT */
/*
 * power_image.h -- what may lie on the disk when the power goes.
 *
 * All that was synced before is there.  Of what was not, each sector of each
 * write may be there or not, whatever its order; what a file grew by may be
 * there without its bytes (zeros, junk or what lay there before), and its
 * bytes without its length, where they are out of reach.  The entries of the
 * folder last in their order, up to any of them.
 */
#ifndef MUSTER_POWER_IMAGE_H
#define MUSTER_POWER_IMAGE_H

#include "power_vfs.h"

#define POWER_SECTOR 512
#define POWER_FILE_MAX (3 << 20) /* of a log; abort() tells when it is more */
#define POWER_PENDING_MAX 4096   /* operations between two syncs of a file */

/* What is there of the operations that were not synced. */
enum power_kind {
	CUT_SYNCED, /* nothing */
	CUT_ALL,
	CUT_SUBSET,   /* each by itself */
	CUT_LATER,    /* the last one alone, or all but one */
	CUT_REVERSED, /* all, the earlier over the later */
	CUT_HEAD,     /* of one its first sectors */
	CUT_TAIL,     /* its last ones */
	CUT_HOLE,     /* all of it but a sector */
	CUT_SECTORS,  /* each sector by itself */
	CUT_LENGTH,   /* nothing but the length */
	CUT_BYTES,    /* all but the length */
	CUT_KINDS
};

static const char *const power_kinds[CUT_KINDS] = {"what was synced",
    "all of it", "a subset", "later without earlier", "reversed",
    "torn: its head", "torn: its tail", "torn: a hole", "sectors",
    "length without bytes", "bytes without length"};

struct power_bytes {
	size_t len, top; /* bytes were written up to top */
	uint8_t *p;      /* POWER_FILE_MAX */
};

/* The disk as far as it was synced, before operation `at`. */
struct power_disk {
	size_t at;
	struct power_bytes inode[POWER_INODES];
	size_t from[POWER_INODES]; /* the first operation that may not last */
	int bound[NAME_N];
	size_t folder_from;
};

/* The files as they lie there; those that are. */
struct power_image {
	bool is_there[NAME_N];
	struct power_bytes file[NAME_N];
};

static void
power_bytes_need(struct power_bytes *b)
{
	if (b->p == NULL)
		b->p = calloc(1, POWER_FILE_MAX);
	if (b->p == NULL)
		abort();
}

static size_t
size_max(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* ---- what lasts ---- */

/* A gap is of zeros; what was cut off still lies there. */
static void
power_do(struct power_bytes *b, const struct power_op *op)
{
	power_bytes_need(b);
	if (op->kind == OP_CUT) {
		if (op->at > b->len)
			memset(b->p + b->len, 0, op->at - b->len);
		b->len = op->at;
	} else if (op->kind == OP_WRITE) {
		if (op->at + op->len > POWER_FILE_MAX)
			abort();
		if (op->at > b->len)
			memset(b->p + b->len, 0, op->at - b->len);
		memcpy(b->p + op->at, op->bytes, op->len);
		b->len = size_max(b->len, op->at + op->len);
	}
	b->top = size_max(b->top, b->len);
}

static void
power_bind(int *bound, const struct power_op *op)
{
	if (op->kind == OP_MAKE)
		bound[op->name] = op->inode;
	else if (op->kind == OP_GONE)
		bound[op->name] = -1;
}

/* Go on to just before an operation. */
static void
power_disk_advance(struct power_disk *d, size_t to)
{
	for (; d->at < to; d->at++) {
		const struct power_op *op = &power_log.op[d->at];
		int i = op->inode;

		if (op->kind == OP_FOLDER) {
			for (; d->folder_from < d->at; d->folder_from++)
				power_bind(d->bound,
				    &power_log.op[d->folder_from]);
		} else if (op->kind == OP_SYNC) {
			for (; d->from[i] < d->at; d->from[i]++) {
				op = &power_log.op[d->from[i]];
				if (op->inode == i && op->kind <= OP_CUT)
					power_do(&d->inode[i], op);
			}
		}
	}
}

static void
power_disk_begin(struct power_disk *d, const struct power_image *base)
{
	memset(d, 0, sizeof(*d));
	for (int i = 0; i < NAME_N; i++) {
		d->bound[i] = base->is_there[i] ? i : -1;
		if (!base->is_there[i])
			continue;
		power_bytes_need(&d->inode[i]);
		d->inode[i].len = d->inode[i].top = base->file[i].len;
		memcpy(d->inode[i].p, base->file[i].p, base->file[i].len);
	}
}

static void
power_disk_end(struct power_disk *d)
{
	for (int i = 0; i < POWER_INODES; i++)
		free(d->inode[i].p);
	memset(d, 0, sizeof(*d));
}

/* ---- what may last ---- */

enum power_keep {
	KEEP_NO,
	KEEP_ALL,
	KEEP_HEAD,
	KEEP_TAIL,
	KEEP_HOLE,
	KEEP_SOME
};

struct power_pending {
	size_t n;
	const struct power_op *op[POWER_PENDING_MAX];
	enum power_keep keep[POWER_PENDING_MAX];
	bool has_cut, is_reversed;
};

static void
power_pending(const struct power_disk *d, int inode, struct power_pending *p)
{
	p->n = 0;
	p->has_cut = p->is_reversed = false;
	for (size_t i = d->from[inode]; i < d->at; i++) {
		const struct power_op *op = &power_log.op[i];

		if (op->inode != inode || op->kind > OP_CUT)
			continue;
		if (p->n == POWER_PENDING_MAX)
			abort();
		p->has_cut |= op->kind == OP_CUT;
		p->op[p->n++] = op;
	}
}

static void
power_keep_all(struct power_pending *p, enum power_keep keep)
{
	for (size_t i = 0; i < p->n; i++)
		p->keep[i] = keep;
}

/* The last one or any; what came after it is there or not. */
static void
power_tear(struct power_pending *p, enum power_keep how)
{
	size_t victim = below(2) == 0 ? p->n - 1 : below(p->n);
	enum power_keep after = below(2) == 0 ? KEEP_NO : KEEP_ALL;

	/* one of several sectors, if there is such */
	for (int i = 0; i < 8 && p->op[victim]->len <= POWER_SECTOR; i++)
		victim = below(p->n);
	for (size_t i = 0; i < p->n; i++)
		p->keep[i] = i < victim ? KEEP_ALL : i == victim ? how : after;
}

static void
power_choose(struct power_pending *p, enum power_kind kind)
{
	switch (kind) {
	case CUT_SYNCED:
	case CUT_LENGTH:
		power_keep_all(p, KEEP_NO);
		break;
	case CUT_ALL:
	case CUT_REVERSED:
	case CUT_BYTES:
		power_keep_all(p, KEEP_ALL);
		p->is_reversed = kind == CUT_REVERSED;
		break;
	case CUT_SUBSET:
		for (size_t i = 0; i < p->n; i++)
			p->keep[i] = below(2) == 0 ? KEEP_NO : KEEP_ALL;
		break;
	case CUT_LATER:
		if (below(2) == 0) {
			power_keep_all(p, KEEP_NO);
			p->keep[p->n - 1] = KEEP_ALL;
		} else {
			power_keep_all(p, KEEP_ALL);
			p->keep[below(p->n)] = KEEP_NO;
		}
		break;
	case CUT_HEAD:
		power_tear(p, KEEP_HEAD);
		break;
	case CUT_TAIL:
		power_tear(p, KEEP_TAIL);
		break;
	case CUT_HOLE:
		power_tear(p, KEEP_HOLE);
		break;
	case CUT_SECTORS:
		power_keep_all(p, KEEP_SOME);
		break;
	case CUT_KINDS:
		break;
	}
}

/* Sectors are those of the file. */
static void
power_do_part(struct power_bytes *b, const struct power_op *op,
    enum power_keep keep)
{
	size_t first = op->at / POWER_SECTOR, end = op->at + op->len;
	size_t n = (end - 1) / POWER_SECTOR - first + 1;
	size_t edge = below(n), hole = n > 2 ? 1 + below(n - 2) : edge;

	for (size_t i = 0; i < n; i++) {
		size_t from = size_max((first + i) * POWER_SECTOR, op->at);
		size_t to = (first + i + 1) * POWER_SECTOR;
		bool is_kept = keep == KEEP_ALL;

		to = to < end ? to : end;
		is_kept |= keep == KEEP_HEAD && i < edge;
		is_kept |= keep == KEEP_TAIL && i > edge;
		is_kept |= keep == KEEP_HOLE && i != hole;
		is_kept |= keep == KEEP_SOME && below(2) == 0;
		if (!is_kept)
			continue;
		memcpy(b->p + from, op->bytes + (from - op->at), to - from);
		b->len = size_max(b->len, to);
	}
}

enum power_fill { FILL_ZERO, FILL_OLD, FILL_JUNK };

static void
power_fill(uint8_t *p, size_t n, enum power_fill how)
{
	if (how == FILL_ZERO)
		memset(p, 0, n);
	for (size_t i = 0; i < n && how == FILL_JUNK; i++)
		p[i] = (uint8_t)below(256);
}

/* How long the file would be with all of it, and what it may have to hold. */
static size_t
power_full(const struct power_pending *p, size_t len, size_t *top_out)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct power_op *op = p->op[i];

		len = op->kind == OP_CUT ? op->at
		                         : size_max(len, op->at + op->len);
		*top_out = size_max(*top_out, len);
	}
	return len;
}

/* One file, from what lasts of it and what may. */
static void
power_build(const struct power_disk *d, int inode, enum power_kind kind,
    struct power_bytes *out)
{
	static struct power_pending p;
	static const enum power_fill fills[] = {FILL_ZERO, FILL_ZERO, FILL_OLD,
	    FILL_JUNK};
	const struct power_bytes *was = &d->inode[inode];
	enum power_fill fill = fills[below(4)];
	bool is_pure = kind == CUT_SYNCED || kind == CUT_ALL;
	size_t top = was->top, full;

	power_pending(d, inode, &p);
	full = power_full(&p, was->len, &top);
	if (top > POWER_FILE_MAX)
		abort();
	power_bytes_need(out);
	out->len = was->len;
	if (was->p != NULL)
		memcpy(out->p, was->p, was->top);
	if (p.n == 0)
		return;
	memset(out->p + was->top, 0, top - was->top);
	power_fill(out->p + was->len, top - was->len, fill);
	power_choose(&p, kind);
	for (size_t k = 0; k < p.n; k++) {
		size_t i = p.is_reversed ? p.n - 1 - k : k;
		enum power_keep keep = p.keep[i];

		if (p.op[i]->kind == OP_WRITE && keep != KEEP_NO) {
			power_do_part(out, p.op[i], keep);
		} else if (keep == KEEP_ALL ||
		    (keep != KEEP_NO && below(2) == 0)) {
			out->len = p.op[i]->at;
			power_fill(out->p + out->len, top - out->len, fill);
		}
	}
	if (kind == CUT_LENGTH || (!is_pure && below(4) == 0))
		out->len = size_max(out->len, full);
	else if (kind == CUT_BYTES || (!is_pure && below(4) == 0))
		out->len = p.has_cut ? out->len : was->len;
}

/* One of the disks that there may be; of a file all or nothing may be there
 * whatever is there of another. */
static void
power_image(const struct power_disk *d, enum power_kind kind,
    struct power_image *out)
{
	bool is_pure = kind == CUT_SYNCED || kind == CUT_ALL;
	int bound[NAME_N];
	size_t n = d->at - d->folder_from, upto;

	memcpy(bound, d->bound, sizeof(bound));
	upto = kind == CUT_ALL ? n : kind == CUT_SYNCED ? 0 : below(n + 1);
	for (size_t i = 0; i < upto; i++)
		power_bind(bound, &power_log.op[d->folder_from + i]);
	for (int i = 0; i < NAME_N; i++) {
		enum power_kind k = kind;

		out->is_there[i] = bound[i] >= 0;
		if (!is_pure && below(4) == 0)
			k = below(2) == 0 ? CUT_SYNCED : CUT_ALL;
		if (bound[i] >= 0)
			power_build(d, bound[i], k, &out->file[i]);
	}
}

/* As files of a database that is not open. */
static void
power_image_put(const struct power_image *image, const char *path)
{
	char name[POWER_PATH_MAX + 16];
	FILE *f;

	for (int i = 0; i < NAME_N; i++) {
		const struct power_bytes *b = &image->file[i];

		if (!image->is_there[i])
			continue;
		(void)snprintf(name, sizeof(name), "%s%s", path, power_ends[i]);
		f = fopen(name, "wb");
		if (f == NULL || fwrite(b->p, 1, b->len, f) != b->len ||
		    fclose(f) != 0)
			abort();
	}
}

#endif /* MUSTER_POWER_IMAGE_H */
