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
		(void)execl(program, program, word, (char *)NULL);
		_exit(101);
	}
	(void)waitpid(pid, &status, 0);
	return -WEXITSTATUS(status);
}

static void
test_module_that_is_none(void)
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
	(void)snprintf(module, sizeof(module), "%s/%s", kit_dir, MODULE_FILE);
	copy("/proc/self/maps", module);
	is(run(bin, "install the package"), MUSTER_E_NOENT);
	/* a library, and none of ours */
	copy(sqlite, module);
	is(run(bin, "the same version of both"), MUSTER_E_SCHEMA);
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
	char path[FILE_PATH_MAX + 64], cut[FILE_PATH_MAX + 64];
	size_t len = (size_t)snprintf(path, sizeof(path), "%s", kit_dir);
	size_t top = len;

	while (len < FILE_PATH_MAX - 60) {
		len += (size_t)snprintf(path + len, sizeof(path) - len,
		    "/abcdefghijklmnopqrstuvwxyz");
		if (mkdir(path, 0700) != 0)
			abort();
	}
	(void)snprintf(path + len, sizeof(path) - len, "/b");
	is(mkdir(path, 0700), 0);
	(void)snprintf(path + len, sizeof(path) - len, "/b/program");
	copy("/proc/self/exe", path);
	is(run(path, ""),
	    len + sizeof("/" MODULE_FILE) > FILE_PATH_MAX ? MUSTER_E_TOOBIG
	                                                  : MUSTER_E_NOENT);
	memcpy(cut, path, sizeof(cut));
	is(unlink(cut), 0);
	for (size_t i = strlen(cut); i > top; i--) {
		if (cut[i] == '/') {
			cut[i] = '\0';
			(void)rmdir(cut);
		}
	}
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		return ask(argv[1]);
	kit_dir_make();
	test_module_that_is_none();
	test_module_of_a_deep_folder();
	kit_dir_remove();
	return tap_done();
}
