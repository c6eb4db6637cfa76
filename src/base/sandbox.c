/* SPDX-License-Identifier: MIT */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "calls_filter.h"

/* Younger than the headers of Debian 12. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define OF_FILES                                                     \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE | \
	    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
#define ALL_1 ((1ULL << 13) - 1) /* of the first version */

static const struct sandbox_file always[] = {
    {"/usr", false},
    {"/lib", false},
    {"/lib64", false},
    {"/etc", false},
    {"/proc", false},
    {"/sys", false},
    {"/run/systemd/resolve", false},
    {"/dev/null", true},
    {"/dev/urandom", false},
    {"/tmp", true},
    {"/var/tmp", true},
};

static bool
missing(const char *what, const char *why)
{
	log_event(LOG_WARN, "sandbox", LOG_FIELDS(LOG_TEXT(PART, what)),
	    "%s is not in force: %s; the service runs without it", what, why);
	return false;
}

/* What this kernel knows: a bit that it does not know is an error. */
static uint64_t
rights(long version)
{
	uint64_t all = ALL_1;

	if (version >= 2)
		all |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= 3)
		all |= LANDLOCK_ACCESS_FS_TRUNCATE;
	return all;
}

/* One that is not there cannot be opened either. */
static bool
allow(int ruleset, const struct sandbox_file *file, uint64_t all)
{
	struct landlock_path_beneath_attr rule = {
	    .parent_fd = open(file->path, O_PATH | O_CLOEXEC)};
	struct stat st;
	bool is_good;

	if (rule.parent_fd < 0)
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR;
	/* nothing is ever executed */
	rule.allowed_access =
	    file->is_writable ? all & ~LANDLOCK_ACCESS_FS_EXECUTE : READ;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= OF_FILES;
	is_good = syscall(SYS_landlock_add_rule, ruleset,
	              LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
	(void)close(rule.parent_fd);
	return is_good;
}

/* Names of files, not what is in them: libuv keeps a descriptor of "/" for the
 * day when none is left, and goes round for ever when it cannot open it. */
static bool
allow_names(int ruleset)
{
	struct landlock_path_beneath_attr rule =
	    {.allowed_access = LANDLOCK_ACCESS_FS_READ_DIR,
	        .parent_fd = open("/", O_PATH | O_CLOEXEC)};
	bool is_good = rule.parent_fd >= 0 &&
	    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
	        &rule, 0) == 0;

	if (rule.parent_fd >= 0)
		(void)close(rule.parent_fd);
	return is_good;
}

bool
sandbox_files(const struct sandbox_file *files, size_t n)
{
	struct landlock_ruleset_attr attr = {0};
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	bool is_good = true;
	int ruleset;

	if (version < 1)
		return missing("Landlock", "the kernel has it not, or off");
	attr.handled_access_fs = rights(version);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr,
	    sizeof(attr.handled_access_fs), 0);
	if (ruleset < 0)
		return missing("Landlock", strerror(errno));
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		is_good &= allow(ruleset, &always[i], attr.handled_access_fs);
	for (size_t i = 0; i < n; i++)
		is_good &= allow(ruleset, &files[i], attr.handled_access_fs);
	is_good = is_good && allow_names(ruleset);
	is_good = is_good && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	if (!is_good)
		(void)missing("Landlock", strerror(errno));
	(void)close(ruleset);
	return is_good;
}

bool
sandbox_calls(void)
{
	/* the kernel writes to none of it */
	const struct sock_fprog filter = {.len = sizeof(calls_filter) /
	        sizeof(calls_filter[0]),
	    .filter = (struct sock_filter *)(uintptr_t)calls_filter};
	long rc;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return missing("seccomp", strerror(errno));
	/* for the threads that are there, too */
	rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_TSYNC, &filter);
	if (rc > 0)
		return missing("seccomp", "a thread has a filter of its own");
	return rc == 0 || missing("seccomp", strerror(errno));
}
