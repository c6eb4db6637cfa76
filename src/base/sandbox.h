/* SPDX-License-Identifier: MIT */
/*
 * sandbox.h -- what a service gives up once it has begun: files by Landlock,
 * system calls by seccomp.  An edge, of the services alone; nothing of it is
 * in libmuster.
 *
 *   files   sandbox_files(), before the first thread: Landlock holds for the
 *           caller and the threads that it starts.  What is open stays open.
 *           An open outside of the list fails with EACCES
 *   calls   sandbox_calls(), when all has begun: for all threads.  What a
 *           service needs is allowed; what takes a machine over (execve,
 *           ptrace, mount and the like, `deadly` in tools/calls-filter.c) kills
 *           the process; any other call fails with EPERM, so that a new C library
 *           costs a feature, not the service
 *
 * A kernel without one of them is told in the log; the unit file says the
 * same to systemd.
 * Source: landlock(7), seccomp(2)
 */
#ifndef MUSTER_BASE_SANDBOX_H
#define MUSTER_BASE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#define SANDBOX_FILES_MAX 16

/* What is in force; for who tells it. */
struct sandbox {
	bool has_files; /* Landlock */
	bool has_calls; /* seccomp */
};

struct sandbox_file {
	const char
	    *path; /* a file or a folder; one that is not there is left */
	bool is_writable;
};

/**
 * sandbox_files(): from now on only these, and what every program reads:
 * /usr, /lib, /lib64, /etc, /proc, /sys, /run/systemd/resolve, /dev/null,
 * /dev/urandom; /tmp and /var/tmp to write (the unit has its own).  Folders can be
 * listed anywhere.
 *
 * Returns: true when the kernel holds it; else it was told
 */
bool sandbox_files(const struct sandbox_file *files, size_t n);

/**
 * sandbox_calls(): from now on only the calls of a service.
 *
 * Returns: true when the kernel holds it; else it was told
 */
bool sandbox_calls(void);

#endif /* MUSTER_BASE_SANDBOX_H */
