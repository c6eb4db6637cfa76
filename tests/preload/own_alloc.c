/* SPDX-License-Identifier: MIT */
/*
 * own_alloc.c -- counts the calls to the allocator by who makes them, in a
 * file that is mapped: preload it and name the file in OWN_ALLOC_FILE.
 *
 *   8 bytes each: the main program's own code, libuv, SQLite, all others
 *
 * A file of 8 bytes has the first alone.  What the C library allocates for
 * somebody (strdup(), asprintf(), fopen()) is his: the stack is walked up to
 * the first frame outside of it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

#define OBJECTS_MAX 3
#define LIBC OBJECTS_MAX /* not counted by itself */
#define FRAMES_MAX 64

static const char *const names[OBJECTS_MAX + 1] = {"", "libuv", "libsqlite3",
    "libc.so"};
static uintptr_t text_begin[OBJECTS_MAX + 1], text_end[OBJECTS_MAX + 1];
static _Atomic uint64_t unseen[OBJECTS_MAX + 1]; /* until it is mapped */
static _Atomic uint64_t *counts = unseen;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

struct walk {
	uintptr_t at; /* the first frame that is not the C library's */
	bool is_inside;
	unsigned n;
};

static bool
is_of(uintptr_t at, int who)
{
	return at >= text_begin[who] && at < text_end[who];
}

/* Our own frames come first, then the C library's. */
static _Unwind_Reason_Code
step(struct _Unwind_Context *context, void *arg)
{
	struct walk *w = arg;
	uintptr_t at = (uintptr_t)_Unwind_GetIP(context);

	if (at == 0 || ++w->n > FRAMES_MAX)
		return _URC_END_OF_STACK;
	if (is_of(at, LIBC)) {
		w->is_inside = true;
		return _URC_NO_REASON;
	}
	if (!w->is_inside)
		return _URC_NO_REASON;
	w->at = at;
	return _URC_END_OF_STACK;
}

static void
count(const void *caller)
{
	uintptr_t at = (uintptr_t)caller;
	int who = 0;

	if (is_of(at, LIBC)) {
		struct walk w = {.at = at};

		(void)_Unwind_Backtrace(step, &w);
		at = w.at;
	}
	while (who < OBJECTS_MAX && !is_of(at, who))
		who++;
	atomic_fetch_add(&counts[who], 1);
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

void *
memalign(size_t align, size_t n)
{
	count(CALLER);
	return __libc_memalign(align, n);
}

int
posix_memalign(void **out, size_t align, size_t n)
{
	void *p;

	count(CALLER);
	p = __libc_memalign(align, n);
	if (p == NULL)
		return ENOMEM;
	*out = p;
	return 0;
}

/* An executable segment is an object's text; the program has no name here. */
static int
find_text(struct dl_phdr_info *info, size_t size, void *arg)
{
	int *n_seen = arg, who = 1;

	(void)size;
	if ((*n_seen)++ == 0)
		who = 0;
	while (who > 0 && who <= OBJECTS_MAX &&
	    strstr(info->dlpi_name, names[who]) == NULL)
		who++;
	for (int i = 0; who <= OBJECTS_MAX && i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type == PT_LOAD && (ph->p_flags & PF_X) != 0) {
			text_begin[who] = info->dlpi_addr + ph->p_vaddr;
			text_end[who] = text_begin[who] + ph->p_memsz;
		}
	}
	return 0;
}

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("OWN_ALLOC_FILE");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p = MAP_FAILED;
	int n_seen = 0;

	if (fd >= 0)
		p = mmap(NULL, sizeof(unseen), PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		abort();
	(void)close(fd);
	counts = p;
	(void)dl_iterate_phdr(find_text, &n_seen);
}
