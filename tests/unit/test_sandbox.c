/* SPDX-License-Identifier: MIT */
/*
 * test_sandbox.c -- what a service can do no more: each in a child, since
 * nothing of it comes back.
 * Its folder is in /dev/shm, for /tmp is every service's own.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define DIED 1000

static char folder[512];
static bool has_files;

static const char *
at(const char *name)
{
	static char path[8][600];
	static unsigned next;
	char *p = path[next++ % 8];

	(void)snprintf(p, sizeof(path[0]), "%s/%s", folder, name);
	return p;
}

/* What a function comes to in a child, or DIED and the signal. */
static int
apart(int (*fn)(long arg), long arg)
{
	int status = 0;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(fn(arg));
	(void)waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? DIED + WTERMSIG(status)
	                           : WEXITSTATUS(status);
}

static void
put(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ok(fd >= 0 && write(fd, "x", 1) == 1);
	(void)close(fd);
}

static int
result(int rc)
{
	return rc < 0 ? errno : 0;
}

static int
files(long which)
{
	const struct sandbox_file mine[] = {
	    {at("mine"), true},
	    {at("read"), false},
	    {at("one"), false},
	    {at("none"), true},
	};

	has_files = sandbox_files(mine, sizeof(mine) / sizeof(mine[0]));
	switch (which) {
	case 0:
		return has_files ? 0 : 1;
	case 1:
		return result(open(at("mine/a"), O_RDWR));
	case 2:
		return result(open(at("mine/new"), O_RDWR | O_CREAT, 0600));
	case 3:
		return result(rename(at("mine/a"), at("mine/b")));
	case 4:
		return result(open(at("read/a"), O_RDONLY));
	case 5:
		return result(open(at("read/a"), O_WRONLY));
	case 6:
		return result(open(at("read/new"), O_RDWR | O_CREAT, 0600));
	case 7:
		return result(open(at("other/a"), O_RDONLY));
	case 8:
		return result(open(at("other/new"), O_RDWR | O_CREAT, 0600));
	case 9:
		return result(open(at("one"), O_RDONLY));
	case 10:
		return result(unlink(at("other/a")));
	case 11:
		return result(link(at("mine/a"), at("other/b")));
	case 12:
		return result(open("/etc/passwd", O_RDONLY));
	case 13:
		return result(open("/etc/passwd", O_WRONLY));
	case 14:
		return result(execl("/bin/true", "true", (char *)NULL));
	case 15:
		return result(mkdir(at("mine/sub"), 0700));
	case 16:
		return result(open("/", O_RDONLY | O_DIRECTORY));
	case 17:
		return result(open("/proc/self/../1/environ", O_RDONLY)) ==
		        ENOENT
		    ? 1
		    : 0;
	default:
		return 99;
	}
}

static void
test_open_outside_is_denied(void)
{
	static const int want[] = {0, 0, 0, 0, 0, EACCES, EACCES, EACCES,
	    EACCES, 0, EACCES, EXDEV, 0, EACCES, EACCES, 0, 0, 0};

	(void)mkdir(at("mine"), 0700);
	(void)mkdir(at("read"), 0700);
	(void)mkdir(at("other"), 0700);
	put(at("read/a"));
	put(at("other/a"));
	put(at("one"));
	/* in force wherever the kernel has it, and else not said to be */
	if (syscall(SYS_landlock_create_ruleset, NULL, 0,
	        LANDLOCK_CREATE_RULESET_VERSION) < 1) {
		printf("# this kernel has no Landlock\n");
		is(apart(files, 0), 1);
		return;
	}
	for (long i = 0; i < (long)(sizeof(want) / sizeof(want[0])); i++) {
		int got;

		put(at("mine/a"));
		got = apart(files, i);
		/* of a link to where nothing may be made both are said */
		if (i == 11 && got == EACCES)
			got = EXDEV;
		if (!is(got, want[i]))
			printf("# case %ld\n", i);
	}
}

static void *
nothing(void *arg)
{
	return arg;
}

static int
call(long number)
{
	if (!sandbox_calls())
		return 98;
	return result((int)syscall(number, 0, 0, 0, 0, 0, 0));
}

static int
can(long which)
{
	pthread_t thread;
	void *out = NULL;

	if (!sandbox_calls())
		return 98;
	switch (which) {
	case 0:
		return pthread_create(&thread, NULL, nothing, folder) != 0 ||
		    pthread_join(thread, &out) != 0 || out != folder;
	case 1:
		return result(socket(AF_INET6, SOCK_STREAM, 0));
	case 2:
		return result(socket(AF_PACKET, SOCK_RAW, 0));
	case 3:
		return result(fork());
	case 4:
		return result(setpriority(PRIO_PROCESS, 0, 1));
	case 5:
		return result(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
	case 6:
		return result(prctl(PR_SET_NAME, "name", 0, 0, 0));
	case 7:
		return result(open("/dev/null", O_RDONLY));
	default:
		return 99;
	}
}

/* One that was there before is under it as well. */
static int other_tid;
static pthread_barrier_t barrier;

static void *
waits(void *arg)
{
	(void)arg;
	(void)pthread_barrier_wait(&barrier);
	(void)pthread_barrier_wait(&barrier);
	other_tid = result((int)syscall(SYS_setpriority, 0, 0, 1));
	return NULL;
}

static int
with_thread(long arg)
{
	pthread_t thread;

	(void)arg;
	(void)pthread_barrier_init(&barrier, NULL, 2);
	(void)pthread_create(&thread, NULL, waits, NULL);
	(void)pthread_barrier_wait(&barrier);
	if (!sandbox_calls())
		return 98;
	(void)pthread_barrier_wait(&barrier);
	(void)pthread_join(thread, NULL);
	return other_tid;
}

static void
test_calls_outside_the_list(void)
{
	static const long dies[] = {SYS_execve, SYS_execveat, SYS_ptrace,
	    SYS_mount, SYS_umount2, SYS_setuid, SYS_setns, SYS_unshare, SYS_bpf,
	    SYS_init_module, SYS_keyctl, SYS_chroot, SYS_pivot_root,
	    SYS_process_vm_readv, SYS_open_by_handle_at, SYS_reboot,
	    SYS_kexec_load, SYS_perf_event_open, SYS_personality,
	    SYS_userfaultfd};
	static const long fails[] = {SYS_syslog, SYS_acct, SYS_quotactl,
	    SYS_mknodat, SYS_sethostname, SYS_settimeofday, SYS_clock_settime,
	    SYS_adjtimex, SYS_setpriority, SYS_vhangup, SYS_msgget, SYS_semget,
	    SYS_shmget, SYS_inotify_init1, SYS_fanotify_init, SYS_capset,
	    SYS_sched_setaffinity, SYS_symlinkat, SYS_setxattr, SYS_vmsplice};
	static const int want[] = {0, 0, EPERM, EPERM, EPERM, EPERM, 0, 0};

	for (size_t i = 0; i < sizeof(dies) / sizeof(dies[0]); i++) {
		if (!is(apart(call, dies[i]), DIED + SIGSYS))
			printf("# call %ld\n", dies[i]);
	}
	for (size_t i = 0; i < sizeof(fails) / sizeof(fails[0]); i++) {
		if (!is(apart(call, fails[i]), EPERM))
			printf("# call %ld\n", fails[i]);
	}
	for (long i = 0; i < (long)(sizeof(want) / sizeof(want[0])); i++) {
		if (!is(apart(can, i), want[i]))
			printf("# case %ld\n", i);
	}
	is(apart(with_thread, 0), EPERM);
}

int
main(void)
{
	char command[700];

	(void)snprintf(folder, sizeof(folder), "/dev/shm/sandbox.XXXXXX");
	if (mkdtemp(folder) == NULL)
		return 2;
	test_open_outside_is_denied();
	test_calls_outside_the_list();
	(void)snprintf(command, sizeof(command), "rm -r '%s'", folder);
	(void)!system(command);
	return tap_done();
}
