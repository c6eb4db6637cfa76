/* SPDX-License-Identifier: MIT */
/*
 * test_module.c -- the module for a shared count, where it is not what it
 * should be.
 *
 * It is looked for beside the program, so a copy of this one is put where
 * musterd would be, and asked; its exit status says what it got.
 */
#include "store/module.h"

#include <dlfcn.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "store_kit.h"

static const char *fake_exe; /* where we say that we are; "": nowhere */

ssize_t __real_readlink(const char *path, char *out, size_t cap);
ssize_t __wrap_readlink(const char *path, char *out, size_t cap);
ssize_t
__wrap_readlink(const char *path, char *out, size_t cap)
{
	size_t len = fake_exe == NULL ? 0 : strlen(fake_exe);

	memset(out, '/', cap); /* it ends nothing by itself */
	if (fake_exe == NULL)
		return __real_readlink(path, out, cap);
	if (len == 0 || len > cap)
		return -1;
	memcpy(out, fake_exe, len);
	return (ssize_t)len;
}

/* As a build that checks sizes calls it. */
ssize_t
__wrap___readlink_chk(const char *path, char *out, size_t cap, size_t size);
ssize_t
__wrap___readlink_chk(const char *path, char *out, size_t cap, size_t size)
{
	return __wrap_readlink(path, out, cap < size ? cap : size);
}

/* In the copy: the outcome, and whether the word is among what it says. */
static int
ask(const char *word)
{
	struct store_diag diag = {""};
	struct store *s = NULL;
	int err = store_open_shared("host=/nowhere", "g", &s, &diag);

	return strstr(diag.text, word) == NULL ? 100 : -err;
}

static void
copy(const char *from, const char *to)
{
	static uint8_t bytes[1 << 16];
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	size_t n;

	if (in == NULL || out == NULL)
		abort();
	while ((n = fread(bytes, 1, sizeof(bytes), in)) > 0) {
		if (fwrite(bytes, 1, n, out) != n)
			abort();
	}
	(void)fclose(in);
	if (fclose(out) != 0 || chmod(to, 0700) != 0)
		abort();
}

static int
run(const char *program, const char *word)
{
	int status = 0;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)execl(program, program, word, "asked", (char *)NULL);
		_exit(101);
	}
	(void)waitpid(pid, &status, 0);
	return -WEXITSTATUS(status);
}

static void
test_module_that_is_none(const char *fake)
{
	char bin[512], module[600], sqlite[600];
	Dl_info where;

	if (dladdr((const void *)sqlite3_sourceid(), &where) == 0 ||
	    snprintf(sqlite, sizeof(sqlite), "%s", where.dli_fname) < 1)
		abort();
	(void)snprintf(bin, sizeof(bin), "%s/bin", kit_dir);
	is(mkdir(bin, 0700), 0);
	(void)snprintf(bin, sizeof(bin), "%s/bin/program", kit_dir);
	copy("/proc/self/exe", bin);
	is(run(bin, "install the package"), MUSTER_E_NOENT);
	(void)snprintf(module, sizeof(module), "%s/lib", kit_dir);
	is(mkdir(module, 0700), 0);
	(void)snprintf(module, sizeof(module), "%s/lib/muster", kit_dir);
	is(mkdir(module, 0700), 0);
	(void)snprintf(module, sizeof(module), "%s%s", kit_dir, MODULE_FILE);
	copy("/proc/self/maps", module);
	is(run(bin, "install the package"), MUSTER_E_NOENT);
	/* a library, and none of ours */
	copy(sqlite, module);
	is(run(bin, "the same version of both"), MUSTER_E_SCHEMA);
	/* one of ours, of another version or of another build */
	copy(fake, module);
	is(setenv("FAKE_MODULE", "older", 1), 0);
	is(run(bin, "the same version of both"), MUSTER_E_SCHEMA);
	is(setenv("FAKE_MODULE", "larger", 1), 0);
	is(run(bin, "the same version of both"), MUSTER_E_SCHEMA);
	/* and the right one, whose word is the answer */
	is(setenv("FAKE_MODULE", "right", 1), 0);
	is(run(bin, "host=/nowhere of g"), MUSTER_E_INVAL);
	is(unlink(module), 0);
	(void)snprintf(module, sizeof(module), "%s/lib/muster", kit_dir);
	is(rmdir(module), 0);
	is(unlink(bin), 0);
	(void)snprintf(bin, sizeof(bin), "%s/bin", kit_dir);
	is(rmdir(bin), 0);
}

/* A folder so deep that the module's name has no room. */
static void
test_module_of_a_deep_folder(void)
{
	static const size_t deep = FILE_PATH_MAX - 20;
	char path[FILE_PATH_MAX + 64], cut[FILE_PATH_MAX + 64];
	size_t len = (size_t)snprintf(path, sizeof(path), "%s", kit_dir);
	size_t top = len;

	while (len < deep) {
		size_t n = deep - len < 60 ? deep - len - 1 : 26;

		path[len] = '/';
		memset(path + len + 1, 'a', n);
		len += n + 1;
		path[len] = '\0';
		if (mkdir(path, 0700) != 0)
			abort();
	}
	(void)snprintf(path + len, sizeof(path) - len, "/b");
	is(mkdir(path, 0700), 0);
	(void)snprintf(path + len, sizeof(path) - len, "/b/program");
	copy("/proc/self/exe", path);
	is(run(path, ""), MUSTER_E_TOOBIG);
	memcpy(cut, path, sizeof(cut));
	is(unlink(cut), 0);
	for (size_t i = strlen(cut); i > top; i--) {
		if (cut[i] == '/') {
			cut[i] = '\0';
			(void)rmdir(cut);
		}
	}
}

/* Without /proc, and right below the root, there is no place beside us. */
static void
test_module_of_a_program_without_a_place(void)
{
	static const char *const where[] = {"", "/program", "program"};
	struct store_diag diag = {""};
	struct store *s = NULL;

	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		fake_exe = where[i];
		is(store_open_shared("host=/nowhere", "g", &s, &diag),
		    MUSTER_E_IO);
	}
	fake_exe = NULL;
	ok(s == NULL);
}

/* usage: test_module FAKE_MODULE; in a copy: test_module WORD as asked */
int
main(int argc, char **argv)
{
	if (argc > 2)
		return ask(argv[1]);
	if (argc < 2)
		abort();
	kit_dir_make();
	test_module_of_a_program_without_a_place();
	test_module_that_is_none(argv[1]);
	test_module_of_a_deep_folder();
	kit_dir_remove();
	return tap_done();
}
