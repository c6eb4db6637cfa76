/* SPDX-License-Identifier: MIT */
#include "client/kept.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"

#define SERIAL_TEXT_MAX 96

int
kept_path(const char *folder, const uint8_t *publisher, const char *suffix,
    char *out)
{
	char id[2 * PUBLISHER_LEN + 1];
	int n;

	hex_encode(publisher, PUBLISHER_LEN, id);
	n = snprintf(out, FILE_PATH_MAX, "%s/%s%s", folder, id, suffix);
	return n < 0 || n >= FILE_PATH_MAX ? MUSTER_E_TOOBIG : 0;
}

bool
kept_is_trusted(const char *folder, const uint8_t *publisher)
{
	char path[FILE_PATH_MAX];

	return kept_path(folder, publisher, ".trust", path) == 0 &&
	    access(path, F_OK) == 0;
}

int
kept_install(const char *folder, const uint8_t *publisher,
    const struct bytes *file, bool with_trust, char *path_out)
{
	int err = kept_path(folder, publisher, ".muster", path_out);

	if (err == 0)
		err = file_mkdirs(folder, 0755);
	if (err == 0)
		err = file_replace(path_out, file->p, file->len, 0644);
	/* Last: trust without its catalogue would let in any file there. */
	if (err == 0 && with_trust) {
		err = kept_path(folder, publisher, ".trust", path_out);
		if (err == 0)
			err = file_replace(path_out, "", 0, 0644);
		if (err == 0)
			err = kept_path(folder, publisher, ".muster", path_out);
	}
	return err;
}

int
kept_newest(const char *folder, const uint8_t *publisher,
    struct kept_newest *newest_out)
{
	char path[FILE_PATH_MAX], hex[2 * HASH_LEN + 1] = "";
	uint8_t text[SERIAL_TEXT_MAX + 1] = {0};
	struct kept_newest newest;
	size_t len;
	int err;

	*newest_out = (struct kept_newest){.serial = 0};
	err = kept_path(folder, publisher, ".serial", path);
	if (err != 0)
		return err;
	err = file_read(path, text, SERIAL_TEXT_MAX, &len);
	if (err == MUSTER_E_NOENT)
		return 0;
	if (err != 0 ||
	    sscanf((char *)text, "%" SCNu32 " %64s", &newest.serial, hex) !=
	        2 ||
	    hex_decode(hex, strlen(hex), newest.hash, HASH_LEN) != 0)
		return MUSTER_E_DAMAGED;
	*newest_out = newest;
	return 0;
}

int
kept_remember(const char *folder, const uint8_t *publisher,
    const struct kept_newest *newest)
{
	char path[FILE_PATH_MAX], hex[2 * HASH_LEN + 1];
	char text[SERIAL_TEXT_MAX];
	struct kept_newest old;
	int n, err = kept_newest(folder, publisher, &old);

	if (err == 0 &&
	    (newest->serial < old.serial ||
	        (newest->serial == old.serial &&
	            memcmp(newest->hash, old.hash, HASH_LEN) == 0)))
		return 0;
	hex_encode(newest->hash, HASH_LEN, hex);
	n = snprintf(text, sizeof(text), "%" PRIu32 " %s\n", newest->serial,
	    hex);
	err = kept_path(folder, publisher, ".serial", path);
	if (err == 0)
		err = file_replace(path, text, (size_t)n, 0644);
	return err;
}
