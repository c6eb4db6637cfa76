/* SPDX-License-Identifier: MIT */
/*
 * nth_call.c -- preloaded into a program: one file operation fails, or kills
 * it.  MUSTER_NTH_CALL says which: "CALL PATH NTH END", such as
 * "write /var/lib/x/clock.state 2 28".
 *
 *   CALL  openat (where it creates), write, pwrite64, ftruncate, fchmod,
 *         fsync, rename, unlink, link or mkdir, as strace calls them
 *   PATH  what it works on, without what follows a ".new."; of two, the first
 *   NTH   from 1: which of the calls of that name on that path, counted in
 *         the first thread, whatever else the program does in between
 *   END   the errno of that one call; 0: the program is killed before it
 *
 * That it was met is said on standard error: "nth_call: met".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char met[] = "nth_call: met\n";
static long n_seen;

/* 0, or the errno with which the call ends. */
static int
end_of(const char *call, const char *path)
{
	const char *all = getenv("MUSTER_NTH_CALL"), *at;
	char meant_call[16], meant[1024];
	size_t len;
	long nth;
	int end;

	if (all == NULL || syscall(SYS_gettid) != getpid() ||
	    sscanf(all, "%15s %1023s %ld %d", meant_call, meant, &nth, &end) !=
	        4)
		return 0;
	at = strstr(path, ".new.");
	len = at == NULL ? strlen(path) : (size_t)(at - path);
	if (strcmp(call, meant_call) != 0 || strlen(meant) != len ||
	    strncmp(path, meant, len) != 0 || ++n_seen != nth)
		return 0;
	(void)syscall(SYS_write, STDERR_FILENO, met, sizeof(met) - 1);
	if (end == 0)
		(void)raise(SIGKILL);
	return end;
}

static int
end_of_fd(const char *call, int fd)
{
	char link[64], path[1024] = "";

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	(void)!readlink(link, path, sizeof(path) - 1);
	return end_of(call, path);
}

/* The body of one that is like the next of its name, but for that end. */
#define GO_ON(end, name, type, ...)                       \
	do {                                              \
		int err = (end);                          \
		type next = (type)dlsym(RTLD_NEXT, name); \
		if (err == 0)                             \
			return next(__VA_ARGS__);         \
		errno = err;                              \
		return -1;                                \
	} while (0)

typedef int (*on_path)(const char *);
typedef int (*on_paths)(const char *, const char *);
typedef int (*on_path_mode)(const char *, mode_t);
typedef int (*on_open)(const char *, int, ...);
typedef int (*on_fd)(int);
typedef int (*on_fd_mode)(int, mode_t);
typedef int (*on_fd_off)(int, off64_t);
typedef ssize_t (*on_write)(int, const void *, size_t);
typedef ssize_t (*on_pwrite)(int, const void *, size_t, off64_t);

int
open64(const char *path, int flags, ...)
{
	mode_t mode;
	va_list args;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	GO_ON(flags & O_CREAT ? end_of("openat", path) : 0, "open64", on_open,
	    path, flags, mode);
}

ssize_t
write(int fd, const void *buf, size_t n)
{
	GO_ON(end_of_fd("write", fd), "write", on_write, fd, buf, n);
}

ssize_t
pwrite64(int fd, const void *buf, size_t n, off64_t at)
{
	GO_ON(end_of_fd("pwrite64", fd), "pwrite64", on_pwrite, fd, buf, n, at);
}

int
ftruncate64(int fd, off64_t n)
{
	GO_ON(end_of_fd("ftruncate", fd), "ftruncate64", on_fd_off, fd, n);
}

int
fchmod(int fd, mode_t mode)
{
	GO_ON(end_of_fd("fchmod", fd), "fchmod", on_fd_mode, fd, mode);
}

int
fsync(int fd)
{
	GO_ON(end_of_fd("fsync", fd), "fsync", on_fd, fd);
}

int
rename(const char *from, const char *to)
{
	GO_ON(end_of("rename", from), "rename", on_paths, from, to);
}

int
unlink(const char *path)
{
	GO_ON(end_of("unlink", path), "unlink", on_path, path);
}

int
link(const char *from, const char *to)
{
	GO_ON(end_of("link", from), "link", on_paths, from, to);
}

int
mkdir(const char *path, mode_t mode)
{
	GO_ON(end_of("mkdir", path), "mkdir", on_path_mode, path, mode);
}
