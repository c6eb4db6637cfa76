/* SPDX-License-Identifier: MIT */
/* What may stand in DNS, as it is kept; see publish.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/config_read.h"
#include "host/publish.h"

#define HEAD "muster-published 1\n"
#define FIELDS 6

static int
write_line(const struct publish_want *want, const struct dns_srv *srv,
    char *out, size_t cap)
{
	const struct config_server *server = &want->server;
	char domain[DNS_TEXT_MAX + 1], target[DNS_TEXT_MAX + 1];
	char at[CONFIG_ADDRESS_MAX + 10] = "-";

	dns_name_text(&want->domain, domain);
	dns_name_text(&srv->target, target);
	if (server->address[0] != '\0')
		(void)snprintf(at, sizeof(at), "[%s]:%u", server->address,
		    server->port);
	return snprintf(out, cap, "%s %s %u %u %u %s\n", domain, at,
	    srv->priority, srv->weight, srv->port, target);
}

int
publish_write(const struct publish *p, char *text, size_t cap, size_t *len_out)
{
	size_t len = strlen(HEAD);

	if (len >= cap)
		return MUSTER_E_TOOBIG;
	memcpy(text, HEAD, len + 1);
	for (size_t i = 0; i < PUBLISH_ITEMS_MAX; i++) {
		const struct publish_item *item = &p->items[i];

		for (size_t k = 0; item->is_used && k < item->n_standing; k++) {
			int n = write_line(&item->want, &item->standing[k],
			    text + len, cap - len);

			if (n < 0 || (size_t)n >= cap - len)
				return MUSTER_E_TOOBIG;
			len += (size_t)n;
		}
	}
	*len_out = len;
	return 0;
}

static int
read_u16(const char *text, uint16_t *out)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || v > 65535)
		return MUSTER_E_PROTO;
	*out = (uint16_t)v;
	return 0;
}

static int
read_line(char *line, struct publish_want *out)
{
	char *field[FIELDS] = {NULL}, *rest = NULL;
	struct dns_name owner;
	int n = 0, err;

	memset(out, 0, sizeof(*out));
	for (char *f = strtok_r(line, " ", &rest); f != NULL;
	     f = strtok_r(NULL, " ", &rest)) {
		if (n == FIELDS)
			return MUSTER_E_PROTO;
		field[n++] = f;
	}
	if (n != FIELDS)
		return MUSTER_E_PROTO;
	err = dns_name_parse(field[0], &out->domain);
	if (err == 0)
		err = publish_owner(&out->domain, &owner);
	if (err == 0 && strcmp(field[1], "-") != 0)
		err = config_server_parse(field[1], &out->server);
	if (err == 0)
		err = read_u16(field[2], &out->srv.priority);
	if (err == 0)
		err = read_u16(field[3], &out->srv.weight);
	if (err == 0)
		err = read_u16(field[4], &out->srv.port);
	if (err == 0)
		err = dns_name_parse(field[5], &out->srv.target);
	return err == 0 ? 0 : MUSTER_E_PROTO;
}

int
publish_read(struct publish *p, char *text, uint64_t now_ms)
{
	char *line = text + strlen(HEAD);

	if (strncmp(text, HEAD, strlen(HEAD)) != 0)
		return MUSTER_E_PROTO;
	while (*line != '\0') {
		char *end = strchr(line, '\n');
		struct publish_want stands;
		int err;

		if (end == NULL)
			return MUSTER_E_PROTO;
		*end = '\0';
		err = read_line(line, &stands);
		if (err == 0)
			err = publish_standing(p, &stands, now_ms);
		if (err != 0)
			return err;
		line = end + 1;
	}
	return 0;
}
