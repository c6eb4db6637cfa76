/* SPDX-License-Identifier: MIT */
/*
 * bad_disk.c -- preloaded into a program: file operations fail, or kill it.
 *
 * The file that MUSTER_BAD_DISK names says which, and may change at any time:
 * one line "OPERATION PART SKIP END", such as "rename .lease 0 28".
 *
 *   OPERATION  rename, unlink, fsync, fdatasync, sync (either), or any
 *   PART       what the path has in it, or with a $ ends in; of a rename, the
 *              new name
 *   SKIP       so many of them pass, counted since the line changed
 *   END        errno of all that follow; 0: the program is killed before it;
 *              -1: it waits until the file says something else; that one
 *              does is told by a file of that name with ".held" behind it;
 *              -2: all are done
 *
 * A fifth word, "once", lets the others pass behind the first that fails.
 * Each that fails, or with -2 is done, adds a byte to the file that
 * MUSTER_BAD_DISK_COUNT names.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HELD (-1)
#define COUNTED (-2)
#define LOOK_US 10000

static char seen[256];
static long n_seen;
static int count_fd = -1;

/* Before a sandbox that would not let it be opened. */
__attribute__((constructor)) static void
begin(void)
{
	const char *name = getenv("MUSTER_BAD_DISK_COUNT");

	if (name != NULL)
		count_fd =
		    open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int
is_meant(const char *path, char *part)
{
	size_t len = strlen(path), n = strlen(part);

	if (n == 0 || part[n - 1] != '$')
		return strstr(path, part) != NULL;
	n--;
	return len >= n && strncmp(path + len - n, part, n) == 0;
}

/* The errno with which the operation ends, 0: it is done, or HELD. */
static int
look(const char *operation, const char *path)
{
	const char *name = getenv("MUSTER_BAD_DISK");
	FILE *f = name == NULL ? NULL : fopen(name, "r");
	char line[256] = "", what[32], part[128], how[8] = "";
	long skip;
	int end, n;

	if (f == NULL)
		return 0;
	n = fgets(line, sizeof(line), f) != NULL;
	(void)fclose(f);
	if (strcmp(line, seen) != 0) {
		(void)strcpy(seen, line);
		n_seen = 0;
	}
	if (n == 0 ||
	    sscanf(line, "%31s %127s %ld %d %7s", what, part, &skip, &end,
	        how) < 4)
		return 0;
	if ((strcmp(what, operation) != 0 && strcmp(what, "any") != 0 &&
	        (strcmp(what, "sync") != 0 ||
	            strstr(operation, "sync") == NULL)) ||
	    !is_meant(path, part) || n_seen++ < skip ||
	    (strcmp(how, "once") == 0 && n_seen > skip + 1))
		return 0;
	if (count_fd >= 0)
		(void)!write(count_fd, "x", 1);
	if (end == COUNTED)
		return 0;
	if (end == 0)
		(void)raise(SIGKILL);
	return end;
}

static void
tell_held(void)
{
	char name[1024];
	FILE *f;

	(void)snprintf(name, sizeof(name), "%s.held",
	    getenv("MUSTER_BAD_DISK"));
	f = fopen(name, "w");
	if (f != NULL)
		(void)fclose(f);
}

static int
ends(const char *operation, const char *path)
{
	int end;

	while ((end = look(operation, path)) == HELD) {
		tell_held();
		(void)usleep(LOOK_US);
	}
	return end;
}

/* Of an open file, by its path. */
static int
sync_fd(const char *operation, int fd)
{
	int (*next)(int) = dlsym(RTLD_NEXT, operation);
	char link[64], path[1024] = "";
	int end;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	(void)!readlink(link, path, sizeof(path) - 1);
	end = ends(operation, path);
	if (end == 0)
		return next(fd);
	errno = end;
	return -1;
}

int
rename(const char *from, const char *to)
{
	int (*next)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
	int end = ends("rename", to);

	if (end == 0)
		return next(from, to);
	errno = end;
	return -1;
}

int
unlink(const char *path)
{
	int (*next)(const char *) = dlsym(RTLD_NEXT, "unlink");
	int end = ends("unlink", path);

	if (end == 0)
		return next(path);
	errno = end;
	return -1;
}

int
fsync(int fd)
{
	return sync_fd("fsync", fd);
}

int
fdatasync(int fd)
{
	return sync_fd("fdatasync", fd);
}
