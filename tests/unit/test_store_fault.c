/* SPDX-License-Identifier: MIT */
/*
 * What is not a database of ours, and disks that fail at every single write.
 *
 * The faults are made in a VFS of SQLite between it and the system's.
 */
#include "store_kit.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct kit_image image_a, image_b, image_c;

/* ---- the failing disk ---- */

struct fault_file {
	sqlite3_file base;
	sqlite3_file *real;
};

static sqlite3_vfs fault_vfs, *real_vfs;
static sqlite3_io_methods fault_io;
static int fault_after = -1; /* writes and syncs that still go well */
static int fault_code;
static bool fault_hit;

static sqlite3_file *
real(sqlite3_file *f)
{
	return ((struct fault_file *)(void *)f)->real;
}

static bool
is_failing(void)
{
	if (fault_after < 0)
		return false;
	if (fault_after > 0) {
		fault_after--;
		return false;
	}
	fault_hit = true;
	return true;
}

static int
f_close(sqlite3_file *f)
{
	return real(f)->pMethods->xClose(real(f));
}

static int
f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	return real(f)->pMethods->xRead(real(f), p, n, at);
}

static int
f_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	if (!is_failing())
		return real(f)->pMethods->xWrite(real(f), p, n, at);
	/* torn: half of it has reached the disk */
	(void)real(f)->pMethods->xWrite(real(f), p, n / 2, at);
	return fault_code == SQLITE_IOERR_FSYNC ? SQLITE_IOERR_WRITE
	                                        : fault_code;
}

static int
f_truncate(sqlite3_file *f, sqlite3_int64 n)
{
	return real(f)->pMethods->xTruncate(real(f), n);
}

static int
f_sync(sqlite3_file *f, int flags)
{
	if (is_failing())
		return fault_code == SQLITE_FULL ? SQLITE_FULL
		                                 : SQLITE_IOERR_FSYNC;
	return real(f)->pMethods->xSync(real(f), flags);
}

static int
f_size(sqlite3_file *f, sqlite3_int64 *n)
{
	return real(f)->pMethods->xFileSize(real(f), n);
}

static int
f_lock(sqlite3_file *f, int level)
{
	return real(f)->pMethods->xLock(real(f), level);
}

static int
f_unlock(sqlite3_file *f, int level)
{
	return real(f)->pMethods->xUnlock(real(f), level);
}

static int
f_reserved(sqlite3_file *f, int *out)
{
	return real(f)->pMethods->xCheckReservedLock(real(f), out);
}

static int
f_control(sqlite3_file *f, int op, void *arg)
{
	return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int
f_sector(sqlite3_file *f)
{
	return real(f)->pMethods->xSectorSize(real(f));
}

static int
f_device(sqlite3_file *f)
{
	return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int
f_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}

static int
f_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}

static void
f_shm_barrier(sqlite3_file *f)
{
	real(f)->pMethods->xShmBarrier(real(f));
}

static int
f_shm_unmap(sqlite3_file *f, int is_delete)
{
	return real(f)->pMethods->xShmUnmap(real(f), is_delete);
}

static int
f_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	struct fault_file *ff = (struct fault_file *)(void *)f;
	int rc;

	(void)vfs;
	ff->real = (sqlite3_file *)(void *)(ff + 1);
	rc = real_vfs->xOpen(real_vfs, name, ff->real, flags, out);
	f->pMethods = rc == SQLITE_OK ? &fault_io : NULL;
	return rc;
}

static void
fault_install(void)
{
	real_vfs = sqlite3_vfs_find(NULL);
	fault_vfs = *real_vfs;
	fault_vfs.zName = "fault";
	fault_vfs.szOsFile += (int)sizeof(struct fault_file);
	fault_vfs.xOpen = f_open;
	fault_io = (sqlite3_io_methods){
	    .iVersion = 2,
	    .xClose = f_close,
	    .xRead = f_read,
	    .xWrite = f_write,
	    .xTruncate = f_truncate,
	    .xSync = f_sync,
	    .xFileSize = f_size,
	    .xLock = f_lock,
	    .xUnlock = f_unlock,
	    .xCheckReservedLock = f_reserved,
	    .xFileControl = f_control,
	    .xSectorSize = f_sector,
	    .xDeviceCharacteristics = f_device,
	    .xShmMap = f_shm_map,
	    .xShmLock = f_shm_lock,
	    .xShmBarrier = f_shm_barrier,
	    .xShmUnmap = f_shm_unmap,
	};
	(void)sqlite3_vfs_register(&fault_vfs, 1);
}

static void
fault_set(int after, int code)
{
	fault_after = after;
	fault_code = code;
	fault_hit = false;
}

/* The same history each time, so that stores can be compared. */
static void
next_batch(struct turn_item *items, size_t n)
{
	kit_nonce = 1000000;
	for (size_t i = 0; i < n; i++)
		items[i] = kit_item(0, 1 + i % 2, (uint32_t)(3000 + i), 6, T0);
}

/* A batch whose k-th write fails; false when it needs fewer. */
static bool
fail_batch(int k, int code, uint32_t n_before, unsigned *bad)
{
	const char *path = kit_path("fault.db");
	struct turn_item items[8], again[8];
	struct store *s;
	bool was_hit;
	int err;

	kit_forget(path);
	s = kit_open(path);
	kit_history(s, n_before);
	next_batch(items, 8);
	memcpy(again, items, sizeof(items));
	fault_set(k, code);
	err = store_batch(s, items, 8, T0);
	was_hit = fault_hit;
	fault_set(-1, 0);
	if (err == MUSTER_E_FULL) {
		*bad += code != SQLITE_FULL;
		*bad += kit_image(s, T0, &image_a) != 0;
		*bad += !kit_same(&image_a, &image_b);
		memcpy(items, again, sizeof(items));
		*bad += store_batch(s, items, 8, T0) != 0;
		*bad += items[7].grant.count == 0;
		err = 0;
	}
	if (err == 0) {
		*bad += kit_image(s, T0, &image_a) != 0;
		*bad += !kit_same(&image_a, &image_c);
	} else {
		*bad += err != MUSTER_E_UNSURE || code == SQLITE_FULL;
		*bad += store_batch(s, again, 8, T0) != err;
		*bad += store_idle(s, T0) != err;
		*bad += store_last_diag(s)->text[0] == '\0';
	}
	store_close(s);
	s = kit_open(path);
	*bad += s == NULL || kit_image(s, T0, &image_a) != 0;
	if (err == 0 || image_a.n_clients != image_b.n_clients)
		*bad += !kit_same(&image_a, &image_c);
	else
		*bad += !kit_same(&image_a, &image_b);
	store_close(s);
	if (*bad > 0)
		printf("# write %d, code %d: %s\n", k, code,
		    muster_errname(err));
	return was_hit;
}

static void
test_b4_a_failing_disk_loses_nothing(uint32_t n_before, int stride)
{
	static const int codes[] = {SQLITE_FULL, SQLITE_IOERR_WRITE,
	    SQLITE_IOERR_FSYNC};
	struct store *model = kit_open(NULL);
	struct turn_item items[8];
	unsigned bad = 0;
	int n = 0;

	/* b: before the batch; c: after it */
	kit_history(model, n_before);
	(void)kit_image(model, T0, &image_b);
	next_batch(items, 8);
	is(store_batch(model, items, 8, T0), 0);
	(void)kit_image(model, T0, &image_c);
	for (size_t c = 0; c < 3; c++) {
		for (int k = 0; bad == 0; k += stride, n++) {
			if (!fail_batch(k, codes[c], n_before, &bad))
				break;
		}
	}
	is(bad, 0);
	ok(n >= 9);
	printf("# %d failures\n", n);
	store_close(model);
}

/* The merge may fail at any write as well, and readers see no difference. */
static void
test_store_a_failed_merge_loses_nothing(void)
{
	const char *path = kit_path("merge.db");
	unsigned bad = 0;
	int n = 0;

	for (int full = 0; full < 2; full++) {
		bool was_hit = true;

		for (int k = 0; was_hit && bad == 0; k += 3, n++) {
			struct store *s;
			int err;

			kit_forget(path);
			s = kit_open(path);
			kit_history(s, 600);
			bad += kit_image(s, T0, &image_b) != 0;
			fault_set(k, full ? SQLITE_FULL : SQLITE_IOERR_WRITE);
			err = store_idle(s, T0);
			was_hit = fault_hit;
			/* the disk stays full or broken while it closes */
			if (err == MUSTER_E_FULL) {
				fault_set(-1, 0);
				bad += kit_image(s, T0, &image_a) != 0 ||
				    !kit_same(&image_a, &image_b);
				fault_set(0, SQLITE_FULL);
			}
			store_close(s);
			fault_set(-1, 0);
			s = kit_open(path);
			bad += s == NULL || kit_image(s, T0, &image_a) != 0 ||
			    !kit_same(&image_a, &image_b);
			store_close(s);
		}
	}
	is(bad, 0);
	ok(n > 10);
}

/* ---- processes that end ---- */

static void
child_writes(const char *path, int fd, bool is_limited)
{
	struct store *s = kit_open(path);
	uint32_t who = 1;
	int err = 0;

	if (is_limited) {
		const struct rlimit limit = {300000, 300000};

		(void)signal(SIGXFSZ, SIG_IGN);
		(void)setrlimit(RLIMIT_FSIZE, &limit);
	}
	/* what a limited file holds is reached long before */
	while (err == 0 && s != NULL && (!is_limited || who < 20000)) {
		struct turn_item it = kit_item(0, 1, who, 50, T0);

		err = store_batch(s, &it, 1, T0);
		if (err == 0 && write(fd, &who, sizeof(who)) < 0)
			break;
		who++;
	}
	/* at its limit a file fails as a broken disk does, for good */
	if (s != NULL && store_batch(s, &(struct turn_item){0}, 1, T0) == err &&
	    err == MUSTER_E_UNSURE)
		_exit(0);
	_exit(1);
}

/* Every answered request is there, whichever way the writer ended; one that
 * is not limited is killed when it has answered so many. */
static void
child_ends(const char *name, bool is_limited, uint32_t n_answers)
{
	const char *path = kit_path(name);
	struct store *s;
	uint32_t who, last = 0;
	int fds[2], status = 0;
	pid_t pid;

	kit_forget(path); /* one run a file: counts start at one */
	if (pipe(fds) != 0)
		abort();
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)close(fds[0]);
		child_writes(path, fds[1], is_limited);
	}
	(void)close(fds[1]);
	while (read(fds[0], &who, sizeof(who)) == (ssize_t)sizeof(who)) {
		last = who;
		if (!is_limited && who == n_answers)
			(void)kill(pid, SIGKILL);
	}
	(void)close(fds[0]);
	(void)waitpid(pid, &status, 0);
	if (is_limited)
		is(status, 0);
	s = kit_open(path);
	ok(s != NULL && last >= n_answers);
	is(kit_image(s, T0, &image_a), 0);
	/* one more may have been written and not answered */
	ok(image_a.n_clients == last || image_a.n_clients == last + 1);
	is(image_a.cached[0][0].cmid[0], image_a.n_clients % 256);
	store_close(s);
}

int
main(void)
{
	kit_dir_make();
	for (uint32_t i = 0; i < 4; i++)
		child_ends("kill.db", false, 1 + 37 * i);
	child_ends("limit.db", true, 1);
	fault_install();
	test_b4_a_failing_disk_loses_nothing(40, 1);
	test_b4_a_failing_disk_loses_nothing(4090, 97);
	test_store_a_failed_merge_loses_nothing();
	kit_dir_remove();
	return tap_done();
}
