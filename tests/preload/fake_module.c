/* SPDX-License-Identifier: MIT */
/*
 * fake_module.c -- the module for a shared count as test_module.c wants it:
 * FAKE_MODULE in its environment is "older", "larger" or "right".
 */
#include <stdlib.h>
#include <string.h>

#include "store/backend.h"
#include "store/module.h"

/* It has no server: what it is given comes back. */
static int
answer(const char *address, const char *group, struct store **store_out,
    struct store_diag *diag)
{
	(void)store_out;
	strcpy(diag->text, address);
	strcat(diag->text, " of ");
	strcat(diag->text, group);
	return MUSTER_E_INVAL;
}

extern struct module muster_store_postgresql;
struct module muster_store_postgresql = {MUSTER_VERSION, sizeof(struct store),
    answer};

__attribute__((constructor)) static void
begin(void)
{
	const char *how = getenv("FAKE_MODULE");

	if (how != NULL && strcmp(how, "older") == 0)
		muster_store_postgresql.head.version = "0.0.0";
	if (how != NULL && strcmp(how, "larger") == 0)
		muster_store_postgresql.head.len++;
}
