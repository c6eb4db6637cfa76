/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static char dir[] = "/tmp/muster-file.XXXXXX";

static const char *
at(const char *name)
{
	static char path[FILE_PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void
test_file_replace_then_read(void)
{
	uint8_t buf[8];
	size_t len = 0;
	struct stat st;

	is(file_replace(at("a"), "first", 5, 0640), 0);
	is(file_replace(at("a"), "second", 6, 0600), 0);
	is(file_read(at("a"), buf, sizeof(buf), &len), 0);
	is((long long)len, 6);
	ok(memcmp(buf, "second", 6) == 0);
	is(stat(at("a"), &st), 0);
	is(st.st_mode & 0777, 0600);
}

static void
test_file_read_refuses(void)
{
	uint8_t buf[4];
	size_t len = 77;

	is(file_read(at("none"), buf, sizeof(buf), &len), MUSTER_E_NOENT);
	is(file_replace(at("big"), "12345", 5, 0600), 0);
	is(file_read(at("big"), buf, sizeof(buf), &len), MUSTER_E_TOOBIG);
	is(file_read(dir, buf, sizeof(buf), &len), MUSTER_E_IO);
	is(mkfifo(at("pipe"), 0600), 0);
	is(file_read(at("pipe"), buf, sizeof(buf), &len), MUSTER_E_IO);
	is((long long)len, 77);
}

static void
test_file_publish_never_writes_over(void)
{
	char temp[FILE_PATH_MAX];
	uint8_t buf[8];
	size_t len = 0;

	snprintf(temp, sizeof(temp), "%s", at("temp"));
	is(file_replace(temp, "one", 3, 0600), 0);
	is(file_publish(temp, at("name")), 0);
	is(access(temp, F_OK), -1);
	is(file_replace(temp, "another", 7, 0600), 0);
	is(file_publish(temp, at("name")), MUSTER_E_EXIST);
	is(access(temp, F_OK), -1);
	is(file_read(at("name"), buf, sizeof(buf), &len), 0);
	is((long long)len, 3);
	is(file_publish(temp, at("name2")), MUSTER_E_NOENT);
}

static void
test_file_replace_refuses(void)
{
	is(file_replace(at("no/such/folder"), "x", 1, 0600), MUSTER_E_NOENT);
	is(file_mkdirs(at("no/such"), 0700), 0);
	is(file_mkdirs(at("no/such"), 0700), 0);
	is(file_replace(at("no/such/folder"), "x", 1, 0600), 0);
}

/* A folder that may be written and not be read cannot be synced; nor may root
 * be the one who tries. */
static int
replace_and_remove(const char *path)
{
	uint8_t buf[8];
	size_t len = 0;

	if (geteuid() == 0 && seteuid(65534) != 0)
		return 1;
	if (file_replace(path, "new", 3, 0600) != MUSTER_E_UNSURE)
		return 2;
	if (file_read(path, buf, sizeof(buf), &len) != 0 || len != 3 ||
	    memcmp(buf, "new", 3) != 0)
		return 3;
	if (file_remove(path) != MUSTER_E_UNSURE)
		return 4;
	if (file_read(path, buf, sizeof(buf), &len) != MUSTER_E_NOENT)
		return 5;
	return file_remove(path) == 0 ? 0 : 6;
}

static void
test_file_change_that_may_not_last_is_unsure(void)
{
	int status = -1;
	pid_t pid;

	is(chmod(dir, 0755), 0);
	is(mkdir(at("blind"), 0700), 0);
	is(geteuid() == 0 ? chown(at("blind"), 65534, 65534) : 0, 0);
	is(chmod(at("blind"), 0300), 0);
	(void)fflush(stdout); /* valgrind flushes the child's copy as well */
	pid = fork();
	if (pid == 0)
		_exit(replace_and_remove(at("blind/a")));
	is(waitpid(pid, &status, 0), pid);
	is(status, 0);
	is(chmod(at("blind"), 0700), 0);
}

static void
test_file_join(void)
{
	char out[12];

	is(file_join("/r", "/etc/x", out, sizeof(out)), 0);
	is_str(out, "/r/etc/x");
	is(file_join(NULL, "/etc/x", out, sizeof(out)), 0);
	is_str(out, "/etc/x");
	is(file_join("/root", "/etc/xyz", out, sizeof(out)), MUSTER_E_TOOBIG);
}

int
main(void)
{
	char cmd[64];

	ok(mkdtemp(dir) != NULL);
	test_file_replace_then_read();
	test_file_read_refuses();
	test_file_publish_never_writes_over();
	test_file_replace_refuses();
	test_file_change_that_may_not_last_is_unsure();
	test_file_join();
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	is(system(cmd), 0);
	return tap_done();
}
