/* SPDX-License-Identifier: MIT */
#include "cli/transfer.h"

#include <stdio.h>

void
transfer_run(struct transfer *t)
{
	static const struct transfer_module *module;
	const struct module_head *head;
	char why[MODULE_WHY_MAX];

	if (module == NULL &&
	    module_load(TRANSFER_FILE, TRANSFER_SYMBOL, sizeof(*t), &head,
	        why) == 0)
		module = (const struct transfer_module *)head;
	t->is_missing = module == NULL;
	if (module != NULL) {
		module->run(t);
		return;
	}
	t->code = CURLE_FAILED_INIT;
	t->name = "no HTTP";
	(void)snprintf(t->why, sizeof(t->why), "%s", why);
}
