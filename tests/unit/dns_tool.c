/* SPDX-License-Identifier: MIT */
/*
 * dns_tool -- the codec of updates and signatures by itself, for a test that
 * holds another implementation against it.  A line in, a line out:
 *
 *   update ID NOW KEYFILE|- ZONE OWNER TARGET PRIORITY WEIGHT PORT TTL
 *       -> REQUEST MAC          (also deletes the same with port + 1)
 *   judge ID NOW KEYFILE|- MAC ANSWER
 *       -> OUTCOME SKEW
 *   zone ID NAME ANSWER
 *       -> OUTCOME ZONE PRIMARY
 *   key KEYFILE
 *       -> 0 | CODE
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hex.h"
#include "discovery/update.h"

#define LINE_MAX_LEN (2 * DNS_MESSAGE_MAX + 4096)
#define WORDS_MAX 12

static int
read_key(const char *path, struct tsig_key *key)
{
	uint8_t text[TSIG_KEY_FILE_MAX];
	const char *why;
	size_t len;
	int err = file_read(path, text, sizeof(text), &len);

	return err != 0 ? err : tsig_key_parse((char *)text, len, key, &why);
}

static void
put_hex(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		(void)printf("%02x", p[i]);
}

static size_t
get_hex(const char *text, uint8_t *out, size_t cap)
{
	size_t len = strlen(text) / 2;

	if (strcmp(text, "-") == 0)
		return 0;
	if (len > cap || hex_decode(text, 2 * len, out, len) != 0)
		exit(2);
	return len;
}

static struct dns_name
name_of(const char *text)
{
	struct dns_name name;

	if (dns_name_parse(text, &name) != 0)
		exit(2);
	return name;
}

static void
do_update(char **w)
{
	static uint8_t buf[UPDATE_MAX];
	struct update u = {.zone = name_of(w[4]), .owner = name_of(w[5])};
	struct tsig_mac mac = {.len = 0};
	struct tsig_key key;
	uint16_t id = (uint16_t)atoi(w[1]);
	size_t len;

	u.has_addition = true;
	u.addition = (struct dns_srv){(uint16_t)atoi(w[7]),
	    (uint16_t)atoi(w[8]), (uint16_t)atoi(w[9]), name_of(w[6])};
	u.ttl_s = (uint32_t)atoll(w[10]);
	u.n_deletions = 1;
	u.deletions[0] = u.addition;
	u.deletions[0].port++;
	if (update_write(&u, id, buf, sizeof(buf), &len) != 0)
		exit(2);
	if (strcmp(w[3], "-") != 0 &&
	    (read_key(w[3], &key) != 0 ||
	        tsig_sign(&key, atoll(w[2]), buf, sizeof(buf), &len, &mac) !=
	            0))
		exit(2);
	put_hex(buf, len);
	(void)putchar(' ');
	put_hex(mac.mac, mac.len);
	(void)puts(mac.len == 0 ? "-" : "");
}

static void
do_judge(char **w)
{
	static uint8_t buf[DNS_MESSAGE_MAX];
	bool is_signed = strcmp(w[3], "-") != 0;
	struct tsig_mac mac = {.len = 0};
	struct tsig_key key;
	size_t len = get_hex(w[5], buf, sizeof(buf));
	uint8_t *exact = malloc(len + 1); /* for the sanitizers */
	int64_t skew_s;
	enum update_outcome outcome;

	mac.len = get_hex(w[4], mac.mac, sizeof(mac.mac));
	if (exact == NULL || (is_signed && read_key(w[3], &key) != 0))
		exit(2);
	memcpy(exact + 1, buf, len);
	outcome = update_judge(exact + 1, len, (uint16_t)atoi(w[1]),
	    is_signed ? &key : NULL, &mac, atoll(w[2]), &skew_s);
	(void)printf("%s %lld\n", update_name(outcome), (long long)skew_s);
	free(exact);
}

static void
do_zone(char **w)
{
	static uint8_t buf[DNS_MESSAGE_MAX];
	struct dns_name asked = name_of(w[2]), zone, primary;
	char text[2][DNS_TEXT_MAX + 1] = {"-", "-"};
	size_t len = get_hex(w[3], buf, sizeof(buf));
	enum update_outcome outcome = update_zone_read(buf, len,
	    (uint16_t)atoi(w[1]), &asked, &zone, &primary);

	if (outcome == UPDATE_DONE) {
		dns_name_text(&zone, text[0]);
		dns_name_text(&primary, text[1]);
	}
	(void)printf("%s %s %s\n", update_name(outcome), text[0], text[1]);
}

int
main(void)
{
	static char line[LINE_MAX_LEN];
	struct tsig_key key;

	if (sodium_init() < 0)
		return 1;
	while (fgets(line, sizeof(line), stdin) != NULL) {
		char *w[WORDS_MAX] = {NULL}, *rest = NULL;
		int n = 0;

		for (char *p = strtok_r(line, " \n", &rest);
		     p != NULL && n < WORDS_MAX;
		     p = strtok_r(NULL, " \n", &rest))
			w[n++] = p;
		if (n == 11 && strcmp(w[0], "update") == 0)
			do_update(w);
		else if (n == 6 && strcmp(w[0], "judge") == 0)
			do_judge(w);
		else if (n == 4 && strcmp(w[0], "zone") == 0)
			do_zone(w);
		else if (n == 2 && strcmp(w[0], "key") == 0)
			(void)printf("%d\n", read_key(w[1], &key));
		else
			return 2;
		(void)fflush(stdout);
	}
	return 0;
}
