/* SPDX-License-Identifier: MIT */
#include "base/errcode.h"

#include <ctype.h>
#include <string.h>

#include "muster/err.h"

void
errcode(int err, char *out)
{
	const char *name = muster_errname(err);
	size_t i;

	if (err == MUSTER_E_NOMACHINE)
		name = "MUSTER_E_NO_MACHINE_ID";
	if (strncmp(name, "MUSTER_E_", 9) == 0)
		name += 9;
	for (i = 0; i < ERRCODE_MAX - 1 && name[i] != '\0'; i++)
		out[i] = (char)tolower((unsigned char)name[i]);
	out[i] = '\0';
}
