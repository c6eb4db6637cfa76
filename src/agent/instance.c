/* SPDX-License-Identifier: MIT */
#include "agent/instance.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/paths.h"
#include "client/machine.h"

#define CREDENTIAL "/product-uuid"

/* Boards without one of their own have all zeros or all ones. */
static bool
is_blank(const uint8_t *id)
{
	uint8_t ones = 0xff, any = 0;

	for (size_t i = 0; i < UUID_LEN; i++) {
		ones &= id[i];
		any |= id[i];
	}
	return any == 0 || ones == 0xff;
}

static int
read_credential(const char *folder, uint8_t *id_out)
{
	char path[FILE_PATH_MAX], text[UUID_TEXT_LEN + 1];
	uint8_t buf[UUID_TEXT_LEN + 2];
	size_t len = 0;
	int err;

	err = file_join(folder, CREDENTIAL, path, sizeof(path));
	if (err == 0)
		err = file_read(path, buf, sizeof(buf), &len);
	if (err != 0)
		return err;
	if (len == UUID_TEXT_LEN + 1 && buf[len - 1] == '\n')
		len--;
	if (len != UUID_TEXT_LEN)
		return MUSTER_E_PROTO;
	memcpy(text, buf, len);
	text[len] = '\0';
	return uuid_parse(text, id_out);
}

int
instance_publish(const char *root)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	char path[FILE_PATH_MAX], line[2 * WIRE_ID_LEN + 2];
	uint8_t id[UUID_LEN], instance[WIRE_ID_LEN];
	int read_err, err = file_join(root, PATH_INSTANCE, path, sizeof(path));

	if (err != 0 || folder == NULL || folder[0] != '/')
		return err;
	read_err = read_credential(folder, id);
	if (read_err != 0 || is_blank(id)) {
		if (read_err != MUSTER_E_NOENT)
			log_line(LOG_WARN, "instance",
			    "the product UUID that was handed over names no "
			    "machine; the machine id alone tells machines "
			    "apart");
		return file_remove(path); /* it was another board's */
	}
	(void)crypto_generichash(instance, sizeof(instance), id, sizeof(id),
	    NULL, 0);
	hex_encode(instance, sizeof(instance), line);
	memcpy(line + 2 * WIRE_ID_LEN, "\n", 2);
	return file_replace(path, line, 2 * WIRE_ID_LEN + 1, 0644);
}
