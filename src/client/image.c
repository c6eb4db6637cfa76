/* SPDX-License-Identifier: MIT */
#include "client/image.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/paths.h"
#include "client/life.h"
#include "client/recover.h"

typedef int image_fn(const char *path, const char *name);

static bool
ends_in(const char *name, const char *suffix)
{
	size_t len = strlen(name), n = strlen(suffix);

	return len >= n && strcmp(name + len - n, suffix) == 0;
}

/* Unreadable is not damaged: nobody knows what it holds. */
static int
read_state(const char *path, uint8_t *buf, size_t *len_out)
{
	int err = file_read_own(path, buf, STATE_FILE_MAX, len_out);

	*len_out = err == 0 ? *len_out : 0;
	return err == MUSTER_E_DAMAGED || err == MUSTER_E_TOOBIG ? 0 : err;
}

static int
clear_publisher(const char *path, const char *name)
{
	uint8_t buf[STATE_FILE_MAX];
	struct state_publisher s;
	size_t len = 0;
	int err;

	(void)name;
	err = read_state(path, buf, &len);
	if (err != 0)
		return err;
	if (state_publisher_decode(buf, len, &s) != 0)
		return file_remove(path);
	life_generalize(&s);
	err = state_publisher_encode(&s, buf, sizeof(buf), &len);
	return err == 0 ? file_replace(path, buf, len, 0600) : err;
}

static int
clear_product(const char *path, const char *name)
{
	struct state_product s = {.first_seen_unix_s = STATE_SEEN_LOST};
	char uuid[UUID_TEXT_LEN + 1] = "";
	uint8_t buf[STATE_FILE_MAX];
	size_t len = 0;
	int err = read_state(path, buf, &len);

	if (err != 0)
		return err;
	(void)snprintf(uuid, sizeof(uuid), "%s", name);
	if (state_product_decode(buf, len, &s) != 0 &&
	    uuid_parse(uuid, s.product) != 0)
		return file_remove(path); /* of no product at all */
	life_generalize_product(&s);
	err = state_product_encode(&s, buf, sizeof(buf), &len);
	return err == 0 ? file_replace(path, buf, len, 0600) : err;
}

static int
clear_it(const char *path, const char *name)
{
	(void)name;
	return file_remove(path);
}

static int
walk(const char *root, const char *folder, const char *suffix, image_fn *clear,
    char *at)
{
	char full[FILE_PATH_MAX];
	const struct dirent *d;
	DIR *dir;
	int err = file_join(root, folder, full, sizeof(full));

	if (err != 0)
		return err;
	(void)snprintf(at, FILE_PATH_MAX, "%s", full);
	dir = opendir(full);
	if (dir == NULL)
		return errno == ENOENT ? 0 : MUSTER_E_DENIED;
	while (err == 0 && (d = readdir(dir)) != NULL) {
		int n = snprintf(at, FILE_PATH_MAX, "%s/%s", full, d->d_name);

		if (n < 0 || n >= FILE_PATH_MAX)
			err = MUSTER_E_TOOBIG;
		else if (ends_in(d->d_name, RECOVER_SUFFIX))
			err = file_remove(at);
		else if (ends_in(d->d_name, suffix))
			err = clear(at, d->d_name);
	}
	(void)closedir(dir);
	return err;
}

int
image_make(const char *root, char *at_out)
{
	int err = walk(root, PATH_AGENT_STATE "/publishers", ".state",
	    clear_publisher, at_out);

	/* a copy may wake up on another network */
	if (err == 0)
		err = walk(root, PATH_AGENT_STATE "/publishers", ".host",
		    clear_it, at_out);
	if (err == 0)
		err = walk(root, PATH_AGENT_STATE "/products", ".state",
		    clear_product, at_out);
	/* the last: until then a product has what it had */
	if (err == 0)
		err = walk(root, PATH_AGENT_STATE "/leases", ".lease", clear_it,
		    at_out);
	if (err == 0)
		err = file_join(root, PATH_INSTANCE, at_out, FILE_PATH_MAX);
	return err == 0 ? file_remove(at_out) : err;
}
