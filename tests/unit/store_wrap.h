/* SPDX-License-Identifier: MIT */
/*
 * store_wrap.h -- calls of the store into SQLite and the system that fail when
 * they are told to; the linker brings them here (--wrap).
 */
#ifndef MUSTER_STORE_WRAP_H
#define MUSTER_STORE_WRAP_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of the calls; the first are SQLite's. */
enum call {
	C_OPEN_DB,
	C_PREPARE,
	C_STEP,
	C_EXEC,
	C_TEXT,
	C_BLOB,
	C_BACKUP_INIT,
	C_BACKUP_STEP,
	C_CLOSE_DB,
	C_SYSTEM,
	C_OPEN = C_SYSTEM,
	C_LSTAT,
	C_FSTAT,
	C_FCHMOD,
	C_READ,
	C_PREAD,
	C_WRITE,
	C_FSYNC,
	C_RENAME,
	C_CLOSE,
	C_FLOCK,
	C_LSEEK,
	C_STRDUP,
	C_N
};

/* The fault that is armed. */
static struct {
	bool is_on;
	enum call call;
	int after; /* calls of that kind that still go well */
	int code;  /* SQLite's, or an errno */
	bool for_good, acts;
	bool was_hit;
	bool is_said; /* by sqlite3_errcode() */
} fault;

static sqlite3 *left_open[256];
static size_t n_left_open;

static bool
is_failing(enum call call)
{
	if (!fault.is_on || fault.call != call)
		return false;
	if (fault.after > 0) {
		fault.after--;
		return false;
	}
	if (fault.was_hit && !fault.for_good)
		return false;
	fault.was_hit = true;
	fault.is_said = call < C_SYSTEM;
	if (call >= C_SYSTEM)
		errno = fault.code;
	return true;
}

/* clang-format off */
#define SQLITE_CALL(id, name, params, args)                                   \
	int __real_##name params;                                             \
	int __wrap_##name params;                                             \
	int __wrap_##name params                                              \
	{                                                                     \
		if (!is_failing(id))                                          \
			return __real_##name args;                            \
		if (fault.acts)                                               \
			(void)__real_##name args;                             \
		return fault.code;                                            \
	}

SQLITE_CALL(C_OPEN_DB, sqlite3_open_v2,
    (const char *path, sqlite3 **db, int flags, const char *vfs),
    (path, db, flags, vfs))
SQLITE_CALL(C_PREPARE, sqlite3_prepare_v2, (sqlite3 *db, const char *sql,
    int n, sqlite3_stmt **st, const char **tail), (db, sql, n, st, tail))
SQLITE_CALL(C_PREPARE, sqlite3_prepare_v3, (sqlite3 *db, const char *sql,
    int n, unsigned flags, sqlite3_stmt **st, const char **tail),
    (db, sql, n, flags, st, tail))
SQLITE_CALL(C_STEP, sqlite3_step, (sqlite3_stmt *st), (st))
SQLITE_CALL(C_EXEC, sqlite3_exec, (sqlite3 *db, const char *sql,
    int (*fn)(void *, int, char **, char **), void *arg, char **text),
    (db, sql, fn, arg, text))
SQLITE_CALL(C_BACKUP_STEP, sqlite3_backup_step, (sqlite3_backup *b, int n),
    (b, n))

#define SYSTEM_CALL(id, type, bad, name, params, args)                        \
	type __real_##name params;                                            \
	type __wrap_##name params;                                            \
	type __wrap_##name params                                             \
	{                                                                     \
		if (!is_failing(id))                                          \
			return __real_##name args;                            \
		if (fault.acts)                                               \
			(void)!__real_##name args;                            \
		errno = fault.code;                                           \
		return bad;                                                   \
	}

SYSTEM_CALL(C_LSTAT, int, -1, lstat64, (const char *path, struct stat *st),
    (path, st))
SYSTEM_CALL(C_LSTAT, int, -1, lstat, (const char *path, struct stat *st),
    (path, st))
SYSTEM_CALL(C_FSTAT, int, -1, fstat64, (int fd, struct stat *st), (fd, st))
SYSTEM_CALL(C_FSTAT, int, -1, fstat, (int fd, struct stat *st), (fd, st))
SYSTEM_CALL(C_FCHMOD, int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
SYSTEM_CALL(C_READ, ssize_t, -1, read, (int fd, void *p, size_t n), (fd, p, n))
SYSTEM_CALL(C_PREAD, ssize_t, -1, pread64,
    (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
SYSTEM_CALL(C_PREAD, ssize_t, -1, pread,
    (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
SYSTEM_CALL(C_FSYNC, int, -1, fsync, (int fd), (fd))
SYSTEM_CALL(C_RENAME, int, -1, rename, (const char *a, const char *b), (a, b))
SYSTEM_CALL(C_FLOCK, int, -1, flock, (int fd, int op), (fd, op))
SYSTEM_CALL(C_LSEEK, off_t, -1, lseek64, (int fd, off_t at, int from),
    (fd, at, from))
SYSTEM_CALL(C_LSEEK, off_t, -1, lseek, (int fd, off_t at, int from),
    (fd, at, from))
/* clang-format on */

/* Without a code it writes a part, as into a pipe or at a full disk's edge. */
ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);
ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
	if (!is_failing(C_WRITE))
		return __real_write(fd, p, n);
	errno = fault.code;
	return fault.code != 0 ? -1 : __real_write(fd, p, n / 3 + 1);
}

/* A failed close() has closed. */
int __real_close(int fd);
int __wrap_close(int fd);
int
__wrap_close(int fd)
{
	int rc = __real_close(fd);

	if (!is_failing(C_CLOSE))
		return rc;
	return -1;
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

static int
open_or_fail(const char *path, int flags, mode_t mode)
{
	return is_failing(C_OPEN) ? -1 : __real_open64(path, flags, mode);
}

int
__wrap_open64(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode = 0;

	va_start(ap, flags);
	if ((flags & O_CREAT) != 0)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return open_or_fail(path, flags, mode);
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *
__wrap_strdup(const char *text)
{
	return is_failing(C_STRDUP) ? NULL : __real_strdup(text);
}

const unsigned char *__real_sqlite3_column_text(sqlite3_stmt *st, int i);
const unsigned char *__wrap_sqlite3_column_text(sqlite3_stmt *st, int i);
const unsigned char *
__wrap_sqlite3_column_text(sqlite3_stmt *st, int i)
{
	return is_failing(C_TEXT) ? NULL : __real_sqlite3_column_text(st, i);
}

const void *__real_sqlite3_column_blob(sqlite3_stmt *st, int i);
const void *__wrap_sqlite3_column_blob(sqlite3_stmt *st, int i);
const void *
__wrap_sqlite3_column_blob(sqlite3_stmt *st, int i)
{
	return is_failing(C_BLOB) ? NULL : __real_sqlite3_column_blob(st, i);
}

sqlite3_backup *__real_sqlite3_backup_init(sqlite3 *to, const char *to_name,
    sqlite3 *from, const char *from_name);
sqlite3_backup *__wrap_sqlite3_backup_init(sqlite3 *to, const char *to_name,
    sqlite3 *from, const char *from_name);
sqlite3_backup *
__wrap_sqlite3_backup_init(sqlite3 *to, const char *to_name, sqlite3 *from,
    const char *from_name)
{
	return is_failing(C_BACKUP_INIT)
	    ? NULL
	    : __real_sqlite3_backup_init(to, to_name, from, from_name);
}

/* One that could not be closed leaves its log; it is closed at the end. */
int __real_sqlite3_close(sqlite3 *db);
int __wrap_sqlite3_close(sqlite3 *db);
int
__wrap_sqlite3_close(sqlite3 *db)
{
	if (!is_failing(C_CLOSE_DB) || db == NULL || n_left_open == 256)
		return __real_sqlite3_close(db);
	left_open[n_left_open++] = db;
	return SQLITE_BUSY;
}

static int slept_ms;

int __wrap_sqlite3_sleep(int ms);
int
__wrap_sqlite3_sleep(int ms)
{
	slept_ms += ms;
	return ms;
}

int __real_sqlite3_errcode(sqlite3 *db);
int __wrap_sqlite3_errcode(sqlite3 *db);
int
__wrap_sqlite3_errcode(sqlite3 *db)
{
	return fault.is_on && fault.is_said ? fault.code
	                                    : __real_sqlite3_errcode(db);
}

int __real_sqlite3_extended_errcode(sqlite3 *db);
int __wrap_sqlite3_extended_errcode(sqlite3 *db);
int
__wrap_sqlite3_extended_errcode(sqlite3 *db)
{
	return fault.is_on && fault.is_said
	    ? fault.code
	    : __real_sqlite3_extended_errcode(db);
}

int __real_pthread_create(pthread_t *t, const pthread_attr_t *attr,
    void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr,
    void *(*fn)(void *), void *arg);
int
__wrap_pthread_create(pthread_t *t, const pthread_attr_t *attr,
    void *(*fn)(void *), void *arg)
{
	return fault.is_on && fault.call == C_N
	    ? EAGAIN
	    : __real_pthread_create(t, attr, fn, arg);
}

/* The call that fails: the one after so many of its kind; how: 1 for good,
 * 2 once it has been done. */
static void
arm(enum call call, int after, int code, int how)
{
	memset(&fault, 0, sizeof(fault));
	fault.call = call;
	fault.after = after;
	fault.code = code;
	fault.for_good = (how & 1) != 0;
	fault.acts = (how & 2) != 0;
	fault.is_on = true;
}

static void
disarm(void)
{
	fault.is_on = fault.is_said = false;
	while (n_left_open > 0)
		(void)__real_sqlite3_close(left_open[--n_left_open]);
}

#endif /* MUSTER_STORE_WRAP_H */
