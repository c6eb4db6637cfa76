/* SPDX-License-Identifier: MIT */
#include "client/machine.h"

#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/paths.h"

#define ID_FILE_MAX 64

static int
parse(const uint8_t *text, size_t len, uint8_t *out)
{
	char digits[2 * WIRE_ID_LEN];

	if (len == sizeof(digits) + 1 && text[len - 1] == '\n')
		len--;
	if (len != sizeof(digits))
		return MUSTER_E_PROTO;
	memcpy(digits, text, len);
	return hex_decode(digits, len, out, WIRE_ID_LEN);
}

int
machine_id_parse(const uint8_t *text, size_t len, uint8_t *id_out)
{
	uint8_t id[WIRE_ID_LEN];

	if (parse(text, len, id) != 0 || sodium_is_zero(id, sizeof(id)))
		return MUSTER_E_NOMACHINE;
	memcpy(id_out, id, sizeof(id));
	return 0;
}

static int
read_small(const char *root, const char *path, uint8_t *buf, size_t *len_out)
{
	char full[FILE_PATH_MAX];
	int err;

	err = file_join(root, path, full, sizeof(full));
	if (err == 0)
		err = file_read(full, buf, ID_FILE_MAX, len_out);
	return err;
}

int
machine_read(const char *root, struct machine *machine_out)
{
	static const char *const paths[] = {PATH_MACHINE_ID, PATH_MACHINE_ID_OS,
	    PATH_MACHINE_ID_DBUS};
	struct machine m = {0};
	uint8_t buf[ID_FILE_MAX];
	size_t len = 0;
	int err = MUSTER_E_NOENT;

	for (size_t i = 0; i < 3 && err == MUSTER_E_NOENT; i++)
		err = read_small(root, paths[i], buf, &len);
	if (err == 0)
		err = machine_id_parse(buf, len, m.id);
	else if (err == MUSTER_E_NOENT || err == MUSTER_E_TOOBIG)
		err = MUSTER_E_NOMACHINE;
	if (err != 0)
		return err;
	err = read_small(root, PATH_INSTANCE, buf, &len);
	if (err == 0)
		err = parse(buf, len, m.instance);
	else if (err == MUSTER_E_NOENT)
		err = 0;
	if (err == 0)
		*machine_out = m;
	return err;
}

void
machine_fingerprint(const struct machine *machine, const uint8_t *publisher,
    uint8_t *out)
{
	uint8_t text[2 * WIRE_ID_LEN];

	memcpy(text, machine->id, WIRE_ID_LEN);
	memcpy(text + WIRE_ID_LEN, machine->instance, WIRE_ID_LEN);
	(void)crypto_generichash(out, WIRE_ID_LEN, text, sizeof(text),
	    publisher, PUBLISHER_LEN);
}

void
machine_tag(const struct machine *machine, const uint8_t *publisher,
    uint8_t *out)
{
	struct machine bare = *machine;

	memset(bare.instance, 0, sizeof(bare.instance));
	machine_fingerprint(&bare, publisher, out);
}

int
machine_judge(const struct machine *machine, const struct lease *lease,
    const struct lease_facts *facts, int64_t now_unix_s, unsigned flags)
{
	uint8_t print[WIRE_ID_LEN];
	int err;

	machine_fingerprint(machine, facts->publisher, print);
	err = lease_judge(lease, facts, print, now_unix_s, flags);
	if (err == MUSTER_E_MACHINE) {
		machine_tag(machine, facts->publisher, print);
		err = lease_judge(lease, facts, print, now_unix_s, flags);
	}
	return err;
}

void
machine_name(char *out)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz"
	                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	char name[256] = "";
	size_t n = 0;

	if (gethostname(name, sizeof(name) - 1) != 0)
		name[0] = '\0';
	for (size_t i = 0; name[i] != '\0' && n < WIRE_NAME_MAX; i++) {
		if (strchr(set, name[i]) != NULL)
			out[n++] = name[i];
	}
	out[n] = '\0';
}
