/* SPDX-License-Identifier: MIT */
#include "host/config.h"

#include <arpa/inet.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/widen.h"
#include "host/config_read.h"

#define SAY_MAX 512
#define SIZE_OF(name) sizeof(((struct host_config *)0)->name)
/* LIVE changes at a reload, START at the next start. */
#define LIVE(name) offsetof(struct host_config, name), SIZE_OF(name), true
#define START(name) offsetof(struct host_config, name), SIZE_OF(name), false
/* With the number before it, which may be all that changes. */
#define START_LISTEN                                                  \
	offsetof(struct host_config, n_listen),                       \
	    offsetof(struct host_config, listen) -                    \
	    offsetof(struct host_config, n_listen) + SIZE_OF(listen), \
	    false
#define START_DOMAINS                                                   \
	offsetof(struct host_config, n_domains),                        \
	    offsetof(struct host_config, domains) -                     \
	    offsetof(struct host_config, n_domains) + SIZE_OF(domains), \
	    false

static const struct config_option options[] = {
    {"listen", CONFIG_ADDRESSES, START_LISTEN, 0, 0, 0,
        "addresses to listen on, IPv4 and IPv6"},
    {"port", CONFIG_NUMBER, START(port), 0, 65535, 1688,
        "TCP port; 0 takes any free one"},
    {"status_listen", CONFIG_STATUS, START(status), 0, 0, 0,
        "ADDRESS:PORT of the status page and metrics, or off"},
    {"renewal_minutes", CONFIG_NUMBER, LIVE(renewal_min), 15, 43200, 10080,
        "how often activated clients come back"},
    {"retry_minutes", CONFIG_NUMBER, LIVE(retry_min), 15, 43200, 120,
        "how often other clients come back"},
    {"log_level", CONFIG_LEVEL, LIVE(log_level), LOG_ERROR, LOG_FINE, LOG_NOTE,
        "error, warning, note or fine"},
    {"log_format", CONFIG_FORMAT, LIVE(log_format), LOG_FORMAT_AUTO,
        LOG_FORMAT_JOURNAL, LOG_FORMAT_AUTO, "auto, text, json or journal"},
    {"self_test_seconds", CONFIG_NUMBER, LIVE(self_test_s), 0, 86400, 300,
        "how often the host asks itself whether it answers; 0 for never"},
    {"connections", CONFIG_NUMBER, START(connections), 1, 65536, 10240,
        "open at a time"},
    {"first_byte_ms", CONFIG_NUMBER, LIVE(first_byte_ms), 10, 600000, 2000,
        "wait for the first byte of a session"},
    {"record_ms", CONFIG_NUMBER, LIVE(record_ms), 10, 600000, 500,
        "wait for a whole record from its first byte on"},
    {"idle_ms", CONFIG_NUMBER, LIVE(idle_ms), 10, 86400000, 5000,
        "wait between two records"},
    {"calls_per_session", CONFIG_NUMBER, LIVE(calls_per_session), 1, 65536, 16,
        "calls answered before a session is closed"},
    {"session_ms", CONFIG_NUMBER, LIVE(session_ms), 10, 86400000, 5000,
        "a session in all"},
    {"source_rate", CONFIG_NUMBER, LIVE(source_rate), 0, 1000000, 0,
        "connections of one source within a minute; 0 for no limit"},
    {"exempt_networks", CONFIG_NETWORKS, LIVE(exempt), 0, 0, 0,
        "sources without limits; loopback"},
    {"allowed_networks", CONFIG_NETWORKS, LIVE(allowed), 0, 0, 0,
        "whose machines are counted and activated; all"},
    {"inventory_rows", CONFIG_NUMBER, LIVE(inventory_rows), 1, 100000000,
        1000000, "machines and products that the inventory keeps"},
    {"retention_days", CONFIG_NUMBER, LIVE(retention_days), 1, 36600, 400,
        "how long the inventory keeps who is not heard of"},
    {"publish", CONFIG_SWITCH, START(publish), 0, 1, 1,
        "publish this host in DNS by dynamic update"},
    {"publish_name", CONFIG_NAME, START(publish_name), 0, 0, 0,
        "the full name that clients are sent to; the machine's own"},
    {"publish_domain", CONFIG_NAME, START(publish_domain), 0, 0, 0,
        "the own domain, that of the name; \"\" for none"},
    {"publish_priority", CONFIG_NUMBER, START(publish_priority), 0, 65535, 0,
        "in the own domain; the lowest is asked first"},
    {"publish_weight", CONFIG_NUMBER, START(publish_weight), 0, 65535, 0,
        "in the own domain; the share among hosts of one priority"},
    {"publish_domains", CONFIG_DOMAINS, START_DOMAINS, 0, 0, 0,
        "more domains, each with priority, weight and server"},
    {"publish_server", CONFIG_SERVER, START(publish_server), 0, 0, 0,
        "ADDRESS or ADDRESS:PORT of the primary; found by SOA"},
    {"publish_key_file", CONFIG_PATH, START(publish_key_file), 0, 0, 0,
        "TSIG key as tsig-keygen writes it; updates are not signed"},
    {"publish_ttl", CONFIG_NUMBER, START(publish_ttl_s), 1, 604800, 3600,
        "seconds for which resolvers may keep the record"},
    {"publish_withdraw", CONFIG_SWITCH, START(publish_withdraw), 0, 1, 0,
        "take the record away at a clean stop"},
    {"store", CONFIG_STORE, START(store), 0, 0, 0,
        "\"sqlite\", or the address of a PostgreSQL server"},
    {"store_group", CONFIG_GROUP, START(store_group), 0, 0, 0,
        "hosts that name the same one share a count; muster"},
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

const struct config_option *
config_options(size_t *n_out)
{
	*n_out = N_OPTIONS;
	return options;
}

static uint32_t *
field(struct host_config *config, const struct config_option *option)
{
	return (uint32_t *)(void *)((char *)config + option->offset);
}

static bool
is_number(enum config_type type)
{
	return type == CONFIG_NUMBER || type == CONFIG_LEVEL ||
	    type == CONFIG_FORMAT || type == CONFIG_SWITCH;
}

void
config_defaults(struct host_config *config_out)
{
	memset(config_out, 0, sizeof(*config_out));
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (is_number(options[i].type))
			*field(config_out, &options[i]) = options[i].preset;
	}
	config_out->n_listen = 2;
	memcpy(config_out->listen[0], "0.0.0.0", sizeof("0.0.0.0"));
	memcpy(config_out->listen[1], "::", sizeof("::"));
	(void)!config_server_parse("127.0.0.1", &config_out->status);
	config_out->status.port = CONFIG_STATUS_PORT;
	memcpy(config_out->store_group, "muster", sizeof("muster"));
	config_out->exempt.n = 2;
	(void)!config_network_parse("127.0.0.0/8", &config_out->exempt.at[0]);
	(void)!config_network_parse("::1/128", &config_out->exempt.at[1]);
}

void
config_say(struct config_parse *parse, enum log_level level, unsigned line,
    const char *format, ...)
{
	char text[SAY_MAX];
	int n = snprintf(text, sizeof(text), "%s:%u: ", parse->name, line);
	va_list ap;

	if (n < 0 || (size_t)n >= sizeof(text))
		n = 0;
	va_start(ap, format);
	(void)vsnprintf(text + n, sizeof(text) - (size_t)n, format, ap);
	va_end(ap);
	if (level == LOG_ERROR)
		parse->n_mistakes++;
	parse->say(parse->arg, level, parse->name, line, text);
}

void
config_read_number(struct config_parse *parse,
    const struct config_option *option, const config_setting_t *set,
    uint32_t *out)
{
	int type = config_setting_type(set);
	long long v;

	if (config_setting_source_file(set) != NULL) {
		/* its text has not been seen, so its numbers may be cut */
		config_say(parse, LOG_ERROR, config_setting_source_line(set),
		    "%s stands in an included file; write it here",
		    option->name);
		return;
	}
	if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) {
		config_say(parse, LOG_ERROR, config_setting_source_line(set),
		    "%s must be a number from %u to %u", option->name,
		    option->min, option->max);
		return;
	}
	v = type == CONFIG_TYPE_INT ? config_setting_get_int(set)
	                            : config_setting_get_int64(set);
	if (v < (long long)option->min || v > (long long)option->max) {
		config_say(parse, LOG_ERROR, config_setting_source_line(set),
		    "%s is %lld; it must be from %u to %u", option->name, v,
		    option->min, option->max);
		return;
	}
	*out = (uint32_t)v;
}

/* One of the words of log.h. */
static void
read_word(struct config_parse *parse, const struct config_option *option,
    const config_setting_t *set, uint32_t *out)
{
	const char *text = config_setting_get_string(set);
	const bool is_level = option->type == CONFIG_LEVEL;
	enum log_format format;
	enum log_level level;

	if (is_level && log_level_parse(text, &level))
		*out = level;
	else if (!is_level && log_format_parse(text, &format))
		*out = format;
	else
		config_say(parse, LOG_ERROR, config_setting_source_line(set),
		    "%s must be %s", option->name,
		    is_level ? "\"error\", \"warning\", \"note\" or \"fine\""
		             : "\"auto\", \"text\", \"json\" or \"journal\"");
}

static void
read_address(struct config_parse *parse, const struct config_option *option,
    const config_setting_t *set, struct host_config *config)
{
	const char *text = config_setting_get_string(set);
	uint8_t bytes[16];
	size_t len = text == NULL ? 0 : strlen(text);

	if (text == NULL || len >= CONFIG_ADDRESS_MAX ||
	    (inet_pton(AF_INET, text, bytes) != 1 &&
	        inet_pton(AF_INET6, text, bytes) != 1)) {
		config_say(parse, LOG_ERROR, config_setting_source_line(set),
		    "%s must hold addresses such as \"192.0.2.1\" or "
		    "\"2001:db8::1\"; names are not looked up",
		    option->name);
		return;
	}
	for (uint32_t i = 0; i < config->n_listen; i++) {
		if (strcmp(config->listen[i], text) == 0) {
			config_say(parse, LOG_ERROR,
			    config_setting_source_line(set),
			    "%s names %s twice", option->name, text);
			return;
		}
	}
	memcpy(config->listen[config->n_listen++], text, len + 1);
}

static void
read_addresses(struct config_parse *parse, const struct config_option *option,
    const config_setting_t *set, struct host_config *config)
{
	int n;

	config->n_listen = 0;
	if (config_setting_type(set) == CONFIG_TYPE_STRING) {
		read_address(parse, option, set, config);
		return;
	}
	n = config_setting_length(set);
	if (!config_setting_is_aggregate(set) || config_setting_is_group(set) ||
	    n < 1 || n > CONFIG_LISTEN_MAX) {
		config_say(parse, LOG_ERROR, config_setting_source_line(set),
		    "%s must be a list of 1 to %d addresses, such as "
		    "[ \"0.0.0.0\", \"::\" ]",
		    option->name, CONFIG_LISTEN_MAX);
		return;
	}
	for (int i = 0; i < n; i++)
		read_address(parse, option,
		    config_setting_get_elem(set, (unsigned)i), config);
}

static void
read_setting(struct config_parse *parse, const config_setting_t *set,
    struct host_config *config)
{
	const char *name = config_setting_name(set);
	const struct config_option *option = NULL;

	for (size_t i = 0; i < N_OPTIONS && option == NULL; i++) {
		if (strcmp(options[i].name, name) == 0)
			option = &options[i];
	}
	if (option == NULL) {
		config_say(parse, LOG_ERROR, config_setting_source_line(set),
		    "%.64s is no setting of musterd", name);
		return;
	}
	switch (option->type) {
	case CONFIG_NUMBER:
		config_read_number(parse, option, set, field(config, option));
		break;
	case CONFIG_LEVEL:
	case CONFIG_FORMAT:
		read_word(parse, option, set, field(config, option));
		break;
	case CONFIG_ADDRESSES:
		read_addresses(parse, option, set, config);
		break;
	case CONFIG_NETWORKS:
		config_read_networks(parse, option, set,
		    (void *)((char *)config + option->offset));
		break;
	case CONFIG_STATUS:
		config_read_status(parse, option, set, config);
		break;
	case CONFIG_SWITCH:
	case CONFIG_NAME:
	case CONFIG_PATH:
	case CONFIG_SERVER:
	case CONFIG_DOMAINS:
		config_read_dns(parse, option, set, config);
		break;
	case CONFIG_STORE:
	case CONFIG_GROUP:
		config_read_store(parse, option, set, config);
		break;
	}
}

static int
read_tree(struct config_parse *parse, const config_setting_t *top,
    struct host_config *config)
{
	const config_setting_t *set;
	int n = config_setting_length(top);

	for (int i = 0; i < n; i++) {
		set = config_setting_get_elem(top, (unsigned)i);
		if (config_setting_name(set) == NULL)
			return MUSTER_E_NOMEM; /* libconfig had none */
		read_setting(parse, set, config);
	}
	set = config_setting_get_member(top, "renewal_minutes");
	if (set != NULL && config->renewal_min > CONFIG_RENEWAL_WARN_MIN)
		config_say(parse, LOG_WARN, config_setting_source_line(set),
		    "renewal_minutes is above 20 days: renewals then compete "
		    "with the count window of 30 days");
	return 0;
}

int
config_parse(const char *text, const char *name, config_say_fn *say_fn,
    void *arg, struct host_config *config_out)
{
	struct config_parse parse = {.name = name, .say = say_fn, .arg = arg};
	struct host_config config;
	char *wide = widen_numbers(text);
	config_t tree;
	int err = 0;

	if (wide == NULL)
		return MUSTER_E_NOMEM;
	config_defaults(&config);
	config_init(&tree);
	if (config_read_string(&tree, wide) != CONFIG_TRUE)
		config_say(&parse, LOG_ERROR,
		    (unsigned)config_error_line(&tree), "%s",
		    config_error_text(&tree));
	else
		err = read_tree(&parse, config_root_setting(&tree), &config);
	config_destroy(&tree);
	free(wide);
	if (err == 0 && parse.n_mistakes != 0)
		err = MUSTER_E_PROTO;
	if (err == 0)
		*config_out = config;
	return err;
}

int
config_load(const char *path, config_say_fn *say_fn, void *arg,
    struct host_config *config_out)
{
	char *text = malloc(CONFIG_FILE_MAX + 1);
	size_t len = 0;
	int err;

	if (text == NULL)
		return MUSTER_E_NOMEM;
	err = file_read(path, (uint8_t *)text, CONFIG_FILE_MAX, &len);
	if (err != 0)
		goto out;
	text[len] = '\0';
	if (strlen(text) != len) {
		struct config_parse parse = {.name = path,
		    .say = say_fn,
		    .arg = arg};

		config_say(&parse, LOG_ERROR, 1,
		    "holds a byte of zero; it is no text");
		err = MUSTER_E_PROTO;
		goto out;
	}
	err = config_parse(text, path, say_fn, arg, config_out);
out:
	free(text);
	return err;
}
