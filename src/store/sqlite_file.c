/* SPDX-License-Identifier: MIT */
/*
 * sqlite_file.c -- the database as a file, before SQLite opens it.
 *
 * Another daemon is kept out by flock() on FILE.lock, which ends with its
 * holder; a person with sqlite3(1) may read meanwhile.
 */
#include "store/sqlite.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define HEAD_LEN 100

static const char HEAD_MAGIC[16] = "SQLite format 3";

int
sqlite_file_lock(const char *path, int *fd_out, struct store_diag *diag)
{
	char name[FILE_PATH_MAX];
	int n = snprintf(name, sizeof(name), "%s.lock", path);

	assert(n > 0);
	/* SQLite gives names that begin with a colon meanings of its own */
	if ((size_t)n >= sizeof(name) || path[0] == ':' || path[0] == '\0') {
		sqlite_say(diag, "%.100s: not a usable name for a database",
		    path);
		return MUSTER_E_IO;
	}
	*fd_out = open(name,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (*fd_out < 0) {
		sqlite_say(diag,
		    "%s: %s; is its folder there and ours to write?", name,
		    strerror(errno));
		return MUSTER_E_IO;
	}
	if (flock(*fd_out, LOCK_EX | LOCK_NB) == 0)
		return 0;
	/* any other reason, such as a file system without locks, is the same */
	sqlite_say(diag, "%s: another musterd has it (%s); stop that one first",
	    path, strerror(errno));
	return MUSTER_E_LOCKED;
}

int
sqlite_file_is_gone(const char *path, struct store_diag *diag)
{
	sqlite_say(diag,
	    "%.120s: empty or gone; restore a backup, or start once with "
	    "musterd --new-database to count from nothing",
	    path);
	return MUSTER_E_NOENT;
}

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

static bool
has_beside(const char *path, const char *end)
{
	char name[FILE_PATH_MAX + 16];
	struct stat st;

	(void)snprintf(name, sizeof(name), "%s%s", path, end);
	return lstat(name, &st) == 0 && st.st_size > 0;
}

/*
 * What the header says, before SQLite sees it: another program's database must
 * not be changed, and one without a log is as long as its pages; or it has a
 * journal, by which SQLite takes back what the power tore while the database
 * was made.
 * Source: sqlite.org/fileformat2.html, "The Database Header".
 */
static int
check_header(int fd, const char *path, int64_t size, struct store_diag *diag)
{
	uint8_t head[HEAD_LEN] = {0};
	int64_t page, pages;

	if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    memcmp(head, HEAD_MAGIC, sizeof(HEAD_MAGIC)) != 0)
		return 0; /* SQLite says it better */
	page = head[16] << 8 | head[17];
	page = page == 1 ? 65536 : page;
	pages = be32(head + 28);
	/* 24 and 92: is the number of pages of this version? */
	if (memcmp(head + 24, head + 92, 4) != 0 || pages * page <= size ||
	    has_beside(path, "-wal") || has_beside(path, "-journal"))
		return 0;
	sqlite_say(diag, "%.120s: cut short; restore a backup", path);
	return MUSTER_E_DAMAGED;
}

/* SQLite, too, takes a single byte for nothing. */
static int
check_make(const char *path, enum store_make make, int64_t size,
    struct store_diag *diag)
{
	if (size <= 1 && make == STORE_MAKE_NEVER)
		return sqlite_file_is_gone(path, diag);
	if (size <= 1 || make != STORE_MAKE_ONLY)
		return 0;
	sqlite_say(diag,
	    "%.120s: is there; start without --new-database, or move the "
	    "file away",
	    path);
	return MUSTER_E_EXIST;
}

/* A regular file that is ours and that only we can read; made if need be. */
int
sqlite_file_check(const char *path, enum store_make make,
    struct store_diag *diag)
{
	struct stat st;
	bool is_there = lstat(path, &st) == 0;
	int fd, err = 0;

	if (is_there && !S_ISREG(st.st_mode)) {
		sqlite_say(diag, "%s: not a regular file; move it away", path);
		return MUSTER_E_IO;
	}
	err = check_make(path, make, is_there ? st.st_size : 0, diag);
	if (err != 0)
		return err;
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    0600);
	if (fd < 0) {
		sqlite_say(diag, "%s: cannot be opened or made: %s", path,
		    strerror(errno));
		return MUSTER_E_IO;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    st.st_uid != geteuid() || fchmod(fd, 0600) != 0) {
		sqlite_say(diag,
		    "%s: must be a regular file of the user %lu with mode "
		    "0600; chown it, or start musterd as its owner",
		    path, (unsigned long)geteuid());
		err = MUSTER_E_IO;
	}
	if (err == 0)
		err = check_header(fd, path, st.st_size, diag);
	(void)close(fd);
	return err;
}

/* Does the header look like one of ours?  For SQLite refuses it. */
bool
sqlite_file_was_ours(const char *path)
{
	static const uint8_t id[4] = {0x4d, 0x55, 0x53, 0x54};
	uint8_t head[HEAD_LEN] = {0};
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head));

	if (fd >= 0)
		(void)close(fd);
	return n > 0 &&
	    (memcmp(head + 68, id, sizeof(id)) == 0 ||
	        memcmp(head, HEAD_MAGIC, n < 16 ? (size_t)n : 16) == 0);
}
