/* SPDX-License-Identifier: MIT */
#include "client/exchange.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client/stream.h"

static int
parse_port(const char *text, char *out)
{
	size_t len = strspn(text, "0123456789");
	unsigned long port;

	if (len == 0 || text[len] != '\0')
		return MUSTER_E_PROTO;
	port = len <= 5 ? strtoul(text, NULL, 10) : 0;
	if (port < 1 || port > 65535)
		return MUSTER_E_RANGE;
	(void)snprintf(out, 6, "%lu", port);
	return 0;
}

int
exchange_parse(const char *text, struct exchange_target *target_out)
{
	static const char dns[] = "abcdefghijklmnopqrstuvwxyz"
	                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	static const char v6[] = "0123456789abcdefABCDEF:.%";
	struct exchange_target t = {.port = EXCHANGE_PORT};
	bool is_v6 = text[0] == '[';
	const char *start = text + (is_v6 ? 1 : 0);
	size_t len = is_v6 ? strcspn(start, "]") : strspn(start, dns);
	const char *rest = start + len;
	int err = 0;

	if (len > EXCHANGE_NAME_MAX)
		return MUSTER_E_TOOBIG;
	memcpy(t.name, start, len);
	if (len == 0 ||
	    (is_v6 && (rest[0] != ']' || strcspn(t.name, ":") == len)))
		return MUSTER_E_PROTO;
	if (is_v6) {
		/* a zone (%eth0) may hold any letter */
		if (strspn(t.name, v6) < strcspn(t.name, "%"))
			return MUSTER_E_PROTO;
		rest++;
	}
	if (rest[0] == ':')
		err = parse_port(rest + 1, t.port);
	else if (rest[0] != '\0')
		err = MUSTER_E_PROTO;
	if (err != 0)
		return err;
	(void)snprintf(t.text, sizeof(t.text), is_v6 ? "[%s]:%s" : "%s:%s",
	    t.name, t.port);
	*target_out = t;
	return 0;
}

void
exchange_whole(struct exchange_target *target)
{
	size_t len = strlen(target->name);
	struct in_addr v4;

	if (len == 0 || target->name[len - 1] == '.' ||
	    strchr(target->name, ':') != NULL ||
	    inet_pton(AF_INET, target->name, &v4) == 1)
		return;
	target->name[len] = '.';
	target->name[len + 1] = '\0';
}

int
exchange_run(struct exchange *x, const uint8_t *rec, size_t len,
    uint8_t *body_out, size_t *len_out)
{
	struct resolve_addrs addrs;
	bool is_connected = false;
	int err = resolve_host(x->conf, x->target->name, x->target->port,
	    x->lookup_ms, &addrs);

	x->phase = EXCHANGE_NAME;
	if (err != 0)
		return err;
	x->phase = EXCHANGE_CONNECT;
	err = stream_exchange(addrs.addr, addrs.n, x->connect_ms, rec, len,
	    &is_connected, body_out, len_out);
	if (is_connected)
		x->phase = EXCHANGE_ANSWER;
	return err;
}
