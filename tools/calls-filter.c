/* SPDX-License-Identifier: MIT */
/*
 * calls-filter.c -- which system calls a service may use, as a filter for the
 * kernel, in C: run while Muster is built, see src/base/sandbox.h.  So no
 * service builds it at its start, where memory may be missing.
 *
 * usage: calls-filter [ARCHITECTURE] >calls_filter.h
 *   ARCHITECTURE  as libseccomp names it, of this machine's order of bytes;
 *                 this machine's own where none is named
 * Exit codes: 0; 1: a message says what is wrong
 */
#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

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

/* A call that this architecture or library does not know is none. */
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

/* This machine may be another than the one built for. */
static int
choose(scmp_filter_ctx filter, const char *name)
{
	uint32_t arch = seccomp_arch_resolve_name(name);
	int rc;

	if (arch == 0)
		return -EINVAL;
	if (arch == seccomp_arch_native())
		return 0;
	rc = seccomp_arch_add(filter, arch);
	return rc == 0 ? seccomp_arch_remove(filter, SCMP_ARCH_NATIVE) : rc;
}

/* The instructions, by way of a file: the library writes to no memory. */
static int
print(scmp_filter_ctx filter)
{
	struct sock_filter one;
	FILE *f = tmpfile();
	size_t n = 0;
	int rc;

	if (f == NULL)
		return -errno;
	rc = seccomp_export_bpf(filter, fileno(f));
	rewind(f);
	(void)printf("/* made by calls-filter.c */\n"
	             "static const struct sock_filter calls_filter[] = {\n");
	for (; rc == 0 && fread(&one, sizeof(one), 1, f) == 1; n++)
		(void)printf("    {0x%x, %u, %u, 0x%x},\n", one.code, one.jt,
		    one.jf, one.k);
	(void)printf("};\n");
	if (rc == 0 && (ferror(f) || n == 0))
		rc = -EIO;
	(void)fclose(f);
	if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout) != 0))
		rc = -EIO;
	return rc;
}

int
main(int argc, char **argv)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = -ENOMEM;

	if (argc > 2)
		rc = -EINVAL;
	else if (filter != NULL)
		rc = argc == 2 ? choose(filter, argv[1]) : 0;
	if (rc == 0)
		rc = add(filter, SCMP_ACT_ALLOW, allowed,
		    sizeof(allowed) / sizeof(allowed[0]));
	if (rc == 0)
		rc = add(filter, SCMP_ACT_KILL_PROCESS, deadly,
		    sizeof(deadly) / sizeof(deadly[0]));
	if (rc == 0)
		rc = add_narrow(filter);
	if (rc == 0)
		rc = print(filter);
	seccomp_release(filter);
	if (rc != 0)
		(void)fprintf(stderr, "calls-filter: %s\n", strerror(-rc));
	return rc != 0;
}
