/* SPDX-License-Identifier: MIT */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

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

static const char *const allowed[] = {"accept", "accept4", "access", "bind",
    "brk", "chmod", "clock_getres", "clock_gettime", "clock_nanosleep", "close",
    "connect", "dup", "dup2", "dup3", "epoll_create1", "epoll_ctl",
    "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd2", "exit",
    "exit_group", "faccessat", "faccessat2", "fadvise64", "fallocate", "fchmod",
    "fchmodat", "fchown", "fcntl", "fdatasync", "flock", "fstat", "fstatfs",
    "fsync", "ftruncate", "futex", "getcwd", "getdents64", "getegid", "geteuid",
    "getgid", "getgroups", "getpeername", "getpid", "getrandom", "getrlimit",
    "getrusage", "getsockname", "getsockopt", "gettid", "gettimeofday",
    "getuid", "ioctl", "kill", "link", "linkat", "listen", "lseek", "lstat",
    "madvise", "membarrier", "memfd_create", "mkdir", "mkdirat", "mlock",
    "mlock2", "mmap", "mprotect", "mremap", "munlock", "munmap", "nanosleep",
    "newfstatat", "open", "openat", "pipe2", "poll", "ppoll", "pread64",
    "preadv", "prlimit64", "pselect6", "pwrite64", "pwritev", "read",
    "readlink", "readlinkat", "readv", "recvfrom", "recvmmsg", "recvmsg",
    "rename", "renameat", "renameat2", "restart_syscall", "rmdir", "rseq",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait",
    "sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_yield",
    "select", "sendfile", "sendmmsg", "sendmsg", "sendto", "set_robust_list",
    "setsockopt", "shutdown", "sigaltstack", "stat", "statfs", "statx",
    "sysinfo", "tgkill", "time", "timerfd_create", "timerfd_settime", "umask",
    "uname", "unlink", "unlinkat", "utimensat", "write", "writev"};

static const char *const deadly[] = {"add_key", "bpf", "chroot",
    "delete_module", "execve", "execveat", "finit_module", "fsopen",
    "init_module", "io_uring_setup", "kexec_file_load", "kexec_load", "keyctl",
    "mount", "mount_setattr", "move_mount", "name_to_handle_at",
    "open_by_handle_at", "open_tree", "perf_event_open", "personality",
    "pidfd_getfd", "pivot_root", "process_vm_readv", "process_vm_writev",
    "ptrace", "reboot", "request_key", "setgid", "setgroups", "setns",
    "setresgid", "setresuid", "setuid", "swapoff", "swapon", "umount2",
    "unshare", "userfaultfd"};

static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

/* A call that this architecture or library does not know is none.  One that
 * lacks in the list for want of memory would be a service that fails later. */
static int
add(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		int call = seccomp_syscall_resolve_name(names[i]);

		if (call != __NR_SCMP_ERROR)
			rc = seccomp_rule_add(filter, action, call, 0);
	}
	return rc;
}

/* Threads, but no processes; clone3 hides its flags behind a pointer, and the
 * C library asks for clone where there is none. */
static int
add_narrow(scmp_filter_ctx filter)
{
	int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));

	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS),
		    SCMP_SYS(clone3), 0);
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl),
		    1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		struct scmp_arg_cmp is_family =
		    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]);

		if (rc == 0)
			rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
			    SCMP_SYS(socket), 1, is_family);
		if (rc == 0)
			rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
			    SCMP_SYS(socketpair), 1, is_family);
	}
	return rc;
}

bool
sandbox_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (filter == NULL)
		return missing("seccomp", "out of memory");
	/* for the threads that are there, too */
	rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (rc == 0)
		rc = add(filter, SCMP_ACT_ALLOW, allowed,
		    sizeof(allowed) / sizeof(allowed[0]));
	if (rc == 0)
		rc = add(filter, SCMP_ACT_KILL_PROCESS, deadly,
		    sizeof(deadly) / sizeof(deadly[0]));
	if (rc == 0)
		rc = add_narrow(filter);
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc == 0 || missing("seccomp", strerror(-rc));
}
