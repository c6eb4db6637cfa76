/* SPDX-License-Identifier: MIT */
/*
 * nth_alloc.c -- preloaded into a program: one allocation fails, or all from
 * one on.  MUSTER_NTH_ALLOC says which: "NTH EVER FILE".
 *
 *   NTH   from 1, in the order in which they come, all threads together; 0:
 *         none fails
 *   EVER  1: and all that follow
 *   FILE  of SEEN_LEN bytes, mapped: how many there were, as a number of eight
 *         bytes, and of a crash in whose code it was, the C library's left
 *         out: the file name of its object, ended by a zero; LOOKUP, where
 *         the C library was looking up a group or user.  It needs no call for
 *         this, so that it is there where a sandbox lets none pass
 *
 * What the loader asks for comes before.
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

#define SEEN_LEN 64
#define LOOKUP "libc-nss." /* it asserts that it has memory */

struct seen {
	_Atomic uint64_t n;
	char died_in[SEEN_LEN - sizeof(uint64_t)];
};

static struct seen unseen;
static struct seen *seen = &unseen;
static unsigned long nth;
static int ever;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static int
fails(void)
{
	uint64_t now = atomic_fetch_add(&seen->n, 1) + 1;

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

static int
is_lookup(const char *function)
{
	static const char *const names[] = {"getgrnam", "getgrgid", "getpwnam",
	    "getpwuid"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (function != NULL && strcmp(function, names[i]) == 0)
			return 1;
	}
	return 0;
}

static void
died(int number)
{
	void *at[32];
	int n = backtrace(at, 32);
	Dl_info info;

	for (int i = 1; i < n; i++) {
		const char *name;

		if (dladdr(at[i], &info) == 0 || info.dli_fname == NULL)
			continue;
		name = strrchr(info.dli_fname, '/');
		name = name == NULL ? info.dli_fname : name + 1;
		if (strncmp(name, "libc.", 5) == 0 && is_lookup(info.dli_sname))
			name = LOOKUP;
		else if (strncmp(name, "libc.", 5) == 0 ||
		    strncmp(name, "nth_alloc", 9) == 0)
			continue;
		for (size_t k = 0; k + 1 < sizeof(seen->died_in); k++)
			seen->died_in[k] = *name == '\0' ? '\0' : *name++;
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
		p = mmap(NULL, SEEN_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    0);
	if (p == MAP_FAILED)
		abort();
	(void)close(fd);
	(void)backtrace(at, 1); /* it allocates the first time */
	(void)signal(SIGSEGV, died);
	(void)signal(SIGABRT, died);
	seen = p;
	nth = first;
}
