/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
from_errno(int number)
{
	switch (number) {
	case ENOENT:
	case ENOTDIR:
		return MUSTER_E_NOENT;
	case EACCES:
	case EPERM:
	case EROFS:
		return MUSTER_E_DENIED;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return MUSTER_E_FULL;
	case EEXIST:
		return MUSTER_E_EXIST;
	default:
		return MUSTER_E_IO;
	}
}

static bool
is_own(const struct stat *st)
{
	return (st->st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
	    (st->st_uid == 0 || st->st_uid == geteuid());
}

/* Nobody else's to read, with no bit that means anything more. */
static bool
is_secret(const struct stat *st)
{
	return st->st_uid == geteuid() && (st->st_mode & 07577) == 0400;
}

enum whose { ANYBODYS, OWN, SECRET };

static int
open_file(const char *path, enum whose whose, int *fd_out)
{
	int fd = open(path,
	    O_RDONLY | O_CLOEXEC | O_NONBLOCK |
	        (whose == SECRET ? O_NOFOLLOW : 0));

	if (fd < 0)
		return whose == SECRET && errno == ELOOP ? MUSTER_E_DAMAGED
		                                         : from_errno(errno);
	*fd_out = fd;
	return 0;
}

static int
read_file(const char *path, enum whose whose, uint8_t *buf, size_t cap,
    size_t *len_out)
{
	struct stat st;
	size_t len = 0;
	int fd = -1;
	int err = open_file(path, whose, &fd);

	if (err != 0)
		return err;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		err = MUSTER_E_IO;
		goto out;
	}
	if ((whose == OWN && !is_own(&st)) ||
	    (whose == SECRET && !is_secret(&st))) {
		err = MUSTER_E_DAMAGED;
		goto out;
	}
	if (st.st_size < 0 || (uint64_t)st.st_size > cap) {
		err = MUSTER_E_TOOBIG;
		goto out;
	}
	while (len < cap) {
		ssize_t n = read(fd, buf + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err = from_errno(errno);
			goto out;
		}
		len += (size_t)n;
		/* the size is no promise where it is 0, as under /proc */
		if (n == 0 || (st.st_size > 0 && len == (size_t)st.st_size))
			break;
	}
	*len_out = len;
out:
	close(fd);
	return err;
}

int
file_read(const char *path, uint8_t *buf, size_t cap, size_t *len_out)
{
	return read_file(path, ANYBODYS, buf, cap, len_out);
}

int
file_read_own(const char *path, uint8_t *buf, size_t cap, size_t *len_out)
{
	return read_file(path, OWN, buf, cap, len_out);
}

int
file_read_secret(const char *path, uint8_t *buf, size_t cap, size_t *len_out)
{
	return read_file(path, SECRET, buf, cap, len_out);
}

static int
write_all(int fd, const uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return from_errno(errno);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
sync_folder(const char *path)
{
	char dir[FILE_PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - path);
	int fd, err = 0;

	memcpy(dir, path, len);
	dir[len] = '\0';
	if (slash == NULL || len == 0)
		memcpy(dir, slash == NULL ? "." : "/", 2);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return from_errno(errno);
	if (fsync(fd) != 0)
		err = MUSTER_E_IO;
	close(fd);
	return err;
}

int
file_replace(const char *path, const void *data, size_t len, mode_t mode)
{
	char temp[FILE_PATH_MAX];
	int n =
	    snprintf(temp, sizeof(temp), "%s.new.%ld", path, (long)getpid());
	int fd, err;

	if (n < 0 || (size_t)n >= sizeof(temp))
		return MUSTER_E_TOOBIG;
	(void)unlink(temp);
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return from_errno(errno);
	err = write_all(fd, data, len);
	if (err == 0 && fchmod(fd, mode) != 0)
		err = from_errno(errno);
	if (err == 0 && fsync(fd) != 0)
		err = from_errno(errno);
	if (close(fd) != 0 && err == 0)
		err = from_errno(errno);
	if (err == 0 && rename(temp, path) != 0)
		err = from_errno(errno);
	if (err != 0) {
		(void)unlink(temp);
		return err;
	}
	return sync_folder(path) == 0 ? 0 : MUSTER_E_UNSURE;
}

int
file_publish(const char *temp, const char *path)
{
	int err = link(temp, path) != 0 ? from_errno(errno) : 0;

	(void)unlink(temp);
	if (err != 0)
		return err;
	return sync_folder(path) == 0 ? 0 : MUSTER_E_UNSURE;
}

int
file_remove(const char *path)
{
	if (unlink(path) != 0)
		return errno == ENOENT ? 0 : from_errno(errno);
	return sync_folder(path) == 0 ? 0 : MUSTER_E_UNSURE;
}

int
file_mkdirs(const char *path, mode_t mode)
{
	char part[FILE_PATH_MAX];
	size_t len = strlen(path);
	struct stat st;

	if (len >= sizeof(part))
		return MUSTER_E_TOOBIG;
	/* what is there needs no room and no right */
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	memcpy(part, path, len + 1);
	for (size_t i = 1; i <= len; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		part[i] = '\0';
		if (mkdir(part, mode) != 0 && errno != EEXIST)
			return from_errno(errno);
		if (i < len)
			part[i] = '/';
	}
	return 0;
}

int
file_join(const char *root, const char *path, char *out, size_t cap)
{
	int n = snprintf(out, cap, "%s%s", root == NULL ? "" : root, path);

	if (n < 0 || (size_t)n >= cap)
		return MUSTER_E_TOOBIG;
	return 0;
}
