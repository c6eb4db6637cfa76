/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "host/config_read.h"

#define NETWORK_TEXT_MAX (CONFIG_ADDRESS_MAX + 4) /* "/128" */
#define V4_BITS 96                                /* before an IPv4 address */

static bool
parse_bits(const char *text, uint32_t max, uint32_t *out)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || v > max)
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool
is_clear_behind(const struct config_network *network)
{
	for (uint32_t i = network->bits; i < 128; i++) {
		if ((network->address[i / 8] & (0x80 >> i % 8)) != 0)
			return false;
	}
	return true;
}

int
config_network_parse(const char *text, struct config_network *out)
{
	struct config_network network = {.bits = 0};
	char copy[NETWORK_TEXT_MAX];
	uint32_t before = 0;
	char *slash;

	if (strlen(text) >= sizeof(copy))
		return MUSTER_E_PROTO;
	memcpy(copy, text, strlen(text) + 1);
	slash = strchr(copy, '/');
	if (slash != NULL)
		*slash = '\0';
	if (inet_pton(AF_INET, copy, network.address + V4_BITS / 8) == 1) {
		network.address[10] = network.address[11] = 0xff;
		before = V4_BITS;
	} else if (inet_pton(AF_INET6, copy, network.address) != 1) {
		return MUSTER_E_PROTO;
	}
	network.bits = 128 - before;
	if (slash != NULL &&
	    !parse_bits(slash + 1, 128 - before, &network.bits))
		return MUSTER_E_PROTO;
	network.bits += before;
	if (!is_clear_behind(&network))
		return MUSTER_E_PROTO;
	*out = network;
	return 0;
}

void
config_read_networks(struct config_parse *parse,
    const struct config_option *option, const config_setting_t *set,
    struct config_networks *out)
{
	int n = config_setting_length(set);

	out->n = 0;
	if (!config_setting_is_aggregate(set) || config_setting_is_group(set) ||
	    n > CONFIG_NETWORKS_MAX) {
		config_say(parse, LOG_ERROR, config_setting_source_line(set),
		    "%s must be a list of up to %d networks, such as "
		    "[ \"127.0.0.0/8\", \"::1/128\" ]; [ ] for none",
		    option->name, CONFIG_NETWORKS_MAX);
		return;
	}
	for (int i = 0; i < n; i++) {
		const config_setting_t *one =
		    config_setting_get_elem(set, (unsigned)i);
		const char *text = config_setting_get_string(one);

		if (text == NULL ||
		    config_network_parse(text, &out->at[out->n]) != 0) {
			config_say(parse, LOG_ERROR,
			    config_setting_source_line(one),
			    "%s must hold networks such as \"192.0.2.0/24\" "
			    "or \"2001:db8::/32\", with no bit behind the "
			    "network's",
			    option->name);
			continue;
		}
		out->n++;
	}
}
