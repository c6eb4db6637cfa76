/* SPDX-License-Identifier: MIT */
#include "store/module.h"

#include <stdio.h>

#include "store/backend.h"

int
store_open_shared(const char *address, const char *group,
    struct store **store_out, struct store_diag *diag)
{
	char why[MODULE_WHY_MAX];
	const struct module_head *head;
	const struct module *module;
	int err = module_load(MODULE_FILE, MODULE_SYMBOL, sizeof(struct store),
	    &head, why);

	if (err != 0) {
		(void)snprintf(diag->text, sizeof(diag->text), "%s; install %s",
		    why,
		    err == MUSTER_E_SCHEMA
		        ? "the same version of both packages"
		        : "the package muster-host-postgresql");
		return err;
	}
	module = (const struct module *)head;
	return module->open(address, group, store_out, diag);
}
