/* SPDX-License-Identifier: MIT */
#include <sys/stat.h>
#include <unistd.h>

#include "host/admin_api.h"

/* What became of a copy, for people. */
static int
tell(int err, struct problem *problem)
{
	switch (err) {
	case MUSTER_E_INVAL:
		return problem_set(problem, err, 409, "shared_store",
		    "back it up with the tools of the server, such as pg_dump",
		    "the count of this host is in a PostgreSQL server");
	case MUSTER_E_EXIST:
	case MUSTER_E_AGAIN:
		return problem_set(problem, err, 503, "busy",
		    "try again in a moment",
		    "another backup is being made, or the database is held");
	case MUSTER_E_FULL:
		return problem_set(problem, err, 500, "full",
		    "make room on the disk of /var/lib/muster/host for a copy "
		    "of the database",
		    "no room for the copy");
	default:
		return problem_set(problem, err, 500, "store",
		    "see the log of musterd", "no backup can be made: %s",
		    muster_strerror(err));
	}
}

int
admin_backup(const struct store *store, int *fd_out, uint64_t *len_out,
    struct problem *problem)
{
	struct stat st;
	int fd, err = store_backup(store, &fd);

	if (err != 0)
		return tell(err, problem);
	if (fstat(fd, &st) != 0) {
		close(fd);
		return tell(MUSTER_E_IO, problem);
	}
	*fd_out = fd;
	*len_out = (uint64_t)st.st_size;
	return 0;
}
