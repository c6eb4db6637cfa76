/* SPDX-License-Identifier: MIT */
#include "agent/told.h"

#include <sodium.h>
#include <string.h>

void
told_begin(struct told *t)
{
	memcpy(t->before, t->id, sizeof(t->before));
	t->n_before = t->n;
	t->n = 0;
}

static bool
has(const uint64_t *list, uint32_t n, uint64_t id)
{
	for (uint32_t i = 0; i < n; i++) {
		if (list[i] == id)
			return true;
	}
	return false;
}

bool
told_is_new(struct told *t, const char *path, uint32_t line, int err)
{
	uint8_t what[crypto_generichash_BYTES];
	crypto_generichash_state state;
	uint64_t id;

	(void)crypto_generichash_init(&state, NULL, 0, sizeof(what));
	(void)crypto_generichash_update(&state, (const uint8_t *)path,
	    strlen(path));
	(void)crypto_generichash_update(&state, (const uint8_t *)&line,
	    sizeof(line));
	(void)crypto_generichash_update(&state, (const uint8_t *)&err,
	    sizeof(err));
	(void)crypto_generichash_final(&state, what, sizeof(what));
	memcpy(&id, what, sizeof(id));
	if (has(t->id, t->n, id) || t->n == TOLD_MAX)
		return false;
	t->id[t->n++] = id;
	return !has(t->before, t->n_before, id);
}
