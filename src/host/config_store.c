/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <string.h>

#include "host/config_read.h"

/* What libpq takes: a URI, or "name=value ..."; it judges the rest. */
static bool
is_address(const char *text)
{
	return strncmp(text, "postgresql://", 13) == 0 ||
	    strncmp(text, "postgres://", 11) == 0 || strchr(text, '=') != NULL;
}

/* A name that SQL takes without quotes, so that nobody must think of them. */
static bool
is_group(const char *text)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz_";
	static const char more[] = "abcdefghijklmnopqrstuvwxyz_0123456789";

	return text[0] != '\0' && strchr(first, text[0]) != NULL &&
	    strspn(text, more) == strlen(text) &&
	    strlen(text) < CONFIG_GROUP_MAX;
}

void
config_read_store(struct config_parse *parse,
    const struct config_option *option, const config_setting_t *set,
    struct host_config *config)
{
	const char *text = config_setting_get_string(set);
	unsigned line = config_setting_source_line(set);

	if (option->type == CONFIG_GROUP) {
		if (text == NULL || !is_group(text))
			config_say(parse, LOG_ERROR, line,
			    "%s must be a name of a-z, 0-9 and _, of up to %d "
			    "characters",
			    option->name, CONFIG_GROUP_MAX - 1);
		else
			memcpy(config->store_group, text, strlen(text) + 1);
		return;
	}
	if (text != NULL && strcmp(text, "sqlite") == 0) {
		config->store[0] = '\0';
	} else if (text == NULL || !is_address(text)) {
		config_say(parse, LOG_ERROR, line,
		    "%s must be \"sqlite\", or an address such as "
		    "\"postgresql://muster_host@db1,db2/muster"
		    "?sslmode=verify-full\"",
		    option->name);
	} else if (strlen(text) >= CONFIG_STORE_MAX) {
		config_say(parse, LOG_ERROR, line,
		    "%s has more than %d characters", option->name,
		    CONFIG_STORE_MAX - 1);
	} else {
		memcpy(config->store, text, strlen(text) + 1);
	}
}
