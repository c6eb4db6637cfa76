/* SPDX-License-Identifier: MIT */
/*
 * nth_alloc.c -- preloaded into a program: one allocation fails, or all from
 * one on.  MUSTER_NTH_ALLOC says which: "NTH EVER FILE".
 *
 *   NTH   from 1, in the order in which they come, all threads together; 0:
 *         none fails
 *   EVER  1: and all that follow
 *   FILE  of eight bytes, mapped: how many there were, as a number
 *
 * What the loader asks for comes before.  Of a crash it says in whose code it was, the C library's left out:
 * "nth_alloc: died in OBJECT".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic uint64_t unseen;
static _Atomic uint64_t *n_seen = &unseen;
static unsigned long nth;
static int ever;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static int
fails(void)
{
	uint64_t now = atomic_fetch_add(n_seen, 1) + 1;

	if (nth == 0 || (ever ? now < nth : now != nth))
		return 0;
	errno = ENOMEM;
	return 1;
}

void *
malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return fails() ? NULL : __libc_realloc(p, n);
}

void *
aligned_alloc(size_t align, size_t n)
{
	return fails() ? NULL : __libc_memalign(align, n);
}

int
posix_memalign(void **out, size_t align, size_t n)
{
	void *p = fails() ? NULL : __libc_memalign(align, n);

	if (p == NULL)
		return ENOMEM;
	*out = p;
	return 0;
}

static void
died(int number)
{
	static const char said[] = "nth_alloc: died in ";
	void *at[32];
	int n = backtrace(at, 32);
	Dl_info info;

	for (int i = 1; i < n; i++) {
		const char *name;

		if (dladdr(at[i], &info) == 0 || info.dli_fname == NULL)
			continue;
		name = strrchr(info.dli_fname, '/');
		name = name == NULL ? info.dli_fname : name + 1;
		if (strncmp(name, "libc.", 5) == 0 ||
		    strncmp(name, "nth_alloc", 9) == 0)
			continue;
		(void)!write(STDERR_FILENO, said, sizeof(said) - 1);
		(void)!write(STDERR_FILENO, name, strlen(name));
		(void)!write(STDERR_FILENO, "\n", 1);
		break;
	}
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

__attribute__((constructor)) static void
begin(void)
{
	unsigned long first;
	void *at[1];
	const char *text = getenv("MUSTER_NTH_ALLOC");
	char path[1024];
	void *p = MAP_FAILED;
	int fd;

	if (text == NULL ||
	    sscanf(text, "%lu %d %1023s", &first, &ever, path) != 3)
		abort();
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		p = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		abort();
	(void)close(fd);
	(void)backtrace(at, 1); /* it allocates the first time */
	(void)signal(SIGSEGV, died);
	(void)signal(SIGABRT, died);
	n_seen = p;
	nth = first;
}
