/* SPDX-License-Identifier: MIT */
/* module.c -- see module.h.  Found beside the program: PREFIX/bin/musterd. */
#include "store/module.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "store/backend.h"

static int
find(char *out, size_t cap)
{
	ssize_t len = readlink("/proc/self/exe", out, cap - 1);

	if (len <= 0)
		return MUSTER_E_IO;
	out[len] = '\0';
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(out, '/');

		if (slash == NULL)
			return MUSTER_E_IO;
		*slash = '\0';
	}
	len = (ssize_t)strlen(out);
	if ((size_t)len + sizeof("/" MODULE_FILE) > cap)
		return MUSTER_E_TOOBIG;
	memcpy(out + len, "/" MODULE_FILE, sizeof("/" MODULE_FILE));
	return 0;
}

int
store_open_shared(const char *address, const char *group,
    struct store **store_out, struct store_diag *diag)
{
	char path[FILE_PATH_MAX];
	const struct module *module;
	void *handle;
	int err = find(path, sizeof(path));

	if (err != 0)
		return err;
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL) {
		(void)snprintf(diag->text, sizeof(diag->text),
		    "%.200s; install the package "
		    "muster-host-postgresql",
		    dlerror());
		return MUSTER_E_NOENT;
	}
	module = dlsym(handle, MODULE_SYMBOL);
	if (module == NULL || strcmp(module->version, MUSTER_VERSION) != 0 ||
	    module->store_len != sizeof(struct store)) {
		(void)snprintf(diag->text, sizeof(diag->text),
		    "%.160s is not of this version, " MUSTER_VERSION
		    "; install the same version of both packages",
		    path);
		(void)dlclose(handle);
		return MUSTER_E_SCHEMA;
	}
	/* it stays: OpenSSL, below libpq, does not bear to be unloaded */
	return module->open(address, group, store_out, diag);
}
