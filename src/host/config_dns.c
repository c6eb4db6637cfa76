/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "host/config_read.h"

#define SERVER_TEXT_MAX (CONFIG_ADDRESS_MAX + 8) /* "[" "]:65535" */

static void *
field(struct host_config *config, const struct config_option *option)
{
	return (char *)config + option->offset;
}

static unsigned
line_of(const config_setting_t *set)
{
	return config_setting_source_line(set);
}

static bool
parse_port(const char *text, long min, uint16_t *out)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || v < min || v > 65535)
		return false;
	*out = (uint16_t)v;
	return true;
}

static int
server_parse(const char *text, uint16_t preset, long min,
    struct config_server *server_out)
{
	struct config_server server = {.port = preset};
	char copy[SERVER_TEXT_MAX];
	const char *address = copy;
	char *port = NULL;
	uint8_t bytes[16];

	if (strlen(text) >= sizeof(copy))
		return MUSTER_E_PROTO;
	memcpy(copy, text, strlen(text) + 1);
	if (copy[0] == '[') {
		char *end = strchr(copy, ']');

		if (end == NULL || (end[1] != ':' && end[1] != '\0'))
			return MUSTER_E_PROTO;
		port = end[1] == ':' ? end + 2 : NULL;
		*end = '\0';
		address = copy + 1;
	} else if (strchr(copy, ':') == strrchr(copy, ':')) {
		port = strchr(copy, ':');
		if (port != NULL)
			*port++ = '\0';
	}
	if (strlen(address) >= sizeof(server.address) ||
	    (inet_pton(AF_INET, address, bytes) != 1 &&
	        inet_pton(AF_INET6, address, bytes) != 1) ||
	    (port != NULL && !parse_port(port, min, &server.port)))
		return MUSTER_E_PROTO;
	memcpy(server.address, address, strlen(address) + 1);
	*server_out = server;
	return 0;
}

int
config_server_parse(const char *text, struct config_server *server_out)
{
	return server_parse(text, CONFIG_DNS_PORT, 1, server_out);
}

void
config_read_status(struct config_parse *parse,
    const struct config_option *option, const config_setting_t *set,
    struct host_config *config)
{
	const char *text = config_setting_get_string(set);

	if (text != NULL && strcmp(text, "off") == 0) {
		config->status = (struct config_server){.port = 0};
		return;
	}
	if (text == NULL ||
	    server_parse(text, CONFIG_STATUS_PORT, 0, &config->status) != 0)
		config_say(parse, LOG_ERROR, line_of(set),
		    "%s must be \"off\", or a text such as "
		    "\"127.0.0.1:1689\" or \"[::1]:1689\"; names are not "
		    "looked up",
		    option->name);
}

static void
read_server(struct config_parse *parse, const char *name,
    const config_setting_t *set, struct config_server *out)
{
	const char *text = config_setting_get_string(set);

	if (text == NULL || config_server_parse(text, out) != 0)
		config_say(parse, LOG_ERROR, line_of(set),
		    "%s must be a text such as \"192.0.2.1\", "
		    "\"192.0.2.1:53\" or \"[2001:db8::1]:53\"; names are not "
		    "looked up",
		    name);
}

/* In the form that dns_name_text() gives; "." where empty means none. */
static void
read_name(struct config_parse *parse, const char *name, bool may_be_empty,
    const config_setting_t *set, char *out)
{
	const char *text = config_setting_get_string(set);
	struct dns_name parsed;

	if (text != NULL && text[0] == '\0' && may_be_empty) {
		memcpy(out, ".", 2);
		return;
	}
	if (text == NULL || dns_name_parse(text, &parsed) != 0 ||
	    parsed.len <= 1) {
		config_say(parse, LOG_ERROR, line_of(set),
		    "%s must be a full name such as \"kms.example.com\"", name);
		return;
	}
	dns_name_text(&parsed, out);
	if (strcmp(name, "publish_name") != 0 &&
	    dns_name_join("_muster._tcp", out, &parsed) != 0)
		config_say(parse, LOG_ERROR, line_of(set),
		    "%s is too long for a name below it", name);
}

static void
read_path(struct config_parse *parse, const char *name,
    const config_setting_t *set, char *out)
{
	const char *text = config_setting_get_string(set);

	if (text == NULL || text[0] != '/' || strlen(text) >= FILE_PATH_MAX) {
		config_say(parse, LOG_ERROR, line_of(set),
		    "%s must be the path of a file, from / on", name);
		return;
	}
	memcpy(out, text, strlen(text) + 1);
}

static void
read_member(struct config_parse *parse, const config_setting_t *set,
    struct config_domain *out)
{
	const struct config_option weight = {.name = "weight", .max = 65535};
	const struct config_option priority = {.name = "priority",
	    .max = 65535};
	const char *name = config_setting_name(set);

	if (name == NULL)
		name = ""; /* libconfig had no memory */
	if (strcmp(name, "domain") == 0)
		read_name(parse, "domain", false, set, out->domain);
	else if (strcmp(name, "priority") == 0)
		config_read_number(parse, &priority, set, &out->priority);
	else if (strcmp(name, "weight") == 0)
		config_read_number(parse, &weight, set, &out->weight);
	else if (strcmp(name, "server") == 0)
		read_server(parse, "server", set, &out->server);
	else
		config_say(parse, LOG_ERROR, line_of(set),
		    "%.64s is no part of a domain; it has domain, priority, "
		    "weight and server",
		    name);
}

static void
read_domain(struct config_parse *parse, const config_setting_t *set,
    struct host_config *config)
{
	struct config_domain *out = &config->domains[config->n_domains];

	memset(out, 0, sizeof(*out));
	if (!config_setting_is_group(set) ||
	    config_setting_get_member(set, "domain") == NULL) {
		config_say(parse, LOG_ERROR, line_of(set),
		    "publish_domains must hold groups such as "
		    "{ domain = \"example.com\"; priority = 0; weight = 0; }");
		return;
	}
	for (int i = 0; i < config_setting_length(set); i++)
		read_member(parse, config_setting_get_elem(set, (unsigned)i),
		    out);
	for (uint32_t i = 0; i < config->n_domains; i++) {
		if (out->domain[0] != '\0' &&
		    strcmp(config->domains[i].domain, out->domain) == 0)
			config_say(parse, LOG_ERROR, line_of(set),
			    "publish_domains names %s twice", out->domain);
	}
	config->n_domains++;
}

static void
read_domains(struct config_parse *parse, const config_setting_t *set,
    struct host_config *config)
{
	int n = config_setting_length(set);

	config->n_domains = 0;
	if (!config_setting_is_list(set) || n > CONFIG_DOMAINS_MAX) {
		config_say(parse, LOG_ERROR, line_of(set),
		    "publish_domains must be a list of up to %d domains, such "
		    "as ( { domain = \"example.com\"; } )",
		    CONFIG_DOMAINS_MAX);
		return;
	}
	for (int i = 0; i < n; i++)
		read_domain(parse, config_setting_get_elem(set, (unsigned)i),
		    config);
}

static void
read_switch(struct config_parse *parse, const char *name,
    const config_setting_t *set, uint32_t *out)
{
	if (config_setting_type(set) != CONFIG_TYPE_BOOL)
		config_say(parse, LOG_ERROR, line_of(set),
		    "%s must be true or false", name);
	else
		*out = config_setting_get_bool(set) != 0;
}

void
config_read_dns(struct config_parse *parse, const struct config_option *option,
    const config_setting_t *set, struct host_config *config)
{
	switch (option->type) {
	case CONFIG_SWITCH:
		read_switch(parse, option->name, set, field(config, option));
		break;
	case CONFIG_NAME:
		read_name(parse, option->name,
		    strcmp(option->name, "publish_domain") == 0, set,
		    field(config, option));
		break;
	case CONFIG_PATH:
		read_path(parse, option->name, set, field(config, option));
		break;
	case CONFIG_SERVER:
		read_server(parse, option->name, set, field(config, option));
		break;
	case CONFIG_DOMAINS:
		read_domains(parse, set, config);
		break;
	case CONFIG_NUMBER:
	case CONFIG_LEVEL:
	case CONFIG_FORMAT:
	case CONFIG_ADDRESSES:
	case CONFIG_STORE:
	case CONFIG_GROUP:
	case CONFIG_NETWORKS:
	case CONFIG_STATUS:
		break; /* read elsewhere */
	}
}
