/* SPDX-License-Identifier: MIT */
/*
 * sqlite_wal.c -- is the write-ahead log one that a crash can leave?
 *
 * SQLite takes the log up to the first frame whose salts or checksum are not
 * right, and leaves the rest out without a word: so it must, for a crash tears
 * the end.  But a commit is synced before the next one begins, so a crash tears
 * the last transaction only.  Where a frame is bad and a whole later
 * transaction begins behind it, answered requests would be lost: damage.
 *
 *   header, 32 bytes: magic, version, page size, checkpoint number, salt (8),
 *                     checksum (8) of the 24 before it
 *   frame: page number, pages after the commit (0: none), salt (8), checksum
 *          (8) of the checksum before it, the frame's first 8 bytes, the page
 *
 * So a frame can be told from its predecessor's header alone, though that one's
 * page is damaged.  A rolled-back transaction leaves frames with these salts
 * as well, but no commit; an older generation has other salts.
 *
 * What is at the very end cannot be told from a torn write: the last
 * transaction is then left out, with a warning where its commit is there.
 * Source: sqlite.org/fileformat2.html, "The Write-Ahead Log".
 */
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define WAL_MAGIC 0x377f0682U /* the last bit: words are big-endian */
#define WAL_VERSION 3007000U
#define WAL_HEAD 32
#define FRAME_HEAD 24
#define SALT_LEN 8
#define PAGE_MIN 512U
#define PAGE_MAX 65536U

struct scan {
	int fd;
	bool is_big_endian;
	uint32_t page_size;
	uint8_t salt[SALT_LEN];
	uint32_t sum[2];   /* stored in the frame before, or in the header */
	bool is_committed; /* the frame before ends a transaction */
	uint64_t n;        /* frames read */
	uint64_t bad;      /* number of the first bad one; 0: none */
	bool is_followed;  /* a later transaction begins behind it */
	bool has_commit;   /* its own transaction's end is there */
	uint8_t *frame;    /* FRAME_HEAD + page_size */
};

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

static uint32_t
word(const struct scan *scan, const uint8_t *p)
{
	uint32_t v = be32(p);

	return scan->is_big_endian ? v : __builtin_bswap32(v);
}

static void
add(const struct scan *scan, const uint8_t *p, size_t len, uint32_t *sum)
{
	for (size_t i = 0; i < len; i += 8) {
		sum[0] += word(scan, p + i) + sum[1];
		sum[1] += word(scan, p + i + 4) + sum[0];
	}
}

static void
look(struct scan *scan)
{
	const uint8_t *f = scan->frame;
	uint32_t sum[2] = {scan->sum[0], scan->sum[1]};
	bool is_ours = memcmp(f + 8, scan->salt, SALT_LEN) == 0;
	bool is_intact;

	add(scan, f, 8, sum);
	add(scan, f + FRAME_HEAD, scan->page_size, sum);
	is_intact = is_ours && be32(f) != 0 && sum[0] == be32(f + 16) &&
	    sum[1] == be32(f + 20);
	scan->n++;
	if (scan->bad != 0 && is_intact && scan->is_committed)
		scan->is_followed = true;
	if (scan->bad == 0 && !is_intact)
		scan->bad = scan->n;
	/* whatever its salts: what is left of an older generation is followed
	 * by nothing intact, and a batch may be one frame */
	scan->is_committed = be32(f + 4) != 0;
	if (scan->bad != 0 && is_ours && scan->is_committed)
		scan->has_commit = true;
	scan->sum[0] = be32(f + 16);
	scan->sum[1] = be32(f + 20);
}

/*
 * A header of 32 bytes lies in one sector: it is there or not, but not torn.
 * So when it is not right and commits stand behind it, it has been damaged.
 */
static bool
read_header(struct scan *scan, const uint8_t *head)
{
	uint32_t sum[2] = {0, 0};

	scan->is_big_endian = (head[3] & 1) != 0;
	scan->page_size = be32(head + 8);
	memcpy(scan->salt, head + 16, SALT_LEN);
	scan->sum[0] = be32(head + 24);
	scan->sum[1] = be32(head + 28);
	add(scan, head, WAL_HEAD - 8, sum);
	return (be32(head) & ~1U) == WAL_MAGIC &&
	    be32(head + 4) == WAL_VERSION && scan->page_size >= PAGE_MIN &&
	    scan->page_size <= PAGE_MAX &&
	    (scan->page_size & (scan->page_size - 1)) == 0 &&
	    sum[0] == scan->sum[0] && sum[1] == scan->sum[1];
}

static int
read_frames(struct scan *scan)
{
	size_t len = FRAME_HEAD + scan->page_size;
	off_t at = WAL_HEAD;

	scan->frame = malloc(len);
	if (scan->frame == NULL)
		return MUSTER_E_NOMEM;
	while (pread(scan->fd, scan->frame, len, at) == (ssize_t)len) {
		look(scan);
		at += (off_t)len;
	}
	free(scan->frame);
	return 0;
}

/* The folder is told with the database. */
static const char *
base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static int
judge(const struct scan *scan, const char *name, struct store_diag *warning,
    struct store_diag *diag)
{
	if (scan->is_followed) {
		sqlite_say(diag,
		    "%.100s: damaged in frame %llu: transactions follow that "
		    "SQLite would leave out; restore a backup",
		    name, (unsigned long long)scan->bad);
		return MUSTER_E_DAMAGED;
	}
	if (scan->has_commit)
		sqlite_say(warning,
		    "%.100s: the last transaction is torn from frame %llu on, "
		    "and is left out",
		    name, (unsigned long long)scan->bad);
	return 0;
}

int
sqlite_wal_check(const char *path, struct store_diag *warning,
    struct store_diag *diag)
{
	char name[FILE_PATH_MAX + 8];
	uint8_t head[WAL_HEAD];
	struct scan scan = {0};
	int err = 0;
	ssize_t n;

	(void)snprintf(name, sizeof(name), "%s-wal", path);
	scan.fd = open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (scan.fd < 0 && errno == ENOENT)
		return 0;
	n = scan.fd < 0 ? -1 : pread(scan.fd, head, sizeof(head), 0);
	if (n < 0) {
		sqlite_say(diag, "%.120s: cannot be read: %s", base_of(name),
		    strerror(errno));
		err = MUSTER_E_IO;
	} else if (n == WAL_HEAD && read_header(&scan, head)) {
		err = read_frames(&scan);
		if (err == 0)
			err = judge(&scan, base_of(name), warning, diag);
	} else if (n == WAL_HEAD && lseek(scan.fd, 0, SEEK_END) > WAL_HEAD) {
		/* else nothing was committed to it yet */
		sqlite_say(diag, "%.120s: damaged header; restore a backup",
		    base_of(name));
		err = MUSTER_E_DAMAGED;
	}
	if (scan.fd >= 0)
		(void)close(scan.fd);
	return err;
}
