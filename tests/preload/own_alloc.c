/* SPDX-License-Identifier: MIT */
/*
 * own_alloc.c -- counts the calls to the allocator that come from the main
 * program's own code, libraries left out, in a file that is mapped: preload
 * it and name the file in OWN_ALLOC_FILE.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static uintptr_t text_begin, text_end;
static _Atomic uint64_t unseen; /* until the file is mapped */
static _Atomic uint64_t *n_own = &unseen;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static void
count(const void *caller)
{
	uintptr_t at = (uintptr_t)caller;

	if (at >= text_begin && at < text_end)
		atomic_fetch_add(n_own, 1);
}

#define CALLER __builtin_return_address(0)

void *
malloc(size_t n)
{
	count(CALLER);
	return __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	count(CALLER);
	return __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	count(CALLER);
	return __libc_realloc(p, n);
}

void *
aligned_alloc(size_t align, size_t n)
{
	count(CALLER);
	return __libc_memalign(align, n);
}

/* The first object is the program; its executable segment is its text. */
static int
find_text(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type == PT_LOAD && (ph->p_flags & PF_X) != 0) {
			text_begin = info->dlpi_addr + ph->p_vaddr;
			text_end = text_begin + ph->p_memsz;
		}
	}
	return 1;
}

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("OWN_ALLOC_FILE");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p = MAP_FAILED;

	if (fd >= 0)
		p = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		abort();
	(void)close(fd);
	n_own = p;
	(void)dl_iterate_phdr(find_text, NULL);
}
