/* SPDX-License-Identifier: MIT */
/*
 * host_backup.c -- muster host backup: musterd copies, this one writes it down.
 *
 * Until it is whole and synced it has another name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/http.h"

#define NAME_MAX_LEN (FILE_PATH_MAX + 32)

struct copy {
	int fd;
	int error; /* errno of the write that failed */
	unsigned long long len;
};

static bool
take(void *arg, const char *p, size_t len)
{
	struct copy *copy = arg;

	while (len > 0) {
		ssize_t n = write(copy->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			copy->error = errno;
			return false;
		}
		p += n;
		len -= (size_t)n;
		copy->len += (size_t)n;
	}
	return true;
}

static int
err_of(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG
	    ? MUSTER_E_FULL
	    : error == EACCES || error == EPERM || error == EROFS
	    ? MUSTER_E_DENIED
	    : error == ENOENT ? MUSTER_E_NOENT
	                      : MUSTER_E_IO;
}

static int
fetch(const struct cli *c, const char *path, struct copy *copy)
{
	int exit_code = http_stream(c, "/v1/backup", NULL, take, copy);

	if (exit_code != CLI_DONE)
		return exit_code;
	return fsync(copy->fd) == 0 ? CLI_DONE
	                            : cli_fail(c, err_of(errno), path, NULL);
}

int
cmd_host_backup(struct cli *c, int argc, char **argv)
{
	static const int flags =
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	char temp[NAME_MAX_LEN];
	struct copy copy = {.fd = -1};
	const char *path;
	int exit_code, err;

	if (!cli_parse(c, argc, argv, NULL, 1, 1, &exit_code))
		return exit_code;
	path = c->arg[0];
	if (snprintf(temp, sizeof(temp), "%s.new.%ld", path, (long)getpid()) >=
	    FILE_PATH_MAX)
		return cli_fail(c, MUSTER_E_TOOBIG, path, NULL);
	if (access(path, F_OK) == 0)
		return cli_fail(c, MUSTER_E_EXIST, path,
		    "name a file that is not there: no backup is written over");
	/* names and addresses of machines: for nobody else to read */
	copy.fd = open(temp, flags, 0600);
	if (copy.fd < 0)
		return cli_fail(c, err_of(errno), path, NULL);
	exit_code = fetch(c, path, &copy);
	(void)close(copy.fd);
	if (exit_code != CLI_DONE) {
		(void)unlink(temp);
		return exit_code;
	}
	err = file_publish(temp, path);
	if (err != 0)
		return cli_fail(c, err, path, NULL);
	if (c->is_json)
		return cli_facts("muster.host.backup/1",
		    json_pack("{s:s, s:I}", "file", path, "bytes",
		        (json_int_t)copy.len));
	(void)printf("counts and inventory are in %s, %llu bytes; the host's "
	             "key and certificate are not\n",
	    path, copy.len);
	return CLI_DONE;
}
