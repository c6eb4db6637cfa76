/* SPDX-License-Identifier: MIT */
#include "base/module.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static int
find(const char *file, char *out, size_t cap)
{
	char prefix[FILE_PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", prefix, sizeof(prefix) - 1);

	if (len <= 0)
		return MUSTER_E_IO;
	prefix[len] = '\0';
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(prefix, '/');

		if (slash == NULL)
			return MUSTER_E_IO;
		*slash = '\0';
	}
	return file_join(prefix, file, out, cap);
}

int
module_load(const char *file, const char *symbol, size_t len,
    const struct module_head **head_out, char *why)
{
	char path[FILE_PATH_MAX];
	const struct module_head *head;
	void *handle;
	int err = find(file, path, sizeof(path));

	if (err != 0) {
		(void)snprintf(why, MODULE_WHY_MAX,
		    "where %.60s is, is not known: %.100s", file,
		    muster_strerror(err));
		return err;
	}
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL) {
		(void)snprintf(why, MODULE_WHY_MAX, "%.199s", dlerror());
		return MUSTER_E_NOENT;
	}
	head = dlsym(handle, symbol);
	if (head == NULL || strcmp(head->version, MUSTER_VERSION) != 0 ||
	    head->len != len) {
		(void)snprintf(why, MODULE_WHY_MAX,
		    "%.160s is not of this version, " MUSTER_VERSION, path);
		(void)dlclose(handle);
		return MUSTER_E_SCHEMA;
	}
	*head_out = head;
	return 0;
}
