/* SPDX-License-Identifier: MIT */
#include "host/confine.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/paths.h"
#include "base/sandbox.h"

bool
confine(const char *root, const char *config, const char *key)
{
	char folder[FILE_PATH_MAX];
	char *slash;
	const struct sandbox_file site[] = {
	    {PATH_HOST_STATE, true},
	    {PATH_RUN, true},
	    {PATH_CATALOGUES, true},
	    {key, false},
	    {folder, false},
	};
	const struct sandbox_file below[] = {
	    {root, true},
	    {key, false},
	    {folder, false},
	};

	(void)snprintf(folder, sizeof(folder), "%s", config);
	slash = strrchr(folder, '/');
	if (slash != NULL && slash != folder)
		slash[1] = '\0'; /* that of "musterd.conf" is no folder */
	if (root != NULL)
		return sandbox_files(below, sizeof(below) / sizeof(below[0]));
	return sandbox_files(site, sizeof(site) / sizeof(site[0]));
}
