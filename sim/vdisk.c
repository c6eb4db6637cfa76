/* SPDX-License-Identifier: MIT */
#include "sim/vdisk.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/image.h"

#define FILES_MAX 3 /* database, journal of its making, log */
#define NAME "host.db"
#define SHM_FOLDER "/dev/shm"

struct vdisk {
	char folder[VDISK_PATH_MAX], path[VDISK_PATH_MAX + 16];
	struct rng *rng;   /* the world's */
	struct rng random; /* for SQLite */
	int32_t left;    /* operations before it fails; negative: it does not */
	bool fails_sync; /* the next sync does, before it reached anything */
	bool has_failed, is_full, is_lying, is_read_only;
	int32_t reads_left; /* before one fails; negative: none does */
	uint64_t lost;
	struct image image[FILES_MAX];
};

/* SQLite's file, and behind it the one that it stands for. */
struct file {
	sqlite3_file base;
	struct vdisk *disk;
	struct image *image; /* NULL: of no interest */
	sqlite3_file *real;
};

static sqlite3_vfs vfs, *real_vfs;
static struct vdisk *disks[16]; /* those of a world, and some */

static struct file *
file_of(sqlite3_file *f)
{
	return (struct file *)(void *)f;
}

/* ---- operations ---- */

/* False: the disk is gone. */
static bool
works(struct vdisk *d)
{
	if (d->left > 0)
		d->left--;
	else if (d->left == 0)
		d->has_failed = true;
	return !d->has_failed;
}

static int
x_write(sqlite3_file *f, const void *p, int len, sqlite3_int64 at)
{
	struct file *file = file_of(f);

	if (!works(file->disk))
		return SQLITE_IOERR_WRITE;
	if (file->disk->is_read_only)
		return SQLITE_READONLY;
	if (file->disk->is_full)
		return SQLITE_FULL;
	if (file->image != NULL && !image_note(file->image, p, len, at))
		return SQLITE_IOERR_NOMEM;
	return file->real->pMethods->xWrite(file->real, p, len, at);
}

static int
x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	struct file *file = file_of(f);

	if (!works(file->disk))
		return SQLITE_IOERR_TRUNCATE;
	if (file->disk->is_read_only)
		return SQLITE_READONLY;
	if (file->image != NULL &&
	    !image_note(file->image, NULL, IMAGE_CUT, size))
		return SQLITE_IOERR_NOMEM;
	return file->real->pMethods->xTruncate(file->real, size);
}

/* Nothing is synced in truth: the folder is of memory. */
static int
x_sync(sqlite3_file *f, int flags)
{
	struct file *file = file_of(f);
	struct image *m = file->image;

	(void)flags;
	file->disk->has_failed |= file->disk->fails_sync;
	if (!works(file->disk))
		return SQLITE_IOERR_FSYNC;
	if (m == NULL || file->disk->is_lying)
		return SQLITE_OK;
	return image_sync_all(m) ? SQLITE_OK : SQLITE_IOERR_NOMEM;
}

static int
x_read(sqlite3_file *f, void *p, int len, sqlite3_int64 at)
{
	struct vdisk *d = file_of(f)->disk;

	if (d->reads_left >= 0 && d->reads_left-- == 0)
		return SQLITE_IOERR_READ;
	return file_of(f)->real->pMethods->xRead(file_of(f)->real, p, len, at);
}

static int
x_close(sqlite3_file *f)
{
	return file_of(f)->real->pMethods->xClose(file_of(f)->real);
}

static int
x_size(sqlite3_file *f, sqlite3_int64 *out)
{
	return file_of(f)->real->pMethods->xFileSize(file_of(f)->real, out);
}

static int
x_lock(sqlite3_file *f, int how)
{
	return file_of(f)->real->pMethods->xLock(file_of(f)->real, how);
}

static int
x_unlock(sqlite3_file *f, int how)
{
	return file_of(f)->real->pMethods->xUnlock(file_of(f)->real, how);
}

static int
x_reserved(sqlite3_file *f, int *out)
{
	sqlite3_file *r = file_of(f)->real;

	return r->pMethods->xCheckReservedLock(r, out);
}

static int
x_control(sqlite3_file *f, int op, void *arg)
{
	return file_of(f)->real->pMethods->xFileControl(file_of(f)->real, op,
	    arg);
}

static int
x_sector(sqlite3_file *f)
{
	(void)f;
	return IMAGE_SECTOR;
}

/* A write may be torn, and may change nothing beside it. */
static int
x_device(sqlite3_file *f)
{
	(void)f;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int
x_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	sqlite3_file *r = file_of(f)->real;

	return r->pMethods->xShmMap(r, page, size, extend, out);
}

static int
x_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	sqlite3_file *r = file_of(f)->real;

	return r->pMethods->xShmLock(r, offset, n, flags);
}

static void
x_shm_barrier(sqlite3_file *f)
{
	file_of(f)->real->pMethods->xShmBarrier(file_of(f)->real);
}

static int
x_shm_unmap(sqlite3_file *f, int is_removed)
{
	sqlite3_file *r = file_of(f)->real;

	return r->pMethods->xShmUnmap(r, is_removed);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = x_close,
    .xRead = x_read,
    .xWrite = x_write,
    .xTruncate = x_truncate,
    .xSync = x_sync,
    .xFileSize = x_size,
    .xLock = x_lock,
    .xUnlock = x_unlock,
    .xCheckReservedLock = x_reserved,
    .xFileControl = x_control,
    .xSectorSize = x_sector,
    .xDeviceCharacteristics = x_device,
    .xShmMap = x_shm_map,
    .xShmLock = x_shm_lock,
    .xShmBarrier = x_shm_barrier,
    .xShmUnmap = x_shm_unmap,
};

/* ---- files ---- */

static struct vdisk *
disk_of(const char *path)
{
	for (size_t i = 0; path != NULL && i < sizeof(disks) / sizeof(*disks);
	     i++) {
		if (disks[i] != NULL &&
		    strncmp(path, disks[i]->folder, strlen(disks[i]->folder)) ==
		        0)
			return disks[i];
	}
	return NULL;
}

static struct image *
image_of(struct vdisk *d, const char *path)
{
	for (int i = 0; i < FILES_MAX; i++) {
		if (strcmp(d->image[i].path, path) == 0)
			return &d->image[i];
	}
	return NULL;
}

static int
x_open(sqlite3_vfs *v, sqlite3_filename name, sqlite3_file *f, int flags,
    int *flags_out)
{
	struct file *file = file_of(f);
	int code;

	(void)v;
	file->base.pMethods = NULL;
	file->disk = disk_of(name);
	if (file->disk == NULL) /* a temporary one would escape us */
		return SQLITE_CANTOPEN;
	file->image = image_of(file->disk, name);
	file->real = (sqlite3_file *)(void *)(file + 1);
	code = real_vfs->xOpen(real_vfs, name, file->real, flags, flags_out);
	if (code == SQLITE_OK)
		file->base.pMethods = &methods;
	return code;
}

static int
x_delete(sqlite3_vfs *v, const char *path, int sync_folder)
{
	struct vdisk *d = disk_of(path);
	struct image *m = d == NULL ? NULL : image_of(d, path);

	(void)v;
	if (d != NULL && (d->is_read_only || !works(d)))
		return SQLITE_IOERR_DELETE;
	if (m != NULL && !image_note(m, NULL, IMAGE_GONE, 0))
		return SQLITE_IOERR_NOMEM;
	/* an entry of a folder is there at once, but where a disk lies */
	if (m != NULL && !d->is_lying && !image_sync_all(m))
		return SQLITE_IOERR_NOMEM;
	return real_vfs->xDelete(real_vfs, path, sync_folder);
}

static int
x_access(sqlite3_vfs *v, const char *path, int flags, int *out)
{
	(void)v;
	return real_vfs->xAccess(real_vfs, path, flags, out);
}

static int
x_full_name(sqlite3_vfs *v, const char *name, int cap, char *out)
{
	(void)v;
	return real_vfs->xFullPathname(real_vfs, name, cap, out);
}

static int
x_random(sqlite3_vfs *v, int len, char *out)
{
	for (size_t i = 0; i < sizeof(disks) / sizeof(*disks); i++) {
		if (disks[i] == NULL)
			continue;
		rng_fill(&disks[i]->random, (uint8_t *)out, (size_t)len);
		return len;
	}
	(void)v;
	return 0;
}

/* Nobody else holds a lock: there is nothing to wait for. */
static int
x_sleep(sqlite3_vfs *v, int us)
{
	(void)v;
	return us;
}

/* Nothing that is stored depends on it. */
static int
x_time(sqlite3_vfs *v, double *out)
{
	(void)v;
	*out = 2460000.5;
	return SQLITE_OK;
}

static int
register_vfs(void)
{
	if (real_vfs != NULL)
		return 0;
	real_vfs = sqlite3_vfs_find(NULL);
	if (real_vfs == NULL)
		return MUSTER_E_IO;
	vfs = (sqlite3_vfs){.iVersion = 1,
	    .szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile,
	    .mxPathname = real_vfs->mxPathname,
	    .zName = "muster-sim",
	    .xOpen = x_open,
	    .xDelete = x_delete,
	    .xAccess = x_access,
	    .xFullPathname = x_full_name,
	    .xRandomness = x_random,
	    .xSleep = x_sleep,
	    .xCurrentTime = x_time};
	return sqlite3_vfs_register(&vfs, 1) == SQLITE_OK ? 0 : MUSTER_E_IO;
}

/* ---- a disk ---- */

static int
make_folder(struct vdisk *d)
{
	static const char *const ends[FILES_MAX] = {"", "-journal", "-wal"};
	struct stat st;

	(void)snprintf(d->folder, sizeof(d->folder), "%s/muster-sim.XXXXXX",
	    stat(SHM_FOLDER, &st) == 0 ? SHM_FOLDER : "/tmp");
	if (mkdtemp(d->folder) == NULL)
		return MUSTER_E_IO;
	(void)snprintf(d->path, sizeof(d->path), "%s/" NAME, d->folder);
	for (int i = 0; i < FILES_MAX; i++)
		(void)snprintf(d->image[i].path, sizeof(d->image[i].path),
		    "%s/" NAME "%s", d->folder, ends[i]);
	return 0;
}

int
vdisk_new(struct rng *rng, struct vdisk **disk_out)
{
	struct vdisk *d = calloc(1, sizeof(*d));
	size_t i = 0;
	int err = d == NULL ? MUSTER_E_NOMEM : register_vfs();

	if (err == 0)
		err = make_folder(d);
	while (i < sizeof(disks) / sizeof(*disks) && disks[i] != NULL)
		i++;
	if (err == 0 && i == sizeof(disks) / sizeof(*disks))
		err = MUSTER_E_IO;
	if (err != 0) {
		free(d);
		return err;
	}
	d->rng = rng;
	d->random.state = rng_u64(rng);
	sqlite3_randomness(0, NULL); /* it draws anew: a seed is a run */
	d->left = d->reads_left = -1;
	disks[i] = d;
	*disk_out = d;
	return 0;
}

void
vdisk_free(struct vdisk *d)
{
	static const char *const ends[] = {"", "-journal", "-wal", "-shm",
	    ".lock"};
	char path[VDISK_PATH_MAX + 32];

	if (d == NULL)
		return;
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", d->path, ends[i]);
		(void)unlink(path);
	}
	(void)rmdir(d->folder);
	for (size_t i = 0; i < sizeof(disks) / sizeof(*disks); i++) {
		if (disks[i] == d)
			disks[i] = NULL;
	}
	for (int i = 0; i < FILES_MAX; i++) {
		image_free(&d->image[i]);
	}
	free(d);
}

const char *
vdisk_path(const struct vdisk *d)
{
	return d->path;
}

void
vdisk_fail_after(struct vdisk *d, int32_t n)
{
	d->left = n;
	d->fails_sync = false;
}

void
vdisk_fail_sync(struct vdisk *d)
{
	d->fails_sync = true;
}

bool
vdisk_has_failed(const struct vdisk *d)
{
	return d->has_failed;
}

void
vdisk_fill(struct vdisk *d, bool is_full)
{
	d->is_full = is_full;
}

void
vdisk_be_read_only(struct vdisk *d, bool is_read_only)
{
	d->is_read_only = is_read_only;
}

void
vdisk_fail_read(struct vdisk *d, int32_t n)
{
	d->reads_left = n;
}

uint64_t
vdisk_lost(const struct vdisk *d)
{
	return d->lost;
}

int
vdisk_power(struct vdisk *d, bool is_lost)
{
	int err = 0;

	d->left = -1;
	d->has_failed = d->is_full = d->fails_sync = false;
	for (int i = 0; i < FILES_MAX && err == 0 && is_lost; i++) {
		if (!image_lose(&d->image[i], d->is_lying ? NULL : d->rng,
		        &d->lost))
			err = MUSTER_E_NOMEM;
		else
			err = image_put_back(&d->image[i]);
	}
	d->is_lying &= !is_lost;
	return err;
}

int
vdisk_lie(struct vdisk *d, bool is_lying)
{
	d->is_lying = is_lying;
	for (int i = 0; i < FILES_MAX && !is_lying; i++) {
		if (!image_sync_all(&d->image[i]))
			return MUSTER_E_NOMEM;
	}
	return 0;
}

int
vdisk_save(struct vdisk *d)
{
	int err = 0;

	for (int i = 0; i < FILES_MAX && err == 0; i++)
		err = image_save(&d->image[i]);
	return err;
}

int
vdisk_restore(struct vdisk *d)
{
	int err = 0;

	for (int i = 0; i < FILES_MAX && err == 0; i++)
		err = image_restore(&d->image[i]);
	d->is_lying = false;
	return err;
}
