/* SPDX-License-Identifier: MIT */
/* status_host.c -- whose Host header is it?  See status.h. */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "host/config.h"
#include "host/status.h"

#define HOST_TEXT_MAX (CONFIG_ADDRESS_MAX + 8) /* "[" "]:65535" */

static const char *const loopback[] = {"localhost", "127.0.0.1", "::1"};

/* 16 bytes, IPv4 mapped into IPv6; the same address has several texts. */
static bool
parse(const char *text, uint8_t *out)
{
	memset(out, 0, 16);
	if (inet_pton(AF_INET6, text, out) == 1)
		return true;
	out[10] = out[11] = 0xff;
	return inet_pton(AF_INET, text, out + 12) == 1;
}

/* Without brackets and port; false: it is neither. */
static bool
split(char *text, char **host_out)
{
	char *port;

	if (text[0] == '[') {
		char *end = strchr(text, ']');

		if (end == NULL)
			return false;
		*end = '\0';
		*host_out = text + 1;
		port = end + 1;
	} else {
		*host_out = text;
		port = text + strcspn(text, ":");
	}
	if (*port == '\0')
		return true;
	if (*port != ':')
		return false;
	*port++ = '\0';
	return *port != '\0' && port[strspn(port, "0123456789")] == '\0';
}

bool
status_is_our_host(const char *text, const char *address)
{
	char copy[HOST_TEXT_MAX], *host;
	uint8_t theirs[16], ours[16];

	if (text == NULL || strlen(text) >= sizeof(copy))
		return false;
	memcpy(copy, text, strlen(text) + 1);
	if (!split(copy, &host))
		return false;
	for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++) {
		if (strcasecmp(host, loopback[i]) == 0)
			return true;
	}
	if (!parse(host, theirs) || !parse(address, ours))
		return false;
	return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0 ||
	    memcmp(theirs, ours, sizeof(ours)) == 0;
}
