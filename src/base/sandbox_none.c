/* SPDX-License-Identifier: MIT */
/* Instead of sandbox.c in a build with a sanitizer or with coverage, which asks
 * for calls and files of its own when it reports. */
#include "base/sandbox.h"

bool
sandbox_files(const struct sandbox_file *files, size_t n)
{
	(void)files;
	(void)n;
	return false;
}

bool
sandbox_calls(void)
{
	return false;
}
