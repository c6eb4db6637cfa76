/* SPDX-License-Identifier: MIT */
/*
 * power_vfs.h -- a disk that remembers: what SQLite does to the files of one
 * database, in its order, beside doing it.
 *
 * A file that is made is an inode, and its name an entry of the folder, which
 * lasts when the folder has been synced.  SQLite's own VFS does that with the
 * first sync of a log or journal that it may have made, and where a removal
 * asks for it.  The file that SQLite calls -shm is memory, and not of a disk.
 */
#ifndef MUSTER_POWER_VFS_H
#define MUSTER_POWER_VFS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POWER_OPS_MAX 20000 /* of one life; some 1,500 are usual */
#define POWER_INODES 12     /* each opening makes one, the first three */
#define POWER_PATH_MAX 400

enum power_name { NAME_DB, NAME_WAL, NAME_JOURNAL, NAME_N };

static const char *const power_ends[NAME_N] = {"", "-wal", "-journal"};

enum power_op_kind { OP_WRITE, OP_CUT, OP_SYNC, OP_MAKE, OP_GONE, OP_FOLDER };

struct power_op {
	enum power_op_kind kind;
	int inode;
	enum power_name name; /* of OP_MAKE, OP_GONE */
	size_t at, len;       /* OP_CUT: to the length of at */
	uint8_t *bytes;
};

/* What was done since power_record(). */
static struct {
	char path[POWER_PATH_MAX]; /* empty: nothing is recorded */
	int bound[NAME_N];         /* the inode of a name; -1: none */
	int n_inodes;
	size_t n;
	struct power_op op[POWER_OPS_MAX];
} power_log;

/* Behind the real file of the VFS below, which stays where it is. */
struct power_file {
	const sqlite3_io_methods *real;
	sqlite3_io_methods mine;
	int inode;         /* -1: not recorded */
	bool syncs_folder; /* with its next sync */
};

static sqlite3_vfs power_vfs, *power_real;
static uint64_t power_state; /* of all that is drawn */

static uint32_t
below(size_t n)
{
	power_state = power_state * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)((power_state >> 33) % n);
}

static void
power_note(struct power_op op, const void *bytes)
{
	if (power_log.n == POWER_OPS_MAX)
		abort();
	if (bytes != NULL) {
		op.bytes = malloc(op.len);
		if (op.bytes == NULL)
			abort();
		memcpy(op.bytes, bytes, op.len);
	}
	power_log.op[power_log.n++] = op;
}

static struct power_file *
power_file(sqlite3_file *f)
{
	return (struct power_file *)(void *)((char *)f + power_real->szOsFile);
}

static int
power_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	struct power_file *pf = power_file(f);

	if (pf->inode >= 0)
		power_note((struct power_op){.kind = OP_WRITE,
		               .inode = pf->inode,
		               .at = (size_t)at,
		               .len = (size_t)n},
		    p);
	return pf->real->xWrite(f, p, n, at);
}

static int
power_cut(sqlite3_file *f, sqlite3_int64 len)
{
	struct power_file *pf = power_file(f);

	if (pf->inode >= 0)
		power_note((struct power_op){.kind = OP_CUT,
		               .inode = pf->inode,
		               .at = (size_t)len},
		    NULL);
	return pf->real->xTruncate(f, len);
}

/* Of memory, most times: to sync it in truth is of no use. */
static int
power_sync(sqlite3_file *f, int flags)
{
	struct power_file *pf = power_file(f);

	if (pf->inode < 0)
		return pf->real->xSync(f, flags);
	power_note((struct power_op){.kind = OP_SYNC, .inode = pf->inode},
	    NULL);
	if (pf->syncs_folder)
		power_note((struct power_op){.kind = OP_FOLDER}, NULL);
	pf->syncs_folder = false;
	return SQLITE_OK;
}

/* NAME_N: none of those that are recorded. */
static enum power_name
power_name(const char *path)
{
	size_t len = strlen(power_log.path);
	int i = 0;

	if (path == NULL || len == 0 || strncmp(path, power_log.path, len) != 0)
		return NAME_N;
	while (i < NAME_N && strcmp(path + len, power_ends[i]) != 0)
		i++;
	return (enum power_name)i;
}

static int
power_make(enum power_name name)
{
	int inode = power_log.n_inodes++;

	if (inode >= POWER_INODES)
		abort();
	power_log.bound[name] = inode;
	power_note((struct power_op){.kind = OP_MAKE,
	               .inode = inode,
	               .name = name},
	    NULL);
	return inode;
}

static int
power_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags,
    int *flags_out)
{
	struct power_file *pf = power_file(f);
	enum power_name name = power_name(path);
	int rc = power_real->xOpen(power_real, path, f, flags, flags_out);

	(void)vfs;
	if (rc != SQLITE_OK)
		return rc;
	pf->inode = -1;
	pf->syncs_folder = false;
	if (name != NAME_N) {
		pf->inode = power_log.bound[name];
		pf->syncs_folder =
		    name != NAME_DB && (flags & SQLITE_OPEN_CREATE) != 0;
		if (pf->inode < 0)
			pf->inode = power_make(name);
	}
	pf->real = f->pMethods;
	pf->mine = *f->pMethods;
	pf->mine.iVersion = 2; /* nothing is mapped */
	pf->mine.xWrite = power_write;
	pf->mine.xTruncate = power_cut;
	pf->mine.xSync = power_sync;
	f->pMethods = &pf->mine;
	return SQLITE_OK;
}

static int
power_delete(sqlite3_vfs *vfs, const char *path, int syncs_folder)
{
	enum power_name name = power_name(path);

	(void)vfs;
	if (name != NAME_N && power_log.bound[name] >= 0) {
		power_note((struct power_op){.kind = OP_GONE, .name = name},
		    NULL);
		power_log.bound[name] = -1;
		if (syncs_folder != 0)
			power_note((struct power_op){.kind = OP_FOLDER}, NULL);
	}
	return power_real->xDelete(power_real, path, 0);
}

/* The salts of a log, so that a seed is a run. */
static int
power_random(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	for (int i = 0; i < n; i++)
		out[i] = (char)below(256);
	return n;
}

static void
power_install(void)
{
	power_real = sqlite3_vfs_find(NULL);
	if (power_real == NULL)
		abort();
	power_vfs = *power_real;
	power_vfs.zName = "power";
	power_vfs.szOsFile += (int)sizeof(struct power_file);
	power_vfs.xOpen = power_open;
	power_vfs.xDelete = power_delete;
	power_vfs.xRandomness = power_random;
	if (sqlite3_vfs_register(&power_vfs, 1) != SQLITE_OK)
		abort();
}

/* Nothing open; of the names the inodes 0, 1, 2 are there already. */
static void
power_record(const char *path, const bool *is_there)
{
	(void)snprintf(power_log.path, sizeof(power_log.path), "%s", path);
	power_log.n_inodes = NAME_N;
	for (int i = 0; i < NAME_N; i++)
		power_log.bound[i] = is_there[i] ? i : -1;
	(void)sqlite3_randomness(0, NULL);
	if (!is_there[NAME_DB]) /* the store makes it, before SQLite has it */
		(void)power_make(NAME_DB);
}

static void
power_stop(void)
{
	power_log.path[0] = '\0';
}

static void
power_forget(void)
{
	for (size_t i = 0; i < power_log.n; i++)
		free(power_log.op[i].bytes);
	power_log.n = 0;
}

#endif /* MUSTER_POWER_VFS_H */
